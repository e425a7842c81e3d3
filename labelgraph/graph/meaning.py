"""Label graphs from label names, whose edges join labels with similar names, and merging of label graphs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch_geometric.data import Data

from labelgraph._core.array_kinds import as_texts, check_distinct
from labelgraph._core.checked_config import PositiveInt, check_value
from labelgraph._core.checks import check_features
from labelgraph._core.similarity import unit_length
from labelgraph.encoders.word_vectors import encode_label_names, label_name_vectors
from labelgraph.graph.edges import LabelNames, checked, names_of
from labelgraph.graph.name_neighbours import nearest_names
from labelgraph.graph.transforms import check_share


def meaning_graph(
    label_names: Sequence[str],
    vectors: Any = None,
    k: int = 10,
    *,
    threshold: float = 0.0,
    probes: int | None = None,
) -> Data:
    r"""Build a label graph whose edges lead to each label from the labels with the most similar names.

    The edge :math:`j \to i` exists if label :math:`j` is among the ``k`` nearest neighbours of label :math:`i` and
    :math:`\cos(v_i, v_j)` is positive and at least ``threshold``. The cosine is the edge weight. These edges do not
    depend on items, so the graph also connects rare labels and labels without items. `merge_graphs` adds
    co-occurrence edges.

    Args:
        label_names: The :math:`C` label names.
        vectors: Vectors of the names: a matrix of shape :math:`(C, F)`; a file of word vectors, see
            `labelgraph.encoders.read_label_vectors`; a sentence encoder, or a function from a list of texts to a
            matrix; or ``"sentence"``, the packaged model of `labelgraph.encoders.SentenceEncoder`. Defaults to
            ``"sentence"``.
        k: Largest number of incoming edges of a label.
        threshold: Smallest cosine of an edge, in [0, 1].
        probes: With more than ``DENSE_LABELS`` labels, compare each label only with those of the ``probes`` nearest
            clusters of labels, by FAISS (extra ``index``). Of the 10 nearest of 100,000 vectors of 48 values in loose
            groups (the set ``tags`` of the benchmarks), 8 probes find 53 % and 32 probes 71 %, in a third and in half
            of the time; wider vectors gain more. By default, all labels are compared, in blocks.

    Returns:
        `Data` with the attributes of `cooccurrence_graph` and the vectors as ``x``. As the graph has no items,
        ``count`` and ``num_samples`` are 0, and ``edge_count`` is absent. A label whose vector is 0 has no edges, and
        a warning names the label.

    Raises:
        ValueError: If the names are not distinct texts, the vectors do not match the names, or ``k`` or ``threshold``
            is out of range.
        FileNotFoundError: If the file of word vectors does not exist.
        ImportError: If the sentence encoder or FAISS is needed but not installed.

    Example:
        >>> import torch
        >>> from labelgraph.graph import meaning_graph
        >>> graph = meaning_graph(["cat", "kitten", "car"], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], k=1)
        >>> list(zip(graph.edge_index.T.tolist(), graph.edge_weight.tolist()))
        [([0, 1], 0.800000011920929), ([1, 0], 0.800000011920929), ([1, 2], 0.6000000238418579)]
    """
    names = as_texts("label_names", label_names)
    if not names:
        raise ValueError("'label_names' must have at least one name (got none)")
    check_distinct("label_names", names)
    k, threshold = check_value("k", k, PositiveInt), check_share("threshold", threshold)
    x = _vectors(names, vectors)
    probes = check_value("probes", probes, PositiveInt | None)
    source, target, weight = nearest_names(unit_length(x.double()), k, threshold, probes)
    order = (source * len(names) + target).argsort()
    dtype = torch.get_default_dtype()
    return Data(
        x=x.to(dtype),
        edge_index=torch.stack([source, target])[:, order],
        edge_weight=weight[order].to(dtype),
        count=torch.zeros(len(names), dtype=torch.long),
        num_samples=0,
        num_nodes=len(names),
        label_names=LabelNames(names),
    )


def _vectors(names: Sequence[str], vectors: Any) -> Tensor:
    if vectors is None or isinstance(vectors, str | Path):
        matrix: Any = label_name_vectors(vectors or "sentence", names).vectors
    elif callable(getattr(vectors, "encode", None)) or callable(vectors):
        encode: Callable[[list[str]], Any] = getattr(vectors, "encode", vectors)
        matrix = encode_label_names(names, encode)
    else:
        matrix = check_features("vectors", vectors)
    dense: Tensor = matrix if isinstance(matrix, Tensor) else torch.from_numpy(matrix.toarray())
    if len(dense) != len(names):
        raise ValueError(f"'vectors' must have a row for each of the {len(names)} names (got {len(dense)})")
    zero = [name for name, nonzero in zip(names, dense.any(1).tolist(), strict=True) if not nonzero]
    if zero:
        shown = ", ".join(zero[:5]) + (", ..." if len(zero) > 5 else "")
        plural = "label has" if len(zero) == 1 else "labels have"
        warnings.warn(f"{len(zero)} {plural} a vector of zeros, and therefore no edges: {shown}", stacklevel=3)
    return dense


def merge_graphs(*graphs: Data, weights: Sequence[float] | None = None, how: Literal["max", "sum"] = "max") -> Data:
    r"""Merge label graphs, for instance a co-occurrence graph and a graph of similar names.

    .. math:: w_{ij} = \max_g \lambda_g w^{(g)}_{ij} \quad\text{or}\quad \sum_g \lambda_g w^{(g)}_{ij}

    over the graphs :math:`g` that have the edge. Labels are matched by name. The labels of the first graph come
    first, followed by the additional labels of the other graphs.

    Args:
        graphs: Label graphs, at least two.
        weights: Weight :math:`\lambda_g \ge 0` of each graph; defaults to 1 for every graph.
        how: ``"max"`` or ``"sum"``; ``"sum"`` with weights that sum to 1 is a weighted mean.

    Returns:
        `Data` with the edges of all graphs, sorted by source and target. ``edge_attr``, shape :math:`(E, G)`, holds
        the weight of each edge in each graph, or 0 if the graph lacks the edge. ``count``, ``num_samples`` and
        ``edge_count`` come from the first graph that has items, and are 0 for labels and edges that this graph lacks.
        ``x`` comes from the first graph that has embeddings of all labels.

    Raises:
        ValueError: If there are fewer than two graphs, an attribute of a graph is missing, or ``weights`` or ``how``
            is invalid.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph, meaning_graph, merge_graphs
        >>> together = cooccurrence_graph([[1, 1], [1, 0]], ["cat", "sofa"])
        >>> alike = meaning_graph(["cat", "kitten"], [[1.0, 0.0], [0.6, 0.8]])
        >>> graph = merge_graphs(together, alike)
        >>> graph.label_names, graph.count.tolist()
        (['cat', 'sofa', 'kitten'], [2, 1, 0])
        >>> [[round(weight, 2) for weight in edge] for edge in graph.edge_attr.tolist()]
        [[1.0, 0.0], [0.0, 0.6], [0.5, 0.0], [0.0, 0.6]]
    """
    if len(graphs) < 2:
        raise ValueError(f"'graphs' must be two or more (got {len(graphs)})")
    if how not in ("max", "sum"):
        raise ValueError(f"'how' must be 'max' or 'sum' (got {how!r})")
    scale = _scale(weights, len(graphs))
    graphs = tuple(checked(graph, ("count", "num_samples")) for graph in graphs)
    own = [names_of(graph) for graph in graphs]
    for graph_names in own:
        check_distinct("label_names", graph_names)
    names = LabelNames(dict.fromkeys(name for graph_names in own for name in graph_names))
    number = {name: i for i, name in enumerate(names)}
    places = [torch.tensor([number[name] for name in graph_names], dtype=torch.long) for graph_names in own]
    counted = next((g for g, graph in enumerate(graphs) if graph.num_samples > 0), 0)
    data = _merged(graphs, places, counted, scale, how)
    data.x, data.num_nodes, data.label_names = _features(graphs, own, names), len(names), names
    return data


def _merged(graphs: Sequence[Data], places: Sequence[Tensor], counted: int, scale: Tensor, how: str) -> Data:
    """Merge the edges and counts of graphs; ``places`` holds the merged label numbers of each graph."""
    size = int(torch.cat(list(places)).max()) + 1
    edge_index, rows = _merged_edges(graphs, places, size)
    weight = torch.zeros(edge_index.size(1), len(graphs), dtype=torch.float64)
    merged = torch.full_like(weight[:, 0], 0.0 if how == "sum" else -torch.inf)
    for g, (graph, row) in enumerate(zip(graphs, rows, strict=True)):
        weight[:, g].index_add_(0, row, graph.edge_weight.detach().cpu().double())
        scaled = weight[row, g] * scale[g]
        merged[row] = merged[row] + scaled if how == "sum" else torch.maximum(merged[row], scaled)
    count = torch.zeros(size, dtype=torch.long)
    count[places[counted]] = graphs[counted].count.cpu().long()
    dtype = torch.get_default_dtype()
    data = Data(
        edge_index=edge_index,
        edge_weight=merged.to(dtype),
        edge_attr=weight.to(dtype),
        count=count,
        num_samples=graphs[counted].num_samples,
    )
    if graphs[counted].get("edge_count") is not None:
        edge_count = graphs[counted].edge_count.cpu().long()
        data.edge_count = torch.zeros(len(merged), dtype=torch.long).index_add_(0, rows[counted], edge_count)
    return data


def _scale(weights: Sequence[float] | None, size: int) -> Tensor:
    scale = torch.ones(size) if weights is None else torch.as_tensor(weights, dtype=torch.float64)
    if scale.shape != (size,) or not (scale >= 0).all() or not scale.isfinite().all():
        raise ValueError(f"'weights' must be {size} numbers from 0, one for each graph (got {weights!r})")
    return scale.double()


def _merged_edges(graphs: Sequence[Data], places: Sequence[Tensor], size: int) -> tuple[Tensor, list[Tensor]]:
    """Return the distinct edges of all graphs, sorted, (2, E), and the number of each edge of a graph among them."""
    keys = []
    for graph, place in zip(graphs, places, strict=True):
        source, target = place[graph.edge_index.cpu().long()]
        keys.append(source * size + target)
    distinct = torch.cat(keys).unique()
    rows = [torch.searchsorted(distinct, key) for key in keys]
    return torch.stack([distinct.div(size, rounding_mode="floor"), distinct % size]), rows


def _features(graphs: Sequence[Data], own: Sequence[Sequence[str]], names: Sequence[str]) -> Tensor | None:
    for graph, graph_names in zip(graphs, own, strict=True):
        if graph.get("x") is not None and set(graph_names) == set(names):
            row = {name: i for i, name in enumerate(graph_names)}
            features: Tensor = graph.x[[row[name] for name in names]]
            return features
    return None
