"""Positions of labels in drawings: components in rows, boxes that do not overlap, and groups of linked labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import networkx as nx
import numpy as np
from scipy.spatial import KDTree

ROUNDS = 300  # Enough for 800 boxes to come apart.


def pack_rows(sizes: Sequence[np.ndarray], aspect: float) -> np.ndarray:
    """Place boxes in rows, in the given order, from left to right and from the top down.

    Args:
        sizes: Width and height of each box; boxes of similar heights should follow one another.
        aspect: Width of the whole area as a multiple of its height.

    Returns:
        The upper left corner of each box, shape (len(sizes), 2); the y axis points up.

    Example:
        >>> from labelgraph.report.layout import pack_rows
        >>> pack_rows([(2.0, 1.0), (1.0, 1.0), (2.0, 1.0)], aspect=3.0).tolist()
        [[0.0, 0.0], [2.0, 0.0], [0.0, -1.0]]
    """
    width = max([math.sqrt(1.1 * aspect * sum(w * h for w, h in sizes)), *(w for w, _ in sizes)], default=0.0)
    corners = []
    left = top = height = 0.0
    for w, h in sizes:
        if left + w > width:
            left, top, height = 0.0, top - height, 0.0
        corners.append((left, top))
        left, height = left + w, max(height, h)
    return np.array(corners).reshape(-1, 2)


def place_boxes(graph: nx.Graph, boxes: np.ndarray, aspect: float = 1.4) -> np.ndarray:
    """Place labels so that linked labels are close and no boxes overlap.

    Each connected component has a spring layout (Fruchterman and Reingold 1991), whose boxes are then pushed apart.
    The components are packed in rows, the largest first.

    Args:
        graph: Undirected graph whose nodes are the numbers 0 to n - 1, with edge weights.
        boxes: Width and height of each label, shape (n, 2).
        aspect: Width of the whole area as a multiple of its height.

    Returns:
        The centre of each box, shape (n, 2), the same in every run.

    Example:
        >>> import networkx as nx
        >>> import numpy as np
        >>> from labelgraph.report.layout import place_boxes
        >>> place_boxes(nx.empty_graph(2), np.array([[30.0, 10.0], [20.0, 10.0]])).tolist()
        [[15.0, -5.0], [10.0, -15.0]]
    """
    parts = sorted((sorted(part) for part in nx.connected_components(graph)), key=lambda part: (-len(part), part[0]))
    places = [_place_part(graph, part, boxes[part], aspect) for part in parts]
    lows = [(xy - boxes[part] / 2).min(0) for part, xy in zip(parts, places, strict=True)]
    highs = [(xy + boxes[part] / 2).max(0) for part, xy in zip(parts, places, strict=True)]
    corners = pack_rows([high - low for low, high in zip(lows, highs, strict=True)], aspect)
    centres = np.zeros((len(boxes), 2))
    for part, xy, low, high, corner in zip(parts, places, lows, highs, corners, strict=True):
        centres[part] = xy + corner - [low[0], high[1]]
    return centres


def _place_part(graph: nx.Graph, part: list[int], boxes: np.ndarray, aspect: float) -> np.ndarray:
    """Place the labels of a connected component in an area of about three times that of their boxes."""
    if len(part) == 1:
        return np.zeros((1, 2))
    inner = nx.Graph()
    inner.add_nodes_from(part)  # In the order of the labels, because the order of a set changes from run to run.
    inner.add_weighted_edges_from(graph.subgraph(part).edges(data="weight", default=1.0))
    place = nx.spring_layout(inner, seed=0, iterations=60)
    xy = np.array([place[node] for node in part])
    xy = xy - xy.mean(0)
    xy = xy @ np.linalg.svd(xy, full_matrices=False)[2].T
    # Springs crowd the middle, ranks spread it out: half of each keeps the shape and uses the area.
    even = xy.argsort(0).argsort(0) / (len(part) - 1) - 0.5
    share = 0.5 * (xy / np.maximum(np.ptp(xy, axis=0), 1e-9) + even)
    area = 3.0 * boxes.prod(1).sum()
    return _pushed_apart(share * [math.sqrt(area * aspect), math.sqrt(area / aspect)], boxes)


def _pushed_apart(xy: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Move overlapping boxes apart, along the axis on which they overlap less, until none overlap."""
    for _ in range(ROUNDS):
        near = KDTree(xy / boxes.max(0)).query_pairs(1.0, p=np.inf, output_type="ndarray")
        first, second = near.T
        apart = xy[first] - xy[second]
        over = (boxes[first] + boxes[second]) / 2 - np.abs(apart)
        both = (over > 1e-6).all(1)
        if not both.any():
            break
        first, second, apart, over = first[both], second[both], apart[both], over[both]
        pair, axis = np.arange(len(first)), over.argmin(1)
        step = np.zeros((len(first), 2))
        step[pair, axis] = np.where(apart[pair, axis] < 0, -0.55, 0.55) * over[pair, axis]
        np.add.at(xy, first, step)
        np.add.at(xy, second, -step)
    return xy


def linked_groups(graph: nx.Graph) -> np.ndarray:
    """Group labels by the Louvain method (Blondel et al. 2008), which finds densely linked groups.

    Args:
        graph: Undirected graph whose nodes are the numbers 0 to n - 1, with edge weights.

    Returns:
        The group of each label, shape (n,), the largest group first; -1 for a label without edges.

    Example:
        >>> import networkx as nx
        >>> from labelgraph.report.layout import linked_groups
        >>> linked_groups(nx.Graph([(0, 1), (2, 3), (3, 4), (2, 4)])).tolist()
        [1, 1, 0, 0, 0]
    """
    groups = nx.community.louvain_communities(graph, seed=0)
    number = np.full(len(graph), -1)
    for place, group in enumerate(sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group))):
        if len(group) > 1:
            number[group] = place
    return number
