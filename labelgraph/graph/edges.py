"""What every label graph must be: edges between its labels, attributes that fit, names that can be filtered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

NODE_KEYS = frozenset({"x", "count", "label_names", "pos", "y", "batch"})


class LabelNames(list[str]):
    """A list of names that a mask or a tensor of numbers can filter, as PyG's transforms filter nodes."""

    def __getitem__(self, places: Any) -> Any:
        if isinstance(places, Tensor) and places.ndim:
            numbers = places.nonzero().flatten() if places.dtype == torch.bool else places
            return LabelNames(list.__getitem__(self, number) for number in numbers.tolist())
        found = list.__getitem__(self, places)
        return LabelNames(found) if isinstance(places, slice) else found


def check_edges(edge_index: Any, num_nodes: int, edge_weight: Any = None) -> Tensor:
    """Check that edges lead from node to node, and give their indices as int64.

    Args:
        edge_index: Shape (2, E), whole numbers of any type.
        num_nodes: How many nodes there are.
        edge_weight: Shape (E,), if there are weights.

    Raises:
        TypeError: If one of them is no tensor.
        IndexError: If an edge begins or ends at a node that is not there.
        ValueError: If shapes or types are others.

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
        wanted = f"({edge_index.size(1)},), one for each edge"
        raise ValueError(f"'edge_weight' must have the shape {wanted} (got {tuple(edge_weight.shape)})")
    if edge_index.numel() and not torch.compiler.is_compiling() and not edge_index.is_meta:
        least, most = torch.stack(edge_index.aminmax()).tolist()
        if least < 0 or most >= num_nodes:
            wrong = least if least < 0 else most
            raise IndexError(f"'edge_index' must be in [0, {num_nodes - 1}], the {num_nodes} nodes (got {wrong})")
    return edge_index


def check_graph(data: Any, needs: Iterable[str] = ()) -> None:
    """Check that a label graph has all it must have, and the attributes that the caller needs.

    Graphs lose attributes on the way through files, other libraries and transforms.

    Args:
        data: The graph.
        needs: Attributes, beside ``edge_index`` and ``edge_weight``.

    Raises:
        TypeError: If it is no `Data`.
        IndexError: If an edge begins or ends at a label that is not there.
        ValueError: If an attribute is missing or of another size.
    """
    if not isinstance(data, Data):
        raise TypeError(f"'graph' must be a label graph, torch_geometric.data.Data (got {type(data).__name__})")
    for key in ("edge_index", "edge_weight", *needs):
        if data.get(key) is None:
            raise ValueError(
                f"'graph' must carry {key!r}, as cooccurrence_graph gives it (got {', '.join(data.keys())})"
            )
    edge_index = check_edges(data.edge_index, int(data.num_nodes or 0), data.edge_weight)
    for key in needs:
        if key == "num_samples":
            continue
        wanted = edge_index.size(1) if key == "edge_count" else data.num_nodes
        value = data[key]
        size = len(value) if isinstance(value, (Tensor, list, tuple)) and getattr(value, "ndim", 1) != 0 else None
        if size != wanted:
            what = "edges" if key == "edge_count" else "labels"
            raise ValueError(f"{key!r} of the graph must have an entry for each of its {wanted} {what} (got {size})")


def edge_keys(data: Data) -> list[str]:
    """The attributes that have an entry for each edge, but for the indices.

    Where there are as many edges as labels, the names ``count``, ``x`` and ``label_names`` are of labels, and any other
    is of edges if its name begins with ``edge``, or is stored so by PyG.
    """
    keys = []
    for key, value in data.to_dict().items():
        if key == "edge_index" or key in NODE_KEYS or not isinstance(value, Tensor) or not value.ndim:
            continue
        of_edges = value.size(data.__cat_dim__(key, value)) == data.num_edges
        if of_edges and (data.num_edges != data.num_nodes or key.startswith("edge") or data.is_edge_attr(key)):
            keys.append(key)
    return keys


def drop_stale(data: Data) -> Data:
    """Drop counts that are not those of the edges: transforms of PyG that add edges leave them behind as they were."""
    count = data.get("edge_count")
    if count is not None and count.shape != data.edge_index.shape[1:]:
        del data.edge_count
    return data
