"""The pairwise loss against a loop."""

from math import exp, log, sqrt

import pytest
import torch

from labelgraph.losses import joint_pairwise_loss, pairwise_loss


def case(size=5, channels=4, num_labels=3):
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, channels, generator=generator, dtype=torch.float64) for _ in range(2))
    return left, right, (torch.rand(size, num_labels, generator=generator) < 0.5).double()


def slow(left, right, labels):
    total = 0.0
    for a, y in zip(left.tolist(), labels.tolist(), strict=True):
        for b, z in zip(right.tolist(), labels.tolist(), strict=True):
            dot = sum(p * q for p, q in zip(a, b, strict=True))
            length = sqrt(sum(p * p for p in a)) * sqrt(sum(q * q for q in b))
            theta = dot / max(length, 1e-6) / 2
            total += log(1 + exp(theta)) - sum(p * q for p, q in zip(y, z, strict=True)) * theta
    return total / len(left) ** 2


@pytest.mark.parametrize(("size", "channels", "num_labels"), [(5, 4, 3), (1, 4, 3), (4, 1, 1)])
def test_against_a_loop(size, channels, num_labels):
    arguments = case(size, channels, num_labels)
    assert pairwise_loss(*arguments).item() == pytest.approx(slow(*arguments))
    assert slow(*arguments) != pytest.approx(log(2))


@pytest.mark.parametrize("size", [1, 5])
def test_the_joint_loss_is_the_sum_of_three(size):
    image, text, labels = case(size)
    image[0] = 0
    both = [side.clone().requires_grad_() for side in (image, text)]
    apart = [side.clone().requires_grad_() for side in (image, text)]
    joint = joint_pairwise_loss(*both, labels)
    assert joint.item() == pytest.approx(
        slow(image, image, labels) + slow(image, text, labels) + slow(text, text, labels)
    )
    joint.backward()
    sum(pairwise_loss(apart[i], apart[j], labels) for i, j in ((0, 0), (0, 1), (1, 1))).backward()
    for ours, expected in zip(both, apart, strict=True):
        torch.testing.assert_close(ours.grad, expected.grad)


def test_items_without_labels():
    left, right, labels = case()
    assert pairwise_loss(left, right, 0 * labels).item() == pytest.approx(slow(left, right, 0 * labels))


def test_zero_embeddings_are_finite():
    left, right, labels = case()
    left[2], right[2], right[4] = 0, 0, 0
    left.requires_grad_(), right.requires_grad_()
    loss = pairwise_loss(left, right, labels)
    assert loss.item() == pytest.approx(slow(left, right, labels))
    loss.backward()
    assert torch.isfinite(left.grad).all() and torch.isfinite(right.grad).all()
    assert pairwise_loss(0 * left, 0 * right, labels).item() == pytest.approx(log(2))


def test_gradient():
    left, right, labels = case()
    inputs = (left.requires_grad_(), right.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: pairwise_loss(a, b, labels), inputs)
