"""Feature normalisation, linear maps of sparse features, and projectors, against torch."""

import pytest
import torch
from torch import nn

from labelgraph.nn import FeatureLinear, FeatureNorm, LabelConv, Projector, feature_product, occurring_columns


def pair(**arguments):
    """Our layer and the layer of torch, with the same scale and shift."""
    torch.manual_seed(0)
    ours, theirs = FeatureNorm(3, **arguments), torch.nn.BatchNorm1d(3, **arguments)
    with torch.no_grad():
        for norm in (ours, theirs):
            norm.weight.copy_(torch.tensor([0.5, -1.0, 2.0]))
            norm.bias.copy_(torch.tensor([0.1, 0.0, -3.0]))
    return ours, theirs


def batches(*sizes):
    generator = torch.Generator().manual_seed(1)
    return [2 + 3 * torch.randn(size, 3, generator=generator) for size in sizes]


@pytest.mark.parametrize("arguments", [{}, {"momentum": 0.4, "eps": 0.1}, {"momentum": None}])
def test_larger_batches_are_normalised_as_in_torch(arguments):
    ours, theirs = pair(**arguments)
    for batch in batches(2, 5, 3):
        assert torch.equal(ours(batch), theirs(batch))
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
    assert not torch.equal(ours.running_mean, torch.zeros(3))
    for batch in batches(4, 1):
        assert torch.equal(ours.eval()(batch), theirs.eval()(batch))


def test_one_item_in_training_is_normalised_as_in_evaluation():
    ours, theirs = pair(eps=0.1)
    first, item, last = batches(5, 1, 4)
    ours(first), theirs(first)
    state = {name: value.clone() for name, value in ours.state_dict().items()}
    out = ours(item)
    assert ours.training
    assert all(torch.equal(value, state[name]) for name, value in ours.state_dict().items())
    torch.testing.assert_close(out, theirs.eval()(item))
    expected = (item - state["running_mean"]) / (state["running_var"] + 0.1).sqrt() * state["weight"] + state["bias"]
    torch.testing.assert_close(out, expected)
    assert torch.equal(ours(last), theirs.train()(last))
    assert torch.equal(ours.running_var, theirs.running_var)


def test_one_item_gives_gradients():
    norm, _ = pair()
    item = batches(1)[0].requires_grad_()
    norm(item).sum().backward()
    torch.testing.assert_close(item.grad, (norm.weight / (1 + 1e-5) ** 0.5).detach().unsqueeze(0))
    torch.testing.assert_close(norm.weight.grad, item.detach()[0] / (1 + 1e-5) ** 0.5)
    assert norm.bias.grad.tolist() == [1.0] * 3


def test_equal_items_have_finite_gradients():
    norm, _ = pair()
    batch = batches(1)[0].repeat(4, 1).requires_grad_()
    out = norm(batch)
    torch.testing.assert_close(out, norm.bias.expand(4, 3), rtol=0, atol=1e-3)
    out.square().sum().backward()
    assert torch.isfinite(batch.grad).all()


def bags(size, words, seed=0):
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 4, (size, words), generator=generator, dtype=torch.float64)
    return counts * (torch.rand(size, words, generator=generator) < 0.1)


@pytest.mark.parametrize("size", [1, 2, 33])
@pytest.mark.parametrize("words", [1, 7, 200])
def test_values_and_gradients_equal_those_of_dense_features(size, words):
    x = bags(size, words)
    linear = FeatureLinear(words, 5).double()
    plain = nn.Linear(words, 5).double()
    plain.load_state_dict(linear.state_dict())
    ours, expected = linear(x.to_sparse_csr()), plain(x)
    torch.testing.assert_close(ours, expected)
    gradient = torch.rand_like(expected)
    ours.backward(gradient)
    expected.backward(gradient)
    torch.testing.assert_close(linear.weight.grad, plain.weight.grad)
    torch.testing.assert_close(linear.bias.grad, plain.bias.grad)


def test_texts_without_any_word():
    linear = FeatureLinear(4, 3)
    ours = linear(torch.zeros(2, 4).to_sparse_csr())
    assert torch.equal(ours, linear.bias.expand(2, 3))
    ours.sum().backward()
    assert not linear.weight.grad.any()


def test_dense_features_use_the_dense_map():
    linear, x = FeatureLinear(4, 3), torch.rand(2, 4)
    assert torch.equal(linear(x), nn.functional.linear(x, linear.weight, linear.bias))


def test_the_product_with_a_weight_of_rows():
    x, weight = bags(6, 30), torch.rand(30, 4, dtype=torch.float64)
    torch.testing.assert_close(feature_product(x.to_sparse_csr(), weight), x @ weight)


def test_occurring_columns_hold_all_nonzero_entries():
    x = bags(5, 40, seed=3)
    columns, dense = occurring_columns(x.to_sparse_csr())
    assert columns.tolist() == x.any(0).nonzero().flatten().tolist()
    assert torch.equal(dense, x[:, columns])


def test_item_convolutions_and_norms_accept_sparse_features():
    x, edges = bags(6, 30).float(), torch.tensor([[0, 5], [1, 1]])
    for layer in (lambda x: LabelConv(30, 4, bias=True)(x, edges), FeatureNorm(30)):
        torch.manual_seed(0)
        expected = layer(x)
        torch.manual_seed(0)
        torch.testing.assert_close(layer(x.to_sparse_csr()), expected)


def test_a_linear_map_and_a_relu():
    torch.manual_seed(0)
    projector, features = Projector(5, 3), torch.randn(7, 5)
    expected = (features @ projector.linear.weight.t() + projector.linear.bias).clamp(min=0)
    torch.testing.assert_close(projector(features), expected)
    assert (expected == 0).any() and (expected > 0).any()


def test_reset_reinitialises_the_weights():
    projector = Projector(5, 3)
    before = projector.linear.weight.clone()
    projector.reset_parameters()
    assert not torch.equal(projector.linear.weight, before)


def test_batch_norm_normalises_the_features_first():
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


def test_reset_clears_the_running_statistics():
    projector = Projector(5, 3, batch_norm=True)
    projector(2 + 3 * torch.randn(7, 5))
    assert projector.norm.running_mean.any()
    before = projector.linear.weight.clone()
    projector.reset_parameters()
    assert not projector.norm.running_mean.any() and torch.equal(projector.norm.running_var, torch.ones(5))
    assert not torch.equal(projector.linear.weight, before)


def test_no_normalisation_by_default():
    assert set(Projector(5, 3).state_dict()) == {"linear.weight", "linear.bias"}
