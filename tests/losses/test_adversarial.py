"""The loss of modality discriminators against torch's cross-entropy."""

from math import log

import pytest
import torch
from torch.nn import functional as F

from labelgraph.losses import adversarial_loss


def logits(size=5):
    return 3 * torch.randn(size, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("modality", [0, 1])
@pytest.mark.parametrize("size", [5, 1])
def test_against_cross_entropy_with_its_gradient(modality, size):
    ours, theirs = logits(size).requires_grad_(), logits(size).requires_grad_()
    loss = adversarial_loss(ours, modality)
    expected = F.cross_entropy(theirs, torch.full((size,), modality))
    assert loss.item() == pytest.approx(expected.item())
    loss.backward(), expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_class_1_is_an_image():
    sure = torch.tensor([[-4.0, 4.0]])
    assert adversarial_loss(sure, 1) < 0.001 and adversarial_loss(sure, 0) == pytest.approx(8, abs=0.001)


def test_ties_cost_log_2():
    for modality in (0, 1):
        assert adversarial_loss(torch.full((3, 2), -7.0), modality).item() == pytest.approx(log(2))


def test_extreme_logits_are_finite():
    extreme = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = adversarial_loss(extreme, 1)
    assert loss.item() == pytest.approx(1e4)
    loss.backward()
    assert torch.isfinite(extreme.grad).all()
