"""The settings of a run: defaults, then YAML files of the data set and of the user, then ``--set``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from labelgraph._core.checked_config import CheckedConfig, CountInt, PositiveInt, Share, Weight, check_value
from labelgraph._core.reading import quoted
from labelgraph.data import SPLITS, CrossModalData, LabelNoise, drop_modalities, keep_complete
from labelgraph.methods import METHODS, method_class
from labelgraph.metrics import PROTOCOLS
from labelgraph.train import (
    TrainConfig,
    as_plain,
    build_settings,
    check_incomplete,
    describe_settings,
    merge_settings,
    parse_setting,
    published_settings,
    setting_names,
)

CONFIGS = Path(__file__).parents[1] / "configs"
BASELINES = ("random", "ridge", "cca", "pls")


@dataclass(frozen=True)
class EvalConfig(CheckedConfig):
    """Settings of the evaluation.

    Args:
        protocols: ``test-vs-test`` and ``query-vs-database``, or one of them.
        k: Cut-off of mAP; none for the full ranking.
        score: Score that a method ranks by: own, its own similarity; or a score of its calibrated label probabilities:
            expected_relevance, expected_shared, expected_jaccard, expected_cosine; see `relevance_encoder`.
        definition: Definition of mAP with a cut-off: topk, first-k, recall-normalised, min(k,R).
        baselines: Baselines fitted on the same split: random, ridge, cca, pls.
    """

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    k: PositiveInt | None = None
    definition: str = "topk"
    score: Literal["own", "expected_relevance", "expected_shared", "expected_jaccard", "expected_cosine"] = "own"
    baselines: tuple[str, ...] = BASELINES

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("protocols", tuple(PROTOCOLS)), ("baselines", BASELINES)):
            for value in getattr(self, name):
                if value not in known:
                    raise ValueError(f"'eval.{name}' must be among {', '.join(known)} (got {value!r})")


def keep_items(data: CrossModalData, number: int, seed: int) -> CrossModalData:
    """Keep some training items, drawn at random; with one seed, a larger number keeps the same items and more."""
    rows = data.rows("train")
    if number > len(rows):
        raise ValueError(f"'data.train_items' must be at most {len(rows)}, the number of training items (got {number})")
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    return data.with_splits({**data.splits, "train": rows[order[:number].sort().values]})


@dataclass(frozen=True)
class DataConfig(LabelNoise):
    """Settings of the data: their splits, missing sides of training items, and the training labels of `LabelNoise`.

    Args:
        split: How to draw the splits: test-vs-test, dcmh, agah, uniform, stratified; or index files: a ``.npz`` file, a
            ``.json`` file, or a folder. None keeps the splits of the data set.
        split_seed: Random seed of the splits.
        train_size: Size of the training split: a share if below 1, otherwise a number of items. All sizes default to
            the published ones of the data set, or to those of ``split``.
        validation_size: Size of the validation split, which is held out from the training items if the data have none;
            0 holds out nothing.
        test_size: Size of the test split, see ``train_size``.
        query_size: Size of the query split, see ``train_size``.
        train_items: Number of training items to keep, drawn at random; with 0, all.
        incomplete: Share of the training items that lose one side (published: 0.8); needs a method with generators.
        image_only: Share of these items that keep their image; the others keep their text.
        seed: Random seed of the choice of training items and of incomplete items.
        label_vectors: Embeddings of the label names: a file of word vectors, or ``sentence`` for a sentence encoder.
            ``model.label_embedding`` is then ``given`` by default.
    """

    split: str | None = None
    split_seed: CountInt = 0
    train_size: Weight | None = None
    validation_size: Weight | None = None
    test_size: Weight | None = None
    query_size: Weight | None = None
    train_items: CountInt = 0
    incomplete: Share = 0.0
    image_only: Share = 0.5
    seed: CountInt = 0
    label_vectors: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split not in SPLITS and self.sizes.keys() - {"validation"}:
            size = min(self.sizes.keys() - {"validation"})
            raise ValueError(
                f"'data.{size}_size' must come with a 'data.split' of {', '.join(SPLITS)} (got {self.split!r})"
            )

    @property
    def changes_labels(self) -> bool:
        """Whether labels may lose all their training items."""
        return bool(self.train_items) or super().changes_labels

    def apply(self, data: CrossModalData) -> CrossModalData:
        """The data that training reads: first training items are drawn, then labels are held out and dropped."""
        if self.train_items:
            data = keep_items(data, self.train_items, self.seed)
        return super().apply(data)

    def describe(self, data: CrossModalData) -> list[str]:
        """Sentences on how the training items and their labels differ from those of the data."""
        if not self.train_items:
            return super().describe(data)
        kept = keep_items(data, self.train_items, self.seed)
        sentence = f"Training reads {self.train_items:,} of {len(data.rows('train')):,} items (seed {self.seed})."
        return [sentence, *super().describe(kept)]

    @property
    def sizes(self) -> dict[str, float]:
        """The given sizes, by split."""
        sizes = {name: getattr(self, f"{name}_size") for name in ("train", "validation", "test", "query")}
        return {name: size for name, size in sizes.items() if size is not None}


@dataclass(frozen=True)
class RunConfig:
    """All settings of a run.

    Args:
        method: Name of the method.
        dataset: Name of a data set, or path of a file or folder.
        seeds: Random seeds, one training for each.
        model: Hyper-parameters of the method.
        data: Settings of the data.
        train: Settings of the training.
        stage2: Settings of the second stage, which trains with generated sides if sides are missing.
        eval: Settings of the evaluation.
    """

    method: str
    dataset: str
    seeds: tuple[int, ...]
    model: Any
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    stage2: TrainConfig | None = None
    eval: EvalConfig = field(default_factory=EvalConfig)

    def __post_init__(self) -> None:
        if self.eval.score != "own" and not method_class(self.method).scores_labels:
            able = ", ".join(name for name, method in METHODS.items() if method.scores_labels)
            raise ValueError(f"'eval.score' must be 'own' for {self.method!r}, which scores no labels, as {able} do")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain containers for YAML."""
        return as_plain(asdict(self))


