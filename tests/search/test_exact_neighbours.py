"""Exact neighbours against loops over queries and items."""

import threading

import numpy as np
import pytest
import torch

from labelgraph.metrics import Embeddings, pack_bits
from labelgraph.search import build_index, exact_neighbours, nearest_neighbours
from labelgraph.search.exact_neighbours import find


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
    scores, positions = nearest_neighbours(pack_bits(query), pack_bits(database), k, "hamming")
    assert (scores.tolist(), positions.tolist()) == slow(query, database, k)
    assert scores.dtype == torch.int32 and positions.dtype == torch.int64


@pytest.mark.parametrize("block", [1, 13, 64])
def test_blocks_do_not_matter(monkeypatch, block):
    query, database = pack_bits(codes(9, 12, 0)), pack_bits(codes(150, 12, 1))
    whole = nearest_neighbours(query, database, 20, "hamming")
    monkeypatch.setattr(exact_neighbours, "BLOCK_ITEMS", block)
    monkeypatch.setattr(exact_neighbours, "BLOCK_QUERIES", 2)
    for part, wanted in zip(nearest_neighbours(query, database, 20, "hamming"), whole, strict=True):
        assert torch.equal(part, wanted)


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_the_largest_distances_do_not_overflow(width):
    zeros, ones = torch.zeros(2, 40 * width, dtype=torch.uint8), torch.full((3, 40 * width), 255, dtype=torch.uint8)
    assert nearest_neighbours(zeros, ones, 3, "hamming")[0].unique().tolist() == [320 * width]


@pytest.mark.parametrize(("num_queries", "size"), [(0, 4), (3, 0)])
def test_an_empty_side_gives_an_empty_result(num_queries, size):
    sides = (torch.zeros(count, 2, dtype=torch.uint8) for count in (num_queries, size))
    scores, positions = find(*(Embeddings(side, "hamming") for side in sides), 3)
    assert scores.shape == positions.shape == (num_queries, min(3, size))


def small_integers(size, width, seed):
    """Their products are exact, and many are equal."""
    return torch.randint(-2, 3, (size, width), generator=torch.Generator().manual_seed(seed)).float()


def slow_product(query, database, k):
    scores, positions = [], []
    for vector in query.numpy():
        products = np.array([float(vector @ other) for other in database.numpy()])
        order = np.lexsort((np.arange(len(products)), -products))[:k]
        positions.append(order.tolist())
        scores.append(products[order].tolist())
    return scores, positions


def use_blocks(monkeypatch, queries, items):
    for name, value in {"QUERIES": queries, "ITEMS": items, "SCORES": queries * items}.items():
        monkeypatch.setattr(exact_neighbours, f"BLOCK_{name}", value)


@pytest.mark.parametrize(("num_queries", "size"), [(1, 1), (3, 50), (20, 90)])
@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("blocks", [(512, 4096), (4, 16)])
def test_it_is_the_loop_with_ties_by_position_of_product(monkeypatch, num_queries, size, k, blocks):
    use_blocks(monkeypatch, *blocks)
    query, database = small_integers(num_queries, 4, 0), small_integers(size, 4, 1)
    scores, positions = nearest_neighbours(query, database, k, "dot")
    assert (scores.tolist(), positions.tolist()) == slow_product(query, database, k)
    assert scores.shape == (num_queries, min(k, size)) and scores.dtype == torch.float32


@pytest.mark.parametrize("size", [6_145, 6_150, 12_289, 12_352])
def test_equal_items_are_in_order_also_in_the_last_block(size):
    generator = torch.Generator().manual_seed(0)
    query, item = (torch.randn(rows, 33, generator=generator) for rows in (64, 1))
    scores, positions = nearest_neighbours(query, item.expand(size, 33), size)
    assert (scores == scores[:, :1]).all() and (positions == torch.arange(size)).all()


@pytest.fixture
def three_threads(monkeypatch):
    """Three threads, each of which takes two queries or more, and may be started for few scores."""
    monkeypatch.setattr(exact_neighbours, "THREAD_QUERIES", 2)
    monkeypatch.setattr(exact_neighbours, "THREAD_SCORES", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("num_queries", [3, 4, 7, 20])
def test_threads_find_the_products_of_all_queries(three_threads, num_queries):
    query, database = small_integers(num_queries, 4, 0), small_integers(500, 4, 1)
    scores, positions = nearest_neighbours(query, database, 10, "dot")
    assert (scores.tolist(), positions.tolist()) == slow_product(query, database, 10)
    assert torch.get_num_threads() == 3


def test_threads_find_the_jaccard_coefficients_of_all_queries(three_threads):
    generator = torch.Generator().manual_seed(0)
    query, database = (Embeddings(torch.rand(n, 8, generator=generator), "jaccard", 5) for n in (11, 300))
    scores, positions = nearest_neighbours(query, database, 6)
    torch.set_num_threads(1)
    alone = nearest_neighbours(query, database, 6)
    torch.testing.assert_close(scores, alone[0])
    assert torch.equal(positions, alone[1])


def test_an_error_in_a_thread_is_raised_and_leaves_the_number_of_threads(three_threads, monkeypatch):
    seen = []

    def fail(*_):
        seen.append((threading.current_thread() is threading.main_thread(), torch.get_num_threads()))
        raise MemoryError("no memory for the nearest")

    monkeypatch.setattr(exact_neighbours, "Nearest", fail)
    with pytest.raises(MemoryError, match="for the nearest"):
        nearest_neighbours(torch.ones(9, 2), torch.ones(50, 2), 3)
    assert set(seen) == {(False, 1)} and torch.get_num_threads() == 3


def test_a_product_of_zero_has_no_sign():
    scores, _ = nearest_neighbours(torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [-1.0, 0.0]]), 2, "dot")
    assert not torch.signbit(scores).any()


