"""The built-in indexes: addition, removal, choice among positions."""

import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from labelgraph.metrics import pack_bits
from labelgraph.search import INDEXES, build_index
from labelgraph.search.exact_index import ExactIndex


def vectors(size, seed=0, width=6):
    return torch.randn(size, width, generator=torch.Generator().manual_seed(seed))


def codes(size, seed=0, bits=20):
    return pack_bits(vectors(size, seed, bits))


def probabilities(size, seed=0, width=6):
    return vectors(size, seed, width).sigmoid()


MAKE = {"cosine": vectors, "dot": vectors, "hamming": codes, "jaccard": probabilities}


def by_brute_force(similarity, query, database):
    """Keys by which the nearest come first, (Q, N)."""
    if similarity == "cosine":
        query, database = F.normalize(query), F.normalize(database)
    if similarity == "jaccard":
        union = query.sum(1)[:, None].double() + database.sum(1) - query.double() @ database.double().t()
        return -(query.double() @ database.double().t()) / union
    if similarity != "hamming":
        return -(query.double() @ database.double().t())
    different = query[:, None] ^ database
    return torch.tensor([[sum(byte.bit_count() for byte in code) for code in row] for row in different.tolist()])


@pytest.fixture(params=MAKE)
def similarity(request):
    return request.param


def test_the_nearest_come_first(similarity):
    index = ExactIndex(similarity)
    parts = [MAKE[similarity](size, seed) for seed, size in enumerate((30, 1, 12))]
    for part in parts:
        index.add(part)
    query = MAKE[similarity](7, 9)
    scores, positions = index.search(query, 5)
    keys = by_brute_force(similarity, query, torch.cat(parts))
    assert torch.equal(positions, keys.sort(stable=True, dim=1).indices[:, :5])
    wanted = keys.gather(1, positions)
    torch.testing.assert_close(scores.double(), wanted.double() * (1 if similarity == "hamming" else -1))


def test_removal_moves_those_behind_up(similarity):
    index, left = ExactIndex(similarity), ExactIndex(similarity)
    everything = MAKE[similarity](20)
    index.add(everything)
    index.remove(torch.tensor([3, 0, 19]))
    left.add(everything[[*range(1, 3), *range(4, 19)]])
    assert torch.equal(index.vectors, left.vectors)
    index.remove(torch.arange(len(index)))
    assert len(index) == 0 and index.search(everything[:2], 3)[1].shape == (2, 0)


@pytest.mark.parametrize("k", [2, 50])
def test_a_choice_among_positions(similarity, k):
    index = ExactIndex(similarity)
    index.add(MAKE[similarity](40))
    among = torch.tensor([2, 3, 5, 8, 13, 21, 34])
    query = MAKE[similarity](6, 1)
    scores, positions = index.search(query, k, among)
    for row in range(6):
        everything = index.search(query, 40)
        allowed = [i for i in everything[1][row].tolist() if i in among.tolist()][:k]
        assert positions[row].tolist() == allowed
    assert scores.shape == (6, min(k, 7))
    assert index.search(query, k, among[:0])[1].shape == (6, 0)


def test_vectors_count_by_direction():
    index = ExactIndex("cosine")
    index.add(torch.tensor([[0.1, 0.0], [0.0, 100.0], [0.0, 0.0]]))
    scores, positions = index.search(torch.tensor([[5.0, 0.0]]), 3)
    assert positions.tolist() == [[0, 1, 2]] and scores.tolist() == [[1.0, 0.0, 0.0]]


def test_products_count_lengths():
    index = ExactIndex("dot")
    index.add(torch.tensor([[0.1, 0.0], [2.0, 100.0], [0.0, 0.0]]))
    scores, positions = index.search(torch.tensor([[5.0, 0.0]]), 3)
    assert positions.tolist() == [[1, 0, 2]] and scores.tolist() == [[10.0, 0.5, 0.0]]


def test_what_is_dumped_can_be_restored(similarity):
    index, again = ExactIndex(similarity), ExactIndex(similarity)
    index.add(MAKE[similarity](10))
    again.restore(index.vectors, index.dump())
    query = MAKE[similarity](3, 1)
    for result, wanted in zip(again.search(query, 4), index.search(query, 4), strict=True):
        assert torch.equal(result, wanted)


