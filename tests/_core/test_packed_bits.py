"""Packed bits against NumPy, and Hamming ranking against counting."""

import numpy as np
import pytest
import torch

from labelgraph._core import packed_bits as hamming
from labelgraph.metrics import evaluate, pack_bits, ranked_relevance, unpack_bits
from labelgraph.metrics.ranking import RankingInputs, graded_blocks
from labelgraph.metrics.ties import bucket_blocks, count_on_device


def codes(size, bits, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (size, bits), generator=generator) * 2 - 1


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 16, 61, 128])
def test_packing_agrees_with_numpy_and_unpacks(bits):
    signs = codes(13, bits)
    packed = pack_bits(signs)
    assert np.array_equal(packed.numpy(), np.packbits(signs.numpy() > 0, axis=1))
    assert packed.dtype == torch.uint8 and packed.shape == (13, -(-bits // 8))
    assert torch.equal(unpack_bits(packed, bits), signs.to(torch.int8))


def test_floats_are_packed_by_sign_and_zero_is_negative():
    assert torch.equal(pack_bits(torch.tensor([[0.5, 0.0, -2.0]])), torch.tensor([[128]], dtype=torch.uint8))


@pytest.mark.parametrize("bits", [5, 12, 64])
def test_codes_rank_by_the_number_of_different_bits_then_by_place(bits):
    query, database = codes(4, bits), codes(40, bits, seed=1)
    labels = torch.eye(40)
    wanted = torch.randint(0, 2, (4, 40), generator=torch.Generator().manual_seed(2)).float()
    ranked = torch.cat(list(ranked_relevance(pack_bits(query), pack_bits(database), wanted, labels, "hamming")))
    for row in range(4):
        distance = [int((query[row] != other).sum()) for other in database]
        order = sorted(range(40), key=lambda i, distance=distance: (distance[i], i))
        assert ranked[row].tolist() == [int(wanted[row, i]) for i in order]


def test_metrics_of_packed_codes_agree_with_products_of_signs():
    query, database, labels = codes(6, 20), codes(30, 20, seed=1), torch.eye(3)[torch.arange(36) % 3]
    measured = evaluate(pack_bits(query), pack_bits(database), labels[:6], labels[6:], similarity="hamming")
    assert measured == evaluate(query, database, labels[:6], labels[6:], similarity="dot")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_bits(torch.ones(3)), r"'codes' must have the shape \(N, bits\) \(got \(3,\)\)"),
        (lambda: pack_bits(torch.ones(3, 0)), "'codes' must have the shape"),
        (lambda: unpack_bits(torch.ones(2, 1), 8), r"'packed' must be bytes .*got torch.float32"),
        (lambda: unpack_bits(pack_bits(codes(2, 9)), 17), r"shape \(N, 3\) for 17 bits \(got torch.uint8, \(2, 2\)\)"),
        (lambda: unpack_bits(pack_bits(codes(2, 9)), 8), "for 8 bits"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def random_codes(size, bits, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (size, bits), generator=generator) * 2 - 1


def slow_distances(query, database):
    return [[int((left != right).sum()) for right in database] for left in query]


def words(codes):
    return hamming.code_words(pack_bits(codes))


@pytest.mark.parametrize("bits", [1, 8, 16, 24, 33, 61, 64, 65, 128, 255, 256, 300])
def test_distances_count_different_bits(bits):
    query, database = random_codes(3, bits, 0), random_codes(9, bits, 1)
    database[0] = -query[0]  # The largest possible distance.
    got = hamming.distances(np.ascontiguousarray(words(database).T), words(query))
    assert got.tolist() == slow_distances(query, database) and got[0, 0] == bits


def test_excluded_items_lie_beyond_every_distance():
    query, database = words(random_codes(2, 64, 0)), words(-random_codes(2, 64, 0))
    got = hamming.distances(np.ascontiguousarray(database.T), query, np.eye(2, dtype=bool))
    assert got.diagonal().tolist() == [65, 65] and max(got[0, 1], got[1, 0]) < 65


def cases(bits, seed, highest, with_ids):
    generator = torch.Generator().manual_seed(seed)
    query, database = random_codes(7, bits, seed), random_codes(50, bits, seed + 1)
    grades = torch.randint(0, highest + 1, (7, 50), generator=generator)
    ids = (torch.arange(7), torch.randint(0, 12, (50,), generator=generator)) if with_ids else (None, None)
    return query, database, grades, ids


@pytest.mark.parametrize(("bits", "highest"), [(3, 1), (16, 4), (64, 1), (130, 200), (300, 3)])
@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("block_size", [None, 1, 3])
def test_codes_rank_by_distance_and_then_by_place(bits, highest, with_ids, block_size):
    query, database, grades, ids = cases(bits, 0, highest, with_ids)
    blocks = ranked_relevance(
        pack_bits(query), pack_bits(database), similarity="hamming", block_size=block_size,
        relevance=grades, query_ids=ids[0], database_ids=ids[1],
    )  # fmt: skip
    ranked = torch.cat(list(blocks)).tolist()
    for row, distance in enumerate(slow_distances(query, database)):
        others = [i for i in range(50) if not with_ids or ids[1][i] != row]
        order = sorted(others, key=lambda i, distance=distance: (distance[i], i))
        assert ranked[row] == [int(grades[row, i]) for i in order] + [0] * (50 - len(others))


@pytest.mark.parametrize(
    ("bits", "filled_up", "highest"),
    [(3, 8, 1), (16, 16, 4), (20, 32, 2), (64, 64, 1), (130, 192, 200), (300, 320, 3)],
)
@pytest.mark.parametrize("with_ids", [False, True])
def test_items_are_counted_by_distance_and_grade(bits, filled_up, highest, with_ids):
    query, database, grades, ids = cases(bits, 3, highest, with_ids)
    inputs = RankingInputs.checked(pack_bits(query), pack_bits(database), None, None, "hamming", grades, *ids)
    expected = torch.zeros(7, filled_up + 1, highest + 1, dtype=torch.long)
    for row, distance in enumerate(slow_distances(query, database)):
        for i in range(50):
            if not with_ids or ids[1][i] != row:
                expected[row, distance[i], grades[row, i]] += 1
    for block_size in (None, 2):
        blocks = list(bucket_blocks(inputs, block_size))
        assert torch.equal(torch.cat([block.total for block in blocks]), expected.sum(2))
        assert torch.equal(torch.cat([block.relevant for block in blocks]), expected[..., 1:].sum(2))
        gain = torch.cat([block.gains["linear"] for block in blocks])
        assert torch.equal(gain, (expected * torch.arange(highest + 1)).sum(2).double())
    ((scores, relevance),) = graded_blocks(inputs, 7)
    length = 8 * pack_bits(query).shape[1]
    on_device = count_on_device(scores, relevance, length)
    assert torch.equal(on_device, expected[:, : length + 1, : on_device.shape[2]])


def test_codes_of_nan_are_refused():
    with pytest.raises(ValueError, match=r"'codes'.*NaN"):
        pack_bits(torch.full((2, 8), torch.nan))


def test_codes_of_numpy_and_lists_are_packed():
    codes = [[1, -1, -1, -1, -1, -1, -1, 1, 1], [-1, 1, 1, 1, 1, 1, 1, 1, -1]]
    wanted = pack_bits(torch.tensor(codes))
    for each in (codes, np.array(codes, np.float16), np.array(codes, ">i4")):
        assert torch.equal(pack_bits(each), wanted)
    assert unpack_bits(wanted.numpy(), 9).tolist() == codes
    with pytest.raises(ValueError, match="'codes' must"):
        pack_bits(["text"])
