"""Classifiers of many labels from sampled neighbours, against those of the whole graph."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from labelgraph.graph import KNN, BinaryAdjacency, cooccurrence_graph
from labelgraph.nn import (
    AdaptiveAdjacency,
    EdgeAdjacency,
    LabelEmbedding,
    LabelEncoder,
    SampledLabelBranch,
    StaticAdjacency,
    dense_adjacency,
    table_parameters,
)

SIZE = 12
LABELS = np.random.default_rng(0).random((60, SIZE)) < 0.2
GRAPH = cooccurrence_graph(LABELS)


def branch(num_neighbors=SIZE, adjacency="adaptive", graph=GRAPH, hops=2, zero_hop=False, slope=0.2):
    torch.manual_seed(0)
    kept = BinaryAdjacency(0.3, keep_candidates=adjacency == "adaptive")(graph)
    edges = EdgeAdjacency(kept) if adjacency == "adaptive" else StaticAdjacency(kept)
    encoder = LabelEncoder(5, 7, hops, slope, zero_hop=zero_hop)
    nn.init.normal_(encoder.aggregation.weight)
    return SampledLabelBranch(LabelEmbedding(graph, "learned", 5, sparse=True), edges, encoder, num_neighbors)


def test_a_residual_of_all_pairs_is_that_of_the_dense_adjacency():
    everything = cooccurrence_graph(np.ones((2, 5)))
    everything.edge_weight = torch.rand(everything.num_edges)
    sparse = EdgeAdjacency(BinaryAdjacency(0.5, keep_candidates=True)(everything))
    dense = AdaptiveAdjacency(BinaryAdjacency(0.5)(everything))
    source, target = sparse.edge_index
    assert len(source) == 25
    with torch.no_grad():
        dense.residual[source, target] = sparse.residual - 1.5  # Some weights become 0.
        sparse.residual -= 1.5
    ours = dense_adjacency(*sparse(), 5)
    torch.testing.assert_close(ours, dense.matrix())
    assert (ours == 0).any()
    assert torch.equal(dense.static[source, target], sparse.static)
    assert torch.equal(dense.static[target, source], sparse.reverse)


def test_without_a_reverse_edge_its_weight_is_zero():
    graph = KNN(1)(GRAPH)
    adjacency = EdgeAdjacency(BinaryAdjacency(0.0)(graph))
    dense = dense_adjacency(adjacency.edge_index, adjacency.static, SIZE)
    source, target = adjacency.edge_index
    assert torch.equal(adjacency.reverse, dense[target, source]) and (adjacency.reverse == 0).any()


def test_weights_are_those_of_the_edges_without_normalisation():
    adjacency = EdgeAdjacency(BinaryAdjacency(0.3)(GRAPH), gamma=2.0, normalize=False)
    with torch.no_grad():
        adjacency.residual.fill_(-0.3)
    torch.testing.assert_close(adjacency()[1], (adjacency.static - 0.6).clamp(min=0))


@pytest.mark.parametrize("zero_hop", [False, True])
@pytest.mark.parametrize("hops", [0, 1, 3])
@pytest.mark.parametrize("adjacency", ["adaptive", "static"])
def test_with_all_neighbours_classifiers_and_gradients_are_exact(adjacency, hops, zero_hop):
    sampled = branch(adjacency=adjacency, hops=hops, zero_hop=zero_hop)
    whole = copy.deepcopy(sampled)
    labels = torch.tensor([7, 2, 11])
    upstream = torch.randn(3, 7)
    ours, expected = sampled.sample(labels).classifiers, whole()[0][labels]
    torch.testing.assert_close(ours, expected)
    for each in (ours, expected):
        (each * upstream).sum().backward()
    for (name, one), other in zip(sampled.named_parameters(), whole.parameters(), strict=True):
        if other.grad is None or not other.grad.any():
            assert one.grad is None or not one.grad.to_dense().any(), name
        else:
            torch.testing.assert_close(one.grad.to_dense(), other.grad, msg=name)


def test_the_sums_over_sampled_neighbours_are_right_on_average():
    """Without nonlinearity, the classifiers are linear in the sampled weights of each hop."""
    sampled = branch(num_neighbors=2, hops=1, slope=1.0)
    labels = torch.arange(SIZE)
    exact = sampled()[0].detach()
    with torch.no_grad():
        draws = torch.stack([sampled.sample(labels).classifiers for _ in range(3000)])
    error = draws.std(0) / len(draws) ** 0.5
    assert (draws.std(0) > 0.01).any()
    assert ((draws.mean(0) - exact).abs() < 5 * error + 1e-5).all()


def test_each_label_is_read_once_with_its_loop_and_few_edges():
    sampled = branch(num_neighbors=2, hops=2)
    labels = torch.tensor([3, 5])
    for _ in range(20):
        around = sampled.neighbourhood(labels)
        source, target = sampled.adjacency.edge_index[:, around.edges]
        assert around.nodes[:2].tolist() == [3, 5] and len(around.nodes.unique()) == len(around.nodes)
        inner = around.nodes[: around.sizes[1][0]]
        for label in inner.tolist():
            into = source[target == label]
            assert (into == label).sum() == 1 and len(into) <= 3
        assert set(target.tolist()) == set(inner.tolist())
        assert set(source.tolist()) == set(around.nodes.tolist())
        counts = sampled.adjacency.edge_index[1].bincount(minlength=SIZE) - 1
        loops = source == target
        assert (around.shares[loops] == 1).all()
        stands = torch.zeros(SIZE, dtype=torch.float64).index_add(0, target[~loops], around.shares[~loops])
        torch.testing.assert_close(stands[inner], counts[inner].double())


def test_labels_without_loops_or_edges_have_classifiers():
    graph = cooccurrence_graph([[1, 1, 0], [0, 0, 1]])
    encoder = LabelEncoder(3, 4, 2)
    sampled = SampledLabelBranch(LabelEmbedding(graph, "one-hot"), StaticAdjacency(graph), encoder, 3)
    torch.testing.assert_close(sampled.sample(torch.tensor([2, 0])).classifiers, sampled()[0][[2, 0]])


def test_only_the_labels_that_are_read_get_a_gradient():
    count = 3000
    ring = cooccurrence_graph(np.eye(4))
    ring.edge_index = torch.stack([torch.arange(count), (torch.arange(count) + 1) % count])
    ring.edge_weight, ring.num_nodes = torch.ones(count), count
    sampled = branch(graph=ring, hops=2)
    assert table_parameters(sampled) == [sampled.embedding.weight]
    sampled.sample(torch.tensor([1000])).classifiers.sum().backward()
    assert sampled.embedding.weight.grad.coalesce().indices().tolist() == [[998, 999, 1000]]


def test_the_classifiers_of_all_labels_are_kept_until_a_parameter_changes():
    sampled = branch()
    with torch.no_grad():
        first = sampled.classifiers()
        assert sampled.classifiers() is first
        torch.testing.assert_close(first, sampled()[0])
        sampled.adjacency.residual.data += 1.0
        second = sampled.classifiers()
        assert not torch.allclose(second, first)
        torch.testing.assert_close(copy.deepcopy(sampled).classifiers(), second)
    assert sampled.classifiers().requires_grad


def test_a_change_of_the_kept_classifiers_does_not_stay():
    sampled = branch()
    with torch.inference_mode():
        sampled.classifiers()[3] = 0
        torch.testing.assert_close(sampled.classifiers(), sampled()[0])
    with torch.no_grad():
        kept = sampled.classifiers()
    (kept * nn.Parameter(torch.ones(1))).sum().backward()  # Tensors of the inference mode would raise an error.


@pytest.mark.parametrize(("name", "shape"), [("residual", (SIZE, SIZE)), ("edge_index", (2, 9))])
def test_parameters_of_other_edges_are_refused(name, shape):
    sampled = branch()
    state = sampled.state_dict() | {f"adjacency.{name}": torch.zeros(shape)}
    with pytest.raises(
        ValueError, match=rf"'adjacency.{name}'.*\(got \({shape[0]}, {shape[1]}\).*train the model again"
    ):
        sampled.load_state_dict(state)
