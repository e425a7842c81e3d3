"""What a store of Milvus leaves in the database."""

import numpy as np
import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.search import Searcher

pymilvus = pytest.importorskip("pymilvus")
pytest.importorskip("milvus_lite")


@pytest.mark.slow
def test_a_store_that_cannot_be_created_leaves_no_collections(tmp_path, monkeypatch):
    graph = cooccurrence_graph(np.eye(5)[np.arange(20) % 5], list("abcde"))
    method = build_method("algcn", 12, 9, graph, ALGCNConfig(hidden_channels=8))
    searcher = Searcher(method, label_names=list("abcde"), store=f"milvus:{tmp_path / 'items.db'}")

    def refuse(*values, **options):
        raise pymilvus.MilvusException(message="alias already exists")

    with monkeypatch.context() as patch:
        patch.setattr(pymilvus.MilvusClient, "create_alias", refuse)
        with pytest.raises(ValueError, match=r"items\.db.*alias already exists"):
            searcher.add(["a"], text=torch.rand(1, 9))
    assert pymilvus.MilvusClient(str(tmp_path / "items.db")).list_collections() == []
