"""Label embeddings from the co-occurrence itself."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import svds
from torch import Tensor
from torch_geometric.data import Data

from labelgraph.graph.transforms import PMI

DEFAULT_CHANNELS = 300  # As many as word vectors usually have.
DENSE_LABELS = 1024


def pmi_svd(graph: Data, channels: int | None = None) -> Tensor:
    r"""Factorise the positive pointwise mutual information of a label graph.

    With :math:`\mathrm{PPMI} \approx U S V^\top` of the ``channels`` largest singular values, the
    embedding is :math:`U S^{1/2}` (Levy and Goldberg 2014, section 3.4). The diagonal holds
    :math:`\log(N / n_i)`, what a label tells of itself, so that with all channels no two labels share an
    embedding by lack of neighbours; fewer channels may leave such a label at zero. The sign of each
    column is fixed: its largest entry is positive. A label that never occurs is zero.

    Args:
        graph: From `cooccurrence_graph`, with its counts.
        channels: :math:`F`, at most :math:`C`; by default :math:`C`, or 300 where that is less.

    Returns:
        Embeddings of shape :math:`(C, F)`, float32.

    Raises:
        ValueError: If ``channels`` is not in [1, C].

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, pmi_svd
        >>> pmi_svd(cooccurrence_graph([[1, 1, 0], [0, 0, 1], [1, 1, 0]]), channels=2).shape
        torch.Size([3, 2])
    """
    size = graph.num_nodes
    channels = min(size, DEFAULT_CHANNELS) if channels is None else channels
    if not 1 <= channels <= size:
        raise ValueError(f"'channels' must be in [1, {size}], the number of labels (got {channels})")
    pmi = PMI()(graph)
    count = graph.count.numpy()
    occurs = np.flatnonzero(count)
    row, column = (np.concatenate([end.numpy(), occurs]) for end in pmi.edge_index)
    value = np.concatenate([pmi.edge_weight.numpy(), np.log(graph.num_samples / count[occurs])])
    matrix = sp.csr_array((value.astype(np.float64), (row, column)), shape=(size, size))
    if not matrix.data.any():
        return torch.zeros(size, channels)
    if size > DENSE_LABELS and 4 * channels < size:
        # The iteration begins the same way every time, not from a random vector.
        left, singular, _ = svds(matrix, k=channels, v0=np.ones(size))
        left, singular = left[:, ::-1], singular[::-1]
    else:
        left, singular, _ = np.linalg.svd(matrix.toarray())
        left, singular = left[:, :channels], singular[:channels]
    embedding = left * np.sqrt(singular)
    largest = embedding[np.abs(embedding).argmax(0), np.arange(channels)]
    return torch.from_numpy((embedding * np.where(largest < 0, -1.0, 1.0)).astype(np.float32))