def sections(method: str) -> dict[str, Any]:
    """The published settings of a method and the default settings of a run, by group."""
    return {**published_settings(method_class(method)), "data": DataConfig(), "eval": EvalConfig()}


def resolve(
    method: str, dataset: str, seeds: Sequence[int], file: Path | None = None, settings: Sequence[str] = ()
) -> RunConfig:
    """Merge all sources of settings, and check names and types; later sources override earlier ones.

    Args:
        method: Name of the method.
        dataset: Name of the data set.
        seeds: Random seeds, one training for each.
        file: YAML file of the user.
        settings: ``key=value`` from the command line, such as ``train.lr=1e-4``.

    Raises:
        ValueError: If a key is unknown or a value is of the wrong type.
    """
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"'seeds' must be distinct and at least one (got {list(seeds)})")
    own = CONFIGS / dataset / f"{method}.yaml"
    values = merge_settings(sections(method), [own] if own.is_file() else [])
    overrides = merge_settings(sections(method), [file] if file else [], settings)
    embeds = "model.label_embedding" in setting_names(sections(method))
    if overrides["data"].get("label_vectors") and embeds:  # Overrides the published setting, but not one of the user.
        overrides["model"].setdefault("label_embedding", "given")
    return _build(method, dataset, seeds, {group: {**values[group], **overrides[group]} for group in values})


def resolve_all(
    methods: Sequence[str], dataset: str, seeds: Sequence[int], file: Path | None = None, settings: Sequence[str] = ()
) -> list[RunConfig]:
    """The settings of several methods; a setting of ``--set`` applies to the methods that have it.

    Raises:
        ValueError: If a setting is unknown to all of them, or of the wrong type.
    """
    if len(set(methods)) != len(methods):
        raise ValueError(f"'--method' must name each method once (got {', '.join(methods)})")
    return [resolve(method, dataset, seeds, file, own_settings(settings, method, methods)) for method in methods]


def own_settings(settings: Sequence[str], method: str, methods: Sequence[str]) -> list[str]:
    """The settings that a method has, and those that no method has, which `resolve` refuses."""
    names = {each: setting_names(sections(each)) for each in methods}
    everyone = {name for own in names.values() for name in own}
    named = [(parse_setting(setting)[0], setting) for setting in settings]
    return [setting for name, setting in named if name in names[method] or name not in everyone]


def describe(config: RunConfig) -> str:
    """All settings of a run with their values, for ``--list-settings``."""
    return describe_settings({group: getattr(config, group) for group in sections(config.method)})


def from_dict(content: Mapping[str, Any]) -> RunConfig:
    """Settings from the plain containers of `RunConfig.as_dict`.

    Raises:
        ValueError: If a value is of the wrong type.
    """
    method, dataset = (check_value(name, content[name], str) for name in ("method", "dataset"))
    seeds = check_value("seeds", content["seeds"], tuple[int, ...])
    groups = {name: content.get(name) for name in sections(method)}
    for name, group in groups.items():
        if group is not None and not isinstance(group, Mapping):
            raise ValueError(f"'{name}' must be settings by name (got {quoted(group)})")
    return _build(method, dataset, seeds, {name: group or {} for name, group in groups.items()})


def _build(method: str, dataset: str, seeds: Sequence[int], groups: Mapping[str, Any]) -> RunConfig:
    """Check types and create the dataclasses."""
    return RunConfig(method, dataset, tuple(seeds), **build_settings(sections(method), groups))


COMPLETE, ZEROS, GENERATED = "complete items alone", "missing sides as zeros", "missing sides generated"
VARIANTS = (None, COMPLETE, ZEROS, GENERATED)


@dataclass(frozen=True)
class Training:
    """One training.

    Args:
        data: Data with the split ``train``.
        config: Settings of the training.
        variant: Name of the training, if there are several.
        start: Variant whose trained model this training starts from.
    """

    data: CrossModalData
    config: TrainConfig
    variant: str | None = None
    start: str | None = None

    @property
    def stage(self) -> str:
        """The stage of `labelgraph.train.train_method`."""
        return "stage2" if self.start else "train"


def training_data(config: RunConfig, data: CrossModalData) -> CrossModalData:
    """The training data; items lose sides and labels by the settings.

    Raises:
        ValueError: If sides are missing and the method has no generators, or no item is complete.
    """
    data = config.data.apply(data)
    if config.data.incomplete:
        data = drop_modalities(data, config.data.incomplete, config.data.image_only, config.data.seed)
    check_incomplete(method_class(config.method), data)
    if not data.present[data.rows("train")].all(1).any():
        raise ValueError("the split 'train' must have complete items (got none); lower 'data.incomplete'")
    return data


def trainings(config: RunConfig, data: CrossModalData) -> list[Training]:
    """All trainings of a seed, in order.

    If items are incomplete (DAGNN, doi:10.1609/aaai.v35i3.16345), there are three: on the complete items only, on all
    items with zeros in place of missing sides, and from there with generated sides.
    """
    data = training_data(config, data)
    if data.present[data.rows("train")].all():
        return [Training(data, config.train)]
    if config.stage2 is None:
        raise ValueError(f"'stage2' must be set for incomplete training items (got none for {config.method!r})")
    return [
        Training(keep_complete(data), config.train, COMPLETE),
        Training(data, config.train, ZEROS),
        Training(data, config.stage2, GENERATED, start=ZEROS),
    ]
