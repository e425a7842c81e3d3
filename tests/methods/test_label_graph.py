"""The label branch of the label-graph methods: which edges it reads, and whether a classifier can be its own."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
from labelgraph.methods import build_method, load_method
from labelgraph.nn import AdaptiveAdjacency, LabelEmbedding, LabelEncoder, Projector

LABELS = [[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]
VECTORS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0], [0.9, 0.3]])


def branch(x=VECTORS, **settings):
    graph = cooccurrence_graph(LABELS, ["cat", "sofa", "couch", "kitten"], x=x)
    return build_method("algcn", 5, 6, graph, hidden_channels=8, **settings).label_branch


def neighbours(k, threshold):
    """Binary edges i -> j of the k most similar names i of each label j."""
    cosine = cosine_similarity(VECTORS.numpy())
    np.fill_diagonal(cosine, -1)
    kept = np.zeros_like(cosine)
    for target in range(len(cosine)):
        for source in np.argsort(-cosine[:, target])[:k]:
            kept[source, target] = cosine[source, target] >= threshold
    return kept


@pytest.mark.parametrize("k", [1, 2])
def test_edges_of_meaning_lead_from_similar_names(k):
    static = branch(edges="meaning", num_neighbors=k, threshold=0.3).adjacency.static
    expected = 0.5 * neighbours(k, 0.3) + np.eye(4)
    np.testing.assert_allclose(static.numpy(), expected)
    assert static[2, 1] == 0.5 and static[0, 1] == 0  # Sofa and couch never occur together; sofa and cat do.


def test_merged_edges_are_those_of_both_graphs():
    alone = [branch(edges=edges).adjacency.static for edges in ("cooccurrence", "meaning")]
    merged = branch(edges="merged").adjacency.static
    assert torch.equal(merged, torch.maximum(*alone)) and not any(torch.equal(merged, each) for each in alone)


@pytest.mark.parametrize("adjacency", ["static", "adaptive", "attention"])
def test_every_adjacency_over_labels_takes_the_edges(adjacency):
    torch.manual_seed(0)
    one = branch(edges="meaning", adjacency=adjacency)
    torch.manual_seed(0)
    other = branch(edges="cooccurrence", adjacency=adjacency)
    assert not torch.equal(one()[0], other()[0])


def test_similar_names_need_vectors():
    with pytest.raises(ValueError, match=r"'graph' must have vectors .*edges='meaning'"):
        branch(x=None, edges="meaning")


def test_zero_hops_give_labels_with_the_same_neighbours_classifiers_of_their_own():
    torch.manual_seed(0)
    features = torch.eye(2)
    full = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1]])
    published, free = (branch(num_layers=2, label_embedding="given", zero_hop=zero).encoder for zero in (False, True))
    assert torch.equal(*published(features, full))
    assert not torch.allclose(*free(features, full))


@pytest.mark.parametrize("edges", ["meaning", "merged"])
def test_a_saved_method_has_its_edges(edges, tmp_path):
    graph = cooccurrence_graph(LABELS, ["cat", "sofa", "couch", "kitten"], x=VECTORS)
    method = build_method("algcn", 5, 6, graph, hidden_channels=8, edges=edges, zero_hop=True).eval()
    method.save_pretrained(tmp_path / "model")
    loaded = load_method(tmp_path / "model")
    assert loaded.config == method.config
    for mine, theirs in zip(method.label_branch(), loaded.label_branch(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("channels", [None, 3])
def test_loading_reads_the_embeddings_and_does_not_compute_them(channels, tmp_path, monkeypatch):
    graph = cooccurrence_graph(LABELS)
    method = build_method("dagnn", 32, 16, graph, hidden_channels=8, embedding_channels=channels)
    method.save_pretrained(tmp_path)
    monkeypatch.setattr("labelgraph.nn.label_encoder.pmi_svd", None)
    loaded = load_method(tmp_path)
    expected = method.label_branch.embedding.weight
    assert expected.any() and torch.equal(loaded.label_branch.embedding.weight, expected)
    with pytest.raises(TypeError):
        build_method("dagnn", 32, 16, graph, hidden_channels=8)


def test_the_parts_draw_their_weights_in_the_order_of_the_measured_methods():
    """With the same seed, a method starts as it did when its results were measured."""
    graph = cooccurrence_graph(LABELS)
    torch.manual_seed(0)
    ours = build_method("algcn", 5, 6, graph, hidden_channels=8).label_branch
    torch.manual_seed(0)
    Projector(5, 8), Projector(6, 8)
    embedding = LabelEmbedding(graph, "learned")
    adjacency = AdaptiveAdjacency(BinaryAdjacency()(graph))
    encoder = LabelEncoder(300, 8)
    for one, other in zip((embedding, adjacency, encoder), (ours.embedding, ours.adjacency, ours.encoder), strict=True):
        for first, second in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(first, second)
