"""Graph attention against PyG's, against a loop, and its several ways of computing."""

from math import sqrt

import pytest
import torch
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GATConv, GCNConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import remove_self_loops

from labelgraph.nn import LabelAttentionConv, LabelConv, dense_adjacency, propagate, source_norm
from labelgraph.nn import conv as conv_module

X = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
# No edge leads from 4, none but of weight <= 0 from 5, and 6 is alone.
EDGES = torch.tensor([[0, 0, 0, 1, 1, 2, 3, 3, 3, 5, 5], [1, 2, 5, 0, 3, 2, 0, 1, 4, 0, 5]])
WEIGHTS = torch.tensor([0.5, 2.0, -1.0, 0.0, 1.0, 0.25, 1.0, 0.3, 0.9, -0.5, 0.0], dtype=torch.float64)


def layer(in_channels=4, out_channels=3, **arguments):
    torch.manual_seed(0)
    return LabelAttentionConv(in_channels, out_channels, **arguments).double()


def twin(conv):
    """PyG's attention with the same weights."""
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
    monkeypatch.setattr(conv_module, "DENSE_NODES", 0)
    monkeypatch.setattr(conv_module, "DENSE_SHARE", float("inf"))


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
    conv, there = layer(), WEIGHTS > 0
    other = twin(conv)
    ours, theirs = X.clone().requires_grad_(), X.clone().requires_grad_()
    out, expected = conv(ours, EDGES, WEIGHTS), other(theirs, EDGES.flip(0)[:, there])
    torch.testing.assert_close(out, expected)
    goal = torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (out * goal).sum().backward(), (expected * goal).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(conv.weight.grad, other.lin.weight.grad.t())
    torch.testing.assert_close(
        conv.attention.grad.view(2, -1), torch.cat([other.att_dst.grad, other.att_src.grad])[:, 0]
    )


def test_without_weights_every_edge_counts():
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


def test_parallel_edges_count_each():
    conv = layer()
    twice = torch.cat([EDGES, EDGES[:, :1]], 1), torch.cat([WEIGHTS, WEIGHTS[:1]])
    torch.testing.assert_close(conv(X, *twice), slow(conv, X, *twice))
    assert not torch.allclose(conv(X, *twice)[0], conv(X, EDGES, WEIGHTS)[0])


def test_labels_without_positive_edges_receive_nothing_and_have_finite_gradients():
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


def test_coefficients_of_a_listener_sum_to_one():
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


def test_many_labels_go_sparse_and_agree_with_dense(monkeypatch):
    torch.manual_seed(0)
    edge_index, weight = torch.randint(0, 290, (2, 900)), torch.randn(900).double()
    outputs, gradients = [], []
    for nodes in (conv_module.DENSE_NODES, 300):
        monkeypatch.setattr(conv_module, "DENSE_NODES", nodes)
        conv, x = layer(), torch.linspace(-1, 2, 1200).double().view(300, 4).requires_grad_()
        outputs.append(conv(x, edge_index, weight))
        gradients.append(torch.autograd.grad(outputs[-1].square().sum(), (x, conv.weight, conv.attention)))
    assert ["SparseProduct" in out.grad_fn.name() for out in outputs] == [True, False]
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(outputs[0], slow(conv, x, edge_index, weight))


def test_what_explainers_see_equals_the_fast_way():
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


def test_reset_draws_both_weights_anew():
    conv = layer()
    before = [parameter.clone() for parameter in conv.parameters()]
    conv.reset_parameters()
    assert len(before) == 2
    assert all(not torch.equal(old, new) for old, new in zip(before, conv.parameters(), strict=True))


def test_it_tells_its_sizes():
    assert repr(layer()) == "LabelAttentionConv(4, 3)"
    assert {name: tuple(parameter.shape) for name, parameter in layer().named_parameters()} == {
        "weight": (4, 3),
        "attention": (6, 1),
    }


X_CONV = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
EDGES_CONV = torch.tensor([[0, 0, 1, 2, 3, 3, 3], [1, 2, 0, 2, 0, 4, 4]])
WEIGHTS_CONV = torch.tensor([0.5, -1.0, 2.0, 0.25, 1.0, 0.3, -0.9])


