"""Label graphs and adjacencies as pictures, onto matplotlib axes that the caller gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from labelgraph.graph import to_networkx

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_graph(data: Data, ax: Axes, max_edges: int = 150) -> None:
    """Draw a label graph: larger dots for more frequent labels, darker arrows for heavier edges.

    Args:
        data: Label graph; its heaviest edges are drawn, self-loops never.
        ax: Where to draw.
        max_edges: How many edges at most.
    """
    graph = to_networkx(data)
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    heaviest = sorted(graph.edges(data="weight"), key=lambda edge: -abs(edge[2]))[:max_edges]
    kept = nx.DiGraph()
    kept.add_nodes_from(graph)
    kept.add_weighted_edges_from(heaviest)
    place = _layout(kept)
    count = np.array([graph.nodes[node]["count"] for node in kept], dtype=float)
    sizes = 20 + 500 * count / max(count.max(), 1)
    weights = np.abs([weight for *_, weight in heaviest])
    nx.draw_networkx_nodes(kept, place, ax=ax, node_size=sizes, node_color="#4c72b0", alpha=0.85, linewidths=0)
    if heaviest:
        strength = weights / weights.max()
        nx.draw_networkx_edges(
            kept, place, ax=ax, edgelist=[edge[:2] for edge in heaviest], node_size=sizes, arrowsize=7,
            width=0.4 + 1.4 * strength, edge_color=strength, edge_cmap=_greys(), edge_vmin=-0.3, edge_vmax=1.2,
            connectionstyle="arc3,rad=0.08",
        )  # fmt: skip
    for node, (x, y) in place.items():
        ax.annotate(
            node, (x, y), xytext=(0, 5), textcoords="offset points", ha="center", va="bottom", fontsize=7.5,
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.65},
        )  # fmt: skip
    dropped = data.num_edges - len(heaviest)
    ax.set_title(f"{data.num_nodes} labels, {len(heaviest)} edges" + (f" of {data.num_edges}" if dropped else ""))
    ax.margins(0.06)
    ax.set_axis_off()


def draw_heat_map(matrix: Tensor, names: Sequence[str], ax: Axes, title: str = "", limit: float | None = None) -> Any:
    """Draw a matrix over labels, sources in rows and targets in columns.

    Args:
        matrix: Shape (C, C), for instance of `labelgraph.nn.dense_adjacency`; values of both signs get a
            scale around 0.
        names: The C labels.
        ax: Where to draw.
        title: Of the picture.
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
    """An order of the labels that puts those with similar edges side by side, for heat maps."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(matrix) < 3:
        return list(range(len(matrix)))
    both = torch.cat([matrix, matrix.t()], 1).double().numpy()
    return leaves_list(linkage(both, "average", optimal_ordering=True)).tolist()


def _layout(graph: nx.DiGraph) -> dict[str, np.ndarray]:
    """Lay out each connected part by itself, and put the parts on shelves, the largest first."""
    parts = sorted(nx.weakly_connected_components(graph), key=lambda part: (-len(part), min(part)))
    width = 1.25 * math.sqrt(sum(_side(part) ** 2 for part in parts))
    place: dict[str, np.ndarray] = {}
    left = top = height = 0.0
    for part in parts:
        side = _side(part)
        if left and left + side > width:
            left, top, height = 0.0, top - height, 0.0
        # Distance in hops alone: weights would pull labels onto one another.
        inner = nx.kamada_kawai_layout(
            nx.Graph(graph.subgraph(part).edges) if len(part) > 1 else _one(part), weight=None
        )
        corner = np.array([left + side / 2, top - side / 2])
        place |= {node: corner + xy * (side - 1) / 2 for node, xy in inner.items()}
        left, height = left + side, max(height, side)
    return place


def _side(part: set[str]) -> float:
    """Side of the square that a part is given: an area of its own for every label."""
    return 1.35 * math.sqrt(len(part)) if len(part) > 1 else 1.0


def _one(part: set[str]) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(part)
    return graph


def _greys() -> Any:
    from matplotlib import colormaps

    return colormaps["Greys"]
