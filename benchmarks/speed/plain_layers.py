"""The layers in plain PyTorch, as a baseline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Parameters = dict[str, Tensor]
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]  # A function of images, texts and labels.


def linear(p: Parameters, name: str, x: Tensor) -> Tensor:
    """A linear map with bias."""
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def batch_norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    """Batch normalisation in training mode, which updates the running statistics."""
    statistics = p[f"{name}.running_mean"], p[f"{name}.running_var"]
    return F.batch_norm(x, *statistics, p[f"{name}.weight"], p[f"{name}.bias"], training=True)


def binary_matrix(labels: Tensor, threshold: float = 0.4) -> Tensor:
    """The static matrix over the labels of the training items; every label must occur."""
    joint = labels.t() @ labels
    count = joint.diagonal().clone()
    joint.fill_diagonal_(0)
    return 0.5 * (joint / count >= threshold) + torch.eye(len(count), dtype=labels.dtype)


def source_norm(adjacency: Tensor) -> Tensor:
    """The propagation matrix, normalised by outgoing degrees."""
    scale = torch.diag(adjacency.sum(1).pow(-0.5))
    return scale @ adjacency.t() @ scale


def classifiers(p: Parameters, propagation: Tensor, layers: int) -> Tensor:
    """Compute classifiers from label embeddings, by graph convolutions whose hops are all used."""
    h, hops = p["label_branch.embedding.weight"], []
    for layer in range(layers):
        h = F.leaky_relu(propagation @ (h @ p[f"label_branch.encoder.convs.{layer}.weight"]), 0.2)
        hops.append(h)
    return linear(p, "label_branch.encoder.aggregation", torch.cat(hops, 1))


def scores(embedding: Tensor, classifier: Tensor) -> Tensor:
    """Cosines between embeddings and classifiers."""
    return embedding @ classifier.t() / (embedding.norm(dim=1)[:, None] * classifier.norm(dim=1)[None, :] + 1e-6)


def classification(score: Tensor, labels: Tensor) -> Tensor:
    """Mean distance between the scores and the labels."""
    return torch.mean(torch.sqrt(torch.sum((score - labels) ** 2, 1)))


def pairwise(a: Tensor, b: Tensor, shared: Tensor) -> Tensor:
    """Mean negative log-likelihood of the numbers of shared labels."""
    theta = a @ b.t() / torch.clamp(a.norm(dim=1)[:, None] * b.norm(dim=1)[None, :], min=1e-6) / 2
    return torch.mean(torch.log(1 + torch.exp(theta)) - shared * theta)


class Reversal(torch.autograd.Function):
    """The identity, with a gradient of the opposite sign."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return ``x``."""
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the negative gradient."""
        return -gradients[0]


def adversarial(p: Parameters, image: Tensor, text: Tensor, v: Tensor, t: Tensor, normalise: bool) -> Tensor:
    """Cross-entropies of both discriminators on real and generated features; ``v`` and ``t`` are embeddings."""
    real = torch.ones(len(image), dtype=torch.long)
    if normalise:
        t, v = batch_norm(p, "image_generator.norm", t), batch_norm(p, "text_generator.norm", v)
    hidden = torch.relu(linear(p, "image_generator.lin1", t))
    generated_image = torch.relu(linear(p, "image_generator.lin2", hidden))
    hidden = F.leaky_relu(linear(p, "text_generator.lin1", v), 0.2)
    generated_text = F.leaky_relu(linear(p, "text_generator.lin2", hidden), 0.2)
    return (
        F.cross_entropy(judge(p, "image_discriminator", image, normalise), real)
        + F.cross_entropy(judge(p, "image_discriminator", generated_image, normalise), 1 - real)
        + F.cross_entropy(judge(p, "text_discriminator", generated_text, normalise), real)
        + F.cross_entropy(judge(p, "text_discriminator", text, normalise), 1 - real)
    )


def judge(p: Parameters, name: str, x: Tensor, normalise: bool) -> Tensor:
    """Logits of a discriminator; with normalisation, it also has ReLUs."""
    x = Reversal.apply(x)
    if not normalise:
        return linear(p, f"{name}.lin3", linear(p, f"{name}.lin2", linear(p, f"{name}.lin1", x)))
    x = batch_norm(p, f"{name}.norm", x)
    for layer in ("lin1", "lin2"):
        x = torch.relu(linear(p, f"{name}.{layer}", x))
    return linear(p, f"{name}.lin3", x)
