"""Drawings of label graphs and heat maps of adjacencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import networkx as nx
import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from labelgraph._core.argument_kinds import check_kind
from labelgraph.graph import to_networkx
from labelgraph.graph.edges import conditioned_end
from labelgraph.report.layout import pack_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Place = dict[str, np.ndarray]

BLUE = "#4c72b0"
# Width and height reserved for a label, in units of the distance between neighbouring dots.
CELL = np.array([1.35, 0.9])
# Positions of a name, the best first: direction, alignment, and cost.
PLACEMENTS = (
    (0.0, 1.0, "center", "bottom", 0.0), (0.0, -1.0, "center", "top", 0.05),
    (0.7, 0.7, "left", "bottom", 0.15), (-0.7, 0.7, "right", "bottom", 0.15),
    (0.7, -0.7, "left", "top", 0.2), (-0.7, -0.7, "right", "top", 0.2),
    (1.0, 0.0, "left", "center", 0.3), (-1.0, 0.0, "right", "center", 0.3),
)  # fmt: skip


def draw_graph(data: Data, ax: Axes | None = None, max_edges: int = 150) -> Axes:
    """Draw a label graph, with larger dots for more frequent labels and darker arrows for heavier edges.

    An arrow a -> b reads "if label a, then label b": if the weights are conditional probabilities, it points from the
    given label to the other one, whichever way messages flow.

    Args:
        data: Label graph. The heaviest edges are drawn; self-loops are not.
        ax: Axes to draw on; by default those of a new figure, ``ax.figure``.
        max_edges: Maximum number of edges.

    Returns:
        The axes.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.report import draw_graph
        >>> draw_graph(cooccurrence_graph([[1, 1, 0], [1, 0, 1]], ["sky", "bird", "tree"])).get_title()
        '3 labels, 4 edges'
    """
    ax = _new_axes() if ax is None else _checked_axes(ax)
    graph, condition = to_networkx(data), conditioned_end(data)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    total = graph.number_of_edges()
    heaviest = sorted(graph.edges(data="weight"), key=lambda edge: -abs(edge[2]))[:max_edges]
    if condition == "target":
        heaviest = [(target, source, weight) for source, target, weight in heaviest]
    graph.remove_edges_from(list(graph.edges))
    graph.add_weighted_edges_from(heaviest)
    box = ax.get_window_extent()
    place = _layout(graph, box.width / box.height)
    counts = dict(graph.nodes(data="count"))
    highest = max([1, *counts.values()])
    sizes = [_dot(count, highest) for count in counts.values()]
    nx.draw_networkx_nodes(graph, place, ax=ax, node_size=sizes, node_color=BLUE, alpha=0.85, linewidths=0)
    weights = [abs(weight) for *_, weight in heaviest]
    if any(weights):
        _draw_edges(graph, place, ax, heaviest, sizes)
    _write_names(graph, place, ax, sizes)
    _add_key(ax, highest if any(counts.values()) else 0, weights, condition is not None)
    ax.set_title(f"{len(graph)} labels, {len(heaviest)} edges" + (f" of {total}" if total > len(heaviest) else ""))
    ax.margins(0.06)
    ax.set_axis_off()
    return ax


def _new_axes() -> Axes:
    from matplotlib.figure import Figure

    return Figure(figsize=(11, 9), layout="constrained").subplots()


def _checked_axes(ax: Any) -> Axes:
    from matplotlib.axes import Axes

    check_kind("ax", ax, Axes, "axes of Matplotlib")
    return cast("Axes", ax)


def draw_heat_map(matrix: Tensor, names: Sequence[str], ax: Axes, title: str = "", limit: float | None = None) -> Any:
    """Draw a matrix over labels as a heat map, with sources in rows and targets in columns.

    Args:
        matrix: Shape (C, C), for instance from `labelgraph.nn.dense_adjacency`. If some values are negative, the colour
            scale is centred on 0.
        names: Names of the C labels.
        ax: Axes to draw on.
        title: Title of the axes.
        limit: End of the colour scale; by default the largest absolute value.

    Returns:
        The image, for a colour bar.
    """
    values = matrix.detach().cpu().numpy()
    limit = limit or float(np.abs(values).max()) or 1.0
    signed = (values < 0).any()
    cmap, low = ("RdBu_r", -limit) if signed else ("viridis", 0.0)
    image = ax.imshow(values, cmap=cmap, vmin=low, vmax=limit, interpolation="nearest")
    size = max(3.0, min(8.0, 450 / max(len(names), 1)))
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
    ax.set_yticks(range(len(names)), names, fontsize=size)
    ax.set(title=title, xlabel="target", ylabel="source")
    return image


def grouped_order(matrix: Tensor) -> list[int]:
    """Order labels for a heat map, so that linked labels and labels with similar edges are neighbours."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(matrix) < 3:
        return list(range(len(matrix)))
    both = matrix.detach().abs().double().cpu()
    both = torch.maximum(both, both.t())
    # Each label is linked with itself, so that it is placed near its neighbours in the graph too.
    both.fill_diagonal_(both.max().item() or 1.0)
    return leaves_list(linkage(both.numpy(), "average", metric="cosine", optimal_ordering=True)).tolist()


