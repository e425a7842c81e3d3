"""Interchangeable adjacency modules over labels: static, adaptive, metric and attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph._core.checked_config import check_value
from labelgraph._core.similarity import unit_length
from labelgraph.graph.edges import check_graph
from labelgraph.nn.projector import FeatureLinear
from labelgraph.nn.propagation import complete_edges, dense_adjacency, source_norm, source_norm_matrix


class StaticAdjacency(nn.Module):
    """Adjacency module of a fixed label graph.

    Args:
        graph: Label graph. Its weights are used unchanged; to change them, apply a transform first, for instance
            `BinaryAdjacency`.
        normalize: Normalise the weights with `source_norm`.

    Shapes:
        - **output:** edge indices :math:`(2, E)` and edge weights :math:`(E,)`.

    Example:
        >>> from labelgraph.graph import Reweight, cooccurrence_graph
        >>> from labelgraph.nn import StaticAdjacency
        >>> edge_index, edge_weight = StaticAdjacency(Reweight()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]])))()
        >>> edge_index.shape, edge_weight.shape
        (torch.Size([2, 5]), torch.Size([5]))
    """

    edge_index: Tensor
    edge_weight: Tensor

    def __init__(self, graph: Data, normalize: bool = True) -> None:
        super().__init__()
        check_graph(graph)
        weight = graph.edge_weight
        if normalize:
            weight = source_norm(graph.edge_index, weight, graph.num_nodes)
        self.register_buffer("edge_index", graph.edge_index.long().clone())
        self.register_buffer("edge_weight", weight.clone())

    def forward(self, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the edges; the embeddings ``x`` are ignored."""
        return self.edge_index, self.edge_weight


class DenseAdjacency(nn.Module):
    """Base class of adjacencies that weigh all pairs of nodes, as a matrix or as edges.

    A subclass implements `matrix`. `LabelBranch` and `ItemBranch` propagate with this matrix directly.

    Shapes:
        - **output:** edge indices :math:`(2, C^2)` and edge weights :math:`(C^2,)`, sorted by source.
    """

    _pairs: Tensor | None = None

    def matrix(self, x: Any = None, similarity: Tensor | None = None) -> Tensor:
        """Return the weight matrix, shape (C, C), whose entry (i, j) is the weight of the edge i -> j."""
        raise NotImplementedError

    def forward(self, x: Any = None, similarity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the edges between all nodes."""
        return self.edges(self.matrix(x, similarity))

    def edges(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """Return the entries of a matrix as edges."""
        pairs = self._pairs
        if pairs is None or pairs.size(1) != matrix.numel() or pairs.device != matrix.device:
            self._pairs = pairs = complete_edges(len(matrix), matrix.device)
        return pairs, matrix.flatten()


class AdaptiveAdjacency(DenseAdjacency):
    r"""Adjacency of a label graph plus a learned residual between all pairs of labels.

    .. math:: A_{ad} = \mathrm{ReLU}(A + \gamma B), \qquad \hat{A} = D^{-1/2} A_{ad}^\top D^{-1/2}

    (ALGCN, doi:10.1109/TMM.2021.3101642.) The residual :math:`B` is learned and initialised uniformly in [0, 0.02].

    Args:
        graph: Label graph :math:`A`, for instance the result of `BinaryAdjacency`.
        gamma: Weight :math:`\gamma` of the residual.
        normalize: Normalise the weights with `source_norm`.

    Shapes:
        - **output:** edge indices :math:`(2, C^2)` and edge weights :math:`(C^2,)`, sorted by source.

    Example:
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import AdaptiveAdjacency
        >>> adjacency = AdaptiveAdjacency(BinaryAdjacency()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]])))
        >>> edge_index, edge_weight = adjacency()
        >>> edge_index.shape, edge_weight.shape
        (torch.Size([2, 9]), torch.Size([9]))
    """

    static: Tensor

    def __init__(self, graph: Data, gamma: float = 0.5, normalize: bool = True) -> None:
        super().__init__()
        check_graph(graph)
        self.num_labels = int(graph.num_nodes)
        self.gamma = gamma
        self.normalize = normalize
        self.register_buffer("static", dense_adjacency(graph.edge_index, graph.edge_weight, self.num_labels))
        self.residual = nn.Parameter(torch.empty(self.num_labels, self.num_labels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reinitialise the residual."""
        nn.init.uniform_(self.residual, 0.0, 0.02)

    def matrix(self, x: Any = None, similarity: Tensor | None = None) -> Tensor:
        """Return the current weight matrix, shape (C, C); both arguments are ignored."""
        weight = torch.relu(self.static + self.gamma * self.residual)
        return source_norm_matrix(weight) if self.normalize else weight


