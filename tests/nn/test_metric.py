"""The adjacency of similar embeddings against loops."""

from math import sqrt

import pytest
import torch

from labelgraph.nn import MetricAdjacency, complete_edges, dense_adjacency


def embeddings(size=7, channels=4, seed=0):
    """Of either sign, with an all-zero row and two equal ones."""
    x = torch.randn(size, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x[size // 2] = 0
    if size > 1:
        x[0] = x[1]
    return x


def make(x, num_heads=3, weights=None, **arguments):
    torch.manual_seed(0)
    adjacency = MetricAdjacency(x, num_heads, **arguments).double()
    with torch.no_grad():
        adjacency.weight.copy_(torch.randn(num_heads, x.size(1)) if weights is None else torch.tensor(weights))
    return adjacency


def cosine(a, b):
    length = sqrt(sum(p * p for p in a)) * sqrt(sum(q * q for q in b))
    return sum(p * q for p, q in zip(a, b, strict=True)) / length if length else 0.0


def slow(initial, x, heads, threshold):
    """The matrix before normalisation."""
    size = len(x)
    matrix = torch.zeros(size, size, dtype=torch.float64)
    for i in range(size):
        for j in range(size):
            static = cosine(initial[i].tolist(), initial[j].tolist())
            learned = sum(cosine((x[i] * w).tolist(), (x[j] * w).tolist()) for w in heads) / len(heads)
            matrix[i, j] = 0.5 * (static if static >= threshold else 0) + 0.5 * (learned if learned >= threshold else 0)
    return matrix


def normalised(matrix):
    degree = matrix.sum(1)
    scale = torch.diag(torch.where(degree > 0, degree**-0.5, 0.0))
    return scale @ matrix.t() @ scale


@pytest.mark.parametrize(("num_heads", "threshold"), [(3, 0.4), (1, 0.4), (8, 0.1), (2, 0.9)])
def test_against_loops(num_heads, threshold):
    initial, x = embeddings(), embeddings(seed=1)
    adjacency = make(initial, num_heads, threshold=threshold, normalize=False)
    edge_index, weight = adjacency(x)
    assert torch.equal(edge_index, complete_edges(7))
    expected = slow(initial, x, adjacency.weight.detach(), threshold)
    torch.testing.assert_close(weight.view(7, 7), expected)
    assert (expected == 0).any() and not torch.equal(expected, slow(x, x, adjacency.weight.detach(), threshold))


@pytest.mark.parametrize("size", [7, 2, 1])
def test_normalisation_by_the_outgoing_degree(size):
    initial, x = embeddings(size), embeddings(size, seed=1)
    adjacency = make(initial)
    propagation = dense_adjacency(*adjacency(x), size).t()
    torch.testing.assert_close(propagation, normalised(slow(initial, x, adjacency.weight.detach(), 0.4)))


def test_thresholds_after_the_mean_over_the_heads():
    """The heads see cosines 1 and 0: their mean is below 0.6, and above 0.4."""
    x, heads = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).double(), [[1.0, 0.0], [0.0, 1.0]]
    static = 0.5**0.5
    for threshold, learned in ((0.6, 0.0), (0.4, 0.5)):
        _, weight = make(x, 2, heads, threshold=threshold, normalize=False)(x)
        assert weight.view(2, 2)[0, 1].item() == pytest.approx(0.5 * static + 0.5 * learned)
    assert make(x, 2, heads, threshold=0.8, normalize=False)(x)[1].view(2, 2)[0, 1] == 0


def test_a_cosine_equal_to_the_threshold_stays():
    x = torch.tensor([[2.0, 0.0], [3.0, 4.0]]).double()
    _, weight = make(x, 1, [[0.5, 0.5]], threshold=0.6, normalize=False)(x)
    assert weight.tolist() == pytest.approx([1.0, 0.6, 0.6, 1.0])


def test_the_fixed_half_stays_when_the_embeddings_change():
    initial = embeddings()
    parameter = torch.nn.Parameter(initial.clone())
    adjacency = make(parameter, normalize=False)
    static = adjacency.static.clone()
    with torch.no_grad():
        parameter.mul_(torch.linspace(-2, 3, 28).view(7, 4))
    _, weight = adjacency(parameter)
    assert torch.equal(adjacency.static, static) and not adjacency.static.requires_grad
    heads = adjacency.weight.detach()
    torch.testing.assert_close(weight.view(7, 7), slow(initial, parameter.detach(), heads, 0.4))


def test_gradient_reaches_embeddings_and_heads():
    initial, x = embeddings(5), embeddings(5, seed=1)
    x[2] = torch.tensor([1.0, 2.0, -1.0, 0.5])
    adjacency = make(initial, 2)
    inputs = (x.requires_grad_(), adjacency.weight)
    assert torch.autograd.gradcheck(lambda x, _: adjacency(x)[1], inputs)


def test_a_label_without_embedding_has_no_edges_and_finite_gradients():
    x = embeddings().requires_grad_()
    adjacency = make(x.detach())
    _, weight = adjacency(x)
    matrix = weight.view(7, 7)
    assert not matrix[3].any() and not matrix[:, 3].any() and matrix[[0, 1, 2, 4, 5, 6]].any(1).all()
    (weight * torch.linspace(-1, 1, 49)).sum().backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(adjacency.weight.grad).all()
    assert adjacency.weight.grad.any()


def test_heads_are_drawn_as_published():
    torch.manual_seed(0)
    adjacency = MetricAdjacency(torch.eye(200), 20)
    assert adjacency.weight.shape == (20, 200)
    assert 0.3 <= adjacency.weight.min() < 0.301 and 0.599 < adjacency.weight.max() <= 0.6
    assert adjacency.weight.mean().item() == pytest.approx(0.45, rel=0.01)
    before = adjacency.weight.clone()
    adjacency.reset_parameters()
    assert not torch.equal(adjacency.weight, before)


def test_defaults():
    adjacency = MetricAdjacency(embeddings())
    assert adjacency.weight.shape == (8, 4) and adjacency.threshold == 0.4 and adjacency.normalize


def test_only_the_heads_are_learned_and_the_pairs_are_not_saved():
    adjacency = make(embeddings())
    assert [name for name, _ in adjacency.named_parameters()] == ["weight"]
    assert set(adjacency.state_dict()) == {"weight", "static"}


def test_no_head():
    with pytest.raises(ValueError, match=r"'num_heads' must be at least 1 \(got 0\)"):
        MetricAdjacency(embeddings(), 0)
