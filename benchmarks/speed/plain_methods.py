"""The methods in plain PyTorch: dense matrices, and one forward pass from the features to the loss.

Each function has two arguments: the parameters, by their names in the library, and the static matrix of the label
graph. It returns a function that computes the total loss of a batch of images, texts and labels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.plain_layers import (
    Loss,
    Parameters,
    adversarial,
    batch_norm,
    classification,
    classifiers,
    linear,
    pairwise,
    scores,
    source_norm,
)


def algcn(p: Parameters, static: Tensor) -> Loss:
    """ALGCN: three layers over the adaptive matrix."""

    def loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        propagation = source_norm(torch.relu(static + 0.5 * p["label_branch.adjacency.residual"]))
        z = classifiers(p, propagation, 3)
        v = torch.relu(linear(p, "image_projector.linear", image))
        t = torch.relu(linear(p, "text_projector.linear", text))
        shared = labels @ labels.t()
        draws = torch.empty(3, *static.shape, dtype=static.dtype).bernoulli_(0.2)
        structure = sum(F.mse_loss(propagation, torch.clamp(static + draw, max=0.5)) for draw in draws)
        return (
            classification(scores(v, z), labels)
            + classification(scores(t, z), labels)
            + 0.2 * (pairwise(v, v, shared) + pairwise(v, t, shared) + pairwise(t, t, shared))
            + 0.5 * structure
        )

    return loss


def dagnn(p: Parameters, static: Tensor) -> Loss:
    """Four layers over the static matrix."""
    propagation = source_norm(static)

    def loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        z = classifiers(p, propagation, 4)
        v = torch.relu(linear(p, "image_projector.linear", image))
        t = torch.relu(linear(p, "text_projector.linear", text))
        shared = labels @ labels.t()
        return (
            classification(scores(v, z), labels)
            + classification(scores(t, z), labels)
            + 0.2 * (pairwise(v, v, shared) + pairwise(v, t, shared) + pairwise(t, t, shared))
            + 0.2 * adversarial(p, image, text, v, t, normalise=False)
        )

    return loss


EMBEDDING = "label_branch.embedding.weight"


def p_gnn_con(p: Parameters, static: Tensor) -> Loss:
    """Five layers over the static matrix."""
    propagation = source_norm(static)

    def loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        return total(p, propagation, image, text, labels)

    return loss


def i_gnn_con(p: Parameters, static: Tensor) -> Loss:
    """Five layers over cosines of the label embeddings, half of them learned; the static matrix is not used."""
    initial = prune(cosines(p[EMBEDDING].detach()))

    def loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        learned = cosines(p[EMBEDDING] * p["label_branch.adjacency.weight"][:, None, :]).mean(0)
        return total(p, source_norm(0.5 * initial + 0.5 * prune(learned)), image, text, labels)

    return loss


def total(p: Parameters, propagation: Tensor, image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
    """The loss of both methods, for a propagation matrix over the labels."""
    z = classifiers(p, propagation, 5)
    v = torch.relu(linear(p, "image_projector.linear", batch_norm(p, "image_projector.norm", image)))
    t = torch.relu(linear(p, "text_projector.linear", batch_norm(p, "text_projector.norm", text)))
    return (
        0.5 * (classification(scores(v, z), labels) + classification(scores(t, z), labels))
        + contrastive(v, t, labels)
        + 2.0 * adversarial(p, image, text, v, t, normalise=True)
    )


def contrastive(v: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    """Contrastive loss between the sides and within each side."""
    v, t = F.normalize(v), F.normalize(t)
    alike = torch.clamp(labels @ labels.t(), max=1)
    others = alike - torch.diag(torch.diag(alike))
    inter = alike / torch.clamp(alike.sum(1, keepdim=True), min=1e-6)
    intra = others / torch.clamp(others.sum(1, keepdim=True), min=1e-6)
    vt, vv, tt = v @ t.t() / 0.22, v @ v.t() / 0.22, t @ t.t() / 0.22
    between = likelihood(inter, vt) + likelihood(inter, vt.t())
    return -between - 0.14 * (likelihood(intra, vv) + likelihood(intra, tt))


def likelihood(weight: Tensor, similarity: Tensor) -> Tensor:
    """Mean over rows of the weighted sum of log-probabilities."""
    log_probability = similarity - torch.log(torch.exp(1.06 * similarity).sum(1, keepdim=True))
    return torch.mean(torch.sum(weight * log_probability, 1))


def cosines(x: Tensor) -> Tensor:
    """Cosines between all rows of a matrix, or of each matrix of a stack."""
    x = F.normalize(x, dim=-1)
    return x @ x.transpose(-1, -2)


def prune(similarity: Tensor) -> Tensor:
    """Set values below the threshold to 0."""
    return torch.where(similarity < 0.4, 0.0, similarity)


def agah(p: Parameters, static: Tensor) -> Loss:
    """The first epoch, in which tanh is not yet sharpened; neither the static matrix nor labels are used."""

    def loss(image: Tensor, text: Tensor, labels: Tensor) -> Tensor:
        s = similarity(image, text)
        b_v, b_t = code(p, "image_hash", image), code(p, "text_hash", text)
        g_v, g_t = graph_code(p, "image_branch", image, s), graph_code(p, "text_branch", text, s)
        intra = F.mse_loss(b_v @ b_v.t(), s) + F.mse_loss(b_t @ b_t.t(), s)
        inter = F.mse_loss(b_v @ b_t.t(), s) + F.mse_loss(b_t @ b_v.t(), s) - torch.mean(torch.sum(b_v * b_t, 1))
        graph = F.mse_loss(g_v @ g_t.t(), s)
        cross = F.mse_loss(g_v @ b_v.t(), s) + F.mse_loss(g_v @ b_t.t(), s)
        return 0.1 * intra + inter + graph + 0.15 * cross

    return loss


def similarity(image: Tensor, text: Tensor) -> Tensor:
    """Similarity of the items by their features."""
    image, text = F.normalize(image), F.normalize(text)
    s_v = 2 * image @ image.t() - 1
    s_t = 2 * torch.sign(text @ text.t()) - 1
    return 1.4 * (0.5 * s_v + 0.2 * s_t + 0.3 * F.normalize(s_v) @ F.normalize(s_t).t())


def code(p: Parameters, name: str, x: Tensor) -> Tensor:
    """The relaxed code of a hash network, of length 1."""
    return F.normalize(torch.tanh(linear(p, f"{name}.lin2", torch.relu(linear(p, f"{name}.lin1", x)))))


def graph_code(p: Parameters, name: str, x: Tensor, s: Tensor) -> Tensor:
    """The relaxed code of a graph branch, of length 1."""
    query, key = x @ p[f"{name}.adjacency.query.weight"].t(), x @ p[f"{name}.adjacency.key.weight"].t()
    adjacency = torch.softmax(query @ key.t() / math.sqrt(query.shape[1]), 1) + s
    for conv in (f"{name}.conv1", f"{name}.conv2"):
        x = torch.relu(adjacency @ (x @ p[f"{conv}.weight"]) + p[f"{conv}.bias"])
    return F.normalize(torch.tanh(linear(p, f"{name}.linear", x)))
