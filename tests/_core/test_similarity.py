"""Scores of similarities against plain loops."""

import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from labelgraph._core.embeddings import Embeddings, score_blocks
from labelgraph._core.packed_bits import in_parts
from labelgraph._core.similarity import SIMILARITIES, unit_length
from labelgraph.metrics import pack_bits


def scores(query, database, **options):
    return torch.cat([block.clone() for _, block in score_blocks(query, database, **options)])


def slow(similarity, left, right, num_labels=None):
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    if similarity == "dot":
        return dot
    if similarity == "cosine":
        return dot / math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))
    p, q, e, f = left[:num_labels], right[:num_labels], left[num_labels:], right[num_labels:]
    shared = sum(a * b for a, b in zip(p, q, strict=True))
    union = sum(p) + sum(q) - shared
    labels = shared / union if union else 0.0
    like = max(0.0, sum(a * b for a, b in zip(e, f, strict=True)))
    return (labels + like**3) / (1 + sum(a * a for a in e) ** 3)


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(n, 6, generator=generator, dtype=torch.float64) for n in (5, 9)]


@pytest.mark.parametrize("block_size", [None, 1, 2, 5])
@pytest.mark.parametrize(
    ("similarity", "num_labels"), [("dot", None), ("cosine", None), ("jaccard", 6), ("jaccard", 4)]
)
def test_scores_agree_with_loops(sides, similarity, num_labels, block_size):
    for side in sides:
        side[0, :num_labels] = 0 if similarity == "jaccard" else side[0]
    if num_labels == 4:
        sides[0][2:, 4:] *= -1  # Dissimilar pairs add nothing.
    query, database = (Embeddings(side, similarity, num_labels) for side in sides)
    wanted = [[slow(similarity, a, b, num_labels) for b in sides[1].tolist()] for a in sides[0].tolist()]
    torch.testing.assert_close(scores(query, database, block_size=block_size), torch.tensor(wanted))


def test_jaccard_scores_lie_in_the_unit_interval():
    generator = torch.Generator().manual_seed(1)
    labels = (torch.rand(20, 4, generator=generator) < 0.5).float()
    pair = 1.2 * unit_length(torch.randn(20, 3, generator=generator))
    items = Embeddings(torch.cat([labels, pair], 1), "jaccard", 4)
    own = scores(items, items)
    assert own.min() >= 0 and own.max() <= 1 + 1e-6
    torch.testing.assert_close(own.diag()[labels.any(1)], torch.ones(int(labels.any(1).sum())))


def test_scores_of_codes_fall_with_the_distance(sides):
    signs = [torch.where(side > 0.5, 1, -1) for side in sides]
    query, database = (Embeddings(pack_bits(side), "hamming") for side in signs)
    different = (signs[0][:, None] != signs[1]).sum(-1)
    assert torch.equal(scores(query, database), (8 - 2 * different).float())


def test_a_slice_of_the_queries_can_be_scored(sides):
    query, database = (Embeddings(side, "dot") for side in sides)
    result = list(score_blocks(query, database, 2, slice(1, 4)))
    assert [(rows.start, rows.stop) for rows, _ in result] == [(1, 3), (3, 4)]
    torch.testing.assert_close(scores(query, database, among=slice(1, 4)), scores(query, database)[1:4])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lengths_do_not_change_cosines(sides, dtype):
    query, database = (side.to(dtype) for side in sides)
    scale = torch.tensor([1e-30, 1e-14, 1.0, 1e10, 1e18] + [1.0] * 4, dtype=dtype)[:, None]
    wanted = scores(Embeddings(query), Embeddings(database))
    torch.testing.assert_close(scores(Embeddings(query), Embeddings(database * scale)), wanted)
    assert torch.equal(unit_length(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_every_similarity_describes_its_score():
    sparse = ["sparse-dot", "sparse-cosine", "sparse-jaccard"]
    assert list(SIMILARITIES) == ["cosine", "dot", "hamming", "jaccard", *sparse]
    assert all(similarity.meaning for similarity in SIMILARITIES.values())


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_multiply_large_blocks(threads, monkeypatch):
    monkeypatch.setattr("labelgraph._core.similarity.LARGE_PRODUCT", 1)
    query, database = (torch.randn(rows, 8, generator=torch.Generator().manual_seed(rows)) for rows in (7, 30))
    torch_threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        result = scores(Embeddings(query, "dot"), Embeddings(database, "dot"), block_size=4)
    finally:
        torch.set_num_threads(torch_threads)
    np.testing.assert_allclose(result, np.einsum("qh,nh->qn", query, database), rtol=1e-4, atol=1e-5)


def test_large_products_of_several_threads_follow_each_other(monkeypatch):
    """Each limits the threads of the process, and sets them back to what it found."""
    running, most = 0, 0

    def counted(*arguments):
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.02)
        in_parts(*arguments)
        running -= 1

    monkeypatch.setattr("labelgraph._core.similarity.LARGE_PRODUCT", 1)
    monkeypatch.setattr("labelgraph._core.similarity.in_parts", counted)
    sides, before = [Embeddings(torch.randn(30, 8), "dot") for _ in range(2)], threadpool_info()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: scores(*sides), range(4)))
    assert most == 1 and threadpool_info() == before
    assert all(torch.equal(result, results[0]) for result in results)
