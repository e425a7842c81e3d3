"""What a store of LanceDB keeps on disk."""

import shutil
from datetime import timedelta
from threading import Thread

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.search import Searcher
from labelgraph.search.stores.lance_engine import LanceEngine

lancedb = pytest.importorskip("lancedb")
ENGINE = "labelgraph.search.stores.lance_engine"
IDS = [str(number) for number in range(300)]


@pytest.fixture
def searcher(tmp_path):
    graph = cooccurrence_graph(np.eye(5)[np.arange(20) % 5], list("abcde"))
    method = build_method("algcn", 12, 9, graph, ALGCNConfig(hidden_channels=8))
    return Searcher(method, label_names=list("abcde"), store=f"lance:{tmp_path}")


def indexed(folder):
    return {column for index in lancedb.connect(folder).open_table("items").list_indices() for column in index.columns}


def test_an_index_is_built_once_there_are_enough_items(searcher, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{ENGINE}.FIRST_INDEX", 300)
    text, image = torch.rand(300, 9), torch.randn(300, 12)
    searcher.add(IDS[:200], text=text[:200])
    assert indexed(tmp_path) == set()
    searcher.add(IDS[200:], text=text[200:])
    assert indexed(tmp_path) == {"id", "labels", "text"}
    searcher.add(IDS, image=image)
    assert indexed(tmp_path) == {"id", "labels", "text", "image"}
    assert len(set(searcher.search(image=image[:1], k=300).ids[0])) == 300


@pytest.mark.filterwarnings("ignore:optimize")
def test_replaced_items_are_freed(searcher, tmp_path, monkeypatch):
    monkeypatch.setattr(f"{ENGINE}.KEEP", timedelta(microseconds=1))
    monkeypatch.setattr(f"{ENGINE}.MANY_FRAGMENTS", 2)
    for start in range(0, 300, 50):
        searcher.add(IDS[start : start + 50], text=torch.rand(50, 9))
    assert len(list(tmp_path.glob("items.lance/data/*"))) <= 3
    fewer = [CrossModalData(torch.randn(9, 12), torch.rand(9, 9), torch.eye(5)[torch.arange(9) % 5].long(),
                            list("abcde"), ids=IDS[:9]) for _ in range(3)]  # fmt: skip
    for data in fewer:
        searcher.fit(data)
    assert len(list(tmp_path.glob("items.lance/data/*"))) == 1
    assert len(searcher.search(image=torch.randn(1, 12), k=300).ids[0]) == 9


def test_two_writers_of_the_same_ids_add_them_once(searcher):
    text, outcomes = torch.rand(50, 9), []

    def add(own):
        try:
            own.add(IDS[:50], text=text)
            outcomes.append("added")
        except ValueError as error:
            outcomes.append(str(error))

    searcher.add(["first"], text=text[:1])
    writers = [Thread(target=add, args=(Searcher.open(searcher.store),)) for _ in range(2)]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    added, refused = sorted(outcomes, key=len)
    assert added == "added" and "'ids' must be new" in refused
    assert len(searcher._sides["text"]) == 51


@pytest.mark.parametrize("queries", [1, 20])  # LanceDB compares a few queries; many are compared block by block.
def test_searches_see_whole_removals(searcher, queries):
    searcher.add(IDS, text=torch.rand(300, 9))
    other, counts = Searcher.open(searcher.store), []

    def remove():
        for start in range(0, 250, 50):
            other.remove(IDS[start : start + 50])

    remover = Thread(target=remove)
    remover.start()
    while remover.is_alive() or len(counts) < 2:
        rows = searcher.search(image=torch.randn(queries, 12), k=300).ids
        assert all(len(set(row)) == len(row) for row in rows)
        counts.append(len(rows[0]))
    remover.join()
    assert all(count % 50 == 0 for count in counts) and counts == sorted(counts, reverse=True)
    assert len(searcher.search(image=torch.randn(queries, 12), k=300).ids[0]) == 50


def test_a_file_is_no_store(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match=r"'store'.*folder.*notes\.txt.*file"):
        Searcher.open(f"lance:{tmp_path / 'notes.txt'}")


@pytest.mark.parametrize("queries", [1, 20])
@pytest.mark.parametrize("searched", [False, True], ids=["not searched in between", "searched in between"])
def test_an_open_searcher_survives_that_its_store_is_deleted_and_made_again(searcher, tmp_path, queries, searched):
    searcher.add(IDS, text=torch.rand(300, 9))
    opened, query = Searcher.open(searcher.store), torch.randn(queries, 12)
    opened.search(image=query)
    shutil.rmtree(tmp_path)
    if searched:
        opened.search(image=query)
    again = Searcher(searcher.method, label_names=list("abcde"), store=searcher.store)
    again.add(IDS, text=torch.rand(300, 9))  # The same version number as before.
    wanted, found = again.search(image=query), opened.search(image=query)
    assert found.ids == wanted.ids and torch.equal(found.scores, wanted.scores)


@pytest.mark.parametrize("held_before", [False, True])
def test_a_store_that_another_thread_forgets_is_opened_again(searcher, monkeypatch, held_before):
    searcher.add(IDS, text=torch.rand(300, 9))
    query, look = torch.randn(1, 12), LanceEngine.model_key
    wanted = searcher.search(image=query, k=300)

    def model_key(self):
        key, held = look(self), self._held
        self.forget()  # As after an error in another thread, at the worst moment.
        self._held = held if held_before else None
        return key

    monkeypatch.setattr(LanceEngine, "model_key", model_key)
    assert searcher.search(image=query, k=300).ids == wanted.ids
    searcher.add(["new"], text=torch.rand(1, 9))
    searcher.upsert(IDS[:2], text=torch.rand(2, 9))
    searcher.remove(IDS[2:4])
    assert set(searcher.search(image=query, k=300).ids[0]) == {*IDS[:2], *IDS[4:], "new"}
    assert len(searcher._sides["text"]) == 299 and len(list(searcher._sides.entries())) == 299
