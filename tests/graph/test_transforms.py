"""Transforms of label graphs against dense formulas and loops."""

from math import log

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.transforms import Compose
from torch_geometric.utils import to_dense_adj

from labelgraph.graph import KNN, PMI, Binarize, BinaryAdjacency, Reweight, Threshold, cooccurrence_graph

TRANSFORMS = {
    "threshold": Threshold(0.3),
    "binarize": Binarize(0.7),
    "binary": BinaryAdjacency(0.3),
    "reweight": Reweight(0.25),
    "knn": KNN(2),
    "pmi": PMI(),
}


@pytest.fixture
def graph():
    labels = np.random.default_rng(1).random((50, 9)) < 0.3
    labels[:, 4] = False  # Never occurs.
    labels[:, 6] = labels[:, :6].sum(1) == 0  # Occurs with few others.
    return cooccurrence_graph(labels)


def dense(data):
    return to_dense_adj(data.edge_index, edge_attr=data.edge_weight, max_num_nodes=data.num_nodes)[0]


def weighted(edges, num_nodes=4, **more):
    """A graph from (source, target, weight)."""
    source, target, weight = zip(*edges, strict=True)
    return Data(
        edge_index=torch.tensor([source, target]),
        edge_weight=torch.tensor(weight),
        num_nodes=num_nodes,
        **more,
    )


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_the_input_stays_as_it_was(graph, transform):
    before = {key: value.clone() if torch.is_tensor(value) else value for key, value in graph.to_dict().items()}
    after = transform(graph)
    assert not torch.equal(dense(graph), dense(after))
    assert graph.to_dict().keys() == before.keys()
    for key, value in before.items():
        assert torch.equal(graph[key], value) if torch.is_tensor(value) else graph[key] == value


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_labels_and_their_counts_stay(graph, transform):
    after = transform(graph)
    assert after.num_nodes == 9 and after.label_names == graph.label_names
    assert torch.equal(after.count, graph.count) and after.num_samples == graph.num_samples
    assert after.edge_index.size(1) == after.edge_weight.numel() == after.get("edge_count", after.edge_weight).numel()
    assert after.validate()


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_graph_without_edges(transform):
    after = transform(cooccurrence_graph(np.eye(3)))
    assert (after.edge_index[0] == after.edge_index[1]).all()
    assert torch.isfinite(after.edge_weight).all()


@pytest.mark.parametrize(
    ("transform", "text"),
    [
        (Threshold(0.3), "Threshold(0.3)"),
        (Binarize(), "Binarize(1.0)"),
        (BinaryAdjacency(0.3), "BinaryAdjacency(0.3, 0.5)"),
        (Reweight(0.25), "Reweight(0.25)"),
        (KNN(2), "KNN(2)"),
        (PMI(), "PMI(positive=True)"),
    ],
)
def test_representations(transform, text):
    assert repr(transform) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Threshold(1.5), r"'threshold' must be in \[0, 1\] \(got 1.5\)"),
        (lambda: Threshold(float("nan")), r"'threshold' must be in \[0, 1\]"),
        (lambda: BinaryAdjacency(-0.1), r"'threshold' must be in \[0, 1\] \(got -0.1\)"),
        (lambda: Reweight(1.1), r"'p' must be in \[0, 1\] \(got 1.1\)"),
        (lambda: KNN(0), r"'k' must be at least 1 \(got 0\)"),
    ],
)
def test_wrong_settings_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_they_compose(graph):
    composed = Compose([KNN(3), Threshold(0.2), BinaryAdjacency(0.25)])(graph)
    by_hand = BinaryAdjacency(0.25)(Threshold(0.2)(KNN(3)(graph)))
    assert torch.equal(composed.edge_index, by_hand.edge_index)
    assert torch.equal(composed.edge_weight, by_hand.edge_weight)


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 1.0])
def test_threshold_keeps_weights_that_reach_it(threshold):
    edges = [(0, 1, 0.25), (1, 0, 0.5), (2, 0, 0.75), (3, 0, 1.0), (0, 3, 0.0)]
    after = Threshold(threshold)(weighted(edges, edge_count=torch.arange(5)))
    kept = [i for i, (*_, weight) in enumerate(edges) if weight >= threshold]
    assert after.edge_count.tolist() == kept
    assert after.edge_weight.tolist() == [edges[i][2] for i in kept]


@pytest.mark.parametrize("threshold", [0.2, 0.4])
@pytest.mark.parametrize(("counted", "loop"), [(False, 1.0), (True, 1.5)])
def test_binary_adjacency_against_the_formula(graph, threshold, counted, loop):
    binary = dense(BinaryAdjacency(threshold, counted_diagonal=counted)(graph))
    torch.testing.assert_close(binary, 0.5 * (dense(graph) >= threshold) + loop * torch.eye(9))


