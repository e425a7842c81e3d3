"""Telling features of images from features of texts."""

import pytest
import torch
from torch.nn import functional as F

from labelgraph.nn import ModalityDiscriminator


def case(channels=67, size=6, **arguments):
    torch.manual_seed(0)
    discriminator = ModalityDiscriminator(channels, **arguments).double()
    if arguments.get("batch_norm"):
        with torch.no_grad():
            discriminator.norm.weight.uniform_(0.5, 2)
            discriminator.norm.bias.uniform_(-1, 1)
    return discriminator, 2 + 3 * torch.randn(size, channels).double()


def slow(discriminator, x, activation, batch_norm):
    """The layers, without any reversal."""
    if batch_norm:
        norm = discriminator.norm
        x = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt() * norm.weight + norm.bias
    x = x @ discriminator.lin1.weight.t() + discriminator.lin1.bias
    x = torch.where(x > 0, x, 0) if activation else x
    x = x @ discriminator.lin2.weight.t() + discriminator.lin2.bias
    x = torch.where(x > 0, x, 0) if activation else x
    return x @ discriminator.lin3.weight.t() + discriminator.lin3.bias


@pytest.mark.parametrize("activation", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_against_the_formula(activation, batch_norm):
    discriminator, x = case(activation=activation, batch_norm=batch_norm)
    torch.testing.assert_close(discriminator(x), slow(discriminator, x, activation, batch_norm))
    assert not torch.allclose(discriminator(x), slow(discriminator, x, not activation, batch_norm))


def test_nothing_stands_between_the_layers_by_default():
    discriminator, x = case()
    torch.testing.assert_close(discriminator(x), slow(discriminator, x, False, False))
    middle = (discriminator(x) + discriminator(-x)) / 2
    torch.testing.assert_close(middle, discriminator(0 * x))


@pytest.mark.parametrize("activation", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("factor", [1.0, 0.25])
def test_only_the_gradient_of_the_features_is_reversed(activation, batch_norm, factor):
    discriminator, x = case(activation=activation, batch_norm=batch_norm, factor=factor)
    x.requires_grad_()
    target = torch.tensor([0, 1, 1, 0, 1, 0])
    inputs = (x, *discriminator.parameters())
    plain = torch.autograd.grad(F.cross_entropy(slow(discriminator, x, activation, batch_norm), target), inputs)
    ours = torch.autograd.grad(F.cross_entropy(discriminator(x), target), inputs)
    torch.testing.assert_close(ours[0], -factor * plain[0])
    torch.testing.assert_close(ours[1:], plain[1:])
    assert plain[0].any() and len(ours) == (9 if batch_norm else 7)


def test_the_default_reversal_has_the_factor_one():
    (one, x), (default, _) = case(factor=1.0), case()
    x.requires_grad_()
    gradients = [torch.autograd.grad(d(x)[:, 1].sum(), x)[0] for d in (one, default)]
    assert torch.equal(*gradients) and gradients[0].any()


@pytest.mark.parametrize(
    ("channels", "wide", "narrow"), [(67, 16, 4), (64, 16, 4), (31, 7, 1), (10, 2, 1), (3, 1, 1), (1, 1, 1)]
)
def test_widths_are_rounded_down_but_not_to_nothing(channels, wide, narrow):
    discriminator, x = case(channels)
    shapes = [tuple(layer.weight.shape) for layer in (discriminator.lin1, discriminator.lin2, discriminator.lin3)]
    assert shapes == [(wide, channels), (narrow, wide), (2, narrow)]
    assert discriminator(x).shape == (6, 2)


def test_a_batch_of_one_in_training():
    discriminator, x = case(activation=True, batch_norm=True)
    discriminator(x)
    out = discriminator(x[:1])
    assert discriminator.training
    torch.testing.assert_close(out, discriminator.eval()(x[:1]))
