"""Hash heads and hash networks against their formulas."""

import math

import pytest
import torch

from labelgraph.nn import HashHead, HashNetwork


def head(relaxation, bits=6):
    torch.manual_seed(0)
    return HashHead(4, bits, relaxation)


X = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("epoch", [0, 3, 15])
def test_tanh_sharpens_by_epoch(epoch):
    module = head("tanh")
    module.on_epoch(epoch)
    expected = torch.tanh(math.sqrt(epoch + 1) * (X @ module.linear.weight.t() + module.linear.bias))
    torch.testing.assert_close(module(X), expected)


def test_straight_through_gives_signs_and_the_gradient_of_the_identity_within_one():
    module = head("straight-through")
    hashed = module.linear(X)
    relaxed = module(X)
    assert torch.equal(relaxed.detach(), module.codes(X))
    weights = torch.randn(9, 6, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((weights * relaxed).sum(), module.linear.bias)
    inside = (hashed.abs() <= 1).float()
    torch.testing.assert_close(gradient, (weights * inside).sum(0))
    assert 0 < inside.mean() < 1


@pytest.mark.parametrize("relaxation", ["tanh", "straight-through"])
def test_codes_are_the_signs_of_the_relaxed_codes(relaxation):
    module = head(relaxation)
    codes = module.codes(X)
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(codes, module(X).sign())
    module.on_epoch(24)
    assert torch.equal(module.codes(X), codes)


def test_zero_is_positive():
    module = head("tanh")
    torch.nn.init.zeros_(module.linear.weight)
    torch.nn.init.zeros_(module.linear.bias)
    assert torch.equal(module.codes(X), torch.ones(9, 6))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((4, 0), r"'bits' must be at least 1 \(got 0\)"), ((4, 8, "relu"), r"'relaxation' must be one of tanh, straight")],
)
def test_errors_name_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        HashHead(*arguments)


def case():
    torch.manual_seed(0)
    return HashNetwork(5, 7, 3), torch.randn(9, 5)


@pytest.mark.parametrize("size", [9, 1])
def test_against_the_formula(size):
    network, x = case()
    x = x[:size]
    hidden = x @ network.lin1.weight.t() + network.lin1.bias
    expected = torch.where(hidden > 0, hidden, 0) @ network.lin2.weight.t() + network.lin2.bias
    torch.testing.assert_close(network(x), expected)
    assert (hidden < 0).any() and (hidden > 0).any() and expected.shape == (size, 3)


def test_reset_reinitialises_every_weight():
    network, _ = case()
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    network.reset_parameters()
    assert len(before) == 4
    assert all(not torch.equal(before[name], parameter) for name, parameter in network.named_parameters())


def test_the_error_names_a_wrong_number_of_bits():
    assert HashNetwork(5, 7, 1)(torch.randn(2, 5)).shape == (2, 1)
    with pytest.raises(ValueError, match=r"'bits' must be at least 1 \(got 0\)"):
        HashNetwork(5, 7, 0)
