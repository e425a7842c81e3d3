"""Discriminators, generators and gradient reversal against their formulas."""

import pytest
import torch
from torch.nn import functional as F

from labelgraph.nn import Generator, ModalityDiscriminator, reverse_gradient


def case(channels=67, size=6, **arguments):
    torch.manual_seed(0)
    discriminator = ModalityDiscriminator(channels, **arguments).double()
    if arguments.get("batch_norm"):
        with torch.no_grad():
            discriminator.norm.weight.uniform_(0.5, 2)
            discriminator.norm.bias.uniform_(-1, 1)
    return discriminator, 2 + 3 * torch.randn(size, channels).double()


def slow(discriminator, x, activation, batch_norm):
    """The layers of the discriminator without gradient reversal."""
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


def test_there_is_no_activation_between_the_layers_by_default():
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


def test_the_default_factor_of_the_discriminator_is_one():
    (one, x), (default, _) = case(factor=1.0), case()
    x.requires_grad_()
    gradients = [torch.autograd.grad(d(x)[:, 1].sum(), x)[0] for d in (one, default)]
    assert torch.equal(*gradients) and gradients[0].any()


@pytest.mark.parametrize(
    ("channels", "wide", "narrow"), [(67, 16, 4), (64, 16, 4), (31, 7, 1), (10, 2, 1), (3, 1, 1), (1, 1, 1)]
)
def test_widths_are_rounded_down_to_at_least_one(channels, wide, narrow):
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


def case_generator(**arguments):
    torch.manual_seed(0)
    return Generator(5, 7, 4, **arguments), torch.randn(9, 5)


def slow_generator(generator, x, negative_slope):
    for layer in (generator.lin1, generator.lin2):
        x = x @ layer.weight.t() + layer.bias
        x = torch.where(x > 0, x, negative_slope * x)
    return x


@pytest.mark.parametrize(("activation", "slope"), [("relu", 0.0), ("leaky_relu", 0.2)])
@pytest.mark.parametrize("size", [9, 1])
def test_against_the_formula_of_generator(activation, slope, size):
    generator, x = case_generator(activation=activation)
    x = x[:size]
    torch.testing.assert_close(generator(x), slow_generator(generator, x, slope))
    hidden = x @ generator.lin1.weight.t() + generator.lin1.bias
    out = hidden.relu() @ generator.lin2.weight.t() + generator.lin2.bias
    assert (hidden < 0).any() and (out < 0).any()


def test_the_default_is_a_relu():
    generator, x = case_generator()
    torch.testing.assert_close(generator(x), slow_generator(generator, x, 0.0))


def test_batch_norm_normalises_the_embedding_first():
    generator, x = case_generator(activation="leaky_relu", batch_norm=True)
    x = 3 * x + 2
    with torch.no_grad():
        generator.norm.weight.uniform_(0.5, 2)
        generator.norm.bias.uniform_(-1, 1)
    normal = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(
        generator(x),
        slow_generator(generator, normal * generator.norm.weight + generator.norm.bias, 0.2),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_batch_of_one_is_normalised_in_training_too():
    generator, x = case_generator(batch_norm=True)
    generator(3 * x + 2)
    out = generator.train()(x[:1])
    torch.testing.assert_close(out, generator.eval()(x[:1]))
    assert out.any() and not torch.allclose(out, slow_generator(generator, x[:1], 0.0))


def test_sizes_of_the_layers():
    shapes = {name: tuple(parameter.shape) for name, parameter in case_generator()[0].named_parameters()}
    assert shapes == {"lin1.weight": (7, 5), "lin1.bias": (7,), "lin2.weight": (4, 7), "lin2.bias": (4,)}


def test_unknown_activation():
    with pytest.raises(ValueError, match=r"'activation' must be one of relu, leaky_relu \(got 'tanh'\)"):
        Generator(5, 7, 4, "tanh")


def tensor(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_forward_is_the_identity():
    x = tensor(3, 5)
    assert torch.equal(reverse_gradient(x, 7.0), x)
    assert not reverse_gradient(x).requires_grad


@pytest.mark.parametrize("factor", [1.0, 0.3, 0.0, -2.0])
def test_the_gradient_is_reversed_and_scaled(factor):
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


def test_gradients_after_the_reversal_are_unchanged():
    x, w = tensor(3, 5), tensor(5, 2, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda w: torch.tanh(reverse_gradient(x) @ w), w)


def test_reversing_twice_restores_the_gradient():
    x, w = tensor(3, 5).requires_grad_(), tensor(5, 2, seed=1)
    assert torch.autograd.gradcheck(lambda x: torch.tanh(reverse_gradient(reverse_gradient(x, 4.0), 0.25) @ w), x)
