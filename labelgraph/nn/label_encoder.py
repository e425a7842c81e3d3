"""Label classifiers from a label graph: label embedding, multi-hop encoder, and scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import chain, pairwise, repeat

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from labelgraph._core.checked_config import PositiveInt, check_value
from labelgraph.graph import pmi_svd
from labelgraph.graph.cooccurrence import DEFAULT_CHANNELS
from labelgraph.nn.adjacency import DenseAdjacency
from labelgraph.nn.conv import LabelAttentionConv, LabelConv


class LabelEmbedding(nn.Module):
    r"""Initial label embeddings, the input of a label encoder.

    Args:
        graph: Label graph; ``"pmi-svd"`` needs the counts of `cooccurrence_graph`.
        kind: ``"pmi-svd"``, computed from the co-occurrence counts, see `labelgraph.graph.pmi_svd`; ``"one-hot"``;
            ``"learned"``, initialised uniformly in [0, 1], the published default of ALGCN; or ``"given"``, the ``x``
            of the graph, for instance word vectors.
        channels: Embedding size :math:`F` of ``pmi-svd`` (at most :math:`C`) and ``learned``. Defaults to 300, or for
            ``pmi-svd`` to :math:`C` if :math:`C` is smaller.
        trainable: Train the embeddings; defaults to True for ``learned`` and False for the other kinds.
        sparse: Let the gradients of `rows` be sparse, as ``torch.nn.Embedding`` does; only trained embeddings are.

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
        self,
        graph: Data,
        kind: str = "pmi-svd",
        channels: int | None = None,
        trainable: bool | None = None,
        sparse: bool = False,
    ) -> None:
        super().__init__()
        self.kind = kind
        self.weight = nn.Parameter(
            _initial(graph, kind, channels),
            requires_grad=(kind == "learned") if trainable is None else trainable,
        )
        self.sparse = sparse and self.weight.requires_grad

    @property
    def channels(self) -> int:
        """Size of each embedding."""
        return self.weight.size(1)

    def forward(self) -> Tensor:
        """Return the embeddings."""
        return self.weight

    def rows(self, labels: Tensor) -> Tensor:
        """Return the embeddings of some labels (K,), shape (K, F)."""
        return F.embedding(labels, self.weight, sparse=self.sparse)

    def extra_repr(self) -> str:
        """Return the settings that the representation of the module shows."""
        return f"{self.kind}, {tuple(self.weight.shape)}, trainable={self.weight.requires_grad}"


_values_follow: ContextVar[bool] = ContextVar("values_follow", default=False)


@contextmanager
def values_follow() -> Iterator[None]:
    """Let new embeddings of the kind ``"pmi-svd"`` be zeros, because those of a file follow: they take minutes."""
    token = _values_follow.set(True)
    try:
        yield
    finally:
        _values_follow.reset(token)


def _initial(graph: Data, kind: str, channels: int | None) -> Tensor:
    if kind == "pmi-svd" and _values_follow.get():
        return torch.zeros(graph.num_nodes, min(graph.num_nodes, DEFAULT_CHANNELS) if channels is None else channels)
    if kind == "pmi-svd":
        return pmi_svd(graph, channels)
    if kind == "one-hot":
        return torch.eye(graph.num_nodes)
    if kind == "learned":
        return torch.rand(graph.num_nodes, 300 if channels is None else check_value("channels", channels, PositiveInt))
    if kind == "given":
        if graph.get("x") is None:
            raise ValueError("'graph' must carry label embeddings 'x' for kind 'given' (got none)")
        if graph.x.ndim != 2 or len(graph.x) != graph.num_nodes:
            raise ValueError(f"'x' of 'graph' must have shape ({graph.num_nodes}, F) (got {tuple(graph.x.shape)})")
        return graph.x.detach().to(torch.get_default_dtype(), copy=True)
    raise ValueError(f"'kind' must be one of {', '.join(LabelEmbedding.KINDS)} (got {kind!r})")


CONVS: dict[str, type[nn.Module]] = {"gcn": LabelConv, "gat": LabelAttentionConv}


