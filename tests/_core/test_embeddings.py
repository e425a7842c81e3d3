"""Embeddings with their similarity: what is taken, refused and kept."""

import math

import numpy as np
import pytest
import torch

from labelgraph._core.embeddings import Embeddings, as_embeddings, check_comparable, score_blocks

SIDE = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))


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


def test_rows_and_joins_keep_the_kind():
    whole = Embeddings(SIDE, "jaccard", 4)
    joined = Embeddings.cat([whole[:2], whole[torch.tensor([2, 3])], whole[4]]).to("cpu")
    assert torch.equal(joined.vectors, whole.vectors)
    assert (joined.similarity, joined.num_labels, len(joined), len(whole[4])) == ("jaccard", 4, 5, 1)
    labels, pair = joined.parts()
    assert labels.shape == (5, 4) and pair.shape == (5, 2)
    with pytest.raises(ValueError, match="'parts'"):
        Embeddings.cat([])


@pytest.mark.parametrize("sizes", [[5], [2, 3], [1, 1, 3]])
def test_parts_are_collected_into_one_matrix(sizes):
    whole = Embeddings(torch.rand(5, 3), "jaccard", 2)
    parts = [Embeddings(part, "jaccard", 2) for part in whole.vectors.split(sizes)]
    for size in (5, None):
        joined = Embeddings.collect(iter(parts), size)
        assert torch.equal(joined.vectors, whole.vectors) and joined.similarity == "jaccard" and joined.num_labels == 2
    for size in (6, 4):
        with pytest.raises(ValueError, match=f"'parts' must have {size} rows.*got 5"):
            Embeddings.collect(iter(parts), size)
    with pytest.raises(ValueError, match="'parts' must have the similarity"):
        Embeddings.collect([*parts, Embeddings(torch.rand(1, 3), "dot")], 6)


def test_no_parts_are_refused():
    for size in (0, 3, None):
        with pytest.raises(ValueError, match="'parts'"):
            Embeddings.collect([], size)


def test_all_labels_are_columns_by_default():
    assert Embeddings(SIDE, "jaccard").num_labels == as_embeddings("query", SIDE, "jaccard").num_labels == 6
