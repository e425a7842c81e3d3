"""Graph attention and convolution against PyG and loops, with dense, sparse and message-passing computation."""

from math import sqrt

import pytest
import torch
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GATConv, GCNConv
from torch_geometric.utils import remove_self_loops

from labelgraph.nn import LabelAttentionConv, LabelConv, propagation

X = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
# Label 4 has no outgoing edges, label 5 only edges of weight <= 0, and label 6 has no edges.
EDGES = torch.tensor([[0, 0, 0, 1, 1, 2, 3, 3, 3, 5, 5], [1, 2, 5, 0, 3, 2, 0, 1, 4, 0, 5]])
WEIGHTS = torch.tensor([0.5, 2.0, -1.0, 0.0, 1.0, 0.25, 1.0, 0.3, 0.9, -0.5, 0.0], dtype=torch.float64)


def layer(in_channels=4, out_channels=3, **arguments):
    torch.manual_seed(0)
    return LabelAttentionConv(in_channels, out_channels, **arguments).double()


def twin(conv):
    """Attention of PyG with the same weights."""
    other = GATConv(conv.in_channels, conv.out_channels, heads=1, bias=False, add_self_loops=False).double()
    own, heard = conv.attention.view(2, -1)
    with torch.no_grad():
        other.lin.weight.copy_(conv.weight.t())
        other.att_dst.copy_(own.view(1, 1, -1))
        other.att_src.copy_(heard.view(1, 1, -1))
    return other


def slow(conv, x, edge_index, edge_weight, slope=0.2, mask=None):
    h, out = x @ conv.weight, x.new_zeros(len(x), conv.out_channels)
    edges = list(zip(edge_index.t().tolist(), edge_weight.tolist(), strict=True))
    for i in range(len(x)):
        heard = [(edge, j) for edge, ((source, j), weight) in enumerate(edges) if source == i and weight > 0]
        raw = [torch.cat([h[i], h[j]]) @ conv.attention[:, 0] for _, j in heard]
        exponentials = [torch.exp(e if e > 0 else slope * e) for e in raw]
        for (edge, j), exponential in zip(heard, exponentials, strict=True):
            share = 1.0 if mask is None else mask[edge]
            out[i] += share * exponential / sum(exponentials) * h[j]
    return out


def make_sparse(monkeypatch):
    monkeypatch.setattr(propagation, "DENSE_NODES", 0)
    monkeypatch.setattr(propagation, "DENSE_SHARE", float("inf"))


@pytest.mark.parametrize("sparse", [False, True])
def test_against_a_loop(monkeypatch, sparse):
    if sparse:
        make_sparse(monkeypatch)
    conv = layer()
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), slow(conv, X, EDGES, WEIGHTS))


@pytest.mark.parametrize("sparse", [False, True])
def test_against_pyg_with_its_gradients(monkeypatch, sparse):
    if sparse:
        make_sparse(monkeypatch)
    conv, present = layer(), WEIGHTS > 0
    other = twin(conv)
    ours, theirs = X.clone().requires_grad_(), X.clone().requires_grad_()
    out, expected = conv(ours, EDGES, WEIGHTS), other(theirs, EDGES.flip(0)[:, present])
    torch.testing.assert_close(out, expected)
    goal = torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (out * goal).sum().backward(), (expected * goal).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(conv.weight.grad, other.lin.weight.grad.t())
    torch.testing.assert_close(
        conv.attention.grad.view(2, -1), torch.cat([other.att_dst.grad, other.att_src.grad])[:, 0]
    )


def test_without_weights_every_edge_is_used():
    conv = layer()
    torch.testing.assert_close(conv(X, EDGES), twin(conv)(X, EDGES.flip(0)))
    torch.testing.assert_close(conv(X, EDGES), conv(X, EDGES, torch.full((11,), 0.3).double()))


def test_messages_run_against_the_edges():
    conv = layer()
    out = conv(X[:2], torch.tensor([[0], [1]]))
    torch.testing.assert_close(out, torch.stack([X[1] @ conv.weight, torch.zeros(3).double()]))


def test_only_the_sign_of_weights_matters():
    conv = layer()
    assert torch.equal(conv(X, EDGES, WEIGHTS), conv(X, EDGES, WEIGHTS.sign()))


def test_parallel_edges_count_separately():
    conv = layer()
    twice = torch.cat([EDGES, EDGES[:, :1]], 1), torch.cat([WEIGHTS, WEIGHTS[:1]])
    torch.testing.assert_close(conv(X, *twice), slow(conv, X, *twice))
    assert not torch.allclose(conv(X, *twice)[0], conv(X, EDGES, WEIGHTS)[0])


