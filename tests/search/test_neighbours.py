"""Search by Hamming distance against a loop over queries and bits."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from labelgraph._core.packed_bits import count_bits_by_table
from labelgraph.metrics import pack_bits
from labelgraph.search import Neighbours, build_index, hamming_neighbours, merge_neighbours, product_neighbours
from labelgraph.search import neighbours as hamming
from labelgraph.search import neighbours as product
from labelgraph.search.neighbours import Nearest


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


SIZE, QUERIES = 61, 5
BOUNDS = {1: (0, 61), 2: (0, 23, 61), 4: (0, 1, 30, 57, 61)}


def items(index):
    """Vectors of few values, so that many scores are equal; a quarter is exact however products are summed."""
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randint(0, 2, (n, 4), generator=generator) * 2.0 - 1 for n in (QUERIES, SIZE))
    return (pack_bits(query), pack_bits(database)) if index == "hamming" else (query, database)


def find(index, query, database, start, stop, k, titled=False):
    """Neighbours in one shard."""
    shard = build_index(index)
    shard.add(database[start:stop])
    scores, positions = shard.search(query, k)
    ids = [[f"item {start + place}" for place in row] for row in positions.tolist()]
    return Neighbours(ids, scores, [[f"title of {each}" for each in row] for row in ids] if titled else [])


@pytest.mark.parametrize("index", ["hamming", "exact"])
@pytest.mark.parametrize("shards", BOUNDS)
@pytest.mark.parametrize("k", [1, 7, 1000])
def test_shards_together_give_what_the_whole_gives_with_ties_by_position(index, shards, k):
    query, database = items(index)
    bounds = BOUNDS[shards]
    parts = [find(index, query, database, *pair, k) for pair in pairwise(bounds)]
    merged, whole = merge_neighbours(parts, k), find(index, query, database, 0, SIZE, k)
    assert merged.ids == whole.ids and merged.titles == whole.ids
    assert torch.equal(merged.scores, whole.scores) and merged.scores.dtype == whole.scores.dtype
    assert len(np.unique(whole.scores)) < SIZE // 4 or k == 1


def test_titles_go_with_their_ids():
    query, database = items("exact")
    parts = [find("exact", query, database, 0, 9, 4, True), find("exact", query, database, 9, SIZE, 4)]
    merged = merge_neighbours(parts, 8)
    for ids, titles in zip(merged.ids, merged.titles, strict=True):
        assert titles == [f"title of {each}" if int(each.split()[1]) < 9 else each for each in ids]
        assert titles != ids


def test_a_shard_without_items_changes_nothing():
    query, database = items("hamming")
    found = find("hamming", query, database, 0, SIZE, 3)
    empty = Neighbours([[] for _ in range(QUERIES)], torch.empty(QUERIES, 0, dtype=torch.int32))
    assert merge_neighbours([empty, found, empty], 3).ids == found.ids
    assert merge_neighbours([empty], 3).ids == empty.ids


@pytest.mark.parametrize(
    ("parts", "k", "message"),
    [
        ([], 1, "'parts' must be at least one"),
        ([Neighbours([["a"]], torch.ones(1, 1))], 0, r"'k' must be at least 1 \(got 0\)"),
        ([Neighbours([["a"]] * n, torch.ones(n, 1)) for n in (1, 2)], 1, r"the same queries \(got 1, 2 queries\)"),
        ([Neighbours([["a"]], torch.ones(1, 1).to(kind)) for kind in (torch.int32, torch.float32)], 1, "got both"),
    ],
)
def test_what_cannot_be_joined_is_refused(parts, k, message):
    with pytest.raises(ValueError, match=message):
        merge_neighbours(parts, k)


def process(rank, folder):
    """Holds half of the database, searches it, and gathers what both found."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    bounds, found = BOUNDS[2], {}
    for index in ("hamming", "exact"):
        query, database = items(index)
        parts = [None, None]
        dist.all_gather_object(parts, find(index, query, database, *bounds[rank : rank + 2], 9))
        merged = merge_neighbours(parts, 9)
        found[index] = merged.ids, merged.scores
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_a_database_shared_out_to_two_processes_is_searched_as_one(tmp_path):
    multiprocessing.spawn(process, (tmp_path,), nprocs=2)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for index, (ids, scores) in found.items():
            whole = find(index, *items(index), 0, SIZE, 9)
            assert ids == whole.ids and torch.equal(scores, whole.scores)


