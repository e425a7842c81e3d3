"""Packed bits against NumPy, and Hamming ranking against counting."""

import numpy as np
import pytest
import torch

from labelgraph.retrieval import evaluate, pack_bits, ranked_relevance, unpack_bits


def codes(size, bits, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2, (size, bits), generator=generator) * 2 - 1


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 16, 61, 128])
def test_packing_is_that_of_numpy_and_can_be_undone(bits):
    given = codes(13, bits)
    packed = pack_bits(given)
    assert np.array_equal(packed.numpy(), np.packbits(given.numpy() > 0, axis=1))
    assert packed.dtype == torch.uint8 and packed.shape == (13, -(-bits // 8))
    assert torch.equal(unpack_bits(packed, bits), given.to(torch.int8))


def test_zero_and_floats_are_signs():
    assert torch.equal(pack_bits(torch.tensor([[0.5, 0.0, -2.0]])), torch.tensor([[128]], dtype=torch.uint8))


@pytest.mark.parametrize("bits", [5, 12, 64])
def test_ranking_is_by_the_number_of_different_bits_and_then_by_place(bits):
    query, database = codes(4, bits), codes(40, bits, seed=1)
    labels = torch.eye(40)
    wanted = torch.randint(0, 2, (4, 40), generator=torch.Generator().manual_seed(2)).float()
    ranked = torch.cat(list(ranked_relevance(pack_bits(query), pack_bits(database), wanted, labels, "hamming")))
    for row in range(4):
        distance = [int((query[row] != other).sum()) for other in database]
        order = sorted(range(40), key=lambda i, distance=distance: (distance[i], i))
        assert ranked[row].tolist() == [int(wanted[row, i]) for i in order]


def test_packed_codes_are_measured_as_products_of_signs():
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
