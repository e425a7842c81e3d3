"""The classification loss against a loop."""

from math import sqrt

import pytest
import torch

from labelgraph.losses import classification_loss


@pytest.mark.parametrize(("size", "num_labels"), [(5, 3), (1, 4), (6, 1), (1, 1)])
def test_against_a_loop(size, num_labels):
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(size, num_labels, generator=generator, dtype=torch.float64) * 2 - 1
    labels = (torch.rand(size, num_labels, generator=generator) < 0.5).double()
    distances = [
        sqrt(sum((s - y) ** 2 for s, y in zip(row, target, strict=True)))
        for row, target in zip(scores.tolist(), labels.tolist(), strict=True)
    ]
    assert classification_loss(scores, labels).item() == pytest.approx(sum(distances) / size)


def test_perfect_scores_lose_nothing_and_have_finite_gradients():
    scores = torch.tensor([[1.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = classification_loss(scores, scores.detach())
    loss.backward()
    assert loss == 0 and torch.isfinite(scores.grad).all()


def test_gradient():
    scores = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: classification_loss(s, torch.ones(4, 3).double()), scores)
