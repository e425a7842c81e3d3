"""The results of a search, and their merge over the shards of a database."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest items of each query, the nearest first.

    Attributes:
        ids: Ids of the items, a list of k per query; fewer if fewer items exist or match the filters.
        scores: Scores, shape (Q, k), in descending order; Hamming distances are whole numbers in ascending order.
        titles: Titles of the items, in the order of ``ids``; an item without a title has its id.
        score_name: Name of the score for a heading, such as "cosine", which is at most 1, or "expected Jaccard",
            which is in [0, 1].

    Example:
        >>> import torch
        >>> from labelgraph.search import Neighbours
        >>> Neighbours([["b", "a"]], torch.tensor([[0.9, 0.4]]))
        Neighbours(ids=[['b', 'a']], scores=tensor([[0.9000, 0.4000]]))
    """

    ids: list[list[str]]
    scores: Tensor
    titles: list[list[str]] = field(default_factory=list, repr=False)
    score_name: str = field(default="score", repr=False)


def check_k(k: Any) -> int:
    """Return ``k`` as an integer of Python.

    Raises:
        ValueError: If ``k`` is not a whole number of at least 1.
    """
    try:
        number = 0 if isinstance(k, bool) else operator.index(k)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"'k' must be a whole number of at least 1 (got {k!r})")
    return number


def merge_neighbours(parts: Sequence[Neighbours], k: int) -> Neighbours:
    """Merge the neighbours of the same queries in several shards of a database.

    If each part holds the first k neighbours of its shard, or all its items, the result is that of a search in the
    concatenation of the shards. Several processes can thus search one shard each.

    Args:
        parts: Results of the search in each shard, in the order of the shards; equal scores keep this order.
        k: Number of neighbours; if the parts have fewer, all are returned.

    Raises:
        ValueError: If there is no part, the parts differ in score or number of queries, or ``k`` is less than 1.

    Example:
        >>> import torch
        >>> from labelgraph.search import Neighbours, merge_neighbours
        >>> first = Neighbours([["a", "b"]], torch.tensor([[0.9, 0.4]]))
        >>> second = Neighbours([["c"]], torch.tensor([[0.7]]))
        >>> merge_neighbours([first, second], 2)
        Neighbours(ids=[['a', 'c']], scores=tensor([[0.9000, 0.7000]]))
    """
    k = check_k(k)
    _check(parts)
    scores = torch.cat([part.scores for part in parts], dim=1)
    order = scores.argsort(dim=1, descending=scores.is_floating_point(), stable=True)[:, :k]
    rows = order.tolist()
    ids, titles = (
        [[joined[place] for place in row] for joined, row in zip(map(_chain, *columns), rows, strict=True)]
        for columns in ([part.ids for part in parts], [part.titles or part.ids for part in parts])
    )
    return Neighbours(ids, scores.gather(1, order), titles, parts[0].score_name)


def _chain(*lists: list[str]) -> list[str]:
    return [each for part in lists for each in part]


def _check(parts: Sequence[Neighbours]) -> None:
    if not parts:
        raise ValueError("'parts' must be at least one (got none)")
    queries = {len(part.scores) for part in parts}
    if len(queries) > 1:
        raise ValueError(f"'parts' must be of the same queries (got {', '.join(map(str, sorted(queries)))} queries)")
    if len({part.scores.is_floating_point() for part in parts}) > 1:
        raise ValueError("'parts' must be all cosines or all Hamming distances (got both)")
    names = sorted({part.score_name for part in parts})
    if len(names) > 1:
        raise ValueError(f"'parts' must be of one score (got {', '.join(names)})")
