"""A training step of the library, and the same step taken plainly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.plain.layers import Loss, Parameters
from labelgraph.methods import Method
from labelgraph.train import RetrievalModule, TrainConfig

Items = tuple[Tensor, Tensor, Tensor]  # Image features, text features and labels.
Step = Callable[[], Tensor]  # Gives the loss before it.


def library_step(method: Method, batch: Items, config: TrainConfig) -> Step:
    """The step that `fit` takes."""
    optimizer = RetrievalModule(method, config).configure_optimizers()
    image, text, labels = batch

    def step() -> Tensor:
        optimizer.zero_grad()
        terms = method.loss_terms(method(image, text), labels)
        total = method.total_loss(terms)
        total.backward()
        optimizer.step()
        return total.detach()

    return step


def plain_step(loss: Loss, parameters: Parameters, batch: Items, config: TrainConfig) -> Step:
    """Loss, gradients and torch's optimiser with its defaults."""
    optimizer = plain_optimizer(parameters, config)

    def step() -> Tensor:
        optimizer.zero_grad()
        total = loss(*batch)
        total.backward()
        optimizer.step()
        return total.detach()

    return step


def plain_optimizer(parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
    """Of all that is trained; a residual of the label graph learns a hundred times faster."""
    trained = {name: tensor for name, tensor in parameters.items() if tensor.requires_grad}
    fast = trained.pop("label_branch.adjacency.residual", None)
    groups: list[dict[str, Any]] = [{"params": list(trained.values())}]
    if fast is not None:
        groups.append({"params": [fast], "lr": 100 * config.lr})
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    return torch.optim.Adam(groups, lr=config.lr, betas=config.betas)


def check_same(ours: Step, plain: Step) -> None:
    """Take two steps of each, on the same draws; that the second losses agree shows that the gradients did.

    Raises:
        RuntimeError: If a loss differs by more than rounding.
    """
    for turn in range(2):
        losses = []
        for step in (ours, plain):
            torch.manual_seed(turn)
            losses.append(step().item())
        if not abs(losses[0] - losses[1]) <= 1e-4 * abs(losses[1]):
            raise RuntimeError(f"both steps must have the same loss (got {losses[0]} and {losses[1]} in turn {turn})")
