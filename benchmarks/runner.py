"""A run, from settings to a folder worth reading."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
from torch_geometric.data import Data

from benchmarks.baselines import run_baseline
from benchmarks.config import RunConfig
from benchmarks.report import write_plots, write_report
from benchmarks.run_folder import RunFolder
from labelgraph.data import CrossModalData, load_dataset
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import Method, build_method, load_method
from labelgraph.report import Result, write_results
from labelgraph.retrieval import evaluate_protocol
from labelgraph.train import encode, fit

Say = Callable[[str], None]


def run(
    config: RunConfig, data: CrossModalData, folder: RunFolder, say: Say = print, progress: bool = True
) -> list[Result]:
    """Fit baselines, train every seed, evaluate, and write the folder; what is done already is kept."""
    say(f"{config.dataset}: {data}")
    graph = training_graph(data)
    results: list[Result] = []
    for name in config.eval.baselines:
        made = _kept(folder, folder.baseline(name), partial(_baseline, name, config, data))
        say(_line(made[0]))
        results += made
    for seed in config.seeds:
        train = partial(train_seed, seed, config, data, graph, folder, progress)
        made = _kept(folder, folder.results(seed), train)
        say(_line(made[0]))
        results += made
    folder.write_metrics(config, results)
    write_plots(folder, config, graph, results, histories(folder, config))
    write_report(folder, config, data, graph, results)
    return results


def training_graph(data: CrossModalData) -> Data:
    """The label graph, counted on the training items alone."""
    train = data.split("train")
    return cooccurrence_graph(train.labels, train.label_names)


def train_seed(
    seed: int, config: RunConfig, data: CrossModalData, graph: Data, folder: RunFolder, progress: bool
) -> list[Result]:
    """Train one seed, save its model, and evaluate it by every protocol."""
    L.seed_everything(seed, verbose=False)
    method = build_method(config.method, data.image_channels, data.text_channels, graph, config.model)
    fitted = fit(method, data, config.train, folder.seed(seed), seed=seed, progress=progress)
    method.save_pretrained(folder.model(seed))
    about = {
        "best_epoch": fitted.best_epoch,
        "train_seconds": fitted.seconds,
        "parameters": sum(p.numel() for p in method.parameters() if p.requires_grad),
    }
    return evaluate_method(method, config, data, seed, **about)


def evaluate_method(method: Method, config: RunConfig, data: CrossModalData, seed: int, **about: Any) -> list[Result]:
    """Evaluate one trained model by every protocol."""
    options: dict[str, Any] = {"k": config.eval.k, "definition": config.eval.definition}
    encoder = partial(encode, method)
    measured = {name: evaluate_protocol(encoder, data, name, **options) for name in config.eval.protocols}
    return [
        Result(
            method=config.method,
            seed=seed,
            protocol=protocol,
            image_to_text=reports["image_to_text"],
            text_to_image=reports["text_to_image"],
            selected_on=config.train.select,
            **about,
        )
        for protocol, reports in measured.items()
    ]


def evaluate_run(folder: RunFolder) -> list[Result]:
    """Evaluate the saved models of a run anew."""
    config = folder.config()
    data = load_dataset(config.dataset)
    models = {seed: load_method(folder.model(seed)) for seed in config.seeds}
    return [result for seed, model in models.items() for result in evaluate_method(model, config, data, seed)]


def histories(folder: RunFolder, config: RunConfig) -> dict[int, list[dict[str, float]]]:
    """The history of every seed."""
    found = {}
    for seed in config.seeds:
        with (folder.seed(seed) / "history.csv").open(encoding="utf-8", newline="") as file:
            found[seed] = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    return found


def _baseline(name: str, config: RunConfig, data: CrossModalData) -> list[Result]:
    options = {"k": config.eval.k, "definition": config.eval.definition}
    return run_baseline(name, data, config.eval.protocols, config.train.select, **options)


def _kept(folder: RunFolder, path: Path, make: Callable[[], list[Result]]) -> list[Result]:
    """Results that are on disk already, or else made now and written."""
    done = folder.read_if_done(path)
    if done is None:
        done = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_results(path, done)
    return done


def _line(result: Result) -> str:
    name = result.method if result.seed is None else f"{result.method}, seed {result.seed}"
    chosen = f", best epoch {result.best_epoch + 1}" if result.best_epoch is not None else ""
    chosen += f", {result.setting}" if result.setting else ""
    return f"  {name}: average mAP {result.average:.3f} ({result.protocol}){chosen}, {result.train_seconds or 0:.1f} s"
