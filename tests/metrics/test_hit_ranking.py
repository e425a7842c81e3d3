"""Rankings of sparse labels in a large database, of which only the relevant items are kept, against whole rankings."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph._core.multi_hot import DENSE_LABELS
from labelgraph.metrics import Metric, hit_buckets, query_metrics
from labelgraph.metrics.metric import Ranking
from labelgraph.metrics.ranking import RADIX_ITEMS
from labelgraph.metrics.ties import Buckets
from labelgraph.train import peak_memory, reset_peak_memory

NAMES = [
    "map", "map@50", "map@50/first-k", "map@50/recall-normalised", "map@50/min(k,R)", "precision@10", "recall@100",
    "r-precision", "precision@min(10,R)", "precision@recall0.0", "precision@recall0.3", "precision@recall1.0",
    "ndcg@10", "ndcg/linear", "ndcg/exponential", "jaccard@10", "exact@3", "relevant",
]  # fmt: skip
OWN = ["own@1", "own@1000", "own-rank"]
QUERIES, ITEMS, LABELS = 14, RADIX_ITEMS + 500, DENSE_LABELS + 40


class _Reciprocal(Metric):
    """A metric of a user, which reads the whole ranking."""

    form, pattern, meaning = "reciprocal", "reciprocal", "reciprocal rank of the first own or relevant item"
    item_value = "own"

    def of_ranking(self, ranking: Ranking) -> torch.Tensor:
        found = ranking.relevant + ranking.value("own") + ranking.grades * (ranking.hits == 1)
        return (found / torch.arange(1, found.shape[1] + 1)).sum(1)

    def of_buckets(self, buckets):
        raise NotImplementedError


class _Counts(Metric):
    """A metric of a user, which reads the numbers of items and their gains."""

    form, pattern, meaning = "counts", "counts", "numbers of items of each grade, and gains"

    def of_ranking(self, ranking):
        raise NotImplementedError

    def of_buckets(self, buckets: Buckets) -> torch.Tensor:
        of_grade = buckets.grades.double() @ torch.arange(1, buckets.grades.shape[1] + 1, dtype=torch.float64)
        return of_grade + buckets.total.sum(1) / 3 + sum(gains.sum(1) for gains in buckets.gains.values()) / 7


def labelled(items, seed):
    """Sparse labels: a frequent label, rare labels, and some items without labels."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(items), 4)
    columns = (LABELS * rng.random(len(rows)) ** 4).astype(int)
    labels = sp.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(items, LABELS)) > 0
    kept = sp.diags_array((np.arange(items) % 7 != 3).astype(np.float32))
    return sp.csr_array(kept @ labels.astype(np.float32))


@pytest.fixture(scope="module")
def case():
    generator = torch.Generator().manual_seed(2)
    # Whole numbers, so that most scores are tied; some ids are those of two items.
    query, database = (torch.randint(-2, 3, (n, 3), generator=generator).float() for n in (QUERIES, ITEMS))
    ids = torch.arange(QUERIES) + 5, torch.arange(ITEMS) % (ITEMS - 9)
    return query, database, labelled(QUERIES, 0), labelled(ITEMS, 1), ids


def whole(asked, held):
    """The numbers of shared labels as a matrix, for which the whole ranking is kept."""
    return torch.from_numpy((asked @ held.T).toarray())


@pytest.mark.parametrize("similarity", ["dot", "hamming"])
@pytest.mark.parametrize("leave_out_own", [True, False])
@pytest.mark.parametrize("block_size", [None, 3])
def test_metrics_are_those_of_the_whole_ranking(case, similarity, leave_out_own, block_size):
    query, database, asked, held, ids = case
    if similarity == "hamming":
        query, database = (torch.from_numpy(np.packbits(side.numpy() > 0, axis=1)) for side in (query, database))
    names = NAMES if leave_out_own else [*NAMES, *OWN, _Reciprocal("reciprocal")]
    options = {
        "similarity": similarity, "query_ids": ids[0], "database_ids": ids[1], "leave_out_own": leave_out_own,
        "block_size": block_size,
    }  # fmt: skip
    expected = query_metrics(query, database, asked, held, names, relevance=whole(asked, held), **options)
    values = query_metrics(query, database, asked, held, names, **options)
    assert values.keys() == expected.keys()
    assert expected["relevant"].min() == 0 and expected["relevant"].max() > ITEMS / 10 and expected["map"].any()
    for name, value in expected.items():
        torch.testing.assert_close(values[name], value, rtol=1e-12, atol=1e-12, msg=lambda text, name=name: name + text)


