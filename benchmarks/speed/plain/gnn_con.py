"""P-GNN-CON and I-GNN-CON, plainly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.plain.adversarial import adversarial
from benchmarks.speed.plain.label_graph import classification, classifiers, scores, source_norm
from benchmarks.speed.plain.layers import Loss, Parameters, batch_norm, linear

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
    """The loss of both, given the matrix that multiplies the label embeddings."""
    z = classifiers(p, propagation, 5)
    v = torch.relu(linear(p, "image_projector.linear", batch_norm(p, "image_projector.norm", image)))
    t = torch.relu(linear(p, "text_projector.linear", batch_norm(p, "text_projector.norm", text)))
    return (
        0.5 * (classification(scores(v, z), labels) + classification(scores(t, z), labels))
        + contrastive(v, t, labels)
        + 2.0 * adversarial(p, image, text, v, t, normalise=True)
    )


def contrastive(v: Tensor, t: Tensor, labels: Tensor) -> Tensor:
    """Contrast between and within the sides."""
    v, t = F.normalize(v), F.normalize(t)
    alike = torch.clamp(labels @ labels.t(), max=1)
    others = alike - torch.diag(torch.diag(alike))
    inter = alike / torch.clamp(alike.sum(1, keepdim=True), min=1e-6)
    intra = others / torch.clamp(others.sum(1, keepdim=True), min=1e-6)
    vt, vv, tt = v @ t.t() / 0.22, v @ v.t() / 0.22, t @ t.t() / 0.22
    between = likelihood(inter, vt) + likelihood(inter, vt.t())
    return -between - 0.14 * (likelihood(intra, vv) + likelihood(intra, tt))


def likelihood(weight: Tensor, similarity: Tensor) -> Tensor:
    """Mean over rows of the weighted log-probabilities."""
    log_probability = similarity - torch.log(torch.exp(1.06 * similarity).sum(1, keepdim=True))
    return torch.mean(torch.sum(weight * log_probability, 1))


def cosines(x: Tensor) -> Tensor:
    """Cosines between all rows, of one matrix or of several."""
    x = F.normalize(x, dim=-1)
    return x @ x.transpose(-1, -2)


def prune(similarity: Tensor) -> Tensor:
    """Nothing below the threshold."""
    return torch.where(similarity < 0.4, 0.0, similarity)
