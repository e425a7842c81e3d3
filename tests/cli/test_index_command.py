"""`labelgraph index --store`: the same results from every store, by the commands and from Python."""

import json
from dataclasses import replace

import pytest
import torch

from labelgraph.cli import index_command
from labelgraph.cli.main import main
from labelgraph.data import load_dataset, save_npz
from labelgraph.search import Searcher
from labelgraph.search.gallery import gallery_items


def run(capsys, *arguments, status=0):
    assert main(list(map(str, arguments))) == status
    printed = capsys.readouterr()
    return json.loads(printed.out) if status == 0 else printed.err


def indexed(place, *more):
    return "index", place / "model", place / "data.npz", "--quiet", "--json", *more


def found(capsys, place, index):
    return run(capsys, "search", index, "--data", place / "data.npz", "--text-id", "item-3", "-k", 5, "--json")[
        "queries"
    ]


@pytest.mark.parametrize("kind", ["lance", pytest.param("milvus", marks=pytest.mark.slow)])
def test_a_store_is_indexed_and_searched_by_its_address(place, tmp_path, capsys, kind):
    pytest.importorskip({"lance": "lancedb", "milvus": "milvus_lite"}[kind])
    address = f"{kind}:{tmp_path / 'items.db'}"
    summary = run(capsys, *indexed(place, "--store", address))
    assert summary["index"] == address and (summary["images"], summary["texts"]) == (40, 40)
    assert summary["kind"] == {"lance": "ivf", "milvus": "exact"}[kind]
    run(capsys, *indexed(place, "--out", tmp_path / "index"))
    (ours,), (wanted,) = found(capsys, place, address), found(capsys, place, tmp_path / "index")
    assert [each["id"] for each in ours["neighbours"]] == [each["id"] for each in wanted["neighbours"]]
    assert [each["title"] for each in ours["neighbours"]] == [each["title"] for each in wanted["neighbours"]]
    scores = ([each["score"] for each in one["neighbours"]] for one in (ours, wanted))
    assert next(scores) == pytest.approx(next(scores), abs=1e-5)


def test_lancedb_in_a_folder(place, tmp_path, capsys):
    pytest.importorskip("lancedb")
    summary = run(capsys, *indexed(place, "--out", tmp_path / "items", "--store", "lance", "--index", "exact"))
    assert summary["index"] == str(tmp_path / "items") and summary["kind"] == "exact"
    assert len(found(capsys, place, tmp_path / "items")[0]["neighbours"]) == 5
    assert Searcher.load(tmp_path / "items").store == f"lance:{tmp_path / 'items'}"
    error = run(capsys, *indexed(place, "--out", tmp_path / "items"), status=2)
    assert "'--out'" in error and "--store lance" in error and error.count("\n") == 1


