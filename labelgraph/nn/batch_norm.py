"""Batch normalisation of features, for batches of any size."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class FeatureNorm(nn.BatchNorm1d):
    """``torch.nn.BatchNorm1d`` that takes a batch of one in training as well.

    One item has no variance, and torch refuses it; here the running statistics normalise it, as in
    evaluation, and stay as they are. Larger batches are treated as torch treats them.

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
        """Normalise a batch."""
        input = input.to_dense()
        if self.training and input.size(0) == 1:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        normalised: Tensor = super().forward(input)
        return normalised
