"""A label graph in words."""

import json

import numpy as np
import pytest

from labelgraph.graph import BinaryAdjacency, Threshold, cooccurrence_graph, graph_statistics, summarize

LABELS = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def test_every_line():
    text = summarize(cooccurrence_graph(LABELS, ["sky", "sun", "sea", "cat"]), top=3)
    assert text.splitlines() == [
        "Label graph: 4 labels, 6 edges (density 50.0%), 4 samples, 1.75 labels a sample",
        "Labels without edges: 1 (cat)",
        "Most frequent: sky 3, sun 2, sea 1",
        "Heaviest edges: sky -> sun 1.00, sky -> sea 1.00, sun -> sea 1.00",
    ]


def test_a_graph_without_edges_lists_a_few_labels():
    lines = summarize(cooccurrence_graph(np.eye(4), list("abcd")), top=2).splitlines()
    assert lines[0] == "Label graph: 4 labels, 0 edges (density 0.0%), 4 samples, 1.00 labels a sample"
    assert lines[1:] == ["Labels without edges: 4 (a, b, ...)", "Most frequent: a 1, b 1"]


@pytest.mark.parametrize(("threshold", "isolated"), [(0.0, "none"), (0.7, "1 (label 3)")])
def test_isolated_labels_are_counted_after_pruning(threshold, isolated):
    labels = np.array([[1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    assert f"Labels without edges: {isolated}" in summarize(Threshold(threshold)(cooccurrence_graph(labels)))


def test_one_label():
    assert summarize(cooccurrence_graph([[1]])).startswith("Label graph: 1 labels, 0 edges (density 0.0%)")


def test_self_loops_are_no_edges_between_labels():
    looped = BinaryAdjacency(0.5)(cooccurrence_graph([[1, 1, 0], [1, 0, 1], [1, 0, 0]], ["a", "b", "c"]))
    assert "density 33.3%" in summarize(looped)
    assert "Labels without edges: none" in summarize(looped)
    alone = BinaryAdjacency(1.0)(cooccurrence_graph([[1, 0], [0, 1]], ["a", "b"]))
    assert "density 0.0%" in summarize(alone)
    assert "Labels without edges: 2 (a, b)" in summarize(alone)


def test_the_statistics_are_plain_values():
    found = graph_statistics(cooccurrence_graph(LABELS, ["sky", "sun", "sea", "cat"]), top=1)
    assert json.loads(json.dumps(found)) == found == {
        "labels": 4, "edges": 6, "density": 0.5, "samples": 4, "labels_per_sample": 1.75, "isolated": ["cat"],
        "most_frequent": [{"name": "sky", "count": 3}],
        "heaviest_edges": [{"source": "sky", "target": "sun", "weight": 1.0}],
    }  # fmt: skip
