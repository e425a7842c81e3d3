"""What codes of several lengths reach: a table, a picture, and all numbers as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from matplotlib.figure import Figure

from benchmarks.experiments.run_folder import RunFolder, tell_splits
from benchmarks.experiments.run_plots import save
from benchmarks.experiments.run_report import how
from benchmarks.experiments.run_settings import RunConfig
from labelgraph._core.files import write_text
from labelgraph._core.json_files import write_json
from labelgraph.data import CrossModalData
from labelgraph.report import markdown_table

# The mAP of every seed, by method and length; none is without codes.
Found = Mapping[tuple[str, int | None], Sequence[float]]


def write_bits(folder: RunFolder, config: RunConfig, data: CrossModalData, found: Found) -> None:
    """Write and print the table, and draw the picture."""
    name, protocol = Path(config.dataset).stem, config.eval.protocols[0]
    content = [{"method": name, "bits": bits, "test": values} for (name, bits), values in found.items()]
    write_json(folder.path / "bits.json", {"protocol": protocol, "results": content})
    _plot(found, f"{name}, {protocol}, {len(config.seeds)} seeds", folder)
    table = _table(found)
    told = f"Codes are ranked by Hamming distance. {how(config, folder)} {tell_splits(config, data)}"
    picture = "![mAP against bits](plots/bits.png)"
    write_text(
        folder.path / "report.md", f"# mAP against bits on {name}\n\n{told}\n\n{protocol}\n\n{table}\n\n{picture}\n"
    )
    print(f"\n{protocol}, both ways averaged\n\n{table}\n\nReport: {folder.path / 'report.md'}")


def _methods(found: Found) -> list[str]:
    return list(dict.fromkeys(name for name, _ in found))


def _lengths(found: Found) -> list[int]:
    return sorted({bits for _, bits in found if bits})


def _table(found: Found) -> str:
    columns = [*_lengths(found), None]
    rows = [[name, *(_spread(found.get((name, bits), ())) for bits in columns)] for name in _methods(found)]
    return markdown_table(["method", *(f"{bits} bits" if bits else "without codes" for bits in columns)], rows)


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{fmean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def _plot(found: Found, title: str, folder: RunFolder) -> None:
    """A curve a method with its seeds as dots, and a dashed line for what it reaches without codes."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    ax = figure.subplots()
    for number, name in enumerate(_methods(found)):
        own = sorted((bits, values) for (each, bits), values in found.items() if each == name and bits)
        ax.plot([bits for bits, _ in own], [fmean(values) for _, values in own], "-", color=f"C{number}", label=name)
        for bits, values in own:
            ax.plot([bits] * len(values), values, "o", ms=3.5, alpha=0.6, color=f"C{number}")
        if real := found.get((name, None)):
            ax.axhline(fmean(real), ls="--", lw=1, color=f"C{number}")
    every = _lengths(found)
    ax.set_xscale("log", base=2)
    ax.set_xticks(every, [str(bits) for bits in every])
    ax.set(xlabel="bits (dashed: without codes)", ylabel="mAP, both ways averaged", title=title)
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", edgecolor="none", loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, folder, "bits.png")
