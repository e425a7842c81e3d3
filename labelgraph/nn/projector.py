"""Projectors of dense or sparse features into the common space, and their layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeatureNorm(nn.BatchNorm1d):
    """``torch.nn.BatchNorm1d`` that also accepts a batch of one item in training.

    A single item has no variance, so torch raises an error. This layer normalises the item by the running
    statistics, as in evaluation, and does not update the statistics. Larger batches are normalised as in torch.

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** dense, of the same shape.

    Example:
        >>> import torch
        >>> from labelgraph.nn import FeatureNorm
        >>> FeatureNorm(3).train()(torch.zeros(1, 3)).shape
        torch.Size([1, 3])
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise the features of a batch."""
        input = input.to_dense()
        if self.training and input.size(0) == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        normalised: Tensor = super().forward(input)
        return normalised


class FeatureLinear(nn.Linear):
    r"""Linear map :math:`W v + b` that also accepts sparse features, such as bags of words.

    For a sparse batch, the forward and backward passes use only the columns that have entries, since all other
    columns are 0. For short texts and a large vocabulary, these columns are a small part of the matrix.

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** dense matrix :math:`(B, H)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import FeatureLinear
        >>> linear, words = FeatureLinear(1000, 4), torch.eye(3, 1000)
        >>> linear(words.to_sparse_csr()).allclose(linear(words))
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map the features of a batch."""
        if input.layout == torch.strided:
            return super().forward(input)
        columns, occurring = occurring_columns(input)
        return F.linear(occurring, self.weight.index_select(1, columns), self.bias)


def feature_product(features: Tensor, weight: Tensor) -> Tensor:
    """Multiply features (B, D), dense or sparse CSR, by a weight matrix (D, H)."""
    if features.layout == torch.strided:
        return features @ weight
    columns, occurring = occurring_columns(features)
    return occurring @ weight.index_select(0, columns)


def occurring_columns(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of the columns with entries in a sparse CSR matrix, (U,), and these columns dense, (B, U).

    Example:
        >>> import torch
        >>> from labelgraph.nn import occurring_columns
        >>> occurring_columns(torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 4.0]]).to_sparse_csr())
        (tensor([2]), tensor([[3.],
                [4.]]))
    """
    columns, place = features.col_indices().unique(return_inverse=True)
    row = torch.arange(len(features), device=features.device).repeat_interleave(features.crow_indices().diff())
    dense = features.values().new_zeros(len(features), len(columns))
    return columns, dense.index_put_((row, place), features.values())


class Projector(nn.Module):
    r"""Projector with a linear map and a ReLU, :math:`f = \max(0, W v + b)` (ALGCN, doi:10.1109/TMM.2021.3101642).

    Args:
        in_channels: Size of the image or text features.
        out_channels: Width of the common space.
        batch_norm: Apply batch normalisation to the features first, as in P-GNN-CON and I-GNN-CON
            (doi:10.1109/TPAMI.2022.3188547).

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** embeddings :math:`(B, H)`.

    Example:
        >>> import torch
        >>> from labelgraph.nn import Projector
        >>> Projector(10, 4)(torch.rand(2, 10)).shape
        torch.Size([2, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, batch_norm: bool = False) -> None:
        super().__init__()
        self.norm = FeatureNorm(in_channels) if batch_norm else nn.Identity()
        self.linear = FeatureLinear(in_channels, out_channels)

    def reset_parameters(self) -> None:
        """Reinitialise the weights."""
        if isinstance(self.norm, FeatureNorm):
            self.norm.reset_parameters()
        self.linear.reset_parameters()

    def forward(self, features: Tensor) -> Tensor:
        """Project the features of a batch."""
        return torch.relu(self.linear(self.norm(features)))
