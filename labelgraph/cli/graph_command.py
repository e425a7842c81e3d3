"""Show the label graph of a data set: which labels occur together, and how often.

Examples:
  labelgraph graph my-data.npz
  labelgraph graph my-data.npz --out graph.html        # a page for the browser, with search and pictures
  labelgraph graph my-data.npz --split all --threshold 0.3 --out graph.png
  labelgraph graph labels.csv --out graph.graphml      # a table of labels: a header of names, then 0 and 1

The items of the training split are counted, so that the graph shows nothing of the test items; --split all counts all
items. In drawings and printed lists, an arrow a -> b reads "if label a, then label b": its weight is P(b | a), the
share of the items with label a that also have label b. In .json and .graphml files and with --json, edges lead the way
of messages: the weight of an edge is P(source | target).

An .html file is one page that needs no network. It shows thumbnails if the ids of the items are paths of picture files,
and similar names if the data have label vectors.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from labelgraph import graph as label_graphs
from labelgraph._core.files import write_bytes
from labelgraph._core.reading import reading
from labelgraph.cli.common import Parser, add_command, note, print_json
from labelgraph.cli.inputs import DATA_HELP, check_file, chosen_rows, load

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor
    from torch_geometric.data import Data

    from labelgraph.data import CrossModalData

SIMILAR = 5  # Neighbours of each label by the meaning of names.


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "graph", __doc__ or "", run)
    command.add_argument("data", metavar="DATA", help=f"{DATA_HELP}; or labels alone, .npy or .csv")
    command.add_argument("--split", metavar="NAME",
                         help="count the items of this split; all counts all items (default: train, or all items of "
                         "data without a training split)")  # fmt: skip
    command.add_argument("--threshold", metavar="WEIGHT", type=float, help="keep the edges with at least this weight, "
                         "such as 0.3 (default: all edges)")  # fmt: skip
    command.add_argument("--out", metavar="FILE", type=Path,
                         help=f"write the graph to a file: {', '.join(WRITERS)}")  # fmt: skip
    command.add_argument("--pictures", metavar="FOLDER", type=Path, help="folder of the picture files whose paths are "
                         "the ids of the items, for a .html page (default: beside the data)")  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    if options.out and options.out.suffix not in WRITERS:
        raise ValueError(f"'--out' must end in one of {', '.join(WRITERS)} (got {options.out})")
    if options.pictures and (not options.out or options.out.suffix != ".html"):
        raise ValueError(f"'--pictures' needs '--out' with the ending .html (got {options.out or 'no --out'})")
    source = _source(options)
    graph = source.graph
    if options.threshold is not None:
        graph = label_graphs.Threshold(options.threshold)(graph)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(options.out, WRITERS[options.out.suffix](graph, source))
        note(f"wrote {options.out}")
    if options.json:
        print_json({"data": options.data, "threshold": options.threshold, **label_graphs.graph_statistics(graph, 20),
                    "out": str(options.out) if options.out else None})  # fmt: skip
    else:
        print(label_graphs.summarize(graph, 10))


class Source(NamedTuple):
    """A label graph and where it comes from; the data and the counted rows are none for a file of labels."""

    graph: Data
    name: str
    data: CrossModalData | None = None
    rows: Tensor | None = None
    pictures: Path | None = None


def _source(options: argparse.Namespace) -> Source:
    path = Path(options.data)
    if path.suffix in (".npy", ".csv"):
        for option, needed in (("split", "splits"), ("pictures", "ids")):
            if getattr(options, option):
                raise ValueError(f"'--{option}' needs data with {needed} (got the labels {path})")
        check_file(path, "file of labels")
        with reading(path, "labels of 0 and 1, one row per item"):
            return Source(label_graphs.cooccurrence_graph(*read_labels(path)), path.name)
    data = load(options.data)
    rows = counted_rows(data, options.split)
    graph = label_graphs.cooccurrence_graph(data.label_rows(rows, dense=False), data.label_names)
    return Source(graph, options.data, data, rows, options.pictures)


def counted_rows(data: CrossModalData, split: str | None) -> Tensor:
    """Return the row numbers of the counted items: by default the training items, or all without a training split."""
    if split is None:
        split = "train" if "train" in data.splits else None
    elif split == "all" and "all" not in data.splits:
        split = None
    return chosen_rows(data, split)


def read_labels(path: Path) -> tuple[np.ndarray, list[str] | None]:
    """Read multi-hot labels: ``.npy`` (N, C), or ``.csv`` with a header of label names.

    Returns:
        The labels, and their names if the file has any.

    Raises:
        Exception: If the file is damaged; it has one of many types, and the caller adds the name of the file.
    """
    import numpy as np

    if path.suffix == ".npy":
        return np.load(path, allow_pickle=False), None
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
        rows = file.read().splitlines()
    if not any(rows):
        raise ValueError("no row below a header")
    labels = np.loadtxt(rows, delimiter=",", ndmin=2)
    if labels.shape[1] != len(names):
        raise ValueError(f"{path}: expected {len(names)} columns, one per name in the header (got {labels.shape[1]})")
    return labels, names


def browser_page(graph: Data, source: Source) -> bytes:
    """Return the page of a graph; it has pictures and similar names if the data have them."""
    from labelgraph.report import graph_to_html

    data, meaning = source.data, None
    pictures: Mapping[str, Sequence[Image | str | Path]] = {}
    if data is not None and data.label_vectors is not None:
        meaning = label_graphs.meaning_graph(data.label_names, data.label_vectors, SIMILAR)
    if data is not None and source.rows is not None:
        if find_spec("PIL") is None:
            note('no pictures in the page, because Pillow is not installed: pip install "labelgraph[images]"')
        else:
            from labelgraph.cli.sheet import label_pictures

            pictures = label_pictures(data, source.rows, source.name, source.pictures)
    title = f"Label graph of {Path(source.name).stem}"
    return graph_to_html(graph, meaning=meaning, pictures=pictures, title=title).encode()


def _picture(graph: Data, form: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from labelgraph.report import draw_graph

    figure = Figure(figsize=(14, 10), layout="constrained")
    FigureCanvasAgg(figure)  # The layout measures text.
    draw_graph(graph, figure.add_subplot())
    file = io.BytesIO()
    figure.savefig(file, format=form, dpi=150)
    return file.getvalue()


def _node_link(graph: Data, source: Source) -> bytes:
    converted = label_graphs.to_networkx(graph)
    content = {
        "samples": graph.num_samples,
        "labels": [{"name": name, "count": count} for name, count in converted.nodes(data="count")],
        "edges": [{"source": i, "target": j, **entries} for i, j, entries in converted.edges(data=True)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def _graphml(graph: Data, source: Source) -> bytes:
    import networkx as nx

    file = io.BytesIO()
    nx.write_graphml(label_graphs.to_networkx(graph), file)
    return file.getvalue()


WRITERS: dict[str, Callable[[Data, Source], bytes]] = {
    ".html": browser_page,
    ".png": lambda graph, _: _picture(graph, "png"),
    ".svg": lambda graph, _: _picture(graph, "svg"),
    ".json": _node_link,
    ".graphml": _graphml,
}
