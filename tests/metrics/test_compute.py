"""Metrics by name against loops over exactly ranked lists, and against figures."""

import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import multiprocessing

from labelgraph.metrics import DEFINITIONS, Embeddings, class_means, evaluate, pack_bits, query_metrics
from labelgraph.metrics.compute import share
from labelgraph.metrics.modules import CrossModalMetrics, RetrievalMetrics
from tests.metrics import reference
from tests.metrics.reference import retrieval_metrics

RANKED = (
    "map", *(f"map@{k}/{definition}" for k in (1, 3) for definition in DEFINITIONS), "precision@2", "precision@9",
    "precision@min(2,R)", "recall@2", "r-precision", "ndcg/linear", "ndcg@2/linear", "ndcg@3/exponential",
    "precision@recall0.5", "precision@recall1", "relevant",
)  # fmt: skip
WITHIN = ("precision@r0", "recall@r1", "lookup@r1", "precision@r1", "recall@r99", "lookup@r0")


def score(left, right, similarity):
    """Exact scores in the order of the similarity: signed squares of cosines, products, negated distances."""
    dot = sum(a * b for a, b in zip(left, right, strict=True))
    lengths = sum(a * a for a in left) * sum(b * b for b in right)
    if similarity == "hamming":
        return -sum((a > 0) != (b > 0) for a, b in zip(left, right, strict=True))
    return Fraction(dot) if similarity == "dot" or lengths == 0 else Fraction(dot * abs(dot), lengths)


def buckets_of(row, case, similarity):
    """Grades of the items that a query searches, in buckets of equal score, and the distances of these buckets."""
    query, database, query_labels, database_labels, query_ids, database_ids = case
    buckets = {}
    for place, item in enumerate(database):
        if query_ids[row] != database_ids[place]:
            grade = sum(a * b for a, b in zip(query_labels[row], database_labels[place], strict=True))
            buckets.setdefault(score(query[row], item, similarity), []).append(grade)
    falling = sorted(buckets, reverse=True)
    return [buckets[value] for value in falling], [-value for value in falling]


def slow(name, row, case, similarity, ties):
    buckets, distances = buckets_of(row, case, similarity)
    grades = [grade for bucket in buckets for grade in bucket]
    if "@r" in name and "recall" not in name.partition("@")[2]:
        spread = [distance for bucket, distance in zip(buckets, distances, strict=True) for _ in bucket]
        return reference.within(name, grades, spread)
    return reference.metric(name, grades) if ties == "database" else reference.expected(name, buckets)


@st.composite
def cases(draw):
    """Few small whole numbers, for many ties, items without labels, and queries without relevant items."""
    num_queries, size, channels, num_labels = (draw(st.integers(1, most)) for most in (3, 5, 3, 3))

    def matrix(rows, columns, low, high):
        row = st.lists(st.integers(low, high), min_size=columns, max_size=columns)
        return draw(st.lists(row, min_size=rows, max_size=rows))

    return (
        matrix(num_queries, channels, -1, 1),
        matrix(size, channels, -1, 1),
        matrix(num_queries, num_labels, 0, 1),
        matrix(size, num_labels, 0, 1),
        matrix(1, num_queries, 0, 3)[0],
        matrix(1, size, 2, 5)[0],
    )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    case=cases(),
    setting=st.sampled_from([
        ("cosine", "database"), ("dot", "database"), ("dot", "expected"), ("hamming", "database"),
        ("hamming", "expected"),
    ]),
    block_size=st.sampled_from([None, 1, 2]),
)  # fmt: skip
def test_against_loops(case, setting, block_size):
    similarity, ties = setting
    query, database, *rest = (torch.tensor(side) for side in case)
    names = RANKED
    if similarity == "hamming":
        query, database, names = pack_bits(query), pack_bits(database), RANKED + WITHIN
    got = query_metrics(
        query, database, *rest[:2], names, similarity=similarity, ties=ties, query_ids=rest[2],
        database_ids=rest[3], block_size=block_size,
    )  # fmt: skip
    assert tuple(got) == names
    for name, values in got.items():
        expected = [slow(name, row, case, similarity, ties) for row in range(len(query))]
        assert values.tolist() == pytest.approx(expected, abs=1e-9), name


