"""Label graphs from co-occurrence counts, and PMI-SVD label embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import svds
from torch import Tensor
from torch_geometric.data import Data

from labelgraph._core.array_kinds import check_distinct, plain_array
from labelgraph._core.checked_config import check_value
from labelgraph._core.checks import check_multi_hot, csr_tensor
from labelgraph._core.named_labels import named_labels
from labelgraph.graph.edges import LabelNames, check_graph
from labelgraph.graph.transforms import PMI

Condition = Literal["target", "source"]


def cooccurrence_graph(
    labels: Any,
    label_names: Sequence[str] | None = None,
    *,
    condition_on: Condition = "target",
    x: Any = None,
) -> Data:
    r"""Build the co-occurrence graph of labels, whose edges join labels that occur together.

    With the joint count :math:`M = Y^\top Y` (diagonal 0) and the count :math:`n_i` of label
    :math:`i`, the weight of the edge :math:`i \to j` is the conditional probability

    .. math:: P(i \mid j) = M_{ij} / n_j \quad\text{or}\quad P(j \mid i) = M_{ij} / n_i,

    conditioned on the target (ALGCN and DAGNN, doi:10.1109/TMM.2021.3101642) or on the source (ML-GCN,
    Chen et al. 2019, eq. 5). The cost is one sparse product. Labels without edges stay in the graph.

    Args:
        labels: Multi-hot labels, 0 or 1, shape :math:`(N, C)`, as a NumPy, torch (dense or sparse) or SciPy matrix. Or
            a list with a collection of label names for each item, such as ``[["sky", "sea"], {"sea"}]``. Or a data
            frame whose column names are the label names.
        label_names: The :math:`C` label names; defaults to ``label 0``, ``label 1``, ...
        condition_on: End of an edge on which the probability is conditioned.
        x: Label embeddings, shape :math:`(C, F)`.

    Returns:
        `Data` with ``edge_index`` (2, E) sorted by source and target, ``edge_weight`` (E,),
        ``edge_count`` (E,) = :math:`M_{ij}`, ``count`` (C,), ``num_samples``, ``label_names`` and ``x``.

    Raises:
        ValueError: If labels are not 0 or 1, or the number of names or embeddings differs from the number of labels.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> graph = cooccurrence_graph([[1, 1, 0], [1, 0, 0], [1, 1, 0]], ["sky", "sun", "cat"])
        >>> graph.edge_index.tolist()
        [[0, 1], [1, 0]]
        >>> [round(p, 2) for p in graph.edge_weight.tolist()]  # P(sky | sun), P(sun | sky)
        [1.0, 0.67]
        >>> graph.count.tolist()
        [3, 2, 0]
    """
    if condition_on not in ("target", "source"):
        raise ValueError(f"'condition_on' must be 'target' or 'source' (got {condition_on!r})")
    # Counts can exceed the range of the small integer types in which labels are stored.
    labels, named = named_labels(labels, label_names)
    matrix = check_multi_hot("labels", labels).astype(np.int64)
    num_samples, num_labels = matrix.shape
    names = list(named) if named or label_names is not None else [f"label {i}" for i in range(num_labels)]
    if len(names) != num_labels:
        raise ValueError(f"'label_names' must have {num_labels} entries (got {len(names)})")
    check_distinct("label_names", names)
    x = _embeddings(x, num_labels)

    # The product is symmetric, so its columns equal its rows. Conversion to CSC sorts the columns in linear time.
    joint = (matrix.T.tocsr() @ matrix).tocsc()
    source = np.repeat(np.arange(num_labels), np.diff(joint.indptr))
    off_diagonal = source != joint.indices
    edge_index = torch.empty(2, int(off_diagonal.sum()), dtype=torch.long)
    edge_index.numpy()[:] = source[off_diagonal], joint.indices[off_diagonal]
    edge_count = torch.from_numpy(joint.data[off_diagonal])
    count = torch.from_numpy(np.asarray(matrix.sum(0)).reshape(-1))
    condition = edge_index[1] if condition_on == "target" else edge_index[0]
    return Data(
        x=x,
        edge_index=edge_index,
        edge_weight=edge_count / count[condition].to(torch.get_default_dtype()),
        edge_count=edge_count,
        count=count,
        num_samples=num_samples,
        num_nodes=num_labels,
        label_names=LabelNames(names),
    )


def _embeddings(x: Any, num_labels: int) -> Tensor | None:
    if x is None:
        return None
    dense = x if isinstance(x, Tensor) else torch.from_numpy(plain_array("x", x))
    if dense.ndim != 2 or dense.shape[0] != num_labels:
        raise ValueError(f"'x' must have shape ({num_labels}, F) (got {tuple(dense.shape)})")
    if not dense.isfinite().all():
        raise ValueError("'x' must be finite (got NaN or infinity)")
    return dense


DEFAULT_CHANNELS = 300  # The usual size of word vectors.
DENSE_SVD_LABELS = 1024  # Up to so many labels, all singular values are computed.
EXACT_SVD_LABELS = 10_000  # Of 100,000 labels, the exact decomposition takes 205 s of a core, the random one 24 s.
OVERSAMPLED, POWERS = 10, 4


def pmi_svd(graph: Data, channels: int | None = None) -> Tensor:
    r"""Embed labels by a factorisation of the positive pointwise mutual information (PPMI) of a label graph.

    With :math:`\mathrm{PPMI} \approx U S V^\top`, truncated to the ``channels`` largest singular values, the
    embedding is :math:`U S^{1/2}` (Levy and Goldberg 2014, section 3.4). The diagonal of the PPMI matrix is the
    self-information :math:`\log(N / n_i)`. With all channels, labels without neighbours therefore have distinct
    embeddings; with fewer channels, the embedding of a label without neighbours may be zero. The sign of each column
    is fixed: its largest entry is positive. The embedding of a label that never occurs is zero. With more than 10,000
    labels, the decomposition is a randomised one with a fixed seed (Halko et al. 2011, arXiv:0909.4061), which
    exchanges directions of nearly equal singular values.

    Args:
        graph: Label graph with counts, as `cooccurrence_graph` returns it.
        channels: Embedding size :math:`F`, at most :math:`C`; defaults to :math:`C`, or to 300 if :math:`C` is larger.

    Returns:
        Embeddings of shape :math:`(C, F)`, in the default precision of torch.

    Raises:
        ValueError: If ``channels`` is not in [1, C], or the counts of the graph are missing.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, pmi_svd
        >>> pmi_svd(cooccurrence_graph([[1, 1, 0], [0, 0, 1], [1, 1, 0]]), channels=2).shape
        torch.Size([3, 2])
    """
    check_graph(graph, ("edge_count", "count", "num_samples"))
    size = graph.num_nodes
    channels = min(size, DEFAULT_CHANNELS) if channels is None else check_value("channels", channels, int)
    if not 1 <= channels <= size:
        raise ValueError(f"'channels' must be in [1, {size}], the number of labels (got {channels})")
    pmi = PMI()(graph)
    count = graph.count.cpu().numpy()
    occurs = np.flatnonzero(count)
    row, column = (np.concatenate([end.cpu().numpy(), occurs]) for end in pmi.edge_index)
    value = np.concatenate([pmi.edge_weight.cpu().numpy(), np.log(graph.num_samples / count[occurs])])
    matrix = sp.csr_array((value.astype(np.float64), (row, column)), shape=(size, size))
    if not matrix.data.any():
        return torch.zeros(size, channels)
    left, singular = _largest(matrix, channels)
    embedding = left * np.sqrt(singular)
    embedding[count == 0] = 0  # A decomposition may return up to 1e-7 for a singular value of 0.
    largest = embedding[np.abs(embedding).argmax(0), np.arange(channels)]
    return torch.from_numpy(embedding * np.where(largest < 0, -1.0, 1.0)).to(torch.get_default_dtype())


def _largest(matrix: sp.csr_array, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the left singular vectors (C, count) of the largest singular values, and these values in falling order."""
    size = matrix.shape[0]
    if size <= DENSE_SVD_LABELS or 4 * count >= size:
        left, singular, _ = np.linalg.svd(matrix.toarray())
        return left[:, :count], singular[:count]
    if size <= EXACT_SVD_LABELS:
        # A fixed start vector makes the result reproducible; the default start vector is random.
        left, singular, _ = svds(matrix, k=count, v0=np.ones(size))
        return left[:, ::-1], singular[::-1]
    with torch.random.fork_rng([]):
        torch.default_generator.manual_seed(0)
        parts = torch.svd_lowrank(csr_tensor(matrix.astype(np.float32)), q=count + OVERSAMPLED, niter=POWERS)
    return parts[0][:, :count].double().numpy(), parts[1][:count].double().numpy()
