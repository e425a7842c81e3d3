"""Adjacency modules against dense formulas and loops."""

from math import exp, sqrt

import numpy as np
import pytest
import torch

from labelgraph.graph import KNN, BinaryAdjacency, Reweight, cooccurrence_graph
from labelgraph.nn import (
    ADJACENCIES,
    AdaptiveAdjacency,
    AttentionAdjacency,
    DenseAdjacency,
    LabelBranch,
    LabelEmbedding,
    LabelEncoder,
    MetricAdjacency,
    StaticAdjacency,
    complete_edges,
    dense_adjacency,
    label_adjacency,
    propagate,
    source_norm,
)

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


def test_residual_is_initialised_as_published():
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


LABELS_ADJACENCY = torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < torch.linspace(0.1, 0.7, 6)
GRAPH = BinaryAdjacency(0.4)(cooccurrence_graph(LABELS_ADJACENCY))
X = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
BUILT = {
    "static": lambda gamma=0.5, num_heads=8, threshold=0.4: StaticAdjacency(GRAPH),
    "adaptive": lambda gamma=0.5, num_heads=8, threshold=0.4: AdaptiveAdjacency(GRAPH, gamma),
    "metric": lambda gamma=0.5, num_heads=8, threshold=0.4: MetricAdjacency(X, num_heads, threshold),
    "attention": lambda gamma=0.5, num_heads=8, threshold=0.4: AttentionAdjacency(3, graph=GRAPH),
}


def test_every_kind_is_covered():
    assert tuple(BUILT) == ADJACENCIES


@pytest.mark.parametrize("options", [{}, {"gamma": 9.0, "num_heads": 2, "threshold": 0.1}])
@pytest.mark.parametrize("kind", ADJACENCIES)
def test_gives_each_kind_with_its_options(kind, options):
    adjacencies = []
    for build in (lambda: label_adjacency(kind, GRAPH, X, **options), lambda: BUILT[kind](**options)):
        torch.manual_seed(0)
        adjacencies.append(build())
    assert type(adjacencies[0]) is type(adjacencies[1])
    (edges, weight), (expected_edges, expected) = (adjacency(X + 0.1) for adjacency in adjacencies)
    assert torch.equal(edges, expected_edges) and torch.equal(weight, expected)


@pytest.mark.parametrize("kind", ["adaptive", "metric"])
def test_options_change_the_adjacency(kind):
    torch.manual_seed(0)
    plain = label_adjacency(kind, GRAPH, X)(X)[1]
    torch.manual_seed(0)
    assert not torch.allclose(label_adjacency(kind, GRAPH, X, gamma=9.0, threshold=0.9)(X)[1], plain)


@pytest.mark.parametrize("conv", ["gcn", "gat"])
@pytest.mark.parametrize("kind", ADJACENCIES)
def test_all_kinds_are_interchangeable(kind, conv):
    torch.manual_seed(0)
    embedding = LabelEmbedding(GRAPH, "learned", 3)
    branch = LabelBranch(embedding, label_adjacency(kind, GRAPH, X), LabelEncoder(3, 5, 2, conv=conv))
    classifiers, edge_index, edge_weight = branch()
    assert classifiers.shape == (6, 5) and edge_index.shape == (2, len(edge_weight))
    classifiers.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in branch.parameters() if p.grad is not None)
    learned = sum(p.grad is not None and p.grad.any().item() for p in branch.adjacency.parameters())
    weights = {"static": 0, "adaptive": 1, "metric": 1, "attention": 2}[kind]
    assert learned == (weights if conv == "gcn" else 0)  # attention uses only the signs of weights


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"'adjacency' must be one of static, adaptive, metric, attention \(got 'x'\)"):
        label_adjacency("x", GRAPH, X)


LABELS_ATTENTION = torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < torch.linspace(0.1, 0.7, 6)


