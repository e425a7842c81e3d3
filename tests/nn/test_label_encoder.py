"""Label embeddings, the multi-hop encoder, the label branch and cosine scores."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from labelgraph.graph import BinaryAdjacency, cooccurrence_graph, pmi_svd
from labelgraph.nn import (
    AdaptiveAdjacency,
    LabelAttentionConv,
    LabelBranch,
    LabelConv,
    LabelEmbedding,
    LabelEncoder,
    StaticAdjacency,
    cosine_scores,
)


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
    """Row i attends to the targets j of the edges i -> j of positive weight."""
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


def test_the_slope_is_used_by_the_hops_of_convolution():
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
def test_reordered_labels_reorder_the_classifiers(conv):
    encoder, x, edge_index, edge_weight = case(conv=conv)
    order = torch.randperm(6)
    place = order.argsort()
    torch.testing.assert_close(
        encoder(x[order], place[edge_index], edge_weight), encoder(x, edge_index, edge_weight)[order]
    )


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_zero_hops_add_a_linear_map_of_the_embeddings(conv):
    _, x, edge_index, edge_weight = case(conv=conv)
    encoder = LabelEncoder(4, 8, num_layers=3, conv=conv, zero_hop=True)
    published = LabelEncoder(4, 8, num_layers=3, conv=conv)
    published.convs.load_state_dict(encoder.convs.state_dict())
    own, hops = encoder.aggregation.weight.split([4, 24], 1)
    with torch.no_grad():
        published.aggregation.weight.copy_(hops)
        published.aggregation.bias.zero_()
    expected = published(x, edge_index, edge_weight) + x @ own.t() + encoder.aggregation.bias
    torch.testing.assert_close(encoder(x, edge_index, edge_weight), expected)


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
def test_reset_reinitialises_every_weight(conv):
    encoder, *_ = case(conv=conv)
    before = {name: parameter.clone() for name, parameter in encoder.named_parameters()}
    encoder.reset_parameters()
    assert all(not torch.equal(before[name], parameter) for name, parameter in encoder.named_parameters())


def test_the_error_names_a_wrong_number_of_layers():
    with pytest.raises(ValueError, match=r"'num_layers' must be at least 0 \(got -1\)"):
        LabelEncoder(4, 8, num_layers=-1)


def test_unknown_conv():
    with pytest.raises(ValueError, match=r"'conv' must be one of gcn, gat \(got 'sage'\)"):
        LabelEncoder(4, 8, conv="sage")


GRAPH = cooccurrence_graph([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]])


def test_the_branch_chains_its_modules():
    parts = LabelEmbedding(GRAPH, "learned", 5), AdaptiveAdjacency(GRAPH), LabelEncoder(5, 8)
    classifiers, edge_index, edge_weight = LabelBranch(*parts)()
    embedding, adjacency, encoder = parts
    assert torch.equal(edge_index, adjacency()[0]) and torch.equal(edge_weight, adjacency()[1])
    assert torch.equal(classifiers, encoder(embedding(), edge_index, edge_weight))


def test_the_adjacency_gets_the_embeddings():
    seen = []

    class Spy(StaticAdjacency):
        def forward(self, x=None):
            seen.append(x)
            return super().forward(x)

    embedding = LabelEmbedding(GRAPH, "one-hot")
    LabelBranch(embedding, Spy(GRAPH), LabelEncoder(4, 8))()
    assert seen[0] is embedding.weight


def test_a_label_without_edges_has_finite_gradients():
    """The fourth label has no neighbour and, in this graph, no self-loop."""
    graph = BinaryAdjacency(1.0)(GRAPH)
    loops = graph.edge_index[0] == graph.edge_index[1]
    graph.edge_index, graph.edge_weight = graph.edge_index[:, ~loops], graph.edge_weight[~loops]
    branch = LabelBranch(LabelEmbedding(graph, "learned", 5), StaticAdjacency(graph), LabelEncoder(5, 8))
    branch()[0].norm(dim=1).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in branch.parameters())


LABELS = np.random.default_rng(0).random((40, 6)) < 0.35
GIVEN = torch.arange(12.0).view(6, 2)


@pytest.fixture
def graph():
    return cooccurrence_graph(LABELS, x=GIVEN)


def test_pmi_svd(graph):
    assert torch.equal(LabelEmbedding(graph)(), pmi_svd(graph))
    assert torch.equal(LabelEmbedding(graph, "pmi-svd", 3)(), pmi_svd(graph, 3))


def test_one_hot(graph):
    assert torch.equal(LabelEmbedding(graph, "one-hot")(), torch.eye(6))


def test_given_is_copied(graph):
    embedding = LabelEmbedding(graph, "given", trainable=True)
    assert torch.equal(embedding(), GIVEN)
    with torch.no_grad():
        embedding.weight.zero_()
    assert graph.x.any()


def test_learned_is_uniform(graph):
    torch.manual_seed(0)
    weight = LabelEmbedding(graph, "learned", 500)()
    assert 0 <= weight.min() < 0.01 and 0.99 < weight.max() < 1
    assert weight.mean().item() == pytest.approx(0.5, abs=0.02)
    assert LabelEmbedding(graph, "learned").channels == 300


@pytest.mark.parametrize(
    ("kind", "trained", "channels"),
    [("pmi-svd", False, 6), ("one-hot", False, 6), ("learned", True, 300), ("given", False, 2)],
)
def test_only_trainable_embeddings_have_gradients(graph, kind, trained, channels):
    embedding = LabelEmbedding(graph, kind)
    assert embedding.weight.requires_grad is trained and embedding.channels == channels
    assert LabelEmbedding(graph, kind, trainable=not trained).weight.requires_grad is not trained
    assert repr(embedding) == f"LabelEmbedding({kind}, (6, {channels}), trainable={trained})"


@pytest.mark.parametrize(
    ("kind", "channels", "message"),
    [
        ("glove", None, "'kind' must be one of pmi-svd, one-hot, learned, given .*'glove'"),
        ("given", None, "'graph' must carry label embeddings 'x'"),
        ("pmi-svd", 7, r"'channels' must be in \[1, 6\]"),
    ],
)
def test_errors_name_wrong_arguments(kind, channels, message):
    with pytest.raises(ValueError, match=message):
        LabelEmbedding(cooccurrence_graph(LABELS), kind, channels)


@pytest.mark.parametrize(("items", "labels"), [(5, 3), (1, 4), (4, 1)])
def test_against_scikit_learn(items, labels):
    torch.manual_seed(0)
    embedding, classifiers = torch.randn(items, 6).double(), torch.randn(labels, 6).double()
    expected = torch.from_numpy(cosine_similarity(embedding, classifiers))
    torch.testing.assert_close(cosine_scores(embedding, classifiers), expected, rtol=0, atol=2e-6)


def test_the_denominator_has_the_published_epsilon():
    score = cosine_scores(torch.tensor([[1e-3]], dtype=torch.float64), torch.tensor([[1e-3]], dtype=torch.float64))
    assert score.item() == pytest.approx(0.5)


def test_zero_vectors_score_zero_with_finite_gradients():
    embedding, classifiers = torch.zeros(2, 3, requires_grad=True), torch.randn(4, 3)
    classifiers[1] = 0
    classifiers.requires_grad_()
    scores = cosine_scores(embedding, classifiers)
    assert not scores.any()
    scores.sum().backward()
    assert torch.isfinite(embedding.grad).all() and torch.isfinite(classifiers.grad).all()


def test_gradient():
    torch.manual_seed(0)
    inputs = tuple(torch.randn(n, 4, dtype=torch.float64, requires_grad=True) for n in (3, 2))
    assert torch.autograd.gradcheck(cosine_scores, inputs)


def test_given_embeddings_have_the_default_precision_and_shape():
    graph = cooccurrence_graph([[1, 1, 0]], x=[[1, 2], [3, 4], [5, 6]])
    embedding = LabelEmbedding(graph, "given")
    assert embedding().dtype == torch.float32 and embedding().tolist() == [[1, 2], [3, 4], [5, 6]]
    graph.x = graph.x[:2]
    with pytest.raises(ValueError, match=r"'x' of 'graph' must have shape \(3, F\) \(got \(2, 2\)\)"):
        LabelEmbedding(graph, "given")
    with pytest.raises(ValueError, match=r"'channels' must be a positive whole number \(got 0\)"):
        LabelEmbedding(graph, "learned", 0)
