"""Search by Hamming distance against a loop over queries and bits."""

import numpy as np
import pytest
import torch

from labelgraph.retrieval import pack_bits
from labelgraph.retrieval.hamming import count_bits_by_table
from labelgraph.search import hamming, hamming_neighbours


def codes(size, bits, seed):
    return torch.randint(0, 2, (size, bits), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def slow(query, database, k):
    scores, positions = [], []
    for code in query.numpy():
        distances = np.array([sum(a != b for a, b in zip(code, other, strict=True)) for other in database.numpy()])
        order = np.lexsort((np.arange(len(distances)), distances))[:k]
        positions.append(order.tolist())
        scores.append(distances[order].tolist())
    return scores, positions


@pytest.mark.parametrize("bits", [1, 5, 8, 16, 24, 32, 61, 64, 72, 128, 256, 300])
@pytest.mark.parametrize("k", [1, 7, 1000])
def test_it_is_the_loop_with_ties_by_position(bits, k):
    query, database = codes(11, bits, 0), codes(60, bits, 1)
    scores, positions = hamming_neighbours(pack_bits(query), pack_bits(database), k)
    assert (scores.tolist(), positions.tolist()) == slow(query, database, k)
    assert scores.dtype == torch.int32 and positions.dtype == torch.int64


@pytest.mark.parametrize("block", [1, 13, 64])
def test_blocks_do_not_matter(monkeypatch, block):
    query, database = pack_bits(codes(9, 12, 0)), pack_bits(codes(150, 12, 1))
    whole = hamming_neighbours(query, database, 20)
    monkeypatch.setattr(hamming, "BLOCK_ITEMS", block)
    monkeypatch.setattr(hamming, "BLOCK_QUERIES", 2)
    for part, wanted in zip(hamming_neighbours(query, database, 20), whole, strict=True):
        assert torch.equal(part, wanted)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_the_largest_distances_do_not_overflow(width):
    zeros, ones = torch.zeros(2, 40 * width, dtype=torch.uint8), torch.full((3, 40 * width), 255, dtype=torch.uint8)
    assert hamming_neighbours(zeros, ones, 3)[0].unique().tolist() == [320 * width]


def test_search_by_table_is_the_same(monkeypatch):
    query, database = pack_bits(codes(5, 128, 0)), pack_bits(codes(70, 128, 1))
    wanted = hamming_neighbours(query, database, 9)
    monkeypatch.setattr(hamming, "count_bits", count_bits_by_table)
    for found, each in zip(hamming_neighbours(query, database, 9), wanted, strict=True):
        assert torch.equal(found, each)


@pytest.mark.parametrize(("num_queries", "size"), [(0, 4), (3, 0)])
def test_an_empty_side_gives_an_empty_result(num_queries, size):
    sides = (torch.zeros(count, 2, dtype=torch.uint8) for count in (num_queries, size))
    scores, positions = hamming_neighbours(*sides, 3)
    assert scores.shape == positions.shape == (num_queries, min(3, size))
