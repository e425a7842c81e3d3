"""The report of hash codes of several lengths: tables, a plot, and all numbers as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure

from benchmarks.experiments.run_folder import RunFolder, tell_splits
from benchmarks.experiments.run_plots import save
from benchmarks.experiments.run_report import how, measure_tables
from benchmarks.experiments.run_settings import RunConfig
from labelgraph._core.json_files import write_json
from labelgraph.cli.common import counted
from labelgraph.data import CrossModalData
from labelgraph.report import Result, markdown_table
from labelgraph.report.curves import method_style
from labelgraph.report.tables import format_spread

# The results of every seed and protocol, by method and length of codes; the length is none without codes.
Measured = Mapping[tuple[str, int | None], Sequence[Result]]


def write_bits(folder: RunFolder, config: RunConfig, data: CrossModalData, measured: Measured) -> None:
    """Write the report, the numbers as JSON and the plot, and print the table."""
    name, protocol = Path(config.dataset).stem, config.eval.protocols[0]
    maps = {key: [each.average for each in results if each.protocol == protocol] for key, results in measured.items()}
    content = [
        {"method": method, "bits": bits, "test": maps[method, bits], "measures": _measures(results, protocol)}
        for (method, bits), results in measured.items()
    ]
    write_json(folder.path / "bits.json", {"protocol": protocol, "results": content})
    _plot(maps, f"{name}, {protocol}, {counted(len(config.seeds), 'seed')}", folder)
    table = _table(maps)
    variants = [replace(result, variant=_length(bits)) for (_, bits), results in measured.items() for result in results]
    parts = [
        f"# mAP against bits on {name}",
        f"Codes are ranked by Hamming distance. {how(config, folder)} {tell_splits(config, data)}",
        f"mAP, {protocol}, both directions averaged:\n\n{table}",
        "![mAP against bits](plots/bits.png)",
        "## All measures",
        measure_tables(variants, protocol),
    ]
    folder.write_report_files(parts)
    print(f"\nmAP, {protocol}, both directions averaged\n\n{table}\n\nReport: {folder.path / 'report.html'}")


def _measures(results: Sequence[Result], protocol: str) -> list[dict[str, float | None]]:
    """All measures of each seed; NaN becomes none."""
    return [
        {name: None if isnan(value) else value for name, value in each.measures.items()}
        for each in results
        if each.protocol == protocol
    ]


def _length(bits: int | None) -> str:
    return counted(bits, "bit") if bits else "without codes"


Maps = Mapping[tuple[str, int | None], Sequence[float]]


def _methods(maps: Maps) -> list[str]:
    return list(dict.fromkeys(name for name, _ in maps))


def _lengths(maps: Maps) -> list[int]:
    return sorted({bits for _, bits in maps if bits})


def _table(maps: Maps) -> str:
    columns = [*_lengths(maps), None]
    rows = [[name, *(_cell(maps.get((name, bits))) for bits in columns)] for name in _methods(maps)]
    return markdown_table(["method", *map(_length, columns)], rows)


def _cell(values: Sequence[float] | None) -> str:
    return format_spread(values) if values else "-"


def _plot(maps: Maps, title: str, folder: RunFolder) -> None:
    """A curve for each method with its seeds as dots, and a dashed line for its mAP without codes."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.subplots()
    for name in _methods(maps):
        own = sorted((bits, values) for (each, bits), values in maps.items() if each == name and bits)
        means = [fmean(values) for _, values in own]
        (line,) = ax.plot([bits for bits, _ in own], means, label=name, **{**method_style(name), "ls": "-"})
        for bits, values in own:
            ax.plot([bits] * len(values), values, "o", ms=3.5, alpha=0.6, color=line.get_color())
        if real := maps.get((name, None)):
            ax.axhline(fmean(real), ls="--", lw=1, color=line.get_color())
    lengths = _lengths(maps)
    ax.set_xscale("log", base=2)
    ax.set_xticks(lengths, [str(bits) for bits in lengths])
    ax.set(xlabel="bits (dashed lines: without codes)", ylabel="mAP, both directions averaged", title=title)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", edgecolor="none", loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, folder, "bits.png")
