"""A training from data to a method in one call: splits, label graph, and one or two stages."""

from __future__ import annotations

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

from labelgraph.data import CrossModalData
from labelgraph.data.splits.training_splits import training_splits
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import Method, method_class
from labelgraph.methods.registry import method_config
from labelgraph.train.fitting import FitResult, check_device, check_incomplete, check_process, fit
from labelgraph.train.settings import STAGES, build_settings, published_settings, with_small_set_rates

if TYPE_CHECKING:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers import Logger


@dataclass(frozen=True)
class TrainedMethod:
    """What `train_method` gives.

    Args:
        method: The trained method, in evaluation mode.
        stages: What each stage gave, by its name, in order.
        settings: The configs that were used, by group.
        data: The data with the splits that were used.
    """

    method: Method
    stages: Mapping[str, FitResult]
    settings: Mapping[str, Any]
    data: CrossModalData

    @property
    def result(self) -> FitResult:
        """What the last stage gave."""
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
    callbacks: Sequence[Callback] = (),
    logger: Logger | bool | None = None,
    trainer_options: Mapping[str, Any] | None = None,
) -> TrainedMethod:
    """Train a method on a data set, with its published settings where none are given.

    Data without a split ``train`` train on all items outside the splits for evaluation; data without ``validation``
    have a tenth of their training items held out to choose the best epoch on (`training_splits`). The label graph is
    counted on the training items. If training items lack a side, a method with generators learns in two stages:
    ``train`` with zeros in place of the missing sides, then ``stage2`` with sides that it generates (DAGNN,
    doi:10.1609/aaai.v35i3.16345).

    Args:
        method: Name in ``METHODS``, a class, or a method that was built before, to train it further.
        data: Pairs with labels.
        model: Config of the method, or a mapping of the settings that differ from the published ones.
        train: `TrainConfig` of the first stage, or a mapping of the settings that differ from the published ones.
        stage2: The same of the second stage.
        graph: Label graph of your own.
        label_vectors: A vector for each label, shape (C, F), such as word vectors, from which label embeddings start.
        stages: Which stages to do; ``stage2`` is done only if a training item lacks a side.
        folder: For checkpoints: a training that was interrupted resumes when it is called with the same folder. A
            temporary folder by default.
        seed: Random seed. The global seeds of Python, NumPy and torch are set.
        published: Keep the published learning rates. By default, a method trains with higher ones on fewer than 5,000
            training items, unless you give a learning rate (`with_small_set_rates`); a warning says so.
        progress: Show a progress bar.
        keep_checkpoints: Leave the checkpoints in ``folder`` when the training is done.
        callbacks: Lightning callbacks of your own.
        logger: A logger of Lightning.
        trainer_options: Further options of Lightning's trainer, see `fit`.

    Raises:
        ValueError: If a setting is wrong, a training item lacks a side and the method has no generators, or the data
            have no items to learn from.
        NonFiniteError: If a loss term, or a number that the method keeps, becomes NaN or infinite.

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
    settings = _settings(_class_of(method), values)
    check_process()
    for stage in settings.keys() - {"model"}:
        check_device(settings[stage].device)
    data, _ = training_splits(data, settings["train"].select, seed, _class_of(method).reads_labels)
    check_incomplete(_class_of(method), data)
    if not published:
        settings, change = with_small_set_rates(settings, values, len(data.rows("train")))
        if change:
            warnings.warn(f"{change}; published=True keeps the published values", stacklevel=2)
    L.seed_everything(seed, verbose=False)
    if isinstance(method, Method):
        if not (model is graph is label_vectors is None):
            raise ValueError("'model', 'graph' and 'label_vectors' must be none for a method that is built already")
        built = method
    else:
        built = _build(_class_of(method), data, settings["model"], graph, label_vectors)
    options: dict[str, Any] = {"seed": seed, "progress": progress, "keep_checkpoints": keep_checkpoints}
    options |= {"callbacks": tuple(callbacks), "logger": logger, "trainer_options": trainer_options}
    results = {}
    with ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory()))
        for stage in _needed(stages, data):
            results[stage] = fit(built, data, settings[stage], place / stage, fill_missing=stage == "stage2", **options)
    return TrainedMethod(built, results, {**settings, "model": built.config}, data)


def _class_of(method: str | type[Method] | Method) -> type[Method]:
    if isinstance(method, str):
        return method_class(method)
    return method if isinstance(method, type) else type(method)


def _build(method: type[Method], data: CrossModalData, config: Any, graph: Data | None, label_vectors: Any) -> Method:
    """Build the method over the label graph of the training items."""
    config = with_label_vectors(method, config, graph, label_vectors)
    if graph is None:
        vectors = None if label_vectors is None else torch.as_tensor(label_vectors, dtype=torch.get_default_dtype())
        if vectors is not None and (vectors.ndim != 2 or len(vectors) != data.num_labels):
            raise ValueError(
                f"'label_vectors' must have a row for each of {data.num_labels} labels (got {tuple(vectors.shape)})"
            )
        graph = cooccurrence_graph(data.labels[data.rows("train")], data.label_names, x=vectors)
    return method.from_config(config, data.image_channels, data.text_channels, graph)


def _settings(method: type[Method], given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings by group: published, where no config or single values are given."""
    made = published_settings(method)
    for group, values in given.items():
        if values is None:
            continue
        if group not in made:
            raise ValueError(f"'{group}' must be none for {method.name!r}, which has no generators")
        if isinstance(values, Mapping):
            made[group] = build_settings({group: made[group]}, {group: values})[group]
        elif group == "model":
            made[group] = method_config(method, values)
        elif type(values) is not type(made[group]):
            raise ValueError(f"'{group}' must be a TrainConfig or a mapping (got {type(values).__name__})")
        else:
            made[group] = values
    return made


def with_label_vectors(method: type[Method], config: Any, graph: Data | None, label_vectors: Any) -> Any:
    """The config of a method whose label embeddings start from given vectors, if there are any.

    Raises:
        ValueError: If the method has no label embeddings, or they are to be given and are not.
    """
    embeds = "label_embedding" in {field.name for field in fields(config)}
    if label_vectors is None:
        if embeds and config.label_embedding == "given" and (graph is None or graph.get("x") is None):
            raise ValueError("'label_vectors' must be given for label_embedding='given' (got none)")
        return config
    if not embeds:
        raise ValueError(f"'label_vectors' needs a method with label embeddings (got {method.name!r})")
    if graph is not None:
        raise ValueError("'label_vectors' and 'graph' must not both be given; a graph has vectors as its 'x'")
    return replace(config, label_embedding="given")


def _needed(stages: Sequence[str], data: CrossModalData) -> list[str]:
    wrong = [stage for stage in stages if stage not in STAGES]
    if wrong or not stages:
        raise ValueError(f"'stages' must be among {', '.join(STAGES)} (got {', '.join(wrong) or 'none'})")
    incomplete = not data.present[data.rows("train")].all()
    needed = [stage for stage in STAGES if stage in stages and (stage == "train" or incomplete)]
    if not needed:
        raise ValueError("'stages' must have 'train' for complete training items (got stage2 alone)")
    return needed
