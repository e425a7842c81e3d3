"""The settings of a run: defaults, then YAML of the method, of the data set, of the user, then ``--set``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from labelgraph._core.checked_config import CheckedConfig, CountInt, PositiveInt, Share, Weight, check_value
from labelgraph._core.reading import quoted
from labelgraph.data import SPLITS, CrossModalData, drop_modalities, keep_complete
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
    """How to evaluate.

    Args:
        protocols: ``test-vs-test`` and ``query-vs-database``, or one of them.
        k: Cut-off of mAP; none ranks the whole gallery.
        score: What a method ranks by: own, its own similarity; or a score of its calibrated label probabilities:
            expected_relevance, expected_shared, expected_jaccard, expected_cosine; see `relevance_encoder`.
        definition: Of mAP with a cut-off: topk, first-k, recall-normalised, min(k,R).
        baselines: Simple methods fitted on the same split: random, ridge, cca, pls.
    """

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    k: PositiveInt | None = None
    definition: str = "topk"
    score: Literal["own", "expected_relevance", "expected_shared", "expected_jaccard", "expected_cosine"] = "own"
    baselines: tuple[str, ...] = BASELINES

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("protocols", tuple(PROTOCOLS)), ("baselines", BASELINES)):
            for given in getattr(self, name):
                if given not in known:
                    raise ValueError(f"'eval.{name}' must be among {', '.join(known)} (got {given!r})")


@dataclass(frozen=True)
class DataConfig(CheckedConfig):
    """Which items are for what, and what to do to the training items.

    Args:
        split: A way to split by name: test-vs-test, dcmh, agah, uniform, stratified; or index files: a ``.npz``,
            a ``.json``, or a folder. None keeps the splits that the data have.
        split_seed: Of what is drawn.
        train_size: Of the split, if it takes one: below 1 a share, else a number of items. Each size is the
            published one of the data set by default, or that of the way.
        validation_size: Of the items to take from the training items, where there are no validation items; 0 takes
            none.
        test_size: See ``train_size``.
        query_size: See ``train_size``.
        incomplete: Share of the training items to lose a side; published 0.8. Needs a method with generators.
        image_only: Of these, the share that keeps its image; the others keep their text.
        seed: Of the choice of those that lose a side.
        label_vectors: Embeddings of the label names, for methods whose ``model.label_embedding`` is ``given`` then: a
            file of word vectors, or ``sentence`` for a sentence encoder.
    """

    split: str | None = None
    split_seed: CountInt = 0
    train_size: Weight | None = None
    validation_size: Weight | None = None
    test_size: Weight | None = None
    query_size: Weight | None = None
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
    def sizes(self) -> dict[str, float]:
        """The sizes that are set, by split."""
        given = {name: getattr(self, f"{name}_size") for name in ("train", "validation", "test", "query")}
        return {name: size for name, size in given.items() if size is not None}


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run depends on.

    Args:
        method: Name of the method.
        dataset: Name of a data set, or path of a ``.npz`` file.
        seeds: One training each.
        model: Hyper-parameters of the method.
        data: Which items are for what, and what to do to the training items.
        train: How to train.
        stage2: How to go on with generated sides, where sides are missing and the method can generate them.
        eval: How to evaluate.
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
        """Plain containers, as YAML has them."""
        return as_plain(asdict(self))


def sections(method: str) -> dict[str, Any]:
    """The published settings of a method and the defaults of a run, by group."""
    return {**published_settings(method_class(method)), "data": DataConfig(), "eval": EvalConfig()}


def resolve(
    method: str, dataset: str, seeds: Sequence[int], file: Path | None = None, settings: Sequence[str] = ()
) -> RunConfig:
    """Merge all sources of settings, the later ones first in rank, and check names and types.

    Args:
        method: Name of the method.
        dataset: Name of the data set.
        seeds: One training each.
        file: YAML of the user.
        settings: ``key=value`` of the command line, such as ``train.lr=1e-4``.

    Raises:
        ValueError: If a key is unknown or a value is of the wrong type.
    """
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"'seeds' must be distinct and at least one (got {list(seeds)})")
    own = CONFIGS / dataset / f"{method}.yaml"
    values = merge_settings(sections(method), [own] if own.is_file() else [])
    given = merge_settings(sections(method), [file] if file else [], settings)
    embeds = "model.label_embedding" in setting_names(sections(method))
    if given["data"].get("label_vectors") and embeds:  # Over the published choice, below the user's own.
        given["model"].setdefault("label_embedding", "given")
    return _build(method, dataset, seeds, {group: {**values[group], **given[group]} for group in values})


def resolve_all(
    methods: Sequence[str], dataset: str, seeds: Sequence[int], file: Path | None = None, settings: Sequence[str] = ()
) -> list[RunConfig]:
    """The settings of several methods; a setting of ``--set`` goes to those methods that have it.

    Raises:
        ValueError: If a setting is unknown to all of them, or of the wrong type.
    """
    if len(set(methods)) != len(methods):
        raise ValueError(f"'method' must be given once each (got {', '.join(methods)})")
    return [resolve(method, dataset, seeds, file, own_settings(settings, method, methods)) for method in methods]


def own_settings(settings: Sequence[str], method: str, methods: Sequence[str]) -> list[str]:
    """Of settings for several methods those that one has, and those that none has, which `resolve` refuses."""
    names = {each: setting_names(sections(each)) for each in methods}
    everyone = {name for own in names.values() for name in own}
    given = [(parse_setting(setting)[0], setting) for setting in settings]
    return [setting for name, setting in given if name in names[method] or name not in everyone]


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
    """Check types and make the dataclasses."""
    return RunConfig(method, dataset, tuple(seeds), **build_settings(sections(method), groups))


COMPLETE, ZEROS, GENERATED = "complete items alone", "missing sides as zeros", "missing sides generated"
VARIANTS = (None, COMPLETE, ZEROS, GENERATED)


@dataclass(frozen=True)
class Training:
    """One training.

    Args:
        data: Whose split ``train`` it learns from.
        config: How to train.
        variant: Its name, where there are several.
        start: The variant whose trained model it goes on from.
    """

    data: CrossModalData
    config: TrainConfig
    variant: str | None = None
    start: str | None = None

    @property
    def stage(self) -> str:
        """The stage of `labelgraph.train.train_method` that it is."""
        return "stage2" if self.start else "train"


def training_data(config: RunConfig, data: CrossModalData) -> CrossModalData:
    """The data to train on, with sides taken away as the settings say.

    Raises:
        ValueError: If sides are missing and the method has no generators, or no item is complete.
    """
    if config.data.incomplete:
        data = drop_modalities(data, config.data.incomplete, config.data.image_only, config.data.seed)
    check_incomplete(method_class(config.method), data)
    if not data.present[data.rows("train")].all(1).any():
        raise ValueError("the split 'train' must have complete items (got none); a lower 'data.incomplete' leaves some")
    return data


def trainings(config: RunConfig, data: CrossModalData) -> list[Training]:
    """All trainings of a seed, in order.

    Of incomplete items (DAGNN, doi:10.1609/aaai.v35i3.16345): first with zeros in place of what is missing,
    then with what the generators make of the other side; and beside them the complete items alone, which
    shows what the others gain.
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
