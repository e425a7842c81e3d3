"""`labelgraph graph`: summary, files, labels alone."""

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest
from PIL import Image

from labelgraph.cli.main import main
from labelgraph.cli.sheet import label_pictures
from labelgraph.data import load_openclipart, load_thumbnails, save_npz
from labelgraph.graph import Threshold, cooccurrence_graph, summarize


def test_the_summary_is_that_of_the_library(place, pairs, capsys):
    assert main(["graph", str(place / "data.npz"), "--split", "test", "--threshold", "0.3"]) == 0
    test = pairs.split("test")
    graph = Threshold(0.3)(cooccurrence_graph(test.labels, test.label_names))
    assert capsys.readouterr().out == summarize(graph, 10) + "\n"


def test_the_training_items_are_counted_by_default(place, pairs, tmp_path, capsys):
    assert main(["graph", str(place / "data.npz")]) == 0
    train = pairs.split("train")
    assert capsys.readouterr().out == summarize(cooccurrence_graph(train.labels, train.label_names), 10) + "\n"
    save_npz(pairs.with_splits({}), tmp_path / "unsplit.npz")
    for name, options in ((place / "data.npz", ["--split", "all"]), (tmp_path / "unsplit.npz", [])):
        assert main(["graph", str(name), *options]) == 0
        assert capsys.readouterr().out == summarize(cooccurrence_graph(pairs.labels, pairs.label_names), 10) + "\n"


def test_the_object_agrees_with_counting_by_hand(place, pairs, capsys):
    assert main(["graph", str(place / "data.npz"), "--split", "all", "--json"]) == 0
    output = json.loads(capsys.readouterr().out)
    labels = pairs.labels.numpy()
    together = labels.T @ labels
    weights = {
        (a, b): together[i, j] / together[j, j]
        for i, a in enumerate(pairs.label_names) for j, b in enumerate(pairs.label_names) if i != j and together[i, j]
    }  # fmt: skip
    assert (output["labels"], output["samples"], output["edges"]) == (5, 60, len(weights))
    assert output["density"] == len(weights) / 20 and output["labels_per_sample"] == pytest.approx(labels.sum() / 60)
    assert {each["name"]: each["count"] for each in output["most_frequent"]} == dict(
        zip(pairs.label_names, labels.sum(0), strict=True)
    )
    heaviest = {(each["source"], each["target"]): each["weight"] for each in output["heaviest_edges"]}
    assert heaviest == pytest.approx(weights) and list(heaviest.values()) == sorted(heaviest.values(), reverse=True)


