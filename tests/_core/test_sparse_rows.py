"""Rows of the most probable labels, and scores from them, against dense probabilities."""

import pytest
import torch

from labelgraph._core.embeddings import Embeddings, score_blocks
from labelgraph._core.sparse_rows import InvertedLists, pack_rows, split_rows, top_rows

SCORES = ("dot", "cosine", "jaccard")


def probabilities(size, num_labels=30, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(size, num_labels, generator=generator, dtype=dtype).pow(4)


def pair_part(size, seed=5):
    vectors = torch.randn(size, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return 1.1 * vectors / vectors.norm(dim=1, keepdim=True)


def rows_of(dense, kept, pair=None):
    return pack_rows(*top_rows(dense, kept), pair)


def scores_of(query, database, **options):
    return torch.cat([scores.clone() for _, scores in score_blocks(query, database, **options)])


def test_rows_are_split_as_they_were_joined():
    labels, values, pair = torch.tensor([[5, 2**24 - 1]]), torch.tensor([[0.5, 0.1]]), torch.randn(1, 3)
    parts = split_rows(pack_rows(labels, values, pair), 2)
    assert all(torch.equal(part, given) for part, given in zip(parts, (labels, values, pair), strict=True))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.half, torch.bfloat16, torch.float32, torch.float64])
def test_rows_of_any_type_are_checked(dtype):
    rows = torch.tensor([[5, 9, 0, 1]], dtype=dtype)
    assert torch.equal(Embeddings(rows, "sparse-jaccard", 2).vectors, rows)
    rows[0, 3] = 2
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\] in its second 2 .*got 0 to 2"):
        Embeddings(rows, "sparse-jaccard", 2)
    if dtype.is_floating_point:
        rows[0, 1] = 0.5
        with pytest.raises(ValueError, match=r"label numbers .*got 0.5 to 5"):
            Embeddings(rows, "sparse-jaccard", 2)


def test_the_most_probable_labels_are_kept():
    labels, values = top_rows(torch.tensor([[0.1, 0.7, 0.3, 0.6]]), 2)
    assert dict(zip(labels[0].tolist(), values[0].tolist(), strict=True)) == pytest.approx({1: 0.7, 3: 0.6})
    assert top_rows(torch.tensor([[0.1, 0.7]]), 5)[0].shape == (1, 2)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("block_size", [None, 3, 100])
def test_with_all_labels_kept_scores_are_those_of_dense_probabilities(name, pairs, block_size):
    if pairs and name != "jaccard":
        return
    left, right = probabilities(90), probabilities(41, seed=1)
    left[3] = 0  # No label at all.
    extra = (pair_part(90), pair_part(41, 6)) if pairs else (None, None)
    dense = [
        Embeddings(p if e is None else torch.cat([p, e], 1), name, 30 if name == "jaccard" else None)
        for p, e in zip((left, right), extra, strict=True)
    ]
    sparse = [Embeddings(rows_of(p, 30, e), f"sparse-{name}", 30) for p, e in zip((left, right), extra, strict=True)]
    torch.testing.assert_close(scores_of(*sparse, block_size=block_size), scores_of(*dense))


@pytest.mark.parametrize("name", SCORES)
def test_scores_from_some_labels_are_those_of_probabilities_without_the_others(name):
    left, right = probabilities(7), probabilities(9, seed=1)
    cut = [p.where(p >= p.topk(4).values[:, -1:], 0) for p in (left, right)]
    sparse = [Embeddings(rows_of(p, 4), f"sparse-{name}", 4) for p in (left, right)]
    torch.testing.assert_close(scores_of(*sparse), scores_of(*(Embeddings(p, name) for p in cut)))


