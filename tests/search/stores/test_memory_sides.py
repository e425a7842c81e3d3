"""Sides in memory whose vectors are on disk until they are first used."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.search import Searcher, searcher_folder
from labelgraph.search.searcher_folder import SavedSide


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder of a searcher whose sides are read when they are first used."""
    monkeypatch.setattr(searcher_folder, "LARGE", 0)
    graph = cooccurrence_graph(np.eye(3)[np.arange(9) % 3], ["cat", "dog", "tree"])
    method = build_method("algcn", 6, 5, graph, ALGCNConfig(hidden_channels=4))
    ids = [str(row) for row in range(9)]
    searcher = Searcher(method).fit(
        CrossModalData(torch.randn(9, 6), torch.randn(9, 5), torch.eye(3).repeat(3, 1), ["cat", "dog", "tree"], ids=ids)
    )
    searcher.add(["picture"], image=torch.randn(1, 6))
    searcher.save(tmp_path)
    return tmp_path


@pytest.fixture
def damaged(folder):
    """The same with a damaged text side."""
    (path,) = folder.glob("text.vectors-*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    return folder


CHANGES = {
    "remove": lambda searcher: searcher.remove(["3"]),
    "add": lambda searcher: searcher.add(["new"], torch.zeros(6), torch.zeros(5)),
    "upsert": lambda searcher: searcher.upsert(["3"], torch.zeros(6), torch.zeros(5)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_nothing_is_changed_if_a_side_is_damaged(damaged, change):
    searcher, query = Searcher.load(damaged), torch.randn(1, 6)
    before = searcher.search(image=query, k=20, within="pictures")
    with pytest.raises(ValueError, match=r"text\.vectors.*damaged"):
        change(searcher)
    after = searcher.search(image=query, k=20, within="pictures")
    assert after.ids == before.ids and len(after.ids[0]) == 10 and torch.equal(after.scores, before.scores)


def test_threads_that_search_at_once_read_a_side_once(folder, monkeypatch):
    searcher, query = Searcher.load(folder), torch.randn(1, 6)
    wanted, read = Searcher.load(folder).search(image=query).ids, SavedSide.restore
    reads, first, second = [], Event(), Event()

    def restore(self, items):
        reads.append(self.side)
        (second if first.is_set() else first).set()
        second.wait(0.5)  # The other thread comes here, too, unless it waits for this one.
        read(self, items)

    monkeypatch.setattr(SavedSide, "restore", restore)
    with ThreadPoolExecutor(2) as pool:
        found = [pool.submit(searcher.search, image=query)]
        assert first.wait(60)
        found.append(pool.submit(searcher.search, image=query))
        assert [each.result().ids for each in found] == [wanted, wanted]
    assert reads == ["text"]


def test_sides_are_counted_without_reading_them(damaged, monkeypatch):
    monkeypatch.setattr(SavedSide, "restore", None)
    searcher = Searcher.load(damaged)
    assert "10 images, 9 texts" in repr(searcher)


def test_changed_sides_are_counted(folder):
    searcher = Searcher.load(folder)
    searcher.remove(["picture", "3"])
    assert "8 images, 8 texts" in repr(searcher)
