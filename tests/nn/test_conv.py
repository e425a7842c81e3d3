"""The graph convolution against PyG's, and its two ways of computing."""

from math import sqrt

import pytest
import torch
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GCNConv

from labelgraph.nn import LabelConv, propagation

X = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
EDGES = torch.tensor([[0, 0, 1, 2, 3, 3, 3], [1, 2, 0, 2, 0, 4, 4]])
WEIGHTS = torch.tensor([0.5, -1.0, 2.0, 0.25, 1.0, 0.3, -0.9])


def twin(conv):
    """PyG's convolution with the same weight."""
    bias = conv.bias is not None
    other = GCNConv(conv.in_channels, conv.out_channels, normalize=False, bias=bias, add_self_loops=False)
    with torch.no_grad():
        other.lin.weight.copy_(conv.weight.t())
        if bias:
            other.bias.copy_(conv.bias)
    return other


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_against_pyg(monkeypatch, sparse, bias):
    if sparse:
        monkeypatch.setattr(propagation, "DENSE_NODES", 0)
        monkeypatch.setattr(propagation, "DENSE_SHARE", float("inf"))
    conv = LabelConv(4, 3, bias=bias)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), twin(conv)(X, EDGES, WEIGHTS))


def test_weights_default_to_one():
    conv = LabelConv(4, 3)
    torch.testing.assert_close(conv(X, EDGES), conv(X, EDGES, torch.ones(7)))
    torch.testing.assert_close(conv(X, EDGES), twin(conv)(X, EDGES))


@pytest.mark.parametrize("bias", [False, True])
def test_what_explainers_see_equals_the_fast_way(bias):
    conv = LabelConv(4, 3, bias=bias)
    fast = conv(X, EDGES, WEIGHTS)
    set_masks(conv, torch.ones(7), EDGES, apply_sigmoid=False)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), fast)
    clear_masks(conv)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), fast)


def test_explainers_can_mask_single_edges():
    conv = LabelConv(4, 3)
    mask = torch.tensor([1.0, 0.0, 0.5, 1.0, 0.0, 1.0, 0.0])
    expected = conv(X, EDGES, WEIGHTS * mask)
    set_masks(conv, mask, EDGES, apply_sigmoid=False)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), expected)


def test_initial_weights_are_uniform_within_the_published_bound():
    torch.manual_seed(0)
    conv = LabelConv(50, 400)
    bound = 1 / sqrt(400)
    assert bound * 0.99 < conv.weight.abs().max() <= bound
    assert conv.weight.std().item() == pytest.approx(bound / sqrt(3), rel=0.02)
    before = conv.weight.clone()
    conv.reset_parameters()
    assert not torch.equal(conv.weight, before)


def test_a_bias_is_added_once_to_what_arrives():
    conv = LabelConv(4, 3, bias=True)
    alone = conv(X, EDGES[:, :2], WEIGHTS[:2])[[0, 3, 4]]
    assert torch.equal(alone, conv.bias.expand(3, 3)) and conv.bias.any()
    plain = LabelConv(4, 3)
    with torch.no_grad():
        plain.weight.copy_(conv.weight)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS) - plain(X, EDGES, WEIGHTS), conv.bias.expand(5, 3))
    conv(X, EDGES, WEIGHTS).sum().backward()
    assert conv.bias.grad.tolist() == [5.0] * 3


def test_the_bias_is_drawn_as_the_weight():
    torch.manual_seed(0)
    conv = LabelConv(3, 400, bias=True)
    bound = 1 / sqrt(400)
    assert bound * 0.98 < conv.bias.abs().max() <= bound
    assert conv.bias.std().item() == pytest.approx(bound / sqrt(3), rel=0.1)
    before = conv.bias.clone()
    conv.reset_parameters()
    assert not torch.equal(conv.bias, before)


def test_it_has_no_bias_by_default_and_tells_its_sizes():
    conv = LabelConv(4, 3)
    assert [name for name, _ in conv.named_parameters()] == ["weight"]
    assert [name for name, _ in LabelConv(4, 3, bias=True).named_parameters()] == ["weight", "bias"]
    assert repr(conv) == "LabelConv(4, 3)"