ITEMS = ("jaccard@1", "jaccard@3", "jaccard@9", "exact@2", "own@1", "own@2", "own-rank")


def slow_of_items(name, row, case, similarity, ties):
    """The mean of a metric of the items over all orders of ties."""
    query, database, query_labels, database_labels, query_ids, database_ids = case
    buckets = {}
    for place, item in enumerate(database):
        buckets.setdefault(score(query[row], item, similarity), []).append(place)
    falling = [buckets[value] for value in sorted(buckets, reverse=True)]
    whole = [[place for bucket in falling for place in bucket]]
    values = []
    for places in whole if ties == "database" else reference.orders(falling):
        if name.startswith("own"):
            values.append(reference.of_own(name, [database_ids[place] == query_ids[row] for place in places]))
        else:
            values.append(reference.of_labels(name, query_labels[row], [database_labels[place] for place in places]))
    return sum(values) / len(values)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    case=cases(),
    setting=st.sampled_from([
        ("cosine", "database"), ("dot", "expected"), ("hamming", "database"), ("hamming", "expected"),
    ]),
    block_size=st.sampled_from([None, 1, 2]),
)  # fmt: skip
def test_metrics_of_items_against_loops(case, setting, block_size):
    similarity, ties = setting
    *lists, database_ids = case
    case = (*lists, [number if number not in database_ids[:place] else 10 + place
                     for place, number in enumerate(database_ids)])  # fmt: skip
    query, database, *rest = (torch.tensor(side) for side in case)
    if similarity == "hamming":
        query, database = pack_bits(query), pack_bits(database)
    got = query_metrics(
        query, database, *rest[:2], ["map", *ITEMS], similarity=similarity, ties=ties, query_ids=rest[2],
        database_ids=rest[3], leave_out_own=False, block_size=block_size,
    )  # fmt: skip
    for name in ITEMS:
        expected = [slow_of_items(name, row, case, similarity, ties) for row in range(len(query))]
        assert got[name].tolist() == pytest.approx(expected, abs=1e-9, nan_ok=True), name


def test_excluded_items_have_no_value():
    eye, ids = torch.eye(3), torch.arange(3)
    labels = torch.tensor([[1, 0], [1, 0], [0, 1]])
    for ties in ("database", "expected"):
        got = query_metrics(
            eye, eye, labels, labels, ["jaccard@1", "exact@3"], query_ids=ids, database_ids=ids, ties=ties
        )
        first = [1.0, 1.0, 0.0] if ties == "database" else [0.5, 0.5, 0.0]
        assert got["jaccard@1"].tolist() == first
        assert got["exact@3"].tolist() == pytest.approx([1 / 3, 1 / 3, 0])


def test_own_rank_is_the_median_over_queries():
    query = torch.eye(4)
    database = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0.9, 0, 0, 1], [0, 0, 1, 0]])
    ids = torch.arange(4)
    options = {"query_ids": ids, "database_ids": ids, "leave_out_own": False, "relevance": torch.eye(4).int()}
    ranks = query_metrics(query, database, metrics=["own-rank"], **options)["own-rank"]
    report = evaluate(query, database, metrics=["own-rank", "own@1"], **options)
    assert report.metrics == {"own-rank": ranks.median().item() if len(ranks) % 2 else ranks.quantile(0.5).item(),
                              "own@1": (ranks == 1).double().mean().item()}  # fmt: skip
    by_default = evaluate(query, database, **options).metrics
    assert {"own@1", "own@5", "own@10", "own-rank"} <= set(by_default) and "jaccard@10" not in by_default


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({"metrics": ["own@5"]}, ("'own@5'", "'query_ids'")),
        ({"metrics": ["own-rank"], "query_ids": [0, 1], "database_ids": [0, 1]}, ("'own-rank'", "leave_out_own=False")),
        ({"metrics": ["jaccard@5"], "relevance": np.eye(2, dtype=int)}, ("'jaccard@5'", "'query_labels'")),
        ({"metrics": ["mpa"]}, ("'mpa'", "did you mean 'map'")),
        ({"metrics": [3]}, ("'metrics'", "3")),
    ],
)
def test_missing_inputs_of_a_metric_are_named(options, facts):
    labels = (None, None) if "relevance" in options else (E[:, :2], E[:, :2])
    with pytest.raises(ValueError) as caught:
        query_metrics(E, E, *labels, **options)
    assert all(fact in str(caught.value) for fact in facts)


