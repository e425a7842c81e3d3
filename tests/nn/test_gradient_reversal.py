"""The identity whose gradient points the other way."""

import pytest
import torch

from labelgraph.nn import reverse_gradient


def tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_forward_is_the_identity():
    x = tensor(3, 5)
    assert torch.equal(reverse_gradient(x, 7.0), x)
    assert not reverse_gradient(x).requires_grad


@pytest.mark.parametrize("factor", [1.0, 0.3, 0.0, -2.0])
def test_the_gradient_before_is_reversed_and_scaled(factor):
    x, w = tensor(3, 5), tensor(5, 2, seed=1)

    def plain(x):
        return torch.tanh(x @ w)

    expected = torch.autograd.functional.jacobian(plain, x)
    reversed_ = torch.autograd.functional.jacobian(lambda x: plain(reverse_gradient(x, factor)), x)
    assert expected.any()
    torch.testing.assert_close(reversed_, -factor * expected)


def test_the_default_factor_is_one():
    x = tensor(4).requires_grad_()
    (reverse_gradient(x) * torch.arange(4.0)).sum().backward()
    assert x.grad.tolist() == [0.0, -1.0, -2.0, -3.0]


def test_what_comes_after_learns_as_ever():
    x, w = tensor(3, 5), tensor(5, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: torch.tanh(reverse_gradient(x) @ w), w)


def test_reversing_twice_restores_the_gradient():
    x, w = tensor(3, 5).requires_grad_(), tensor(5, 2, seed=1)
    assert torch.autograd.gradcheck(lambda x: torch.tanh(reverse_gradient(reverse_gradient(x, 4.0), 0.25) @ w), x)
