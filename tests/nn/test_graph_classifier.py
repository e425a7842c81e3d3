"""Scores by classifiers of a label graph."""

import torch
from torch import nn

from labelgraph.nn import GraphClassifier, LabelBranch


class Given(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, *_):
        return self.value


def test_scores_are_scaled_products_and_a_bias():
    classifiers = torch.tensor([[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 3.0, -1.0]])
    branch = LabelBranch(Given(torch.zeros(2, 1)), Given((None, None)), Given(classifiers))
    classifier = GraphClassifier(branch, 2)
    with torch.no_grad():
        classifier.bias.copy_(torch.tensor([0.5, 0.0]))
    scores = classifier(torch.tensor([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 0.0, 2.0]]))
    assert scores.tolist() == [[3 / 2 + 0.5, 1.0], [1.5, -1.0]]  # The root of 4 channels is 2.
