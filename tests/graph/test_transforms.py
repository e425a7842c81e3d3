"""Transforms of label graphs against dense formulas and loops."""

from math import log

import numpy as np
import pytest
import torch
from torch_geometric import transforms as pyg
from torch_geometric.data import Data
from torch_geometric.transforms import Compose
from torch_geometric.utils import to_dense_adj

from labelgraph.graph import (
    KNN,
    PMI,
    Binarize,
    BinaryAdjacency,
    Reweight,
    Threshold,
    cooccurrence_graph,
    summarize,
    to_networkx,
)
from labelgraph.nn import StaticAdjacency

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
    labels[:, 4] = False  # A label that never occurs.
    labels[:, 6] = labels[:, :6].sum(1) == 0  # A label that occurs with few other labels.
    return cooccurrence_graph(labels)


def dense(data):
    return to_dense_adj(data.edge_index, edge_attr=data.edge_weight, max_num_nodes=data.num_nodes)[0]


def weighted(edges, num_nodes=4, **more):
    """Label graph from (source, target, weight) triples."""
    source, target, weight = zip(*edges, strict=True)
    return Data(
        edge_index=torch.tensor([source, target]),
        edge_weight=torch.tensor(weight),
        num_nodes=num_nodes,
        **more,
    )


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_the_input_is_not_changed(graph, transform):
    before = {key: value.clone() if torch.is_tensor(value) else value for key, value in graph.to_dict().items()}
    after = transform(graph)
    assert not torch.equal(dense(graph), dense(after))
    assert graph.to_dict().keys() == before.keys()
    for key, value in before.items():
        assert torch.equal(graph[key], value) if torch.is_tensor(value) else graph[key] == value


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_labels_and_their_counts_are_kept(graph, transform):
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
def test_errors_name_wrong_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_transforms_compose(graph):
    composed = Compose([KNN(3), Threshold(0.2), BinaryAdjacency(0.25)])(graph)
    by_hand = BinaryAdjacency(0.25)(Threshold(0.2)(KNN(3)(graph)))
    assert torch.equal(composed.edge_index, by_hand.edge_index)
    assert torch.equal(composed.edge_weight, by_hand.edge_weight)


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.5, 1.0])
def test_threshold_keeps_weights_of_at_least_the_threshold(threshold):
    edges = [(0, 1, 0.25), (1, 0, 0.5), (2, 0, 0.75), (3, 0, 1.0), (0, 3, 0.0)]
    after = Threshold(threshold)(weighted(edges, edge_count=torch.arange(5)))
    remaining = [i for i, (*_, weight) in enumerate(edges) if weight >= threshold]
    assert after.edge_count.tolist() == remaining
    assert after.edge_weight.tolist() == [edges[i][2] for i in remaining]


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
    remaining = []
    for target in {edge[1] for edge in edges}:
        into = sorted((edge for edge in edges if edge[1] == target), key=lambda edge: (-edge[2], edge[0]))
        remaining += into[:k]
    return set(remaining)


@pytest.mark.parametrize("k", [1, 2, 3, 100])
@pytest.mark.parametrize("seed", range(5))
def test_knn_against_a_loop_with_ties_and_shuffled_edges(k, seed):
    random = np.random.default_rng(seed)
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j and j != 5 and random.random() < 0.7]
    edges = [(i, j, float(random.integers(1, 4)) / 4) for i, j in random.permutation(pairs).tolist()]
    after = KNN(k)(weighted(edges, num_nodes=7, edge_count=torch.arange(len(edges))))
    remaining = [edges[place] for place in after.edge_count.tolist()]
    assert after.edge_index.T.tolist() == [[i, j] for i, j, _ in remaining]
    assert set(remaining) == slow_knn(edges, k)
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
    """Rounded logarithms would leave a tiny positive weight on most edges between independent labels."""
    together, rest = divmod(first * second, size)
    assert rest == 0
    edge = weighted([(0, 1, 1.0)], 2, edge_count=torch.tensor([together]))
    edge.count, edge.num_samples = torch.tensor([first, second]), size
    assert PMI()(edge).num_edges == 0
    assert PMI(positive=False)(edge).edge_weight.item() == 0


def test_pmi_of_counts_whose_product_exceeds_an_integer():
    many = 2**40
    edge = weighted([(0, 1, 1.0)], 2, edge_count=torch.tensor([many]), count=torch.tensor([many, many]))
    edge.num_samples = 4 * many
    assert PMI()(edge).edge_weight.item() == pytest.approx(log(4))


def test_pmi_needs_counts(graph):
    with pytest.raises(ValueError, match="'data' must carry 'edge_count'"):
        PMI()(BinaryAdjacency()(graph))


def with_attributes(labels=((1, 1, 0, 0, 0), (1, 0, 0, 1, 0), (1, 1, 0, 1, 0))):
    """Label graph with additional edge attributes: tensors of several shapes, an array and a list."""
    graph = cooccurrence_graph(labels, ["sky", "sun", "never", "cat", "dog"])
    number = torch.arange(1, graph.num_edges + 1)
    graph.edge_attr = number.view(-1, 1) * torch.tensor([1.0, 10.0])
    graph.kind = number
    return graph


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_all_attributes_of_an_edge_are_kept_or_removed_with_the_edge(transform):
    before = with_attributes()
    before.seen, before.said = before.kind.numpy().copy(), [f"edge {i}" for i in before.kind.tolist()]
    number = {pair: i for i, pair in enumerate(map(tuple, before.edge_index.T.tolist()), 1)}
    after = transform(before)
    expected = [number.get(pair, 0) for pair in map(tuple, after.edge_index.T.tolist())]
    assert after.kind.tolist() == after.seen.tolist() == expected
    assert after.edge_attr.tolist() == [[float(i), 10.0 * i] for i in expected]
    assert after.said == [f"edge {i}" if i else None for i in expected]
    assert after.label_names == before.label_names and after.count.tolist() == [3, 2, 0, 2, 0]


