"""The first linear map of features that may be sparse."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FeatureLinear(nn.Linear):
    r"""A linear map :math:`W v + b` that also takes sparse features, such as bags of words.

    Of a sparse batch only the columns that occur in it are multiplied, since the others are 0: for short texts
    and a large vocabulary a small part, in the gradient as well.

    Shapes:
        - **input:** features :math:`(B, D)`, dense or sparse CSR.
        - **output:** :math:`(B, H)`, dense.

    Example:
        >>> import torch
        >>> from labelgraph.nn import FeatureLinear
        >>> linear, words = FeatureLinear(1000, 4), torch.eye(3, 1000)
        >>> linear(words.to_sparse_csr()).allclose(linear(words))
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map a batch."""
        if input.layout == torch.strided:
            return super().forward(input)
        columns, occurring = occurring_columns(input)
        return F.linear(occurring, self.weight.index_select(1, columns), self.bias)


def feature_product(features: Tensor, weight: Tensor) -> Tensor:
    """The product of features (B, D), dense or sparse CSR, and a weight (D, H)."""
    if features.layout == torch.strided:
        return features @ weight
    columns, occurring = occurring_columns(features)
    return occurring @ weight.index_select(0, columns)


def occurring_columns(features: Tensor) -> tuple[Tensor, Tensor]:
    """The columns of a sparse CSR matrix (B, D) that hold anything, (U,), and these columns dense, (B, U).

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
