"""The co-occurrence graph against loops, and against itself in other formats."""

from collections import Counter
from itertools import permutations
from math import log

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.graph import cooccurrence_graph, pmi_svd


def random_labels(size=40, num_labels=7, share=0.25, seed=0):
    labels = (np.random.default_rng(seed).random((size, num_labels)) < share).astype(int)
    labels[:, 3] = 0  # A label that never occurs.
    labels[5:6] = 0  # An item without labels.
    return labels


def slow_edges(labels, condition):
    """Edges by counting pairs one by one."""
    count, joint = Counter(), Counter()
    for row in labels:
        present = [i for i, value in enumerate(row) if value]
        count.update(present)
        joint.update(permutations(present, 2))
    return [
        (i, j, together, together / count[j if condition == "target" else i])
        for (i, j), together in sorted(joint.items())
    ]


def edges(graph):
    ends = graph.edge_index.T.tolist()
    return list(zip(*zip(*ends, strict=True), graph.edge_count.tolist(), graph.edge_weight.tolist(), strict=True))


@pytest.mark.parametrize("condition", ["target", "source"])
@pytest.mark.parametrize("shape", [(40, 7), (1, 5), (300, 4)])
def test_edges_against_a_loop(condition, shape):
    labels = random_labels(*shape, share=0.6)
    graph = cooccurrence_graph(labels, condition_on=condition)
    expected = slow_edges(labels, condition)
    assert len(edges(graph)) == len(expected) > 0
    for got, wanted in zip(edges(graph), expected, strict=True):
        assert got[:3] == wanted[:3]
        assert got[3] == pytest.approx(wanted[3], rel=1e-6)
    assert graph.count.tolist() == labels.sum(0).tolist()
    assert graph.num_samples == shape[0] and graph.num_nodes == shape[1]


def test_the_two_conditions_mirror_each_other():
    labels = random_labels()
    target, source = (cooccurrence_graph(labels, condition_on=condition) for condition in ("target", "source"))
    weights = {(j, i): weight for i, j, _, weight in edges(source)}
    assert weights == {(i, j): weight for i, j, _, weight in edges(target)}
    assert not torch.equal(target.edge_weight, source.edge_weight)


@pytest.mark.filterwarnings("ignore:Sparse CS")
@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.tolist(),
        lambda y: y.astype(np.uint8),
        lambda y: y.astype(bool),
        torch.from_numpy,
        lambda y: torch.from_numpy(y).float().to_sparse(),
        lambda y: torch.from_numpy(y).float().to_sparse_csr(),
        sp.csr_matrix,
        sp.csc_array,
        sp.coo_array,
        sp.lil_array,
    ],
)
def test_every_format_gives_the_same_graph(convert):
    labels = random_labels()
    graph, again = cooccurrence_graph(labels), cooccurrence_graph(convert(labels))
    assert edges(graph) == edges(again) and graph.count.tolist() == again.count.tolist()


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, sp.csr_array])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, bool])
def test_counts_exceed_the_integer_type_of_the_labels(convert, dtype):
    labels = np.ones((700, 2), dtype=dtype)
    labels[600:, 1] = 0
    graph = cooccurrence_graph(convert(labels))
    assert graph.edge_count.tolist() == [600, 600] and graph.count.tolist() == [700, 600]
    assert graph.edge_weight.tolist() == pytest.approx([1.0, 600 / 700])


@pytest.mark.parametrize(
    ("labels", "count"),
    [([[1]], [1]), ([[0, 0]], [0, 0]), (np.eye(4), [1] * 4), ([[1, 0], [1, 0], [0, 0]], [2, 0])],
)
def test_labels_without_edges_stay(labels, count):
    graph = cooccurrence_graph(labels)
    assert graph.edge_index.shape == (2, 0) and graph.edge_index.dtype == torch.long
    assert graph.edge_weight.shape == graph.edge_count.shape == (0,)
    assert graph.count.tolist() == count and graph.num_nodes == len(count)
    assert graph.validate()


