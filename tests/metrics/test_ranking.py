"""Ranking against exact arithmetic, with ties, in blocks of every size."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgraph.metrics import ranked_relevance, ranking


def exact_score(left, right, similarity):
    """A score that orders as the similarity does: signed square of the cosine, or the product."""
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    lengths = sum(a * a for a in left) * sum(b * b for b in right)
    if similarity == "dot" or lengths == 0:
        return Fraction(dot)
    return Fraction(dot * abs(dot), lengths)


def slow(query, database, query_labels, database_labels, similarity):
    """Sort by exact scores; Python's sort is stable, so ties keep the order of the database."""
    rows = []
    for item, labels in zip(query, query_labels, strict=True):
        scores = [exact_score(item, other, similarity) for other in database]
        order = sorted(range(len(database)), key=lambda i, scores=scores: -scores[i])
        rows.append([int(any(a and b for a, b in zip(labels, database_labels[i], strict=True))) for i in order])
    return rows


@st.composite
def cases(draw):
    """Small whole numbers, for many ties, negative scores and zero vectors."""
    size, channels, num_labels = (draw(st.integers(1, most)) for most in (9, 4, 3))
    num_queries = draw(st.integers(1, 4))

    def matrix(rows, columns, low, high):
        return draw(st.lists(st.lists(st.integers(low, high), min_size=columns, max_size=columns),
                             min_size=rows, max_size=rows))  # fmt: skip

    return (
        matrix(num_queries, channels, -2, 2),
        matrix(size, channels, -2, 2),
        matrix(num_queries, num_labels, 0, 1),
        matrix(size, num_labels, 0, 1),
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    case=cases(),
    similarity=st.sampled_from(["cosine", "dot"]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.int8]),
    block_size=st.sampled_from([None, 1, 2, 3]),
)
def test_against_exact_arithmetic(case, similarity, dtype, block_size):
    query, database = (torch.tensor(side, dtype=dtype) for side in case[:2])
    labels = (torch.tensor(side) for side in case[2:])
    blocks = list(ranked_relevance(query, database, *labels, similarity, block_size))
    assert torch.cat(blocks).tolist() == slow(*case, similarity)
    assert max(map(len, blocks)) <= (block_size or 4)


def repeated_items(dtype, seed, size=70, num_queries=19, channels=33):
    """Real-valued embeddings with each item in the database several times."""
    random = np.random.default_rng(seed)
    items = random.standard_normal((size // 3, channels))
    chosen = random.integers(0, len(items), size)
    query = random.standard_normal((num_queries, channels))
    labels = torch.ones(num_queries, 1), torch.from_numpy(random.integers(0, 2, (size, 1)))
    scores = (query @ items.T / np.linalg.norm(items, axis=1))[:, chosen]
    order = np.argsort(-scores, axis=1, kind="stable")
    return torch.tensor(query, dtype=dtype), torch.tensor(items[chosen], dtype=dtype), *labels, order


@pytest.mark.parametrize("seed", range(3))
def test_every_block_size_ranks_repeated_items_in_order(seed):
    query, database, query_labels, database_labels, order = repeated_items(torch.float64, seed)
    expected = database_labels[:, 0].numpy()[order].tolist()
    for block_size in (1, 2, 3, 5, 8, 18, 19, None):
        blocks = ranked_relevance(query, database, query_labels, database_labels, block_size=block_size)
        assert torch.cat(list(blocks)).tolist() == expected


def test_the_parts_of_the_threads_do_not_change_the_ranking(monkeypatch):
    query, database, query_labels, database_labels, order = repeated_items(torch.float64, 0)
    expected = database_labels[:, 0].numpy()[order].tolist()
    for keys in (1, 70, 200, 10_000):
        monkeypatch.setattr(ranking, "CACHED_KEYS", keys)
        (block,) = ranked_relevance(query, database, query_labels, database_labels)
        assert block.tolist() == expected


def test_the_default_block_is_bounded(monkeypatch):
    monkeypatch.setattr(ranking, "BLOCK_SCORES", 25)
    blocks = ranked_relevance(torch.eye(7, 10), torch.eye(10), torch.ones(7, 1), torch.ones(10, 1))
    assert [len(block) for block in blocks] == [2, 2, 2, 1]


def test_one_integer_sort_ranks_as_a_stable_sort_of_floats():
    scores = torch.tensor([[0.0, -0.0, 1e-40, -1e-40, -0.0, 0.0, 3e38, -3e38, 1.0, 1.0, -1.0, float("inf")]])
    for place in range(scores.shape[1]):
        relevant = torch.arange(scores.shape[1])[None] == place
        ranked = np.empty(scores.shape, dtype=np.uint8)
        ranking._rank_rows(scores.numpy(), relevant.numpy(), ranked)
        assert ranked.tolist() == ranking._by_score_on_device(scores, relevant).tolist()


@pytest.mark.parametrize(("radix", "packed"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("placed", [True, False])
@pytest.mark.parametrize("highest", [1, 9])
def test_many_items_rank_as_by_a_stable_sort_of_floats(monkeypatch, radix, packed, placed, highest):
    monkeypatch.setattr(ranking, "RADIX", radix)
    monkeypatch.setattr(ranking, "PACKED", packed)
    generator = torch.Generator().manual_seed(0)
    scores = torch.randint(-500, 500, (3, ranking.RADIX_ITEMS + 99), generator=generator) / 7  # With many ties.
    scores[0, ::9], scores[1, ::9], scores[2, ::9] = -0.0, -torch.inf, 1e-40
    grades = torch.randint(highest + 1, scores.shape, generator=generator, dtype=torch.int32)
    grades = grades > 0 if highest == 1 else grades
    expected = grades.gather(1, scores.sort(stable=True, descending=True).indices)
    if placed:
        order = scores.sort(stable=True, descending=True).indices
        expected = (order << ranking.PLACE_BITS) + grades.gather(1, order)
    with ThreadPoolExecutor(2) as pool:
        ranked = ranking._by_score(scores, grades, pool, placed)
    assert torch.equal(ranked.long(), expected.long())
    assert ranked.dtype == (torch.int64 if placed else torch.uint8 if highest == 1 else torch.int32)


@pytest.mark.parametrize("queries", [[1.0, -0.5], [1.0, 2.0**-140, 0.0], [2.0**-140, 1.0]])
def test_scores_that_differ_in_the_last_bit_alone_rank_in_order(queries):
    """Products with powers of 2 are exact, so scores tie only where items do, or where they are very small."""
    generator = np.random.default_rng(0)
    database = generator.standard_normal(2 * ranking.FEW_TIES).astype(np.float32)
    database[[7, 9, 20, 900]] = database[[800, 5, 10, 900]] = np.float32(0.75)
    database[[5, 700, 10]] = np.nextafter(np.float32(0.75), np.float32([1, 0, 0]))
    relevant = generator.random((len(queries), len(database))) < 0.5
    relevant[:, [5, 9, 800]], relevant[:, [7, 10, 20, 700]] = True, False
    scores = np.float32(queries)[:, None] * database
    order = np.argsort(-scores, axis=1, kind="stable")
    (block,) = ranked_relevance(np.float32(queries)[:, None], database[:, None], None, None, "dot", relevance=relevant)
    assert np.array_equal(block.numpy(), np.take_along_axis(relevant, order, axis=1))


def test_zeros_of_both_signs_tie():
    database, labels = torch.tensor([[0.0], [-0.0], [0.0], [-0.0]]), torch.tensor([[0], [1], [0], [1]])
    for query in (1.0, -1.0):
        (block,) = ranked_relevance(torch.tensor([[query]]), database, torch.ones(1, 1), labels, "dot")
        assert block.tolist() == [[0, 1, 0, 1]]


def test_codes_rank_by_hamming_distance():
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randint(0, 2, (n, 256), generator=generator) * 2 - 1 for n in (5, 40))
    distance = (query[:, None] != database).sum(2)
    labels = torch.ones(5, 1), torch.randint(0, 2, (40, 1), generator=generator)
    expected = labels[1][:, 0][distance.sort(dim=1, stable=True).indices]
    for dtype in (torch.int8, torch.float32, torch.long):
        (block,) = ranked_relevance(query.to(dtype), database.to(dtype), *labels, "dot")
        assert block.tolist() == expected.tolist()


def test_an_item_is_relevant_if_it_shares_a_label():
    query_labels = torch.tensor([[1, 1, 0], [0, 0, 1], [0, 0, 0]])
    database_labels = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 0]])
    (block,) = ranked_relevance(torch.ones(3, 1), torch.ones(3, 1), query_labels, database_labels)
    assert block.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]] and block.dtype == torch.uint8


