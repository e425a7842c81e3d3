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


def test_normalises_the_features_first():
    torch.manual_seed(0)
    projector, features = Projector(5, 3, batch_norm=True), 2 + 3 * torch.randn(7, 5)
    with torch.no_grad():
        projector.norm.weight.uniform_(0.5, 2)
        projector.norm.bias.uniform_(-1, 1)
    normal = (features - features.mean(0)) / (features.var(0, unbiased=False) + 1e-5).sqrt()
    normal = normal * projector.norm.weight + projector.norm.bias
    expected = (normal @ projector.linear.weight.t() + projector.linear.bias).clamp(min=0)
    torch.testing.assert_close(projector(features), expected, rtol=1e-4, atol=1e-5)
    assert (expected == 0).any() and (expected > 0).any()


def test_a_batch_of_one_is_normalised_in_training_too():
    torch.manual_seed(0)
    projector, features = Projector(5, 9, batch_norm=True), 2 + 3 * torch.randn(7, 5)
    projector(features)
    out = projector(features[:1])
    assert projector.training and out.any()
    torch.testing.assert_close(out, projector.eval()(features[:1]))


def test_reset_forgets_what_the_normalisation_has_seen():
    projector = Projector(5, 3, batch_norm=True)
    projector(2 + 3 * torch.randn(7, 5))
    assert projector.norm.running_mean.any()
    before = projector.linear.weight.clone()
    projector.reset_parameters()
    assert not projector.norm.running_mean.any() and torch.equal(projector.norm.running_var, torch.ones(5))
    assert not torch.equal(projector.linear.weight, before)


def test_no_normalisation_by_default():
    assert set(Projector(5, 3).state_dict()) == {"linear.weight", "linear.bias"}
