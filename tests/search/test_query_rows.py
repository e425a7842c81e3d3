"""Label probabilities of a query, in dense and in sparse embeddings."""

from types import SimpleNamespace

import pytest
import torch

from labelgraph._core.sparse_rows import pack_rows
from labelgraph.search.query_rows import QueryRow


def row_of(sparse):
    if not sparse:
        return torch.tensor([0.1, 0.7, 0.0, 0.5, 9.0, 8.0]), SimpleNamespace(similarity="jaccard", similarity_labels=4)
    parts = torch.tensor([[0, 1, 3, 0]]), torch.tensor([[0.1, 0.7, 0.5, 0.0]]), torch.tensor([[9.0, 8.0]])
    return pack_rows(*parts)[0], SimpleNamespace(similarity="sparse-jaccard", similarity_labels=4)


@pytest.mark.parametrize("sparse", [False, True])
def test_probabilities_are_read_and_changed_in_place(sparse):
    vector, method = row_of(sparse)
    row = QueryRow(vector, method)
    assert [row[label] for label in range(4)] == pytest.approx([0.1, 0.7, 0.0, 0.5])
    assert row.of([3, 1]).tolist() == pytest.approx([0.5, 0.7])
    assert sorted(row.named()) == [0, 1, 3]
    row[2] = 1.0
    row[1] = 0.25
    row.pair *= 2
    again = QueryRow(vector, method)
    assert again.of(range(4)).tolist() == pytest.approx([0.1, 0.25, 1.0, 0.5])
    assert again.pair.tolist() == [18.0, 16.0]


def test_a_new_label_takes_the_place_of_the_least_probable():
    vector, method = row_of(sparse=True)
    row = QueryRow(vector, method)
    row[70_000] = 1.0
    row[80_000] = 1.0
    assert sorted(row.named()) == [1, 3, 70_000, 80_000]


def test_an_empty_place_is_no_label():
    vector, method = row_of(sparse=True)
    vector[:] = 0
    assert QueryRow(vector, method).named() == [] and QueryRow(vector, method)[0] == 0.0
