"""The learned adjacency against its dense formula."""

import numpy as np
import pytest
import torch

from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
from labelgraph.nn import AdaptiveAdjacency, dense_adjacency

LABELS = np.random.default_rng(0).random((40, 6)) < np.linspace(0.1, 0.7, 6)


def binary(labels=LABELS):
    graph = BinaryAdjacency(0.4)(cooccurrence_graph(labels))
    return graph, dense_adjacency(graph.edge_index, graph.edge_weight, graph.num_nodes)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 3.0])
def test_against_the_formula(gamma):
    graph, static = binary()
    assert not torch.equal(static, static.t())
    adjacency = AdaptiveAdjacency(graph, gamma)
    with torch.no_grad():
        adjacency.residual.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(0))
    adapted = torch.clamp(static + gamma * adjacency.residual, min=0)
    assert gamma == 0 or (adapted == 0).any()
    scale = torch.diag(adapted.sum(1) ** -0.5)
    propagation = dense_adjacency(*adjacency(), 6).t()
    torch.testing.assert_close(propagation, scale @ adapted.t() @ scale)


def test_without_normalisation():
    graph, static = binary()
    adjacency = AdaptiveAdjacency(graph, normalize=False)
    torch.testing.assert_close(dense_adjacency(*adjacency(), 6), static + 0.5 * adjacency.residual)


def test_residual_is_drawn_as_published():
    torch.manual_seed(0)
    residual = AdaptiveAdjacency(cooccurrence_graph(np.eye(60))).residual
    assert 0 <= residual.min() < 0.001 and 0.019 < residual.max() <= 0.02
    assert residual.mean().item() == pytest.approx(0.01, rel=0.05)


def test_a_label_whose_whole_row_is_cut_off_has_finite_gradients():
    adjacency = AdaptiveAdjacency(binary()[0])
    with torch.no_grad():
        adjacency.residual[2] = -10.0
    _, weight = adjacency()
    matrix = weight.view(6, 6)
    assert not matrix[2].any() and not matrix[:, 2].any()
    weight.square().sum().backward()
    assert torch.isfinite(adjacency.residual.grad).all() and adjacency.residual.grad.any()


def test_only_the_residual_is_learned_and_the_pairs_are_not_saved():
    adjacency = AdaptiveAdjacency(binary()[0])
    assert [name for name, _ in adjacency.named_parameters()] == ["residual"]
    assert set(adjacency.state_dict()) == {"residual", "static"}


def test_one_label():
    edge_index, weight = AdaptiveAdjacency(binary([[1], [1]])[0])()
    assert edge_index.tolist() == [[0], [0]] and weight.tolist() == pytest.approx([1.0])
