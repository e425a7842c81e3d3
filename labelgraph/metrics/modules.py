"""Metrics as `torchmetrics.Metric`, for use in Lightning modules; needs the extra ``train``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from labelgraph.metrics.compute import DEFAULT_METRICS, retrieval_metrics
from labelgraph.metrics.protocols import DIRECTIONS


class CrossModalMetrics(Metric):
    """Retrieval both ways among the pairs that were seen: images search texts, texts search images.

    Under several processes every process computes on the pairs of all of them.

    Args:
        metrics: Names, see `query_metrics`.
        options: Of `retrieval_metrics`.

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

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    image: list[Tensor]
    text: list[Tensor]
    labels: list[Tensor]
    ids: list[Tensor]

    def __init__(self, metrics: Sequence[str] = DEFAULT_METRICS, **options: Any) -> None:
        super().__init__()
        self.metrics, self.options = tuple(metrics), options
        for name in ("image", "text", "labels", "ids"):
            self.add_state(name, [], dist_reduce_fx="cat")

    def update(self, image: Tensor, text: Tensor, labels: Tensor, ids: Tensor | None = None) -> None:
        """Take a batch of pairs.

        Args:
            image: Embeddings or packed codes, shape (B, H).
            text: The same of the texts.
            labels: Multi-hot, shape (B, C).
            ids: Numbers of the pairs from 0, shape (B,). With them pairs stand in the order of their numbers, each
                once, though samplers of several processes repeat some; without them, in the order they came.
        """
        self.image.append(image.detach())
        self.text.append(text.detach())
        self.labels.append(labels)
        self.ids.append(torch.full((len(labels),), -1, device=labels.device) if ids is None else ids)

    def compute(self) -> dict[str, Tensor]:
        """The metrics by direction and full name."""
        image, text, labels, ids = (dim_zero_cat(side) for side in (self.image, self.text, self.labels, self.ids))
        if (ids >= 0).all():
            kept = once(ids)
            image, text, labels = image[kept], text[kept], labels[kept]
        found: dict[str, float] = {}
        for direction, (query, database) in zip(DIRECTIONS, ((image, text), (text, image)), strict=True):
            means = retrieval_metrics(query, database, labels, labels, self.metrics, **self.options)
            found |= {f"{direction}/{name}": value for name, value in means.items()}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()}


class RetrievalMetrics(Metric):
    """Retrieval of a database for queries that were seen, one way.

    Args:
        metrics: Names, see `query_metrics`.
        options: Of `retrieval_metrics`.

    Example:
        >>> import torch
        >>> from labelgraph.metrics.modules import RetrievalMetrics
        >>> metric = RetrievalMetrics(["map"])
        >>> metric.update(torch.eye(2), torch.eye(2), "database")
        >>> metric.update(torch.eye(2)[:1], torch.eye(2)[:1], "query")
        >>> metric.compute()
        {'map': tensor(1., dtype=torch.float64)}
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, metrics: Sequence[str] = DEFAULT_METRICS, **options: Any) -> None:
        super().__init__()
        self.metrics, self.options = tuple(metrics), options
        for side in ("query", "database"):
            self.add_state(side, [], dist_reduce_fx="cat")
            self.add_state(f"{side}_labels", [], dist_reduce_fx="cat")

    def update(self, embedding: Tensor, labels: Tensor, side: str = "query") -> None:
        """Take a batch of one side.

        Args:
            embedding: Embeddings or packed codes, shape (B, H).
            labels: Multi-hot, shape (B, C).
            side: ``"query"`` or ``"database"``.

        Raises:
            ValueError: If the side is unknown.
        """
        if side not in ("query", "database"):
            raise ValueError(f"'side' must be 'query' or 'database' (got {side!r})")
        getattr(self, side).append(embedding.detach())
        getattr(self, f"{side}_labels").append(labels)

    def compute(self) -> dict[str, Tensor]:
        """The metrics by full name."""
        names = ("query", "database", "query_labels", "database_labels")
        query, database, asked, found = (dim_zero_cat(getattr(self, name)) for name in names)
        means = retrieval_metrics(query, database, asked, found, self.metrics, **self.options)
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in means.items()}


def once(ids: Tensor) -> Tensor:
    """Places of the first item of each id, in the order of the ids."""
    ordered, places = ids.sort(stable=True)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return places[new]