def test_binary_adjacency_replaces_self_loops():
    after = BinaryAdjacency(0.4)(weighted([(0, 0, 0.9), (0, 1, 0.9), (1, 0, 0.1)], num_nodes=2))
    assert dense(after).tolist() == [[1.0, 0.5], [0.0, 1.0]]


def test_binary_adjacency_of_the_fixture(fixtures):
    with np.load(fixtures / "algcn.npz", allow_pickle=False) as file:
        labels, threshold, static = (file[key] for key in ("label_matrix", "threshold", "param/A"))
    binary = dense(BinaryAdjacency(threshold.item())(cooccurrence_graph(labels)))
    np.testing.assert_array_equal(binary.numpy(), static)


@pytest.mark.parametrize("p", [0.0, 0.2, 1.0])
def test_reweight_shares_p_among_the_neighbours(graph, p):
    after = dense(Reweight(p)(graph))
    neighbours = (dense(graph) > 0).sum(1)
    for i in range(9):
        row = after[i].tolist()
        assert row.pop(i) == pytest.approx(1 - p)
        assert sum(row) == pytest.approx(p if neighbours[i] else 0.0)
        if neighbours[i] and p:
            assert {round(value, 6) for value in row if value} == {round(p / neighbours[i].item(), 6)}
    assert (neighbours == 0).any() and (neighbours.unique().numel() > 2)


def slow_knn(edges, k):
    kept = []
    for target in {edge[1] for edge in edges}:
        into = sorted((edge for edge in edges if edge[1] == target), key=lambda edge: (-edge[2], edge[0]))
        kept += into[:k]
    return set(kept)


@pytest.mark.parametrize("k", [1, 2, 3, 100])
@pytest.mark.parametrize("seed", range(5))
def test_knn_against_a_loop_with_ties_and_shuffled_edges(k, seed):
    random = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j and j != 5 and random.random() < 0.7]
    edges = [(i, j, float(random.integers(1, 4)) / 4) for i, j in random.permutation(pairs).tolist()]
    after = KNN(k)(weighted(edges, num_nodes=7, edge_count=torch.arange(len(edges))))
    kept = [edges[place] for place in after.edge_count.tolist()]
    assert after.edge_index.T.tolist() == [[i, j] for i, j, _ in kept]
    assert set(kept) == slow_knn(edges, k)
    assert after.edge_count.tolist() == sorted(after.edge_count.tolist())


def slow_pmi(labels):
    size, num_labels = labels.shape
    values = {}
    for i in range(num_labels):
        for j in range(num_labels):
            together = int((labels[:, i] & labels[:, j]).sum())
            if i != j and together:
                values[i, j] = log(together * size / (int(labels[:, i].sum()) * int(labels[:, j].sum())))
    return values


@pytest.mark.parametrize("positive", [True, False])
def test_pmi_against_a_loop(positive):
    labels = np.random.default_rng(2).random((31, 6)) < 0.4
    after = PMI(positive)(cooccurrence_graph(labels))
    got = dict(zip(map(tuple, after.edge_index.T.tolist()), after.edge_weight.tolist(), strict=True))
    wanted = {pair: value for pair, value in slow_pmi(labels).items() if value > 0 or not positive}
    assert got == {pair: pytest.approx(value, abs=1e-6) for pair, value in wanted.items()}
    assert min(slow_pmi(labels).values()) < 0 < len(wanted)


@pytest.mark.parametrize(
    ("size", "first", "second"),
    [(6, 2, 3), (65, 5, 13), (78, 2, 39), (98, 14, 56), (182, 13, 56), (196, 49, 56)],
)
def test_independent_labels_have_no_positive_pmi(size, first, second):
    """Rounded logarithms would leave a tiny positive weight on most of these."""
    together, rest = divmod(first * second, size)
    assert rest == 0
    edge = weighted([(0, 1, 1.0)], 2, edge_count=torch.tensor([together]))
    edge.count, edge.num_samples = torch.tensor([first, second]), size
    assert PMI()(edge).num_edges == 0
    assert PMI(positive=False)(edge).edge_weight.item() == 0


def test_pmi_of_counts_whose_product_outgrows_an_integer():
    many = 2**40
    edge = weighted([(0, 1, 1.0)], 2, edge_count=torch.tensor([many]), count=torch.tensor([many, many]))
    edge.num_samples = 4 * many
    assert PMI()(edge).edge_weight.item() == pytest.approx(log(4))


def test_pmi_needs_counts(graph):
    with pytest.raises(ValueError, match="'data' must carry 'edge_count'"):
        PMI()(BinaryAdjacency()(graph))
