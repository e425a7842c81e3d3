"""Search by products against a loop over queries."""

import numpy as np
import pytest
import torch

from labelgraph.search import product, product_neighbours


def small_integers(size, width, seed):
    """Their products are exact, and many are equal."""
    return torch.randint(-2, 3, (size, width), generator=torch.Generator().manual_seed(seed)).float()


def slow(query, database, k):
    scores, positions = [], []
    for vector in query.numpy():
        products = np.array([float(vector @ other) for other in database.numpy()])
        order = np.lexsort((np.arange(len(products)), -products))[:k]
        positions.append(order.tolist())
        scores.append(products[order].tolist())
    return scores, positions


@pytest.mark.parametrize(("num_queries", "size"), [(1, 1), (3, 50), (20, 90)])
@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("blocks", [(512, 4096), (4, 16)])
def test_it_is_the_loop_with_ties_by_position(monkeypatch, num_queries, size, k, blocks):
    monkeypatch.setattr(product, "BLOCK_QUERIES", blocks[0])
    monkeypatch.setattr(product, "BLOCK_ITEMS", blocks[1])
    query, database = small_integers(num_queries, 4, 0), small_integers(size, 4, 1)
    scores, positions = product_neighbours(query, database, k)
    assert (scores.tolist(), positions.tolist()) == slow(query, database, k)
    assert scores.shape == (num_queries, min(k, size)) and scores.dtype == torch.float32


def test_a_product_of_zero_has_no_sign():
    scores, _ = product_neighbours(torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [-1.0, 0.0]]), 2)
    assert not torch.signbit(scores).any()


@pytest.mark.parametrize(("num_queries", "size"), [(0, 4), (3, 0)])
def test_an_empty_side_gives_an_empty_result(num_queries, size):
    scores, positions = product_neighbours(torch.ones(num_queries, 2), torch.ones(size, 2), 3)
    assert scores.shape == positions.shape == (num_queries, min(3, size))
