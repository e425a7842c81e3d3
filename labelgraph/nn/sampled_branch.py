"""Classifiers of many labels from a sparse label graph, of which a training step computes only some."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.data import Data

from labelgraph.graph.edges import check_graph
from labelgraph.nn.adjacency import StaticAdjacency
from labelgraph.nn.label_encoder import LabelBranch, LabelEmbedding, LabelEncoder
from labelgraph.nn.label_table import parameter_state
from labelgraph.nn.propagation import source_norm


class EdgeAdjacency(nn.Module):
    r"""Adjacency of a sparse label graph plus a learned residual for each of its edges.

    .. math:: A_{ad} = \mathrm{ReLU}(A + \gamma B), \qquad \hat{A} = D^{-1/2} A_{ad}^\top D^{-1/2}

    This is `AdaptiveAdjacency` for many labels: the residual :math:`B` has an entry for each edge, not for each pair of
    labels. Edges of the weight 0 are candidates, whose weights are only learned. If the edges join all pairs, both are
    equal.

    Args:
        graph: Label graph :math:`A`, with candidates, for instance the result of
            ``BinaryAdjacency(keep_candidates=True)``. No two edges join the same labels in the same direction.
        gamma: Weight :math:`\gamma` of the residual.
        normalize: Normalise the weights with `source_norm`.

    Attributes:
        static: Weights :math:`A_{ij}` of the edges i -> j, shape :math:`(E,)`.
        reverse: Weights :math:`A_{ji}` of the opposite edges, 0 where there is none, shape :math:`(E,)`.

    Shapes:
        - **output:** edge indices :math:`(2, E)` and edge weights :math:`(E,)`.

    Example:
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import EdgeAdjacency
        >>> graph = cooccurrence_graph([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])
        >>> adjacency = EdgeAdjacency(BinaryAdjacency(0.4, keep_candidates=True)(graph))
        >>> adjacency.static  # P(0 | 1) = 1, P(1 | 0) = 1/3, and three self-loops
        tensor([0.5000, 0.0000, 1.0000, 1.0000, 1.0000])
    """

    edge_index: Tensor
    static: Tensor
    reverse: Tensor

    def __init__(self, graph: Data, gamma: float = 0.5, normalize: bool = True) -> None:
        super().__init__()
        check_graph(graph)
        self.num_labels = int(graph.num_nodes or 0)
        self.gamma = gamma
        self.normalize = normalize
        self.register_buffer("edge_index", graph.edge_index.long().clone())
        self.register_buffer("static", graph.edge_weight.clone())
        self.register_buffer("reverse", self._reverse(), persistent=False)
        self.residual = nn.Parameter(torch.empty(graph.num_edges))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Reinitialise the residual uniformly in [0, 0.02], as published."""
        nn.init.uniform_(self.residual, 0.0, 0.02)

    def forward(self, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the edges with their current weights; the embeddings ``x`` are ignored."""
        weight = torch.relu(self.static + self.gamma * self.residual)
        return self.edge_index, source_norm(self.edge_index, weight, self.num_labels) if self.normalize else weight

    def _reverse(self) -> Tensor:
        source, target = self.edge_index
        keys, order = (source * self.num_labels + target).sort()
        wanted = target * self.num_labels + source
        place = torch.searchsorted(keys, wanted).clamp(max=max(0, len(keys) - 1))
        return torch.where(keys[place] == wanted, self.static[order[place]], 0.0)


class SampledClassifiers(NamedTuple):
    """Classifiers of some labels, and the edges from which they were computed.

    Args:
        classifiers: Shape (K, H).
        edges: Numbers of the edges among those of the adjacency, (S,). One may occur twice.
        edge_weight: Weights of these edges by the adjacency, (S,).
    """

    classifiers: Tensor
    edges: Tensor
    edge_weight: Tensor


class Neighbourhood(NamedTuple):
    """Labels and edges around some labels, in the order of their distance.

    Args:
        nodes: Label numbers, those asked for first, (M,).
        edges: Numbers of the edges, those into labels asked for first, (S,).
        shares: Number of edges for which each of these edges stands, (S,).
        sizes: For 0, 1, ... hops: number of labels within this distance, and of the edges into nearer labels.
    """

    nodes: Tensor
    edges: Tensor
    shares: Tensor
    sizes: list[tuple[int, int]]


class SampledLabelBranch(LabelBranch):
    r"""Label branch of many labels: a training step computes the classifiers of some labels from some neighbours.

    A classifier of :math:`L` hops depends on the labels within :math:`L` edges. For each of them but the farthest,
    `sample` reads its self-loop and at most ``num_neighbors`` other edges into it, drawn at random; the weight of a
    drawn edge is multiplied by the number of edges for which it stands. So each sum over neighbours is unbiased, the
    classifiers are not, because of the nonlinearity between the hops (GraphSAGE, Hamilton et al. 2017,
    arXiv:1706.02216). If no label has more than ``num_neighbors`` edges, the classifiers are exact.

    The time of `sample` depends on the labels that are read, except for the weights of all edges, one number each.

    Args:
        embedding: Embeddings of the labels; trainable ones should be ``sparse``.
        adjacency: Edges of the labels.
        encoder: Encoder with graph convolutions ``"gcn"``.
        num_neighbors: Largest number of edges into a label that are read, beside its self-loop.

    Example:
        >>> import torch
        >>> from labelgraph.graph import BinaryAdjacency, cooccurrence_graph
        >>> from labelgraph.nn import LabelEmbedding, LabelEncoder, SampledLabelBranch, StaticAdjacency
        >>> graph = cooccurrence_graph([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]])
        >>> adjacency = StaticAdjacency(BinaryAdjacency()(graph))
        >>> branch = SampledLabelBranch(LabelEmbedding(graph, "one-hot"), adjacency, LabelEncoder(4, 8, 2), 2)
        >>> some = torch.tensor([3, 0])
        >>> torch.allclose(branch.sample(some).classifiers, branch()[0][some])
        True
    """

    embedding: LabelEmbedding
    adjacency: StaticAdjacency | EdgeAdjacency
    encoder: LabelEncoder
    _order: Tensor
    _starts: Tensor
    _loops: Tensor
    _kept: tuple[object, int, Tensor] | None = None

    def __init__(
        self,
        embedding: LabelEmbedding,
        adjacency: StaticAdjacency | EdgeAdjacency,
        encoder: LabelEncoder,
        num_neighbors: int,
    ) -> None:
        super().__init__(embedding, adjacency, encoder)
        self.num_neighbors = num_neighbors
        source, target = adjacency.edge_index
        # The edges into each label one after another, its self-loop first.
        self.register_buffer("_order", (2 * target + (source != target)).argsort(stable=True), persistent=False)
        num_labels = len(embedding.weight)
        self.register_buffer(
            "_starts", F.pad(target.bincount(minlength=num_labels).cumsum(0), (1, 0)), persistent=False
        )
        self.register_buffer("_loops", torch.zeros(num_labels, dtype=torch.bool), persistent=False)
        self._loops[target[source == target]] = True

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        for name in ("edge_index", "residual"):
            own, held = getattr(self.adjacency, name, None), state_dict.get(f"{prefix}adjacency.{name}")
            if own is not None and held is not None and held.shape != own.shape:
                # Earlier versions had a matrix of all pairs of up to 10,000 labels, or edges without a limit.
                raise ValueError(
                    f"'{prefix}adjacency.{name}' must have the shape {tuple(own.shape)} of the kept edges (got "
                    f"{tuple(held.shape)}, which an earlier version saved); train the model again"
                )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "_kept": None}

    def sample(self, labels: Tensor) -> SampledClassifiers:
        """Compute the classifiers of distinct labels (K,) from sampled neighbours."""
        edge_index, edge_weight = self.adjacency(None)
        around = self.neighbourhood(labels)
        place = torch.empty_like(self._loops, dtype=torch.long)
        place[around.nodes] = torch.arange(len(around.nodes), device=labels.device)
        weight = edge_weight[around.edges]
        x = self.embedding.rows(around.nodes)
        edges = place[edge_index[:, around.edges]]
        classifiers = self.encoder(x, edges, weight * around.shares.to(weight), around.sizes)
        return SampledClassifiers(classifiers, around.edges, weight)

    def neighbourhood(self, labels: Tensor) -> Neighbourhood:
        """Draw the labels and edges from which the classifiers of distinct labels (K,) are computed."""
        source = self.adjacency.edge_index[0]
        reached = torch.zeros_like(self._loops)
        reached[labels] = True
        nodes, edges, shares, sizes = [labels], [], [], [(len(labels), 0)]
        for _ in range(len(self.encoder.convs)):
            drawn, stands = self._edges_into(nodes[-1])
            near = source[drawn]
            new = near[~reached[near]].unique()
            reached[new] = True
            nodes.append(new)
            edges.append(drawn)
            shares.append(stands)
            sizes.append((sizes[-1][0] + len(new), sizes[-1][1] + len(drawn)))
        none = labels.new_zeros(0)
        return Neighbourhood(torch.cat(nodes), torch.cat([none, *edges]), torch.cat([none, *shares]), sizes)

    def _edges_into(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Draw edges into labels, and return their numbers, and the number of edges for which each stands."""
        start, end = self._starts[labels], self._starts[labels + 1]
        loop = self._loops[labels]
        loops, start = start[loop], start + loop.long()
        others = end - start
        drawn = others.clamp(max=self.num_neighbors)
        # An interval of the length of the number of edges is divided into equal parts, and each part draws one edge.
        owner = torch.arange(len(labels), device=labels.device).repeat_interleave(drawn)
        part = torch.arange(len(owner), device=labels.device) - (drawn.cumsum(0) - drawn)[owner]
        stands = others[owner].double() / drawn[owner]
        within = ((part + torch.rand(len(owner), dtype=torch.float64, device=labels.device)) * stands).long()
        chosen = start[owner] + torch.minimum(within, others[owner] - 1)
        weight = self.adjacency.edge_index.new_ones(len(loops)).double()
        return self._order[torch.cat([loops, chosen])], torch.cat([weight, stands])

    def classifiers(self) -> Tensor:
        """Compute the classifiers of all labels (C, H) exactly; without gradients, they are kept for later calls."""
        if torch.is_grad_enabled() or torch.compiler.is_compiling():
            return self()[0]
        state, kept = parameter_state(self), self._kept  # Another thread may set `_kept` meanwhile.
        if kept is None or kept[:2] != (state, kept[2]._version):
            self._kept = kept = None  # Not two at a time.
            with torch.inference_mode(False), torch.no_grad():  # So that a change in place shows in the version.
                classifiers = self()[0]
            self._kept = kept = state, classifiers._version, classifiers
        return kept[2]