def test_labels_without_positive_edges_are_zero_with_finite_gradients():
    conv, x = layer(), X.clone().requires_grad_()
    out = conv(x, EDGES, WEIGHTS)
    assert not out[4:].any() and out[:4].any(1).all()
    out[4:].sum().backward()
    assert not x.grad.any() and not conv.weight.grad.any() and not conv.attention.grad.any()
    conv(x, EDGES, WEIGHTS).square().sum().backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in (x, conv.weight, conv.attention))
    assert conv.attention.grad.any()


def test_no_positive_edge_at_all():
    conv = layer()
    for edge_index, weight in ((EDGES, -WEIGHTS.abs()), (EDGES[:, :0], WEIGHTS[:0]), (EDGES[:, :0], None)):
        assert torch.equal(conv(X, edge_index, weight), torch.zeros(7, 3).double())


def test_coefficients_of_each_source_sum_to_one():
    conv = layer()
    alpha = conv.coefficients(X @ conv.weight, EDGES, WEIGHTS)
    assert torch.equal(alpha > 0, WEIGHTS > 0)
    total = torch.zeros(7).double().index_add(0, EDGES[0], alpha)
    torch.testing.assert_close(total, torch.tensor([1.0, 1, 1, 1, 0, 0, 0]).double())


@pytest.mark.parametrize("scale", [1e4, 1e-300])
def test_extreme_scores_are_finite(scale):
    conv, x = layer(), (scale * X).requires_grad_()
    out = conv(x, EDGES, WEIGHTS)
    out.sum().backward()
    assert torch.isfinite(out).all() and torch.isfinite(x.grad).all()


def test_slope():
    conv = layer(negative_slope=0.7)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), slow(conv, X, EDGES, WEIGHTS, slope=0.7))
    assert not torch.allclose(conv(X, EDGES, WEIGHTS), slow(conv, X, EDGES, WEIGHTS))


def test_the_sparse_product_of_many_labels_equals_the_dense_product(monkeypatch):
    torch.manual_seed(0)
    edge_index, weight = torch.randint(0, 290, (2, 900)), torch.randn(900).double()
    outputs, gradients = [], []
    for nodes in (propagation.DENSE_NODES, 300):
        monkeypatch.setattr(propagation, "DENSE_NODES", nodes)
        conv, x = layer(), torch.linspace(-1, 2, 1200).double().view(300, 4).requires_grad_()
        outputs.append(conv(x, edge_index, weight))
        gradients.append(torch.autograd.grad(outputs[-1].square().sum(), (x, conv.weight, conv.attention)))
    assert ["SparseProduct" in out.grad_fn.name() for out in outputs] == [True, False]
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(outputs[0], slow(conv, x, edge_index, weight))


def test_messages_for_explainers_equal_the_product():
    conv = layer()
    fast = conv(X, EDGES, WEIGHTS)
    set_masks(conv, torch.ones(11), EDGES, apply_sigmoid=False)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), fast)
    clear_masks(conv)
    torch.testing.assert_close(conv(X, EDGES, WEIGHTS), fast)


def test_explainers_can_mask_single_edges():
    conv = layer()
    edge_index, weight = remove_self_loops(EDGES, WEIGHTS)
    mask = torch.tensor([0.0, 1.0, 1.0, 1.0, 0.5, 0.25, 1.0, 0.0, 1.0])
    expected = slow(conv, X, edge_index, weight, mask=mask.tolist())
    set_masks(conv, mask, edge_index, apply_sigmoid=False)
    torch.testing.assert_close(conv(X, edge_index, weight), expected)


def test_gradient():
    conv = layer()
    assert torch.autograd.gradcheck(
        lambda x, *_: conv(x, EDGES, WEIGHTS), (X.clone().requires_grad_(), *conv.parameters())
    )


def test_initial_weights_are_xavier_uniform_with_the_published_gain():
    torch.manual_seed(0)
    conv = LabelAttentionConv(200, 300)
    for parameter, fans in ((conv.weight, 200 + 300), (conv.attention, 2 * 300 + 1)):
        bound = 1.414 * sqrt(6 / fans)
        assert bound * 0.98 < parameter.abs().max() <= bound
        assert parameter.std().item() == pytest.approx(bound / sqrt(3), rel=0.1)
        assert parameter.mean().item() == pytest.approx(0, abs=bound / 10)


def test_reset_reinitialises_both_weights():
    conv = layer()
    before = [parameter.clone() for parameter in conv.parameters()]
    conv.reset_parameters()
    assert len(before) == 2
    assert all(not torch.equal(old, new) for old, new in zip(before, conv.parameters(), strict=True))


