"""Label embeddings from the co-occurrence."""

from math import log

import numpy as np
import pytest
import torch

from labelgraph.graph import cooccurrence_graph, pmi_svd


def random_labels(size=200, num_labels=12, seed=0):
    random = np.random.default_rng(seed)
    topic = random.integers(0, 4, size)
    share = random.random((4, num_labels)) ** 2 * 0.6
    return random.random((size, num_labels)) < share[topic]


def slow_ppmi(labels):
    """Positive PMI, with what a label tells of itself on the diagonal."""
    size, num_labels = labels.shape
    matrix = np.zeros((num_labels, num_labels))
    for i in range(num_labels):
        for j in range(num_labels):
            together = int((labels[:, i] & labels[:, j]).sum())
            if together:
                both = int(labels[:, i].sum()) * int(labels[:, j].sum())
                matrix[i, j] = max(0.0, log(together * size / both))
    return matrix


def test_all_channels_reconstruct_the_ppmi():
    """With U S^1/2 = W, the columns' lengths are S and their directions U, and U S V' is the PPMI."""
    labels = random_labels()
    ppmi = slow_ppmi(labels)
    embedding = pmi_svd(cooccurrence_graph(labels)).double().numpy()
    singular = (embedding**2).sum(0)
    np.testing.assert_allclose(singular, np.linalg.svd(ppmi, compute_uv=False), rtol=1e-4)
    left = embedding / np.sqrt(singular)
    np.testing.assert_allclose(left.T @ left, np.eye(12), atol=1e-5)
    right = (left * singular).T @ ppmi / singular[:, None] ** 2
    np.testing.assert_allclose(right @ right.T, np.eye(12), atol=1e-4)
    np.testing.assert_allclose(left * singular @ right, ppmi, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3, 4, 11])
def test_fewer_channels_are_the_first_of_all(channels, monkeypatch):
    """Twelve labels take the dense way from three channels on, the iterative one below."""
    graph = cooccurrence_graph(random_labels())
    expected = pmi_svd(graph)[:, :channels]
    monkeypatch.setattr("labelgraph.graph.embedding.DENSE_LABELS", 0)
    np.testing.assert_allclose(pmi_svd(graph, channels), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_iterative_way_against_numpy(seed):
    labels = random_labels(400, 41, seed)
    left, singular, _ = np.linalg.svd(slow_ppmi(labels))
    expected = left[:, :5] * np.sqrt(singular[:5])
    expected *= np.sign(expected[np.abs(expected).argmax(0), np.arange(5)])
    np.testing.assert_allclose(pmi_svd(cooccurrence_graph(labels), 5), expected, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 12])
def test_the_largest_entry_of_each_column_is_positive(channels):
    embedding = pmi_svd(cooccurrence_graph(random_labels()), channels)
    assert (embedding.gather(0, embedding.abs().argmax(0, keepdim=True)) > 0).all()


@pytest.mark.parametrize("channels", [2, 6, 12])
def test_a_label_that_never_occurs_is_zero_and_others_are_not(channels):
    labels = random_labels()
    labels[:, 7] = False
    lengths = pmi_svd(cooccurrence_graph(labels), channels).norm(dim=1).numpy()
    assert lengths[7] < 1e-6
    assert (np.delete(lengths, 7) > 1e-3).all()


def test_labels_without_neighbours_do_not_share_an_embedding():
    embedding = pmi_svd(cooccurrence_graph(np.eye(4)))
    np.testing.assert_allclose(embedding @ embedding.T, log(4) * np.eye(4), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 5, 12])
def test_labels_that_tell_nothing_are_zero(channels):
    embedding = pmi_svd(cooccurrence_graph(np.ones((3, 12))), channels)
    assert embedding.shape == (12, channels) and not embedding.any()


def test_it_repeats():
    graph = cooccurrence_graph(random_labels(400, 41))
    assert torch.equal(pmi_svd(graph, 5), pmi_svd(graph, 5))


def test_one_label():
    assert pmi_svd(cooccurrence_graph([[1], [0]])).item() == pytest.approx(np.sqrt(log(2)))


@pytest.mark.parametrize("channels", [0, -1, 4])
def test_wrong_number_of_channels(channels):
    with pytest.raises(ValueError, match=rf"'channels' must be in \[1, 3\].*\(got {channels}\)"):
        pmi_svd(cooccurrence_graph(np.eye(3)), channels)


def test_many_labels_get_as_many_channels_as_word_vectors():
    assert pmi_svd(cooccurrence_graph(np.eye(301))).shape == (301, 300)
