"""The multi-hop label encoder."""

import pytest
import torch

from labelgraph.nn import LabelEncoder


def case(size=6, seed=0):
    torch.manual_seed(seed)
    edge_index = torch.randint(0, size, (2, 15))
    return LabelEncoder(4, 8, num_layers=3), torch.randn(size, 4), edge_index, torch.randn(15)


def slow(encoder, x, edge_index, edge_weight):
    matrix = torch.zeros(len(x), len(x))
    for (source, target), weight in zip(edge_index.t().tolist(), edge_weight, strict=True):
        matrix[target, source] += weight
    hops = []
    for conv in encoder.convs:
        x = matrix @ x @ conv.weight
        x = torch.where(x > 0, x, 0.2 * x)
        hops.append(x)
    return torch.cat(hops, 1) @ encoder.aggregation.weight.t() + encoder.aggregation.bias


@pytest.mark.parametrize("size", [6, 2, 1])
def test_against_the_formula(size):
    encoder, x, edge_index, edge_weight = case(size)
    torch.testing.assert_close(
        encoder(x, edge_index, edge_weight), slow(encoder, x, edge_index, edge_weight), rtol=1e-4, atol=1e-5
    )


def test_the_order_of_edges_does_not_matter():
    encoder, x, edge_index, edge_weight = case()
    order = torch.randperm(15)
    torch.testing.assert_close(
        encoder(x, edge_index[:, order], edge_weight[order]), encoder(x, edge_index, edge_weight)
    )


def test_the_order_of_labels_carries_over():
    encoder, x, edge_index, edge_weight = case()
    order = torch.randperm(6)
    place = order.argsort()
    torch.testing.assert_close(
        encoder(x[order], place[edge_index], edge_weight), encoder(x, edge_index, edge_weight)[order]
    )


def test_no_layers_use_no_graph():
    encoder, x = LabelEncoder(4, 8, num_layers=0), torch.randn(6, 4)
    expected = encoder.aggregation(x)
    for edge_index in (torch.empty(2, 0, dtype=torch.long), torch.tensor([[0], [1]])):
        assert torch.equal(encoder(x, edge_index, torch.ones(edge_index.size(1))), expected)


def test_a_label_without_edges_has_a_classifier_and_finite_gradients():
    encoder, x, edge_index, edge_weight = case()
    alone = edge_index.clamp(max=4)
    out = encoder(x, alone, edge_weight)
    assert torch.equal(out[5], encoder.aggregation.bias)
    out.norm(dim=1).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


def test_reset_draws_every_weight_anew():
    encoder, *_ = case()
    before = {name: parameter.clone() for name, parameter in encoder.named_parameters()}
    encoder.reset_parameters()
    assert all(not torch.equal(before[name], parameter) for name, parameter in encoder.named_parameters())


def test_wrong_number_of_layers():
    with pytest.raises(ValueError, match=r"'num_layers' must be at least 0 \(got -1\)"):
        LabelEncoder(4, 8, num_layers=-1)
