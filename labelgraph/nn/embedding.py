"""Label embeddings in one call: given, learned, one-hot, or from the co-occurrence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.graph import pmi_svd


class LabelEmbedding(nn.Module):
    r"""The features that a label encoder starts from.

    Args:
        graph: Label graph, with the counts of `cooccurrence_graph`.
        kind: ``"pmi-svd"``, from the co-occurrence itself (`labelgraph.graph.pmi_svd`), needs nothing
            else; ``"one-hot"``; ``"learned"``, drawn uniformly in [0, 1], the published default of
            ALGCN; ``"given"``, the ``x`` of the graph, such as word vectors.
        channels: :math:`F` for ``pmi-svd`` (at most :math:`C`) and ``learned``; by default 300, or for
            ``pmi-svd`` :math:`C` where that is less.
        trainable: Let training change the embeddings; by default only ``learned`` ones.

    Shapes:
        - **output:** embeddings :math:`(C, F)`.

    Raises:
        ValueError: If the kind is unknown, or ``x`` is missing.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.nn import LabelEmbedding
        >>> LabelEmbedding(cooccurrence_graph([[1, 1, 0], [0, 0, 1]]), "pmi-svd", channels=2)().shape
        torch.Size([3, 2])
    """

    KINDS = ("pmi-svd", "one-hot", "learned", "given")

    def __init__(
        self, graph: Data, kind: str = "pmi-svd", channels: int | None = None, trainable: bool | None = None
    ) -> None:
        super().__init__()
        self.kind = kind
        self.weight = nn.Parameter(
            _initial(graph, kind, channels),
            requires_grad=(kind == "learned") if trainable is None else trainable,
        )

    @property
    def channels(self) -> int:
        """Size of each embedding."""
        return self.weight.size(1)

    def forward(self) -> Tensor:
        """Give the embeddings."""
        return self.weight

    def extra_repr(self) -> str:
        """Describe the module in print."""
        return f"{self.kind}, {tuple(self.weight.shape)}, trainable={self.weight.requires_grad}"


def _initial(graph: Data, kind: str, channels: int | None) -> Tensor:
    if kind == "pmi-svd":
        return pmi_svd(graph, channels)
    if kind == "one-hot":
        return torch.eye(graph.num_nodes)
    if kind == "learned":
        return torch.rand(graph.num_nodes, channels or 300)
    if kind == "given":
        if graph.x is None:
            raise ValueError("'graph' must carry label embeddings 'x' for kind 'given' (got none)")
        return graph.x.clone()
    raise ValueError(f"'kind' must be one of {', '.join(LabelEmbedding.KINDS)} (got {kind!r})")
