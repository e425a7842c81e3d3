"""From features to the common space."""

import torch

from labelgraph.nn import Projector


def test_a_linear_map_and_a_relu():
    torch.manual_seed(0)
    projector, features = Projector(5, 3), torch.randn(7, 5)
    expected = (features @ projector.linear.weight.t() + projector.linear.bias).clamp(min=0)
    torch.testing.assert_close(projector(features), expected)
    assert (expected == 0).any() and (expected > 0).any()


def test_reset_draws_the_weights_anew():
    projector = Projector(5, 3)
    before = projector.linear.weight.clone()
    projector.reset_parameters()
    assert not torch.equal(projector.linear.weight, before)
