"""Training of label tables: an optimizer and averages of weights whose time does not depend on the number of labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, WeightAveraging
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from labelgraph.methods import Method
from labelgraph.nn import LabelReferences, table_parameters
from labelgraph.train.settings import TrainConfig


class AdamWithTables(torch.optim.Optimizer):
    """Adam for most parameters, and lazy Adam for tables: it only updates the rows that have a gradient.

    The two optimizers of PyTorch, ``Adam`` and ``SparseAdam``, share the parameter groups and the state of this one, so
    that it is one optimizer for Lightning, for schedules of the learning rate and for checkpoints.

    Args:
        groups: Groups of parameters with their learning rates, as for ``torch.optim.Adam``. Tables in them are left
            out.
        tables: Parameters with sparse gradients, see `table_parameters`.
        lr: Learning rate of the tables.
        betas: Decay rates of both moments.
        weight_decay: Weight decay, except of the tables: it would change all of their rows.

    Example:
        >>> import torch
        >>> from labelgraph.nn import LabelTable, table_parameters
        >>> from labelgraph.train.table_steps import AdamWithTables
        >>> layer, table = torch.nn.Linear(3, 2), LabelTable(1000, 2)
        >>> groups = [{"params": [*layer.parameters(), *table.parameters()], "lr": 0.1}]
        >>> optimizer = AdamWithTables(groups, table_parameters(table), lr=0.1)
        >>> table(layer(torch.ones(1, 3)), torch.tensor([5])).sum().backward()
        >>> optimizer.step()
        >>> table.weight.any(1).nonzero().flatten()
        tensor([5])
    """

    def __init__(
        self,
        groups: Sequence[dict[str, Any]],
        tables: Sequence[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        apart = {id(each) for each in tables}
        rest = [{**group, "params": [p for p in group["params"] if id(p) not in apart]} for group in groups]
        rest = [group for group in rest if group["params"]]
        self._adam = torch.optim.Adam(rest, betas=betas, weight_decay=weight_decay, fused=True)
        self._lazy = torch.optim.SparseAdam(tables, lr=lr, betas=betas)
        super().__init__([*self._adam.param_groups, *self._lazy.param_groups], {})
        self._share()

    def _share(self) -> None:
        self._adam.param_groups, self._lazy.param_groups = self.param_groups[:-1], self.param_groups[-1:]
        self._adam.state = self._lazy.state = self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of both optimizers from a checkpoint."""
        super().load_state_dict(state_dict)
        self._share()

    def step(self, closure: Any = None) -> Any:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._adam.step()
        self._lazy.step()
        return loss


def check_optimizer(method: Method, config: TrainConfig, group: str = "train") -> None:
    """Check that the optimizer takes the sparse gradients of tables.

    Args:
        method: Method to train.
        config: Settings of the training.
        group: Group of the settings, for the message.

    Raises:
        ValueError: If it does not.
    """
    if config.optimizer != "adam" and table_parameters(method):
        raise ValueError(
            f"'optimizer' must be 'adam' for {method.name!r} with many labels (got {config.optimizer!r}); set "
            f"{group}.optimizer=adam"
        )


def averaging_of(method: Method, decay: float) -> WeightAveraging:
    """Return the callback that averages the weights of a method; it leaves label tables as they are.

    Buffers are those of the last step. The statistics of a batch normalisation are averages already, and in a further
    average, their initial values would count for hundreds of steps.
    """
    if table_parameters(method):
        return _Averaging(decay)
    return EMAWeightAveraging(decay=decay, use_buffers=False)


class _Averaging(WeightAveraging):
    """Averages all weights but those by label, which the average shares with the model.

    Few rows of a table change in a step. To average the table would take the time of all rows.
    """

    def __init__(self, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)

        def average_apart(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor) -> None:
            pairs = zip(averaged, current, strict=True)
            apart = [(mean, value) for mean, value in pairs if mean.data_ptr() != value.data_ptr()]
            means, values = map(list, zip(*apart, strict=True))
            average(means, values, num_averaged)

        super().__init__(multi_avg_fn=average_apart, use_buffers=False)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Let the average and the model share the tables, once the model is on its device."""
        assert self._average_model is not None
        for averaged, current in zip(by_label(self._average_model.module), by_label(pl_module), strict=True):
            averaged.data = current.data


def by_label(module: nn.Module) -> Iterator[Tensor]:
    """Yield the parameters and buffers with a row for each of many labels."""
    for part in module.modules():
        if isinstance(part, LabelReferences) or getattr(part, "sparse", False):
            yield from part.parameters(recurse=False)
            yield from part.buffers(recurse=False)