class MetricAdjacency(DenseAdjacency):
    r"""Adjacency that is the mean of a fixed and a learned cosine similarity between label embeddings.

    .. math::
        A = \tfrac{1}{2} A_0 + \tfrac{1}{2} S, \qquad
        S = \Bigl[ \frac{1}{K} \sum_k \cos(X \circ w_k, X \circ w_k) \Bigr]_{\ge \tau}, \qquad
        A_0 = [\cos(X_0, X_0)]_{\ge \tau}

    Entries below :math:`\tau` become 0. :math:`A_0` is fixed and computed from the initial embeddings (I-GNN-CON,
    doi:10.1109/TPAMI.2022.3188547). The weights :math:`w_k` are learned and initialised uniformly in [0.3, 0.6].

    Args:
        x: Initial embeddings :math:`X_0`, shape :math:`(C, F)`.
        num_heads: Number :math:`K` of heads.
        threshold: Threshold :math:`\tau` of the cosines.
        normalize: Normalise the weights with `source_norm`.

    Shapes:
        - **input:** embeddings :math:`(C, F)`.
        - **output:** edge indices :math:`(2, C^2)` and edge weights :math:`(C^2,)`, sorted by source.

    Example:
        >>> import torch
        >>> from labelgraph.nn import MetricAdjacency
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
        >>> edge_index, edge_weight = MetricAdjacency(x, normalize=False)(x)
        >>> (edge_weight.view(3, 3) > 0).int()
        tensor([[1, 1, 0],
                [1, 1, 0],
                [0, 0, 1]], dtype=torch.int32)
    """

    static: Tensor

    def __init__(self, x: Tensor, num_heads: int = 8, threshold: float = 0.4, normalize: bool = True) -> None:
        super().__init__()
        if check_value("num_heads", num_heads, int) < 1:
            raise ValueError(f"'num_heads' must be at least 1 (got {num_heads})")
        self.threshold = threshold
        self.normalize = normalize
        self.register_buffer("static", self._prune(_cosine(x.detach())))
        self.weight = nn.Parameter(torch.empty(num_heads, x.size(1)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reinitialise the weights of the heads."""
        nn.init.uniform_(self.weight, 0.3, 0.6)

    def matrix(self, x: Any = None, similarity: Tensor | None = None) -> Tensor:
        """Return the weight matrix between the embeddings ``x``, shape (C, C); ``similarity`` is ignored."""
        learned = _cosine(x * self.weight.unsqueeze(1)).mean(0)
        weight = 0.5 * self.static + 0.5 * self._prune(learned)
        return source_norm_matrix(weight) if self.normalize else weight

    def _prune(self, similarity: Tensor) -> Tensor:
        return similarity.masked_fill(similarity < self.threshold, 0.0)


def _cosine(x: Tensor) -> Tensor:
    """Return the cosines between all rows of a matrix or of a batch of matrices."""
    unit = unit_length(x)
    return unit @ unit.transpose(-1, -2)


class AttentionAdjacency(DenseAdjacency):
    r"""Adjacency that adds attention between all nodes to a signed similarity.

    .. math:: P_{ij} = \mathrm{softmax}_j \frac{\langle Q x_i, K x_j \rangle}{\sqrt{d}} + S_{ij}

    Node :math:`i` attends to node :math:`j` with the weight :math:`P_{ij}`, which is the weight of the edge
    :math:`j \to i`. For the items of a batch, :math:`S` is the similarity of the items, an argument of every call.
    This is the adaptive graph attention of AGAH (APWeb-WAIM 2023), but independent of the batch size. For labels,
    :math:`S` is the source-normalised matrix of a label graph, an argument of the constructor.

    Args:
        in_channels: Size of the node features.
        channels: Size :math:`d` of queries and keys.
        graph: Label graph for :math:`S`, for instance the result of `BinaryAdjacency`. Without a graph, :math:`S` is
            the similarity passed to a call, or 0.

    Shapes:
        - **input:** features :math:`(N, F)`; similarity :math:`(N, N)`, optional.
        - **output:** edge indices :math:`(2, N^2)` and edge weights :math:`(N^2,)`, sorted by source.

    Example:
        >>> import torch
        >>> from labelgraph.nn import AttentionAdjacency
        >>> adjacency = AttentionAdjacency(4)
        >>> edge_index, edge_weight = adjacency(torch.rand(3, 4), -torch.eye(3))
        >>> edge_index.shape, edge_weight.shape
        (torch.Size([2, 9]), torch.Size([9]))
        >>> adjacency.coefficients(torch.rand(3, 4)).sum(1).allclose(torch.ones(3))  # each row sums to 1
        True
    """

    static: Tensor | None

    def __init__(self, in_channels: int, channels: int = 64, graph: Data | None = None) -> None:
        super().__init__()
        self.channels = channels
        self.query = FeatureLinear(in_channels, channels, bias=False)
        self.key = FeatureLinear(in_channels, channels, bias=False)
        self.register_buffer("static", None if graph is None else _propagation(graph))

    def reset_parameters(self) -> None:
        """Reinitialise the weights."""
        self.query.reset_parameters()
        self.key.reset_parameters()

    def coefficients(self, x: Tensor) -> Tensor:
        """Return the attention of each node (row) to all nodes (columns), shape (N, N); each row sums to 1."""
        return (self.query(x) @ self.key(x).t() / math.sqrt(self.channels)).softmax(1)

    def matrix(self, x: Any = None, similarity: Tensor | None = None) -> Tensor:
        """Return the weight matrix between the nodes, shape (N, N)."""
        similarity = self.static if similarity is None else similarity
        weight = self.coefficients(x)
        if similarity is not None:
            weight = weight + similarity
        return weight.t()


def _propagation(graph: Data) -> Tensor:
    """Return the matrix that multiplies the features; its entry (i, j) is the weight of the edge j -> i."""
    check_graph(graph)
    weight = source_norm(graph.edge_index, graph.edge_weight, graph.num_nodes)
    return dense_adjacency(graph.edge_index, weight, graph.num_nodes).t().contiguous()


ADJACENCIES = ("static", "adaptive", "metric", "attention")


def label_adjacency(
    kind: str, graph: Data, x: Tensor, *, gamma: float = 0.5, num_heads: int = 8, threshold: float = 0.4
) -> nn.Module:
    """Build an adjacency over labels; all kinds are interchangeable in a `LabelBranch`.

    Args:
        kind: ``"static"``, ``"adaptive"``, ``"metric"`` or ``"attention"``.
        graph: Label graph for all kinds except ``metric``, for instance the result of `BinaryAdjacency`.
        x: Initial label embeddings, shape (C, F), for ``metric`` and ``attention``.
        gamma: Weight of the learned residual of ``adaptive``.
        num_heads: Number of heads of ``metric``.
        threshold: Smallest cosine that ``metric`` keeps.

    Raises:
        ValueError: If the kind is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import label_adjacency
        >>> graph = BinaryAdjacency()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]]))
        >>> label_adjacency("attention", graph, torch.eye(3))
        AttentionAdjacency(
          (query): FeatureLinear(in_features=3, out_features=64, bias=False)
          (key): FeatureLinear(in_features=3, out_features=64, bias=False)
        )
    """
    kinds: dict[str, Callable[[], nn.Module]] = {
        "static": lambda: StaticAdjacency(graph),
        "adaptive": lambda: AdaptiveAdjacency(graph, gamma),
        "metric": lambda: MetricAdjacency(x, num_heads, threshold),
        "attention": lambda: AttentionAdjacency(x.size(1), graph=graph),
    }
    if kind not in kinds:
        raise ValueError(f"'adjacency' must be one of {', '.join(ADJACENCIES)} (got {kind!r})")
    return kinds[kind]()