def twin_conv(conv):
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
        monkeypatch.setattr(conv_module, "DENSE_NODES", 0)
        monkeypatch.setattr(conv_module, "DENSE_SHARE", float("inf"))
    conv = LabelConv(4, 3, bias=bias)
    torch.testing.assert_close(
        conv(X_CONV, EDGES_CONV, WEIGHTS_CONV), twin_conv(conv)(X_CONV, EDGES_CONV, WEIGHTS_CONV)
    )


def test_weights_default_to_one():
    conv = LabelConv(4, 3)
    torch.testing.assert_close(conv(X_CONV, EDGES_CONV), conv(X_CONV, EDGES_CONV, torch.ones(7)))
    torch.testing.assert_close(conv(X_CONV, EDGES_CONV), twin_conv(conv)(X_CONV, EDGES_CONV))


@pytest.mark.parametrize("bias", [False, True])
def test_what_explainers_see_equals_the_fast_way_of_conv(bias):
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


def test_a_bias_is_added_once_to_what_arrives():
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


def random_graph(size=7, share=0.5, seed=0):
    """Directed, weighted, with self-loops, and with a label that no edge leaves."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.rand(size, size, generator=generator, dtype=torch.float64)
    matrix *= torch.rand(size, size, generator=generator) < share
    matrix[2] = 0
    edge_index = matrix.nonzero().t()
    return edge_index, matrix[*edge_index], matrix


def formula(matrix):
    degree = matrix.sum(1)
    scale = torch.diag(torch.where(degree > 0, degree**-0.5, 0.0))
    return scale @ matrix.t() @ scale


@pytest.mark.parametrize("size", [3, 7, 20])
def test_against_the_dense_formula(size):
    edge_index, weight, matrix = random_graph(size)
    normalised = dense_adjacency(edge_index, source_norm(edge_index, weight, size), size).t()
    torch.testing.assert_close(normalised, formula(matrix))


def test_the_order_of_edges_and_parallel_edges_do_not_matter():
    edge_index, weight, matrix = random_graph()
    order = torch.randperm(weight.numel())
    twice, halves = edge_index[:, order].repeat(1, 2), weight[order].repeat(2) / 2
    normalised = dense_adjacency(twice, source_norm(twice, halves, 7), 7).t()
    torch.testing.assert_close(normalised, formula(matrix))


def test_as_gcn_norm_on_symmetric_graphs_and_not_on_directed_ones():
    edge_index, weight, matrix = random_graph()
    assert not torch.allclose(
        source_norm(edge_index, weight, 7), gcn_norm(edge_index, weight, 7, add_self_loops=False)[1]
    )
    matrix = matrix + matrix.t()
    edge_index = matrix.nonzero().t()
    weight = matrix[*edge_index]
    torch.testing.assert_close(
        source_norm(edge_index, weight, 7), gcn_norm(edge_index, weight, 7, add_self_loops=False)[1]
    )


def test_gradient_of_norm():
    edge_index, weight, _ = random_graph()
    assert torch.autograd.gradcheck(lambda w: source_norm(edge_index, w, 7), weight.requires_grad_())


def test_labels_without_outgoing_weight_get_zero_and_finite_gradients():
    edge_index = torch.tensor([[0, 0, 1, 3, 3], [1, 2, 0, 0, 1]])
    weight = torch.tensor([1.0, 3.0, 0.0, -1.0, 0.5], requires_grad=True)
    normalised = source_norm(edge_index, weight, 5)
    assert normalised.tolist() == [0.0] * 5
    normalised.sum().backward()
    assert torch.isfinite(weight.grad).all()


def test_no_edges():
    assert source_norm(torch.empty(2, 0, dtype=torch.long), torch.empty(0), 3).shape == (0,)


@pytest.fixture(params=["dense", "sparse"])
def way(request, monkeypatch):
    if request.param == "sparse":
        monkeypatch.setattr(conv_module, "DENSE_NODES", 0)
        monkeypatch.setattr(conv_module, "DENSE_SHARE", float("inf"))
        monkeypatch.setattr(conv_module, "EDGE_BLOCK", 5)
    return request.param


def random_graph_propagation(size=6, num_edges=17, channels=3, seed=0):
    """Directed, with signed weights, parallel edges, self-loops and a node without edges."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(0, max(size - 1, 1), (2, num_edges), generator=generator)
    edge_weight = torch.randn(num_edges, generator=generator, dtype=torch.float64)
    return torch.randn(size, channels, generator=generator, dtype=torch.float64), edge_index, edge_weight