def test_names_and_embeddings_are_kept():
    x = torch.rand(2, 3)
    graph = cooccurrence_graph([[1, 1]], ["sky", "sun"], x=x)
    assert graph.label_names == ["sky", "sun"] and torch.equal(graph.x, x)
    assert cooccurrence_graph([[1, 1]]).label_names == ["label 0", "label 1"]
    assert cooccurrence_graph([[1, 1]]).x is None


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([[0, 1], [2, 0]], {}, r"'labels' must be 0 or 1 \(got 2 at row 1, column 0\)"),
        ([[0, 1], [0, float("nan")]], {}, r"'labels' must be 0 or 1 \(got nan at row 1, column 1\)"),
        ([0, 1], {}, r"'labels' must be a matrix \(got shape \(2,\)\)"),
        ([[]], {}, r"'labels' must have at least one row and one column \(got shape \(1, 0\)\)"),
        ([[0, 1]], {"label_names": ["a"]}, r"'label_names' must have 2 entries \(got 1\)"),
        ([[0, 1]], {"label_names": []}, r"'label_names' must have 2 entries \(got 0\)"),
        ([[0, 1]], {"x": torch.zeros(3, 4)}, r"'x' must have shape \(2, F\) \(got \(3, 4\)\)"),
        ([[0, 1]], {"x": torch.zeros(2)}, r"'x' must have shape \(2, F\) \(got \(2,\)\)"),
        ([[0, 1]], {"condition_on": "both"}, "'condition_on' must be 'target' or 'source' .*'both'"),
    ],
)
def test_errors_name_wrong_arguments(labels, options, message):
    with pytest.raises(ValueError, match=message):
        cooccurrence_graph(labels, **options)


def test_counts_of_the_fixture(fixtures):
    with np.load(fixtures / "algcn.npz", allow_pickle=False) as file:
        labels, joint, count = (file[key] for key in ("label_matrix", "joint_count_zero_diagonal", "count"))
    graph = cooccurrence_graph(labels)
    dense = np.zeros_like(joint)
    dense[tuple(graph.edge_index.numpy())] = graph.edge_count.numpy()
    np.testing.assert_array_equal(dense, joint)
    np.testing.assert_array_equal(graph.count.numpy(), count)


def test_repeated_names_raise_an_error():
    with pytest.raises(ValueError, match="'label_names' must be distinct"):
        cooccurrence_graph(np.eye(2), ["sky", "sky"])


def random_labels_embedding(size=200, num_labels=12, seed=0):
    random = np.random.default_rng(seed)
    topic = random.integers(0, 4, size)
    share = random.random((4, num_labels)) ** 2 * 0.6
    return random.random((size, num_labels)) < share[topic]


