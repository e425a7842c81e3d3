"""Checks of label graphs, selection and addition of edges, and label names that PyG transforms can filter."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

NODE_KEYS = frozenset({"x", "count", "label_names", "pos", "y", "batch"})


class LabelNames(list[str]):
    """List of label names that PyG transforms can filter and pad like the other node attributes."""

    ndim = 1

    def __getitem__(self, places: Any) -> Any:
        if isinstance(places, Tensor) and places.ndim:
            numbers = places.nonzero().flatten() if places.dtype == torch.bool else places
            return LabelNames(list.__getitem__(self, number) for number in numbers.tolist())
        selected = list.__getitem__(self, places)
        return LabelNames(selected) if isinstance(places, slice) else selected

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is not torch.nn.functional.pad:
            return NotImplemented
        names, (before, after) = args[0], args[1]
        return LabelNames([""] * before + list(names) + [f"node {len(names) + i}" for i in range(after)])


def names_of(data: Data) -> LabelNames:
    """Return the label names of a graph; a node that a PyG transform added is named by its number, as in ``node 7``.

    Raises:
        ValueError: If the graph has no label names, or more names than labels.
    """
    names = data.get("label_names")
    if names is None:
        raise ValueError(f"'data' must carry 'label_names' (got only {', '.join(data.keys())})")
    if len(names) > data.num_nodes:
        raise ValueError(f"'label_names' must have {data.num_nodes} entries, one for each label (got {len(names)})")
    return LabelNames([*map(str, names), *(f"node {i}" for i in range(len(names), data.num_nodes))])


def check_edges(edge_index: Any, num_nodes: int, edge_weight: Any = None) -> Tensor:
    """Check edge indices and edge weights, and return the indices as int64.

    Args:
        edge_index: Edge indices, shape (2, E), of any integer type.
        num_nodes: Number of nodes.
        edge_weight: Edge weights, shape (E,), or None.

    Raises:
        TypeError: If an argument is not a tensor.
        IndexError: If an edge refers to a node that does not exist.
        ValueError: If a shape is wrong, or the indices are not whole numbers.

    Example:
        >>> import torch
        >>> from labelgraph.graph.edges import check_edges
        >>> check_edges(torch.tensor([[0], [2]]), 2)
        Traceback (most recent call last):
            ...
        IndexError: 'edge_index' must be in [0, 1], the 2 nodes (got 2)
    """
    for name, value in (("edge_index", edge_index), ("edge_weight", edge_weight)):
        if not isinstance(value, Tensor) and (value is not None or name == "edge_index"):
            raise TypeError(f"'{name}' must be a tensor (got {type(value).__name__})")
    if edge_index.ndim != 2 or edge_index.size(0) != 2:
        raise ValueError(f"'edge_index' must have the shape (2, E) (got {tuple(edge_index.shape)})")
    kind = edge_index.dtype
    if kind == torch.bool or kind.is_floating_point or kind.is_complex:
        raise ValueError(f"'edge_index' must be whole numbers (got {kind})")
    edge_index = edge_index.long()
    if edge_weight is not None and edge_weight.shape != edge_index.shape[1:]:
        expected = f"({edge_index.size(1)},), one for each edge"
        raise ValueError(f"'edge_weight' must have the shape {expected} (got {tuple(edge_weight.shape)})")
    if edge_index.numel() and not torch.compiler.is_compiling() and not edge_index.is_meta:
        # One copy from the device; PyTorch 2.4 has no `tolist` within `torch.func`.
        least, most = (each.item() for each in torch.stack(edge_index.aminmax()).cpu())
        if least < 0 or most >= num_nodes:
            wrong = least if least < 0 else most
            raise IndexError(f"'edge_index' must be in [0, {num_nodes - 1}], the {num_nodes} nodes (got {wrong})")
    return edge_index


def check_graph(data: Any, needs: Iterable[str] = (), name: str = "graph") -> None:
    """Check the edges and the required attributes of a label graph.

    Graphs can lose attributes in files, other libraries and transforms.

    Args:
        data: Label graph.
        needs: Names of required attributes, in addition to ``edge_index`` and ``edge_weight``.
        name: Name of the argument in error messages.

    Raises:
        TypeError: If the argument is not a `Data`.
        IndexError: If an edge refers to a label that does not exist.
        ValueError: If an attribute is missing or has the wrong size.
    """
    if not isinstance(data, Data):
        raise TypeError(f"'{name}' must be a label graph, torch_geometric.data.Data (got {type(data).__name__})")
    for key in ("edge_index", "edge_weight", *needs):
        if data.get(key) is None:
            raise ValueError(
                f"'{name}' must carry {key!r}, as cooccurrence_graph returns it (got {', '.join(data.keys())})"
            )
    edge_index = check_edges(data.edge_index, int(data.num_nodes or 0), data.edge_weight)
    for key in needs:
        if key == "num_samples":
            continue
        expected = edge_index.size(1) if key == "edge_count" else data.num_nodes
        value = data[key]
        size = len(value) if isinstance(value, (Tensor, list, tuple)) and getattr(value, "ndim", 1) != 0 else None
        if size != expected:
            parts = "edges" if key == "edge_count" else "labels"
            raise ValueError(f"{key!r} of '{name}' must have an entry for each of its {expected} {parts} (got {size})")


def conditioned_end(data: Data) -> str | None:
    """Return the end of the edges that their weights are conditioned on, ``"target"`` or ``"source"``.

    If label i is given, then label j: readers expect an arrow from the given label to the other label. An edge of the
    default co-occurrence graph points the other way, because messages flow from source to target.

    Returns:
        None if the weights are not conditional probabilities of the counts.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.graph.edges import conditioned_end
        >>> conditioned_end(cooccurrence_graph([[1, 1], [1, 0]])), conditioned_end(cooccurrence_graph([[1, 0], [0, 1]]))
        ('target', None)
    """
    if data.get("edge_count") is None or data.get("count") is None or not data.num_edges:
        return None
    for end, labels in (("target", data.edge_index[1]), ("source", data.edge_index[0])):
        share = data.edge_count.double() / data["count"][labels].double()
        if torch.allclose(share, data.edge_weight.double(), atol=1e-4):
            return end
    return None


def edge_keys(data: Data) -> list[str]:
    """Return the names of the attributes that have an entry for each edge, except ``edge_index``.

    If the numbers of edges and labels are equal, an attribute belongs to edges if its name contains ``edge``, as in
    PyG.
    """
    keys = []
    for key, value in data.to_dict().items():
        if key == "edge_index" or key in NODE_KEYS or not isinstance(value, Tensor | np.ndarray | list | tuple):
            continue
        if isinstance(value, Tensor):
            size = value.size(data.__cat_dim__(key, value)) if value.ndim else None
        else:
            size = len(value) if getattr(value, "ndim", 1) else None
        if size == data.num_edges and (data.num_edges != data.num_nodes or "edge" in key):
            keys.append(key)
    return keys


def keep_edges(data: Data, keep: Tensor) -> Data:
    """Keep the edges that a mask or edge numbers select, with their attributes; all labels are kept."""
    numbers = keep.nonzero().flatten() if keep.dtype == torch.bool else keep
    for key in edge_keys(data):
        value = data[key]
        if isinstance(value, Tensor):
            data[key] = value.index_select(data.__cat_dim__(key, value), numbers)
        elif isinstance(value, np.ndarray):
            data[key] = value[numbers.cpu().numpy()]
        else:
            data[key] = [value[number] for number in numbers.tolist()]
    data.edge_index = data.edge_index[:, numbers]
    return data


def add_edges(data: Data, edge_index: Tensor, weight: Tensor) -> Data:
    """Append edges. ``edge_count`` is removed, as new edges have no count; their other attributes are 0 or None."""
    data.edge_count = None
    del data.edge_count
    more = edge_index.size(1)
    for key in edge_keys(data):
        value = data[key]
        if isinstance(value, Tensor):
            dim = data.__cat_dim__(key, value)
            size = [more if place == dim % value.ndim else width for place, width in enumerate(value.shape)]
            data[key] = torch.cat([value, value.new_zeros(size)], dim)
        elif isinstance(value, np.ndarray):
            data[key] = np.concatenate([value, np.zeros((more, *value.shape[1:]), value.dtype)])
        else:
            data[key] = [*value, *[None] * more]
    if more:
        data.edge_weight[-more:] = weight.to(data.edge_weight)
    data.edge_index = torch.cat([data.edge_index, edge_index.to(data.edge_index)], 1)
    return data


def checked(data: Data, needs: Iterable[str] = ()) -> Data:
    """Remove outdated edge counts from a copy of the graph, then check the graph with `check_graph`.

    PyG transforms that add edges leave ``edge_count`` unchanged, so that its size no longer matches the edges.
    """
    count = data.get("edge_count") if isinstance(data, Data) and data.get("edge_index") is not None else None
    if count is not None and count.shape != data.edge_index.shape[1:]:
        data = copy.copy(data)
        del data.edge_count
    check_graph(data, needs, "data")
    return data
