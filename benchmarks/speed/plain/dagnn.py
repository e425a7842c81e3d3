"""DAGNN, plainly."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.speed.plain.adversarial import adversarial
from benchmarks.speed.plain.label_graph import classification, classifiers, pairwise, scores, source_norm
from benchmarks.speed.plain.layers import Loss, Parameters, linear


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
