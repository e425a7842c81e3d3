"""Linear classifiers of many labels, of which a training step reads and updates only some."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LabelTable(nn.Module):
    r"""Linear classifiers of many labels, as a table with sparse gradients.

    The scores are those of ``torch.nn.Linear``, :math:`s_{bc} = h_b \cdot w_c + b_c`. If some labels are given, only
    their rows are read, and the gradients of ``weight`` and ``bias`` are sparse tensors of these rows. With an
    optimizer that updates only these rows, such as ``torch.optim.SparseAdam``, the time of a training step depends on
    the number of given labels, not on the number of all labels.

    The weights start as zeros, so a label that was rarely drawn does not score by chance.

    Args:
        num_labels: Number of labels :math:`C`.
        channels: Width of the hidden units :math:`H`.
        counts: Number of items with each label, (C,). If given, the bias of a label starts as its log-odds among the
            items.
        num_items: Number of items that were counted.

    Shapes:
        - **input:** hidden units :math:`(B, H)`, and optionally labels :math:`(K,)`.
        - **output:** scores :math:`(B, K)`, or :math:`(B, C)` without given labels.

    Example:
        >>> import torch
        >>> from labelgraph.nn import LabelTable
        >>> table = LabelTable(num_labels=100_000, channels=4)
        >>> table(torch.ones(2, 4), torch.tensor([7, 99_999])).sum().backward()
        >>> table.weight.grad.coalesce().indices()
        tensor([[    7, 99999]])
    """

    sparse = True  # As of ``torch.nn.Embedding``: the gradients are.

    def __init__(self, num_labels: int, channels: int, counts: Tensor | None = None, num_items: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(num_labels, channels))
        self.bias = nn.Parameter(torch.zeros(num_labels, 1))
        if counts is not None:
            share = (counts.to(self.bias) + 1) / (num_items + 2)  # Neither 0 nor 1.
            self.bias.data.copy_(share.logit().unsqueeze(1))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        bias = state_dict.get(f"{prefix}bias")
        if bias is not None and bias.ndim == 1:  # Earlier versions had a linear layer for any number of labels.
            raise ValueError(
                f"'{prefix}bias' must have the shape {tuple(self.bias.shape)} of a label table (got "
                f"{tuple(bias.shape)}, of a linear layer that an earlier version saved); train the model again"
            )
        super()._load_from_state_dict(state_dict, prefix, *args)

    @property
    def out_features(self) -> int:
        """Number of labels, as of ``torch.nn.Linear``."""
        return len(self.weight)

    def rows(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights (K, H) and biases (K,) of some labels; their gradients are sparse."""
        bias = F.embedding(labels, self.bias, sparse=True)
        return F.embedding(labels, self.weight, sparse=True), bias.squeeze(1)

    def forward(self, hidden: Tensor, labels: Tensor | None = None) -> Tensor:
        """Score some labels, or all of them; the gradients of all scores are dense."""
        weight, bias = (self.weight, self.bias.squeeze(1)) if labels is None else self.rows(labels)
        return F.linear(hidden, weight, bias)


def table_parameters(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters with sparse gradients: those of the parts of a module that are ``sparse``.

    These are each `LabelTable`, and each ``torch.nn.Embedding`` or `LabelEmbedding` with ``sparse=True``.

    Example:
        >>> from torch import nn
        >>> from labelgraph.nn import LabelTable, table_parameters
        >>> [tuple(each.shape) for each in table_parameters(nn.Sequential(nn.Linear(5, 4), LabelTable(3, 4)))]
        [(3, 4), (3, 1)]
    """
    tables = (part for part in module.modules() if getattr(part, "sparse", False))
    return [each for table in tables for each in table.parameters(recurse=False)]


def parameter_state(*modules: nn.Module) -> list[tuple[Any, ...]]:
    """Return a state that compares equal as long as parameters and buffers stay the same, for what is kept of them."""
    tensors = [each.detach() for module in modules for each in module.state_dict().values()]
    # Changes of ``.data`` have no version, so the sums are compared too.
    return [(each.device, each.dtype, _version(each), float(each.sum(dtype=torch.float32))) for each in tensors]


def _version(tensor: Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version
