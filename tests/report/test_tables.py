"""Tables as text."""

import pytest

from labelgraph.report import Result, markdown_table, results_table
from labelgraph.retrieval import RetrievalReport


def result(method, value, **changes):
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
        result("ridge", 0.5, seed=None),
        result("algcn", 0.25, parameters=1234567, train_seconds=1.0, epoch_seconds=0.5, peak_bytes=2_000_000_000),
        result("algcn", 0.75, parameters=1234567, train_seconds=2.0, epoch_seconds=1.0, peak_bytes=1, seed=1),
        result("algcn", 0.9, protocol="query-vs-database"),
    ]
    header, _, ridge, algcn = cells(results_table(results, "test-vs-test"))
    assert header[0] == "method" and len(header) == 9
    assert ridge == ["ridge", "0.500", "0.500", "0.500", "1", "-", "-", "-", "-"]
    assert algcn == ["algcn", *["0.500 ± 0.354"] * 3, "2", "1,234,567", "0.75 s", "2,000 MB", "1.5 s"]
    assert cells(results_table(results, "query-vs-database"))[2:] == [["algcn", *["0.900"] * 3, "1", *["-"] * 4]]


def test_what_was_selected_on_test_is_marked_wherever_it_stands():
    results = [
        result("algcn", 0.5, selected_on="validation"),
        result("algcn", 0.7, selected_on="test", seed=1),
        result("dagnn", 0.6, selected_on="test"),
        result("ridge", 0.4),
    ]
    names = [row[0] for row in cells(results_table(results, "test-vs-test"))[2:]]
    assert names == ["algcn", "algcn (selected on test)", "dagnn (selected on test)", "ridge"]


def test_variants_of_a_method_are_rows_of_their_own():
    results = [result("dagnn", value, variant=variant) for value, variant in ((0.5, "on a"), (0.6, "on b"))]
    assert [row[0] for row in cells(results_table(results, "test-vs-test"))[2:]] == ["dagnn, on a", "dagnn, on b"]
