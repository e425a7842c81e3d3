"""Joining neighbours that were found in the shards of a database."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import multiprocessing

from labelgraph.metrics import pack_bits
from labelgraph.search import Neighbours, build_index, merge_neighbours

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
    result = find("hamming", query, database, 0, SIZE, 3)
    empty = Neighbours([[] for _ in range(QUERIES)], torch.empty(QUERIES, 0, dtype=torch.int32))
    assert merge_neighbours([empty, result, empty], 3).ids == result.ids
    assert merge_neighbours([empty], 3).ids == empty.ids


@pytest.mark.parametrize(
    ("parts", "k", "message"),
    [
        ([], 1, "'parts' must be at least one"),
        ([Neighbours([["a"]], torch.ones(1, 1))], 0, r"'k' must be .* at least 1 \(got 0\)"),
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
    bounds, result = BOUNDS[2], {}
    for index in ("hamming", "exact"):
        query, database = items(index)
        parts = [None, None]
        dist.all_gather_object(parts, find(index, query, database, *bounds[rank : rank + 2], 9))
        merged = merge_neighbours(parts, 9)
        result[index] = merged.ids, merged.scores
    torch.save(result, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
def test_a_database_shared_out_to_two_processes_is_searched_as_one(tmp_path):
    multiprocessing.spawn(process, (tmp_path,), nprocs=2)
    for rank in (0, 1):
        result = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for index, (ids, scores) in result.items():
            whole = find(index, *items(index), 0, SIZE, 9)
            assert ids == whole.ids and torch.equal(scores, whole.scores)
