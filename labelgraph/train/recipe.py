"""A whole training in one call: splits, label graph, and one or two stages."""

from __future__ import annotations

import inspect
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning as L
import torch
from torch_geometric.data import Data

from labelgraph._core.argument_kinds import as_path, check_kind, received
from labelgraph._core.checked_config import check_value
from labelgraph._core.embeddings import as_matrix
from labelgraph._core.names import did_you_mean
from labelgraph.data import CrossModalData
from labelgraph.data.pairs import check_pairs
from labelgraph.data.splits.training_splits import training_splits
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import Method, method_class
from labelgraph.methods.registry import method_config
from labelgraph.train.fitting import (
    FitResult,
    Seed,
    check_callbacks,
    check_device,
    check_incomplete,
    fit,
)
from labelgraph.train.launch import by_first, check_processes, join_processes
from labelgraph.train.loggers import LOGS, check_logger_place
from labelgraph.train.settings import STAGES, build_settings, published_settings, with_small_set_rates
from labelgraph.train.table_steps import check_optimizer

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger


BY_NAME = ("meaning", "merged")  # Edges of the label graph that need vectors of the label names.


@dataclass(frozen=True)
class TrainedMethod:
    """Result of `train_method`.

    Args:
        method: Trained method, in evaluation mode.
        stages: Result of each stage by name, in order.
        settings: Configs of the training, by group.
        data: Data with the splits of the training.
    """

    method: Method
    stages: Mapping[str, FitResult]
    settings: Mapping[str, Any]
    data: CrossModalData

    @property
    def result(self) -> FitResult:
        """Result of the last stage."""
        return list(self.stages.values())[-1]


def train_method(
    method: str | type[Method] | Method,
    data: CrossModalData,
    *,
    model: Any = None,
    train: Any = None,
    stage2: Any = None,
    graph: Data | None = None,
    label_vectors: Any = None,
    stages: Sequence[str] = STAGES,
    folder: str | Path | None = None,
    seed: int = 0,
    published: bool = False,
    progress: bool = True,
    keep_checkpoints: bool = False,
    unseen_labels: bool = False,
    callbacks: Sequence[Callback] = (),
    logger: Logger | str | bool | None = None,
    log_folder: str | Path | None = None,
    trainer_options: Mapping[str, Any] | None = None,
    **misplaced: Any,
) -> TrainedMethod:
    """Train a method on a data set. Settings default to the published settings.

    Without a split ``train``, all items outside the splits for evaluation are training items. Without a split
    ``validation``, a tenth of the training items is held out to select the best epoch (`training_splits`). The label
    graph is the co-occurrence graph of the training items. If training items lack a side, a method with generators
    trains in two stages. In the stage ``train``, missing sides are zeros. In ``stage2``, the method generates the
    missing sides (DAGNN, doi:10.1609/aaai.v35i3.16345).

    Args:
        method: Name in ``METHODS``, a class, or a method to train further.
        data: Pairs with labels.
        model: Config of the method, or a mapping of settings to change from the published ones.
        train: `TrainConfig` of the first stage, or a mapping of settings to change from the published ones.
        stage2: `TrainConfig` of the second stage, or a mapping of settings to change from the published ones.
        graph: Label graph of your own.
        label_vectors: Initial label embeddings, such as word vectors, shape (C, F). For
            ``label_embedding="given"``, they default to the label vectors of the data.
        stages: Stages to run. ``stage2`` runs only if a training item lacks a side.
        folder: Folder for checkpoints. An interrupted training resumes when you call this function with the same
            folder. Defaults to a temporary folder.
        seed: Random seed. The function also sets the global seeds of Python, NumPy and torch.
        published: Keep the published learning rates. By default, most methods use higher rates for fewer than 5,000
            training items, unless you set a learning rate (`with_small_set_rates`). A warning names the rates.
        progress: Show a progress bar.
        keep_checkpoints: Do not delete the checkpoints in ``folder`` at the end.
        unseen_labels: Allow labels without a training item. By default, such labels are an error, unless the method
            takes many labels.
        callbacks: Lightning callbacks of your own.
        logger: A logger by name, ``"tensorboard"``, ``"wandb"`` or ``"csv"``, or a Lightning logger, see `fit`.
        log_folder: Folder for the files of a logger that is given by name. Defaults to ``logs`` in ``folder``.
        trainer_options: Further options of ``lightning.Trainer``, see `fit`.
        misplaced: No other argument is accepted. The error says where a setting belongs: ``train={"epochs": 2}``.

    Raises:
        ValueError: If a setting is wrong, a training item lacks a side and the method has no generators, or the data
            have no training items.
        ImportError: If the package of the logger is not installed.
        NonFiniteError: If a loss term, a parameter, a buffer or an embedding becomes NaN or infinite.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.train import train_method
        >>> labels = torch.eye(4).repeat(10, 1)
        >>> data = CrossModalData(torch.randn(40, 6), torch.randn(40, 5), labels)
        >>> trained = train_method("algcn", data, model={"hidden_channels": 8}, train={"epochs": 2}, progress=False)
        >>> trained.data, trained.result.best_map is not None
        (CrossModalData(40 pairs, image 6, text 5, 4 labels, splits: train 36, validation 4), True)
    """
    values = {"model": model, "train": train, "stage2": stage2}
    cls = _class_of(method)
    _refuse_misplaced(cls, misplaced)
    check_pairs("data", data)
    settings = _settings(cls, values)
    _check_options(settings, seed, callbacks, logger, folder or log_folder)
    data, settings, needed = _prepared(cls, data, settings, values, stages, seed, published)
    join_processes()
    L.seed_everything(seed, verbose=False)
    built = _build(method, data, settings["model"], model, graph, label_vectors)
    options: dict[str, Any] = {"keep_checkpoints": keep_checkpoints, "callbacks": tuple(callbacks), "logger": logger}
    options |= {"seed": seed, "progress": progress, "unseen_labels": unseen_labels, "trainer_options": trainer_options}
    results = _run_stages(built, data, {stage: settings[stage] for stage in needed}, folder, log_folder, options)
    return TrainedMethod(built, results, {**settings, "model": built.config}, data)


