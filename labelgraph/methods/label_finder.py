"""The labels with the highest scores for many items, by clusters of the classifiers of a method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from labelgraph._core.names import SIDES
from labelgraph._core.similarity import unit_length
from labelgraph.data import DENSE_LABELS
from labelgraph.methods.label_placement import placing_edges
from labelgraph.nn import LabelClusters, LabelReferences, LabelTable
from labelgraph.nn.label_table import parameter_state

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from labelgraph.methods.model_folder import StoredGraph

CLUSTERED_LABELS = 16 * DENSE_LABELS  # With fewer labels, all scores take no longer.
CLUSTERED_ITEMS = 2048  # Clusters, which later batches share, cost as much as all scores of 5,000 items.


class LabelFinder:
    """Clusters of the labels of a method, and what its graph does, which are kept while its parameters stay the same.

    The first batch is the sample by which labels are clustered. The clusters are no part of the state of the method: a
    copy, or a method that is loaded, clusters its labels again.
    """

    _clusters: tuple[object, LabelClusters] | None = None
    _placing: tuple[object, bool] | None = None

    def __getstate__(self) -> dict[str, object]:
        return {}

    def places(self, graph: Data | StoredGraph | None) -> bool:
        """Return whether a label graph, which does not change, gives labels the probabilities of their neighbours."""
        if graph is None:
            return False
        if self._placing is None or self._placing[0] is not graph:
            self._placing = graph, bool(placing_edges(graph).any())
        return self._placing[1]

    def pays(self, table: LabelTable, items: int) -> bool:
        """Return whether labels are found faster by clusters, shared by later batches, than by all scores."""
        many = len(table.weight) > CLUSTERED_LABELS and items >= CLUSTERED_ITEMS
        return many and not torch.is_grad_enabled() and not torch.compiler.is_compiling()

    def highest(
        self,
        table: LabelTable,
        references: LabelReferences | None,
        side: str,
        hidden: Tensor,
        k: int,
        probes: int,
    ) -> tuple[Tensor, Tensor]:
        """Return the numbers and scores of the labels with the highest scores of a side, (B, k) each."""
        queries = hidden if references is None else torch.cat([hidden, unit_length(hidden)], 1)
        return self._current(table, references, queries).highest(queries, SIDES.index(side), k, probes)

    def _current(self, table: LabelTable, references: LabelReferences | None, queries: Tensor) -> LabelClusters:
        """Return the clusters, built again from these queries if a parameter has changed."""
        known = parameter_state(*(part for part in (table, references) if part))
        held = self._clusters
        if held is None or held[0] != known:
            self._clusters = held = None  # Not two at a time.
            held = self._clusters = known, _cluster(table, references, queries)
        return held[1]


def _cluster(table: LabelTable, references: LabelReferences | None, queries: Tensor) -> LabelClusters:
    r"""Cluster classifiers and references.

    A score is :math:`h \cdot w_c + b_c + \gamma_c (u \cdot r_c - o_c)` with the direction :math:`u` of :math:`h`.
    """
    weight, bias = table.weight.detach(), table.bias.detach().expand(-1, len(SIDES))
    if references is None:
        return LabelClusters(weight, bias, queries)
    scale = references.weights.unsqueeze(1)
    keys = torch.cat([weight, scale * references.directions], 1)
    return LabelClusters(keys, bias - scale * references.offsets, queries)
