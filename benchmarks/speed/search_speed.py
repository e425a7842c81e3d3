"""Speed of searches, exact and approximate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from benchmarks.speed.measure import clock, pair
from labelgraph._core.files import open_atomic
from labelgraph._core.lazy import import_faiss
from labelgraph.metrics import pack_bits
from labelgraph.search import Index, build_index
from labelgraph.search.exact_neighbours import BLOCK_ITEMS

ITEMS, QUERIES, K = 1_000_000, 1_000, 100
BITS, CHANNELS = 64, 128
FEW_AT_A_TIME = 20  # Queries per block in NumPy, so that its matrices stay below a gigabyte.
SortKind = Literal["stable", "quicksort"]
SORTS: dict[SortKind, str] = {"stable": "stable argsort, ties in database order", "quicksort": "argsort, ties anyhow"}


def hamming(threads: int, items: int = ITEMS, queries: int = QUERIES) -> list[dict[str, Any]]:
    """Search codes: the library against FAISS, and FAISS against NumPy, which takes minutes."""
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
    """Search embeddings: the library against FAISS, and the time of the matrix product alone."""
    pin(threads)
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(size, CHANNELS, generator=generator) for size in (queries, items))
    ours, faiss = filled("exact", database), filled("faiss-flat", database)
    check_same(ours.search(query, K)[0], faiss.search(query, K)[0])
    name = f"cosine search, {queries} queries in {items} x {CHANNELS}, top {K}, against FAISS"
    measured = pair(name, lambda: ours.search(query, K), lambda: faiss.search(query, K), repeats=5)
    return [{**measured, "product_seconds": min(clock(product(query, database)) for _ in range(5))}]


def pin(threads: int) -> None:
    """Set the number of threads of PyTorch, FAISS and NumPy."""
    torch.set_num_threads(threads)
    import_faiss().omp_set_num_threads(threads)
    threadpool_limits(threads)


def filled(name: str, vectors: Tensor, **settings: int) -> Index:
    """Build an index of vectors."""
    index = build_index(name, None, **settings)
    index.add(vectors)
    return index


def product(query: Tensor, database: Tensor) -> Callable[[], object]:
    """Compute all inner products in blocks, each into the same memory, and do not use them."""
    room = torch.empty(len(query), BLOCK_ITEMS)

    def multiply() -> None:
        for block in database.split(BLOCK_ITEMS):
            torch.mm(query, block.t(), out=room[:, : len(block)])

    return multiply


def by_numpy(query: np.ndarray, database: np.ndarray, k: int, kind: SortKind = "stable") -> np.ndarray:
    """Compute Hamming distances by a product of codes of -1 and 1, and sort all of them, in blocks of queries."""
    nearest = []
    for start in range(0, len(query), FEW_AT_A_TIME):
        distances = 0.5 * (query.shape[1] - query[start : start + FEW_AT_A_TIME] @ database.T)
        order = np.argsort(distances, axis=1, kind=kind)[:, :k]
        nearest.append(np.take_along_axis(distances, order, 1))
    return np.concatenate(nearest)


def check_same(ours: Tensor, other: Tensor | np.ndarray) -> None:
    """Check that two searches have the same scores; positions may differ if scores are equal.

    Raises:
        RuntimeError: If they differ by more than rounding.
    """
    difference = (ours.double() - torch.as_tensor(other).double()).abs().max().item()
    if not difference < 1e-4:
        raise RuntimeError(f"both searches must find the same scores (got a difference of {difference})")


APPROXIMATE_ITEMS, APPROXIMATE_QUERIES, APPROXIMATE_CHANNELS, APPROXIMATE_K = 200_000, 1_000, 128, 10
CENTRES, WITHIN = 1_000, 0.7  # Standard deviation within a cluster; that of the centres is 1.
SETTINGS = {
    "faiss-ivf": ("num_probes", (1, 2, 4, 8, 16, 32, 64)),
    "faiss-hnsw": ("search_width", (16, 32, 64, 128, 256, 512)),
}
OFFSETS = ((4, -11), (-4, 6))  # Offsets of the numbers at the points of each curve: below one curve, above the other.
RECALL = f"recall_at_{APPROXIMATE_K}"


def measure(threads: int, items: int = APPROXIMATE_ITEMS, queries: int = APPROXIMATE_QUERIES) -> list[dict[str, Any]]:
    """Measure each setting of IVF and HNSW, alternating with the built-in exact index."""
    pin(threads)
    query, database = clustered(queries, items)
    exact = filled("exact", database)
    wanted = exact.search(query, APPROXIMATE_K)[1]
    figures = []
    for kind, (setting, values) in SETTINGS.items():
        whole: list[Index] = []
        building = clock(lambda whole=whole, kind=kind: whole.append(filled(kind, database)))  # type: ignore[misc]
        for value in values:
            index = with_setting(kind, whole[0], {setting: value})
            size = f"{queries} queries in {items} x {APPROXIMATE_CHANNELS}, top {APPROXIMATE_K}"
            name = f"{kind}, {setting} = {value}, {size}, against exact"
            figures.append({
                **pair(name, searching(index, query), searching(exact, query), repeats=5),
                "index": kind, "setting": setting, "value": value, "queries": queries,
                "building_seconds": building,
                RECALL: recall(index.search(query, APPROXIMATE_K)[1], wanted),
            })  # fmt: skip
    return figures


def searching(index: Index, query: Tensor) -> Callable[[], object]:
    """Return the search to time."""
    return lambda: index.search(query, APPROXIMATE_K)


def with_setting(kind: str, whole: Index, settings: Mapping[str, int]) -> Index:
    """Return the same index with another search setting; it is not built again."""
    index = build_index(kind, None, **settings)
    index.restore(whole.vectors, whole.dump())
    return index


def clustered(queries: int, items: int) -> tuple[Tensor, Tensor]:
    """Return random queries and items in common clusters, with a falling spectrum like that of embeddings."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.arange(1, APPROXIMATE_CHANNELS + 1).float().rsqrt()
    centres = torch.randn(CENTRES, APPROXIMATE_CHANNELS, generator=generator)

    def draw(size: int) -> Tensor:
        own = torch.randint(CENTRES, (size,), generator=generator)
        return (centres[own] + WITHIN * torch.randn(size, APPROXIMATE_CHANNELS, generator=generator)) * scale

    return draw(queries), draw(items)