E = torch.ones(2, 3)
Y = torch.ones(2, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((E * float("nan"), E, Y, Y), "'query' must be finite"),
        ((E, E / 0, Y, Y), "'database' must be finite"),
        ((E * 1e20, E, Y, Y), r"'query' must have rows no longer than 1e\+19 \(got inf\)"),
        ((E, E.double() * 1e20, Y, Y, "dot"), r"'database' must have rows no longer than 1e\+19 \(got 1.73e\+20\)"),
        ((E[:0], E, Y[:0], Y), r"'query' must be a matrix with at least one row \(got shape \(0, 3\)\)"),
        ((E, E[:0], Y, Y[:0]), "'database' must be a matrix with at least one row"),
        ((E[0], E, Y, Y), r"'query' must be a matrix .*\(got shape \(3,\)\)"),
        ((E, E[:, :2], Y, Y), r"'database' must have 3 columns, as the query has \(got 2\)"),
        ((E, E, Y[:1], Y), r"'query_labels' must have 2 rows, as 'query' has \(got shape \(1, 4\)\)"),
        ((E, E, Y, Y[0]), r"'database_labels' must have 2 rows, as 'database' has \(got shape \(4,\)\)"),
        ((E, E, Y / 0 * 0, Y), r"'query_labels' must be 0 or 1 \(got nan\)"),
        ((E, E, Y, Y.int() - 2), r"'database_labels' must be 0 or 1 \(got -1\)"),
        ((E, E, Y, Y[:, :3]), r"'database_labels' must have 4 columns, as the query has \(got 3\)"),
        ((E, E, Y, Y, "hamming"), r"'query' must be codes of 'pack_bits', uint8, for 'hamming' \(got torch.float32\)"),
        ((E, E, Y, Y, "l2"), r"'similarity' must be one of cosine, dot, hamming, jaccard \(got 'l2'\)"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        next(ranked_relevance(*arguments))


def test_embeddings_that_require_gradients():
    query, database, *labels, order = repeated_items(torch.float64, 0)
    expected = labels[1][:, 0].numpy()[order].tolist()
    (block,) = ranked_relevance(query.requires_grad_(), database.requires_grad_(), *labels)
    assert block.tolist() == expected and not block.requires_grad
