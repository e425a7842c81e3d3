"""What approximate search gives up and saves: recall against exact search, and time, setting by setting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.measure import clock, pair
from benchmarks.speed.search import filled, pin
from labelgraph.search import Index, build_index

ITEMS, QUERIES, CHANNELS, K = 200_000, 1_000, 128, 10
CENTRES, WITHIN = 1_000, 0.7  # Deviation within a cluster, that of the centres being 1.
SETTINGS = {
    "faiss-ivf": ("num_probes", (1, 2, 4, 8, 16, 32, 64)),
    "faiss-hnsw": ("search_width", (16, 32, 64, 128, 256, 512)),
}
OFFSETS = ((4, -11), (-4, 6))  # Of the numbers at the points of each curve: one has them below, the other above.
RECALL = f"recall_at_{K}"


def measure(threads: int, items: int = ITEMS, queries: int = QUERIES) -> list[dict[str, Any]]:
    """Each setting of IVF and HNSW against the built-in exact index, turn by turn."""
    pin(threads)
    query, database = clustered(queries, items)
    exact = filled("exact", database)
    wanted = exact.search(query, K)[1]
    figures = []
    for kind, (setting, values) in SETTINGS.items():
        whole: list[Index] = []
        building = clock(lambda whole=whole, kind=kind: whole.append(filled(kind, database)))  # type: ignore[misc]
        for value in values:
            index = with_setting(kind, whole[0], {setting: value})
            name = f"{kind}, {setting} = {value}, {queries} queries in {items} x {CHANNELS}, top {K}, against exact"
            figures.append({
                **pair(name, searching(index, query), searching(exact, query), repeats=5),
                "index": kind, "setting": setting, "value": value, "queries": queries,
                "building_seconds": building,
                RECALL: recall(index.search(query, K)[1], wanted),
            })  # fmt: skip
    return figures


def searching(index: Index, query: Tensor) -> Callable[[], object]:
    """The search that is timed."""
    return lambda: index.search(query, K)


def with_setting(kind: str, whole: Index, settings: Mapping[str, int]) -> Index:
    """The same index with other settings of its search; it is not built again."""
    index = build_index(kind, None, **settings)
    index.restore(whole.vectors, whole.dump())
    return index


def clustered(queries: int, items: int) -> tuple[Tensor, Tensor]:
    """Queries and items around common centres, with a spectrum that falls as that of embeddings does."""
    generator = torch.Generator().manual_seed(0)
    scale = torch.arange(1, CHANNELS + 1).float().rsqrt()
    centres = torch.randn(CENTRES, CHANNELS, generator=generator)

    def draw(size: int) -> Tensor:
        own = torch.randint(CENTRES, (size,), generator=generator)
        return (centres[own] + WITHIN * torch.randn(size, CHANNELS, generator=generator)) * scale

    return draw(queries), draw(items)


def recall(found: Tensor, wanted: Tensor) -> float:
    """Share of the wanted items that were found, mean over queries."""
    return (found.unsqueeze(2) == wanted.unsqueeze(1)).any(1).double().mean().item()


def draw_recall(figures: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw recall against the time of a query, a curve for each kind of index, and the exact search."""
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
    ax.set(xscale="log", xlabel="milliseconds a query", ylabel=f"recall@{K} against exact search", ylim=(None, 1.02))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_title(f"Approximate search, clustered embeddings, {CHANNELS} channels", fontsize=10)
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=150)