@pytest.mark.parametrize("kept", [1, 4, 12, 29])
def test_the_omitted_probabilities_bound_the_change_of_each_score(kept):
    left, right = probabilities(50), probabilities(60, seed=1)
    lost = [p.sum(1) - p.topk(kept).values.sum(1) for p in (left, right)]
    omitted = lost[0][:, None] + lost[1]
    lengths = [(1 - p.topk(kept).values.square().sum(1) / p.square().sum(1)).clamp(min=0).sqrt() for p in (left, right)]
    union = left.sum(1)[:, None] + right.sum(1) - left @ right.t()
    bounds = {"dot": omitted, "jaccard": omitted / union, "cosine": 2**0.5 * (lengths[0][:, None] + lengths[1])}
    for name, bound in bounds.items():
        exact = scores_of(*(Embeddings(p, name) for p in (left, right)))
        change = scores_of(*(Embeddings(rows_of(p, kept), f"sparse-{name}", kept) for p in (left, right))) - exact
        assert (change.abs() <= bound + 1e-6).all() and (name != "dot" or (change <= 1e-6).all())


def test_places_without_probability_and_labels_of_no_item_count_for_nothing():
    lists = InvertedLists(torch.tensor([[3, 0], [0, 0]]), torch.tensor([[0.5, 0.0], [0.0, 0.0]]))
    out = torch.empty(2, 2)
    for _ in range(5):  # The first queries read rows, the others lists.
        lists.products(torch.tensor([[3, 900], [0, 3]]), torch.tensor([[0.5, 1.0], [1.0, 0.0]]), out)
        assert out.tolist() == [[0.25, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("queries", [1, 3, 200])
def test_products_are_the_same_from_rows_and_from_lists(queries):
    asked, held = top_rows(probabilities(queries), 6), top_rows(probabilities(80, seed=1), 6)
    dense = [torch.zeros(len(label), 30, dtype=value.dtype).scatter(1, label, value) for label, value in (asked, held)]
    lists = InvertedLists(*held)
    for _ in range(8):
        out = torch.full((queries, 80), torch.nan, dtype=torch.float64)
        torch.testing.assert_close(lists.products(*asked, out), dense[0] @ dense[1].t())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_labels": 4}, r"'num_labels'.*got 4"),
        ({"num_labels": None}, r"'num_labels'.*got None"),
        ({"similarity": "sparse-dot"}, r"'num_labels' must be 7 / 2.*got 2"),
        ({"column": 0, "value": 0.5}, r"label numbers.*got 0.5 to"),
        ({"column": 1, "value": -1.0}, r"label numbers.*got -1 to"),
        ({"column": 2, "value": 1.5}, r"probabilities.*second 2 columns.*to 1.5"),
    ],
)
def test_rows_that_are_not_labels_and_probabilities_are_refused(change, message):
    rows = pack_rows(torch.tensor([[3, 4]]), torch.tensor([[0.5, 0.4]]), torch.randn(1, 3))
    if "column" in change:
        rows[0, change["column"]] = change["value"]
    with pytest.raises(ValueError, match=message):
        Embeddings(rows, change.get("similarity", "sparse-jaccard"), change.get("num_labels", 2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_label_numbers_keep_their_value_in_half_precision(dtype):
    rows = pack_rows(
        torch.tensor([[1001, 2**24 - 1]]), torch.tensor([[0.5, 0.25]], dtype=dtype), torch.ones(1, 3).to(dtype)
    )
    assert rows.dtype == torch.float32 and split_rows(rows, 2)[0].tolist() == [[1001, 2**24 - 1]]


class Interrupted:
    """Rows during which another search happens, as of another thread."""

    def __init__(self, rows, search):
        self.rows, self.search = rows, search

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        yield self.rows[0]
        self.search()
        yield from self.rows[1:]


def test_a_search_gives_the_same_sums_if_another_one_builds_the_lists_meanwhile():
    labels, values = top_rows(probabilities(200), 8)
    asked, weights = top_rows(probabilities(4, seed=1), 8)
    expected = InvertedLists(labels, values).products(asked, weights, torch.empty(4, 200, dtype=torch.float64))
    lists = InvertedLists(labels, values)
    during = torch.empty(4, 200, dtype=torch.float64)
    rows = Interrupted(asked, lambda: lists.products(asked, weights, during))
    sums = lists.products(rows, weights, torch.empty(4, 200, dtype=torch.float64))
    torch.testing.assert_close(sums, expected)
    torch.testing.assert_close(during, expected)