class LabelEncoder(nn.Module):
    r"""Encoder that stacks graph convolutions and aggregates the features of all hops.

    .. math::
        H_l = \mathrm{LeakyReLU}_{0.2}(\hat{A} H_{l-1} W_l), \quad H_0 = X, \qquad
        Z = [H_1 ; \ldots ; H_L] W_o + b_o

    (ALGCN, doi:10.1109/TMM.2021.3101642; the concatenation of layers follows Xu et al. 2018.) Row
    :math:`c` of :math:`Z` is the classifier of label :math:`c`. With ``conv="gat"``, each hop is graph attention
    over the same edges, followed by an ELU (DAGNN, doi:10.1609/aaai.v35i3.16345).

    Args:
        in_channels: Size of the label embeddings.
        hidden_channels: Width of each hop and of the classifiers.
        num_layers: Number of hops :math:`L`; with 0, the graph is not used and :math:`Z = X W_o + b_o`.
        negative_slope: Negative slope of the LeakyReLU.
        conv: ``"gcn"`` (`LabelConv`) or ``"gat"`` (`LabelAttentionConv`).
        zero_hop: Aggregate the embeddings themselves as well, :math:`Z = [H_0 ; H_1 ; \ldots ; H_L] W_o + b_o`, so that
            a classifier can differ from those of its neighbours. The weights of the hops in :math:`W_o` then start
            at 0.

    Shapes:
        - **input:** embeddings :math:`(C, F)`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`; or a matrix
          :math:`(C, C)` instead of indices and weights, see `propagate`; optionally sizes, see `SampledLabelBranch`.
        - **output:** classifiers :math:`(C, H)`, or with sizes, :math:`(K, H)` of the first labels.

    Example:
        >>> import torch
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import LabelEncoder, StaticAdjacency
        >>> adjacency = StaticAdjacency(BinaryAdjacency()(cooccurrence_graph([[1, 1, 0], [0, 0, 1]])))
        >>> LabelEncoder(5, 16, num_layers=2)(torch.rand(3, 5), *adjacency()).shape
        torch.Size([3, 16])
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        num_layers: int = 3,
        negative_slope: float = 0.2,
        conv: str = "gcn",
        zero_hop: bool = False,
    ) -> None:
        super().__init__()
        if check_value("num_layers", num_layers, int) < 0:
            raise ValueError(f"'num_layers' must be at least 0 (got {num_layers})")
        if conv not in CONVS:
            raise ValueError(f"'conv' must be one of {', '.join(CONVS)} (got {conv!r})")
        self.conv = conv
        self.negative_slope = negative_slope
        widths = chain([in_channels], repeat(hidden_channels, num_layers))
        self.convs = nn.ModuleList(CONVS[conv](i, o) for i, o in pairwise(widths))
        self.zero_hop = zero_hop or not num_layers
        self.in_channels = in_channels
        self.aggregation = nn.Linear(self.zero_hop * in_channels + num_layers * hidden_channels, hidden_channels)
        self._start_without_graph()

    def reset_parameters(self) -> None:
        """Reinitialise all weights."""
        for layer in (*self.convs, self.aggregation):
            layer.reset_parameters()
        self._start_without_graph()

    def _start_without_graph(self) -> None:
        """Let the classifiers start as those of zero hops, so that training adds of the graph what serves it."""
        if self.zero_hop and self.convs:
            with torch.no_grad():
                self.aggregation.weight[:, self.in_channels :] = 0

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_weight: Tensor | None = None,
        sizes: Sequence[tuple[int, int]] | None = None,
    ) -> Tensor:
        """Compute the classifier of every label, or of the first labels.

        Args:
            x: Embeddings, in the order of their distance if ``sizes`` is given.
            edge_index: Edges, or a matrix.
            edge_weight: Weights of the edges.
            sizes: For 0, 1, ..., L hops, the number of labels within this distance of the first labels, and the number
                of edges into the nearer ones, which come first. A hop then computes only what later hops need.
        """
        hops = [x] if self.zero_hop else []
        for number, conv in enumerate(self.convs):
            if sizes is None:
                x = conv(x, edge_index, edge_weight)
            else:
                (kept, _), (_, edges) = sizes[-2 - number], sizes[-1 - number]
                x = conv(x, edge_index[:, :edges], None if edge_weight is None else edge_weight[:edges])[:kept]
            x = F.elu(x) if self.conv == "gat" else F.leaky_relu(x, self.negative_slope)
            hops.append(x)
        if sizes is not None:
            hops = [hop[: sizes[0][0]] for hop in hops]
        classifiers: Tensor = self.aggregation(torch.cat(hops, -1))
        return classifiers


class LabelBranch(nn.Module):
    """Label branch of a model: combines embedding, adjacency and encoder to compute label classifiers.

    Args:
        embedding: Module that returns label embeddings (C, F), for instance `LabelEmbedding`.
        adjacency: Module that maps label embeddings to ``(edge_index, edge_weight)``, for instance
            `AdaptiveAdjacency`.
        encoder: Module that maps embeddings and edges to classifiers (C, H), for instance `LabelEncoder`.

    Shapes:
        - **output:** classifiers :math:`(C, H)`, edge indices :math:`(2, E)`, edge weights :math:`(E,)`.
    """

    def __init__(self, embedding: nn.Module, adjacency: nn.Module, encoder: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding
        self.adjacency = adjacency
        self.encoder = encoder

    def forward(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the classifiers and the edges of the adjacency."""
        x = self.embedding()
        if isinstance(self.adjacency, DenseAdjacency) and isinstance(self.encoder, LabelEncoder):
            matrix = self.adjacency.matrix(x)
            return self.encoder(x, matrix), *self.adjacency.edges(matrix)
        edge_index, edge_weight = self.adjacency(x)
        return self.encoder(x, edge_index, edge_weight), edge_index, edge_weight


EPSILON = 1e-6


def cosine_scores(embedding: Tensor, classifiers: Tensor) -> Tensor:
    r"""Score every label for every item by the cosine of item embedding and label classifier.

    .. math:: s_{bc} = \frac{\langle f_b, z_c \rangle}{|f_b| \, |z_c| + 10^{-6}}

    (ALGCN, doi:10.1109/TMM.2021.3101642.)

    Args:
        embedding: Item embeddings :math:`f`, shape :math:`(B, H)`.
        classifiers: Label classifiers :math:`z`, shape :math:`(C, H)`.

    Returns:
        Scores in [-1, 1], shape :math:`(B, C)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import cosine_scores
        >>> cosine_scores(torch.tensor([[2.0, 0.0]]), torch.eye(2)).round(decimals=4)
        tensor([[1., 0.]])
    """
    lengths = embedding.norm(dim=1, keepdim=True) * classifiers.norm(dim=1)
    return embedding @ classifiers.t() / (lengths + EPSILON)
