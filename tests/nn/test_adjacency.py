"""The adjacencies of labels by name."""

import pytest
import torch

from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
from labelgraph.nn import (
    ADJACENCIES,
    AdaptiveAdjacency,
    AttentionAdjacency,
    LabelBranch,
    LabelEmbedding,
    LabelEncoder,
    MetricAdjacency,
    StaticAdjacency,
    label_adjacency,
)

LABELS = torch.rand(40, 6, generator=torch.Generator().manual_seed(0)) < torch.linspace(0.1, 0.7, 6)
GRAPH = BinaryAdjacency(0.4)(cooccurrence_graph(LABELS))
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
def test_options_change_what_is_built(kind):
    torch.manual_seed(0)
    plain = label_adjacency(kind, GRAPH, X)(X)[1]
    torch.manual_seed(0)
    assert not torch.allclose(label_adjacency(kind, GRAPH, X, gamma=9.0, threshold=0.9)(X)[1], plain)


@pytest.mark.parametrize("conv", ["gcn", "gat"])
@pytest.mark.parametrize("kind", ADJACENCIES)
def test_all_kinds_can_stand_in_for_each_other(kind, conv):
    torch.manual_seed(0)
    embedding = LabelEmbedding(GRAPH, "learned", 3)
    branch = LabelBranch(embedding, label_adjacency(kind, GRAPH, X), LabelEncoder(3, 5, 2, conv=conv))
    classifiers, edge_index, edge_weight = branch()
    assert classifiers.shape == (6, 5) and edge_index.shape == (2, len(edge_weight))
    classifiers.square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in branch.parameters() if p.grad is not None)
    learned = sum(p.grad is not None and p.grad.any().item() for p in branch.adjacency.parameters())
    weights = {"static": 0, "adaptive": 1, "metric": 1, "attention": 2}[kind]
    assert learned == (weights if conv == "gcn" else 0)  # attention over edges sees but their signs


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"'adjacency' must be one of static, adaptive, metric, attention \(got 'x'\)"):
        label_adjacency("x", GRAPH, X)
