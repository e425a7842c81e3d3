"""Normalisation and propagation against dense formulas and loops, for dense and sparse products."""

import pytest
import torch
from torch_geometric.explain.algorithm.utils import set_masks
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from labelgraph.nn import (
    LabelAttentionConv,
    LabelConv,
    complete_edges,
    dense_adjacency,
    propagate,
    propagation,
    source_norm,
    source_norm_matrix,
)


def random_graph(size=7, share=0.5, seed=0):
    """Directed weighted graph with self-loops and a label without outgoing edges."""
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


def test_equals_gcn_norm_on_symmetric_but_not_on_directed_graphs():
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
        monkeypatch.setattr(propagation, "DENSE_NODES", 0)
        monkeypatch.setattr(propagation, "DENSE_SHARE", float("inf"))
        monkeypatch.setattr(propagation, "EDGE_BLOCK", 5)
    return request.param


def random_graph_propagation(size=6, num_edges=17, channels=3, seed=0):
    """Directed graph with signed weights, parallel edges, self-loops and a node without edges."""
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


def test_the_direction_of_edges_matters(way):
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
def test_the_sparse_product_is_used_for_large_sparse_graphs(monkeypatch, size, num_edges, sparse):
    monkeypatch.setattr(propagation, "DENSE_NODES", 30)
    monkeypatch.setattr(propagation, "DENSE_SHARE", 0.5)
    x, edge_index, edge_weight = random_graph_propagation(size, num_edges)
    out = propagate(x.requires_grad_(), edge_index, edge_weight)
    torch.testing.assert_close(out, slow_propagation(x, edge_index, edge_weight))
    assert ("SparseProduct" in out.grad_fn.name()) == sparse


def test_dense_adjacency_against_a_loop():
    _, edge_index, edge_weight = random_graph_propagation()
    matrix = [[0.0] * 6 for _ in range(6)]
    for (source, target), weight in zip(edge_index.t().tolist(), edge_weight.tolist(), strict=True):
        matrix[source][target] += weight
    torch.testing.assert_close(dense_adjacency(edge_index, edge_weight, 6), torch.tensor(matrix, dtype=torch.float64))


def many_nodes(size=300, num_edges=900, dtype=torch.float32):
    """Graph with too many nodes and too few edges for the dense product."""
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(0, size, (2, num_edges), generator=generator)
    weight, x = (torch.randn(*shape, generator=generator).to(dtype) for shape in ((num_edges,), (size, 8)))
    return x, edge_index, weight


@pytest.mark.parametrize(("node", "place"), [(6, 0), (6, 1), (-1, 0), (-1, 1), (10**9, 0), (-(10**9), 1)])
def test_an_edge_to_a_node_that_does_not_exist_raises_an_error(way, node, place):
    x, edge_index, edge_weight = random_graph_propagation()
    edge_index[place, 3] = node
    for call in (
        lambda: propagate(x, edge_index, edge_weight),
        lambda: dense_adjacency(edge_index, edge_weight, 6),
        lambda: source_norm(edge_index, edge_weight, 6),
        lambda: LabelConv(3, 2).double()(x, edge_index, edge_weight),
        lambda: LabelAttentionConv(3, 2).double()(x, edge_index, edge_weight),
        lambda: LabelAttentionConv(3, 2).double()(x, edge_index),
    ):
        with pytest.raises(IndexError, match=rf"'edge_index' must be in \[0, 5\].*\(got {node}\)"):
            call()


@pytest.mark.parametrize(
    ("edge_index", "edge_weight", "message"),
    [
        (torch.zeros(2, 3).bool(), torch.ones(3), r"'edge_index' must be whole numbers \(got torch.bool\)"),
        (torch.zeros(2, 3), torch.ones(3), r"'edge_index' must be whole numbers .*got torch.float32, \(2, 3\)"),
        (torch.rand(6, 6), torch.ones(36), r"'edge_index' .*matrix \(6, 6\)"),
        (torch.rand(5, 5), None, r"'edge_index' .*matrix \(6, 6\) \(got torch.float32, \(5, 5\)"),
        (torch.zeros(3, 2).long(), torch.ones(2), r"'edge_index' must have the shape \(2, E\) \(got \(3, 2\)\)"),
        (torch.zeros(2, 3).long(), torch.ones(2), r"'edge_weight' must have the shape \(3,\).*\(got \(2,\)\)"),
        (torch.zeros(2, 3).long(), torch.ones(3, 1), r"'edge_weight' must have the shape \(3,\).*\(got \(3, 1\)\)"),
    ],
)
def test_errors_name_wrong_edges(way, edge_index, edge_weight, message):
    with pytest.raises(ValueError, match=message):
        propagate(torch.rand(6, 2), edge_index, edge_weight)


def test_lists_of_edges_raise_an_error():
    with pytest.raises(TypeError, match=r"'edge_index' must be a tensor .*list"):
        propagate(torch.rand(2, 2), [[0], [1]], torch.ones(1))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.uint8])
