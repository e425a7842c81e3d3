"""The Markdown report of a run as one HTML page that works without a network."""

from __future__ import annotations

import base64
import html
import mimetypes
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from labelgraph.report.page_template import fill_template

if TYPE_CHECKING:
    from markdown_it.token import Token

PARTS = {"style": "report_page.css", "script": "report_page.js"}
FEWEST_SECTIONS = 3  # With fewer sections, the page has no list of them.


def report_to_html(markdown: str, folder: str | Path) -> str:
    r"""Convert a Markdown report to one HTML page with sortable tables and the pictures in it.

    The page loads nothing, neither from a network nor from its folder. A click on a header of a table, or Enter on it,
    sorts the rows. HTML in the report is shown as text.

    Args:
        markdown: Text of the report, in CommonMark with tables.
        folder: Folder of the report. Pictures in it become part of the page; any other picture is replaced by its
            alternative text. A link to a ``report.md`` with a ``report.html`` beside it leads to the latter.

    Returns:
        The text of the page.

    Raises:
        ModuleNotFoundError: If markdown-it-py is not installed; it is in the extra ``viz``.

    Example:
        >>> from labelgraph.report import markdown_table, report_to_html
        >>> page = report_to_html("# Birds\n\n" + markdown_table(["label", "count"], [["sky", "12"]]), ".")
        >>> page[:15], "<title>Birds</title>" in page, ">sky</td>" in page
        ('<!doctype html>', True, True)
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(markdown)
    for token in _all(tokens):
        _adapt(token, Path(folder))
    sections = list(_sections(tokens))
    titles = [tokens[i + 1] for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h1"]
    body = parser.renderer.render(tokens, parser.options, {})
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    texts = {"title": html.escape(_text(titles[0]) if titles else "Report"), "body": body, "sections": _list(sections)}
    return fill_template("report_page.html", PARTS, texts)


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])


def _adapt(token: Token, folder: Path) -> None:
    """Embed a picture, point a link to the page of a report, and mark the headers of columns."""
    if token.type == "image":
        data = _picture(folder, str(token.attrs["src"]))
        if data is None:
            token.type, token.content = "text", _text(token)
        else:
            token.attrs["src"] = data
    elif token.type == "link_open" and PurePosixPath(str(token.attrs["href"])).name == "report.md":
        page = str(PurePosixPath(str(token.attrs["href"])).with_suffix(".html"))
        if _inside(folder, page):
            token.attrs["href"] = page
    elif token.type == "th_open":
        token.attrs["scope"] = "col"


def _picture(folder: Path, source: str) -> str | None:
    """A picture in the folder as a data URI; none for any other file and for one that cannot be read."""
    kind, path = mimetypes.guess_type(source)[0] or "", _inside(folder, source)
    if path is None or not kind.startswith("image/"):
        return None
    try:
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    except OSError:
        return None


def _inside(folder: Path, link: str) -> Path | None:
    """The file in the folder that a link leads to."""
    try:
        path = (folder / unquote(link)).resolve()
        return path if path.is_relative_to(folder.resolve()) and path.is_file() else None
    except (OSError, ValueError):  # Not a path, such as one that is too long.
        return None


def _sections(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """The id and the heading of each section, which gets the id."""
    for i, token in enumerate(tokens):
        if token.type == "heading_open" and token.tag == "h2":
            token.attrs["id"] = f"section-{i}"
            yield f"section-{i}", _text(tokens[i + 1])


def _text(token: Token) -> str:
    """The text of a heading, or the alternative text of a picture."""
    return "".join(each.content for each in _all(token.children or []))


def _list(sections: Sequence[tuple[str, str]]) -> str:
    if len(sections) < FEWEST_SECTIONS:
        return ""
    entries = "".join(f'<li><a href="#{name}">{html.escape(heading)}</a></li>' for name, heading in sections)
    return f'<nav aria-label="Sections"><ul>{entries}</ul></nav>'
