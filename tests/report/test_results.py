"""Results as data."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from labelgraph.metrics import LabelReport, QueryReport, RetrievalReport
from labelgraph.report import Result, read_results, summarize_results, write_results


def report(value, per_class=(0.5, 1.0)):
    return RetrievalReport(value, list(per_class), [1, 5], [0.2, 0.1], [0.0, 1.0], [1.0, value], 7, 1)


def result(image, text, **changes):
    settings = {"method": "algcn", "seed": 0, "protocol": "test-vs-test", "selected_on": "validation"}
    return Result(**settings | {"image_to_text": report(image), "text_to_image": report(text)} | changes)


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
    with pytest.raises(ValueError, match=r"metrics\.json: expected "):
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


def test_measures_are_averaged_over_directions_and_kept(tmp_path):
    image_to_text = replace(report(0.5), metrics={"own-rank": 2.0, "jaccard@10": 0.25})
    text_to_image = replace(report(0.5), metrics={"own-rank": 5.0, "jaccard@10": 0.75})
    labels = QueryReport(0.5, 0.25, 1, [0.25, math.nan], {"3-5": 0.25})
    measured = replace(
        THREE[0], image_to_text=image_to_text, text_to_image=text_to_image, short_queries={"labels": labels}
    )
    expected = {"own-rank": 3.5, "jaccard@10": 0.5, "labels@10": 0.5, "labels-map": 0.25, "labels-map/3-5": 0.25}
    assert measured.measures == expected
    (summary,) = summarize_results([measured])
    assert summary["measures"] == {name: {"mean": value, "std": None} for name, value in expected.items()}
    write_results(tmp_path / "metrics.json", [measured])
    (again,) = read_results(tmp_path / "metrics.json")
    assert again.measures == expected and math.isnan(again.short_queries["labels"].per_query[1])


def test_label_classifiers_are_averaged_over_sides_and_kept(tmp_path):
    image = LabelReport(0.5, 1, [0.5, math.nan], {"1-2": 0.5}, {"1-2": 1}, {"psp@1": 0.25})
    text = LabelReport(0.75, 2, [0.5, 1.0], {"1-2": 0.5, "40+": 1.0}, {"1-2": 1, "40+": 1}, {"psp@1": 0.75})
    measured = replace(THREE[0], classifiers={"image": image, "text": text})
    expected = {"macro-ap": 0.625, "macro-ap/1-2": 0.5, "psp@1": 0.5}  # No image has the other label.
    assert measured.measures == expected
    write_results(tmp_path / "metrics.json", [measured])
    (again,) = read_results(tmp_path / "metrics.json")
    assert again.measures == expected and again.classifiers["text"] == text
    assert again.classifiers["image"].per_label[0] == 0.5 and math.isnan(again.classifiers["image"].per_label[1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("classifiers", {"image": {"average_precision": 2}}),
     ("seed", "one"), ("protocol", 3), ("train_seconds", [1]), ("parameters", 0.5), ("diagnostics", {"a": "b"}),
     ("short_queries", {"labels": {"precision": 2}}), ("image_to_text", {"mean_average_precision": "high"})],
)  # fmt: skip
def test_values_of_other_types_are_refused(tmp_path, name, value):
    path = tmp_path / "metrics.json"
    write_results(path, THREE)
    content = json.loads(path.read_text())
    content["results"][0][name] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"metrics\.json: expected results of format 1") as error:
        read_results(path)
    assert "\n" not in str(error.value)


def test_deep_nesting_is_refused(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text('{"format": 1, "results": ' + "[" * 100_000)
    with pytest.raises(ValueError, match=r"metrics\.json: expected"):
        read_results(path)
