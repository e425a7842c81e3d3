"""Exact search among a million items: the built-in indexes against FAISS, against NumPy, and against the bound."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from benchmarks.speed.measure import clock, pair
from labelgraph.retrieval import pack_bits
from labelgraph.search import Index, build_index
from labelgraph.search.faiss_index import import_faiss
from labelgraph.search.product import BLOCK_ITEMS

ITEMS, QUERIES, K = 1_000_000, 1_000, 100
BITS, CHANNELS = 64, 128
FEW_AT_A_TIME = 20  # Of NumPy, so that its matrices stay below a gigabyte.
SortKind = Literal["stable", "quicksort"]
SORTS: dict[SortKind, str] = {"stable": "stable argsort, ties in database order", "quicksort": "argsort, ties anyhow"}


def hamming(threads: int, items: int = ITEMS, queries: int = QUERIES) -> list[dict[str, Any]]:
    """Codes: ours against FAISS, and FAISS against NumPy, which takes minutes."""
    pin(threads)
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(size, BITS, generator=generator).sign() for size in (queries, items))
    ours, faiss = filled("hamming", pack_bits(database)), filled("faiss-binary-flat", pack_bits(database))
    codes = pack_bits(query)
    check_same(ours.search(codes, K)[0], faiss.search(codes, K)[0])
    check_same(ours.search(codes[:5], K)[0], by_numpy(query[:5].numpy(), database.numpy(), K))
    size = f"{queries} queries in {items} codes of {BITS} bits, top {K}"
    figures = [
        pair(f"Hamming search, {size}, against FAISS",
             lambda: ours.search(codes, K), lambda: faiss.search(codes, K), repeats=7)
    ]  # fmt: skip
    for kind, sort in SORTS.items():
        name = f"Hamming search by FAISS, {size}, against a NumPy product and {sort}"
        usual = partial(by_numpy, query.numpy(), database.numpy(), K, kind)
        figures.append(pair(name, lambda: faiss.search(codes, K), usual, repeats=3, warm_up=0))
    return figures


def cosine(threads: int, items: int = ITEMS, queries: int = QUERIES) -> list[dict[str, Any]]:
    """Embeddings: against FAISS, with the time of the product alone."""
    pin(threads)
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(size, CHANNELS, generator=generator) for size in (queries, items))
    ours, faiss = filled("exact", database), filled("faiss-flat", database)
    check_same(ours.search(query, K)[0], faiss.search(query, K)[0])
    name = f"cosine search, {queries} queries in {items} x {CHANNELS}, top {K}, against FAISS"
    found = pair(name, lambda: ours.search(query, K), lambda: faiss.search(query, K), repeats=5)
    return [{**found, "product_seconds": min(clock(product(query, database)) for _ in range(5))}]


def pin(threads: int) -> None:
    """Give torch, FAISS and NumPy as many threads each."""
    torch.set_num_threads(threads)
    import_faiss().omp_set_num_threads(threads)
    threadpool_limits(threads)


def filled(name: str, vectors: Tensor, **settings: int) -> Index:
    """An index with vectors in it."""
    index = build_index(name, None, **settings)
    index.add(vectors)
    return index


def product(query: Tensor, database: Tensor) -> Callable[[], object]:
    """All products, block by block into the same place, and nothing done with them."""
    room = torch.empty(len(query), BLOCK_ITEMS)

    def multiply() -> None:
        for block in database.split(BLOCK_ITEMS):
            torch.mm(query, block.t(), out=room[:, : len(block)])

    return multiply


def by_numpy(query: np.ndarray, database: np.ndarray, k: int, kind: SortKind = "stable") -> np.ndarray:
    """Hamming distances of codes of -1 and 1 as they are usually computed, and a full sort; some queries at a time."""
    nearest = []
    for start in range(0, len(query), FEW_AT_A_TIME):
        distances = 0.5 * (query.shape[1] - query[start : start + FEW_AT_A_TIME] @ database.T)
        order = np.argsort(distances, axis=1, kind=kind)[:, :k]
        nearest.append(np.take_along_axis(distances, order, 1))
    return np.concatenate(nearest)


def check_same(ours: Tensor, other: Tensor | np.ndarray) -> None:
    """Compare the scores that two searches found; positions may differ where scores are equal.

    Raises:
        RuntimeError: If they differ by more than rounding.
    """
    difference = (ours.double() - torch.as_tensor(other).double()).abs().max().item()
    if not difference < 1e-4:
        raise RuntimeError(f"both searches must find the same scores (got a difference of {difference})")
