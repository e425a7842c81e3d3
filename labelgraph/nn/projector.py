"""Projectors of dense or sparse features into the common space, and their layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from labelgraph._core.ranks import is_shared, sum_of_all


class FeatureNorm(nn.BatchNorm1d):
    """``torch.nn.BatchNorm1d`` that also accepts a batch of one item in training.

    A single item has no variance, so torch raises an error. This layer normalises the item by the running
    statistics, as in evaluation, and does not update the statistics. Larger batches are normalised as in torch. In a
    training on several devices, the statistics are those of the whole batch.

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
        shared = self.training and is_shared()
        count = int(sum_of_all(torch.tensor(len(input), device=input.device))) if shared else len(input)
        if self.training and count == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        normalised: Tensor = self._shared(input, count) if shared else super().forward(input)
        return normalised

    def _shared(self, input: Tensor, count: int) -> Tensor:
        """Normalise the rows of this process by the statistics of all processes, as torch's SyncBatchNorm on GPUs."""
        mean = sum_of_all(input.sum(0)) / count
        centred = input - mean
        variance = sum_of_all(centred.square().sum(0)) / count
        if self.running_mean is not None and self.running_var is not None and self.momentum is not None:
            self.running_mean.lerp_(mean.detach().to(self.running_mean), self.momentum)
            unbiased = variance.detach() * count / (count - 1)
            self.running_var.lerp_(unbiased.to(self.running_var), self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        return centred * (variance + self.eps).rsqrt() * self.weight + self.bias


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
