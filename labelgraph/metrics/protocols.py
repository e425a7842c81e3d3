"""Evaluation protocols by name; a protocol names the split of the queries and the split of the gallery.

A split strategy (`labelgraph.data.SPLITS`) assigns items to splits, and a protocol names the splits that search each
other. Every strategy works with every protocol, because it creates all splits. The papers combine them as follows:

- label-graph methods: strategy ``test-vs-test``, protocol ``test-vs-test``;
- hashing: strategy ``dcmh`` or ``agah``, protocol ``query-vs-database``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.embeddings import EmbeddingRows, Embeddings, Vectors, as_embeddings
from labelgraph._core.names import SIDES, check_name
from labelgraph.data import CrossModalData
from labelgraph.data.pairs import check_pairs
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
    """Evaluate retrieval in both directions.

    ``test-vs-test`` (ALGCN, DAGNN and others): the test split is both the queries and the gallery.
    ``query-vs-database`` (hashing): the query split searches the other side of the database split. An item without an
    image or a text is neither a query nor a result on the missing side. `labelgraph.data.make_splits` decides which
    items are in a split.

    Args:
        method: A method, or a function that returns the image and the text embeddings of some pairs.
        data: Data with the splits that the protocol names.
        protocol: Key of ``PROTOCOLS``.
        metrics: See `evaluate`.
        similarity: Similarity of plain matrices, see `Embeddings`; the embeddings of a method have a similarity.
        leave_out_own: Whether to leave a query's own pair out of the ranking. The published protocols keep it.
        options: Options of `evaluate`.

    Returns:
        Reports by direction, ``image_to_text`` and ``text_to_image``.

    Raises:
        ValueError: If the protocol or a metric is unknown, or the data lack a split of the protocol.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.metrics import evaluate_protocol
        >>> data = CrossModalData(torch.eye(3), torch.eye(3), torch.eye(3), splits={"test": [0, 2]})
        >>> reports = evaluate_protocol(lambda pairs: (pairs.image, pairs.text), data)
        >>> reports["text_to_image"].mean_average_precision, reports["text_to_image"].metrics["own-rank"]
        (1.0, 1.0)
    """
    check_encoder("method", method)
    encoder = partial(encode, method) if isinstance(method, Method) else method
    reports = {}
    for way, (query, database, labels, ids) in _sides(encoder, data, protocol, similarity).items():
        own = {"query_ids": ids[0], "database_ids": ids[1], "leave_out_own": leave_out_own}
        reports[way] = evaluate(query, database, *labels, metrics, **{**own, **options})
    return reports


def check_encoder(argument: str, method: Any) -> None:
    """Check that an argument is a method or a function.

    Raises:
        ValueError: If it is anything else.
    """
    check_kind(argument, method, (Method, Callable), "a method, such as build_method returns, or a function")


Pair = tuple[Tensor, Tensor]
Side = tuple[Embeddings, Embeddings, Pair, Pair]


def _sides(encode: Encoder, data: CrossModalData, protocol: str, similarity: str | None) -> dict[str, Side]:
    """Return queries, database, labels of both and row numbers of both, by direction."""
    check_pairs("data", data)
    check_name("protocol", protocol, PROTOCOLS)
    query, database = (data.rows(name) for name in PROTOCOLS[protocol])
    asks = _encoded(encode, data, query, similarity)
    has = asks if torch.equal(query, database) else _encoded(encode, data, database, similarity)

    def side(asker: int, other: int) -> Side:
        asking, held = data.present[query, asker], data.present[database, other]
        ids = query[asking], database[held]
        labels = data.label_rows(ids[0], dense=False), data.label_rows(ids[1], dense=False)
        return _chosen(asks[asker], asking), _chosen(has[other], held), labels, ids

    return {way: side(asker, 1 - asker) for asker, way in enumerate(DIRECTIONS)}


def _encoded(
    encode: Encoder, data: CrossModalData, rows: Tensor, similarity: str | None
) -> tuple[Embeddings, Embeddings]:
    """Embed some rows in blocks, because the features may be memory-mapped from files larger than memory."""
    sides = EmbeddingRows(len(rows)), EmbeddingRows(len(rows))
    for part in rows.split(ENCODED_ROWS):
        for name, side, vectors in zip(SIDES, sides, encode(data.select(part)), strict=True):
            side.add(as_embeddings(name, vectors, similarity))
    return sides[0].whole(), sides[1].whole()


def _chosen(embeddings: Embeddings, kept: Tensor) -> Embeddings:
    """Return the rows of a mask, without a copy if these are all."""
    return embeddings if kept.all() else embeddings[kept]