def test_arrays_and_lists_give_the_values_of_tensors(codes):
    (query, database), labels = codes
    names, ids = ["map", "ndcg@5"], (torch.arange(30), torch.arange(400))
    options = {"similarity": "hamming", "leave_out_own": False}
    both = ["own@3", *names]
    wanted = retrieval_metrics(query, database, *labels, both, query_ids=ids[0], database_ids=ids[1], **options)
    for kind in (np.asarray, torch.Tensor.tolist, lambda side: np.asarray(side)[::-1][::-1]):
        sides = (np.asarray(kind(side), np.uint8) for side in (query, database))
        ours = {"query_ids": kind(ids[0]), "database_ids": kind(ids[1])}
        assert retrieval_metrics(*sides, *map(kind, labels), both, **ours, **options) == wanted
    sparse = [side.to_sparse() for side in labels]
    embeddings = [Embeddings(side, "hamming") for side in (query, database)]
    assert retrieval_metrics(*embeddings, *sparse, names[:2]) == {
        name: wanted[name] for name in wanted if name[0] != "o"
    }
    with pytest.raises(ValueError, match="'similarity' must be given where 'query' is uint8"):
        retrieval_metrics(query, database, *labels, names)


@pytest.fixture(scope="module")
def figures(fixtures):
    with np.load(fixtures / "metrics.npz", allow_pickle=False) as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def test_cosine_figures(figures):
    left, right, labels = (figures[key] for key in ("embedding_a", "embedding_b", "labels"))
    values = query_metrics(left, right, labels, labels, ["map"])["map"]
    assert values.mean().item() == pytest.approx(figures["map_all_cosine"].item(), rel=1e-6)
    assert class_means(values, labels).tolist() == pytest.approx(figures["map_per_class"].tolist(), rel=1e-6)


def test_hashing_figures(figures):
    codes = [pack_bits(figures[name]) for name in ("query_codes", "database_codes")]
    labels = figures["query_labels"], figures["database_labels"]
    keys = {
        "map@5/topk": "top_map_at_5",
        "map@10/topk": "top_map_at_10",
        "map@50/topk": "top_map_at_50",
        "map@5/first-k": "map_first_5_hits",
        "map": "map_first_all_hits",
    }
    got = retrieval_metrics(*codes, *labels, list(keys), similarity="hamming")
    assert got == pytest.approx({name: figures[key].item() for name, key in keys.items()}, rel=1e-6)


@pytest.fixture
def codes():
    generator = torch.Generator().manual_seed(0)
    signs = [torch.randn(n, 12, generator=generator) for n in (30, 400)]
    labels = [(torch.rand(n, 5, generator=generator) < 0.3).float() for n in (30, 400)]
    labels[0][[3, 9]] = 0
    return [pack_bits(side) for side in signs], labels


def test_the_expectation_is_the_mean_over_shuffled_databases(codes):
    (query, database), (query_labels, database_labels) = codes
    names = ["map", "map@20/topk", "map@20/first-k", "precision@10", "ndcg@10/exponential"]
    options = {"metrics": names, "similarity": "hamming"}
    generator = torch.Generator().manual_seed(1)
    draws = []
    for _ in range(100):
        order = torch.randperm(400, generator=generator)
        drawn = retrieval_metrics(query, database[order], query_labels, database_labels[order], **options)
        draws.append([drawn[name] for name in names])
    sample = torch.tensor(draws)
    expected = retrieval_metrics(query, database, query_labels, database_labels, ties="expected", **options)
    error = 4 * sample.std(0) / 10
    assert ((sample.mean(0) - torch.tensor([*expected.values()])).abs() < error).all()
    assert (error > 0).all() and (error < 0.02).all()


