"""The first linear map: sparse features against the same ones dense."""

import pytest
import torch
from torch import nn

from labelgraph.nn import FeatureLinear, FeatureNorm, LabelConv, feature_product, occurring_columns


def bags(size, words, seed=0):
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 4, (size, words), generator=generator, dtype=torch.float64)
    return counts * (torch.rand(size, words, generator=generator) < 0.1)


@pytest.mark.parametrize("size", [1, 2, 33])
@pytest.mark.parametrize("words", [1, 7, 200])
def test_values_and_gradients_are_those_of_dense_features(size, words):
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


def test_dense_features_go_through_the_plain_map():
    linear, x = FeatureLinear(4, 3), torch.rand(2, 4)
    assert torch.equal(linear(x), nn.functional.linear(x, linear.weight, linear.bias))


def test_the_product_with_a_weight_of_rows():
    x, weight = bags(6, 30), torch.rand(30, 4, dtype=torch.float64)
    torch.testing.assert_close(feature_product(x.to_sparse_csr(), weight), x @ weight)


def test_occurring_columns_hold_all_that_is_not_zero():
    x = bags(5, 40, seed=3)
    columns, dense = occurring_columns(x.to_sparse_csr())
    assert columns.tolist() == x.any(0).nonzero().flatten().tolist()
    assert torch.equal(dense, x[:, columns])


def test_a_convolution_over_items_and_a_norm_take_sparse_features_too():
    x, edges = bags(6, 30).float(), torch.tensor([[0, 5], [1, 1]])
    for layer in (lambda x: LabelConv(30, 4, bias=True)(x, edges), FeatureNorm(30)):
        torch.manual_seed(0)
        expected = layer(x)
        torch.manual_seed(0)
        torch.testing.assert_close(layer(x.to_sparse_csr()), expected)
