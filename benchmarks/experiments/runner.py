"""Train, evaluate and report one method."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from benchmarks.experiments.baselines import run_baseline
from benchmarks.experiments.run_folder import RunFolder, held_out, keep_splits, load_data
from benchmarks.experiments.run_plots import ranks_by_probabilities, write_plots, write_reliability
from benchmarks.experiments.run_report import write_report
from benchmarks.experiments.run_settings import VARIANTS, RunConfig, Training, training_data, trainings
from labelgraph._core.multi_hot import label_sums
from labelgraph._core.reading import quoted, reading
from labelgraph.data import CrossModalData
from labelgraph.encoders import label_name_vectors
from labelgraph.inference import encode, relevance_encoder
from labelgraph.methods import Method, load_method
from labelgraph.metrics import Encoder, evaluate_labels, evaluate_protocol, evaluate_short_queries
from labelgraph.report import Result, read_results, write_results
from labelgraph.train import TrainedMethod, train_method, training_graph
from labelgraph.train.launch import by_first, is_first

PRECISION = "precision_"
Say = Callable[[str], None]


def run(
    config: RunConfig,
    data: CrossModalData,
    folder: RunFolder,
    say: Say = print,
    progress: bool = True,
    logger: str | None = None,
) -> list[Result]:
    """Fit baselines, train every seed, evaluate, and write the folder; finished trainings are kept.

    If a launcher started several processes, they train together. Only the process with rank 0 does the rest.
    """
    if not is_first():
        _take_part(config, data, folder)
        return []
    say(f"{config.dataset}: {data}")
    keep_splits(config, data, folder)
    graph = run_graph(config, data, say)
    todo = trainings(config, data)
    results = run_baselines(config, todo[-1].data, data, folder, say)
    for seed in config.seeds:
        for training in todo:
            path = folder.results(seed, training.variant)
            by_first(path.is_file)  # Tells the other processes whether to train.
            train = partial(train_one, training, seed, config, data, graph, folder, progress, logger)
            finished = saved_or_new(path, config.eval.protocols, train)
            say(_line(finished[0]))
            results += finished
    folder.write_metrics(config, results)
    model = folder.model(config.seeds[0], todo[-1].variant)
    write_plots(folder, config, graph, results, histories(folder, config), model)
    models = {seed: folder.model(seed, todo[-1].variant) for seed in config.seeds}
    calibration = write_reliability(folder, config, data, models) if ranks_by_probabilities(config) else ""
    write_report(folder, config, data, graph, results, calibration)
    return results


def _take_part(config: RunConfig, data: CrossModalData, folder: RunFolder) -> None:
    """Train together with the process of rank 0, which has the results of finished trainings."""
    graph = run_graph(config, data, lambda line: None)
    for seed in config.seeds:
        for training in trainings(config, data):
            if not by_first(folder.results(seed, training.variant).is_file):
                _train(training, seed, config, graph, folder, progress=False)


def run_baselines(
    config: RunConfig, training: CrossModalData, data: CrossModalData, folder: RunFolder, say: Say = print
) -> list[Result]:
    """Fit the baselines on the training items of the method, and evaluate them."""
    results = []
    for name in config.eval.baselines:
        make = partial(_baseline, name, config, training, data)
        finished = saved_or_new(folder.baseline(name), config.eval.protocols, make)
        say(_line(finished[0]))
        results += finished
    return results


def run_graph(config: RunConfig, data: CrossModalData, say: Say = print) -> Data:
    """The label graph of the training items, with embeddings of the label names if the settings ask for them."""
    vectors = None
    if config.data.label_vectors:
        vectors, missing = label_name_vectors(config.data.label_vectors, data.label_names)
        if missing:
            say(f"{config.data.label_vectors} has no vectors for {', '.join(missing)}; zeros are used")
    elif getattr(config.model, "label_embedding", None) == "given" and data.label_vectors is None:
        raise ValueError("'model.label_embedding=given' needs 'data.label_vectors' (got none)")
    return training_graph(training_data(config, data), config.model, vectors)


def train_one(
    training: Training,
    seed: int,
    config: RunConfig,
    data: CrossModalData,
    graph: Data,
    folder: RunFolder,
    progress: bool,
    logger: str | None = None,
) -> list[Result]:
    """Train once with one seed, save the model, and evaluate it under every protocol."""
    trained = _train(training, seed, config, graph, folder, progress, logger)
    method, fitted = trained.method, trained.result
    method.save_pretrained(folder.model(seed, training.variant))
    chosen = fitted.history[fitted.best_epoch]
    about = {
        "variant": training.variant,
        "best_epoch": fitted.best_epoch,
        "best_map": fitted.best_map,
        "train_seconds": fitted.seconds,
        "epoch_seconds": fitted.epoch_seconds,
        "peak_bytes": fitted.peak_bytes,
        "parameters": sum(p.numel() for p in method.parameters() if p.requires_grad),
        "diagnostics": {key: value for key, value in chosen.items() if key.startswith(PRECISION)} or None,
    }
    return evaluate_method(method, config, data, seed, **about)


def _train(
    training: Training,
    seed: int,
    config: RunConfig,
    graph: Data,
    folder: RunFolder,
    progress: bool,
    logger: str | None = None,
) -> TrainedMethod:
    place, stage = folder.seed(seed, training.variant), training.stage
    options: dict[str, Any] = {"stages": [stage], stage: training.config, "folder": place, "seed": seed}
    options |= {"unseen_labels": config.data.changes_labels, "logger": logger}
    start: str | Method = config.method
    if training.start:
        start = load_method(folder.model(seed, training.start))
    else:
        options |= {"model": config.model, "graph": graph}
    return train_method(start, training.data, progress=progress, **options)


def evaluate_method(method: Method, config: RunConfig, data: CrossModalData, seed: int, **about: Any) -> list[Result]:
    """Evaluate one trained model under every protocol."""
    options: dict[str, Any] = {
        "k": config.eval.k,
        "definition": config.eval.definition,
    }
    encoder = scoring(method, config, data)
    measured = {name: evaluate_protocol(encoder, data, name, **options) for name in config.eval.protocols}
    read = training_data(config, data)
    counts = label_sums(read.label_rows(read.rows("train"), dense=False))
    # A method embeds labels for its own score only.
    asked = method if config.eval.score == "own" else encoder
    return [
        Result(
            method=config.method,
            seed=seed,
            protocol=protocol,
            image_to_text=reports["image_to_text"],
            text_to_image=reports["text_to_image"],
            selected_on=None if config.train.select == "last" else config.train.select,
            short_queries=evaluate_short_queries(asked, data, protocol, counts=counts),
            classifiers=evaluate_labels(method, data, protocol, counts, len(read.rows("train"))),
            **about,
        )
        for protocol, reports in measured.items()
    ]


def scoring(method: Method, config: RunConfig, data: CrossModalData) -> Encoder:
    """The encoder for the score in the settings."""
    if config.eval.score == "own":
        return partial(encode, method)
    return relevance_encoder(method, held_out(config, training_data(config, data)), config.eval.score)


def evaluate_run(folder: RunFolder) -> list[Result]:
    """Evaluate the saved models of a run again."""
    config = folder.config()
    data = load_data(config, folder)
    return [
        result
        for seed in config.seeds
        for variant in variants(folder, seed)
        for result in evaluate_method(load_method(folder.model(seed, variant)), config, data, seed, variant=variant)
    ]


def variants(folder: RunFolder, seed: int) -> list[str | None]:
    """The finished trainings of a seed, in order."""
    return [variant for variant in VARIANTS if folder.results(seed, variant).is_file()]


def histories(folder: RunFolder, config: RunConfig) -> dict[int, list[dict[str, float]]]:
    """The history of the last training of every seed."""
    histories: dict[int, list[dict[str, float]]] = {}
    for seed in config.seeds:
        path = folder.history(seed, variants(folder, seed)[-1])
        with reading(path, "the history of a training"), path.open(encoding="utf-8", newline="") as file:
            histories[seed] = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
    return histories


def _baseline(name: str, config: RunConfig, training: CrossModalData, data: CrossModalData) -> list[Result]:
    options = {"k": config.eval.k, "definition": config.eval.definition}
    # The settings of a baseline are chosen on validation even if a method uses its last epoch.
    select = "test" if config.train.select == "test" else "validation"
    return run_baseline(name, training, data, config.eval.protocols, select, **options)


def saved_or_new(path: Path, protocols: Sequence[str], make: Callable[[], list[Result]]) -> list[Result]:
    """Results that an earlier run has written, or else new ones, which are written.

    Raises:
        ValueError: If the file is damaged or of other protocols.
    """
    if path.is_file():
        return read_saved(path, protocols)
    done = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_results(path, done)
    return done


def read_saved(path: Path, protocols: Sequence[str]) -> list[Result]:
    """Results of a run with these protocols.

    Raises:
        ValueError: If the file is damaged or of other protocols.
    """
    results = read_results(path)
    if {result.protocol for result in results} != set(protocols):
        got = ", ".join(dict.fromkeys(result.protocol for result in results)) or "no results"
        raise ValueError(f"{path}: expected results of the protocols {', '.join(protocols)} (got {quoted(got)})")
    return results


def _line(result: Result) -> str:
    parts = [result.method, result.variant, None if result.seed is None else f"seed {result.seed}"]
    name = ", ".join(part for part in parts if part)
    chosen = f", best epoch {result.best_epoch + 1}" if result.best_epoch is not None else ""
    chosen += f", {result.setting}" if result.setting else ""
    return f"  {name}: average mAP {result.average:.3f} ({result.protocol}){chosen}, {result.train_seconds or 0:.1f} s"