def slow_ppmi(labels):
    """Positive PMI, with the self-information of labels on the diagonal."""
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
    labels = random_labels_embedding()
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
def test_fewer_channels_equal_the_first_of_all_channels(channels, monkeypatch):
    """Twelve labels use the dense decomposition from three channels on, and the iterative one below."""
    graph = cooccurrence_graph(random_labels_embedding())
    expected = pmi_svd(graph)[:, :channels]
    monkeypatch.setattr("labelgraph.graph.cooccurrence.DENSE_SVD_LABELS", 0)
    np.testing.assert_allclose(pmi_svd(graph, channels), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_iterative_decomposition_against_numpy(seed):
    labels = random_labels_embedding(400, 41, seed)
    left, singular, _ = np.linalg.svd(slow_ppmi(labels))
    expected = left[:, :5] * np.sqrt(singular[:5])
    expected *= np.sign(expected[np.abs(expected).argmax(0), np.arange(5)])
    np.testing.assert_allclose(pmi_svd(cooccurrence_graph(labels), 5), expected, atol=1e-4)


@pytest.mark.parametrize("channels", [2, 12])
def test_the_largest_entry_of_each_column_is_positive(channels):
    embedding = pmi_svd(cooccurrence_graph(random_labels_embedding()), channels)
    assert (embedding.gather(0, embedding.abs().argmax(0, keepdim=True)) > 0).all()


@pytest.mark.parametrize("channels", [2, 6, 12])
def test_a_label_that_never_occurs_is_zero_and_others_are_not(channels):
    labels = random_labels_embedding()
    labels[:, 7] = False
    lengths = pmi_svd(cooccurrence_graph(labels), channels).norm(dim=1).numpy()
    assert lengths[7] < 1e-6
    assert (np.delete(lengths, 7) > 1e-3).all()


def test_labels_without_neighbours_do_not_share_an_embedding():
    embedding = pmi_svd(cooccurrence_graph(np.eye(4)))
    np.testing.assert_allclose(embedding @ embedding.T, log(4) * np.eye(4), atol=1e-6)


@pytest.mark.parametrize("channels", [1, 5, 12])
def test_labels_without_information_are_zero(channels):
    embedding = pmi_svd(cooccurrence_graph(np.ones((3, 12))), channels)
    assert embedding.shape == (12, channels) and not embedding.any()


def test_the_embedding_is_reproducible():
    graph = cooccurrence_graph(random_labels_embedding(400, 41))
    assert torch.equal(pmi_svd(graph, 5), pmi_svd(graph, 5))


def test_one_label():
    assert pmi_svd(cooccurrence_graph([[1], [0]])).item() == pytest.approx(np.sqrt(log(2)))


@pytest.mark.parametrize("channels", [0, -1, 4])
def test_wrong_number_of_channels(channels):
    with pytest.raises(ValueError, match=rf"'channels' must be in \[1, 3\].*\(got {channels}\)"):
        pmi_svd(cooccurrence_graph(np.eye(3)), channels)


def test_very_many_labels_have_a_random_decomposition_near_the_exact_one(monkeypatch):
    """Groups of labels that occur together give singular values that differ."""
    generator = np.random.default_rng(0)
    group = generator.integers(0, 4, 6000) ** 2
    labels = sp.csr_array((np.ones(18_000), (np.repeat(np.arange(6000), 3),
                           (100 * group[:, None] + generator.integers(0, 100, (6000, 3))).ravel())),
                          shape=(6000, 1100))  # fmt: skip
    labels.data[:] = 1
    graph = cooccurrence_graph((labels > 0).astype(float))
    exact = pmi_svd(graph, 4)
    monkeypatch.setattr("labelgraph.graph.cooccurrence.EXACT_SVD_LABELS", 1024)
    state = torch.random.get_rng_state()
    ours = pmi_svd(graph, 4)
    assert torch.equal(torch.random.get_rng_state(), state) and torch.equal(pmi_svd(graph, 4), ours)
    assert not torch.equal(ours, exact)
    torch.testing.assert_close(ours, exact, rtol=1e-2, atol=1e-2)


def test_of_very_many_labels_those_that_never_occur_are_zero():
    """Of the 32 singular values, 29 are 0, and their directions are arbitrary."""
    embedding = pmi_svd(cooccurrence_graph(sp.csr_array((np.ones(3), ([0, 1, 2], [0, 5, 7])), shape=(3, 12_000))), 32)
    assert embedding.any(1).nonzero().flatten().tolist() == [0, 5, 7]


def test_many_labels_get_300_channels():
    assert pmi_svd(cooccurrence_graph(np.eye(301))).shape == (301, 300)


@pytest.mark.parametrize("convert", [np.ndarray.tolist, lambda x: x.astype(">f8")[::-1][::-1], torch.from_numpy])
def test_embeddings_of_any_kind(convert):
    x = np.random.default_rng(0).normal(size=(2, 3))
    assert cooccurrence_graph([[1, 1]], x=convert(x)).x.tolist() == x.tolist()


def test_embeddings_must_be_finite_and_channels_whole():
    with pytest.raises(ValueError, match=r"'x' must be finite"):
        cooccurrence_graph([[1, 1]], x=[[1.0], [float("nan")]])
    with pytest.raises(ValueError, match=r"'channels' must be a whole number \(got 1.5\)"):
        pmi_svd(cooccurrence_graph([[1, 1]]), 1.5)
    assert pmi_svd(cooccurrence_graph([[1, 1]]), np.int64(1)).shape == (2, 1)


@pytest.mark.parametrize("key", ["edge_count", "count", "num_samples", "edge_weight", "edge_index"])
def test_the_error_of_the_embedding_names_a_missing_attribute(key):
    graph = cooccurrence_graph(random_labels_embedding())
    del graph[key]
    with pytest.raises(ValueError, match=f"'graph' must carry '{key}'"):
        pmi_svd(graph)