@pytest.mark.parametrize(("num_queries", "size"), [(0, 4), (3, 0)])
def test_an_empty_side_gives_an_empty_result_of_product(num_queries, size):
    scores, positions = find(*(Embeddings(torch.ones(n, 2), "dot") for n in (num_queries, size)), 3)
    assert scores.shape == positions.shape == (num_queries, min(3, size))


def expected_jaccard(p, q):
    """By all label sets of two items, each drawn label by label: the ratio of expected intersection and union."""
    both = float((p * q).sum())
    return both / (float(p.sum() + q.sum()) - both)


def one_score(p, q):
    """Of five labels, and behind them pair embeddings."""
    jaccard, e, f = expected_jaccard(p[:5], q[:5]), p[5:].double(), q[5:].double()
    return (jaccard + max(0.0, float(e @ f)) ** 3) / (1 + float(e.norm()) ** 6)


@pytest.mark.parametrize("pair", [0, 3])
def test_jaccard_is_the_loop_over_pairs(monkeypatch, pair):
    use_blocks(monkeypatch, 4, 16)
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.rand(n, 5 + pair, generator=generator) for n in (9, 70))
    sides = [Embeddings(each, "jaccard", 5) for each in (query, database)]
    scores, positions = nearest_neighbours(*sides, 6)
    slow = torch.tensor([[one_score(p, q) for q in database] for p in query])
    torch.testing.assert_close(scores, slow.topk(6).values)
    torch.testing.assert_close(slow.gather(1, positions), scores)
    assert pair or (scores.min() >= 0 and scores.max() <= 1)


def test_items_without_labels_share_nothing():
    scores, _ = nearest_neighbours(torch.zeros(1, 2), torch.tensor([[0.0, 0.0], [1.0, 0.5]]), 2, "jaccard")
    assert scores.tolist() == [[0.0, 0.0]]


def test_the_similarity_of_embeddings_is_theirs():
    codes_ = Embeddings(torch.tensor([[3], [1]], dtype=torch.uint8), "hamming")
    assert nearest_neighbours(codes_, codes_, 1)[0].tolist() == [[0], [0]]
    with pytest.raises(ValueError, match="'similarity' must be 'hamming'"):
        nearest_neighbours(codes_, codes_, 1, "cosine")


@pytest.mark.parametrize(
    ("query", "database", "k", "message"),
    [
        ([[1.0]], [[1.0, 2.0]], 1, "'database' must have 1 columns"),
        ([[float("nan")]], [[1.0]], 1, "'query' must be finite"),
        ([[1.0]], [[1.0]], 0, r"'k' must be .* at least 1 \(got 0\)"),
        ([[1.0]], [[1.0]], "3", r"'k' must be .* at least 1 \(got '3'\)"),
        (np.array([[1]], np.uint8), np.array([[1]], np.uint8), 1, "'similarity' must be given where 'query' is uint8"),
        ([["a"]], [[1.0]], 1, "'query' must be a matrix of numbers"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(query, database, k, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(query, database, k)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(torch.float64, 1e-300), (torch.float64, 1e-100), (torch.float64, 1e-45), (torch.float64, 1e18),
     (torch.float32, 1e-37), (torch.float32, 1e18), (torch.bfloat16, 1e-37), (torch.float16, 1e-3)],
)  # fmt: skip
def test_cosines_do_not_depend_on_the_length(dtype, scale):
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(size, 5, generator=generator, dtype=torch.float64) for size in (4, 30))
    short, held = (query * scale).to(dtype), (database * scale).to(dtype)
    cosines = torch.nn.functional.cosine_similarity((short.double() / scale)[:, None], held.double() / scale, dim=-1)
    wanted = cosines.sort(dim=1, descending=True)
    scores, positions = nearest_neighbours(short, held, 30)
    assert torch.allclose(scores.double(), wanted.values, atol=1e-6) and torch.equal(positions, wanted.indices)
    for kind in ("exact", "faiss-flat"):
        index = build_index(kind)
        index.add(held)
        scores, positions = index.search(short, 30)
        assert torch.allclose(scores.double(), wanted.values, atol=1e-6) and torch.equal(positions, wanted.indices)
