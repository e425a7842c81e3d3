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
    other = GCNConv(conv.in_channels, conv.out_channels, normalize=False, bias=False, add_self_loops=False)
    with torch.no_grad():
        other.lin.weight.copy_(conv.weight.t())
    return other


@pytest.mark.parametrize("sparse", [False, True])
def test_against_pyg(monkeypatch, sparse):
    if sparse:
        monkeypatch.setattr(propagation, "DENSE_NODES", 0)
        monkeypatch.setattr(propagation, "DENSE_SHARE", float("inf"))
    conv = LabelConv(4, 3)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), twin(conv)(X, EDGES, WEIGHTS))


def test_weights_default_to_one():
    conv = LabelConv(4, 3)
    torch.testing.assert_close(conv(X, EDGES), conv(X, EDGES, torch.ones(7)))
    torch.testing.assert_close(conv(X, EDGES), twin(conv)(X, EDGES))


def test_what_explainers_see_equals_the_fast_way():
    conv = LabelConv(4, 3)
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


def test_it_has_no_bias_and_tells_its_sizes():
    conv = LabelConv(4, 3)
    assert [name for name, _ in conv.named_parameters()] == ["weight"]
    assert repr(conv) == "LabelConv(4, 3)"
