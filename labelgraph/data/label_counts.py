"""Counts of labels and of pairs of labels, from label matrices or published files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.checks import check_multi_hot
from labelgraph._core.multi_hot import DENSE_LABELS
from labelgraph.data.formats.matlab import read_mat

# Bins of labels by their number of training items, with the smallest number of each bin.
COUNT_BINS = {"0": 0, "1-2": 1, "3-5": 3, "6-11": 6, "12-39": 12, "40+": 40}
FEW_ITEMS = 12  # A label with fewer training items is rare.


def count_bins(count: Any) -> np.ndarray:
    """Name the bin of each label by its number of items, a key of ``COUNT_BINS``.

    Args:
        count: Number of training items of each label, shape (C,).

    Returns:
        Names, shape (C,).

    Raises:
        ValueError: If ``count`` is not a vector of numbers from 0.

    Example:
        >>> from labelgraph.data import count_bins
        >>> count_bins([0, 1, 2, 3, 11, 12, 500]).tolist()
        ['0', '1-2', '1-2', '3-5', '6-11', '12-39', '40+']
    """
    counts = np.asarray(count)
    if counts.ndim != 1 or counts.dtype.kind not in "biuf" or (counts.size and not counts.min() >= 0):
        raise ValueError(f"'count' must be a vector of numbers from 0 (got {counts.dtype}, shape {counts.shape})")
    place = np.searchsorted([*COUNT_BINS.values()], counts, side="right") - 1
    names: np.ndarray = np.array([*COUNT_BINS])[place]
    return names


@dataclass(frozen=True, eq=False)
class LabelCounts:
    """Counts from which a label graph is built.

    Attributes:
        count: Number of items of each label, shape (C,), int64.
        joint: Number of items of each pair of labels, shape (C, C), int64; with more than ``DENSE_LABELS`` labels, a
            CSR array. The diagonal is as published: 0, the counts, or twice the counts.
    """

    count: np.ndarray
    joint: Any


def count_labels(labels: Any) -> LabelCounts:
    """Count the items of each label and of each pair of labels; the diagonal of the pairs is 0.

    Args:
        labels: Multi-hot labels, shape (N, C), dense or sparse.

    Example:
        >>> from labelgraph.data import count_labels
        >>> counts = count_labels([[1, 1], [1, 0]])
        >>> counts.count.tolist(), counts.joint.tolist()
        ([2, 1], [[0, 1], [1, 0]])
    """
    matrix = check_multi_hot("labels", labels).astype(np.int64)
    joint = sp.csr_array(matrix.T @ matrix)
    count = joint.diagonal()
    return LabelCounts(count, _dense_if_small(_off_diagonal(joint)))


def _off_diagonal(joint: sp.csr_array) -> sp.csr_array:
    row = np.repeat(np.arange(joint.shape[0]), np.diff(joint.indptr))
    rest = joint.copy()
    rest.data[rest.indices == row] = 0
    rest.eliminate_zeros()
    return rest


def _dense_if_small(joint: sp.csr_array) -> Any:
    return joint.toarray() if joint.shape[0] <= DENSE_LABELS else joint


def load_label_counts(path: str | Path, labels: Any = None) -> LabelCounts:
    """Read ``adj.mat``: ``adj`` (C, C), the counts of pairs of labels, and ``nums`` (C,), the counts of labels.

    Args:
        path: The file, or its folder.
        labels: Labels, shape (N, C), to check the counts against, such as the training labels.

    Returns:
        The counts, as from `count_labels`; the diagonal of ``joint`` is as in the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the counts are not integers, symmetric and possible, or differ from the counts of ``labels``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from scipy.io import savemat
        >>> from labelgraph.data import load_label_counts
        >>> folder = Path(tempfile.mkdtemp())
        >>> savemat(folder / "adj.mat", {"adj": [[0, 1], [1, 0]], "nums": [2, 1]})
        >>> load_label_counts(folder, labels=[[1, 1], [1, 0]]).count.tolist()
        [2, 1]
    """
    path = Path(path)
    path = path / "adj.mat" if path.is_dir() else path
    joint = _whole(path, "adj", (None, None))
    count = _whole(path, "nums", None).toarray().ravel()
    if joint.shape != (len(count), len(count)):
        raise ValueError(
            f"{path}: 'adj' must have the shape {(len(count),) * 2} for {len(count)} 'nums' (got {joint.shape})"
        )
    off_diagonal = _off_diagonal(joint)
    if (joint != joint.T).nnz or (off_diagonal.data > count[off_diagonal.indices]).any():
        raise ValueError(f"{path}: 'adj' must be symmetric, and no count larger than its 'nums' (got other counts)")
    if labels is not None:
        _compare(path, LabelCounts(count, off_diagonal), count_labels(labels))
    return LabelCounts(count, _dense_if_small(joint))


def _whole(path: Path, key: str, shape: tuple[None, None] | None) -> sp.csr_array:
    array: Any = read_mat(path, key, shape=shape)
    matrix = sp.csr_array(array if sp.issparse(array) else np.atleast_2d(array))
    with np.errstate(invalid="ignore"):
        whole: sp.csr_array = matrix.astype(np.int64)
    if (whole.data != matrix.data).any() or (whole.data < 0).any():
        raise ValueError(f"{path}: '{key}' must be counts, whole and not negative (got others)")
    return whole


def _compare(path: Path, counts: LabelCounts, expected: LabelCounts) -> None:
    if counts.count.shape != expected.count.shape:
        number = len(expected.count)
        raise ValueError(f"{path}: 'nums' must have an entry per label, {number} (got {len(counts.count)})")
    for key, have, want in (("nums", counts.count, expected.count), ("adj", counts.joint, expected.joint)):
        columns = [sp.csr_array(part.reshape(-1, 1) if part.ndim == 1 else part) for part in (have, want)]
        places = np.transpose((columns[0] != columns[1]).sorted_indices().nonzero())
        if len(places):
            place = tuple(map(int, places[0][: have.ndim]))
            raise ValueError(
                f"{path}: '{key}' must have the counts of 'labels', {want[place]} at {place} "
                f"(got {have[place]}, and {len(places)} differences in all)"
            )
