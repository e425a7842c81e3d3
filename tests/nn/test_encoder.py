"""The multi-hop label encoder."""

import pytest
import torch

from labelgraph.nn import LabelAttentionConv, LabelConv, LabelEncoder


def case(size=6, seed=0, conv="gcn"):
    torch.manual_seed(seed)
    edge_index = torch.randint(0, size, (2, 15))
    return LabelEncoder(4, 8, num_layers=3, conv=conv), torch.randn(size, 4), edge_index, torch.randn(15)


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


def slow_attention(encoder, x, edge_index, edge_weight):
    """Row i listens to the j of its own edges i -> j of positive weight."""
    hops = []
    edges = [pair for pair, weight in zip(edge_index.t().tolist(), edge_weight.tolist(), strict=True) if weight > 0]
    for conv in encoder.convs:
        h, x = x @ conv.weight, torch.zeros(len(x), 8)
        for i in range(len(x)):
            heard = [target for source, target in edges if source == i]
            scores = [torch.cat([h[i], h[j]]) @ conv.attention[:, 0] for j in heard]
            powers = [torch.exp(score if score > 0 else 0.2 * score) for score in scores]
            for j, power in zip(heard, powers, strict=True):
                x[i] += power / sum(powers) * h[j]
        x = torch.where(x > 0, x, x.exp() - 1)
        hops.append(x)
    return torch.cat(hops, 1) @ encoder.aggregation.weight.t() + encoder.aggregation.bias


@pytest.mark.parametrize("size", [6, 2, 1])
def test_against_the_formula(size):
    encoder, x, edge_index, edge_weight = case(size)
    torch.testing.assert_close(
        encoder(x, edge_index, edge_weight), slow(encoder, x, edge_index, edge_weight), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("size", [6, 2, 1])
def test_attention_against_the_formula(size):
    encoder, x, edge_index, edge_weight = case(size, conv="gat")
    assert (edge_weight > 0).any() and (edge_weight < 0).any()
    torch.testing.assert_close(
        encoder(x, edge_index, edge_weight), slow_attention(encoder, x, edge_index, edge_weight), rtol=1e-4, atol=1e-5
    )


def test_convolution_is_the_default():
    assert [type(conv) for conv in LabelEncoder(4, 8, num_layers=2).convs] == [LabelConv] * 2
    assert [type(conv) for conv in LabelEncoder(4, 8, num_layers=2, conv="gat").convs] == [LabelAttentionConv] * 2


def test_the_slope_is_of_the_hops_of_convolution():
    for conv, matters in (("gcn", True), ("gat", False)):
        encoder, x, edge_index, edge_weight = case(conv=conv)
        before = encoder(x, edge_index, edge_weight)
        encoder.negative_slope = 0.9
        assert torch.equal(encoder(x, edge_index, edge_weight), before) is not matters


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_the_order_of_edges_does_not_matter(conv):
    encoder, x, edge_index, edge_weight = case(conv=conv)
    order = torch.randperm(15)
    torch.testing.assert_close(
        encoder(x, edge_index[:, order], edge_weight[order]), encoder(x, edge_index, edge_weight)
    )


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_the_order_of_labels_carries_over(conv):
    encoder, x, edge_index, edge_weight = case(conv=conv)
    order = torch.randperm(6)
    place = order.argsort()
    torch.testing.assert_close(
        encoder(x[order], place[edge_index], edge_weight), encoder(x, edge_index, edge_weight)[order]
    )


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_no_layers_use_no_graph(conv):
    encoder, x = LabelEncoder(4, 8, num_layers=0, conv=conv), torch.randn(6, 4)
    expected = encoder.aggregation(x)
    for edge_index in (torch.empty(2, 0, dtype=torch.long), torch.tensor([[0], [1]])):
        assert torch.equal(encoder(x, edge_index, torch.ones(edge_index.size(1))), expected)


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_a_label_without_edges_has_a_classifier_and_finite_gradients(conv):
    encoder, x, edge_index, edge_weight = case(conv=conv)
    alone = edge_index.clamp(max=4)
    out = encoder(x, alone, edge_weight)
    assert torch.equal(out[5], encoder.aggregation.bias)
    out.norm(dim=1).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_reset_draws_every_weight_anew(conv):
    encoder, *_ = case(conv=conv)
    before = {name: parameter.clone() for name, parameter in encoder.named_parameters()}
    encoder.reset_parameters()
    assert all(not torch.equal(before[name], parameter) for name, parameter in encoder.named_parameters())


def test_wrong_number_of_layers():
    with pytest.raises(ValueError, match=r"'num_layers' must be at least 0 \(got -1\)"):
        LabelEncoder(4, 8, num_layers=-1)


def test_unknown_conv():
    with pytest.raises(ValueError, match=r"'conv' must be one of gcn, gat \(got 'sage'\)"):
        LabelEncoder(4, 8, conv="sage")
