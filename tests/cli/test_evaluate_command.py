"""`labelgraph evaluate`: the numbers are those of the library, under names that tell what they are."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.cli.main import main
from labelgraph.data import load_npz, save_npz
from labelgraph.inference import encode
from labelgraph.methods import load_method
from labelgraph.metrics import METRICS, evaluate, evaluate_labels
from tests.cli.small import SMALL
from tests.metrics.reference import retrieval_metrics


def measured(capsys, *arguments):
    assert main(["evaluate", *map(str, arguments), "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return json.loads(printed.out)


def test_every_protocol_of_the_data_is_measured_both_ways(place, pairs, capsys):
    output = measured(capsys, place / "model", place / "data.npz", "--metrics", "map", "recall@3", "ndcg@5")
    assert {key: output[key] for key in ("method", "similarity", "selected_on")} == {
        "method": "algcn", "similarity": "cosine", "selected_on": "validation",
    }  # fmt: skip
    assert [result["protocol"] for result in output["results"]] == ["test-vs-test", "query-vs-database"]
    method = load_method(place / "model")
    for result, names in zip(output["results"], (("test", "test"), ("query", "database")), strict=True):
        query, database = (pairs.split(name) for name in names)
        sides = encode(method, query), encode(method, database)
        for asker, way in enumerate(("image_to_text", "text_to_image")):
            wanted = retrieval_metrics(
                sides[0][asker], sides[1][1 - asker], query.labels, database.labels, ["map", "recall@3", "ndcg@5"]
            )
            assert result["metrics"][way] == pytest.approx(wanted) and set(wanted) == set(result["metrics"][way])


def test_progress_is_printed_unless_quiet(place, capsys, monkeypatch):
    monkeypatch.setattr("labelgraph._core.progress.SECONDS", 0.0)
    words = ["evaluate", str(place / "model"), str(place / "data.npz"), "--json"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "embedding: 100 %" in printed.err and "ranking: 100 %" in printed.err and json.loads(printed.out)
    assert main([*words, "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ties", ["database", "expected"])
def test_map_of_each_label(place, pairs, capsys, ties):
    options = ["--split", "test", "--metrics", "map", "--per-class", "--ties", ties]
    (result,) = measured(capsys, place / "model", place / "data.npz", *options)["results"]
    test = pairs.split("test")
    image, text = encode(load_method(place / "model"), test)
    wanted = evaluate(image, text, test.labels, test.labels, ties=ties).per_class
    assert result["per_class"]["image_to_text"] == pytest.approx(dict(zip(pairs.label_names, wanted, strict=True)))
    assert result["protocol"] == "test-vs-test"
    assert main(["evaluate", str(place / "model"), str(place / "data.npz"), *options]) == 0
    assert "| été" in capsys.readouterr().out


def test_a_label_without_queries_is_null(place, pairs, tmp_path, capsys):
    labels = pairs.labels.clone()
    labels[pairs.splits["test"], 2] = 0
    save_npz(replace(pairs, labels=labels), tmp_path / "data.npz")
    options = ["--split", "test", "--per-class", "--metrics", "map"]
    (result,) = measured(capsys, place / "model", tmp_path / "data.npz", *options)["results"]
    assert result["per_class"]["image_to_text"]["a b"] is None
    assert main(["evaluate", str(place / "model"), str(tmp_path / "data.npz"), *options]) == 0
    assert [line.split()[-2] for line in capsys.readouterr().out.splitlines() if line.startswith("| a b")] == ["-"]


def test_the_table_names_protocol_and_definition(place, capsys):
    assert main(["evaluate", str(place / "model"), str(place / "data.npz"), "--protocol", "query-vs-database"]) == 0
    shown = capsys.readouterr().out
    for word in ("algcn on", "by cosine", "shares a label", "query-vs-database: the 20 items of 'query'",
                 "the 40 of 'database'", "| map@50/topk", "definition", "image to text", "text to image"):  # fmt: skip
        assert word in shown
    assert "test-vs-test" not in shown


def test_average_precision_of_labels_is_told_where_labels_are_rare(place, pairs, tmp_path, capsys):
    model, data = load_method(place / "model"), str(place / "data.npz")
    wanted = evaluate_labels(model, pairs)
    (result,) = measured(capsys, place / "model", data, "--protocol", "test-vs-test", "--per-class")["results"]
    for side, report in wanted.items():
        assert result["labels"][side]["average_precision"] == pytest.approx(report.average_precision)
        per_label = dict(zip(pairs.label_names, report.per_label, strict=True))
        assert result["labels"][side]["per_label"] == pytest.approx(per_label)
    assert main(["evaluate", str(place / "model"), data]) == 0
    mean = np.mean([report.by_count["6-11"] for report in wanted.values()])
    (line,) = {line for line in capsys.readouterr().out.splitlines() if line.startswith("Average precision of labels")}
    assert f"6-11: {mean:.4f}" in line
    # Other labels than the model's are not measured.
    save_npz(replace(pairs, label_names=("a", "b", "c", "d", "e")), tmp_path / "other.npz")
    (result,) = measured(capsys, place / "model", tmp_path / "other.npz", "--protocol", "test-vs-test")["results"]
    assert "labels" not in result


def test_without_splits_what_was_held_out_is_measured(place, pairs, tmp_path, capsys):
    options = ["--epochs", "2", "--quiet", "--seed", "5", *SMALL]
    assert main(["train", str(place / "bare.npz"), "--out", str(tmp_path / "model"), *options]) == 0
    record = json.loads((tmp_path / "model" / "training.json").read_text())
    capsys.readouterr()
    for more in ([], ["--split", "validation"]):
        (result,) = measured(capsys, tmp_path / "model", place / "bare.npz", "--metrics", "map", *more)["results"]
        assert result["protocol"] == "validation-vs-validation" and "the 6 items" in result["description"]
        mean = np.mean([way["map"] for way in result["metrics"].values()])
        assert mean == pytest.approx(record["best_map"])  # Of the best epoch on these very items.

    save_npz(replace(load_npz(place / "bare.npz"), image=pairs.image + 1), tmp_path / "other.npz")
    assert main(["evaluate", str(tmp_path / "model"), str(tmp_path / "other.npz")]) == 2
    assert "'--split' must be one of all (got none)" in capsys.readouterr().err
    (result,) = measured(capsys, tmp_path / "model", tmp_path / "other.npz", "--split", "all")["results"]
    assert result["protocol"] == "all-vs-all" and "the 60 items" in result["description"]


def test_codes_are_measured_by_hamming_distance(place, pairs, tmp_path, capsys):
    options = ["--epochs", "1", "--quiet", *SMALL, "model.bits=16"]
    assert main(["train", str(place / "data.npz"), "--out", str(tmp_path / "model"), *options]) == 0
    capsys.readouterr()
    names = ["precision@r2", "map"]
    output = measured(capsys, tmp_path / "model", place / "data.npz", "--split", "test", "--metrics", *names)
    assert output["similarity"] == "hamming"
    test = pairs.split("test")
    image, text = encode(load_method(tmp_path / "model"), test)
    sides, options = (image, text, test.labels, test.labels), {"similarity": "hamming"}
    wanted = retrieval_metrics(*sides, names, **options)
    assert output["results"][0]["metrics"]["image_to_text"] == pytest.approx(wanted)
    asked = tmp_path / "model", place / "data.npz", "--split", "test", "--ties", "expected", "--metrics", *names
    fair = measured(capsys, *asked)
    expected = retrieval_metrics(*sides, names, **options, ties="expected")
    assert fair["results"][0]["metrics"]["image_to_text"] == pytest.approx(expected)
    assert expected["map"] != wanted["map"]
    assert (output["ties"], fair["ties"]) == ("database", "expected")
    assert main(["evaluate", *map(str, asked)]) == 0
    assert "items of equal score count by their expected value over all orders." in capsys.readouterr().out


def test_every_kind_of_metric_is_explained():
    assert all(metric.meaning for metric in METRICS.values())


def test_selection_on_test_is_marked(place, tmp_path, capsys):
    options = ["--epochs", "1", "--quiet", *SMALL, "train.select=test"]
    assert main(["train", str(place / "data.npz"), "--out", str(tmp_path / "model"), *options]) == 0
    assert main(["evaluate", str(tmp_path / "model"), str(place / "data.npz")]) == 0
    assert "algcn (selected on test)" in capsys.readouterr().out


def test_a_model_saved_by_the_library_is_measured_too(place, tmp_path, capsys):
    load_method(place / "model").save_pretrained(tmp_path / "model")
    first, second = (measured(capsys, model, place / "data.npz") for model in (place / "model", tmp_path / "model"))
    assert first["results"] == second["results"] and second["selected_on"] is None
    (tmp_path / "model" / "training.json").write_text("[" * 100_000)
    assert measured(capsys, tmp_path / "model", place / "data.npz")["results"] == first["results"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{place}/model", "{place}/bare.npz", "--protocol", "test-vs-test"], "'test-vs-test' needs the split 'test'"),
        (["{place}/model", "{place}/data.npz", "--protocol", "test-vs-tst"], "did you mean 'test-vs-test'?"),
        (["{place}/model", "{place}/data.npz", "--split", "tset"], "did you mean 'test'?"),
        (["{place}/model", "{place}/data.npz", "--metrics", "recal@10"], "did you mean 'recall@10'?"),
        (["{place}/model", "{place}/data.npz", "--metrics", "map@r2"], "(got 'map@r2')"),
        (["{place}/model", "{place}/data.npz", "--metrics", "lookup@r2"], "must be 'hamming'"),
        (["{place}/mdl", "{place}/data.npz"], "mdl: no such folder of a model; did you mean 'model'?"),
        (["{place}/model", "{narrow}"], "'image' must have 12 features, as the method takes (got 3)"),
        (["{broken}", "{place}/data.npz"], "the file is damaged"),
    ],
)
def test_errors_are_one_line(place, pairs, tmp_path, capsys, arguments, message):
    save_npz(replace(pairs, image=torch.ones(60, 3)), tmp_path / "narrow.npz")
    shutil.copytree(place / "model", tmp_path / "broken")
    (path,) = (tmp_path / "broken").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    names = {"place": place, "narrow": tmp_path / "narrow.npz", "broken": tmp_path / "broken"}
    assert main(["evaluate", *(each.format(**names) for each in arguments), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert message in printed.err


def test_the_table_of_many_labels_has_both_ends(place, pairs, tmp_path, capsys, with_many_labels):
    many = with_many_labels(pairs)
    has = sp.csr_array((np.ones(60), (np.arange(60), 100 + np.arange(60))), shape=many.labels.shape)
    save_npz(replace(many, labels=many.labels + has), tmp_path / "many.npz")
    arguments = [place / "model", tmp_path / "many.npz", "--split", "all", "--metrics", "map", "--per-class"]
    assert main(["evaluate", *map(str, arguments)]) == 0
    _, table = capsys.readouterr().out.split("The 25 most and the 25 least frequent of 65 labels that a query has:")
    names = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")][2:]
    assert sorted(names[:5]) == sorted(pairs.label_names) and len(names) == 50
    assert names[5:] == [f"no {i}" for i in (*range(95, 115), *range(130, 155))]
