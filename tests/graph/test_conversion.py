"""Label graphs to and from networkx."""

import json

import networkx as nx
import numpy as np
import pytest
import torch

from labelgraph.graph import (
    KNN,
    PMI,
    BinaryAdjacency,
    Threshold,
    cooccurrence_graph,
    from_networkx,
    graph_statistics,
    pmi_svd,
    summarize,
    to_networkx,
)

LABELS = np.random.default_rng(0).random((30, 6)) < 0.3


def test_nodes_and_edges_in_networkx():
    graph = to_networkx(cooccurrence_graph([[1, 1, 0], [1, 0, 0], [1, 1, 0]], ["sky", "sun", "cat"]))
    assert dict(graph.nodes(data="count")) == {"sky": 3, "sun": 2, "cat": 0}
    assert graph.edges["sky", "sun"] == {"weight": 1.0, "count": 2}
    assert graph.edges["sun", "sky"] == {"weight": pytest.approx(2 / 3), "count": 2}
    assert graph.number_of_edges() == 2 and graph.graph == {"num_samples": 3}


def test_the_adjacency_matrix_is_the_same():
    data = cooccurrence_graph(LABELS)
    matrix = nx.to_numpy_array(to_networkx(data), nodelist=data.label_names)
    expected = np.zeros((6, 6))
    expected[tuple(data.edge_index.numpy())] = data.edge_weight.numpy()
    np.testing.assert_allclose(matrix, expected)


@pytest.mark.parametrize("labels", [LABELS, np.eye(3), [[1]], [[0, 0]]], ids=["random", "eye", "one", "none"])
@pytest.mark.parametrize("prepare", [lambda data: data, KNN(1)], ids=["counted", "pruned"])
def test_round_trip(labels, prepare):
    data = prepare(cooccurrence_graph(labels))
    again = from_networkx(to_networkx(data))
    assert torch.equal(again.edge_index, data.edge_index) and torch.equal(again.edge_weight, data.edge_weight)
    assert torch.equal(again.count, data.count) and again.num_nodes == data.num_nodes
    assert again.num_samples == data.num_samples and again.label_names == data.label_names
    if data.num_edges:
        assert torch.equal(again.edge_count, data.edge_count)


def test_round_trip_without_counts_keeps_self_loops():
    data = BinaryAdjacency(0.2)(cooccurrence_graph(LABELS))
    again = from_networkx(to_networkx(data))
    assert "edge_count" not in again
    order = (data.edge_index[0] * 6 + data.edge_index[1]).argsort()
    assert torch.equal(again.edge_index, data.edge_index[:, order])
    assert torch.equal(again.edge_weight, data.edge_weight[order])


def test_a_plain_networkx_graph_gets_defaults_and_both_directions():
    graph = nx.Graph()
    graph.add_node("alone", count=4)
    graph.add_edge("a", 7)
    data = from_networkx(graph)
    assert data.label_names == ["alone", "a", "7"] and data.count.tolist() == [4, 0, 0]
    assert data.edge_index.tolist() == [[1, 2], [2, 1]] and data.edge_weight.tolist() == [1.0, 1.0]
    assert "edge_count" not in data and data.num_samples == 0


def test_a_directed_graph_keeps_its_directions():
    data = from_networkx(nx.DiGraph([(0, 1, {"weight": -2}), (2, 0), (1, 1)]))
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 1, 0]] and data.edge_weight.tolist() == [
        -2.0,
        1.0,
        1.0,
    ]


def test_parallel_edges_are_kept():
    data = from_networkx(nx.MultiDiGraph([("a", "b", {"weight": 1}), ("a", "b", {"weight": 2})]))
    assert data.edge_index.tolist() == [[0, 0], [1, 1]] and sorted(data.edge_weight.tolist()) == [1.0, 2.0]


def test_an_empty_graph():
    data = from_networkx(nx.DiGraph())
    assert data.edge_index.shape == (2, 0) and data.num_nodes == 0 and data.label_names == []


LABELS_SUMMARY = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def test_the_summary_has_every_line():
    text = summarize(cooccurrence_graph(LABELS_SUMMARY, ["sky", "sun", "sea", "cat"]), top=3)
    assert text.splitlines() == [
        "Label graph: 4 labels, 6 edges (density 50.0%), 4 samples, 1.75 labels a sample",
        "Labels without edges: 1 (cat)",
        "Most frequent: sky 3, sun 2, sea 1",
        "Heaviest edges, a -> b is P(b | a): sun -> sky 1.00, sea -> sky 1.00, sea -> sun 1.00",
    ]


@pytest.mark.parametrize("condition", ["target", "source"])
def test_the_summary_reads_from_the_given_label_to_the_other(condition):
    """Every airplane stands on pavement, and not the reverse."""
    graph = cooccurrence_graph([[1, 1], [1, 1], [0, 1]], ["airplane", "pavement"], condition_on=condition)
    assert summarize(graph, top=1).endswith("Heaviest edges, a -> b is P(b | a): airplane -> pavement 1.00")


