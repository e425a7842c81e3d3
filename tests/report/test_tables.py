"""Results as data."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from labelgraph.metrics import RetrievalReport
from labelgraph.report import Result, markdown_table, read_results, results_table, summarize_results, write_results


def report(value, per_class=(0.5, 1.0)):
    return RetrievalReport(value, list(per_class), [1, 5], [0.2, 0.1], [0.0, 1.0], [1.0, value], 7, 1)


def result(there, back, **changes):
    settings = {"method": "algcn", "seed": 0, "protocol": "test-vs-test", "selected_on": "validation"}
    return Result(**settings | {"image_to_text": report(there), "text_to_image": report(back)} | changes)


THREE = [
    result(0.5, 0.7, seed=0, train_seconds=2.0, parameters=12),
    result(0.6, 0.9, seed=1, train_seconds=4.0, parameters=12),
    result(0.9, 0.5, seed=2, parameters=12),
]


def test_average_is_of_both_ways():
    assert result(0.5, 0.75).average == 0.625


def test_summary_has_mean_and_sample_deviation():
    (summary,) = summarize_results(THREE)
    values = {"image_to_text": [0.5, 0.6, 0.9], "text_to_image": [0.7, 0.9, 0.5], "average": [0.6, 0.75, 0.7]}
    for name, each in values.items():
        assert summary[name]["mean"] == pytest.approx(np.mean(each))
        assert summary[name]["std"] == pytest.approx(np.std(each, ddof=1))
    assert summary["seeds"] == 3 and summary["train_seconds"] == 3.0 and summary["parameters"] == 12


def test_one_result_has_no_deviation():
    (summary,) = summarize_results([result(0.5, 0.7)])
    assert summary["average"] == {"mean": pytest.approx(0.6), "std": None} and summary["train_seconds"] is None


def test_methods_protocols_and_splits_selected_on_are_not_mixed():
    """A mean over runs of which some were selected on the test split could not be marked truly."""
    results = [
        result(0.1, 0.1, method="ridge", seed=None, selected_on=None),
        result(0.2, 0.2),
        result(0.3, 0.3, protocol="query-vs-database"),
        result(0.4, 0.4, selected_on="test"),
        result(0.6, 0.6, seed=1),
    ]
    got = [(s["method"], s["protocol"], s["selected_on"], s["average"]["mean"]) for s in summarize_results(results)]
    assert got == [
        ("ridge", "test-vs-test", None, pytest.approx(0.1)),
        ("algcn", "test-vs-test", "validation", pytest.approx(0.4)),
        ("algcn", "query-vs-database", "validation", pytest.approx(0.3)),
        ("algcn", "test-vs-test", "test", pytest.approx(0.4)),
    ]


def test_no_results():
    assert summarize_results([]) == []


def test_round_trip(tmp_path):
    path = tmp_path / "metrics.json"
    nan = result(0.5, 0.7, setting="penalty 0.1", best_epoch=3, seed=None)
    nan = replace(nan, image_to_text=report(0.5, [0.25, math.nan, 1.0]))
    write_results(path, [*THREE, nan], environment={"threads": 2})
    again = read_results(path)
    assert again[:3] == THREE
    per_class = again[3].image_to_text.per_class
    assert per_class[::2] == [0.25, 1.0] and math.isnan(per_class[1])
    assert replace(again[3], image_to_text=report(0.5)) == replace(nan, image_to_text=report(0.5))
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_the_file_is_plain_json(tmp_path):
    path = tmp_path / "metrics.json"
    odd = replace(THREE[0], image_to_text=report(0.5, [math.nan, 1.0]))
    write_results(path, [odd], data="été", shape=(2, math.inf))

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert content["results"][0]["image_to_text"]["per_class"] == [None, 1.0]
    assert (content["format"], content["data"], content["shape"]) == (1, "été", [2, None])
    assert content["summary"][0]["average"] == {"mean": 0.6, "std": None}


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", "{}", '{"format": 1}', '{"format": 2, "results": []}', '{"format": 1, "results": [{}]}',
     '{"format": 1, "results": [3]}', '{"format": 1, "results": [{"image_to_text": 3, "text_to_image": 3}]}'],
)  # fmt: skip
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"metrics\.json: expected results of format 1"):
        read_results(path)


def test_unknown_entries_are_refused(tmp_path):
    path = tmp_path / "metrics.json"
    write_results(path, THREE)
    path.write_text(path.read_text().replace('"seed"', '"sead"'))
    with pytest.raises(ValueError, match="sead"):
        read_results(path)


def test_variants_are_summed_up_apart_and_peaks_are_the_largest():
    report = RetrievalReport(0.5, [], [], [], [], [], 1, 0)
    results = [
        Result("dagnn", seed, "test-vs-test", report, report, variant=variant, epoch_seconds=seconds, peak_bytes=peak)
        for seed, variant, seconds, peak in ((0, "a", 1.0, 10), (1, "a", 2.0, 30), (0, "b", None, None))
    ]
    first, second = summarize_results(results)
    assert (first["variant"], first["seeds"], first["epoch_seconds"], first["peak_bytes"]) == ("a", 2, 1.5, 30)
    assert (second["variant"], second["seeds"], second["epoch_seconds"], second["peak_bytes"]) == ("b", 1, None, None)


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
    header, _, ridge, algcn = cells(results_table(results, "test-vs-test"))
    assert header[0] == "method" and len(header) == 9
    assert ridge == ["ridge", "0.500", "0.500", "0.500", "1", "-", "-", "-", "-"]
    assert algcn == ["algcn", *["0.500 ± 0.354"] * 3, "2", "1,234,567", "0.75 s", "2,000 MB", "1.5 s"]
    assert cells(results_table(results, "query-vs-database"))[2:] == [["algcn", *["0.900"] * 3, "1", *["-"] * 4]]


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
