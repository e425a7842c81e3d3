"""Targets softened along the label graph, against a loop."""

import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.nn import LabelSmoothing

LABELS = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0]]).float()


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("condition_on", ["target", "source"])
def test_equals_a_loop(share, condition_on):
    graph = cooccurrence_graph(LABELS, condition_on=condition_on)
    batch = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    softened = LabelSmoothing(graph, share)(batch)
    for row, labels in zip(softened, batch, strict=True):
        held = labels.nonzero().flatten().tolist()
        for label in range(4):
            with_it = [sum(y[label] * y[i] for y in LABELS) / sum(y[i] for y in LABELS) for i in held]
            along = sum(with_it) / max(1, len(held))
            assert row[label].item() == pytest.approx(float((1 - share) * labels[label] + share * along), abs=1e-6)


def test_a_wrong_share_is_named():
    with pytest.raises(ValueError, match=r"'share' must be in \[0, 1\] \(got 2\)"):
        LabelSmoothing(cooccurrence_graph(LABELS), 2)
