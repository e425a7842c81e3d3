"""Speed of training steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.measure import clock, pair
from benchmarks.speed.plain_layers import Loss, Parameters, binary_matrix
from benchmarks.speed.plain_methods import agah, algcn, dagnn, i_gnn_con, p_gnn_con
from labelgraph.data import load_openclipart
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import Method, method_class
from labelgraph.train import RetrievalModule, TrainConfig

Items = tuple[Tensor, Tensor, Tensor]  # Image features, text features and labels.
Step = Callable[[], Tensor]  # A training step; it returns the loss before the update.


def library_step(method: Method, batch: Items, config: TrainConfig) -> Step:
    """The training step of `fit`."""
    optimizer = RetrievalModule(method, config).configure_optimizers()
    return lambda: update(method, optimizer, batch)


def update(method: Method, optimizer: torch.optim.Optimizer, batch: Items) -> Tensor:
    """Update a method by one batch, and return the loss before."""
    image, text, labels = batch
    optimizer.zero_grad()
    total = method.total_loss(method.loss_terms(method(image, text), labels))
    total.backward()
    optimizer.step()
    return total.detach()


def plain_step(loss: Loss, parameters: Parameters, batch: Items, config: TrainConfig) -> Step:
    """A training step in plain PyTorch: loss, gradients, and an optimiser with its defaults."""
    optimizer = plain_optimizer(parameters, config)

    def step() -> Tensor:
        optimizer.zero_grad()
        total = loss(*batch)
        total.backward()
        optimizer.step()
        return total.detach()

    return step


def plain_optimizer(parameters: Parameters, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the learning rate of each parameter; a residual of the label graph has a hundred times the usual rate."""
    trained = {name: tensor for name, tensor in parameters.items() if tensor.requires_grad}
    fast = trained.pop("label_branch.adjacency.residual", None)
    groups: list[dict[str, Any]] = [{"params": list(trained.values())}]
    if fast is not None:
        groups.append({"params": [fast], "lr": 100 * config.lr})
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    return torch.optim.Adam(groups, lr=config.lr, betas=config.betas)


def check_same(ours: Step, plain: Step) -> None:
    """Check that both steps have equal losses in two steps on the same batches, and thus equal gradients in the first.

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


ADAM = TrainConfig(batch_size=100)
SGD = TrainConfig(batch_size=32, optimizer="sgd", lr=0.01, momentum=0.9, weight_decay=5e-4)


def openclipart() -> Items:
    """Return the training items of the bundled set."""
    data = load_openclipart().split("train")
    return data.image, data.text_rows(), data.labels


def mirflickr_size() -> Items:
    """Return random items of the size of MIRFlickr; every second label occurs only with the label before it."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(2_000, 24, generator=generator) < 0.15).float()
    labels[:, ::2] = torch.maximum(labels[:, ::2], labels[:, 1::2])
    text = torch.rand(len(labels), 1_386, generator=generator) < 0.01
    return torch.rand(len(labels), 4_096, generator=generator), text.float(), labels


@dataclass(frozen=True)
class Case:
    """A method, its plain version, their training data, and the settings."""

    method: str
    plain: Callable[[Parameters, Tensor], Loss]
    items: Callable[[], Items] = openclipart
    config: TrainConfig = ADAM

    def __call__(self, threads: int) -> list[dict[str, Any]]:
        """Measure both steps on the same batch, and the product of the image projector as a lower bound of both."""
        items = self.items()
        image, text, labels = batch_of(items, self.config)
        ours, plain = steps(self, items)
        check_same(ours, plain)
        kind = method_class(self.method)
        learned = f"{labels.size(1)} labels" if kind.reads_labels else f"{kind.Config().bits} bits"
        name = (
            f"training step of {self.method.upper()}, {image.size(1)} and {text.size(1)} inputs, {learned}, "
            f"batch {len(image)}, against plain torch"
        )
        result = pair(name, ours, plain, repeats=30)
        weight = torch.rand(1_024, image.size(1))
        product = min(clock(lambda: F.linear(image, weight)) for _ in range(20))
        return [{**result, "gemm_flops_per_second": 2 * image.numel() * len(weight) / product}]


ALGCN = Case("algcn", algcn)
DAGNN = Case("dagnn", dagnn)
P_GNN_CON = Case("p-gnn-con", p_gnn_con)
I_GNN_CON = Case("i-gnn-con", i_gnn_con)
AGAH = Case("agah", agah, config=SGD)
ALGCN_MIRFLICKR = Case("algcn", algcn, mirflickr_size)


def steps(case: Case, items: Items, dtype: torch.dtype = torch.float32) -> tuple[Step, Step]:
    """Return the step of the library and the plain one, with the same initial parameters and first batch."""
    torch.manual_seed(0)
    kind = method_class(case.method)
    method = kind.from_config(kind.Config(), items[0].size(1), items[1].size(1), cooccurrence_graph(items[2]))
    batch = batch_of(items, case.config, dtype)
    method = method.to(dtype).train()
    parameters = {name: tensor.detach().clone() for name, tensor in method.state_dict().items()}
    for name, parameter in method.named_parameters():
        parameters[name].requires_grad_(parameter.requires_grad)
    loss = case.plain(parameters, binary_matrix(items[2]).to(dtype))
    image, text, labels = batch
    # The library's step gets sparse bags of words, as from its data loader.
    ours = library_step(method, (image, text.to_sparse_csr(), labels), case.config)
    return ours, plain_step(loss, parameters, batch, case.config)


def batch_of(items: Items, config: TrainConfig, dtype: torch.dtype = torch.float32) -> Items:
    """The first items."""
    image, text, labels = (part[: config.batch_size].to(dtype) for part in items)
    return image, text, labels
