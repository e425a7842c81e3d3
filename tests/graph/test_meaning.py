"""Graphs of meaning and merged graphs against loops."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.graph import (
    KNN,
    PMI,
    BinaryAdjacency,
    cooccurrence_graph,
    from_networkx,
    meaning_graph,
    merge_graphs,
    name_neighbours,
    pmi_svd,
    summarize,
    to_networkx,
)
from labelgraph.nn import ADJACENCIES, LabelBranch, LabelEmbedding, LabelEncoder, label_adjacency
from labelgraph.report import draw_graph

NAMES = [f"name {i}" for i in range(9)]
VECTORS = np.random.default_rng(0).normal(size=(9, 4))


def cosine(a, b):
    return float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))


def slow_edges(vectors, k, threshold=0.0):
    """Edges into each label from its nearest neighbours."""
    edges = {}
    for i, own in enumerate(vectors):
        near = sorted(((cosine(own, other), j) for j, other in enumerate(vectors) if j != i), reverse=True)[:k]
        edges |= {(j, i): value for value, j in near if value > 0 and value >= threshold}
    return edges


def edges(graph):
    return dict(zip(map(tuple, graph.edge_index.T.tolist()), graph.edge_weight.tolist(), strict=True))


@pytest.mark.parametrize("block", [1, 20, 2**23])
@pytest.mark.parametrize(("k", "threshold"), [(1, 0.0), (3, 0.0), (100, 0.0), (3, 0.5)])
def test_each_label_has_edges_from_its_nearest_neighbours(monkeypatch, k, threshold, block):
    monkeypatch.setattr(name_neighbours, "BLOCK_COSINES", block)
    graph = meaning_graph(NAMES, VECTORS, k, threshold=threshold)
    expected = slow_edges(VECTORS, k, threshold)
    assert list(edges(graph)) == sorted(expected) and graph.validate()
    assert edges(graph) == {edge: pytest.approx(weight, abs=1e-6) for edge, weight in expected.items()}
    assert graph.label_names == NAMES and graph.count.tolist() == [0] * 9 and graph.num_samples == 0
    np.testing.assert_allclose(graph.x, VECTORS, rtol=1e-6)


@pytest.mark.parametrize("convert", [torch.from_numpy, np.ndarray.tolist, sp.csr_array, lambda v: v.astype(">f4")])
def test_vectors_of_any_kind(convert):
    assert edges(meaning_graph(NAMES, convert(VECTORS))) == pytest.approx(edges(meaning_graph(NAMES, VECTORS)))


def test_lengths_of_vectors_do_not_matter():
    scaled = VECTORS * np.logspace(-20, 10, 9)[:, None]
    assert edges(meaning_graph(NAMES, scaled, 4)) == pytest.approx(edges(meaning_graph(NAMES, VECTORS, 4)), rel=1e-5)


def test_vectors_from_encoders_functions_and_files(tmp_path):
    class Encoder:
        def encode(self, texts):
            return np.array([[len(text), 1.0] for text in texts])

    expected = edges(meaning_graph(["a", "bb", "night_sky"], [[1, 1], [2, 1], [9, 1]]))
    for source in (Encoder(), Encoder().encode):
        assert edges(meaning_graph(["a", "bb", "night_sky"], source)) == pytest.approx(expected)
    path = tmp_path / "words.txt"
    path.write_text("night 1.0 0.0\nsky 0.0 1.0\nmoon 1.0 0.9\n")
    near, far = 1.9 / math.sqrt(2 * 1.81), math.sqrt(0.5)
    for source in (path, str(path)):
        graph = meaning_graph(["night_sky", "moon", "sky"], source, k=1)
        assert edges(graph) == pytest.approx({(0, 1): near, (0, 2): far, (1, 0): near}, abs=1e-6)


def test_the_sentence_encoder_is_the_default(monkeypatch):
    class Encoder:
        def encode(self, texts):
            return torch.tensor([[1.0, float(len(text))] for text in texts])

    monkeypatch.setattr("labelgraph.encoders.word_vectors.SentenceEncoder", Encoder)
    assert edges(meaning_graph(["a", "bb"])) == edges(meaning_graph(["a", "bb"], "sentence")) != {}


def test_a_warning_names_a_label_without_a_vector():
    with pytest.warns(UserWarning, match="1 label .*zeros.*: b"):
        graph = meaning_graph(["a", "b", "c"], [[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    assert set(graph.edge_index.flatten().tolist()) == {0, 2}


def test_one_label_has_no_edges():
    assert meaning_graph(["a"], [[1.0]]).edge_index.shape == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a", "a"], [[1.0], [1.0]]), r"'label_names' must be distinct"),
        (([], [[1.0]]), r"'label_names' must have at least one"),
        (("ab", [[1.0], [1.0]]), r"'label_names'"),
        ((["a", "b"], [[1.0]]), r"'vectors' must have a row for each of the 2 names \(got 1\)"),
        ((["a", "b"], [[1.0], [math.nan]]), r"'vectors' must be finite"),
        ((["a", "b"], [1.0, 2.0]), r"'vectors' must be a non-empty matrix"),
        ((["a"], [[1.0]], 0), r"'k' must be a positive whole number \(got 0\)"),
        ((["a"], [[1.0]], True), r"'k' must be a positive whole number \(got True\)"),
        ((["a"], [[1.0]], 1.5), r"'k' must be a positive whole number \(got 1.5\)"),
    ],
)
def test_errors_name_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        meaning_graph(*arguments)


def test_errors_name_a_wrong_threshold_and_a_missing_file():
    with pytest.raises(ValueError, match=r"'threshold' must be in \[0, 1\] \(got 2\)"):
        meaning_graph(["a"], [[1.0]], threshold=2)
    with pytest.raises(FileNotFoundError, match=r"no-such\.txt"):
        meaning_graph(["a"], "no-such.txt")


LABELS = np.random.default_rng(1).random((40, 6)) < 0.4
COUNTED = cooccurrence_graph(LABELS, NAMES[:6])
ALIKE = meaning_graph(NAMES[3:], VECTORS[3:], 2)


def by_name(graph):
    names = graph.label_names
    return {(names[i], names[j]): weight for (i, j), weight in edges(graph).items()}


@pytest.mark.parametrize("how", ["max", "sum"])
@pytest.mark.parametrize("weights", [None, (0.25, 0.75)])
@pytest.mark.parametrize("graphs", [(COUNTED, ALIKE), (ALIKE, COUNTED), (COUNTED, ALIKE, COUNTED)])
def test_merged_weights_against_a_loop(graphs, how, weights):
    if len(graphs) > 2 and weights:
        weights = (*weights, 0.5)
    merged = merge_graphs(*graphs, weights=weights, how=how)
    expected = {}
    for graph, scale in zip(graphs, weights or [1.0] * len(graphs), strict=True):
        for pair, weight in by_name(graph).items():
            expected.setdefault(pair, []).append(scale * weight)
    combine = max if how == "max" else sum
    assert by_name(merged) == {pair: pytest.approx(combine(each), abs=1e-6) for pair, each in expected.items()}
    for column, graph in zip(merged.edge_attr.T.tolist(), graphs, strict=True):
        assert sum(column) == pytest.approx(graph.edge_weight.sum().item(), rel=1e-5)
    assert sorted(merged.label_names) == NAMES and merged.label_names[:6] == graphs[0].label_names
    assert merged.validate() and merged.num_samples == 40
    count = dict(zip(merged.label_names, merged.count.tolist(), strict=True))
    assert count == {name: int(LABELS[:, i].sum()) if i < 6 else 0 for i, name in enumerate(NAMES)}


def test_counts_are_those_of_the_cooccurrence_graph():
    merged = merge_graphs(COUNTED, ALIKE)
    counts = dict(zip(map(tuple, COUNTED.edge_index.T.tolist()), COUNTED.edge_count.tolist(), strict=True))
    for pair, count in zip(map(tuple, merged.edge_index.T.tolist()), merged.edge_count.tolist(), strict=True):
        assert count == counts.get(pair, 0)
    for positive in (True, False):
        after, before = PMI(positive)(merged), PMI(positive)(COUNTED)
        assert by_name(after) == pytest.approx(by_name(before), abs=1e-6)
    torch.testing.assert_close(pmi_svd(merged, 3)[:6].abs(), pmi_svd(COUNTED, 3).abs(), rtol=1e-4, atol=1e-4)


def test_negative_weights_are_kept():
    one, two = (cooccurrence_graph([[1, 1]], ["a", "b"]) for _ in range(2))
    one.edge_weight, two.edge_index, two.edge_weight = -one.edge_weight, two.edge_index[:, :1], two.edge_weight[:1]
    assert by_name(merge_graphs(one, two)) == {("a", "b"): 1.0, ("b", "a"): -1.0}


def test_vectors_come_from_the_first_graph_with_all_labels():
    assert merge_graphs(COUNTED, ALIKE).x is None
    everything = meaning_graph(NAMES[::-1], VECTORS[::-1].copy())
    merged = merge_graphs(COUNTED, everything)
    assert merged.label_names == [*NAMES[:6], *NAMES[:5:-1]]
    np.testing.assert_allclose(merged.x, VECTORS[[0, 1, 2, 3, 4, 5, 8, 7, 6]], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((COUNTED,), {}, r"'graphs' must be two or more \(got 1\)"),
        ((COUNTED, ALIKE), {"how": "mean"}, r"'how' must be 'max' or 'sum' \(got 'mean'\)"),
        ((COUNTED, ALIKE), {"weights": [1.0]}, r"'weights' must be 2 numbers from 0"),
        ((COUNTED, ALIKE), {"weights": [1.0, -1.0]}, r"'weights' must be 2 numbers from 0"),
        ((COUNTED, ALIKE), {"weights": [1.0, math.inf]}, r"'weights' must be 2 numbers from 0"),
    ],
)
def test_errors_name_wrong_merges(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        merge_graphs(*arguments, **options)


@pytest.mark.parametrize("key", ["edge_index", "edge_weight", "count", "num_samples", "label_names"])
def test_the_error_names_a_missing_attribute(key):
    lacking = COUNTED.clone()
    del lacking[key]
    with pytest.raises(ValueError, match=f"'data' must carry '{key}'"):
        merge_graphs(ALIKE, lacking)


@pytest.mark.parametrize("kind", ADJACENCIES)
@pytest.mark.parametrize("build", [lambda: ALIKE, lambda: merge_graphs(COUNTED, ALIKE)], ids=["meaning", "merged"])
def test_adjacencies_layers_and_drawings_accept_the_graphs(kind, build):
    graph = build()
    embedding = LabelEmbedding(graph, "learned", 4)
    binary = BinaryAdjacency(0.2)(KNN(2)(graph))
    branch = LabelBranch(embedding, label_adjacency(kind, binary, embedding()), LabelEncoder(4, 5, 2))
    assert branch()[0].shape == (graph.num_nodes, 5) and branch()[0].isfinite().all()
    assert summarize(graph).startswith(f"Label graph: {graph.num_nodes} labels, {graph.num_edges} edges")
    assert edges(from_networkx(to_networkx(graph))) == pytest.approx(edges(graph))
    assert draw_graph(graph).get_title() == f"{graph.num_nodes} labels, {graph.num_edges} edges"


def test_the_error_names_missing_counts():
    with pytest.raises(ValueError, match="'graph' must carry 'edge_count'"):
        LabelEmbedding(ALIKE, "pmi-svd")
    assert torch.equal(LabelEmbedding(ALIKE, "given")(), ALIKE.x)


def test_the_summary_of_a_graph_without_items_has_no_counts():
    lines = summarize(ALIKE, top=1).splitlines()
    assert lines[0].startswith("Label graph: 6 labels, ") and lines[0].endswith(", no samples")
    assert [line.split(":")[0] for line in lines[1:]] == ["Labels without edges", "Heaviest edges"]
    assert "Most frequent" in summarize(merge_graphs(ALIKE, COUNTED))