@pytest.mark.parametrize("ties", ["database", "expected"])
@pytest.mark.parametrize("similarity", ["hamming", "cosine"])
def test_every_block_size_gives_the_same_values(codes, ties, similarity):
    (query, database), labels = codes
    names = [*RANKED, *WITHIN] if similarity == "hamming" else RANKED
    if similarity == "cosine":
        query, database = query.double(), database.double()
    first, *others = (
        query_metrics(query, database, *labels, names, similarity=similarity, ties=ties, block_size=size)
        for size in (None, 1, 7, 30, 100)
    )
    for other in others:
        assert all(torch.allclose(first[name], other[name], rtol=1e-12, atol=0) for name in first)


def test_means_agree_with_the_report(codes):
    (query, database), labels = codes
    report = evaluate(query, database, *labels, similarity="hamming", k=10, definition="first-k", ks=[4], recall=[0.3])
    names = ["map@10/first-k", "precision@4", "precision@recall0.3"]
    got = retrieval_metrics(query, database, *labels, names, similarity="hamming")
    assert [*got.values()] == pytest.approx([report.mean_average_precision, *report.precision,
                                             *report.precision_at_recall])  # fmt: skip


def test_queries_without_relevant_items_count_as_0_or_are_left_out(codes):
    (query, database), labels = codes
    names = ["map", "precision@5", "lookup@r3"]
    zero = retrieval_metrics(query, database, *labels, names, similarity="hamming")
    skip = retrieval_metrics(query, database, *labels, names, similarity="hamming", without_relevant="skip")
    assert tuple(skip) == tuple(zero) == tuple(names)
    labelled = int(labels[0].any(1).sum())
    assert skip == pytest.approx({name: value * 30 / labelled for name, value in zero.items()})
    counted = query_metrics(query, database, *labels, ["relevant"], similarity="hamming")["relevant"]
    assert counted.tolist() == (labels[0] @ labels[1].t() > 0).sum(1).tolist()
    assert counted.count_nonzero() == labelled < 30
    nothing = torch.zeros_like(labels[0])
    everything = [*RANKED, *WITHIN]
    for ties in ("database", "expected"):
        got = retrieval_metrics(query, database, nothing, labels[1], everything, similarity="hamming", ties=ties)
        assert set(got.values()) == {0.0}
    with pytest.raises(ValueError, match="'without_relevant' must be 'zero' where no query has a relevant item"):
        retrieval_metrics(query, database, nothing, labels[1], names, similarity="hamming", without_relevant="skip")


def test_given_grades(codes):
    (query, database), labels = codes
    shared = (labels[0] @ labels[1].t()).int()
    names = ["map", "ndcg@20/linear"]
    by_default = retrieval_metrics(query, database, *labels, names, similarity="hamming")
    for relevance in ("graded", shared, lambda a, b: (a @ b.t()).int()):
        assert retrieval_metrics(query, database, *labels, names, similarity="hamming", relevance=relevance) == (
            by_default
        )
    binary = retrieval_metrics(query, database, *labels, names, similarity="hamming", relevance=shared > 0)
    assert binary["map"] == by_default["map"] and binary["ndcg@20/linear"] != by_default["ndcg@20/linear"]


def test_a_query_that_leaves_out_all_items_scores_0():
    one = torch.ones(1, 1)
    for ties in ("database", "expected"):
        for similarity, item in (("cosine", one), ("hamming", pack_bits(one))):
            names = RANKED if similarity == "cosine" else [*RANKED, *WITHIN]
            got = retrieval_metrics(
                item, item, one, one, names, similarity=similarity, ties=ties, query_ids=one[0], database_ids=one[0]
            )
            assert set(got.values()) == {0.0}


