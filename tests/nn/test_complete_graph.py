"""Edges between all pairs."""

import pytest
import torch

from labelgraph.nn import complete_edges, dense_adjacency


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_all_pairs_sorted_by_source(size):
    edges = complete_edges(size)
    assert edges.shape == (2, size**2) and edges.dtype == torch.long
    assert edges.t().tolist() == [[source, target] for source in range(size) for target in range(size)]


def test_the_entries_of_a_matrix_row_by_row_are_its_weights():
    matrix = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(dense_adjacency(complete_edges(5), matrix.flatten(), 5), matrix)


def test_device():
    assert complete_edges(3).device.type == "cpu"
    assert complete_edges(3, "meta").device.type == complete_edges(3, torch.device("meta")).device.type == "meta"
