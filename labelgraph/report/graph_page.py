"""A label graph as one HTML page that works without a network."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch_geometric.data import Data

from labelgraph._core.checked_config import PositiveInt, check_value
from labelgraph.report.page_content import page_content
from labelgraph.report.page_template import fill_template

if TYPE_CHECKING:
    from PIL.Image import Image

PARTS = {"style": "graph_page.css", "cytoscape": "vendor/cytoscape.min.js", "view": "graph_view.js",
         "controls": "graph_page.js", "search": "graph_search.js"}  # fmt: skip


class HtmlPage(str):
    """The text of an HTML page; a notebook shows the page itself, in a frame of its own."""

    def __repr__(self) -> str:
        return f"HtmlPage({len(self):,} characters)"

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 720px; border: 1px solid #ccc"
        return f'<iframe srcdoc="{html.escape(self)}" style="{style}" title="label graph"></iframe>'


def graph_to_html(
    graph: Data,
    *,
    meaning: Data | None = None,
    pictures: Mapping[str, Sequence[Image | str | Path]] | None = None,
    title: str = "Label graph",
    max_labels: int = 800,
) -> HtmlPage:
    """Write a label graph as an interactive page: search, neighbourhoods, a threshold of edges, groups of labels.

    The page is one file without any network request. In a notebook, the page is the output of the cell; otherwise,
    write it with ``Path("graph.html").write_text(page, encoding="utf-8")``. An arrow a -> b reads "if label a, then
    label b", whichever way messages flow.

    Args:
        graph: Label graph with C labels, for instance from `labelgraph.graph.cooccurrence_graph`.
        meaning: Graph of similar names from `labelgraph.graph.meaning_graph`, with the same labels; the page then
            offers a choice between both kinds of edges.
        pictures: Pictures of items by label name, as Pillow images or paths of files; the first four of a label are
            shown as thumbnails, with at most 3 MB in all. A file that cannot be read is left out.
        title: Title of the page.
        max_labels: Maximum number of labels in the drawing, the most frequent ones; the search finds all labels.

    Returns:
        The text of the page.

    Raises:
        ValueError: If an attribute of a graph is missing, a weight is not finite, or ``meaning`` has other labels.
        TypeError: If ``graph`` is not a `Data`.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.report import graph_to_html
        >>> page = graph_to_html(cooccurrence_graph([[1, 1, 0], [1, 0, 1]], ["sky", "bird", "tree"]), title="Birds")
        >>> page[:15], "<title>Birds</title>" in page
        ('<!doctype html>', True)
    """
    max_labels = check_value("max_labels", max_labels, PositiveInt)
    content = page_content(graph, meaning, pictures or {}, max_labels)
    texts = {"title": html.escape(title), "content": _safe_json(content)}
    return HtmlPage(fill_template("graph_page.html", PARTS, texts))


def _safe_json(content: Any) -> str:
    """JSON for a script element: with no "<", a label cannot end the element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