def test_class_means_are_over_the_queries_of_a_label():
    values, labels = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0]])
    first, second, third = class_means(values, labels.bool()).tolist()
    assert (first, second) == (0.75, 0.25) and math.isnan(third)


E = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["f1"]}, r"'metrics' must be of the forms map, .*\(got 'f1'\)"),
        ({"metrics": []}, r"'metrics' must be a list of at least one name \(got \[\]\)"),
        ({"metrics": "map"}, r"'metrics' must be a list of at least one name \(got 'map'\)"),
        ({"metrics": ["lookup@r2"]}, r"'similarity' must be 'hamming' for 'lookup@r2' in 'metrics' \(got 'cosine'\)"),
        ({"ties": "random"}, r"'ties' must be one of database, expected \(got 'random'\)"),
        ({"without_relevant": "nan"}, r"'without_relevant' must be one of zero, skip \(got 'nan'\)"),
        ({"similarity": "l2"}, "'similarity' must be one of cosine"),
        ({"block_size": 0}, "'block_size' must be at least 1"),
        ({"query_ids": torch.arange(2)}, "'query_ids' and 'database_ids' must be given together"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(E, E, E, E, **options)


def test_class_means_take_numpy_and_lists():
    wanted = class_means(torch.tensor([1.0, 0.5]), torch.tensor([[1, 0], [1, 1]])).tolist()
    assert class_means(np.array([1, 0.5], "float32"), np.array([[1, 0], [1, 1]])).tolist() == wanted
    assert class_means([1.0, 0.5], [[1, 0], [1, 1]]).tolist() == wanted


def test_class_means_need_labels_of_the_queries():
    with pytest.raises(ValueError, match=r"'query_labels' must have 2 rows.*\(got shape \(3, 1\)\)"):
        class_means(torch.ones(2), torch.ones(3, 1))


NAMES = ["map", "map@10/first-k", "precision@5", "ndcg@10/linear"]
BLOCK_SIZES = (None, 1, 4, 20)


def items():
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(23, 16, generator=generator) for _ in range(2))
    return image, text, (torch.rand(23, 4, generator=generator) < 0.3).float()


def measure_all(group):
    """Metrics of every query, by similarity, treatment of ties and block size."""
    image, text, labels = items()
    kinds = {
        ("cosine", "database"): (image, text),
        ("dot", "expected"): (image, text),
        ("hamming", "database"): (pack_bits(image), pack_bits(text)),
        ("hamming", "expected"): (pack_bits(image), pack_bits(text)),
    }
    ids = torch.arange(23)
    result = {}
    for (similarity, ties), sides in kinds.items():
        names = [*NAMES, "precision@r6"] if similarity == "hamming" else NAMES
        for block_size in BLOCK_SIZES:
            result[similarity, ties, block_size] = query_metrics(
                *sides, labels, labels, names, similarity=similarity, ties=ties, block_size=block_size,
                query_ids=ids, database_ids=ids, group=group,
            )  # fmt: skip
    return result


def measure_batches(rank, num_processes):
    """The torchmetrics classes with the batches of a distributed sampler: every other item, the first one repeated."""
    image, text, labels = items()
    both, one = CrossModalMetrics(NAMES), RetrievalMetrics(["map"])
    order = torch.arange(24) % 23
    for batch in order[rank::num_processes].split(5):
        both.update(image[batch], text[batch], labels[batch], batch)
    mine = torch.arange(23)[rank::num_processes]
    one.update(image[mine], labels[mine])
    one.update(text[mine], labels[mine], "database")
    return both.compute(), one.compute()