@pytest.mark.parametrize(
    ("similarity", "call", "message"),
    [
        ("cosine", lambda index: index.add(torch.ones(2, 5)), r"'vectors' must have the shape \(N, 6\) \(got \(2, 5"),
        ("cosine", lambda index: index.search(torch.ones(6), 1), r"'query' must have the shape \(N, 6\) \(got \(6,"),
        ("cosine", lambda index: index.add(torch.full((1, 6), torch.nan)), "'vectors' must be finite"),
        ("cosine", lambda index: index.add(torch.full((1, 6), 1e20)), "'vectors' must have rows no longer than"),
        ("cosine", lambda index: index.search(torch.full((1, 6), torch.nan), 1), "'query' must be finite"),
        ("cosine", lambda index: index.search(torch.ones(1, 6), 0), r"'k' must be .* at least 1 \(got 0\)"),
        ("cosine", lambda index: index.search(torch.ones(1, 6), True), r"'k' must be .* at least 1 \(got True\)"),
        ("jaccard", lambda index: index.add(torch.full((1, 6), 1.5)), r"probabilities in \[0, 1\] .*got 1.5 to 1.5"),
        ("cosine", lambda index: index.restore(torch.ones(2), {}), "'vectors' must be a matrix of torch.float32"),
        ("hamming", lambda index: index.add(torch.ones(2, 3)), "'vectors' must be codes of 'pack_bits', uint8"),
        ("hamming", lambda index: index.search(codes(1, bits=9), 1), r"'query' must have the shape \(N, 3\)"),
        ("hamming", lambda index: index.restore(torch.ones(2, 3), {}), "matrix of torch.uint8 .got torch.float32"),
    ],
)
def test_wrong_arguments_are_named(similarity, call, message):
    index = ExactIndex(similarity)
    index.add(MAKE[similarity](4))
    with pytest.raises(ValueError, match=message):
        call(index)
    assert len(index) == 4


def test_an_empty_index_takes_no_vectors_without_width():
    with pytest.raises(ValueError, match=r"'vectors' must have the shape \(N, H\)"):
        ExactIndex("cosine").add(torch.ones(3, 0))


def test_the_names():
    cosine, dot, jaccard, hamming = (
        [name for name, kind in INDEXES.items() if each in kind.similarities]
        for each in ("cosine", "dot", "jaccard", "hamming")
    )
    assert cosine == dot == jaccard == ["exact", "faiss-flat", "faiss-ivf", "faiss-hnsw"]
    assert hamming == ["hamming", "faiss-binary-flat", "faiss-binary-ivf", "faiss-binary-hnsw"]


@pytest.mark.parametrize(
    ("name", "asked", "similarity"),
    [("exact", None, "cosine"), ("exact", "dot", "dot"), ("hamming", None, "hamming")],
)
def test_built_in_indexes_are_empty_and_of_their_similarity(name, asked, similarity):
    index = build_index(name, asked)
    assert len(index) == 0 and index.similarity == similarity


@pytest.mark.parametrize("name", [name for name in INDEXES if name.startswith("faiss")])
def test_without_faiss_the_extra_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r'pip install "labelgraph\[index\]"'):
        build_index(name)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("annoy", {}, r"'index' must be one of exact, hamming, .* \(got 'annoy'\)"),
        ("exact", {"similarity": "hamming"}, r"one of hamming, faiss-binary-flat, .* for 'hamming' \(got 'exact'\)"),
        (
            "hamming",
            {"similarity": "dot"},
            r"one of exact, faiss-flat, faiss-ivf, faiss-hnsw for 'dot' \(got 'hamming'",
        ),
        ("exact", {"num_probes": 2}, r"of the index 'exact' must be among: none \(got 'num_probes'\)"),
        ("faiss-ivf", {"num_links": 2}, r"'faiss-ivf' must be among: num_probes \(got 'num_links'\)"),
        ("faiss-hnsw", {"num_links": 0}, r"'num_links' must be a whole number of at least 2, .* \(got 0\)"),
        ("faiss-hnsw", {"num_links": 1}, r"'num_links' must be a whole number of at least 2, .* \(got 1\)"),
        ("faiss-hnsw", {"num_links": 10**9}, r"'num_links' must be .* at most 1024 \(got 1000000000\)"),
        ("faiss-hnsw", {"search_width": True}, r"'search_width' must be a positive whole number.*\(got True\)"),
        ("faiss-hnsw", {"search_width": 1.5}, "'search_width' must be a positive whole number"),
    ],
)
def test_wrong_arguments_are_named_of_index_kinds(name, settings, message):
    with pytest.raises(ValueError, match=message):
        build_index(name, **settings)


@pytest.mark.parametrize("name", ["exact", "faiss-flat"])
def test_numpy_arrays_of_every_kind_are_taken(name):
    vectors = np.random.default_rng(0).standard_normal((9, 4))
    for given in (vectors, vectors[::-1][::-1], vectors.astype(">f4"), vectors.tolist()):
        index = build_index(name)
        index.add(given)
        assert index.search(given[:3], 1)[1].flatten().tolist() == [0, 1, 2]
