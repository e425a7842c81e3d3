"""Published counts of labels."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.io import savemat

from labelgraph.data import count_bins, count_labels, load_label_counts
from labelgraph.graph import cooccurrence_graph

LABELS = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]])
COUNT, JOINT = [3, 2, 2, 0], [[0, 2, 2, 0], [2, 0, 1, 0], [2, 1, 0, 0], [0, 0, 0, 0]]


def test_counts_are_those_of_the_label_graph():
    counts, graph = count_labels(LABELS), cooccurrence_graph(LABELS)
    assert counts.count.tolist() == COUNT == graph.count.tolist()
    assert counts.joint.tolist() == JOINT
    assert counts.joint[tuple(graph.edge_index.numpy())].tolist() == graph.edge_count.tolist()


@pytest.mark.parametrize("diagonal", [0, 1, 2])
@pytest.mark.parametrize("shape", [(1, 4), (4, 1)])
def test_a_file_is_read_with_its_diagonal(tmp_path, diagonal, shape):
    adj = np.array(JOINT) + diagonal * np.diag(COUNT)
    savemat(tmp_path / "adj.mat", {"adj": adj.astype(float), "nums": np.reshape(COUNT, shape)})
    counts = load_label_counts(tmp_path, LABELS)
    assert counts.joint.tolist() == adj.tolist() and counts.count.tolist() == COUNT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nums": COUNT[:3]}, r"'adj' must have the shape \(3, 3\) .*got \(4, 4\)"),
        ({"nums": [3, 2, 2.5, 0]}, "'nums' must be counts"),
        ({"nums": [3, 2, np.nan, 0]}, "'nums' must be counts"),
        ({"nums": [3, 2, -2, 0]}, "'nums' must be counts"),
        ({"adj": np.triu(JOINT)}, "'adj' must be symmetric"),
        ({"nums": [1, 1, 1, 0]}, "no count larger than its 'nums'"),
        ({"nums": [3, 2, 2, 1]}, r"'nums' must have the counts of 'labels', 0 at \(3,\) \(got 1, and 1 differences"),
        (
            {"adj": np.zeros((4, 4))},
            r"'adj' must have the counts of 'labels', 2 at \(0, 1\) \(got 0, and 6 differences",
        ),
    ],
)
def test_wrong_counts_are_refused(tmp_path, changes, message):
    savemat(tmp_path / "adj.mat", {"adj": JOINT, "nums": COUNT} | changes)
    with pytest.raises(ValueError, match=message) as error:
        load_label_counts(tmp_path / "adj.mat", LABELS)
    assert str(error.value).startswith(str(tmp_path))


def test_every_count_is_in_the_bin_that_names_it():
    for count, name in enumerate(count_bins(range(100)).tolist()):
        low, _, high = name.rstrip("+").partition("-")
        assert count >= int(low) and (name == "40+" or count <= int(high or low))


@pytest.mark.parametrize("count", [[-1], [[1]], ["one"], [np.nan]])
def test_counts_that_are_none_are_refused(count):
    with pytest.raises(ValueError, match="'count' must be a vector of numbers from 0"):
        count_bins(count)


def test_counts_of_many_labels_are_sparse(tmp_path):
    wide = sp.csr_array(LABELS)
    wide.resize((4, 3000))
    counts = count_labels(wide)
    assert counts.count[:4].tolist() == COUNT and counts.count.sum() == sum(COUNT)
    assert counts.joint.shape == (3000, 3000) and counts.joint[:4, :4].toarray().tolist() == JOINT
    assert counts.joint.nnz == np.count_nonzero(JOINT)
    savemat(tmp_path / "adj.mat", {"adj": counts.joint.tocsc().astype(float), "nums": counts.count})
    again = load_label_counts(tmp_path, wide)
    assert (again.joint != counts.joint).nnz == 0 and again.count.tolist() == counts.count.tolist()
    counts.joint.data[0] = counts.joint.data[2] = 1  # The pair of the labels 0 and 1, in both orders.
    savemat(tmp_path / "adj.mat", {"adj": counts.joint.tocsc().astype(float), "nums": counts.count})
    with pytest.raises(ValueError, match=r"'adj' .* 2 at \(0, 1\) \(got 1, and 2 differences"):
        load_label_counts(tmp_path, wide)