def test_many_items_are_kept_in_lancedb(place, tmp_path, capsys, monkeypatch):
    pytest.importorskip("lancedb")
    monkeypatch.setattr(index_command, "LARGE", 79)
    assert main(list(map(str, indexed(place, "--out", tmp_path / "large")))) == 0
    printed = capsys.readouterr()
    assert "80 images and texts are kept in LanceDB" in printed.err and json.loads(printed.out)["kind"] == "ivf"
    run(capsys, *indexed(place, "--out", tmp_path / "small", "--store", "memory"))
    run(capsys, *indexed(place, "--out", tmp_path / "named", "--index", "exact"))
    assert Searcher.load(tmp_path / "large").store is not None
    assert Searcher.load(tmp_path / "small").store is Searcher.load(tmp_path / "named").store is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--store", "lanc:x"], "'--store' must be memory, lance, lance:PATH or milvus:URI (got 'lanc:x')"),
        (["--store", "lance:{out}", "--out", "{out}"], "'--out' must be left out"),
        (["--store", "lance"], "'--out' must be given"),
        ([], "'--out' must be given"),
        (["--store", "lance:"], "'store' must be lance:PATH"),
        (["--store", "milvus:{out}"], "FOLDER.db"),
        (["--store", "milvus:{out}.db#a-b"], "letters, digits and _ after # (got 'a-b')"),
        (["--store", "milvus:{out}/missing/items.db"], "cannot be opened"),
        (["--store", "lance:{index}"], "holds an index in memory"),
        (["--store", "lance:{out}", "--index", "faiss-flat"], "'--index' must be one of exact, ivf"),
        (["--store", "lance:{out}", "--set", "num_links=3"], "'--set' must be one of num_probes"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(place, tmp_path, capsys, more, message):
    if any("lance" in each for each in more):
        pytest.importorskip("lancedb")
    if any("milvus" in each for each in more):
        pytest.importorskip("milvus_lite")
    names = {"out": tmp_path / "out", "index": place / "index"}
    error = run(capsys, *indexed(place, *(each.format(**names) for each in more)), status=2)
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "package"), [("lance", "lancedb"), ("milvus", "pymilvus")])
def test_a_missing_package_is_named_with_its_extra(place, tmp_path, capsys, monkeypatch, kind, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    error = run(capsys, *indexed(place, "--store", f"{kind}:{tmp_path / 'items.db'}"), status=2)
    assert f'pip install "labelgraph[{kind}]"' in error and error.count("\n") == 1


def test_a_search_of_a_missing_store_is_one_line(tmp_path, capsys):
    pytest.importorskip("lancedb")
    error = run(capsys, "search", f"lance:{tmp_path / 'none'}", "--text", "x", status=2)
    assert "none: no such store" in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_parts_are_added_to_one_store(place, tmp_path, capsys):
    pytest.importorskip("lancedb")
    address = f"lance:{tmp_path / 'parts'}"
    counts = [
        run(capsys, *indexed(place, "--store", address, "--index", "exact", "--part", f"{number}/3"))["images"]
        for number in (3, 1, 2, 1)
    ]
    assert counts == [14, 13, 13, 13] and len(gallery_items(Searcher.open(address))) == 40
    run(capsys, *indexed(place, "--out", tmp_path / "index"))
    (ours,), (wanted,) = found(capsys, place, address), found(capsys, place, tmp_path / "index")
    assert [each["id"] for each in ours["neighbours"]] == [each["id"] for each in wanted["neighbours"]]


def test_items_without_a_side_are_added_in_parts(place, tmp_path, capsys):
    pytest.importorskip("lancedb")
    data = load_dataset(place / "data.npz")
    present = torch.ones(len(data), 2, dtype=torch.bool)
    present[::3, 0], present[1::3, 1] = False, False
    save_npz(replace(data, present=present, splits={}), tmp_path / "data.npz")
    for number in (1, 2):
        command = ["index", place / "model", tmp_path / "data.npz", "--out", tmp_path / "items", "--store", "lance"]
        run(capsys, *command, "--part", f"{number}/2", "--quiet", "--json")
    searcher = Searcher.load(tmp_path / "items")
    sides = {item.id: item.sides for item in gallery_items(searcher)}
    for row, each in enumerate(data.ids):
        assert sides[each] == tuple(side for side, here in zip(("image", "text"), present[row], strict=True) if here)


def test_parts_need_a_store(place, tmp_path, capsys):
    error = run(capsys, *indexed(place, "--out", tmp_path / "items", "--part", "1/2"), status=2)
    assert "'--part' needs --store lance" in error and not (tmp_path / "items").exists()


@pytest.mark.parametrize("files", ["items.lance/_versions/*", "models.lance/data/*", "models.lance/_versions/*"])
def test_a_damaged_store_is_named_and_left_as_it_is(place, tmp_path, capsys, files):
    pytest.importorskip("lancedb")
    store = tmp_path / "items"
    run(capsys, *indexed(place, "--store", f"lance:{store}"))
    for path in store.glob(files):
        path.write_bytes(path.read_bytes()[:20])
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    for command in (
        indexed(place, "--store", f"lance:{store}"),
        ("search", store, "--data", place / "data.npz", "--text-id", "item-3", "--json"),
    ):
        error = run(capsys, *command, status=2)
        assert str(store) in error and "delete it" in error and error.count("\n") == 1
    assert before == {path: path.read_bytes() for path in before}
