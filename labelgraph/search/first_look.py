"""A first look at inner products in bfloat16, which leaves few items to be compared in float32."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import torch
from torch import Tensor

BLOCK_ITEMS = 2**10  # With 1024 queries, a block of 2 MiB of products, which fits in the caches.
RUN = 2**6
TOGETHER = 2**6  # Queries of one second look: few, so that they have few items, but enough for a fast product.
# With fewer queries, columns, or items per neighbour, or with more candidates per neighbour, nothing is gained.
LEAST_QUERIES, LEAST_WIDTH, LEAST_ITEMS, MOST_CANDIDATES = 2**7, 2**6, 2**12, 2**3
ROUNDING = 2.0**-8  # Largest relative difference of a number and the nearest bfloat16.
SMALLEST = 2.0**-126  # Smaller numbers may count as 0 in a product.
ANY = -(2**15)


@cache
def is_fast() -> bool:
    """Return whether the processor multiplies bfloat16; if PyTorch is too old to say so, it counts as slow."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def promising_items(query: Tensor, database: Tensor, k: int) -> list[tuple[slice, Tensor]] | None:
    r"""Find few items among which are those of the k highest inner products in float32.

    If :math:`q'` and :math:`d'` are vectors :math:`q` and :math:`d` in bfloat16, :math:`|d' - d| \le 2^{-8} |d|`, and
    :math:`|q' \cdot d' - q \cdot d| \le |q' - q| |d'| + |q| |d' - d|`. Only those items are left out whose product in
    bfloat16 is so far below the k-th highest that even these errors, and those of the sums, cannot make up for it.

    Args:
        query: Vectors, float32, shape (Q, H).
        database: Vectors, float32, shape (N, H).
        k: Number of neighbours.

    Returns:
        Slices of the queries, and for each the positions of the items, int64, in ascending order. None if a first look
        gains nothing: without fast products of bfloat16, for small matrices, or if many items are almost equally near.
    """
    if not is_fast() or k > BLOCK_ITEMS or query.size(1) < LEAST_WIDTH:
        return None
    if len(query) < LEAST_QUERIES or len(database) < LEAST_ITEMS * max(k, RUN):
        return None
    # All items are equally near to a query of zeros: its nearest are the first k, which are in every second look.
    query = torch.where(query.any(dim=1, keepdim=True), query, query[query.norm(dim=1).argmax()])
    asked = query.bfloat16()
    candidates = _Candidates(k, _margins(query, asked, database))
    room = torch.empty(len(query) * BLOCK_ITEMS, dtype=torch.bfloat16)
    for start in range(0, len(database), BLOCK_ITEMS):
        block = database[start : start + BLOCK_ITEMS].bfloat16()
        products = torch.mm(asked, block.t(), out=room[: len(query) * len(block)].view(len(query), len(block)))
        candidates.add(products.view(torch.int16), start)
        if candidates.too_many:
            return None
    return candidates.by_queries()


def _margins(query: Tensor, asked: Tensor, database: Tensor) -> np.ndarray:
    """Return twice the largest error of a product of each query, before its own rounding; float64, shape (Q,)."""
    width = query.size(1)
    lost = (width * SMALLEST) ** 0.5  # A length may lack this much, as the squares of small numbers may count as 0.
    longest = database.norm(dim=1).max().double() + lost
    lengths, differences = (x.norm(dim=1).double() + lost for x in (query, asked.float() - query))
    inputs = longest * (differences * (1 + ROUNDING) + lengths * ROUNDING)
    sums = longest * lengths * width * 2.0**-22  # Four times the bound of sums in float32: generous.
    zeros = SMALLEST * width * (1 + lengths + longest)
    return (2 * 1.001 * (inputs + sums + zeros)).numpy()  # The lengths, too, are rounded.


class _Candidates:
    """Items whose product in bfloat16 is below the k-th highest by no more than the margin.

    Products are bfloat16 seen as int16: those above 0 keep their order, and all others are below them. A candidate is
    one integer of its query, its product and its position; a plain sort brings those of a query together, the highest
    first.
    """

    def __init__(self, k: int, margins: np.ndarray) -> None:
        self._k, self._margins = k, margins
        self._least = np.full(len(margins), ANY, np.int16)
        self._parts: list[np.ndarray] = []  # The first is sorted.

    @property
    def too_many(self) -> bool:
        """Whether the second look at all sorted candidates would take too long."""
        return len(self._parts[0]) > len(self._margins) * MOST_CANDIDATES * max(self._k, RUN)

    def add(self, products: Tensor, start: int) -> None:
        """Add the products of a block, int16, shape (Q, n), with its items from position ``start`` on.

        The first block must have k items or more.
        """
        found = self._find(products)
        rows, columns = np.divmod(found, products.size(1))
        values = products.numpy().reshape(-1)[found].astype(np.int64)
        self._parts.append(rows << 48 | 0x7FFF - values << 32 | columns + start)
        # A few queries may keep many items: all are sorted only when they have doubled.
        if start == 0 or sum(map(len, self._parts[1:])) > len(self._parts[0]):
            self._sort()

    def by_queries(self) -> list[tuple[slice, Tensor]]:
        """Return the items of some queries at a time."""
        self._sort()
        edges = [*range(0, max(1, len(self._margins) - TOGETHER + 1), TOGETHER), len(self._margins)]
        parts = np.split(self._parts[0], self._parts[0].searchsorted(np.array(edges[1:-1], np.int64) << 48))
        # The first k are for queries of zeros, and those of a run make the product large enough to be rounded in the
        # same way as all larger ones.
        return [
            (slice(*rows), torch.from_numpy(np.union1d(part & 0xFFFFFFFF, np.arange(max(self._k, RUN)))))
            for rows, part in zip(itertools.pairwise(edges), parts, strict=True)
        ]

    def _find(self, products: Tensor) -> np.ndarray:
        """Return the flat indices of the candidates; only runs whose highest product is high enough are compared."""
        run = RUN if products.size(1) % RUN == 0 else 1
        highest = products.view(len(products), -1, run).amax(2).numpy()
        runs = np.flatnonzero(highest >= self._least[:, None])
        high = products.numpy().reshape(-1, run)[runs] >= self._least[runs // highest.shape[1], None]
        which, inside = np.divmod(np.flatnonzero(high), run)
        return runs[which] * run + inside

    def _sort(self) -> None:
        """Sort the candidates, and keep those that are near enough to the k-th highest."""
        every = np.concatenate(self._parts)
        every.sort()
        rows, values = every >> 48, 0x7FFF - (every >> 32 & 0xFFFF)
        kth = values[rows.searchsorted(np.arange(len(self._margins))) + self._k - 1]
        lowest = _as_floats(kth) * (1 - ROUNDING) - self._margins
        # The bits are cut off, so that the number is rounded down; at 0 or below, all products are high enough.
        self._least = np.where(lowest > 0, lowest.astype(np.float32).view(np.int32) >> 16, ANY).astype(np.int16)
        self._parts = [every[values >= self._least[rows]]]


def _as_floats(bits: np.ndarray) -> np.ndarray:
    """Return the numbers, float64, of bfloat16 bits."""
    return (bits.astype(np.int32) << 16).view(np.float32).astype(np.float64)
