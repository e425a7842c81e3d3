"""The co-occurrence graph against loops, and against itself in other formats."""

from collections import Counter
from itertools import permutations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.graph import cooccurrence_graph


def random_labels(size=40, num_labels=7, share=0.25, seed=0):
    labels = (np.random.default_rng(seed).random((size, num_labels)) < share).astype(int)
    labels[:, 3] = 0  # Never occurs.
    labels[5:6] = 0  # Without a label.
    return labels


def slow_edges(labels, condition):
    """Edges by counting pairs one by one."""
    count, joint = Counter(), Counter()
    for row in labels:
        present = [i for i, value in enumerate(row) if value]
        count.update(present)
        joint.update(permutations(present, 2))
    return [
        (i, j, together, together / count[j if condition == "target" else i])
        for (i, j), together in sorted(joint.items())
    ]


def edges(graph):
    ends = graph.edge_index.T.tolist()
    return list(zip(*zip(*ends, strict=True), graph.edge_count.tolist(), graph.edge_weight.tolist(), strict=True))


@pytest.mark.parametrize("condition", ["target", "source"])
@pytest.mark.parametrize("shape", [(40, 7), (1, 5), (300, 4)])
def test_edges_against_a_loop(condition, shape):
    labels = random_labels(*shape, share=0.6)
    graph = cooccurrence_graph(labels, condition_on=condition)
    expected = slow_edges(labels, condition)
    assert len(edges(graph)) == len(expected) > 0
    for got, wanted in zip(edges(graph), expected, strict=True):
        assert got[:3] == wanted[:3]
        assert got[3] == pytest.approx(wanted[3], rel=1e-6)
    assert graph.count.tolist() == labels.sum(0).tolist()
    assert graph.num_samples == shape[0] and graph.num_nodes == shape[1]


def test_the_two_conditions_mirror_each_other():
    labels = random_labels()
    target, source = (cooccurrence_graph(labels, condition_on=condition) for condition in ("target", "source"))
    weights = {(j, i): weight for i, j, _, weight in edges(source)}
    assert weights == {(i, j): weight for i, j, _, weight in edges(target)}
    assert not torch.equal(target.edge_weight, source.edge_weight)


@pytest.mark.filterwarnings("ignore:Sparse CS")
@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.tolist(),
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(bool),
        torch.from_numpy,
        lambda y: torch.from_numpy(y).float().to_sparse(),
        lambda y: torch.from_numpy(y).float().to_sparse_csr(),
        sp.csr_matrix,
        sp.csc_array,
        sp.coo_array,
        sp.lil_array,
    ],
)
def test_every_format_gives_the_same_graph(convert):
    labels = random_labels()
    graph, again = cooccurrence_graph(labels), cooccurrence_graph(convert(labels))
    assert edges(graph) == edges(again) and graph.count.tolist() == again.count.tolist()


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool])
def test_counts_outgrow_the_integers_of_the_labels(convert, dtype):
    labels = np.ones((700, 2), dtype=dtype)
    labels[600:, 1] = 0
    graph = cooccurrence_graph(convert(labels))
    assert graph.edge_count.tolist() == [600, 600] and graph.count.tolist() == [700, 600]
    assert graph.edge_weight.tolist() == pytest.approx([1.0, 600 / 700])


@pytest.mark.parametrize(
    ("labels", "count"),
    [([[1]], [1]), ([[0, 0]], [0, 0]), (np.eye(4), [1] * 4), ([[1, 0], [1, 0], [0, 0]], [2, 0])],
)
def test_labels_without_edges_stay(labels, count):
    graph = cooccurrence_graph(labels)
    assert graph.edge_index.shape == (2, 0) and graph.edge_index.dtype == torch.long
    assert graph.edge_weight.shape == graph.edge_count.shape == (0,)
    assert graph.count.tolist() == count and graph.num_nodes == len(count)
    assert graph.validate()


def test_names_and_embeddings_are_kept():
    x = torch.rand(2, 3)
    graph = cooccurrence_graph([[1, 1]], ["sky", "sun"], x=x)
    assert graph.label_names == ["sky", "sun"] and torch.equal(graph.x, x)
    assert cooccurrence_graph([[1, 1]]).label_names == ["label 0", "label 1"]
    assert cooccurrence_graph([[1, 1]]).x is None


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([[0, 1], [2, 0]], {}, r"'labels' must be 0 or 1 \(got 2 at row 1, column 0\)"),
        ([[0, 1], [0, float("nan")]], {}, r"'labels' must be 0 or 1 \(got nan at row 1, column 1\)"),
        ([0, 1], {}, r"'labels' must be a matrix \(got shape \(2,\)\)"),
        ([[]], {}, r"'labels' must have at least one row and one column \(got shape \(1, 0\)\)"),
        ([[0, 1]], {"label_names": ["a"]}, r"'label_names' must have 2 entries \(got 1\)"),
        ([[0, 1]], {"label_names": []}, r"'label_names' must have 2 entries \(got 0\)"),
        ([[0, 1]], {"x": torch.zeros(3, 4)}, r"'x' must have shape \(2, F\) \(got \(3, 4\)\)"),
        ([[0, 1]], {"x": torch.zeros(2)}, r"'x' must have shape \(2, F\) \(got \(2,\)\)"),
        ([[0, 1]], {"condition_on": "both"}, "'condition_on' must be 'target' or 'source' .*'both'"),
    ],
)
def test_wrong_arguments_are_named(labels, options, message):
    with pytest.raises(ValueError, match=message):
        cooccurrence_graph(labels, **options)


def test_counts_of_the_fixture(fixtures):
    with np.load(fixtures / "algcn.npz", allow_pickle=False) as file:
        labels, joint, count = (file[key] for key in ("label_matrix", "joint_count_zero_diagonal", "count"))
    graph = cooccurrence_graph(labels)
    dense = np.zeros_like(joint)
    dense[tuple(graph.edge_index.numpy())] = graph.edge_count.numpy()
    np.testing.assert_array_equal(dense, joint)
    np.testing.assert_array_equal(graph.count.numpy(), count)


def test_repeated_names_are_refused():
    with pytest.raises(ValueError, match="'label_names' must be distinct"):
        cooccurrence_graph(np.eye(2), ["sky", "sky"])