def process(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save((measure_all(dist.group.WORLD), *measure_batches(rank, 2)), folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(process, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_give_the_values_of_one_bit_for_bit(of_two):
    alone = measure_all(None)
    for result, *_ in of_two:
        assert result.keys() == alone.keys()
        for case, values in alone.items():
            assert result[case].keys() == values.keys()
            assert all(torch.equal(result[case][name], column) for name, column in values.items()), case
            assert values["map"].max() > values["map"].min()


@pytest.mark.slow
def test_torchmetrics_of_two_processes_give_the_values_of_one(of_two):
    image, text, labels = items()
    both = retrieval_metrics(image, text, labels, labels, NAMES)
    back = retrieval_metrics(text, image, labels, labels, NAMES)
    expected = {f"image_to_text/{name}": value for name, value in both.items()}
    expected |= {f"text_to_image/{name}": value for name, value in back.items()}
    for _, pairs, one_way in of_two:
        assert {name: value.item() for name, value in pairs.items()} == pytest.approx(expected)
        assert one_way["map"].item() == pytest.approx(both["map"])


@pytest.mark.parametrize("num_queries", [1, 2, 7, 23])
@pytest.mark.parametrize("block_size", [1, 4, 100])
@pytest.mark.parametrize("num_processes", [1, 2, 5])
def test_shares_are_consecutive_whole_blocks(num_queries, block_size, num_processes):
    shares = [share(num_queries, block_size, rank, num_processes) for rank in range(num_processes)]
    assert [i for part in shares for i in range(part.start, part.stop)] == list(range(num_queries))
    assert all(part.start % block_size == 0 or part.start == num_queries for part in shares)
    blocks = [-(-(part.stop - part.start) // block_size) for part in shares]
    assert max(blocks) - min(blocks) <= 1


HEAP = """
import torch
from labelgraph.metrics import mean_average_precision, pack_bits
def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
codes, labels = pack_bits(torch.randn(9000, 32)), (torch.rand(9000, 24) < 0.1).float()
mean_average_precision(codes[:500], codes, labels[:500], labels, similarity="hamming")
before = held()
mean_average_precision(codes, codes, labels, labels, similarity="hamming")
print((held() - before) // 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="requires Linux")
def test_the_memory_of_blocks_is_reused():
    """All blocks together take some 240 MiB."""
    shown = subprocess.run([sys.executable, "-c", HEAP], capture_output=True, text=True, check=True).stdout
    assert int(shown) < 80


@pytest.mark.parametrize("kinds", [(str, str), (str, int), (int, str)])
def test_ids_may_be_texts(kinds):
    generator = torch.Generator().manual_seed(0)
    vectors, labels = torch.randn(12, 4, generator=generator), (torch.rand(12, 3, generator=generator) < 0.5).float()
    numbers = torch.randperm(12, generator=generator).tolist()
    texts = [[kind(number) for number in numbers] for kind in kinds]
    wanted, got, without = (
        query_metrics(vectors, vectors, labels, labels, ["map"], query_ids=query_ids, database_ids=database_ids)
        for query_ids, database_ids in ((numbers, numbers), texts, (None, None))
    )
    assert torch.equal(wanted["map"], got["map"])
    assert not torch.equal(got["map"], without["map"])


def test_masked_values_are_refused():
    masked = np.ma.masked_equal(np.eye(3), 1)
    with pytest.raises(ValueError, match="'query' must have no masked values"):
        query_metrics(masked, np.eye(3), np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match="'database_labels' must have no masked values"):
        query_metrics(np.eye(3), np.eye(3), np.eye(3), masked)


def test_class_numbers_are_no_labels():
    with pytest.raises(ValueError, match=r"'query_labels' must be multi-hot, shape \(3, C\) .*\(3,\)"):
        query_metrics(np.eye(3), np.eye(3), torch.arange(3), np.eye(3))


def test_the_expected_place_of_a_tied_own_pair_is_exact():
    same, hot = torch.zeros(3, 1), torch.ones(3, 1)
    ids = {"query_ids": [2], "database_ids": [2, 5, 6], "leave_out_own": False}
    got = query_metrics(same[:1], same, hot[:1], hot, ["own@1"], similarity="dot", ties="expected", **ids)
    assert got["own@1"].item() == pytest.approx(1 / 3, abs=1e-15)