def _prepared(
    cls: type[Method],
    data: CrossModalData,
    settings: dict[str, Any],
    changed: Mapping[str, Any],
    stages: Sequence[str],
    seed: int,
    published: bool,
) -> tuple[CrossModalData, dict[str, Any], list[str]]:
    """Return the data with splits for training, the settings suited to their size, and the stages that they need."""
    data, _ = training_splits(data, settings["train"].select, seed, cls.reads_labels)
    check_incomplete(cls, data)
    needed = _checked_stages(stages, data, settings)
    if not published:
        settings = _suited_to_size(settings, changed, len(data.rows("train")))
    return data, settings, needed


def _run_stages(
    built: Method,
    data: CrossModalData,
    stages: Mapping[str, Any],
    folder: str | Path | None,
    log_folder: str | Path | None,
    options: Mapping[str, Any],
) -> dict[str, FitResult]:
    """Train in each stage, and return the results; a wrong optimizer of any stage is refused before the first one."""
    for stage, config in stages.items():
        check_optimizer(built, config, stage)
    results = {}
    with ExitStack() as stack:
        checkpoints = as_path("folder", folder or _temporary(stack))
        logs = as_path("log_folder", log_folder or checkpoints / LOGS)
        for stage, config in stages.items():
            own: dict[str, Any] = {"fill_missing": stage == "stage2", "log_folder": logs / stage}
            results[stage] = fit(built, data, config, checkpoints / stage, **own, **options)
    return results


def _temporary(stack: ExitStack) -> str:
    """Create a temporary folder for all processes."""
    return by_first(lambda: stack.enter_context(tempfile.TemporaryDirectory()))


def _class_of(method: str | type[Method] | Method) -> type[Method]:
    cls = method if isinstance(method, type) else type(method)
    return cls if issubclass(cls, Method) else method_class(method)  # type: ignore[arg-type]


def _refuse_misplaced(method: type[Method], misplaced: Mapping[str, Any]) -> None:
    """Refuse an unknown argument of `train_method`; the error says where a setting of this name belongs."""
    groups = {group: [field.name for field in fields(config)] for group, config in published_settings(method).items()}
    places = {name: group for group, names in reversed(groups.items()) for name in names}
    for name, value in misplaced.items():
        if name in places:
            right = f"{places[name]}={{{name!r}: {received(value)}}}"
            raise ValueError(f"'{name}' must be given as {right} (got {name}={received(value)})")
        arguments = list(inspect.signature(train_method).parameters)[:-1]
        near = did_you_mean(name, [*arguments, *places])
        settings = "; ".join(f"{group}: {', '.join(names)}" for group, names in groups.items())
        raise ValueError(
            f"'{name}' must be one of the arguments {', '.join(arguments)}, or of the settings of {settings}{near}"
        )


def _check_options(
    settings: Mapping[str, Any], seed: int, callbacks: Sequence[Callback], logger: Any, place: str | Path | None
) -> None:
    check_value("seed", seed, Seed)
    check_callbacks(callbacks)
    check_logger_place(logger, place)
    for stage in settings.keys() - {"model"}:
        check_device(settings[stage].device)


def _suited_to_size(settings: dict[str, Any], values: Mapping[str, Any], items: int) -> dict[str, Any]:
    """Return the settings with learning rates for few training items; a warning names the change."""
    settings, change = with_small_set_rates(settings, values, items)
    if change:
        warnings.warn(f"{change}; published=True keeps the published values", stacklevel=3)
    return settings


