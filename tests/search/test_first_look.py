"""Searches that look at products of bfloat16 first, against all products in float64."""

import numpy as np
import pytest
import torch

from labelgraph.search import exact_neighbours, first_look, nearest_neighbours
from labelgraph.search.first_look import promising_items


@pytest.fixture(autouse=True)
def looks(monkeypatch):
    """Small matrices get a first look on any processor; this is how many items each second look has, on average."""
    for name, least in {"LEAST_QUERIES": 1, "LEAST_WIDTH": 1, "LEAST_ITEMS": 0, "TOGETHER": 4}.items():
        monkeypatch.setattr(first_look, name, least)
    monkeypatch.setattr(first_look, "is_fast", lambda: True)
    seen = []

    def look(*args):
        parts = promising_items(*args)
        seen.append(parts and np.mean([len(items) for _, items in parts]))
        return parts

    monkeypatch.setattr(exact_neighbours, "promising_items", look)
    return seen


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def integers(size, width, most=400, seed=0):
    """Numbers above 256 change in bfloat16; in float32, sums of 64 products of numbers up to 400 are exact."""
    return torch.randint(-most, most + 1, (size, width), generator=torch.Generator().manual_seed(seed)).float()


def check(query, database, k, rounding=0.0):
    """Compare a search by inner products with a stable sort of all of them."""
    products = query.double() @ database.double().T
    order = torch.from_numpy(np.argsort(-products.numpy(), axis=1, kind="stable")[:, :k].copy())
    scores, positions = nearest_neighbours(query, database, k, "dot")
    torch.testing.assert_close(scores.double(), products.gather(1, order), rtol=rounding, atol=1e-31 * rounding)
    assert rounding or torch.equal(positions, order)


@pytest.mark.parametrize(("queries", "items", "k"), [(1, 5_000, 1), (9, 5_001, 10), (1_030, 3_000, 3), (6, 5_000, 200)])
def test_it_is_the_sort_of_all_products(looks, queries, items, k):
    check(integers(queries, 64), integers(items, 64, seed=1), k)
    assert None not in looks and max(looks) < items / 2


def test_equal_items_are_in_the_order_of_their_positions(looks):
    database = integers(1_000, 64, seed=1)[
        torch.randint(0, 1_000, (5_000,), generator=torch.Generator().manual_seed(2))
    ]
    check(integers(9, 64), database, 30)
    check(database[:9], database, 30)
    check(integers(9, 64, most=1), integers(5_000, 64, most=1, seed=1), 30)
    assert None not in looks


@pytest.mark.parametrize(
    "database",
    [
        integers(1, 64).expand(5_000, 64).contiguous(),  # All are equal.
        integers(5_000, 64) * (torch.arange(5_000) % 500 == 0)[:, None],  # Fewer than k are not 0.
        -integers(5_000, 64).abs(),
        torch.zeros(5_000, 64),
    ],
    ids=["equal", "zeros", "negative", "zero"],
)
def test_many_items_as_near_as_the_nearest_are_all_compared(looks, database):
    query = integers(9, 64, seed=1)
    check(query.abs() if database.max() <= 0 else query, database, 20)
    assert None in looks


@pytest.mark.parametrize("scale", [1e-25, 1e-19, 1e-10, 1e10, 1e17])
def test_lengths_of_any_size_are_allowed(scale):
    check(random(9, 64) * scale, random(5_000, 64, seed=1) * scale, 5, rounding=1e-5)
    check(random(9, 64) / max(scale, 1e-17), random(5_000, 64, seed=1) * scale, 5, rounding=1e-5)


def test_items_of_very_different_lengths():
    lengths = torch.logspace(-20, 10, 5_000)[:, None]
    for database in (random(5_000, 64, seed=1) * lengths, random(5_000, 64, seed=1) * lengths.flip(0)):
        check(random(9, 64), database, 5, rounding=1e-5)


SCALES = [(0, 0), (30, -30), (-30, 30), (-50, -50), (56, -84), (-84, 56), (40, -70), (-70, 40)]


@pytest.mark.parametrize(("queries", "items"), SCALES)  # Powers of 2, which change no rounding.
def test_the_nearest_is_found_even_where_bfloat16_errs_most(looks, queries, items):
    down, up = 1 + 2**-8 - 2**-20, 1 + 2**-8 + 2**-20  # Rounded to 1 and to 1 + 2^-7.
    query = torch.tensor([down, up, 1.0]).repeat_interleave(torch.tensor([32, 32, 1]))[None]
    database = -query.expand(5_000, -1).contiguous()
    database[10] = query * torch.tensor([-1, 1, 1]).repeat_interleave(torch.tensor([32, 32, 1]))
    database[3_000] = -database[10]
    database[3_000, 64] = 1 + 2**-7
    assert (database @ query[0]).argmax() == 3_000
    seen = database.bfloat16() @ query[0].bfloat16()
    assert seen[10] - seen[3_000] > 0.99
    check(query * 2.0**queries, database * 2.0**items, 1, rounding=1e-6)
    assert looks == [65.0] or min(queries, items) < -30


@pytest.mark.parametrize("k", [1, 100])
def test_queries_of_zeros_do_not_keep_all_items(looks, k):
    query = integers(9, 64)
    query[[0, 5]] = 0
    check(query, integers(5_000, 64, seed=1), k)
    assert looks[0] < 2_000
    check(query * 0, integers(5_000, 64, seed=1), k)
    assert looks[1] is None


def test_cosines_of_float64_are_those_of_all_products(monkeypatch, looks):
    query, database = (random(size, 24, seed=size).double() * 1e-200 for size in (9, 5_000))
    scores, positions = nearest_neighbours(query, database, 10)
    assert None not in looks
    monkeypatch.setattr(first_look, "is_fast", lambda: False)
    wanted = nearest_neighbours(query, database, 10)
    assert looks[1:] == [None] and torch.equal(positions, wanted[1])
    torch.testing.assert_close(scores, wanted[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(wrong):
    database = random(5_000, 8)
    database[4_000, 3] = wrong
    with pytest.raises(ValueError, match="'database' must be finite"):
        nearest_neighbours(random(9, 8), database, 1)


def test_all_items_in_order(looks):
    check(integers(5, 64), integers(1_000, 64, seed=1), 1_000)
    check(integers(5, 64), integers(1_100, 64, seed=1), 1_100)  # More than a block.
    assert looks[1] is None
