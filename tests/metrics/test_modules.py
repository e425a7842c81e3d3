"""Metrics for Lightning modules."""

import subprocess
import sys

import pytest
import torch

from labelgraph.metrics import pack_bits, retrieval_metrics
from labelgraph.metrics.modules import CrossModalMetrics, RetrievalMetrics


@pytest.fixture
def pairs():
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(20, 16, generator=generator, requires_grad=True) for _ in range(2))
    return image, text, (torch.rand(20, 4, generator=generator) < 0.4).float()


def test_batches_of_pairs_are_measured_together_both_ways(pairs):
    image, text, labels = pairs
    metric = CrossModalMetrics(["map", "recall@3"], similarity="dot")
    for batch in torch.arange(20).split(7):
        metric.update(*(side[batch] for side in pairs))
    there = retrieval_metrics(image, text, labels, labels, ["map", "recall@3"], similarity="dot")
    back = retrieval_metrics(text, image, labels, labels, ["map", "recall@3"], similarity="dot")
    assert {name: value.item() for name, value in metric.compute().items()} == {
        "image_to_text/map": there["map"],
        "image_to_text/recall@3": there["recall@3"],
        "text_to_image/map": back["map"],
        "text_to_image/recall@3": back["recall@3"],
    }
    assert there["map"] != back["map"]
    assert not metric.image[0].requires_grad


def test_ids_bring_pairs_into_order_and_drop_repeated_ones(pairs):
    sides = [pack_bits(side) if side.shape[1] == 16 else side for side in pairs]
    names, options = ["map", "map@5/first-k"], {"similarity": "hamming"}
    ordered, shuffled = CrossModalMetrics(names, **options), CrossModalMetrics(names, **options)
    ordered.update(*sides)
    places = torch.cat([torch.randperm(20, generator=torch.Generator().manual_seed(1)), torch.tensor([3, 3, 0])])
    for batch in places.split(6):
        shuffled.update(*(side[batch] for side in sides), ids=batch)
    assert shuffled.compute() == ordered.compute()


def test_a_reset_forgets_what_was_seen(pairs):
    image, text, labels = pairs
    metric = RetrievalMetrics(["map"], ties="expected")
    metric.update(image, labels, "database")
    metric.update(image, labels)
    metric.compute()
    metric.reset()
    metric.update(text, labels)
    metric.update(image[:10], labels[:10], "database")
    metric.update(image[10:], labels[10:], "database")
    expected = retrieval_metrics(text, image, labels, labels, ["map"], ties="expected")
    assert metric.compute()["map"].item() == expected["map"]


def test_an_unknown_side_is_named():
    with pytest.raises(ValueError, match=r"'side' must be 'query' or 'database' \(got 'gallery'\)"):
        RetrievalMetrics().update(torch.ones(1, 1), torch.ones(1, 1), "gallery")


def test_torchmetrics_is_imported_only_with_the_module():
    code = "import sys, labelgraph.metrics; print('torchmetrics' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "False"
