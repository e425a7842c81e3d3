"""ALGCN, plainly."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.speed.plain.label_graph import classification, classifiers, pairwise, scores, source_norm
from benchmarks.speed.plain.layers import Loss, Parameters, linear


def algcn(p: Parameters, static: Tensor) -> Loss:
    """Three layers over the adaptive matrix."""

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
