"""Evaluation protocols by name: which split searches which.

A split (`labelgraph.data.SPLITS`) says which items are for what; a protocol says which of its parts search which.
Any split can be evaluated by either protocol, as each gives all parts. What the papers do is a pair of both:

- label-graph methods: split ``test-vs-test``, protocol ``test-vs-test``;
- hashing: split ``dcmh`` or ``agah``, protocol ``query-vs-database``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.names import check_name
from labelgraph._core.similarity import Embeddings, Vectors, as_embeddings
from labelgraph.data import CrossModalData
from labelgraph.inference import encode
from labelgraph.methods import Method
from labelgraph.metrics.metric import Metric
from labelgraph.metrics.metric_options import DIRECTIONS, PROTOCOLS
from labelgraph.metrics.retrieval_report import RetrievalReport, evaluate

Encoder = Callable[[CrossModalData], tuple[Vectors, Vectors]]

ENCODED_ROWS = 2**14


def evaluate_protocol(
    method: Method | Encoder,
    data: CrossModalData,
    protocol: str = "test-vs-test",
    metrics: Sequence[str | Metric] | None = None,
    *,
    similarity: str | None = None,
    leave_out_own: bool = False,
    **options: Any,
) -> dict[str, RetrievalReport]:
    """Evaluate retrieval both ways.

    ``test-vs-test`` (ALGCN, DAGNN and others): the test set is both the queries and the gallery.
    ``query-vs-database`` (hashing): the query split searches the other side of the database split. Items
    of which a side is missing do not query with it and are not found by it. The names are of what is searched; how
    the items were dealt out before is the split's doing, see `labelgraph.data.make_splits`.

    Args:
        method: A method; or a function that gives the image and the text embeddings of some pairs.
        data: Data with the splits that the protocol names.
        protocol: Key of ``PROTOCOLS``.
        metrics: See `evaluate`.
        similarity: Of plain matrices, see `Embeddings`; the embeddings of a method have their own.
        leave_out_own: Whether a query does not search its own pair, where that is in the database. The published
            protocols search it.
        options: Of `evaluate`.

    Returns:
        A report for ``image_to_text`` and one for ``text_to_image``.

    Raises:
        ValueError: If the protocol or a metric is unknown, or the data lack a split.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.metrics import evaluate_protocol
        >>> data = CrossModalData(torch.eye(3), torch.eye(3), torch.eye(3), splits={"test": [0, 2]})
        >>> reports = evaluate_protocol(lambda pairs: (pairs.image, pairs.text), data)
        >>> reports["text_to_image"].mean_average_precision, reports["text_to_image"].metrics["own-rank"]
        (1.0, 1.0)
    """
    encoder = partial(encode, method) if isinstance(method, Method) else method
    reports = {}
    for way, (query, database, labels, ids) in _sides(encoder, data, protocol, similarity).items():
        own = {"query_ids": ids[0], "database_ids": ids[1], "leave_out_own": leave_out_own}
        reports[way] = evaluate(query, database, *labels, metrics, **{**own, **options})
    return reports


Pair = tuple[Tensor, Tensor]
Side = tuple[Embeddings, Embeddings, Pair, Pair]


def _sides(encode: Encoder, data: CrossModalData, protocol: str, similarity: str | None) -> dict[str, Side]:
    """Queries, database, labels of both and places in the data of both, by direction."""
    check_name("protocol", protocol, PROTOCOLS)
    query, database = (data.rows(name) for name in PROTOCOLS[protocol])
    asks = _encoded(encode, data, query, similarity)
    has = asks if torch.equal(query, database) else _encoded(encode, data, database, similarity)

    def side(asker: int, other: int) -> Side:
        asking, held = data.present[query, asker], data.present[database, other]
        ids = query[asking], database[held]
        return asks[asker][asking], has[other][held], (data.labels[ids[0]], data.labels[ids[1]]), ids

    return {way: side(asker, 1 - asker) for asker, way in enumerate(DIRECTIONS)}


def _encoded(
    encode: Encoder, data: CrossModalData, rows: Tensor, similarity: str | None
) -> tuple[Embeddings, Embeddings]:
    """Embeddings of some rows, in blocks: the features may be mapped from files larger than memory."""
    images, texts = zip(*(encode(data.select(part)) for part in rows.split(ENCODED_ROWS)), strict=True)
    return (
        Embeddings.cat([as_embeddings("image", part, similarity) for part in images]),
        Embeddings.cat([as_embeddings("text", part, similarity) for part in texts]),
    )