def gather(keys, k, block):
    nearest = Nearest(len(keys), k, keys.dtype.type)
    for start in range(0, keys.shape[1], block):
        nearest.add(keys[:, start : start + block], start)
    return nearest.result()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("block", [1, 7, 64, 1000])
@pytest.mark.parametrize("k", [1, 5, 300])
@pytest.mark.parametrize("kind", ["few values", "falling", "rising", "equal"])
def test_it_is_a_stable_sort(dtype, block, k, kind):
    rng = np.random.default_rng(0)
    keys = {
        "few values": rng.integers(0, 9, (6, 300)),
        "falling": np.tile(np.arange(300)[::-1] // 2, (6, 1)),
        "rising": np.tile(np.arange(300) // 2, (6, 1)),
        "equal": np.full((6, 300), 4),
    }[kind].astype(dtype)
    best, positions = gather(keys, k, block)
    order = keys.argsort(axis=1, kind="stable")[:, :k]
    assert np.array_equal(positions, order)
    assert np.array_equal(best, np.take_along_axis(keys, order, axis=1))


@pytest.mark.parametrize("run", [1, 4, 20])
def test_runs_whose_smallest_key_is_known_give_the_same(run):
    keys = np.random.default_rng(2).integers(-3, 4, (7, 200)).astype(np.float32) * np.float32(0.5)
    nearest = Nearest(7, 9, np.float32)
    for start in range(0, 200, 20):
        block = keys[:, start : start + 20]
        nearest.add(block, start, block.reshape(7, -1, run).min(2))
    for ours, plain in zip(nearest.result(), gather(keys, 9, 20), strict=True):
        assert np.array_equal(ours, plain)


def test_one_query_with_all_the_candidates():
    keys = np.tile(np.arange(2_000, 0, -1, dtype=np.float32), (40, 1))
    keys[1:] = 0.0
    best, positions = gather(keys, 2, 100)
    assert positions[0].tolist() == [1999, 1998] and best[0].tolist() == [1.0, 2.0]
    assert (positions[1:] == [0, 1]).all()


def test_zero_has_no_sign():
    _, positions = gather(np.array([[0.0, -0.0, -1e-38, 0.0]], np.float32), 3, 2)
    assert positions.tolist() == [[2, 0, 1]]


def test_queries_do_not_mix():
    keys = np.random.default_rng(1).random((5, 200), np.float32)
    _, together = gather(keys, 3, 50)
    for row in range(5):
        _, alone = gather(keys[row : row + 1], 3, 50)
        assert np.array_equal(alone[0], together[row])


def test_places_that_no_item_took_say_so():
    keys, positions = gather(np.array([[2.0, 1.0]], np.float32), 3, 2)
    assert positions.tolist() == [[1, 0, -1]]
    assert keys.tolist() == [[1.0, 2.0, np.inf]]


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


@pytest.mark.parametrize(("num_queries", "size"), [(1, 1), (3, 50), (20, 90)])
@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("blocks", [(512, 4096), (4, 16)])
def test_it_is_the_loop_with_ties_by_position_of_product(monkeypatch, num_queries, size, k, blocks):
    monkeypatch.setattr(product, "BLOCK_QUERIES", blocks[0])
    monkeypatch.setattr(product, "BLOCK_ITEMS", blocks[1])
    query, database = small_integers(num_queries, 4, 0), small_integers(size, 4, 1)
    scores, positions = product_neighbours(query, database, k)
    assert (scores.tolist(), positions.tolist()) == slow_product(query, database, k)
    assert scores.shape == (num_queries, min(k, size)) and scores.dtype == torch.float32


def test_a_product_of_zero_has_no_sign():
    scores, _ = product_neighbours(torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [-1.0, 0.0]]), 2)
    assert not torch.signbit(scores).any()


@pytest.mark.parametrize(("num_queries", "size"), [(0, 4), (3, 0)])
def test_an_empty_side_gives_an_empty_result_of_product(num_queries, size):
    scores, positions = product_neighbours(torch.ones(num_queries, 2), torch.ones(size, 2), 3)
    assert scores.shape == positions.shape == (num_queries, min(3, size))