def _build(
    method: str | type[Method] | Method,
    data: CrossModalData,
    config: Any,
    model: Any,
    graph: Data | None,
    label_vectors: Any,
) -> Method:
    """Build the method with the label graph of the training items; a method that is given is already built."""
    if isinstance(method, Method):
        if not (model is graph is label_vectors is None):
            raise ValueError("'model', 'graph' and 'label_vectors' must be None for a method that is already built")
        return method
    cls = _class_of(method)
    if label_vectors is None and graph is None and getattr(config, "label_embedding", None) == "given":
        label_vectors = data.label_vectors
    config = with_label_vectors(cls, config, graph, label_vectors)
    if graph is None:
        graph = training_graph(data, config, label_vectors)
    return cls.from_config(config, data.image_channels, data.text_channels, graph)


def training_graph(data: CrossModalData, config: Any, label_vectors: Any = None) -> Data:
    """Build the label graph of a training: the co-occurrence graph of the items of the split ``train``.

    Args:
        data: Pairs with labels and a split ``train``.
        config: Config of the method. Vectors of the label names become the ``x`` of the graph if the config needs
            them, for ``label_embedding="given"`` or edges between similar names.
        label_vectors: Vectors of the label names, shape (C, F). Defaults to those of the data.

    Raises:
        ValueError: If the vectors do not have one row for each label.

    Example:
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.methods import ALGCNConfig
        >>> from labelgraph.train import training_graph
        >>> labels = [["cat"], ["cat", "dog"], ["dog"]]
        >>> data = CrossModalData([[0.0]] * 3, [[1.0]] * 3, labels, splits={"train": [0, 1]})
        >>> graph = training_graph(data, ALGCNConfig(edges="meaning"), label_vectors=[[1.0, 0.0], [0.8, 0.6]])
        >>> graph["count"], graph.x.shape
        (tensor([2, 1]), torch.Size([2, 2]))
    """
    needed = getattr(config, "label_embedding", None) == "given" or getattr(config, "edges", None) in BY_NAME
    vectors = label_vectors if label_vectors is not None else data.label_vectors if needed else None
    if vectors is not None:
        vectors = as_matrix("label_vectors", vectors).to(torch.get_default_dtype())
        if len(vectors) != data.num_labels:
            raise ValueError(
                f"'label_vectors' must have a row for each of {data.num_labels} labels (got {tuple(vectors.shape)})"
            )
    return cooccurrence_graph(data.label_rows(data.rows("train"), dense=False), data.label_names, x=vectors)


def _settings(method: type[Method], values_by_group: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by group: the published ones, with the configs or single values of the user."""
    settings = published_settings(method)
    for group, values in values_by_group.items():
        if values is None:
            continue
        if group not in settings:
            raise ValueError(f"'{group}' must be None for {method.name!r}, which has no generators")
        if isinstance(values, Mapping):
            settings[group] = build_settings({group: settings[group]}, {group: values})[group]
        elif group == "model":
            settings[group] = method_config(method, values, argument=group)
        elif type(values) is not type(settings[group]):
            raise ValueError(f"'{group}' must be a TrainConfig or a mapping (got {received(values)})")
        else:
            settings[group] = values
    return settings


def with_label_vectors(method: type[Method], config: Any, graph: Data | None, label_vectors: Any) -> Any:
    """Return the config of a method, with ``label_embedding="given"`` if label vectors are given.

    Raises:
        ValueError: If the method has no label embeddings, or the config needs label vectors and none are given.
    """
    embeds = "label_embedding" in {field.name for field in fields(config)}
    if label_vectors is None:
        if embeds and config.label_embedding == "given" and (graph is None or graph.get("x") is None):
            raise ValueError("'label_vectors' must be given for label_embedding='given' (got none)")
        return config
    if not embeds:
        raise ValueError(f"'label_vectors' needs a method with label embeddings (got {method.name!r})")
    if graph is not None:
        raise ValueError("'label_vectors' and 'graph' must not both be given; put the vectors into 'x' of the graph")
    return replace(config, label_embedding="given")


def _checked_stages(stages: Sequence[str], data: CrossModalData, settings: Mapping[str, Any]) -> list[str]:
    check_kind("stages", stages, (list, tuple, set, frozenset), f"a list of {', '.join(STAGES)}")
    wrong = [str(stage) for stage in stages if stage not in STAGES]
    if wrong or not stages:
        raise ValueError(f"'stages' must be among {', '.join(STAGES)} (got {', '.join(wrong) or 'none'})")
    incomplete = not data.present[data.rows("train")].all()
    needed = [stage for stage in STAGES if stage in stages and (stage == "train" or incomplete)]
    if not needed:
        raise ValueError("'stages' must have 'train' for complete training items (got stage2 only)")
    for stage in needed:
        check_processes(settings[stage], stage)
    return needed
