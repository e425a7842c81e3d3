"""The tables of a run."""

import pytest

from benchmarks.experiments.run_report import measure_tables, tables
from benchmarks.experiments.run_settings import resolve
from labelgraph.metrics import LabelReport, RetrievalReport
from labelgraph.report import Result


def measured(by_count, protocol="test-vs-test"):
    report = RetrievalReport(0.5, [], [], [], [], [], 1, 0)
    side = LabelReport(0.375, 2, [], by_count, dict.fromkeys(by_count, 1), {"psp@1": 0.625})
    return Result("algcn", 0, protocol, report, report, classifiers={"image": side, "text": side})


@pytest.mark.parametrize("rare", ["0", "1-2", "3-5", "6-11", None])
def test_the_terminal_shows_rare_labels_only_where_there_are_any(rare):
    config = resolve("algcn", "openclipart", [0], settings=["eval.protocols=[test-vs-test]"])
    by_count = {"12-39": 0.25, "40+": 0.5} | ({rare: 0.125} if rare else {})
    shown = tables([measured(by_count)], config)
    assert (f"{rare} items" in shown and "0.125" in shown and "0.375" in shown) == bool(rare)
    assert ("all labels" in shown) == bool(rare)


def test_a_report_always_has_the_tables_of_label_classifiers():
    shown = measure_tables([measured({"40+": 0.5})], "test-vs-test")
    assert "40+ items" in shown and "PSP@1" in shown and "0.625" in shown
