"""Rows that several processes gather for a metric, and checks of each batch of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from labelgraph._core.embeddings import Embeddings, Vectors, as_embeddings, as_matrix, check_similarity
from labelgraph._core.names import check_name
from labelgraph._core.similarity import SIMILARITIES
from labelgraph.metrics.compute import read_metrics
from labelgraph.metrics.metric import Metric as NamedMetric
from labelgraph.metrics.metric_options import WITHOUT_RELEVANT
from labelgraph.metrics.ranked import check_cuts

OPTIONS = ("similarity", "relevance", "ties", "without_relevant", "leave_out_own", "block_size")


class Gathered(Metric):
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
        check_widths("labels", hot, before)
        return hot

    def _embeddings(self, name: str) -> Embeddings:
        labels = int(self.label_columns)
        vectors = dim_zero_cat(getattr(self, name))
        return as_embeddings(name, vectors, list(SIMILARITIES)[int(self.kind)], None if labels < 0 else labels)

    def _seen(self, name: str) -> Tensor:
        """Return the rows of a table from all processes."""
        rows = getattr(self, name)
        if not len(rows):
            raise ValueError(f"'update' must give '{name}' before 'compute' (got none)")
        return dim_zero_cat(rows)

    def _rows(self) -> dict[str, _Rows]:
        """Describe the tables of this process that have rows."""
        parts = {name: getattr(self, name) for name in self.tables if getattr(self, name)}
        similarity = list(SIMILARITIES)[int(self.kind)]
        return {
            name: _Rows(
                similarity if part[0].ndim == 2 else "ids" if part[0][0] >= 0 else "no ids",
                int(self.label_columns),
                tuple(part[0].shape[1:]),
                functools.reduce(torch.promote_types, (each.dtype for each in part)),
            )
            for name, part in parts.items()
        }

    def _sync_dist(self, *args: Any, **options: Any) -> None:
        """Gather the tables; a process without batches takes part with empty tables.

        Raises:
            ValueError: In all processes, if the rows of one process do not fit those of another.
        """
        if dist.is_initialized():
            everyone: list[Any] = [None] * dist.get_world_size(self.process_group)
            dist.all_gather_object(everyone, self._rows(), group=self.process_group)
            for name in self.tables:
                rows = [each[name] for each in everyone if name in each]
                if rows:
                    _check_alike(name, rows)
                    dtype = functools.reduce(torch.promote_types, (each.dtype for each in rows))
                    own = getattr(self, name) or [torch.empty(0, *rows[0].shape, device=self.device)]
                    setattr(self, name, [part.to(dtype) for part in own])
        super()._sync_dist(*args, **options)


class _Rows(NamedTuple):
    """The rows of a table in one process; all but the dtype must be the same in all processes."""

    kind: str
    num_labels: int
    shape: tuple[int, ...]
    dtype: torch.dtype


def _check_alike(name: str, rows: Sequence[_Rows]) -> None:
    for place, word in enumerate(("", "num_labels ", "columns ")):
        got = list(dict.fromkeys(each[place] for each in rows))
        if len(got) > 1:
            listed = " and ".join(f"{word}{value[0] if isinstance(value, tuple) else value}" for value in got)
            raise ValueError(f"'{name}' must be of one kind in all processes (got {listed})")


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


def check_widths(name: str, rows: Tensor, other: list[Tensor], which: str = "earlier batches have") -> None:
    """Check that rows have as many columns as the first of some other rows, if there are any."""
    if other and rows.shape[1] != other[0].shape[1]:
        raise ValueError(f"'{name}' must have {other[0].shape[1]} columns, as {which} (got {rows.shape[1]})")


def check_ids(values: Any, rows: int, device: torch.device, before: list[Tensor]) -> Tensor:
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
