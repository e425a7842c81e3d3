"""Compare several methods in one table: a folder of run folders; baselines are fitted once."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure

from benchmarks.experiments.folder_start import COMPARISON, make_new
from benchmarks.experiments.run_folder import (
    FORMAT,
    RunFolder,
    keep_splits,
    load_data,
    read_plain,
    tell_splits,
)
from benchmarks.experiments.run_plots import draw_precision_recall, save
from benchmarks.experiments.run_report import full_tables, how, picture, warning
from benchmarks.experiments.run_settings import BASELINES, RunConfig, training_data
from benchmarks.experiments.runner import Say, evaluate_run, histories, read_saved, run, run_baselines
from labelgraph._core.checked_config import check_value
from labelgraph._core.files import write_text
from labelgraph._core.json_files import write_json
from labelgraph._core.names import check_name
from labelgraph._core.reading import reading
from labelgraph.data import CrossModalData
from labelgraph.methods import METHODS
from labelgraph.report import Result, plot_quality, write_results

PICTURES = {
    "validation.png": "mAP on the validation split, mean over seeds. A dot marks the best epoch of the mean.",
    "precision-recall.png": "Precision at each recall level, mean over queries and seeds.",
}


@dataclass(frozen=True)
class Comparison:
    """A folder with ``comparison.yaml``, a run folder for each method, ``baselines/``, and a common report."""

    path: Path

    @property
    def marker(self) -> Path:
        """The file that lists the methods and baselines."""
        return self.path / COMPARISON

    @property
    def folder(self) -> RunFolder:
        """The paths of the baselines, the plots and the common results."""
        return RunFolder(self.path)

    def create(self, configs: Sequence[RunConfig], environment: Mapping[str, Any]) -> None:
        """Start a comparison; the folder must be new or empty."""
        make_new(self.path)
        write_json(self.folder.environment, environment)
        for config in configs:
            own = replace(config, eval=replace(config.eval, baselines=()))
            self.run_folder(config.method).create(own, environment)
        content = {
            "format": FORMAT,
            "methods": [config.method for config in configs],
            "baselines": list(configs[0].eval.baselines),
        }
        write_text(self.marker, yaml.safe_dump(content, sort_keys=False))

    def configs(self) -> list[RunConfig]:
        """Read the settings of every method.

        Raises:
            ValueError: If the folder is damaged or of another version.
        """
        with reading(self.marker, f"a comparison of format {FORMAT}"):
            content = read_plain(self.marker)
            methods, baselines = (
                check_value(name, content[name], tuple[str, ...]) for name in ("methods", "baselines")
            )
            for names, known in ((methods or ("",), METHODS), (baselines, BASELINES)):
                for name in names:
                    check_name("name", name, known)
        configs = [self.run_folder(method).config() for method in methods]
        return [replace(config, eval=replace(config.eval, baselines=baselines)) for config in configs]

    def run_folder(self, method: str) -> RunFolder:
        """The run of one method."""
        return RunFolder(self.path / method)


def compare(comparison: Comparison, data: CrossModalData, say: Say = print, logger: str | None = None) -> list[Result]:
    """Fit the baselines, run every method, and write the common report; finished trainings are kept."""
    configs = comparison.configs()
    first, folder = configs[0], comparison.folder
    say(f"{first.dataset}: {data}")
    for each in (folder, *(comparison.run_folder(config.method) for config in configs)):
        keep_splits(first, data, each)
    results = run_baselines(first, training_data(first, data), data, folder, say)
    for config in configs:
        own = comparison.run_folder(config.method)
        say(f"{config.method}:")
        if not own.metrics.is_file():
            run_alone(own.path, logger)
        results += read_saved(own.metrics, config.eval.protocols)
    about: dict[str, Any] = {
        "method": "all" if len(configs) == len(METHODS) else ", ".join(config.method for config in configs)
    }
    about |= {"dataset": first.dataset, "seeds": list(first.seeds), "select": first.train.select}
    write_results(folder.metrics, results, **about)
    _write_pictures(comparison, configs, results)
    _write_page(comparison, configs, data, results)
    return results


def run_alone(path: Path, logger: str | None = None) -> None:
    """Run a method in a new process, so that its peak memory is its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(_run, path, logger).result()


def _run(path: Path, logger: str | None) -> None:
    config = RunFolder(path).config()
    data = load_data(config, RunFolder(path))
    run(config, data, RunFolder(path), say=_say_lines, logger=logger)


def _say_lines(line: str) -> None:
    if line.startswith(" "):  # The line about the data has been printed already.
        print(line, flush=True)


def evaluate_comparison(comparison: Comparison) -> list[Result]:
    """Evaluate the saved models of every method again."""
    return [result for config in comparison.configs() for result in evaluate_run(comparison.run_folder(config.method))]


def _write_pictures(comparison: Comparison, configs: Sequence[RunConfig], results: Sequence[Result]) -> None:
    folder = comparison.folder
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    curves = {config.method: _mean_history(comparison, config) for config in configs}
    split = configs[0].train.select
    plot_quality(curves, figure.subplots(), "validation" if split == "last" else split)
    save(figure, folder, "validation.png")
    draw_precision_recall(folder, configs[0], results)


def _mean_history(comparison: Comparison, config: RunConfig) -> list[dict[str, float]]:
    """The mean history over seeds, up to the last epoch that all seeds reached."""
    runs = histories(comparison.run_folder(config.method), config).values()
    return [{key: statistics.fmean(row[key] for row in rows) for key in rows[0]} for rows in zip(*runs, strict=False)]


def _write_page(
    comparison: Comparison, configs: Sequence[RunConfig], data: CrossModalData, results: Sequence[Result]
) -> None:
    first = configs[0]
    parts = [
        f"# {', '.join(config.method for config in configs)} on {first.dataset}",
        warning(first),
        how(first, comparison.folder, *configs[1:]),
        full_tables(results, first),
        tell_splits(first, data),
        "Reports of the methods: " + ", ".join(f"[{c.method}]({c.method}/report.md)" for c in configs) + ".",
        "## Plots\n\n" + "\n\n".join(picture(name, caption) for name, caption in PICTURES.items()),
    ]
    comparison.folder.write_report_files(parts)
