"""The content of a label graph's page: labels, pairs of linked labels, positions, groups and small pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import networkx as nx
import numpy as np
import scipy.sparse as sp
from torch_geometric.data import Data

from labelgraph.encoders import open_picture
from labelgraph.graph.edges import checked, conditioned_end, names_of
from labelgraph.report.layout import linked_groups, place_boxes

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PAIRS = 40_000  # Pairs of labels in a page, about half a megabyte.
LEAST_NEIGHBOURS = 8  # Every label keeps so many neighbours at least.
LAYOUT_NEIGHBOURS = 4
PICTURES_EACH, PICTURE_SIDE, PICTURE_BYTES = 4, 72, 3_000_000


class Pairs(NamedTuple):
    """Pairs of linked labels a < b, P in number.

    Attributes:
        a: Number of the first label of each pair, shape (P,).
        b: Number of the second label, shape (P,).
        ab: Weight that reads "if a, then b", 0 without such an edge, shape (P,).
        ba: Weight that reads "if b, then a", shape (P,).
        items: Items with both labels, shape (P,); None if the graph has no counts of edges.
        affinity: Symmetric weight for layout and groups, shape (P,).
    """

    a: np.ndarray
    b: np.ndarray
    ab: np.ndarray
    ba: np.ndarray
    items: np.ndarray | None
    affinity: np.ndarray


def label_pairs(graph: Data) -> Pairs:
    """Join the edges of both directions between two labels; self-loops are left out.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.report.page_content import label_pairs
        >>> pairs = label_pairs(cooccurrence_graph([[1, 1], [1, 0]], ["sky", "sun"]))
        >>> pairs.ab.tolist(), pairs.ba.tolist(), pairs.items.tolist()  # P(sun | sky), P(sky | sun)
        ([0.5], [1.0], [1])
    """
    source, target = graph.edge_index.cpu().numpy()
    weight = graph.edge_weight.detach().double().cpu().numpy()
    if not np.isfinite(weight).all():
        raise ValueError("'edge_weight' of 'graph' must be finite (got NaN or infinity)")
    condition = conditioned_end(graph)
    start, end = (target, source) if condition == "target" else (source, target)
    shape = (graph.num_nodes, graph.num_nodes)
    edges = np.lexsort([np.abs(weight), end, start])  # Of parallel edges, the heaviest one is the last.
    edges = edges[start[edges] != end[edges]]
    start, end, weight = start[edges], end[edges], weight[edges]
    last = np.append((np.diff(start) != 0) | (np.diff(end) != 0), True)[: len(start)]
    forward = sp.csr_array((weight[last], (start[last], end[last])), shape=shape)
    low, high = np.minimum(start, end), np.maximum(start, end)
    a, b = np.unique(np.stack([low, high]), axis=1)
    ab, ba = _entries(forward, a, b), _entries(forward, b, a)
    count = None
    if graph.get("edge_count") is not None:
        counted = np.zeros(len(a), np.int64)
        place = np.searchsorted(a * shape[0] + b, low * shape[0] + high)
        np.maximum.at(counted, place, graph.edge_count.cpu().numpy()[edges])
        count = counted
    affinity = (np.abs(ab) + np.abs(ba)) / 2
    if condition and count is not None:  # The cosine of two labels' columns, which rare labels do not dominate.
        items = graph["count"].double().cpu().numpy()
        affinity = count / np.sqrt(np.maximum(items[a] * items[b], 1))
    return Pairs(a, b, ab, ba, count, affinity)


def _entries(matrix: sp.csr_array, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return np.asarray(matrix[row, column]).reshape(-1) if len(row) else np.zeros(0)


def strongest_pairs(pairs: Pairs, most: int) -> Pairs:
    """Keep the pairs that are among the ``most`` of highest affinity of either label."""
    ends = np.concatenate([pairs.a, pairs.b])
    order = np.lexsort([-np.concatenate([pairs.affinity, pairs.affinity]), ends])
    starts = np.searchsorted(ends[order], ends[order])
    near = np.zeros(len(ends), bool)
    near[order] = np.arange(len(ends)) - starts < most
    return _selected(pairs, near[: len(pairs.a)] | near[len(pairs.a) :])


def _selected(pairs: Pairs, keep: np.ndarray) -> Pairs:
    items = None if pairs.items is None else pairs.items[keep]
    return Pairs(pairs.a[keep], pairs.b[keep], pairs.ab[keep], pairs.ba[keep], items, pairs.affinity[keep])


def page_content(
    graph: Data, meaning: Data | None, pictures: Mapping[str, Sequence[Any]], max_labels: int
) -> dict[str, Any]:
    """Collect what the page shows, as plain values for JSON.

    Returns:
        ``items``, ``names``, ``counts``, ``drawn`` (numbers of the drawn labels, the most frequent first), ``kinds``
        (each with pairs, positions and groups), ``pictures`` (data URIs) and ``shown`` (pictures by label).
    """
    graph = checked(graph, ("count", "num_samples"))
    names, counts = names_of(graph), graph["count"].cpu().numpy()
    pairs = label_pairs(graph)
    linked = np.bincount(np.concatenate([pairs.a, pairs.b]), np.tile(pairs.affinity, 2), len(names))
    drawn = np.lexsort([-linked, -counts])[:max_labels]
    kinds = [_kind("together" if conditioned_end(graph) else "weight", pairs, names, counts, drawn)]
    if meaning is not None:
        alike = checked(meaning)
        if list(names_of(alike)) != list(names):
            raise ValueError("'meaning' must have the labels of 'graph' in the same order (got other 'label_names')")
        kinds.append(_kind("meaning", label_pairs(alike), names, counts, drawn))
    encoded, shown = _encoded_pictures(pictures, [names[i] for i in np.argsort(-counts, kind="stable")])
    number = {name: i for i, name in enumerate(names)}
    return {
        "items": int(graph.num_samples),
        "names": list(names),
        "counts": counts.tolist(),
        "drawn": drawn.tolist(),
        "kinds": kinds,
        "pictures": encoded,
        "shown": {number[name]: places for name, places in shown.items()},
    }


def _kind(key: str, pairs: Pairs, names: Sequence[str], counts: np.ndarray, drawn: np.ndarray) -> dict[str, Any]:
    kept = strongest_pairs(pairs, max(LEAST_NEIGHBOURS, MAX_PAIRS // max(len(names), 1)))
    backbone = _backbone(pairs, drawn, len(names))
    sizes = 12 + 36 * np.sqrt(counts[drawn] / max(1, counts.max(initial=0)))
    text = np.array([6.6 * min(len(names[i]), 24) for i in drawn])
    boxes = np.stack([np.maximum(sizes, text) + 8, sizes + 22], 1)
    return {
        "key": key,
        "stored": len(kept.a),
        "pairs": len(pairs.a),
        "a": kept.a.tolist(),
        "b": kept.b.tolist(),
        "ab": kept.ab.round(4).tolist(),
        "ba": kept.ba.round(4).tolist(),
        "count": None if kept.items is None else kept.items.tolist(),
        "sizes": sizes.round(1).tolist(),
        "places": place_boxes(backbone, boxes).round(1).tolist(),
        "groups": linked_groups(backbone).tolist(),
    }


def _backbone(pairs: Pairs, drawn: np.ndarray, size: int) -> nx.Graph:
    """Link each drawn label to its few nearest ones; all edges would make one clump of the labels."""
    place = np.full(size, -1)
    place[drawn] = np.arange(len(drawn))
    inside = _selected(pairs, (place[pairs.a] >= 0) & (place[pairs.b] >= 0) & (pairs.affinity > 0))
    near = strongest_pairs(inside, LAYOUT_NEIGHBOURS)
    graph = nx.empty_graph(len(drawn))
    ends = place[near.a].tolist(), place[near.b].tolist()
    graph.add_weighted_edges_from(zip(*ends, near.affinity.tolist(), strict=True))
    return graph


def _encoded_pictures(
    pictures: Mapping[str, Sequence[Any]], order: Sequence[str]
) -> tuple[list[str], dict[str, list[int]]]:
    """Encode the first picture of each label, then the second ones, until the page has enough; each picture once."""
    encoded: dict[Any, str | None] = {}
    shown: dict[str, list[int]] = {}
    number: dict[Any, int] = {}
    total = 0
    for rank in range(PICTURES_EACH):
        for name in order:
            if rank >= len(pictures.get(name, ())) or total >= PICTURE_BYTES:
                continue
            picture = pictures[name][rank]
            key = str(picture) if isinstance(picture, str | Path) else id(picture)
            if key not in encoded:
                encoded[key] = _data_uri(picture)
            uri = encoded[key]
            if uri is None:
                continue
            if key not in number:
                number[key] = len(number)
                total += len(uri)
            shown.setdefault(name, []).append(number[key])
    return [uri for key in number if (uri := encoded[key])], shown


def _data_uri(picture: Image | str | Path) -> str | None:
    """A small JPEG of a picture as a data URI; None if it cannot be read."""
    from PIL import Image, ImageOps

    try:
        image = open_picture(picture) if isinstance(picture, str | Path) else picture
    except (ValueError, OSError):
        return None
    small = ImageOps.contain(image.convert("RGB"), (PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=75)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
