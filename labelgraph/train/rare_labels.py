"""Labels with few training items: what a method learns from their names, items and neighbours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch_geometric.data import Data

from labelgraph._core.multi_hot import label_sums
from labelgraph._core.names import SIDES
from labelgraph.data import CrossModalData
from labelgraph.encoders import BagOfWords, build_encoder
from labelgraph.graph import Threshold, cooccurrence_graph, meaning_graph, merge_graphs
from labelgraph.inference import feature_batches
from labelgraph.methods import Method

CLOSE = 0.5  # Cosine of label names, or probability. Labels with less similar names seldom share pictures.
ALL = 2**31


def learn_names(method: Method, data: CrossModalData) -> None:
    """Give a method the label names as texts before training, see `Method.read_names`.

    The text encoder of the data encodes the names if it is a bag of words, which needs no model.
    """
    if (names := _names(method, data)) is not None:
        labels = np.flatnonzero(np.diff(names.indptr))  # Names with a known word.
        counts = label_sums(data.label_rows(data.rows("train"), dense=False))
        method.read_names(names[labels], torch.from_numpy(labels), counts[labels].cpu())


def _names(method: Method, data: CrossModalData) -> sp.csr_array | None:
    if not method.borrows or data.encoders.get("text", {}).get("encoder") != BagOfWords.name:
        return None
    return sp.csr_array(build_encoder(data.encoders["text"]).encode(data.label_names))


def learn_references(method: Method, data: CrossModalData, batch_size: int = 4096) -> None:
    """Fit the parts of a method that are computed after training, see `Method.fit_references` and `Method.fit_ridge`.

    The references read the labels that the label graph joins, by the setting ``edges`` of the method. Similar names
    need the label vectors of the data; without them, only co-occurrence joins labels.
    """
    if not method.borrows:
        return
    texts, names = _names(method, data), None
    if texts is not None:
        (names,) = feature_batches(method, "text", texts, ALL, None, None)
    with torch.no_grad():
        sides = [_LabelledBatches(method, data, side, batch_size) for side in SIDES]
        batches = ((side, *batch) for side, each in zip(SIDES, sides, strict=True) for batch in each)
        method.fit_references(batches, names, _close_labels(method, data))
        method.fit_ridge(sides[SIDES.index("image")])


def _close_labels(method: Method, data: CrossModalData) -> Data | None:
    """Build the graph of close labels; the weight of an edge is its cosine or probability above `CLOSE`, 0 to 1."""
    edges, graphs = method.config.edges, []
    if edges in ("cooccurrence", "merged"):
        graphs.append(cooccurrence_graph(data.label_rows(data.rows("train"), dense=False), data.label_names))
    if edges in ("meaning", "merged") and data.label_vectors is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # A name without a vector has no edges.
            graphs.append(meaning_graph(data.label_names, data.label_vectors, threshold=CLOSE))
    if not graphs:
        return None
    graph = Threshold(CLOSE)(merge_graphs(*graphs) if len(graphs) > 1 else graphs[0])
    graph.edge_weight = (graph.edge_weight - CLOSE) / (1 - CLOSE)
    return graph


@dataclass(frozen=True)
class _LabelledBatches:
    """Features and labels of one side of the training items in batches, computed anew each time they are read."""

    method: Method
    data: CrossModalData
    side: str
    batch_size: int

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        rows = self.data.rows("train")
        items = rows[self.data.present[rows, SIDES.index(self.side)]]
        batches = feature_batches(self.method, self.side, self.data, self.batch_size, items, None)
        for part, batch in zip(items.split(self.batch_size), batches, strict=True):
            labels = self.data.label_rows(part, dense=not self.method.takes_sparse_labels)
            yield batch, labels.to(batch.device, batch.dtype)