def _layout(graph: nx.DiGraph, aspect: float) -> Place:
    """Lay out each connected component, and place the components in rows, the tallest first."""
    number = {node: i for i, node in enumerate(graph)}
    members = [sorted(part, key=number.__getitem__) for part in nx.weakly_connected_components(graph)]
    parts = sorted(
        ((part, _layout_part(graph, part)) for part in members), key=lambda p: (-np.ptp(p[1][:, 1]), number[p[0][0]])
    )
    sizes = [np.ptp(xy, axis=0) + CELL for _, xy in parts]
    place: Place = {}
    for (part, xy), corner in zip(parts, pack_rows(sizes, aspect), strict=True):
        place |= dict(zip(part, xy + corner - [xy[:, 0].min(), xy[:, 1].max()], strict=True))
    return place


def _layout_part(graph: nx.DiGraph, part: list[str]) -> np.ndarray:
    """Coordinates of a connected component, its long axis horizontal, with neighbours about 1 apart."""
    if len(part) == 1:
        return np.zeros((1, 2))
    # In the order of the labels, because the order of a set would change the drawing from run to run.
    inner = nx.Graph()
    inner.add_nodes_from(part)
    inner.add_edges_from(graph.subgraph(part).edges)
    # By the number of hops only, because weights would place labels on top of each other.
    place = nx.kamada_kawai_layout(inner, weight=None)
    xy = np.array([place[node] for node in part])
    xy = xy - xy.mean(0)
    xy = xy @ np.linalg.svd(xy, full_matrices=False)[2].T
    apart = np.linalg.norm(xy[:, None] - xy, axis=2) + np.diag([np.inf] * len(part))
    return xy / apart.min(1).mean()


def _dot(count: float, highest: float) -> float:
    """Area of the dot of a label, in square points."""
    return 20 + 500 * count / highest


def _width(strength: float) -> float:
    return 0.5 + 1.5 * strength


def _grey(strength: float) -> str:
    return f"{0.75 * (1 - strength):.3f}"


def _draw_edges(graph: nx.DiGraph, place: Place, ax: Axes, edges: list[Any], sizes: list[float]) -> None:
    """Draw the edges, which are sorted from the heaviest down."""
    strength = [abs(weight / edges[0][2]) for *_, weight in edges]
    nx.draw_networkx_edges(
        graph, place, [edge[:2] for edge in edges], ax=ax, node_size=sizes, arrowsize=9,
        width=[_width(s) for s in strength], edge_color=[_grey(s) for s in strength],
        connectionstyle="arc3,rad=0.08",
    )  # fmt: skip


def _write_names(graph: nx.DiGraph, place: Place, ax: Axes, sizes: list[float]) -> None:
    """Write each name on the side of its dot that is farthest from edges and other dots."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    for node, size in zip(graph, sizes, strict=True):
        linked = {*nx.all_neighbors(graph, node)}
        steps = [(other, place[other] - place[node]) for other in graph if other != node]
        ways = [step / np.linalg.norm(step) for other, step in steps if other in linked or np.linalg.norm(step) < 0.85]
        costs = [cost + max([0.0, *(way @ (x, y) for way in ways)]) for x, y, _, _, cost in PLACEMENTS]
        x, y, ha, va, _ = PLACEMENTS[int(np.argmin(costs))]
        gap = math.sqrt(size) / 2 + 1.5
        ax.annotate(
            node, (place[node][0], place[node][1]), xytext=(gap * x, gap * y), textcoords="offset points",
            ha=ha, va=va, fontsize=7.5, path_effects=halo, zorder=10,
        )  # fmt: skip


def _add_key(ax: Axes, highest: int, weights: list[float], shares: bool) -> None:
    """Explain dots and arrows below the drawing: two counts, and the lowest and highest weight."""
    from matplotlib.lines import Line2D

    counts = sorted({math.ceil(highest / 10), highest} - {0})
    style: dict[str, Any] = {"marker": "o", "ls": "", "color": BLUE, "alpha": 0.85, "mew": 0}
    dots = [Line2D([], [], ms=math.sqrt(_dot(n, highest)), label=f"{n:,} items", **style) for n in counts]
    ends = {f"{'share' if shares else 'weight'} {w:.2g}": w / weights[0] for w in weights[:-2:-1] + weights[:1] if w}
    lines = [Line2D([], [], color=_grey(s), lw=_width(s), label=label) for label, s in ends.items()]
    if shares:
        meaning = "Arrow a \u2192 b: if label a, then label b. Share: items with a that also have b"
        ax.annotate(meaning, (0, 0), xytext=(0, -14), xycoords="axes fraction", textcoords="offset points", fontsize=8)
    if dots or lines:
        ax.legend(
            handles=[*dots, *lines], loc="upper right", bbox_to_anchor=(1, 0), ncols=4, frameon=False, fontsize=7.5,
            columnspacing=3, handletextpad=1,
        )  # fmt: skip