def test_as_many_labels_as_edges():
    graph = Data(
        edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]), edge_weight=torch.tensor([0.1, 0.5, 0.9]), num_nodes=3,
        count=torch.tensor([3, 2, 1]), label_names=["a", "b", "c"], x=torch.eye(3), edge_kind=torch.arange(3),
    )  # fmt: skip
    after = Threshold(0.4)(graph)
    assert after.edge_kind.tolist() == [1, 2] and after.count.tolist() == [3, 2, 1]
    assert after.label_names == ["a", "b", "c"] and torch.equal(after.x, torch.eye(3))


PYG = [
    pyg.AddSelfLoops(attr="edge_weight"), pyg.AddRemainingSelfLoops(attr="edge_weight"), pyg.GCNNorm(),
    pyg.RemoveIsolatedNodes(), pyg.VirtualNode(), pyg.Pad(9), pyg.ToUndirected(reduce="max"),
    pyg.RemoveDuplicatedEdges(), pyg.RemoveSelfLoops(attr="edge_weight"), pyg.LargestConnectedComponents(),
    pyg.OneHotDegree(9), pyg.AddRandomWalkPE(2), pyg.TwoHop(),
]  # fmt: skip


@pytest.mark.parametrize("theirs", PYG, ids=lambda transform: type(transform).__name__)
@pytest.mark.parametrize("ours", [Threshold(0.4), Binarize(), BinaryAdjacency(0.4), Reweight(), KNN(1)], ids=repr)
def test_pyg_transforms_run_before_and_after(theirs, ours):
    theirs(ours(with_attributes())).validate()
    changed = theirs(with_attributes())
    after = ours(changed)
    assert after.validate() and after.edge_weight.shape == after.edge_index.shape[1:]
    names = list(to_networkx(after))
    assert len(names) == after.num_nodes == changed.num_nodes
    assert summarize(after).startswith(f"Label graph: {changed.num_nodes} labels")
    assert StaticAdjacency(after)()[1].isfinite().all()


def test_names_are_filtered_and_padded_with_the_labels():
    assert pyg.RemoveIsolatedNodes()(with_attributes()).label_names == ["sky", "sun", "cat"]
    assert pyg.Pad(7)(with_attributes()).label_names == ["sky", "sun", "never", "cat", "dog", "node 5", "node 6"]
    assert list(to_networkx(pyg.VirtualNode()(with_attributes())))[4:] == ["dog", "node 5"]


@pytest.mark.parametrize("key", ["edge_index", "edge_weight", "edge_count", "count", "num_samples"])
def test_the_error_names_a_missing_attribute(key):
    graph = with_attributes()
    del graph[key]
    with pytest.raises(ValueError, match=f"'data' must carry '{key}'"):
        PMI()(graph)
    if key in ("edge_index", "edge_weight"):
        for transform in TRANSFORMS.values():
            with pytest.raises(ValueError, match=f"'data' must carry '{key}'"):
                transform(graph)


@pytest.mark.parametrize(("key", "value"), [("num_samples", 0), ("count", torch.zeros(5).long())])
def test_the_error_names_impossible_counts(key, value):
    graph = with_attributes()
    graph[key] = value
    with pytest.raises(ValueError, match=f"'{key}' of 'data' must be at least .*got less"):
        PMI()(graph)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_an_edge_to_a_label_that_does_not_exist_raises_an_error(transform):
    graph = with_attributes()
    graph.edge_index[1, 2] = 5
    with pytest.raises(IndexError, match=r"'edge_index' must be in \[0, 4\].*\(got 5\)"):
        transform(graph)
    graph.edge_index[1, 2] = -1
    with pytest.raises(IndexError, match=r"'edge_index' must be in \[0, 4\].*\(got -1\)"):
        transform(graph)


def test_a_networkx_graph_is_not_a_label_graph():
    with pytest.raises(TypeError, match=r"'data' must be a label graph.*\(got DiGraph\)"):
        Threshold()(to_networkx(with_attributes()))


@pytest.mark.parametrize("items", [4097, 5047, 5947])
def test_a_label_of_all_items_has_no_positive_pmi(items):
    """In float32 the product of counts is rounded, so that most edges would have a tiny positive weight."""
    for less in (1, 2, 3, 7):
        labels = np.ones((items, 2), np.uint8)
        labels[items - less :, 1] = 0
        assert PMI()(cooccurrence_graph(labels)).num_edges == 0


def test_numpy_numbers_are_accepted(graph):
    for ours, plain in ((KNN(np.int64(2)), KNN(2)), (Threshold(np.float32(0.25)), Threshold(0.25))):
        assert repr(ours) == repr(plain) and torch.equal(ours(graph).edge_index, plain(graph).edge_index)


@pytest.mark.parametrize(
    ("build", "value", "message"),
    [
        (KNN, True, r"'k' must be a whole number \(got True\)"),
        (KNN, 1.5, r"'k' must be a whole number \(got 1.5\)"),
        (Threshold, "high", r"'threshold' must be in \[0, 1\] \(got 'high'\)"),
        (Reweight, None, r"'p' must be in \[0, 1\] \(got None\)"),
        (Binarize, float("inf"), r"'value' must be a finite number \(got inf\)"),
    ],
)
def test_errors_name_settings_of_wrong_types(build, value, message):
    with pytest.raises(ValueError, match=message):
        build(value)
