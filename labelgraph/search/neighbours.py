"""What a search finds, and joining what was found in the shards of a database."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest items of each query, from the nearest on.

    Attributes:
        ids: The users' ids, a list of k for each of the Q queries; k is less than asked for if fewer items
            are there or pass the filters.
        scores: Shape (Q, k), falling; but Hamming distances of codes, which are whole numbers, are rising.
        titles: What to show of the items, by their places in ``ids``; their ids where they came without titles.
        score_name: What the scores are, for a heading: such as "cosine", which is at most 1, or "expected Jaccard",
            which is from 0 to 1.

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
    """A whole number of Python or NumPy, of at least 1.

    Raises:
        ValueError: If it is anything else.
    """
    try:
        number = 0 if isinstance(k, bool) else operator.index(k)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"'k' must be a whole number of at least 1 (got {k!r})")
    return number


def merge_neighbours(parts: Sequence[Neighbours], k: int) -> Neighbours:
    """Join the neighbours that the same queries have in each shard of a database.

    Where every shard gave its own first k (or all that it has), the result is that of the whole database, the shards
    one after the other; so a database may be shared out to processes, which gather what each has found.

    Args:
        parts: What a search gave in each shard, in the order of the shards; equal scores keep it.
        k: How many neighbours; fewer are given if there are fewer.

    Raises:
        ValueError: If there are no parts, they are not all of one score or not of the same number of queries, or ``k``
            is less than 1.

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
