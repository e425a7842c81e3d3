"""Vectors that stay in memory are those of the present items."""

import shutil
from itertools import combinations

import numpy as np
import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.search import Searcher
from labelgraph.search.stores import lance_snapshot

lancedb = pytest.importorskip("lancedb")
pa = pytest.importorskip("pyarrow")
IDS = [str(number) for number in range(100)]


@pytest.fixture
def searcher(tmp_path):
    graph = cooccurrence_graph(np.eye(5)[np.arange(20) % 5], list("abcde"))
    method = build_method("algcn", 12, 9, graph, ALGCNConfig(hidden_channels=8))
    searcher = Searcher(method, label_names=list("abcde"), store=f"lance:{tmp_path}")
    searcher.add(IDS, text=torch.rand(100, 9))
    searcher.add(["picture"], image=torch.randn(1, 12))
    return searcher


def counted(monkeypatch):
    """Count how often vectors are read."""
    reads, read = [], lance_snapshot.read_blocks
    monkeypatch.setattr(lance_snapshot, "read_blocks", lambda *values: reads.append(values[1:]) or read(*values))
    return reads


def test_vectors_are_read_once_until_items_change(searcher, monkeypatch):
    reads, query = counted(monkeypatch), torch.randn(3, 12)
    first = searcher.search(image=query, k=100)
    assert searcher.search(image=query, k=100).ids == first.ids and len(reads) == 1
    Searcher.open(searcher.store).remove(IDS[:50])  # Another searcher, as in another process.
    left = searcher.search(image=query, k=100)
    assert [set(row) for row in left.ids] == [set(IDS[50:])] * 3 and len(reads) == 2
    searcher.search(image=query, k=5, ids=IDS[60:])
    assert searcher.search(image=query[:1], k=100).ids == left.ids[:1] and reads[0] == reads[1]
    torch.testing.assert_close(searcher.search(image=query[:1], k=100).scores, left.scores[:1])


def test_results_are_read_once_until_items_change(searcher, monkeypatch):
    reads, query = {"take": 0, "read_columns": 0}, torch.randn(1, 12)

    def count(name):
        own = getattr(lance_snapshot, name)
        monkeypatch.setattr(lance_snapshot, name, lambda *values: reads.update({name: reads[name] + 1}) or own(*values))

    for name in reads:
        count(name)
    monkeypatch.setattr(lance_snapshot, "ROWS_PER_SEARCH", 40)  # There are 101 rows.
    found = [searcher.search(image=query, k=9) for _ in range(5)]
    assert all(each.ids == found[0].ids for each in found) and reads == {"take": 2, "read_columns": 1}
    best, other = found[0].ids[0][0], Searcher.open(searcher.store)  # As in another process.
    other.upsert([best], text=torch.rand(1, 9), titles=["new title"], labels=torch.eye(5)[1:2])
    chosen = searcher.search(image=query, labels=["b"])
    assert (chosen.ids, chosen.titles) == ([[best]], [["new title"]])
    other.remove([best])
    assert searcher.search(image=query, labels=["b"]).ids == [[]]
    searcher.add([best], text=torch.rand(1, 9))
    assert searcher.search(image=query, ids=[best, "unknown"]).titles == [[best]]


@pytest.mark.parametrize("index", ["exact", "ivf"])
def test_results_beyond_the_budget_are_the_same(searcher, monkeypatch, index):
    def answers():
        own = Searcher(searcher.method, index, list("abcde"), searcher.store)
        asked = [{}, {"ids": IDS[3:30]}, {"labels": ["b", "d"]}]
        found = [own.search(image=query, k=40, **each) for each in asked for query in (queries[:1], queries)]
        return [(each.ids, each.titles) for each in found]

    queries = torch.randn(20, 12)
    searcher.upsert(IDS[:50], text=torch.rand(50, 9), labels=torch.eye(5)[torch.arange(50) % 5],
                    titles=[f"title {each}" for each in IDS[:50]])  # fmt: skip
    whole = answers()
    monkeypatch.setattr(lance_snapshot, "HELD_BYTES", 100)
    assert answers() == whole


def test_the_stamp_changes_with_the_version_and_with_the_table(tmp_path):
    rows, stamps = pa.table({"id": ["a", "b"]}), []
    for _ in range(2):
        table = lancedb.connect(tmp_path).create_table("items", rows)
        stamps.append(lance_snapshot.stamp_of(f"{tmp_path}/items.lance/_versions"))
        table.delete("id = 'a'")
        stamps.append(lance_snapshot.stamp_of(f"{tmp_path}/items.lance/_versions"))
        assert stamps[-1] == lance_snapshot.stamp_of(f"{tmp_path}/items.lance/_versions")
        shutil.rmtree(tmp_path / "items.lance")
        assert lance_snapshot.stamp_of(f"{tmp_path}/items.lance/_versions") is None
    assert all(one != other for one, other in combinations(stamps, 2))


def test_vectors_beyond_the_budget_do_not_stay(searcher, monkeypatch):
    query = torch.randn(20, 12)
    wanted = searcher.search(image=query, k=7).ids
    monkeypatch.setattr(lance_snapshot, "HELD_BYTES", 100 * (8 * 4 + 8) - 1)
    other, reads = Searcher.open(searcher.store), counted(monkeypatch)
    assert other.search(image=query, k=7).ids == other.search(image=query, k=7).ids == wanted and len(reads) == 2
