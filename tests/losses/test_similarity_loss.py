"""The similarity loss against a loop."""

from math import sqrt

import pytest
import torch

from labelgraph.losses import similarity_loss


def case(size=5, bits=4):
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, bits, generator=generator, dtype=torch.float64) for _ in range(2))
    return left, right, torch.randn(size, size, generator=generator, dtype=torch.float64)


def slow(left, right, similarity):
    total = 0.0
    for a, row in zip(left.tolist(), similarity.tolist(), strict=True):
        for b, goal in zip(right.tolist(), row, strict=True):
            length = sqrt(sum(p * p for p in a)) * sqrt(sum(q * q for q in b))
            cosine = sum(p * q for p, q in zip(a, b, strict=True)) / length if length else 0.0
            total += (cosine - goal) ** 2
    return total / len(left) ** 2


@pytest.mark.parametrize(("size", "bits"), [(5, 4), (1, 4), (4, 1), (3, 7)])
def test_against_a_loop(size, bits):
    arguments = case(size, bits)
    assert similarity_loss(*arguments).item() == pytest.approx(slow(*arguments))


def test_left_is_in_rows():
    left, right, similarity = case()
    turned = similarity_loss(left, right, similarity.t()).item()
    assert turned == pytest.approx(slow(left, right, similarity.t()))
    assert turned != pytest.approx(slow(left, right, similarity))
    assert similarity_loss(right, left, similarity.t()).item() == pytest.approx(slow(left, right, similarity))


def test_codes_as_alike_as_asked_cost_nothing():
    codes = torch.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, -1.0]])
    alike = torch.tensor([[1.0, 0.6, 0.0], [0.6, 1.0, -0.8], [0.0, -0.8, 1.0]])
    assert similarity_loss(codes, codes, alike).item() == pytest.approx(0, abs=1e-12)
    assert similarity_loss(codes, codes, alike + 3).item() == pytest.approx(9)


def test_zero_codes_are_finite():
    left, right, similarity = case()
    left[2], right[2], right[4] = 0, 0, 0
    left.requires_grad_(), right.requires_grad_()
    loss = similarity_loss(left, right, similarity)
    assert loss.item() == pytest.approx(slow(left, right, similarity))
    loss.backward()
    assert torch.isfinite(left.grad).all() and torch.isfinite(right.grad).all()


def test_gradient():
    assert torch.autograd.gradcheck(similarity_loss, tuple(tensor.requires_grad_() for tensor in case()))
