"""Neighbours found in the shards of a database, joined to those of the whole."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from labelgraph.search.neighbours import Neighbours


def merge_neighbours(parts: Sequence[Neighbours], k: int) -> Neighbours:
    """Join the neighbours that the same queries have in each shard of a database.

    Where every shard gave its own first k (or all that it has), the result is that of the whole database, the shards
    one after the other; so a database may be shared out to processes, which gather what each has found.

    Args:
        parts: What a search gave in each shard, in the order of the shards; equal scores keep it.
        k: How many neighbours; fewer are given if there are fewer.

    Raises:
        ValueError: If there are no parts, they are not all cosines or all Hamming distances, or not of the same number
            of queries, or ``k`` is less than 1.

    Example:
        >>> import torch
        >>> from labelgraph.search import Neighbours, merge_neighbours
        >>> first = Neighbours([["a", "b"]], torch.tensor([[0.9, 0.4]]))
        >>> second = Neighbours([["c"]], torch.tensor([[0.7]]))
        >>> merge_neighbours([first, second], 2)
        Neighbours(ids=[['a', 'c']], scores=tensor([[0.9000, 0.7000]]))
    """
    _check(parts, k)
    scores = torch.cat([part.scores for part in parts], dim=1)
    order = scores.argsort(dim=1, descending=scores.is_floating_point(), stable=True)[:, :k]
    rows = order.tolist()
    ids, titles = (
        [[joined[place] for place in row] for joined, row in zip(map(_chain, *columns), rows, strict=True)]
        for columns in ([part.ids for part in parts], [part.titles or part.ids for part in parts])
    )
    return Neighbours(ids, scores.gather(1, order), titles)


def _chain(*lists: list[str]) -> list[str]:
    return [each for part in lists for each in part]


def _check(parts: Sequence[Neighbours], k: int) -> None:
    if k < 1:
        raise ValueError(f"'k' must be at least 1 (got {k})")
    if not parts:
        raise ValueError("'parts' must be at least one (got none)")
    queries = {len(part.scores) for part in parts}
    if len(queries) > 1:
        raise ValueError(f"'parts' must be of the same queries (got {', '.join(map(str, sorted(queries)))} queries)")
    if len({part.scores.is_floating_point() for part in parts}) > 1:
        raise ValueError("'parts' must be all cosines or all Hamming distances (got both)")
