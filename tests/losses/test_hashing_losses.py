"""Losses of codes against loops."""

import pytest
import torch

from labelgraph.losses import balance_loss, decorrelation_loss, quantisation_loss


@pytest.mark.parametrize(("size", "bits"), [(1, 1), (1, 5), (7, 1), (6, 5)])
def test_each_loss_is_its_formula(size, bits):
    codes = torch.randn(size, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows = codes.tolist()
    quantisation = sum((abs(c) - 1) ** 2 for row in rows for c in row) / (size * bits)
    balance = sum((sum(row[k] for row in rows) / size) ** 2 for k in range(bits)) / bits
    pairs = [(k, m) for k in range(bits) for m in range(bits) if k != m]
    decorrelation = sum((sum(row[k] * row[m] for row in rows) / size) ** 2 for k, m in pairs) / max(1, len(pairs))
    for loss, expected in (
        (quantisation_loss, quantisation),
        (balance_loss, balance),
        (decorrelation_loss, decorrelation),
    ):
        assert loss(codes).item() == pytest.approx(expected)


def test_good_bits_cost_nothing():
    codes = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert quantisation_loss(codes) == balance_loss(codes) == decorrelation_loss(codes) == 0
