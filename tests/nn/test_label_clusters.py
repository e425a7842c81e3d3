"""The highest scores by clusters of labels, against all scores."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from labelgraph.nn import LabelClusters, label_clusters


def grouped(num_labels=3000, channels=16, groups=150, spread=0.3, seed=0):
    """Classifiers around the centres of groups, constants of two sides, and queries near some classifiers."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(groups, channels, generator=generator)
    noise = torch.randn(num_labels, channels, generator=generator)
    keys = centres[torch.arange(num_labels) % groups] + spread * noise
    constants = torch.randn(num_labels, 2, generator=generator)
    near = torch.randint(num_labels, (400,), generator=generator)
    return keys, constants, keys[near] + 0.3 * torch.randn(400, channels, generator=generator)


def expected(keys, constants, queries, column, k):
    scores = queries.double() @ keys.double().t() + constants[:, column].double()
    return scores, scores.topk(k)


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize(("clusters", "frequent", "k"), [(None, None, 10), (64, 0, 7), (8, 100, 200), (1, 5, 1)])
def test_with_all_clusters_the_labels_are_those_of_all_scores(column, clusters, frequent, k):
    keys, constants, queries = grouped()
    found = LabelClusters(keys, constants, queries, clusters, frequent)
    labels, values = found.highest(queries, column, k, found.num_clusters)
    scores, top = expected(keys, constants, queries, column, k)
    torch.testing.assert_close(values.sort(descending=True).values, top.values.float())
    torch.testing.assert_close(scores.gather(1, labels).float(), values)
    assert all(len(set(row)) == k for row in labels.tolist())


@pytest.mark.parametrize("more", [False, True])
def test_few_clusters_hold_most_of_the_highest_scores(more):
    keys, constants, queries = grouped()
    if more:  # A part of the keys that no query reads must not decide.
        keys = torch.cat([keys, 50 * torch.randn(len(keys), 4)], 1)
        queries = torch.cat([queries, torch.zeros(len(queries), 4)], 1)
    found = LabelClusters(keys, constants, queries, 128, 512)
    labels, values = found.highest(queries, 0, 10, probes=16)
    scores, top = expected(keys, constants, queries, 0, 10)
    lost = scores.topk(10).values - scores.gather(1, labels).sort(descending=True).values
    missed = lost.sum() / top.values.sum()
    hits = torch.zeros_like(scores).scatter(1, labels, 1.0).gather(1, top.indices).mean()
    assert hits > 0.95 and 0 <= missed < 0.01
    torch.testing.assert_close(scores.gather(1, labels).float(), values)  # Scores are exact.


def test_the_most_frequent_labels_are_always_scored():
    keys, constants, queries = grouped(groups=3000)
    constants[[17, 2999]] = 100
    labels, _ = LabelClusters(keys, constants, queries, num_frequent=2).highest(queries, 1, 2, probes=1)
    assert all(sorted(row) == [17, 2999] for row in labels.tolist())


def flops(num_labels, probes, count):
    keys, constants, queries = grouped(num_labels)
    found = LabelClusters(keys, constants, queries)
    with FlopCounterMode(display=False) as counter:
        found.highest(queries, 0, 10, probes)
    assert counter.get_total_flops() <= 2 * keys.shape[1] * len(queries) * found.products(probes)
    return counter.get_total_flops() / (2 * keys.shape[1] * len(queries) * num_labels ** (0.5 if count else 1))


def test_the_products_of_an_item_grow_with_the_root_of_the_number_of_labels():
    few, many = flops(4_000, 8, True), flops(64_000, 8, True)
    assert many < 1.3 * few and flops(64_000, 8, False) < 0.15


