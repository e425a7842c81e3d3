"""Layouts: rows, boxes that do not overlap, groups."""

import networkx as nx
import numpy as np
import pytest

from labelgraph.report.layout import linked_groups, pack_rows, place_boxes

GRAPHS = {
    "one label": nx.empty_graph(1),
    "no edges": nx.empty_graph(7),
    "a pair": nx.path_graph(2),
    "a star": nx.star_graph(12),
    "complete": nx.complete_graph(20),
    "two parts": nx.disjoint_union(nx.cycle_graph(8), nx.star_graph(5)),
    "rings": nx.connected_caveman_graph(6, 6),
}


def overlaps(centres, boxes):
    """The number of pairs of boxes that share an area."""
    low, high = centres - boxes / 2, centres + boxes / 2
    both = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    return int(np.triu((both > 1e-3).all(2), 1).sum())


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_boxes_do_not_overlap(graph):
    boxes = np.random.default_rng(0).uniform([20, 20], [150, 50], (len(graph), 2))
    centres = place_boxes(graph, boxes)
    assert centres.shape == (len(graph), 2) and np.isfinite(centres).all()
    assert overlaps(centres, boxes) == 0
    np.testing.assert_array_equal(centres, place_boxes(graph, boxes))


def test_linked_labels_are_close():
    graph = nx.connected_caveman_graph(5, 6)
    centres = place_boxes(graph, np.full((30, 2), 20.0))
    distance = np.linalg.norm(centres[:, None] - centres, axis=2)
    same = np.arange(30)[:, None] // 6 == np.arange(30) // 6
    assert distance[same & ~np.eye(30, dtype=bool)].mean() < 0.6 * distance[~same].mean()


def test_rows_fill_the_area_in_order():
    sizes = [(3.0, 2.0)] * 6
    corners = pack_rows(sizes, aspect=1.5)
    assert overlaps(corners + np.array([1.5, -1.0]), np.array(sizes)) == 0
    assert corners.tolist() == sorted(corners.tolist(), key=lambda corner: (-corner[1], corner[0]))
    assert len(set(corners[:, 1])) > 1
    assert pack_rows([], 1.0).shape == (0, 2)


def test_groups_are_those_of_dense_links():
    graph = nx.disjoint_union(nx.connected_caveman_graph(3, 6), nx.empty_graph(2))
    groups = linked_groups(graph)
    assert [len(set(groups[i : i + 6])) for i in (0, 6, 12)] == [1, 1, 1]
    assert sorted(set(groups[:18])) == [0, 1, 2] and groups[18:].tolist() == [-1, -1]