@pytest.mark.parametrize("ending", [".html", ".png", ".svg", ".json", ".graphml"])
def test_the_graph_is_written(place, pairs, tmp_path, capsys, ending):
    out = tmp_path / "new" / f"graph{ending}"
    assert main(["graph", str(place / "data.npz"), "--out", str(out), "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["out"] == str(out) and printed.err == f"wrote {out}\n"
    edges = cooccurrence_graph(pairs.split("train").labels).num_edges
    if ending == ".png":
        assert out.read_bytes().startswith(b"\x89PNG") and out.stat().st_size > 5_000
    elif ending == ".html":
        (kind,) = page_content(out)["kinds"]
        assert (kind["key"], 2 * kind["pairs"]) == ("together", edges)
    elif ending == ".svg":
        assert ElementTree.parse(out).getroot().tag.endswith("svg")
    elif ending == ".json":
        content = json.loads(out.read_text(encoding="utf-8"))
        assert len(content["edges"]) == edges and content["labels"][1]["name"] == "été"
        assert {"source", "target", "weight", "count"} == set(content["edges"][0])
    else:
        graph = nx.read_graphml(out)
        assert graph.number_of_edges() == edges and set(graph) == set(pairs.label_names)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def page_content(path):
    """The content that a page holds as JSON."""
    return json.loads(re.search(r'id="content">(.*?)</script>', path.read_text(encoding="utf-8"), re.DOTALL)[1])


def test_a_page_has_pictures_and_similar_names(pairs, tmp_path, capsys):
    data = replace(pairs, label_vectors=np.random.default_rng(0).normal(size=(5, 3)))
    save_npz(data, tmp_path / "data.npz")
    chosen = data.ids[int(data.splits["train"][0])]
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (90, 90), "red").save(tmp_path / "pictures" / chosen, "PNG")
    out = tmp_path / "graph.html"
    pictures = ["--pictures", str(tmp_path / "pictures")]
    assert main(["graph", str(tmp_path / "data.npz"), "--out", str(out), *pictures]) == 0
    content = page_content(out)
    assert [kind["key"] for kind in content["kinds"]] == ["together", "meaning"]
    own = {str(label) for label in data.labels[data.splits["train"][0]].nonzero().flatten().tolist()}
    assert len(content["pictures"]) == 1 and set(content["shown"]) <= own


def test_a_bundled_set_has_pictures_of_the_counted_items(tmp_path):
    data = load_openclipart()
    rows = data.rows("train")
    pictures = label_pictures(data, rows, "openclipart", None)
    assert set(pictures) == set(data.label_names) and {len(several) for several in pictures.values()} == {4}
    number = data.label_names.index("bird")
    typical = sorted(rows.tolist(), key=lambda row: (data.labels[row, number] == 0, data.labels[row].sum()))[:4]
    for picture, expected in zip(pictures["bird"], load_thumbnails(typical), strict=True):
        assert picture.tobytes() == expected.tobytes()


@pytest.mark.parametrize("form", ["npy", "csv"])
def test_labels_alone(pairs, tmp_path, capsys, form):
    path, names = tmp_path / f"labels.{form}", None
    if form == "npy":
        np.save(path, pairs.labels.numpy().astype(bool))
    else:
        names = ["sky", "a, b", "été", "dog", "sea"]
        rows = "\n".join(",".join(str(int(value)) for value in row) for row in pairs.labels.tolist())
        path.write_text('sky,"a, b",été,dog,sea\n' + rows, encoding="utf-8")
    assert main(["graph", str(path)]) == 0
    assert capsys.readouterr().out == summarize(cooccurrence_graph(pairs.labels, names), 10) + "\n"


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (None, "labels.csv", "labels.csv: no such file of labels"),
        (b"", "labels.csv", "one row per item (got no row below a header)"),
        (
            b"a,b\n\n",
            "labels.csv",
            "one row per item (got no row below a header)",
        ),
        (b"a,b\n1,x\n", "labels.csv", "labels.csv: expected labels of 0 and 1, one row per item"),
        (b"a,b\n1,0,1\n", "labels.csv", "labels.csv: expected 2 columns, one per name in the header (got 3)"),
        (b"a,b\n1,2\n", "labels.csv", "labels.csv: expected labels of 0 and 1"),
        (b"a,b\n1,2\n", "labels.csv", "must be 0 or 1 (got 2.0 at row 0, column 1)"),
        (b"x" * 200_000 + b"\n1\n", "labels.csv", "labels.csv: expected labels of 0 and 1"),
        (b"a,b\n\xff\xfe\n", "labels.csv", "labels.csv: expected labels of 0 and 1"),
        (b"junk", "labels.npy", "labels.npy: expected labels of 0 and 1"),
        (b"", "labels.npy", "labels.npy: expected labels of 0 and 1"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_wrong_labels_are_one_line(tmp_path, capsys, content, name, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert main(["graph", str(tmp_path / name), "--json"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err


def test_wrong_options_are_one_line(place, tmp_path, capsys):
    np.save(tmp_path / "labels.npy", np.eye(3))
    for arguments, message in (
        ([place / "data.npz", "--threshold", "1.5"], "'threshold' must be"),
        ([place / "data.npz", "--split", "tran"], "did you mean 'train'?"),
        ([place / "data.npz", "--out", tmp_path / "graph.pdf"], "'--out' must end in one of .html, .png, .svg, .json"),
        ([place / "data.npz", "--out", place / "data.npz" / "graph.png"], "data.npz"),
        ([tmp_path / "labels.npy", "--split", "train"], "'--split' needs data with splits"),
        (
            [tmp_path / "labels.npy", "--pictures", ".", "--out", tmp_path / "graph.html"],
            "'--pictures' needs data with ids",
        ),
        ([place / "data.npz", "--pictures", "."], "'--pictures' needs '--out' with the ending .html (got no --out)"),
        (
            [place / "data.npz", "--pictures", tmp_path, "--out", tmp_path / "graph.html"],
            f"within {tmp_path} (got 'item",
        ),
    ):
        assert main(["graph", *map(str, arguments)]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err
