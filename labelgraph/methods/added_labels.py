"""Labels that are added to a trained method without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from labelgraph._core.multi_hot import DENSE_LABELS
from labelgraph._core.similarity import unit_length
from labelgraph.methods.label_placement import label_graph, name_vectors, placement_weights
from labelgraph.methods.model_folder import GRAPH_TENSORS, StoredGraph

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from labelgraph.methods.base import Method


def add_label(method: Method, name: str, vectors: Any = None) -> Method:
    """Return a copy of a method with one more label, which needs no training.

    The label is placed in the label graph: an edge leads to it from each of the nearest trained labels, with the cosine
    of the names as weight. Its probability is the mean of the probabilities of these labels, see `graph_probabilities`.
    If the method is trained further, its classifier starts as the mean of their classifiers.

    Args:
        method: A method with label vectors, whose graph has only counts of labels for training, such as
            ``expected-relevance`` without a hash head.
        name: Name of the label.
        vectors: Vector of the name, see `name_vectors`.

    Returns:
        A new method in evaluation mode; the label is its last label.

    Raises:
        ValueError: If the method already has the label, cannot take it, or no trained label has a similar name.
        FileNotFoundError: If the file of vectors does not exist.
        ImportError: If the sentence encoder is needed but not installed.

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import ExpectedRelevanceConfig, add_label, build_method
        >>> config = ExpectedRelevanceConfig(hidden_channels=8)
        >>> graph = cooccurrence_graph([[1, 0], [0, 1]], ["cat", "car"])
        >>> method = build_method("expected-relevance", 6, 5, graph, config)
        >>> method.label_vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).half()
        >>> larger = add_label(method, "kitten", [[0.8, 0.0]])
        >>> cat, car, kitten = larger.label_probabilities("image", torch.rand(1, 6))[0]
        >>> bool(kitten == cat)
        True
    """
    if not method.counts_labels or getattr(method.config, "bits", None) or method._channels is None:
        raise ValueError(f"'method' must be an 'expected-relevance' without a hash head (got {method.name!r}, which "
                         "cannot take further labels)")  # fmt: skip
    graph = label_graph(method)
    if not method.takes_sparse_labels and graph.num_nodes >= DENSE_LABELS:
        raise ValueError(f"'method' must have fewer than {DENSE_LABELS:,} labels to take further ones (got "
                         f"{graph.num_nodes:,}); train it with the label {name!r} instead")  # fmt: skip
    if not name.strip() or name in graph.label_names:
        raise ValueError(f"'name' must be a new label (got {name!r}, which the method has)")
    vector = name_vectors(method, [name], vectors)
    weights = placement_weights(method, vector)[0]
    if not weights.any():
        raise ValueError(f"'name' must have a vector near those of trained labels (got {name!r}, which has none)")
    larger = type(method).from_config(method.config, *method._channels, _with_node(graph, name, weights))
    new = larger.state_dict()
    state = {
        key: value if value.shape == new[key].shape else _with_row(value, weights)
        for key, value in method.state_dict().items()
    }
    larger.to(next(iter(state.values())))
    larger.load_state_dict(state)
    own = cast(Tensor, method.label_vectors)
    larger.encoders, larger.label_vectors = method.encoders, torch.cat([own, unit_length(vector).to(own)])
    return larger.eval()


def _with_row(rows: Tensor, weights: Tensor) -> Tensor:
    """Append the weighted mean of the rows."""
    mean = torch.einsum("c,c...->...", (weights / weights.sum()).to(rows.device, torch.float32), rows.float())
    return torch.cat([rows, mean.to(rows).unsqueeze(0)])


def _with_node(graph: Data | StoredGraph, name: str, weights: Tensor) -> StoredGraph:
    """Append a node without items, with edges from the labels of positive weight."""
    tensors = {key: graph[key].detach().cpu() for key in GRAPH_TENSORS if graph.get(key) is not None}
    source = weights.nonzero().flatten()
    edges = torch.stack([source, torch.full_like(source, len(weights))])
    ends = {"edge_index": edges.t(), "edge_weight": weights[source], "edge_count": torch.zeros(len(source)),
            "count": torch.zeros(1)}  # fmt: skip
    tensors["edge_index"] = tensors["edge_index"].t()
    for key, end in ends.items():
        if key in tensors:
            tensors[key] = torch.cat([tensors[key], end.to(tensors[key])])
    tensors["edge_index"] = tensors["edge_index"].t().contiguous()
    if "x" in tensors:
        tensors["x"] = _with_row(tensors["x"], weights)
    return StoredGraph(tensors, int(graph.num_samples), [*graph.label_names, name])
