"""Labels by their names."""

import numpy as np
import pytest

from labelgraph import cooccurrence_graph
from labelgraph._core.named_labels import named_labels
from labelgraph.data import CrossModalData


class Frame:
    """A minimal data frame."""

    columns = ("cat", "dog")

    def to_numpy(self):
        return np.array([[1, 0], [1, 1], [0, 1]])


def container(labels, **options):
    return CrossModalData(np.ones((3, 2)), np.ones((3, 2)), labels, **options)


@pytest.mark.parametrize("rows", [[["cat"], ["dog", "cat"], ["dog"]], [{"cat"}, {"dog", "cat"}, ("dog", "dog")]])
def test_collections_of_names(rows):
    data = container(rows)
    assert data.label_names == ("cat", "dog") and data.labels.tolist() == [[1, 0], [1, 1], [0, 1]]
    assert cooccurrence_graph(rows).label_names == ["cat", "dog"]
    assert cooccurrence_graph(rows).count.tolist() == [2, 2]


def test_given_names_keep_their_order():
    data = container([[], ["dog"], ["cat"]], label_names=["dog", "cow", "cat"])
    assert data.labels.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match=r"'labels' must be among 'label_names' \(got 'cta' at row 1\).*'cat'"):
        container([[], ["cta"], []], label_names=["cat"])


def test_a_data_frame():
    assert container(Frame()).label_names == ("cat", "dog")
    assert container(Frame(), label_names=["a", "b"]).label_names == ("a", "b")
    assert cooccurrence_graph(Frame()).label_names == ["cat", "dog"]


@pytest.mark.parametrize("rows", [["cat", "dog", "cat"], [["cat"], "dog", []], [["cat"], [None], []], [{"cat"}, 3, []]])
def test_other_rows_are_refused(rows):
    with pytest.raises(ValueError, match=r"'labels"):
        container(rows)


def test_numbers_are_not_names():
    matrix = [[1, 0], [0, 1], [1, 1]]
    assert named_labels(matrix) == (matrix, ())
    assert container(matrix).labels.tolist() == matrix
