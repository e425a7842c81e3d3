"""A training step of ALGCN at MIRFlickr's size, against the same step written plainly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.measure import clock, pair
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCN, ALGCNConfig
from labelgraph.train import RetrievalModule, TrainConfig

IMAGE, TEXT, LABELS, BATCH = 4_096, 1_386, 24, 100


def measure(threads: int) -> list[dict[str, Any]]:
    """Both steps on the same batch, and the rate of the largest product as the bound of both."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(2_000, LABELS, generator=generator) < 0.15).float()
    batch = (
        torch.rand(BATCH, IMAGE, generator=generator),
        (torch.rand(BATCH, TEXT, generator=generator) < 0.01).float(),
        labels[:BATCH],
    )
    graph = cooccurrence_graph(labels)
    result = pair(
        f"training step of ALGCN, {IMAGE} and {TEXT} inputs, batch {BATCH}, {LABELS} labels, against plain torch",
        library_step(graph, batch),
        plain_step(graph, batch),
        repeats=30,
    )
    weight = torch.rand(1_024, IMAGE, generator=generator)
    product = min(clock(lambda: F.linear(batch[0], weight)) for _ in range(20))
    return [{**result, "gemm_flops_per_second": 2 * BATCH * IMAGE * 1_024 / product}]


def library_step(graph: Any, batch: tuple[Tensor, Tensor, Tensor]) -> Callable[[], None]:
    """The step that `fit` takes."""
    torch.manual_seed(0)
    module = RetrievalModule(ALGCN.from_config(ALGCNConfig(), IMAGE, TEXT, graph), TrainConfig())
    optimizer = module.configure_optimizers()
    image, text, labels = batch

    def step() -> None:
        module.optimizer_zero_grad(0, 0, optimizer)
        terms = module.method.loss_terms(module.method(image, text), labels)
        module.method.total_loss(terms).backward()
        optimizer.step()

    return step


def plain_step(graph: Any, batch: tuple[Tensor, Tensor, Tensor]) -> Callable[[], None]:
    """The same mathematics on dense matrices, with torch's default Adam."""
    torch.manual_seed(0)
    p = {
        name: t.detach().clone()
        for name, t in ALGCN.from_config(ALGCNConfig(), IMAGE, TEXT, graph).state_dict().items()
    }
    static, x = p.pop("label_branch.adjacency.static"), p.pop("label_branch.embedding.weight")
    trained = {name: t.requires_grad_() for name, t in p.items()}
    optimizer = torch.optim.Adam(trained.values(), lr=5e-5, betas=(0.5, 0.999))
    image, text, labels = batch

    def cosine(a: Tensor, b: Tensor) -> Tensor:
        return a @ b.t() / (a.norm(dim=1)[:, None] * b.norm(dim=1)[None, :] + 1e-6)

    def classification(scores: Tensor) -> Tensor:
        return torch.mean(torch.sqrt(torch.sum((scores - labels) ** 2, 1)))

    def pairwise(a: Tensor, b: Tensor) -> Tensor:
        theta = a @ b.t() / torch.clamp(a.norm(dim=1)[:, None] * b.norm(dim=1)[None, :], min=1e-6) / 2
        return torch.mean(torch.log(1 + torch.exp(theta)) - (labels @ labels.t()) * theta)

    def step() -> None:
        optimizer.zero_grad()
        adaptive = torch.relu(static + 0.5 * p["label_branch.adjacency.residual"])
        scale = torch.diag(adaptive.sum(1).pow(-0.5))
        propagation = scale @ adaptive.t() @ scale
        h, hops = x, []
        for layer in range(3):
            h = F.leaky_relu(propagation @ (h @ p[f"label_branch.encoder.convs.{layer}.weight"]), 0.2)
            hops.append(h)
        name = "label_branch.encoder.aggregation"
        z = F.linear(torch.cat(hops, 1), p[f"{name}.weight"], p[f"{name}.bias"])
        v = torch.relu(F.linear(image, p["image_projector.linear.weight"], p["image_projector.linear.bias"]))
        t = torch.relu(F.linear(text, p["text_projector.linear.weight"], p["text_projector.linear.bias"]))
        structure = sum(
            F.mse_loss(propagation, torch.clamp(static + torch.bernoulli(torch.full_like(static, 0.2)), max=0.5))
            for _ in range(3)
        )
        loss = (
            classification(cosine(v, z)) + classification(cosine(t, z))
            + 0.2 * (pairwise(v, v) + pairwise(v, t) + pairwise(t, t)) + 0.5 * structure
        )  # fmt: skip
        loss.backward()
        optimizer.step()

    return step
