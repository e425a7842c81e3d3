"""What the label-graph methods share: the static matrix, the label encoder, scores and classification."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.plain.layers import Parameters, linear


def binary_matrix(labels: Tensor, threshold: float = 0.4) -> Tensor:
    """The static matrix over the labels of the training items, which must all occur."""
    joint = labels.t() @ labels
    count = joint.diagonal().clone()
    joint.fill_diagonal_(0)
    return 0.5 * (joint / count >= threshold) + torch.eye(len(count), dtype=labels.dtype)


def source_norm(adjacency: Tensor) -> Tensor:
    """The matrix that multiplies the features, normalised by outgoing degrees."""
    scale = torch.diag(adjacency.sum(1).pow(-0.5))
    return scale @ adjacency.t() @ scale


def classifiers(p: Parameters, propagation: Tensor, layers: int) -> Tensor:
    """Label embeddings to classifiers, by graph convolutions of which all hops count."""
    h, hops = p["label_branch.embedding.weight"], []
    for layer in range(layers):
        h = F.leaky_relu(propagation @ (h @ p[f"label_branch.encoder.convs.{layer}.weight"]), 0.2)
        hops.append(h)
    return linear(p, "label_branch.encoder.aggregation", torch.cat(hops, 1))


def scores(embedding: Tensor, classifier: Tensor) -> Tensor:
    """Cosines with the classifiers."""
    return embedding @ classifier.t() / (embedding.norm(dim=1)[:, None] * classifier.norm(dim=1)[None, :] + 1e-6)


def classification(score: Tensor, labels: Tensor) -> Tensor:
    """Mean distance of the scores from the labels."""
    return torch.mean(torch.sqrt(torch.sum((score - labels) ** 2, 1)))


def pairwise(a: Tensor, b: Tensor, shared: Tensor) -> Tensor:
    """Likelihood of the numbers of shared labels."""
    theta = a @ b.t() / torch.clamp(a.norm(dim=1)[:, None] * b.norm(dim=1)[None, :], min=1e-6) / 2
    return torch.mean(torch.log(1 + torch.exp(theta)) - shared * theta)
