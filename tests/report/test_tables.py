"""Results as tables."""

import math
from dataclasses import replace

import pytest

from labelgraph.metrics import LabelReport, QueryReport, RetrievalReport
from labelgraph.report import Result, markdown_table, results_table


def result_tables(method, value, **changes):
    report = RetrievalReport(value, [], [], [], [], [], 1, 0)
    settings = {"seed": 0, "protocol": "test-vs-test", "image_to_text": report, "text_to_image": report}
    return Result(method, **settings | changes)


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_columns_are_aligned():
    table = markdown_table(["label", "n", "share"], [["sky", "1,234", "5%"], ["a long name", "7", "100%"]])
    assert table.splitlines() == [
        "| label       |     n | share |",
        "| :---------- | ----: | ----: |",
        "| sky         | 1,234 |    5% |",
        "| a long name |     7 |  100% |",
    ]


@pytest.mark.parametrize("rows", [[], [["1", "2"]]])
def test_narrow_columns_still_have_a_rule(rows):
    """A rule of a colon alone would make it no table in Markdown."""
    assert cells(markdown_table(["k", "n"], rows))[1] == [":-", "-:"]


def test_rows_must_fit_the_header():
    with pytest.raises(ValueError, match="zip"):
        markdown_table(["a", "b"], [["1"]])


def test_a_row_a_method_with_mean_and_deviation():
    results = [
        result_tables("ridge", 0.5, seed=None),
        result_tables(
            "algcn", 0.25, parameters=1234567, train_seconds=1.0, epoch_seconds=0.5, peak_bytes=2_000_000_000
        ),
        result_tables("algcn", 0.75, parameters=1234567, train_seconds=2.0, epoch_seconds=1.0, peak_bytes=1, seed=1),
        result_tables("algcn", 0.9, protocol="query-vs-database"),
    ]
    main = cells(results_table(results, "test-vs-test"))
    assert main == [["method", "mAP"], [":-----", "------------:"], ["ridge", "0.500"], ["algcn", "0.500 ± 0.354"]]
    ridge, algcn = cells(results_table(results, "test-vs-test", "directions"))[2:]
    assert (ridge, algcn) == (["ridge", *["0.500"] * 3], ["algcn", *["0.500 ± 0.354"] * 3])
    header, _, ridge, algcn = cells(results_table(results, "test-vs-test", "cost"))
    assert header == ["method", "seeds", "parameters", "epoch", "memory", "training"]
    assert ridge == ["ridge", "1", "-", "-", "-", "-"]
    assert algcn == ["algcn", "2", "1,234,567", "0.75 s", "2,000 MB", "1.5 s"]
    assert cells(results_table(results, "query-vs-database"))[2:] == [["algcn", "0.900"]]


def test_what_was_selected_on_test_is_marked_wherever_it_stands():
    results = [
        result_tables("algcn", 0.5, selected_on="validation"),
        result_tables("algcn", 0.7, selected_on="test", seed=1),
        result_tables("dagnn", 0.6, selected_on="test"),
        result_tables("ridge", 0.4),
    ]
    names = [row[0] for row in cells(results_table(results, "test-vs-test"))[2:]]
    assert names == ["algcn", "algcn (selected on test)", "dagnn (selected on test)", "ridge"]


def test_variants_of_a_method_are_rows_of_their_own():
    results = [result_tables("dagnn", value, variant=variant) for value, variant in ((0.5, "on a"), (0.6, "on b"))]
    assert [row[0] for row in cells(results_table(results, "test-vs-test"))[2:]] == ["dagnn, on a", "dagnn, on b"]


MEASURES = {"ndcg@10/linear": 0.5, "jaccard@10": 0.25, "exact@10": 0.125, "own@10": 0.75, "own-rank": 3.0}


def measured(seed, shift, **changes):
    metrics = {name: value + shift for name, value in MEASURES.items()}
    report = RetrievalReport(0.5, [], [], [], [], [], 1, 0, metrics)
    labels = QueryReport(0.5 + shift, 0.25, 2, [0.5, math.nan], {"12-39": 0.5, "3-5": 0.25 + shift})
    words = QueryReport(0.625, 0.5, 9, [])
    short = {"labels": labels, "words": words}
    settings = {"image_to_text": report, "text_to_image": report, "short_queries": short}
    return Result("expected-relevance", seed, "test-vs-test", **settings | changes)


def test_measures_stand_beside_the_map():
    results = [measured(0, 0.0), measured(1, 0.125), result_tables("ridge", 0.5, seed=None)]
    header, _, own, ridge = cells(results_table(results, "test-vs-test"))
    assert header == ["method", "mAP", "nDCG@10", "Jaccard@10", "own@10", "words"]
    assert own == ["expected-relevance", "0.500 ± 0.000", "0.562", "0.312", "0.812", "0.625"]
    assert ridge == ["ridge", "0.500", "-", "-", "-", "-"]
    header, _, own, _ = cells(results_table(results, "test-vs-test", "pairs"))
    assert header == ["method", "own@10", "median rank"] and own[1:] == ["0.812 ± 0.088", "3.1 ± 0.1"]
    header, _, own, ridge = cells(results_table(results, "test-vs-test", "counts"))
    assert header == ["method", "3-5 items", "12-39 items"]
    assert own[1:] == ["0.312 ± 0.088", "0.500 ± 0.000"] and ridge[1:] == ["-", "-"]


def test_the_main_table_fits_a_terminal():
    results = [measured(seed, 0.125 * seed, selected_on="test") for seed in range(2)]
    assert max(map(len, results_table(results, "test-vs-test").splitlines())) <= 100


def test_label_classifiers_stand_by_their_number_of_training_items():
    image = LabelReport(0.5, 2, [0.25, 0.75], {"40+": 0.75, "1-2": 0.25}, {"40+": 1, "1-2": 1}, {"psp@1": 0.5})
    text = replace(image, average_precision=0.25, by_count={"40+": 0.25, "1-2": 0.25}, metrics={"psp@1": 0.75})
    results = [measured(0, 0.0, classifiers={"image": image, "text": text}), result_tables("cca", 0.5, seed=None)]
    header, _, own, other = cells(results_table(results, "test-vs-test", "classifiers"))
    assert header == ["method", "all labels", "1-2 items", "40+ items"]
    assert own[1:] == ["0.375", "0.250", "0.500"] and other[1:] == ["-", "-", "-"]
    header, _, own, _ = cells(results_table(results, "test-vs-test", "propensity"))
    assert (header, own[1:]) == (["method", "PSP@1"], ["0.625"])


def test_an_unknown_kind_of_table_is_refused():
    with pytest.raises(ValueError, match=r"'kind' must be one of main, .*'mian'.*main"):
        results_table([], "test-vs-test", "mian")
