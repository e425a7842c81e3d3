"""Batch normalisation against torch's, and of a single item."""

import pytest
import torch

from labelgraph.nn import FeatureNorm


def pair(**arguments):
    """Ours and torch's, with the same scale and shift."""
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
def test_larger_batches_equal_those_of_torch(arguments):
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
