"""The kinds of label embeddings."""

import numpy as np
import pytest
import torch

from labelgraph.graph import cooccurrence_graph, pmi_svd
from labelgraph.nn import LabelEmbedding

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
def test_what_is_trained(graph, kind, trained, channels):
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
def test_wrong_arguments_are_named(kind, channels, message):
    with pytest.raises(ValueError, match=message):
        LabelEmbedding(cooccurrence_graph(LABELS), kind, channels)
