"""Average precision of labels against a loop and against scikit-learn."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import average_precision_score

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import label_scores
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.metrics import evaluate_labels, label_average_precision, label_ranking, label_report
from labelgraph.train import peak_memory, reset_peak_memory


def drawn(size=40, num_labels=6, levels=None):
    rng = np.random.default_rng(0)
    scores = rng.random((size, num_labels)) if levels is None else rng.integers(0, levels, (size, num_labels)) / levels
    labels = (rng.random((size, num_labels)) < 0.2).astype(int)
    labels[:, 3] = 0
    return scores, labels


def test_against_scikit_learn():
    scores, labels = drawn()
    found = label_average_precision(scores, labels)
    assert found[3].isnan()
    for label in (0, 1, 2, 4, 5):
        assert found[label].item() == pytest.approx(average_precision_score(labels[:, label], scores[:, label]))


def in_order(relevant):
    ranks = [rank for rank, hit in enumerate(relevant, 1) if hit]
    return sum(number / rank for number, rank in enumerate(ranks, 1)) / len(ranks)


def test_items_of_equal_score():
    score, labels = [2.0, 1.0, 1.0, 1.0, 0.0], [0, 0, 1, 0, 1]
    column = np.array([score]).T, np.array([labels]).T
    assert label_average_precision(*column).item() == pytest.approx(in_order(labels))
    orders = [[0, *middle, 1] for middle in itertools.permutations([0, 1, 0])]
    expected = np.mean([in_order(order) for order in orders])
    assert label_average_precision(*column, ties="expected").item() == pytest.approx(expected)


@pytest.mark.parametrize("ties", ["database", "expected"])
@pytest.mark.parametrize("convert", [torch.from_numpy, sp.csr_array, sp.coo_array])
def test_kinds_of_matrices_and_blocks_agree(convert, ties, monkeypatch):
    scores, labels = drawn(levels=4)
    wanted = label_average_precision(scores, labels, ties=ties)
    monkeypatch.setattr(label_ranking, "BLOCK", 80)  # Blocks of 2 labels.
    found = label_average_precision(convert(scores), convert(labels), ties=ties)
    assert torch.allclose(found, wanted, equal_nan=True)


def test_labels_are_averaged_by_their_number_of_training_items():
    scores, labels = drawn()
    values = label_average_precision(scores, labels).tolist()
    report = label_report(scores, labels, [0, 2, 5, 1, 11, 40], 100)
    assert report.num_labels == 5 and report.average_precision == pytest.approx(np.nanmean(values))
    wanted = {"0": values[0], "1-2": values[1], "3-5": values[2], "6-11": values[4], "40+": values[5]}
    assert report.by_count == pytest.approx(wanted) and report.labels_by_count == dict.fromkeys(wanted, 1)
    assert set(report.metrics) == {f"{kind}@{k}" for kind in ("psp", "psndcg") for k in (1, 3, 5)}
    bare = label_report(scores, labels)
    assert (bare.by_count, bare.metrics) == ({}, {}) and bare.average_precision == report.average_precision


@pytest.mark.parametrize(
    ("change", "facts"),
    [
        ({"scores": np.ones((2, 2))}, r"'scores' .*\(2, 3\) .*got \(2, 2\)"),
        ({"scores": np.full((2, 3), np.inf)}, "'scores' must be finite"),
        ({"labels": np.full((2, 3), 2)}, "'labels' must be 0 or 1"),
        ({"labels": np.zeros((2, 3))}, "'labels' must have at least one"),
        ({"counts": [1, 2]}, "'counts' must have 3 entries"),
        ({"ties": "databse"}, "'ties' .*'databse'.*did you mean 'database'"),
    ],
)
def test_wrong_arguments_are_refused(change, facts):
    arguments = {"scores": np.ones((2, 3)), "labels": np.eye(2, 3)} | change
    with pytest.raises(ValueError, match=facts):
        label_report(**arguments)


@pytest.fixture
def trained(make_data):
    data = make_data()
    torch.manual_seed(0)
    graph = cooccurrence_graph(data.labels[data.rows("train")], data.label_names)
    config = ALGCNConfig(hidden_channels=8, num_layers=1)
    return build_method("algcn", data.image_channels, data.text_channels, graph, config=config), data


@pytest.mark.parametrize("protocol", ["test-vs-test", "query-vs-database"])
def test_a_method_is_measured_on_the_queries(trained, protocol):
    method, data = trained
    reports = evaluate_labels(method, data, protocol)
    test = data.split("test")
    for side, scores in label_scores(method, test).items():
        assert reports[side].per_label == label_average_precision(scores, test.labels).tolist()
    assert sum(reports["text"].labels_by_count.values()) == reports["text"].num_labels


def test_training_items_are_counted_or_given(make_data):
    data = make_data()

    def scores(pairs):
        return torch.zeros(len(pairs), 5), torch.zeros(len(pairs), 5)

    few = data.with_splits({**data.splits, "train": [0, 1]})
    assert set(evaluate_labels(scores, few)["image"].labels_by_count) <= {"0", "1-2"}
    assert evaluate_labels(scores, few)["image"].metrics == {}  # Two items have no propensities.
    given = evaluate_labels(scores, few, counts=[7] * 5, num_items=30)["image"]
    assert set(given.labels_by_count) == {"6-11"} and "psp@3" in given.metrics
    bare = data.with_splits({"test": data.splits["test"]})
    assert evaluate_labels(scores, bare)["image"].by_count == {}


def test_items_without_a_side_do_not_count(trained):
    method, data = trained
    present = data.present.clone()
    present[data.splits["test"][:4], 1] = False
    holes = CrossModalData(data.image, data.text_rows(), data.labels, splits=data.splits, present=present)
    reports = evaluate_labels(method, holes)
    rest = holes.select(data.splits["test"][4:])
    wanted = label_average_precision(label_scores(method, rest)["text"], rest.labels)
    assert np.allclose(reports["text"].per_label, wanted, equal_nan=True)
    assert reports["image"].per_label == evaluate_labels(method, data)["image"].per_label


def test_a_method_without_label_scores_has_no_reports(make_data):
    assert evaluate_labels(build_method("agah", 12, 9), make_data()) == {}
    assert math.isnan(label_average_precision([[1.0]], [[0]]).item())


@pytest.mark.parametrize("ties", ["database", "expected"])
@pytest.mark.parametrize("stored", [0.0, 0.2, 1.0])
def test_sparse_scores_rank_as_dense_ones(ties, stored, monkeypatch):
    monkeypatch.setattr(label_ranking, "BLOCK", 30)
    rng = np.random.default_rng(1)
    labels = rng.random((40, 30)) < 0.3
    for scores in (rng.integers(-2, 3, labels.shape) / 3, rng.standard_normal(labels.shape), -rng.random(labels.shape)):
        kept = np.where(rng.random(labels.shape) < stored, scores, 0.0)
        twice = sp.coo_array((np.tile(kept.ravel() / 2, 2), np.tile(np.indices(kept.shape).reshape(2, -1), 2)))
        wanted = label_average_precision(kept, labels, ties=ties)
        assert not wanted.isnan().any()
        for given in (sp.csr_array(kept), sp.csr_array(twice, shape=kept.shape)):
            torch.testing.assert_close(label_average_precision(given, labels, ties=ties), wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize("ties", ["database", "expected"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array])
def test_without_any_label_no_label_counts(convert, ties):
    assert label_average_precision(convert(np.eye(3, 2)), np.zeros((3, 2)), ties=ties).isnan().all()


@pytest.mark.parametrize("ties", ["database", "expected"])
def test_scores_of_a_million_items_take_little_memory(ties):
    items, num_labels = 1_000_000, 12
    rng = np.random.default_rng(0)
    columns = np.stack([rng.integers(num_labels, size=items), np.arange(items) % num_labels])
    scores, labels = (
        sp.csr_array((values, places, np.arange(items + 1)), shape=(items, num_labels))
        for values, places in zip((rng.random(items), np.ones(items)), columns, strict=True)
    )
    cpu = torch.device("cpu")
    reset_peak_memory(cpu)
    if (before := peak_memory(cpu)) is None:
        pytest.skip("the system does not tell")
    assert label_average_precision(scores, labels, ties=ties).isfinite().all()
    assert peak_memory(cpu) - before < 150 * 2**20  # A single matrix of all scores takes 46 MiB.
