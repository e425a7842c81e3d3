"""The likelihood of relevance, against a loop, and at its ends."""

import math

import torch

from labelgraph.losses import relevance_loss


def test_equals_a_loop():
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.rand(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = (torch.rand(5, 3, generator=generator) < 0.4).double()
    total = 0.0
    for p, mine in zip(image.tolist(), labels.tolist(), strict=True):
        for q, other in zip(text.tolist(), labels.tolist(), strict=True):
            none = math.prod(1 - a * b for a, b in zip(p, q, strict=True))
            relevant = any(a and b for a, b in zip(mine, other, strict=True))
            total -= math.log(1 - none if relevant else none)
    torch.testing.assert_close(relevance_loss(image, text, labels).item(), total / 25)


def test_certainty_right_or_wrong_has_finite_gradients():
    sure = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    other = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
    for labels in (torch.eye(2), torch.ones(2, 2), torch.zeros(2, 2)):
        sure.grad = None
        loss = relevance_loss(sure, other, labels)
        loss.backward()
        assert torch.isfinite(loss) and torch.isfinite(sure.grad).all()


def test_right_certainty_costs_nothing():
    labels = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert relevance_loss(labels, labels, labels) < 1e-4
    assert relevance_loss(labels, labels.flip(1), labels) > 1