def test_indices_of_any_whole_type(way, dtype):
    x, edge_index, edge_weight = random_graph_propagation()
    torch.testing.assert_close(
        propagate(x, edge_index.to(dtype), edge_weight), slow_propagation(x, edge_index, edge_weight)
    )
    conv = LabelAttentionConv(3, 2).double()
    assert torch.equal(conv(x, edge_index.to(dtype), edge_weight), conv(x, edge_index, edge_weight))


def test_weights_default_to_one_in_propagation(way):
    x, edge_index, _ = random_graph_propagation()
    torch.testing.assert_close(propagate(x, edge_index), slow_propagation(x, edge_index, torch.ones(17)))


def test_the_wider_precision_is_kept(way):
    x, edge_index, edge_weight = random_graph_propagation()
    assert propagate(x.float(), edge_index, edge_weight).dtype == torch.float64
    assert propagate(x.bfloat16(), edge_index, edge_weight.bfloat16()).dtype == torch.bfloat16


def test_second_derivatives(way):
    x, edge_index, edge_weight = random_graph_propagation(num_edges=11, channels=2)
    inputs = (x.requires_grad_(), edge_weight.requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x, w: propagate(x, edge_index, w), inputs)


def test_forward_derivatives(way):
    x, edge_index, edge_weight = random_graph_propagation()
    moved = torch.randn(6, 3, dtype=torch.float64), torch.randn(17, dtype=torch.float64)
    _, tangent = torch.func.jvp(lambda x, w: propagate(x, edge_index, w), (x, edge_weight), moved)
    expected = slow_propagation(moved[0], edge_index, edge_weight) + slow_propagation(x, edge_index, moved[1])
    torch.testing.assert_close(tangent, expected)


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 0), (2, 1)])
def test_mapped_over_features_weights_or_both(way, in_dims):
    x, edge_index, edge_weight = random_graph_propagation()
    many = [value.unsqueeze(0) * torch.arange(1, 5).view(-1, *[1] * value.ndim) for value in (x, edge_weight)]
    arguments = [
        one if dim is None else all_.movedim(0, dim)
        for one, all_, dim in zip((x, edge_weight), many, in_dims, strict=True)
    ]
    out = torch.func.vmap(lambda x, w: propagate(x, edge_index, w).sin(), in_dims)(*arguments)
    for i in range(4):
        own_x, own_weight = (
            value if dim is None else all_[i] for value, all_, dim in zip((x, edge_weight), many, in_dims, strict=True)
        )
        torch.testing.assert_close(out[i], slow_propagation(own_x, edge_index, own_weight).sin())


def test_the_jacobian_of_the_weights(way):
    x, edge_index, edge_weight = random_graph_propagation()
    jacobian = torch.func.jacrev(lambda w: propagate(x, edge_index, w))(edge_weight)
    expected = torch.autograd.functional.jacobian(lambda w: slow_propagation(x, edge_index, w), edge_weight)
    torch.testing.assert_close(jacobian, expected)


@pytest.mark.parametrize("conv", [LabelConv, LabelAttentionConv])
def test_autocast_as_in_dense_products(way, conv):
    x, edge_index, weight = many_nodes()
    layer = conv(8, 4)
    full = layer(x, edge_index, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = layer(x.requires_grad_(), edge_index, weight)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), full, rtol=0.05, atol=0.1)
    out.float().square().sum().backward()
    assert torch.isfinite(x.grad).all() and x.grad.any() and layer.weight.grad.any()


@pytest.mark.parametrize("conv", [LabelConv, LabelAttentionConv])
@pytest.mark.parametrize("size", [20, 300])
def test_layers_compile_as_one_graph_and_are_exported(conv, size):
    x, edge_index, weight = many_nodes(size)
    layer = conv(8, 4)
    expected = layer(x, edge_index, weight)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, edge_index, weight), expected)
    exported = torch.export.export(layer, (x, edge_index, weight)).module()
    torch.testing.assert_close(exported(x, edge_index, weight), expected)


def test_a_matrix_equals_its_edges():
    x, edge_index, edge_weight = random_graph_propagation()
    matrix = dense_adjacency(edge_index, edge_weight, 6)
    edges = complete_edges(6), matrix.flatten()
    torch.testing.assert_close(propagate(x, matrix), slow_propagation(x, edge_index, edge_weight))
    positive = matrix.abs()
    torch.testing.assert_close(source_norm_matrix(positive).flatten(), source_norm(edges[0], positive.flatten(), 6))
    for conv in (LabelConv(3, 4).double(), LabelAttentionConv(3, 4).double()):
        expected = conv(x, *edges)
        torch.testing.assert_close(conv(x, matrix), expected)
        set_masks(conv, torch.ones(36), edges[0], apply_sigmoid=False)
        torch.testing.assert_close(conv(x, matrix), expected)