@pytest.mark.parametrize("spread", [0.0, 1e-3])
def test_large_clusters_are_split(spread):
    """Classifiers that are equal, or nearly equal in two groups of very different size, would be one cluster."""
    keys = torch.ones(20_000, 4) + spread * torch.randn(20_000, 4)
    keys[:10] = -1
    found = LabelClusters(keys, torch.zeros(20_000, 1), torch.ones(3, 4))
    assert found.products(8) < 20_000 / 4
    labels, _ = found.highest(torch.ones(3, 4), 0, 32, 8)
    assert all(len(set(row)) == 32 for row in labels.tolist())


@pytest.mark.parametrize("num_labels", [1, 2, 9, 40])
@pytest.mark.parametrize("frequent", [0, 1, None])
def test_few_labels_are_all_found(num_labels, frequent):
    keys, constants, queries = grouped(num_labels, groups=3)
    labels, values = LabelClusters(keys, constants, queries, num_frequent=frequent).highest(queries[:5], 0, 50, 1)
    assert all(sorted(row) == [*range(num_labels)] for row in labels.tolist()) and torch.isfinite(values).all()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_scores_have_the_precision_of_the_classifiers(dtype):
    keys, constants, queries = (part.to(dtype) for part in grouped())
    found = LabelClusters(keys, constants, queries)
    labels, values = found.highest(queries, 0, 5, found.num_clusters)
    assert values.dtype == dtype and labels.dtype == torch.long
    scores, _ = expected(keys, constants, queries, 0, 5)
    torch.testing.assert_close(values.double(), scores.gather(1, labels), rtol=0.02, atol=0.1)


@pytest.mark.parametrize("count", [3, -2])
def test_a_number_of_clusters_that_is_no_power_of_2_is_refused(count):
    with pytest.raises(ValueError, match=rf"'num_clusters'.*{count}"):
        LabelClusters(*grouped(), count)


def test_no_queries_are_refused():
    keys, constants, queries = grouped()
    with pytest.raises(ValueError, match="'queries'"):
        LabelClusters(keys, constants, queries[:0])


def test_queries_of_few_directions_take_fewer_products():
    """Queries and keys that repeat 16 channels four times are as good as 16 channels."""
    keys, constants, queries = grouped(20_000)
    keys, queries = keys.repeat(1, 4), queries.repeat(1, 4)
    found = LabelClusters(keys, constants, queries, num_frequent=64)
    with FlopCounterMode(display=False) as counter:
        labels, _ = found.highest(queries, 0, 10, probes=16)
    means = 2 * len(queries) * keys.shape[1] * found.num_clusters
    scores, top = expected(keys, constants, queries, 0, 10)
    hits = torch.zeros_like(scores).scatter(1, labels, 1.0).gather(1, top.indices).mean()
    assert counter.get_total_flops() < means and hits > 0.95


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_scores_of_queries_that_are_not_finite_are_not_finite(wrong):
    keys, constants, queries = grouped()
    queries[7, 3] = wrong
    _, values = LabelClusters(keys, constants, queries).highest(queries, 0, 5, probes=8)
    assert not values[7].isfinite().all() and values[:7].isfinite().all()


@pytest.mark.parametrize(("num_queries", "num_parts"), [(0, None), (39, None), (40, 2), (400, 3)])
def test_threads_and_blocks_find_the_labels_of_all_queries(monkeypatch, num_queries, num_parts):
    seen = []

    def in_turns(task, parts):
        seen.append(len(parts))
        return list(map(task, parts))

    monkeypatch.setattr(label_clusters, "in_threads", in_turns)
    monkeypatch.setattr(label_clusters, "THREAD_QUERIES", 20)
    monkeypatch.setattr(label_clusters, "BLOCK_SCORES", 2**17)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    keys, constants, queries = grouped()
    found = LabelClusters(keys, constants, queries)
    _, values = found.highest(queries[:num_queries], 0, 5, found.num_clusters)
    _, top = expected(keys, constants, queries[:num_queries], 0, 5)
    torch.testing.assert_close(values.sort(descending=True).values, top.values.float())
    assert seen == ([num_parts] if num_parts else [])
