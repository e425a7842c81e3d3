"""Embeddings with their similarity, and scores against plain loops."""

import math

import numpy as np
import pytest
import torch

from labelgraph._core.similarity import (
    SIMILARITIES,
    Embeddings,
    as_embeddings,
    check_comparable,
    score_blocks,
    unit_length,
)
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


@pytest.mark.parametrize(
    "values",
    [
        [[1.0, 2.0], [3.0, 4.0]],
        np.array([[3.0, 4.0], [1.0, 2.0]])[::-1],
        np.array([[1, 2], [3, 4]], ">f4"),
        np.array([[1, 2], [3, 4]], np.float16),
        torch.tensor([[1, 2], [3, 4]]),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]]).to_sparse(),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
    ],
)
def test_matrices_of_all_kinds_are_taken(values):
    taken = as_embeddings("query", values)
    assert taken.similarity == "cosine" and taken.vectors.tolist() == [[1, 2], [3, 4]]
    assert not taken.vectors.requires_grad


@pytest.mark.parametrize(
    ("values", "similarity", "facts"),
    [
        (torch.ones(2, 3, dtype=torch.uint8), None, ("'similarity'", "'query'", "uint8", "'hamming'")),
        (Embeddings(torch.ones(2, 3), "dot"), "cosine", ("'similarity'", "'dot'", "'cosine'")),
        (torch.ones(2, 3), "hamming", ("'query'", "uint8", "torch.float32")),
        (torch.ones(2, 3), "hamning", ("'similarity'", "did you mean 'hamming'")),
        (torch.ones(2, 3), 3, ("'similarity'", "3")),
        (torch.ones(2, 3) * 2, "jaccard", ("'query'", "[0, 1]", "2")),
        (torch.full((2, 3), math.nan), None, ("'query'", "finite")),
        (torch.full((2, 3), 1e20), "dot", ("'query'", "1e+19")),
        (torch.ones(3), None, ("'query'", "matrix", "(3,)")),
        (torch.ones(0, 3), None, ("'query'", "at least one row")),
        (Embeddings(torch.ones(0, 3)), None, ("'query'", "at least one row")),
        (torch.ones(3, 0), None, ("'query'", "at least one column")),
        (["a", "b"], None, ("'query'", "numbers")),
        (torch.ones(1, 1, dtype=torch.complex64), None, ("'query'", "complex64")),
    ],
)
def test_wrong_embeddings_are_named(values, similarity, facts):
    with pytest.raises(ValueError) as caught:
        as_embeddings("query", values, similarity)
    assert all(fact in str(caught.value) for fact in facts)


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        ((torch.ones(2, 3), "dot", 2), ("'num_labels'", "'dot'", "2")),
        ((torch.ones(2, 3), "jaccard", 4), ("'num_labels'", "3", "4")),
        ((torch.ones(2, 3), "jaccard", 0), ("'num_labels'", "0")),
        ((torch.ones(2, 3), "l2"), ("'similarity'", "'l2'")),
    ],
)
def test_wrong_kinds_of_embeddings_are_named(arguments, facts):
    with pytest.raises(ValueError) as caught:
        Embeddings(*arguments)
    assert all(fact in str(caught.value) for fact in facts)


@pytest.mark.parametrize(
    ("other", "facts"),
    [
        (Embeddings(torch.ones(2, 3), "dot"), ("'database'", "'jaccard'", "'dot'")),
        (Embeddings(torch.ones(2, 4), "jaccard", 2), ("'database'", "3", "4")),
        (Embeddings(torch.ones(2, 3), "jaccard", 1), ("'database'", "2", "1")),
    ],
)
def test_embeddings_of_different_kinds_are_not_compared(other, facts):
    query = Embeddings(torch.ones(2, 3), "jaccard", 2)
    for compare in (check_comparable, lambda a, b: list(score_blocks(a, b)), lambda a, b: Embeddings.cat([a, b])):
        with pytest.raises(ValueError) as caught:
            compare(query, other)
        assert all(fact.replace("database", "") in str(caught.value) for fact in facts[1:])


def test_rows_and_joins_keep_the_kind(sides):
    whole = Embeddings(sides[0], "jaccard", 4)
    joined = Embeddings.cat([whole[:2], whole[torch.tensor([2, 3])], whole[4]]).to("cpu")
    assert torch.equal(joined.vectors, whole.vectors)
    assert (joined.similarity, joined.num_labels, len(joined), len(whole[4])) == ("jaccard", 4, 5, 1)
    labels, pair = joined.parts()
    assert labels.shape == (5, 4) and pair.shape == (5, 2)
    with pytest.raises(ValueError, match="'parts'"):
        Embeddings.cat([])


def test_all_labels_are_columns_by_default(sides):
    assert Embeddings(sides[0], "jaccard").num_labels == as_embeddings("query", sides[0], "jaccard").num_labels == 6


def test_every_similarity_describes_its_score():
    sparse = ["sparse-dot", "sparse-cosine", "sparse-jaccard"]
    assert list(SIMILARITIES) == ["cosine", "dot", "hamming", "jaccard", *sparse]
    assert all(similarity.meaning for similarity in SIMILARITIES.values())
