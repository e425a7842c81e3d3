"""Metrics as `torchmetrics.Metric`, for Lightning modules; requires the extra ``train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from labelgraph._core.names import check_name
from labelgraph._core.similarity import SIMILARITIES, Embeddings, Vectors, as_embeddings, as_matrix, check_similarity
from labelgraph.metrics.compute import read_metrics
from labelgraph.metrics.metric import Metric as NamedMetric
from labelgraph.metrics.metric_options import DEFAULT_METRICS, DIRECTIONS, WITHOUT_RELEVANT
from labelgraph.metrics.ranked import check_cuts
from labelgraph.metrics.retrieval_report import evaluate

OPTIONS = ("similarity", "relevance", "ties", "without_relevant", "leave_out_own", "block_size")


class _Gathered(Metric):
    """Base class: checked options, tables of rows that processes gather, and the kind of the embeddings."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    kind: Tensor
    label_columns: Tensor
    tables: tuple[str, ...] = ()

    def __init__(self, metrics: Sequence[str], options: dict[str, Any]) -> None:
        super().__init__()
        self.metrics, self.options = tuple(metrics) if isinstance(metrics, list | tuple) else metrics, options
        self.read = _check_options(metrics, options)
        self.similarity = options.get("similarity")
        for name in self.tables:
            self.add_state(name, [], dist_reduce_fx="cat")
        for name in ("kind", "label_columns"):  # Stored as numbers, so that a process without batches receives them.
            self.add_state(name, torch.tensor(-1), dist_reduce_fx="max")

    def _vectors(self, name: str, values: Vectors, rows: int | None = None) -> Tensor:
        """Check the embeddings of a batch, and that all batches have the same similarity."""
        embeddings = as_embeddings(name, values, self.similarity)
        if rows is not None and len(embeddings) != rows:
            raise ValueError(f"'{name}' must have {rows} rows, as 'labels' has (got {len(embeddings)})")
        kind = list(SIMILARITIES).index(embeddings.similarity)
        if self.kind >= 0 and kind != self.kind:
            before = list(SIMILARITIES)[int(self.kind)]
            raise ValueError(
                f"'{name}' must have the similarity {before!r} of the batches before it (got {embeddings.similarity!r})"
            )
        if embeddings.similarity != "hamming" and (needs := [each.full for each in self.read if each.needs_distances]):
            raise ValueError(
                f"'{name}' must be codes, with the similarity 'hamming', for {needs[0]!r} in 'metrics' "
                f"(got {embeddings.similarity!r})"
            )
        self.kind.fill_(kind)
        self.label_columns.fill_(-1 if embeddings.num_labels is None else embeddings.num_labels)
        return embeddings.vectors

    def _hot(self, labels: Any, before: list[Tensor]) -> Tensor:
        """Check the labels of a batch; a relevance function may use labels that are not 0 or 1."""
        hot = as_matrix("labels", labels)
        wrong = hot[(hot != 0) & (hot != 1)]
        if isinstance(self.options.get("relevance", "shared"), str) and len(wrong):
            raise ValueError(f"'labels' must be 0 or 1 (got {wrong[0].item():g})")
        _check_widths("labels", hot, before)
        return hot

    def _embeddings(self, name: str) -> Embeddings:
        labels = int(self.label_columns)
        vectors = dim_zero_cat(getattr(self, name))
        return as_embeddings(name, vectors, list(SIMILARITIES)[int(self.kind)], None if labels < 0 else labels)

    def _seen(self, name: str) -> Tensor:
        """Return the rows of a table from all processes."""
        rows = getattr(self, name)
        if isinstance(rows, list) and not rows:
            raise ValueError(f"'update' must give '{name}' before 'compute' (got none)")
        return dim_zero_cat(rows)

    def _sync_dist(self, *args: Any, **options: Any) -> None:
        """Gather the tables; a process without batches takes part with empty tables."""
        if dist.is_initialized():
            own = {name: [(part.shape[1:], part.dtype) for part in getattr(self, name)][:1] for name in self.tables}
            shapes: list[Any] = [None] * dist.get_world_size(self.process_group)
            dist.all_gather_object(shapes, own, group=self.process_group)
            for name in self.tables:
                known = next((shape[name][0] for shape in shapes if shape[name]), None)
                if known and not getattr(self, name):
                    getattr(self, name).append(torch.empty(0, *known[0], dtype=known[1], device=self.device))
        super()._sync_dist(*args, **options)


def _check_options(metrics: Sequence[str], options: dict[str, Any]) -> list[NamedMetric]:
    """Check the options now, before `evaluate` checks them at the end of an epoch; return the metrics."""
    for name in options:
        check_name("options", name, OPTIONS)
    check_name("without_relevant", options.get("without_relevant", "zero"), WITHOUT_RELEVANT)
    similarity = options.get("similarity")
    if similarity is not None:
        check_similarity(similarity)
    if options.get("block_size") is not None:
        check_cuts([options["block_size"]], "block_size")
    read = read_metrics(metrics, options.get("ties", "database"))
    for metric in read:
        if metric.needs_distances and similarity not in (None, "hamming"):
            raise ValueError(f"'similarity' must be 'hamming' for {metric.full!r} in 'metrics' (got {similarity!r})")
    return read


def _check_widths(name: str, rows: Tensor, other: list[Tensor], which: str = "earlier batches have") -> None:
    if other and rows.shape[1] != other[0].shape[1]:
        raise ValueError(f"'{name}' must have {other[0].shape[1]} columns, as {which} (got {rows.shape[1]})")


def _ids(values: Any, rows: int, device: torch.device, before: list[Tensor]) -> Tensor:
    """Return the ids of a batch, or -1 without ids; either all batches have ids, or none has."""
    without = values is None
    if before and bool((before[0] < 0).all()) != without:
        raise ValueError(
            f"'ids' must be given in every update or in none (got {'none after ids' if without else 'ids after none'})"
        )
    if without:
        return torch.full((rows,), -1, device=device)
    ids = torch.as_tensor(values, device=device)
    if tuple(ids.shape) != (rows,) or ids.is_floating_point() or (rows and ids.min() < 0):
        raise ValueError(
            f"'ids' must be {rows} whole numbers from 0, one for each row of 'labels' "
            f"(got {ids.dtype}, {tuple(ids.shape)}{f', least {ids.min().item():g}' if ids.numel() else ''})"
        )
    return ids.long()


class CrossModalMetrics(_Gathered):
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
        _check_widths("text", sides[1], sides[:1], "'image' has")
        _check_widths("image", sides[0], self.image)
        numbers = _ids(ids, len(hot), hot.device, self.ids)
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


class RetrievalMetrics(_Gathered):
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
        _check_widths("embedding", vectors, self.query or self.database)
        numbers = _ids(ids, len(hot), hot.device, getattr(self, f"{side}_ids"))
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
