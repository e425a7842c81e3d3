"""A damaged store gives one line that names it and says what to do, and stays as it is."""

import hashlib
import os
import shutil

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.search import Searcher

LABELS, ADVICE = list("abcde"), "labelgraph index"


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path):
    path.write_bytes(hashlib.sha256(path.name.encode()).digest() * 40)


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def filled(address):
    graph = cooccurrence_graph(np.eye(5)[np.arange(20) % 5], LABELS)
    method = build_method("algcn", 12, 9, graph, ALGCNConfig(hidden_channels=8))
    hot = torch.eye(5)[torch.arange(30) % 5].long()
    data = CrossModalData(torch.randn(30, 12), torch.rand(30, 9), hot, LABELS, ids=[str(row) for row in range(30)])
    searcher = Searcher(method, store=address).fit(data)
    searcher.add(["added"], text=torch.rand(1, 9))
    searcher.remove(["3"])
    return searcher


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    pytest.importorskip("lancedb")
    folder = tmp_path_factory.mktemp("whole") / "items"
    filled(f"lance:{folder}")
    return folder


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


USES = {
    "one query": lambda searcher: searcher.search(image=torch.randn(1, 12)),
    "many queries": lambda searcher: searcher.search(image=torch.randn(20, 12)),
    "filter": lambda searcher: searcher.search(image=torch.randn(1, 12), labels=["b"]),
    "item": lambda searcher: searcher.search(like="5"),
    "list": lambda searcher: list(searcher._sides.entries()),
    "add": lambda searcher: searcher.add(["new"], text=torch.rand(1, 9)),
    "replace": lambda searcher: searcher.upsert(["5"], text=torch.rand(1, 9)),
    "remove": lambda searcher: searcher.remove(["7"]),
}


@pytest.mark.parametrize(
    ("files", "change"),
    [(files, change) for files in ("items.lance/data/*", "items.lance/_versions/*", "models.lance/data/*",
                                   "models.lance/_versions/*") for change in (halve, spoil, remove)]
    + [("items.lance/_deletions/*", change) for change in (halve, spoil, remove)]
    + [(folder, remove) for folder in ("items.lance", "items.lance/data", "items.lance/_versions", "models.lance")],
)  # fmt: skip
def test_a_damaged_folder_of_lancedb(whole, tmp_path, files, change):
    folder = tmp_path / "damaged"
    shutil.copytree(whole, folder)
    for path in list(folder.glob(files)):
        change(path)
    before = content(folder)
    for name, use in USES.items():
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            use(Searcher.open(f"lance:{folder}"))
        text = str(caught.value)
        assert text.startswith(f"lance:{folder}: ") and ADVICE in text and "\n" not in text, name
    assert content(folder) == before


@pytest.mark.parametrize("change", [spoil, remove])
def test_a_searcher_is_shown_while_its_store_is_damaged(whole, tmp_path, change):
    folder = tmp_path / "items"
    shutil.copytree(whole, folder)
    searcher = Searcher.open(f"lance:{folder}")
    assert "29 images, 30 texts" in repr(searcher)
    for path in list(folder.glob("items.lance/_versions/*")):
        change(path)
    assert f"cannot be read, 5 labels, lance:{folder}" in repr(searcher)
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)
    assert "29 images, 30 texts" in repr(searcher)


def test_a_store_that_may_not_be_read_or_written(whole, monkeypatch):
    searcher = Searcher.open(f"lance:{whole}")
    assert len(searcher._sides["text"]) == 30

    def refuse(*values, **options):
        raise RuntimeError("lance error: LanceError(IO): Permission denied (os error 13), /src/local.rs:1:2")

    monkeypatch.setattr(type(searcher._sides.engine._items), "add", refuse)
    with pytest.raises(PermissionError) as caught:
        searcher.add(["new"], text=torch.rand(1, 9))
    assert caught.value.filename == f"lance:{whole}" and caught.value.strerror == os.strerror(13)


@pytest.mark.parametrize("place", ["a file", "other files"])
def test_milvus_leaves_what_is_not_its_own(tmp_path, place):
    pytest.importorskip("milvus_lite")
    path = tmp_path / "items.db"
    if place == "other files":
        path.mkdir()
    (path / "notes.txt" if path.is_dir() else path).write_text("notes")
    before = content(tmp_path)
    with pytest.raises(ValueError, match=rf"'store'.*items\.db.*{place}"):
        Searcher.open(f"milvus:{path}")
    assert content(tmp_path) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "change"), [("data_*.parquet", halve), ("data_*.parquet", remove), ("manifest.json*", spoil),
                          ("schema.json", halve), ("aliases.json", spoil)]
)  # fmt: skip
def test_a_damaged_folder_of_milvus_lite(tmp_path, files, change):
    servers = pytest.importorskip("milvus_lite.server_manager")
    folder = tmp_path / "items.db"
    filled(f"milvus:{folder}")._sides.engine._made.close()
    servers.server_manager_instance.release_all()
    for path in list(folder.rglob(files)):
        change(path)
    with pytest.raises(ValueError, match=r"items\.db: .*labelgraph index") as caught:
        Searcher.open(f"milvus:{folder}").search(image=torch.randn(1, 12))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_an_open_searcher_of_milvus_lite_survives_damage_and_repair(tmp_path):
    servers = pytest.importorskip("milvus_lite.server_manager")
    folder, copy, query = tmp_path / "items.db", tmp_path / "copy", torch.randn(1, 12)
    searcher = filled(f"milvus:{folder}")
    wanted = searcher.search(image=query).ids
    shutil.copytree(folder, copy)
    for path in [*folder.rglob("*.parquet"), *folder.rglob("manifest.json*")]:
        spoil(path)
    assert searcher.search(image=query).ids == wanted  # Milvus Lite holds the items of an open store in memory.
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    searcher.add(["later"], text=torch.rand(1, 9))
    found = searcher.search(image=query, k=40).ids
    searcher._sides.engine._made.close()
    servers.server_manager_instance.release_all()
    again = Searcher.open(f"milvus:{folder}")
    assert again.search(image=query, k=40).ids == found and "later" in found[0]
