"""From features to the bits of a code."""

import pytest
import torch

from labelgraph.nn import HashNetwork


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


def test_reset_draws_every_weight_anew():
    network, _ = case()
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    network.reset_parameters()
    assert len(before) == 4
    assert all(not torch.equal(before[name], parameter) for name, parameter in network.named_parameters())


def test_no_bits():
    assert HashNetwork(5, 7, 1)(torch.randn(2, 5)).shape == (2, 1)
    with pytest.raises(ValueError, match=r"'bits' must be at least 1 \(got 0\)"):
        HashNetwork(5, 7, 0)
