"""Metrics as `torchmetrics.Metric`, for Lightning modules; requires the extra ``train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from labelgraph._core.embeddings import Embeddings, Vectors
from labelgraph.metrics.gathered import Gathered, check_ids, check_widths
from labelgraph.metrics.metric_options import DEFAULT_METRICS, DIRECTIONS
from labelgraph.metrics.retrieval_report import evaluate


class CrossModalMetrics(Gathered):
    """Retrieval in both directions among the pairs of all updates: images search texts, texts search images.

    With several processes, every process computes the metrics over the pairs of all processes. A process may have no
    pairs.

    Args:
        metrics: Names of metrics, see `query_metrics`.
        options: Options of `evaluate`: ``similarity``, ``relevance``, ``ties``, ``without_relevant``, ``leave_out_own``
            (defaults to False), ``block_size``.

    Raises:
        ValueError: If a name or an option is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.metrics.modules import CrossModalMetrics
        >>> metric = CrossModalMetrics(["map", "precision@1"])
        >>> metric.update(torch.eye(2), torch.eye(2), torch.eye(2))
        >>> metric.compute()
        {'image_to_text/map': tensor(1., dtype=torch.float64),
         'image_to_text/precision@1': tensor(1., dtype=torch.float64),
         'text_to_image/map': tensor(1., dtype=torch.float64),
         'text_to_image/precision@1': tensor(1., dtype=torch.float64)}
    """

    tables = ("image", "text", "labels", "ids")
    image: list[Tensor]
    text: list[Tensor]
    labels: list[Tensor]
    ids: list[Tensor]

    def __init__(self, metrics: Sequence[str] = DEFAULT_METRICS, **options: Any) -> None:
        super().__init__(metrics, options)

    def update(self, image: Vectors, text: Vectors, labels: Any, ids: Any = None) -> None:
        """Add a batch of pairs.

        Args:
            image: `Embeddings` of the images, or a matrix of embeddings or packed codes, shape (B, H).
            text: Embeddings of the texts, of the same kind, shape (B, H).
            labels: Multi-hot labels, shape (B, C).
            ids: Numbers of the pairs from 0, shape (B,). With ids, pairs are sorted by id, and pairs that the samplers
                of several processes repeat count once. Without ids, pairs keep the order of the updates.

        Raises:
            ValueError: If the numbers of rows do not match, or only some updates have ids.
        """
        hot = self._hot(labels, self.labels)
        sides = [self._vectors(name, side, len(hot)) for name, side in (("image", image), ("text", text))]
        check_widths("text", sides[1], sides[:1], "'image' has")
        check_widths("image", sides[0], self.image)
        numbers = check_ids(ids, len(hot), hot.device, self.ids)
        for table, rows in zip(self.tables, (*sides, hot, numbers), strict=True):
            getattr(self, table).append(rows)

    def compute(self) -> dict[str, Tensor]:
        """Compute the metrics, by direction and full name."""
        labels, ids = self._seen("labels"), self._seen("ids")
        image, text = self._embeddings("image"), self._embeddings("text")
        options = {"leave_out_own": False, **self.options}
        if (ids >= 0).all():
            places = once(ids, labels)
            image, text, labels = image[places], text[places], labels[places]
            options |= {"query_ids": ids[places], "database_ids": ids[places]}
        else:
            _check_repeats(image.vectors)
        values: dict[str, float] = {}
        for direction, (query, database) in zip(DIRECTIONS, ((image, text), (text, image)), strict=True):
            means = evaluate(query, database, labels, labels, self.metrics, ks=(), recall=(), **options).metrics
            values |= {f"{direction}/{name}": value for name, value in means.items()}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


class RetrievalMetrics(Gathered):
    """Retrieval in one direction: the queries of all updates search the database of all updates.

    Args:
        metrics: Names of metrics, see `query_metrics`.
        options: See `CrossModalMetrics`.

    Raises:
        ValueError: If a name or an option is unknown.

    Example:
        >>> import torch
        >>> from labelgraph.metrics.modules import RetrievalMetrics
        >>> metric = RetrievalMetrics(["map"])
        >>> metric.update(torch.eye(2), torch.eye(2), "database")
        >>> metric.update(torch.eye(2)[:1], torch.eye(2)[:1], "query")
        >>> metric.compute()
        {'map': tensor(1., dtype=torch.float64)}
    """

    tables = ("query", "query_labels", "query_ids", "database", "database_labels", "database_ids")
    query: list[Tensor]
    database: list[Tensor]
    query_labels: list[Tensor]
    database_labels: list[Tensor]

    def __init__(self, metrics: Sequence[str] = DEFAULT_METRICS, **options: Any) -> None:
        super().__init__(metrics, options)

    def update(self, embedding: Vectors, labels: Any, side: str = "query", ids: Any = None) -> None:
        """Add a batch of queries or of database items.

        Args:
            embedding: `Embeddings`, or a matrix of embeddings or packed codes, shape (B, H).
            labels: Multi-hot labels, shape (B, C).
            side: ``"query"`` or ``"database"``.
            ids: Numbers of the items of this side from 0, shape (B,), see `CrossModalMetrics.update`.

        Raises:
            ValueError: If the side is unknown, the numbers of rows do not match, or only some updates have ids.
        """
        if side not in ("query", "database"):
            raise ValueError(f"'side' must be 'query' or 'database' (got {side!r})")
        hot = self._hot(labels, self.query_labels or self.database_labels)
        vectors = self._vectors("embedding", embedding, len(hot))
        check_widths("embedding", vectors, self.query or self.database)
        numbers = check_ids(ids, len(hot), hot.device, getattr(self, f"{side}_ids"))
        for table, rows in ((side, vectors), (f"{side}_labels", hot), (f"{side}_ids", numbers)):
            getattr(self, table).append(rows)

    def compute(self) -> dict[str, Tensor]:
        """Compute the metrics, by full name."""
        query, asked, query_ids = self._side("query")
        database, held, database_ids = self._side("database")
        options = {"leave_out_own": False, **self.options}
        if query_ids is not None and database_ids is not None:
            options |= {"query_ids": query_ids, "database_ids": database_ids}
        means = evaluate(query, database, asked, held, self.metrics, ks=(), recall=(), **options).metrics
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in means.items()}

    def _side(self, side: str) -> tuple[Embeddings, Tensor, Tensor | None]:
        labels, ids = self._seen(f"{side}_labels"), self._seen(f"{side}_ids")
        embeddings = self._embeddings(side)
        if (ids >= 0).all():
            places = once(ids, labels)
            return embeddings[places], labels[places], ids[places]
        _check_repeats(embeddings.vectors)
        return embeddings, labels, None


def _check_repeats(vectors: Tensor) -> None:
    """Refuse items that the samplers of several processes repeat; without ids, these items would count twice."""
    several = dist.is_initialized() and dist.get_world_size() > 1
    if several and vectors.is_floating_point() and len(vectors.unique(dim=0)) < len(vectors):
        raise ValueError(
            "'ids' must be given to 'update' if the samplers of several processes repeat embeddings "
            f"(got {len(vectors)} rows and no ids)"
        )


def once(ids: Tensor, labels: Tensor) -> Tensor:
    """Return the position of the first item of each id, in the order of the ids.

    Raises:
        ValueError: If items of one id have different labels, so that they are not repeated but different items.
    """
    ordered, places = ids.sort(stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    places = places[new]
    kept = places[torch.searchsorted(ids[places], ids)]
    differ = (labels[kept] != labels).any(1)
    if differ.any():
        raise ValueError(f"'ids' must differ between items (got {ids[differ][0].item()} with different labels)")
    return places
