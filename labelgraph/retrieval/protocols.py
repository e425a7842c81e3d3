"""Evaluation protocols by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from labelgraph.data import CrossModalData
from labelgraph.retrieval.evaluate import RetrievalReport, evaluate

Encoder = Callable[[CrossModalData], tuple[Tensor, Tensor]]

PROTOCOLS = {"test-vs-test": ("test", "test"), "query-vs-database": ("query", "database")}
DIRECTIONS = ("image_to_text", "text_to_image")


def evaluate_protocol(
    encode: Encoder, data: CrossModalData, protocol: str = "test-vs-test", **options: Any
) -> dict[str, RetrievalReport]:
    """Evaluate retrieval both ways.

    ``test-vs-test`` (ALGCN, DAGNN and others): the test set is both the queries and the gallery.
    ``query-vs-database`` (hashing): the query split searches the other side of the database split. Items
    of which a side is missing do not query with it and are not found by it.

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
    if protocol not in PROTOCOLS:
        raise ValueError(f"'protocol' must be one of {', '.join(PROTOCOLS)} (got {protocol!r})")
    query, database = (data.split(name) for name in PROTOCOLS[protocol])
    asks, has = encode(query), encode(database)

    def search(asker: int, other: int) -> RetrievalReport:
        rows, kept = query.present[:, asker], database.present[:, other]
        return evaluate(asks[asker][rows], has[other][kept], query.labels[rows], database.labels[kept], **options)

    return {"image_to_text": search(0, 1), "text_to_image": search(1, 0)}
