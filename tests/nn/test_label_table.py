"""The table of classifiers, against torch.nn.Linear."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labelgraph.nn import LabelTable, table_parameters


def filled(num_labels=7, channels=3):
    table, linear = LabelTable(num_labels, channels), nn.Linear(channels, num_labels)
    table.weight.data.copy_(linear.weight.data)
    table.bias.data.copy_(linear.bias.data.unsqueeze(1))
    return table, linear


def test_the_scores_of_all_labels_are_those_of_a_linear_layer():
    table, linear = filled()
    hidden = torch.randn(5, 3)
    assert torch.equal(table(hidden), linear(hidden)) and table.out_features == linear.out_features


def test_the_scores_and_gradients_of_some_labels_are_those_of_a_linear_layer():
    table, linear = filled()
    hidden, labels = torch.randn(5, 3), torch.tensor([6, 2, 2, 0])
    scores = table(hidden, labels)
    torch.testing.assert_close(scores, linear(hidden)[:, labels])
    F.softplus(scores).sum().backward()
    F.softplus(linear(hidden)[:, labels]).sum().backward()
    assert table.weight.grad.layout == table.bias.grad.layout == torch.sparse_coo
    torch.testing.assert_close(table.weight.grad.to_dense(), linear.weight.grad)
    torch.testing.assert_close(table.bias.grad.to_dense().flatten(), linear.bias.grad)


def test_the_biases_start_as_the_log_odds_of_the_labels():
    table = LabelTable(3, 2, counts=torch.tensor([0, 4, 9]), num_items=9)
    torch.testing.assert_close(table(torch.randn(1, 2)).sigmoid(), torch.tensor([[1 / 11, 5 / 11, 10 / 11]]))


def test_the_parameters_of_tables_are_found_within_a_module():
    table = LabelTable(3, 2)
    found = table_parameters(nn.Sequential(nn.Linear(2, 2), nn.Sequential(table)))
    assert [id(each) for each in found] == [id(table.weight), id(table.bias)]
    assert table_parameters(nn.Linear(2, 2)) == []


@pytest.mark.parametrize("num_labels", [50, 5000])
def test_a_step_touches_only_the_given_labels(num_labels):
    table, labels = LabelTable(num_labels, 3), torch.tensor([1, 40])
    optimizer = torch.optim.SparseAdam(table_parameters(table), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        table(torch.ones(2, 3), labels).sum().backward()
        optimizer.step()
    assert table.weight.detach().any(1).nonzero().flatten().tolist() == [1, 40]
