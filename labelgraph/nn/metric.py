"""The adjacency that is a learned similarity of the label embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph.nn.complete_graph import complete_edges
from labelgraph.nn.norm import source_norm


class MetricAdjacency(nn.Module):
    r"""Half of a fixed, half of a learned cosine similarity between label embeddings.

    .. math::
        A = \tfrac{1}{2} A_0 + \tfrac{1}{2} S, \qquad
        S = \Big[ \frac{1}{K} \sum_k \cos(X \circ w_k, X \circ w_k) \Big]_{\ge \tau}, \qquad
        A_0 = [\cos(X_0, X_0)]_{\ge \tau}

    Entries below :math:`\tau` become 0; :math:`A_0` is of the initial embeddings and stays (I-GNN-CON,
    doi:10.1109/TPAMI.2022.3188547). :math:`w_k` are learned, drawn uniformly in [0.3, 0.6].

    Args:
        x: Initial embeddings :math:`X_0`, shape :math:`(C, F)`.
        num_heads: :math:`K`.
        threshold: :math:`\tau`.
        normalize: Apply `source_norm`.

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
    edge_index: Tensor

    def __init__(self, x: Tensor, num_heads: int = 8, threshold: float = 0.4, normalize: bool = True) -> None:
        super().__init__()
        if num_heads < 1:
            raise ValueError(f"'num_heads' must be at least 1 (got {num_heads})")
        self.threshold = threshold
        self.normalize = normalize
        self.register_buffer("edge_index", complete_edges(len(x)), persistent=False)
        self.register_buffer("static", self._prune(_cosine(x.detach())))
        self.weight = nn.Parameter(torch.empty(num_heads, x.size(1)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the heads anew."""
        nn.init.uniform_(self.weight, 0.3, 0.6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give the edges between these embeddings."""
        learned = _cosine(x * self.weight.unsqueeze(1)).mean(0)
        weight = (0.5 * self.static + 0.5 * self._prune(learned)).flatten()
        if self.normalize:
            weight = source_norm(self.edge_index, weight, len(x))
        return self.edge_index, weight

    def _prune(self, similarity: Tensor) -> Tensor:
        return similarity.masked_fill(similarity < self.threshold, 0.0)


def _cosine(x: Tensor) -> Tensor:
    """Cosines between all rows, of one matrix or of several."""
    unit = F.normalize(x, dim=-1)
    return unit @ unit.transpose(-1, -2)