def test_without_grades_and_ids_too(case):
    query, database, asked, held, _ = case
    names = ["map", "precision@5", "precision@recall0.5"]
    expected = query_metrics(query, database, None, None, names, relevance=whole(asked, held) > 0, similarity="dot")
    values = query_metrics(query, database, asked, held, names, similarity="dot")
    for name, value in expected.items():
        torch.testing.assert_close(values[name], value, rtol=1e-12, atol=1e-12)


def test_an_own_pair_that_is_not_in_the_database_has_no_rank(case):
    query, database, asked, held, ids = case
    values = query_metrics(
        query, database, asked, held, OWN, query_ids=ids[0] + 2 * ITEMS, database_ids=ids[1], leave_out_own=False
    )
    assert all(value.isnan().all() for value in values.values())


@pytest.mark.parametrize("names", [["map"], ["map", "lookup@r1"], ["lookup@r1"]])
def test_progress_counts_each_query_once(case, names):
    query, database, asked, held, _ = case
    codes = [torch.from_numpy(np.packbits(side.numpy() > 0, axis=1)) for side in (query, database)]
    finished = []
    query_metrics(*codes, asked, held, names, similarity="hamming", block_size=5, progress=finished.append)
    assert sum(finished) == QUERIES and len(finished) > 1


@pytest.mark.parametrize("similarity", ["dot", "hamming"])
@pytest.mark.parametrize("leave_out_own", [True, False])
@pytest.mark.parametrize("block_size", [None, 3])
def test_expected_metrics_are_those_of_all_buckets(case, similarity, leave_out_own, block_size, monkeypatch):
    monkeypatch.setattr(hit_buckets, "CACHED_RELEVANCE", 5 * ITEMS)
    query, database, asked, held, ids = case
    if similarity == "hamming":
        query, database = (torch.from_numpy(np.packbits(side.numpy() > 0, axis=1)) for side in (query, database))
    else:
        noise = torch.rand(ITEMS, 1, generator=torch.Generator().manual_seed(0))
        database = torch.cat([database, noise], 1)
        query = torch.cat([query, (torch.arange(QUERIES) % 2)[:, None]], 1)  # Half of the queries have no ties.
    names = [*NAMES, _Counts("counts")] if leave_out_own else [*NAMES, _Counts("counts"), *OWN]
    options = {
        "similarity": similarity, "query_ids": ids[0], "database_ids": ids[1], "leave_out_own": leave_out_own,
        "block_size": block_size, "ties": "expected",
    }  # fmt: skip
    expected = query_metrics(query, database, asked, held, names, relevance=whole(asked, held), **options)
    values = query_metrics(query, database, asked, held, names, **options)
    for name, value in expected.items():
        torch.testing.assert_close(values[name], value, rtol=1e-12, atol=1e-12, msg=lambda text, name=name: name + text)
    binary = [
        query_metrics(query, database, *labels, ["map", _Counts("counts")], relevance=relevance, **options)
        for labels, relevance in (((asked, held), "shared"), ((None, None), whole(asked, held) > 0))
    ]
    for name, value in binary[1].items():
        torch.testing.assert_close(binary[0][name], value, rtol=1e-12, atol=1e-12)


def test_expected_metrics_of_a_million_items_take_little_memory():
    items = 1_000_000
    rng, cpu = np.random.default_rng(0), torch.device("cpu")
    asked, held = (
        sp.csr_array((np.ones(size), rng.integers(LABELS, size=size), np.arange(size + 1)), shape=(size, LABELS))
        for size in (8, items)
    )
    query, database = (torch.from_numpy(rng.standard_normal((size, 2), dtype=np.float32)) for size in (8, items))
    reset_peak_memory(cpu)
    if (before := peak_memory(cpu)) is None:
        pytest.skip("the system does not tell")
    values = query_metrics(query, database, asked, held, ["map"], similarity="dot", ties="expected")
    assert values["map"].min() > 0
    assert peak_memory(cpu) - before < 200 * 2**20  # The scores of these queries alone take 31 MiB.