def features(size=6, channels=4, seed=0):
    return torch.randn(size, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def make(in_channels=4, channels=5, graph=None):
    torch.manual_seed(0)
    adjacency = AttentionAdjacency(in_channels, channels, graph)
    with torch.no_grad():
        adjacency.query.weight.mul_(4)
    return adjacency.double()


def label_graph():
    """Directed graph over six labels, and the matrix that multiplies the features."""
    graph = BinaryAdjacency(0.4)(cooccurrence_graph(LABELS_ATTENTION))
    matrix = torch.zeros(6, 6, dtype=torch.float64)
    for (source, target), weight in zip(graph.edge_index.t().tolist(), graph.edge_weight.tolist(), strict=True):
        matrix[source, target] += weight
    degree = matrix.sum(1).tolist()
    propagation = torch.zeros_like(matrix)
    for i in range(6):
        for j in range(6):
            propagation[j, i] = matrix[i, j] / sqrt(degree[i] * degree[j])
    assert not torch.allclose(propagation, propagation.t())
    return graph, propagation


def slow(adjacency, x):
    """Softmax over j of <Q x_i, K x_j> / sqrt(d)."""
    query, key = (x @ linear.weight.t() for linear in (adjacency.query, adjacency.key))
    out = torch.zeros(len(x), len(x), dtype=torch.float64)
    for i in range(len(x)):
        row = [exp((query[i] @ key[j]).item() / sqrt(adjacency.query.out_features)) for j in range(len(x))]
        out[i] = torch.tensor([entry / sum(row) for entry in row])
    return out


def listening(adjacency, x, *similarity):
    """The matrix that multiplies the features, computed by a propagation step."""
    edge_index, weight = adjacency(x, *similarity)
    assert torch.equal(edge_index, complete_edges(len(x)))
    return propagate(torch.eye(len(x), dtype=x.dtype), edge_index, weight)


@pytest.mark.parametrize("size", [6, 2, 1])
def test_coefficients_against_a_loop(size):
    adjacency, x = make(), features(size)
    coefficients = adjacency.coefficients(x)
    torch.testing.assert_close(coefficients, slow(adjacency, x))
    torch.testing.assert_close(coefficients.sum(1), torch.ones(size).double())
    assert size == 1 or not torch.allclose(coefficients, coefficients.t())


def test_each_node_attends_by_its_row():
    adjacency, x = make(), features()
    similarity, y = torch.randn(6, 6).double(), features(6, 3, seed=1)
    p = slow(adjacency, x) + similarity
    expected = torch.stack([sum(p[i, j] * y[j] for j in range(6)) for i in range(6)])
    torch.testing.assert_close(propagate(y, *adjacency(x, similarity)), expected)


def test_without_any_similarity():
    adjacency, x = make(), features()
    torch.testing.assert_close(listening(adjacency, x), slow(adjacency, x))
    assert adjacency.static is None


def test_the_sign_of_the_similarity_is_kept():
    adjacency, x = make(), features()
    similarity = -2 * torch.eye(6).double()
    p = listening(adjacency, x, similarity)
    torch.testing.assert_close(p, slow(adjacency, x) + similarity)
    assert (p.diagonal() < 0).all()


def test_the_source_normalised_label_graph_is_added():
    graph, propagation = label_graph()
    adjacency, x = make(graph=graph), features()
    torch.testing.assert_close(listening(adjacency, x), slow(adjacency, x) + propagation, rtol=1e-5, atol=1e-6)


def test_a_given_similarity_replaces_the_graph():
    adjacency, x = make(graph=label_graph()[0]), features()
    similarity = torch.randn(6, 6).double()
    torch.testing.assert_close(listening(adjacency, x, similarity), slow(adjacency, x) + similarity)
    torch.testing.assert_close(listening(adjacency, x, 0 * similarity), slow(adjacency, x))


def test_batches_of_any_size():
    adjacency = make()
    for size in (1, 5, 2, 11):
        x, similarity = features(size, seed=size), torch.randn(size, size).double()
        torch.testing.assert_close(listening(adjacency, x, similarity), slow(adjacency, x) + similarity)


def test_reordered_items_reorder_the_result():
    adjacency, x, similarity = make(), features(), torch.randn(6, 6).double()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    moved = listening(adjacency, x[order], similarity[order][:, order])
    torch.testing.assert_close(moved, listening(adjacency, x, similarity)[order][:, order])


def test_gradient_reaches_features_weights_and_similarity():
    adjacency, x = make(), features(3)
    inputs = (x.requires_grad_(), features(3, 3, seed=1).requires_grad_(), *adjacency.parameters())
    assert torch.autograd.gradcheck(lambda x, similarity, *_: adjacency(x, similarity)[1], inputs)


def test_queries_and_keys_are_learned_and_the_graph_is_saved():
    adjacency = make(graph=label_graph()[0])
    assert {name: tuple(parameter.shape) for name, parameter in adjacency.named_parameters()} == {
        "query.weight": (5, 4),
        "key.weight": (5, 4),
    }
    assert set(adjacency.state_dict()) == {"query.weight", "key.weight", "static"}
    assert set(make().state_dict()) == {"query.weight", "key.weight"}
    assert AttentionAdjacency(4).query.out_features == 64


def test_reset_reinitialises_both_weights():
    adjacency = make()
    before = [parameter.clone() for parameter in adjacency.parameters()]
    adjacency.reset_parameters()
    assert all(not torch.equal(old, new) for old, new in zip(before, adjacency.parameters(), strict=True))


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_all_pairs_sorted_by_source(size):
    edges = complete_edges(size)
    assert edges.shape == (2, size**2) and edges.dtype == torch.long
    assert edges.t().tolist() == [[source, target] for source in range(size) for target in range(size)]


def test_the_entries_of_a_matrix_row_by_row_are_its_weights():
    matrix = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(dense_adjacency(complete_edges(5), matrix.flatten(), 5), matrix)


def test_device():
    assert complete_edges(3).device.type == "cpu"
    assert complete_edges(3, "meta").device.type == complete_edges(3, torch.device("meta")).device.type == "meta"


def embeddings(size=7, channels=4, seed=0):
    """Positive and negative embeddings, with a zero row and two equal rows."""
    x = torch.randn(size, channels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x[size // 2] = 0
    if size > 1:
        x[0] = x[1]
    return x


def make_metric(x, num_heads=3, weights=None, **arguments):
    torch.manual_seed(0)
    adjacency = MetricAdjacency(x, num_heads, **arguments).double()
    with torch.no_grad():
        adjacency.weight.copy_(torch.randn(num_heads, x.size(1)) if weights is None else torch.tensor(weights))
    return adjacency


def cosine(a, b):
    length = sqrt(sum(p * p for p in a)) * sqrt(sum(q * q for q in b))
    return sum(p * q for p, q in zip(a, b, strict=True)) / length if length else 0.0


def slow_metric(initial, x, heads, threshold):
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
    adjacency = make_metric(initial, num_heads, threshold=threshold, normalize=False)
    edge_index, weight = adjacency(x)
    assert torch.equal(edge_index, complete_edges(7))
    expected = slow_metric(initial, x, adjacency.weight.detach(), threshold)
    torch.testing.assert_close(weight.view(7, 7), expected)
    assert (expected == 0).any() and not torch.equal(expected, slow_metric(x, x, adjacency.weight.detach(), threshold))


@pytest.mark.parametrize("size", [7, 2, 1])
def test_normalisation_by_the_out_degree(size):
    initial, x = embeddings(size), embeddings(size, seed=1)
    adjacency = make_metric(initial)
    propagation = dense_adjacency(*adjacency(x), size).t()
    torch.testing.assert_close(propagation, normalised(slow_metric(initial, x, adjacency.weight.detach(), 0.4)))


def test_thresholds_after_the_mean_over_the_heads():
    """The cosines of the heads are 1 and 0; the mean is below 0.6 and above 0.4."""
    x, heads = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).double(), [[1.0, 0.0], [0.0, 1.0]]
    static = 0.5**0.5
    for threshold, learned in ((0.6, 0.0), (0.4, 0.5)):
        _, weight = make_metric(x, 2, heads, threshold=threshold, normalize=False)(x)
        assert weight.view(2, 2)[0, 1].item() == pytest.approx(0.5 * static + 0.5 * learned)
    assert make_metric(x, 2, heads, threshold=0.8, normalize=False)(x)[1].view(2, 2)[0, 1] == 0


def test_a_cosine_equal_to_the_threshold_is_kept():
    x = torch.tensor([[2.0, 0.0], [3.0, 4.0]]).double()
    _, weight = make_metric(x, 1, [[0.5, 0.5]], threshold=0.6, normalize=False)(x)
    assert weight.tolist() == pytest.approx([1.0, 0.6, 0.6, 1.0])


def test_the_fixed_half_does_not_depend_on_current_embeddings():
    initial = embeddings()
    parameter = torch.nn.Parameter(initial.clone())
    adjacency = make_metric(parameter, normalize=False)
    static = adjacency.static.clone()
    with torch.no_grad():
        parameter.mul_(torch.linspace(-2, 3, 28).view(7, 4))
    _, weight = adjacency(parameter)
    assert torch.equal(adjacency.static, static) and not adjacency.static.requires_grad
    heads = adjacency.weight.detach()
    torch.testing.assert_close(weight.view(7, 7), slow_metric(initial, parameter.detach(), heads, 0.4))


def test_gradient_reaches_embeddings_and_heads():
    initial, x = embeddings(5), embeddings(5, seed=1)
    x[2] = torch.tensor([1.0, 2.0, -1.0, 0.5])
    adjacency = make_metric(initial, 2)
    inputs = (x.requires_grad_(), adjacency.weight)
    assert torch.autograd.gradcheck(lambda x, _: adjacency(x)[1], inputs)


def test_a_label_without_embedding_has_no_edges_and_finite_gradients():
    x = embeddings().requires_grad_()
    adjacency = make_metric(x.detach())
    _, weight = adjacency(x)
    matrix = weight.view(7, 7)
    assert not matrix[3].any() and not matrix[:, 3].any() and matrix[[0, 1, 2, 4, 5, 6]].any(1).all()
    (weight * torch.linspace(-1, 1, 49)).sum().backward()
    assert torch.isfinite(x.grad).all() and torch.isfinite(adjacency.weight.grad).all()
    assert adjacency.weight.grad.any()


def test_heads_are_initialised_as_published():
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
    adjacency = make_metric(embeddings())
    assert [name for name, _ in adjacency.named_parameters()] == ["weight"]
    assert set(adjacency.state_dict()) == {"weight", "static"}


def test_the_error_names_a_wrong_number_of_heads():
    with pytest.raises(ValueError, match=r"'num_heads' must be at least 1 \(got 0\)"):
        MetricAdjacency(embeddings(), 0)


@pytest.mark.parametrize("normalize", [True, False])
def test_static_adjacency_returns_the_edges_of_the_graph(normalize):
    graph = Reweight(0.3)(KNN(2)(cooccurrence_graph(LABELS)))
    edge_index, weight = StaticAdjacency(graph, normalize)(torch.rand(6, 2))
    expected = source_norm(graph.edge_index, graph.edge_weight, 6) if normalize else graph.edge_weight
    assert torch.equal(edge_index, graph.edge_index) and torch.equal(weight, expected)
    assert not torch.equal(source_norm(graph.edge_index, graph.edge_weight, 6), graph.edge_weight)


def test_static_adjacency_does_not_share_memory_with_the_graph():
    graph = cooccurrence_graph(LABELS)
    adjacency = StaticAdjacency(graph, normalize=False)
    adjacency.edge_weight.zero_()
    adjacency.edge_index.zero_()
    assert graph.edge_weight.all() and graph.edge_index.any()


def test_static_adjacency_has_no_parameters_and_is_saved():
    adjacency = StaticAdjacency(cooccurrence_graph(LABELS))
    assert not list(adjacency.parameters()) and set(adjacency.state_dict()) == {"edge_index", "edge_weight"}


@pytest.mark.parametrize("kind", ["adaptive", "metric", "attention"])
def test_the_matrix_equals_the_edges(kind):
    adjacency = label_adjacency(kind, GRAPH, X)
    matrix = adjacency.matrix(X)
    assert isinstance(adjacency, DenseAdjacency)
    torch.testing.assert_close(dense_adjacency(*adjacency(X), 6), matrix)


@pytest.mark.parametrize("conv", ["gcn", "gat"])
@pytest.mark.parametrize("kind", ADJACENCIES)
def test_a_branch_propagates_with_the_matrix_as_with_its_edges(kind, conv):
    torch.manual_seed(0)
    branch = LabelBranch(
        LabelEmbedding(GRAPH, "learned", 3), label_adjacency(kind, GRAPH, X), LabelEncoder(3, 5, 2, conv=conv)
    )
    classifiers, *edges = branch()
    torch.testing.assert_close(branch.encoder(branch.embedding(), *edges), classifiers)


@pytest.mark.parametrize(
    "build", [StaticAdjacency, AdaptiveAdjacency, lambda graph: AttentionAdjacency(3, graph=graph)]
)
def test_constructors_check_graphs(build):
    graph = GRAPH.clone()
    graph.edge_index[0, 1] = 6
    with pytest.raises(IndexError, match=r"'edge_index' must be in \[0, 5\].*\(got 6\)"):
        build(graph)
    del graph.edge_weight
    with pytest.raises(ValueError, match="'graph' must carry 'edge_weight'"):
        build(graph)
    with pytest.raises(TypeError, match=r"'graph' must be a label graph.*\(got list\)"):
        build([[0, 1]])


def test_cosines_of_very_short_embeddings():
    torch.testing.assert_close(MetricAdjacency(1e-14 * X).static, MetricAdjacency(X).static)


@pytest.fixture
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.parametrize("kind", ADJACENCIES)
def test_all_kinds_follow_the_default_precision(kind, double):
    graph = BinaryAdjacency(0.4)(cooccurrence_graph(LABELS))
    embedding = LabelEmbedding(cooccurrence_graph(LABELS))
    adjacency = label_adjacency(kind, graph, embedding().detach())
    classifiers, _, weight = LabelBranch(embedding, adjacency, LabelEncoder(embedding.channels, 5))()
    assert classifiers.dtype == weight.dtype == torch.float64