def slow_propagation(x, edge_index, edge_weight):
    out = torch.zeros_like(x)
    for (source, target), weight in zip(edge_index.t().tolist(), edge_weight, strict=True):
        out[target] += weight * x[source]
    return out


@pytest.mark.parametrize(("size", "num_edges", "channels"), [(6, 17, 3), (2, 1, 1), (1, 0, 4), (31, 200, 5), (5, 0, 2)])
def test_against_a_loop_of_propagation(way, size, num_edges, channels):
    graph = random_graph_propagation(size, num_edges, channels)
    torch.testing.assert_close(propagate(*graph), slow_propagation(*graph))


def test_direction_counts(way):
    x, edge_index, edge_weight = random_graph_propagation()
    backward = propagate(x, edge_index.flip(0), edge_weight)
    assert not torch.allclose(propagate(x, edge_index, edge_weight), backward)


def test_parallel_edges_add_up(way):
    edge_index = torch.tensor([[0, 0, 0], [1, 1, 1]])
    out = propagate(torch.tensor([[2.0], [7.0]]), edge_index, torch.tensor([1.0, 0.5, -3.0]))
    assert out.tolist() == [[0.0], [-3.0]]


def test_the_order_of_edges_does_not_matter(way):
    x, edge_index, edge_weight = random_graph_propagation()
    order = torch.randperm(edge_weight.numel())
    torch.testing.assert_close(
        propagate(x, edge_index[:, order], edge_weight[order]), propagate(x, edge_index, edge_weight)
    )


def test_gradients(way):
    x, edge_index, edge_weight = random_graph_propagation()
    inputs = (x.requires_grad_(), edge_weight.requires_grad_())
    assert torch.autograd.gradcheck(lambda x, w: propagate(x, edge_index, w), inputs)


@pytest.mark.parametrize("wanted", ["x", "weight"])
def test_gradient_of_one_factor_alone(way, wanted):
    x, edge_index, edge_weight = random_graph_propagation()
    chosen = (x if wanted == "x" else edge_weight).requires_grad_()
    (expected,) = torch.autograd.grad(slow_propagation(x, edge_index, edge_weight).sin().sum(), chosen)
    propagate(x, edge_index, edge_weight).sin().sum().backward()
    torch.testing.assert_close(chosen.grad, expected)


def test_gradients_without_edges(way):
    x, edge_index, edge_weight = random_graph_propagation(num_edges=0)
    propagate(x.requires_grad_(), edge_index, edge_weight.requires_grad_()).sum().backward()
    assert not x.grad.any() and edge_weight.grad.shape == (0,)


@pytest.mark.parametrize(("size", "num_edges", "sparse"), [(40, 300, True), (40, 1600, False), (20, 10, False)])
def test_which_way_is_taken(monkeypatch, size, num_edges, sparse):
    monkeypatch.setattr(conv_module, "DENSE_NODES", 30)
    taken = []
    monkeypatch.setattr(conv_module, "dense_adjacency", lambda *a: taken.append("dense") or dense_adjacency(*a))
    monkeypatch.setattr(conv_module, "DENSE_SHARE", 0.5)
    graph = random_graph_propagation(size, num_edges)
    torch.testing.assert_close(propagate(*graph), slow_propagation(*graph))
    assert taken == ([] if sparse else ["dense"])


def test_dense_adjacency_against_a_loop():
    _, edge_index, edge_weight = random_graph_propagation()
    matrix = [[0.0] * 6 for _ in range(6)]
    for (source, target), weight in zip(edge_index.t().tolist(), edge_weight.tolist(), strict=True):
        matrix[source][target] += weight
    torch.testing.assert_close(dense_adjacency(edge_index, edge_weight, 6), torch.tensor(matrix, dtype=torch.float64))
