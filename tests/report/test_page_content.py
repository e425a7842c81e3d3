"""The content of a label graph's page, against counting by hand."""

import base64
import io

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from PIL import Image

from labelgraph.graph import Threshold, cooccurrence_graph, from_networkx, meaning_graph, merge_graphs
from labelgraph.report.page_content import (
    LEAST_NEIGHBOURS,
    PICTURE_SIDE,
    PICTURES_EACH,
    label_pairs,
    page_content,
    strongest_pairs,
)

LABELS = (np.random.default_rng(1).random((80, 7)) < 0.3).astype(int)


@pytest.mark.parametrize("condition", ["target", "source"])
def test_weights_read_from_the_given_label_to_the_other(condition):
    pairs = label_pairs(cooccurrence_graph(LABELS, condition_on=condition))
    together, counts = LABELS.T @ LABELS, LABELS.sum(0)
    assert len(pairs.a) == np.triu(together, 1).astype(bool).sum() and (pairs.a < pairs.b).all()
    np.testing.assert_array_equal(pairs.items, together[pairs.a, pairs.b])
    np.testing.assert_allclose(pairs.ab, together[pairs.a, pairs.b] / counts[pairs.a], rtol=1e-5)
    np.testing.assert_allclose(pairs.ba, together[pairs.a, pairs.b] / counts[pairs.b], rtol=1e-5)


def test_an_edge_of_one_direction_has_no_weight_in_the_other():
    pairs = label_pairs(Threshold(0.9)(cooccurrence_graph([[1, 1], [0, 1], [0, 1]])))
    assert (pairs.ab.tolist(), pairs.ba.tolist()) == ([1.0], [0.0])


def test_other_weights_keep_their_direction_without_loops_and_parallel_edges():
    graph = cooccurrence_graph([[1, 1, 0]])
    graph.edge_index = torch.tensor([[0, 0, 1, 2], [1, 1, 1, 0]])
    graph.edge_weight = torch.tensor([-0.5, 0.25, 9.0, 2.0])
    del graph.edge_count
    pairs = label_pairs(graph)
    assert (pairs.a.tolist(), pairs.b.tolist()) == ([0, 0], [1, 2])
    assert (pairs.ab.tolist(), pairs.ba.tolist(), pairs.items) == ([-0.5, 0.0], [0.0, 2.0], None)


def test_a_weight_that_is_not_finite_is_an_error():
    graph = cooccurrence_graph([[1, 1]])
    graph.edge_weight[0] = torch.nan
    with pytest.raises(ValueError, match="'edge_weight' of 'graph' must be finite"):
        label_pairs(graph)


def test_every_label_keeps_its_nearest_ones():
    pairs = label_pairs(cooccurrence_graph(LABELS))
    kept = strongest_pairs(pairs, 2)
    ends = {(a, b) for a, b in zip(kept.a.tolist(), kept.b.tolist(), strict=True)}
    affinity = np.zeros((7, 7))
    affinity[pairs.a, pairs.b] = affinity[pairs.b, pairs.a] = pairs.affinity
    for label in range(7):
        for other in affinity[label].argsort()[:-3:-1]:
            assert (min(label, other), max(label, other)) in ends
    assert len(kept.a) <= 14 and len(strongest_pairs(pairs, 7).a) == len(pairs.a)


def test_the_most_frequent_labels_are_drawn():
    content = page_content(cooccurrence_graph(LABELS), None, {}, 3)
    assert LABELS.sum(0)[content["drawn"]].tolist() == sorted(LABELS.sum(0), reverse=True)[:3]
    assert len(content["names"]) == 7 and content["counts"] == LABELS.sum(0).tolist() and content["items"] == 80
    (kind,) = content["kinds"]
    assert len(kind["places"]) == len(kind["groups"]) == len(kind["sizes"]) == 3 and kind["key"] == "together"


def test_many_labels_keep_some_neighbours_each():
    size = 6000
    rows = sp.block_diag([np.ones((1, 40))] * (size // 40), format="csr")
    (kind,) = page_content(cooccurrence_graph(rows), None, {}, 50)["kinds"]
    neighbours = np.bincount(kind["a"] + kind["b"], minlength=size)
    assert neighbours.min() >= LEAST_NEIGHBOURS and kind["stored"] == len(kind["a"]) < kind["pairs"]


def test_graphs_of_all_kinds_have_a_page():
    vectors = np.random.default_rng(0).normal(size=(7, 4))
    counted = cooccurrence_graph(LABELS)
    meaning = meaning_graph(counted.label_names, vectors, 2)
    assert [kind["key"] for kind in page_content(counted, meaning, {}, 9)["kinds"]] == ["together", "meaning"]
    weighted = from_networkx(nx.DiGraph([("a", "b", {"weight": 2.0})]))
    for graph in (meaning, merge_graphs(counted, meaning), cooccurrence_graph([[0]]), weighted):
        assert page_content(graph, None, {}, 9)["kinds"][0]["key"] == "weight"


def test_meaning_needs_the_same_labels():
    with pytest.raises(ValueError, match="'meaning' must have the labels of 'graph'"):
        page_content(cooccurrence_graph([[1, 1]], ["a", "b"]), meaning_graph(["b", "a"], np.eye(2)), {}, 9)


def test_pictures_are_small_and_stored_once(tmp_path):
    red, blue = Image.new("RGB", (300, 150), "red"), Image.new("RGBA", (20, 20), "blue")
    red.save(tmp_path / "red.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    files = [tmp_path / "broken.png", str(tmp_path / "red.png"), tmp_path / "red.png"]
    content = page_content(
        cooccurrence_graph([[1, 1, 0]], ["a", "b", "c"]), None, {"a": [blue] * 6, "b": [blue, *files], "c": []}, 9
    )
    assert content["shown"] == {0: [0] * PICTURES_EACH, 1: [0, 1, 1]}
    sizes = []
    for uri in content["pictures"]:
        start, _, encoded = uri.partition(",")
        assert start == "data:image/jpeg;base64"
        sizes.append(Image.open(io.BytesIO(base64.b64decode(encoded))).size)
    assert sizes == [(PICTURE_SIDE, PICTURE_SIDE), (PICTURE_SIDE, PICTURE_SIDE // 2)]


def test_pictures_are_limited_in_all(monkeypatch):
    monkeypatch.setattr("labelgraph.report.page_content.PICTURE_BYTES", 2000)
    noise = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (72, 72, 3), np.uint8)) for i in range(3)]
    graph = cooccurrence_graph([[1, 1, 0], [0, 1, 0]], ["a", "b", "c"])
    content = page_content(graph, None, {"a": noise[:1], "b": noise[1:]}, 9)
    assert content["shown"] == {1: [0]}, "the most frequent label comes first"
