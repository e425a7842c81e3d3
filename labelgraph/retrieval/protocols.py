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
    ``query-vs-database`` (hashing): the query split searches the other side of the database split.

    Args:
        encode: Gives the image and the text embeddings of some pairs, both (N, H).
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
    query_image, query_text = encode(query)
    database_image, database_text = encode(database)
    labels = (query.labels, database.labels)
    return {
        "image_to_text": evaluate(query_image, database_text, *labels, **options),
        "text_to_image": evaluate(query_text, database_image, *labels, **options),
    }