def test_the_representation_shows_the_sizes():
    assert repr(layer()) == "LabelAttentionConv(4, 3)"
    assert {name: tuple(parameter.shape) for name, parameter in layer().named_parameters()} == {
        "weight": (4, 3),
        "attention": (6, 1),
    }


X_CONV = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
EDGES_CONV = torch.tensor([[0, 0, 1, 2, 3, 3, 3], [1, 2, 0, 2, 0, 4, 4]])
WEIGHTS_CONV = torch.tensor([0.5, -1.0, 2.0, 0.25, 1.0, 0.3, -0.9])


def twin_conv(conv):
    """Convolution of PyG with the same weight."""
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
    torch.testing.assert_close(
        conv(X_CONV, EDGES_CONV, WEIGHTS_CONV), twin_conv(conv)(X_CONV, EDGES_CONV, WEIGHTS_CONV)
    )


def test_weights_default_to_one():
    conv = LabelConv(4, 3)
    torch.testing.assert_close(conv(X_CONV, EDGES_CONV), conv(X_CONV, EDGES_CONV, torch.ones(7)))
    torch.testing.assert_close(conv(X_CONV, EDGES_CONV), twin_conv(conv)(X_CONV, EDGES_CONV))


@pytest.mark.parametrize("bias", [False, True])
def test_messages_for_explainers_equal_the_product_of_conv(bias):
    conv = LabelConv(4, 3, bias=bias)
    fast = conv(X_CONV, EDGES_CONV, WEIGHTS_CONV)
    set_masks(conv, torch.ones(7), EDGES_CONV, apply_sigmoid=False)
    torch.testing.assert_close(conv(X_CONV, EDGES_CONV, WEIGHTS_CONV), fast)
    clear_masks(conv)
    torch.testing.assert_close(conv(X_CONV, EDGES_CONV, WEIGHTS_CONV), fast)


def test_explainers_can_mask_single_edges_of_conv():
    conv = LabelConv(4, 3)
    mask = torch.tensor([1.0, 0.0, 0.5, 1.0, 0.0, 1.0, 0.0])
    expected = conv(X_CONV, EDGES_CONV, WEIGHTS_CONV * mask)
    set_masks(conv, mask, EDGES_CONV, apply_sigmoid=False)
    torch.testing.assert_close(conv(X_CONV, EDGES_CONV, WEIGHTS_CONV), expected)


def test_initial_weights_are_uniform_within_the_published_bound():
    torch.manual_seed(0)
    conv = LabelConv(50, 400)
    bound = 1 / sqrt(400)
    assert bound * 0.99 < conv.weight.abs().max() <= bound
    assert conv.weight.std().item() == pytest.approx(bound / sqrt(3), rel=0.02)
    before = conv.weight.clone()
    conv.reset_parameters()
    assert not torch.equal(conv.weight, before)


def test_the_bias_is_added_once_to_the_output():
    conv = LabelConv(4, 3, bias=True)
    alone = conv(X_CONV, EDGES_CONV[:, :2], WEIGHTS_CONV[:2])[[0, 3, 4]]
    assert torch.equal(alone, conv.bias.expand(3, 3)) and conv.bias.any()
    plain = LabelConv(4, 3)
    with torch.no_grad():
        plain.weight.copy_(conv.weight)
    torch.testing.assert_close(
        conv(X_CONV, EDGES_CONV, WEIGHTS_CONV) - plain(X_CONV, EDGES_CONV, WEIGHTS_CONV), conv.bias.expand(5, 3)
    )
    conv(X_CONV, EDGES_CONV, WEIGHTS_CONV).sum().backward()
    assert conv.bias.grad.tolist() == [5.0] * 3


def test_the_bias_is_initialised_like_the_weight():
    torch.manual_seed(0)
    conv = LabelConv(3, 400, bias=True)
    bound = 1 / sqrt(400)
    assert bound * 0.98 < conv.bias.abs().max() <= bound
    assert conv.bias.std().item() == pytest.approx(bound / sqrt(3), rel=0.1)
    before = conv.bias.clone()
    conv.reset_parameters()
    assert not torch.equal(conv.bias, before)


def test_no_bias_by_default_and_the_representation_shows_the_sizes():
    conv = LabelConv(4, 3)
    assert [name for name, _ in conv.named_parameters()] == ["weight"]
    assert [name for name, _ in LabelConv(4, 3, bias=True).named_parameters()] == ["weight", "bias"]
    assert repr(conv) == "LabelConv(4, 3)"