def recall(positions: Tensor, wanted: Tensor) -> float:
    """Return the share of the exact neighbours among the results, mean over queries."""
    return (positions.unsqueeze(2) == wanted.unsqueeze(1)).any(1).double().mean().item()


def draw_recall(figures: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Plot recall against the time per query, with a curve for each kind of index, and the exact search."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.subplots()
    for number, kind in enumerate(SETTINGS):
        points = [each for each in figures if each.get("index") == kind]
        times = [1e3 * each["seconds"]["median"] / each["queries"] for each in points]
        recalls = [each[RECALL] for each in points]
        label = f"{kind}, by {points[0]['setting']}"
        ax.plot(times, recalls, "o-", ms=4, lw=1.2, color=f"C{number}", label=label)
        for each, place in zip(points, zip(times, recalls, strict=True), strict=True):
            ax.annotate(str(each["value"]), place, xytext=OFFSETS[number], textcoords="offset points",
                        fontsize=8, color=f"C{number}", bbox={"fc": "w", "ec": "none", "pad": 0.5})  # fmt: skip
    curves = [each for each in figures if RECALL in each]
    exact = sorted(1e3 * each["rival_seconds"]["median"] / each["queries"] for each in curves)[len(curves) // 2]
    ax.axvline(exact, ls="--", lw=1.2, color="0.4", label="built-in exact search")
    ax.margins(y=0.1)
    ax.set(
        xscale="log",
        xlabel="milliseconds a query",
        ylabel=f"recall@{APPROXIMATE_K} against exact search",
        ylim=(None, 1.02),
    )
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_title(f"Approximate search, clustered embeddings, {APPROXIMATE_CHANNELS} channels", fontsize=10)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, loc="lower right")
    with open_atomic(path) as file:
        figure.savefig(file, dpi=150)
