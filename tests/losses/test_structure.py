"""The structure loss against a loop."""

import pytest
import torch

from labelgraph.losses import structure_loss
from labelgraph.losses.structure import draw_negatives


def case(num_layers, size):
    generator = torch.Generator().manual_seed(0)
    propagation, static = (torch.rand(size, size, generator=generator, dtype=torch.float64) for _ in range(2))
    return propagation, static, (torch.rand(num_layers, size, size, generator=generator) < 0.3).double()


def slow(propagation, static, draws):
    size, total = len(static), 0.0
    for layer in draws.tolist():
        for j in range(size):
            for i in range(size):
                target = min(static[j][i].item() + layer[j][i], 0.5)
                total += (propagation[j][i].item() - target) ** 2 / size**2
    return total


@pytest.mark.parametrize(("num_layers", "size"), [(3, 4), (1, 4), (2, 1), (0, 4)])
def test_against_a_loop(num_layers, size):
    arguments = case(num_layers, size)
    assert structure_loss(*arguments).item() == pytest.approx(slow(*arguments))


def test_gradient():
    propagation, static, draws = case(2, 3)
    assert torch.autograd.gradcheck(lambda p: structure_loss(p, static, draws), propagation.requires_grad_())


def test_no_layers_give_a_zero_gradient():
    propagation, static, draws = case(0, 3)
    structure_loss(propagation.requires_grad_(), static, draws).backward()
    assert propagation.grad.tolist() == [[0.0] * 3] * 3


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_random_edges_come_at_their_rate(rate):
    torch.manual_seed(0)
    draws = draw_negatives(3, 50, rate, torch.zeros(1, dtype=torch.float64))
    assert draws.shape == (3, 50, 50) and draws.dtype == torch.float64
    assert set(draws.unique().tolist()) <= {0.0, 1.0}
    assert draws.mean().item() == pytest.approx(rate, abs=0.02)
    if 0 < rate < 1:
        assert not torch.equal(draws[0], draws[1])
