"""AGAH with the attention adjacency, plainly."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.plain.layers import Loss, Parameters, linear


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
    """How alike the items are by their features."""
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
