"""What a store of LanceDB keeps on disk."""

from datetime import timedelta

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.search import Searcher

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
