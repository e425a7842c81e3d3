"""Evaluation protocols by name: which split searches which.

A split (`labelgraph.data.SPLITS`) says which items are for what; a protocol says which of its parts search which.
Any split can be evaluated by either protocol, as each gives all parts. What the papers do is a pair of both:

- label-graph methods: split ``test-vs-test``, protocol ``test-vs-test``;
- hashing: split ``dcmh`` or ``agah``, protocol ``query-vs-database``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from labelgraph.data import CrossModalData
from labelgraph.retrieval.by_name import DEFAULT_METRICS, retrieval_metrics
from labelgraph.retrieval.evaluate import RetrievalReport, evaluate

Encoder = Callable[[CrossModalData], tuple[Tensor, Tensor]]

PROTOCOLS = {"test-vs-test": ("test", "test"), "query-vs-database": ("query", "database")}
DIRECTIONS = ("image_to_text", "text_to_image")
ENCODED_ROWS = 2**14


def evaluate_protocol(
    encode: Encoder, data: CrossModalData, protocol: str = "test-vs-test", **options: Any
) -> dict[str, RetrievalReport]:
    """Evaluate retrieval both ways.

    ``test-vs-test`` (ALGCN, DAGNN and others): the test set is both the queries and the gallery.
    ``query-vs-database`` (hashing): the query split searches the other side of the database split. Items
    of which a side is missing do not query with it and are not found by it. The names are of what is searched; how
    the items were dealt out before is the split's doing, see `labelgraph.data.make_splits`.

    Args:
        encode: Gives the image and the text embeddings, or packed codes, of some pairs.
        data: Data with the splits that the protocol names.
        protocol: Key of ``PROTOCOLS``.
        options: Of `evaluate`.

    Returns:
        A report for ``image_to_text`` and one for ``text_to_image``.

    Raises:
        ValueError: If the protocol is unknown, or the data lack a split.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.retrieval import evaluate_protocol
        >>> data = CrossModalData(torch.eye(3), torch.eye(3), torch.eye(3), splits={"test": [0, 2]})
        >>> reports = evaluate_protocol(lambda pairs: (pairs.image, pairs.text), data)
        >>> reports["text_to_image"].mean_average_precision
        1.0
    """
    sides = _sides(encode, data, protocol)
    return {way: evaluate(query, database, *labels, **options) for way, (query, database, labels, _) in sides.items()}


def protocol_metrics(
    encode: Encoder,
    data: CrossModalData,
    protocol: str = "test-vs-test",
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    leave_out_own: bool = False,
    **options: Any,
) -> dict[str, dict[str, float]]:
    """Metrics by name, both ways, under a protocol.

    Args:
        encode: See `evaluate_protocol`.
        data: See there.
        protocol: See there.
        metrics: Names, see `query_metrics`.
        leave_out_own: Whether a query does not search its own pair, where that is in the database. The published
            protocols search it.
        options: Of `retrieval_metrics`.

    Returns:
        Means by full name, for ``image_to_text`` and for ``text_to_image``.

    Raises:
        ValueError: If the protocol or a metric is unknown, or the data lack a split.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.retrieval import protocol_metrics
        >>> data = CrossModalData(torch.eye(3), torch.eye(3), torch.ones(3, 1), splits={"test": [0, 2]})
        >>> protocol_metrics(lambda pairs: (pairs.image, pairs.text), data, metrics=["map", "relevant"],
        ...                  leave_out_own=True)
        {'image_to_text': {'map': 1.0, 'relevant': 1.0}, 'text_to_image': {'map': 1.0, 'relevant': 1.0}}
    """
    found = {}
    for way, (query, database, labels, ids) in _sides(encode, data, protocol).items():
        own: dict[str, Any] = {"query_ids": ids[0], "database_ids": ids[1]} if leave_out_own else {}
        found[way] = retrieval_metrics(query, database, *labels, metrics, **{**own, **options})
    return found


Pair = tuple[Tensor, Tensor]


def _sides(encode: Encoder, data: CrossModalData, protocol: str) -> dict[str, tuple[Tensor, Tensor, Pair, Pair]]:
    """Queries, database, labels of both and places in the data of both, by direction."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"'protocol' must be one of {', '.join(PROTOCOLS)} (got {protocol!r})")
    query, database = (data.rows(name) for name in PROTOCOLS[protocol])
    asks = _encoded(encode, data, query)
    has = asks if torch.equal(query, database) else _encoded(encode, data, database)

    def side(asker: int, other: int) -> tuple[Tensor, Tensor, Pair, Pair]:
        asking, held = data.present[query, asker], data.present[database, other]
        ids = query[asking], database[held]
        return asks[asker][asking], has[other][held], (data.labels[ids[0]], data.labels[ids[1]]), ids

    return {way: side(asker, 1 - asker) for asker, way in enumerate(DIRECTIONS)}


def _encoded(encode: Encoder, data: CrossModalData, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings of some rows, in blocks: the features may be mapped from files larger than memory."""
    images, texts = zip(*(encode(data.select(part)) for part in rows.split(ENCODED_ROWS)), strict=True)
    return torch.cat(images), torch.cat(texts)