def test_the_summary_of_other_weights_reads_from_source_to_target():
    graph = from_networkx(nx.DiGraph([("a", "b", {"weight": 2.0})]))
    assert summarize(graph).endswith("Heaviest edges: a -> b 2.00")


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


def test_self_loops_do_not_count_as_edges_between_labels():
    looped = BinaryAdjacency(0.5)(cooccurrence_graph([[1, 1, 0], [1, 0, 1], [1, 0, 0]], ["a", "b", "c"]))
    assert "density 33.3%" in summarize(looped)
    assert "Labels without edges: none" in summarize(looped)
    alone = BinaryAdjacency(1.0)(cooccurrence_graph([[1, 0], [0, 1]], ["a", "b"]))
    assert "density 0.0%" in summarize(alone)
    assert "Labels without edges: 2 (a, b)" in summarize(alone)


def test_the_statistics_are_plain_values():
    statistics = graph_statistics(cooccurrence_graph(LABELS_SUMMARY, ["sky", "sun", "sea", "cat"]), top=1)
    assert json.loads(json.dumps(statistics)) == statistics == {
        "labels": 4, "edges": 6, "density": 0.5, "samples": 4, "labels_per_sample": 1.75, "isolated": ["cat"],
        "most_frequent": [{"name": "sky", "count": 3}],
        "heaviest_edges": [{"source": "sky", "target": "sun", "weight": 1.0}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("edge", "message"),
    [
        ({"weight": float("nan")}, r"'weight' of the edge 'a' -> 'b' must be a finite number \(got nan\)"),
        ({"weight": "heavy"}, r"'weight' of the edge 'a' -> 'b' .*\(got 'heavy'\)"),
        ({"weight": None}, r"'weight' of the edge 'a' -> 'b' .*\(got None\)"),
        ({"count": 1.5}, r"'count' of the edge 'a' -> 'b' must be a whole number .*\(got 1.5\)"),
        ({"count": -1}, r"'count' of the edge 'a' -> 'b' .*\(got -1\)"),
    ],
)
def test_errors_name_edges_with_wrong_attributes(edge, message):
    with pytest.raises(ValueError, match=message):
        from_networkx(nx.DiGraph([("a", "b", edge)]))


def test_errors_name_nodes_and_graphs_with_wrong_attributes():
    graph = nx.DiGraph(num_samples="many")
    graph.add_node("a", count=2.5)
    with pytest.raises(ValueError, match=r"'count' of the node 'a' .*\(got 2.5\)"):
        from_networkx(graph)
    graph.nodes["a"]["count"] = 2
    with pytest.raises(ValueError, match=r"'num_samples' of the graph .*\(got 'many'\)"):
        from_networkx(graph)
    with pytest.raises(ValueError, match=r"distinct names \(got '1' twice\)"):
        from_networkx(nx.DiGraph([(1, "1")]))
    with pytest.raises(TypeError, match=r"'graph' .*networkx.* \(got Data\)"):
        from_networkx(cooccurrence_graph(LABELS))


@pytest.mark.parametrize("file_format", ["graphml", "gml", "weighted_edgelist", "adjlist"])
def test_round_trip_through_networkx_files(file_format, tmp_path):
    """Stored attributes survive a round trip; functions that need a lost attribute name it in the error."""
    data = cooccurrence_graph(LABELS)
    plain = {"delimiter": "|"} if "list" in file_format else {}
    getattr(nx, f"write_{file_format}")(to_networkx(data), tmp_path / "graph", **plain)
    plain |= {"create_using": nx.DiGraph} if plain else {}
    again = from_networkx(getattr(nx, f"read_{file_format}")(tmp_path / "graph", **plain))
    if file_format in ("graphml", "gml"):
        torch.testing.assert_close(PMI()(again).edge_weight, PMI()(data).edge_weight)
        assert again.num_samples == 30 and again.label_names == data.label_names
    else:
        assert to_networkx(again).number_of_edges() == data.num_edges
        with pytest.raises(ValueError, match=r"'data' must carry 'edge_count'"):
            PMI()(again)
        with pytest.raises(ValueError, match=r"'graph' must carry 'edge_count'"):
            pmi_svd(again)


@pytest.mark.parametrize("key", ["edge_index", "edge_weight", "count", "num_samples", "label_names"])
def test_the_error_names_a_missing_attribute(key):
    data = cooccurrence_graph(LABELS)
    del data[key]
    for call in (to_networkx, summarize, graph_statistics):
        with pytest.raises(ValueError, match=f"'data' must carry '{key}'"):
            call(data)


def test_parallel_edges_are_kept_in_networkx():
    data = from_networkx(nx.MultiDiGraph([("a", "b", {"weight": 1}), ("a", "b", {"weight": 2})]))
    assert sorted(weight for *_, weight in to_networkx(data).edges(data="weight")) == [1.0, 2.0]


def test_edges_to_labels_that_do_not_exist_raise_an_error():
    data = cooccurrence_graph(LABELS)
    data.edge_index[0, 0] = 6
    for call in (to_networkx, summarize):
        with pytest.raises(IndexError, match=r"'edge_index' must be in \[0, 5\].*\(got 6\)"):
            call(data)
