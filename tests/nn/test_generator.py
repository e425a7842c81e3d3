"""From the common space to features of the other modality."""

import pytest
import torch

from labelgraph.nn import Generator


def case(**arguments):
    torch.manual_seed(0)
    return Generator(5, 7, 4, **arguments), torch.randn(9, 5)


def slow(generator, x, negative_slope):
    for layer in (generator.lin1, generator.lin2):
        x = x @ layer.weight.t() + layer.bias
        x = torch.where(x > 0, x, negative_slope * x)
    return x


@pytest.mark.parametrize(("activation", "slope"), [("relu", 0.0), ("leaky_relu", 0.2)])
@pytest.mark.parametrize("size", [9, 1])
def test_against_the_formula(activation, slope, size):
    generator, x = case(activation=activation)
    x = x[:size]
    torch.testing.assert_close(generator(x), slow(generator, x, slope))
    hidden = x @ generator.lin1.weight.t() + generator.lin1.bias
    out = hidden.relu() @ generator.lin2.weight.t() + generator.lin2.bias
    assert (hidden < 0).any() and (out < 0).any()


def test_the_default_is_a_relu():
    generator, x = case()
    torch.testing.assert_close(generator(x), slow(generator, x, 0.0))


def test_normalises_the_embedding_first():
    generator, x = case(activation="leaky_relu", batch_norm=True)
    x = 3 * x + 2
    with torch.no_grad():
        generator.norm.weight.uniform_(0.5, 2)
        generator.norm.bias.uniform_(-1, 1)
    normal = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(
        generator(x), slow(generator, normal * generator.norm.weight + generator.norm.bias, 0.2), rtol=1e-4, atol=1e-5
    )


def test_a_batch_of_one_is_normalised_in_training_too():
    generator, x = case(batch_norm=True)
    generator(3 * x + 2)
    out = generator.train()(x[:1])
    torch.testing.assert_close(out, generator.eval()(x[:1]))
    assert out.any() and not torch.allclose(out, slow(generator, x[:1], 0.0))


def test_sizes_of_the_layers():
    shapes = {name: tuple(parameter.shape) for name, parameter in case()[0].named_parameters()}
    assert shapes == {"lin1.weight": (7, 5), "lin1.bias": (7,), "lin2.weight": (4, 7), "lin2.bias": (4,)}


def test_unknown_activation():
    with pytest.raises(ValueError, match=r"'activation' must be one of relu, leaky_relu \(got 'tanh'\)"):
        Generator(5, 7, 4, "tanh")
