"""Vectors that stay in memory are those of the present items."""

import numpy as np
import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.search import Searcher
from labelgraph.search.stores import lance_snapshot

pytest.importorskip("lancedb")
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


def test_vectors_beyond_the_budget_do_not_stay(searcher, monkeypatch):
    query = torch.randn(20, 12)
    wanted = searcher.search(image=query, k=7).ids
    monkeypatch.setattr(lance_snapshot, "HELD_BYTES", 100 * (8 * 4 + 8) - 1)
    other, reads = Searcher.open(searcher.store), counted(monkeypatch)
    assert other.search(image=query, k=7).ids == other.search(image=query, k=7).ids == wanted and len(reads) == 2
