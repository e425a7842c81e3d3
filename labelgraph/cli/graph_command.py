"""Look at a label graph: which labels occur together, and how often.

Examples:
  labelgraph graph my-data.npz
  labelgraph graph my-data.npz --split train --threshold 0.3 --out graph.png
  labelgraph graph labels.csv --out graph.graphml      # labels alone: a header of names, then 0 and 1

An edge i -> j weighs P(i | j), the share of the items with j that have i, too.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable
from pathlib import Path

import networkx as nx
from torch_geometric.data import Data

from labelgraph._core.writing import replace_file
from labelgraph.cli.common import Parser, add_command, note, print_json
from labelgraph.cli.given_data import DATA_HELP, chosen_rows, load
from labelgraph.cli.label_file import read_labels
from labelgraph.graph import Threshold, cooccurrence_graph, graph_statistics, summarize, to_networkx


def add_parser(commands: argparse._SubParsersAction[Parser]) -> None:
    """Add the command."""
    command = add_command(commands, "graph", __doc__ or "", run)
    command.add_argument("data", metavar="DATA", help=f"{DATA_HELP}; or of labels alone, .npy or .csv")
    command.add_argument("--split", metavar="NAME", help="items to count (default: all)")
    command.add_argument("--threshold", metavar="WEIGHT", type=float, help="keep the edges that weigh at least this, "
                         "such as 0.3 (default: all)")  # fmt: skip
    command.add_argument("--out", metavar="FILE", type=Path, help=f"write the graph as {', '.join(WRITERS)}")


def run(options: argparse.Namespace) -> None:
    """Run the command."""
    if options.out and options.out.suffix not in WRITERS:
        raise ValueError(f"'--out' must end in one of {', '.join(WRITERS)} (got {options.out})")
    graph = _graph(options)
    if options.threshold is not None:
        graph = Threshold(options.threshold)(graph)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(options.out, WRITERS[options.out.suffix](graph))
        note(f"written to {options.out}")
    if options.json:
        print_json({"data": options.data, "threshold": options.threshold, **graph_statistics(graph, 20),
                    "out": str(options.out) if options.out else None})  # fmt: skip
    else:
        print(summarize(graph, 10))


def _graph(options: argparse.Namespace) -> Data:
    path = Path(options.data)
    if path.suffix in (".npy", ".csv"):
        if options.split:
            raise ValueError(f"'--split' needs data with splits (got the labels {path})")
        return cooccurrence_graph(*read_labels(path))
    data = load(options.data)
    return cooccurrence_graph(data.labels[chosen_rows(data, options.split)], data.label_names)


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


def _node_link(graph: Data) -> bytes:
    converted = to_networkx(graph)
    content = {
        "samples": graph.num_samples,
        "labels": [{"name": name, "count": count} for name, count in converted.nodes(data="count")],
        "edges": [{"source": i, "target": j, **entries} for i, j, entries in converted.edges(data=True)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def _graphml(graph: Data) -> bytes:
    file = io.BytesIO()
    nx.write_graphml(to_networkx(graph), file)
    return file.getvalue()


WRITERS: dict[str, Callable[[Data], bytes]] = {
    ".png": lambda graph: _picture(graph, "png"),
    ".svg": lambda graph: _picture(graph, "svg"),
    ".json": _node_link,
    ".graphml": _graphml,
}
