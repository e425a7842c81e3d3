"""Settings of trainings and methods: published values, files, `KEY=VALUE` options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from labelgraph._core.checked_config import (
    CheckedConfig,
    CountInt,
    PositiveFloat,
    PositiveInt,
    ShareBelowOne,
    Weight,
    check_value,
    field_types,
)
from labelgraph._core.names import check_name

if TYPE_CHECKING:
    from labelgraph.methods import Method
    from labelgraph.methods.registry import MethodFacts


@dataclass(frozen=True)
class TrainConfig(CheckedConfig):
    """How to train a method. Values are checked; `published_settings` gives those of a method.

    Args:
        epochs: Passes over the training items, at most.
        batch_size: Pairs a step.
        min_batches: Batches an epoch, at least: where there are few training items, batches are smaller, down to 32
            pairs. 0 keeps ``batch_size``.
        optimizer: ``adam`` or ``sgd``.
        lr: Base learning rate.
        betas: Decay rates of Adam.
        momentum: Of SGD.
        weight_decay: L2 penalty.
        patience: Optimiser steps, and at least 3 epochs, without a better mAP on ``select`` after which training stops;
            0 trains all epochs.
        min_steps: Optimiser steps before which ``patience`` does not stop a training.
        checkpoint_every: Epochs between the checkpoints that a resumed run starts from.
        select: The split that the best epoch is chosen on; ``last`` takes the last epoch, and reads no
            label for it. Numbers of a run selected on ``test`` are marked so.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        precision: Of Lightning: ``32-true``, ``bf16-mixed``, ``16-mixed``, ``bf16-true`` or ``64-true``.

    Raises:
        ValueError: If a value is of another type or out of its range.

    Example:
        >>> from labelgraph.train import TrainConfig
        >>> TrainConfig(optimizer="adm")
        Traceback (most recent call last):
        ValueError: 'optimizer' must be one of adam, sgd (got 'adm'); did you mean 'adam'?
    """

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 100
    min_batches: CountInt = 0
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: PositiveFloat = 5e-5
    betas: tuple[ShareBelowOne, ShareBelowOne] = (0.5, 0.999)
    momentum: ShareBelowOne = 0.0
    weight_decay: Weight = 0.0
    patience: CountInt = 0
    min_steps: CountInt = 0
    checkpoint_every: PositiveInt = 5
    select: Literal["validation", "test", "last"] = "validation"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true"] = "32-true"


Groups = Mapping[str, Any]
STAGES = ("train", "stage2")
SMALL_SET = 5_000  # Training items; the published learning rates of most methods are for 10,000 and more.


def published_settings(method: type[Method] | MethodFacts) -> dict[str, Any]:
    """The settings that a method was published with, by group: ``model``, ``train``, and for generators ``stage2``.

    Args:
        method: Its class, or what `method_facts` tells of it without PyTorch.

    Example:
        >>> from labelgraph.methods import method_class
        >>> from labelgraph.train import published_settings
        >>> settings = published_settings(method_class("dagnn"))
        >>> settings["model"].num_layers, settings["train"].epochs, settings["stage2"].lr
        (4, 40, 4e-06)
    """
    training = getattr(method.Config, "training", {})
    stages = ["train", "stage2"] if method.generates else ["train"]
    return {"model": method.Config(), **{stage: TrainConfig(**training.get(stage, {})) for stage in stages}}


def with_small_set_rates(
    settings: Mapping[str, Any], values: Mapping[str, Any], num_items: int
) -> tuple[dict[str, Any], str]:
    """Replace published learning rates that are too low for a small training set.

    The published rates of most methods are for 10,000 training items and more. With fewer than 5,000 items, training
    takes too few steps at these rates. A learning rate of the user, for any stage, keeps all rates.

    Args:
        settings: The settings by group.
        values: What the user set, by group: a mapping of some settings, a whole config, or none.
        num_items: Number of training items.

    Returns:
        The settings by group, and a sentence about the change, which is empty without a change.

    Example:
        >>> from labelgraph.methods import method_class
        >>> from labelgraph.train.settings import published_settings, with_small_set_rates
        >>> settings, change = with_small_set_rates(published_settings(method_class("algcn")), {}, 800)
        >>> settings["train"].lr
        0.0002
        >>> print(change)
        800 training items are fewer than 5,000: train.lr is 0.0002 (published: 5e-05)
    """
    rates = getattr(settings["model"], "small_set_rates", {})
    if not rates or num_items >= SMALL_SET or any("lr" in _given(values.get(stage)) for stage in STAGES):
        return dict(settings), ""
    changes = [f"{stage}.lr is {rate:g} (published: {settings[stage].lr:g})" for stage, rate in rates.items()]
    changed = {stage: replace(settings[stage], lr=rate) for stage, rate in rates.items()}
    return {**settings, **changed}, (
        f"{num_items:,} training items are fewer than {SMALL_SET:,}: {' and '.join(changes)}"
    )


def _given(values: Any) -> Mapping[str, Any]:
    """The settings that a user gave for a group."""
    if values is None:
        return {}
    return values if isinstance(values, Mapping) else vars(values)


def setting_names(groups: Groups) -> list[str]:
    """All settings, as dotted names.

    Args:
        groups: A dataclass for each group, by its name.
    """
    return [f"{group}.{field.name}" for group, config in groups.items() for field in fields(config)]


def merge_settings(
    groups: Groups, files: Sequence[str | Path] = (), settings: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Merge files and then settings, and check the names.

    Args:
        groups: A dataclass for each group, by its name.
        files: YAML with a mapping for each group.
        settings: ``group.name=value``, such as ``train.lr=1e-4``.

    Returns:
        What was given, by group; the values are checked by `build_settings`.

    Raises:
        ValueError: If a name is unknown, or a file is not such YAML.
        FileNotFoundError: If a file is not there.

    Example:
        >>> from labelgraph.train import TrainConfig, build_settings, merge_settings
        >>> merged = merge_settings({"train": TrainConfig}, settings=["train.lr=1e-4", "train.epochs=3"])
        >>> merged
        {'train': {'lr': 0.0001, 'epochs': 3}}
        >>> build_settings({"train": TrainConfig()}, merged)["train"].epochs
        3
    """
    known = setting_names(groups)
    merged: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for path in files:
        _merge(merged, _flat(_read(Path(path))), known, str(path))
    _merge(merged, dict(map(parse_setting, settings)), known, "--set")
    return merged


def build_settings(defaults: Groups, values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Put values into the settings of each group.

    Args:
        defaults: A frozen dataclass for each group, such as `published_settings` gives.
        values: What to change, by group and name.

    Raises:
        ValueError: If a name is unknown, or a value is of the wrong type or out of range; it names the setting as
            ``group.name``.
    """
    made = {}
    for group, default in defaults.items():
        kinds = field_types(type(default))
        for name in values.get(group, {}):
            check_name(group, name, kinds)
        given = {
            name: check_value(f"{group}.{name}", value, kinds[name]) for name, value in values.get(group, {}).items()
        }
        made[group] = replace(default, **given)
    return made


def describe_settings(made: Mapping[str, Any]) -> str:
    """All settings with their values, a line each, as `merge_settings` takes them.

    Example:
        >>> from labelgraph.train import TrainConfig, describe_settings
        >>> print(describe_settings({"train": TrainConfig()}).splitlines()[4])
          train.lr = 5.0e-05
    """
    return "\n".join(
        f"  {group}.{field.name} = {_text(getattr(values, field.name))}"
        for group, values in made.items()
        for field in fields(values)
    )


def as_plain(value: Any) -> Any:
    """Mappings and sequences as dictionaries and lists, which YAML and JSON hold."""
    if isinstance(value, Mapping):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return value


def parse_setting(setting: str) -> tuple[str, Any]:
    """Read ``name=value``, the value as YAML; numbers such as ``1e-4``, which YAML takes for words, too.

    Raises:
        ValueError: If there is no ``=``, or the value is not YAML.
    """
    key, equals, value = setting.partition("=")
    if not equals:
        raise ValueError(f"'--set' must be key=value (got {setting!r})")
    try:
        return key.strip(), yaml.load(value, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f"'--set' must have a value in YAML for {key.strip()!r} (got {value!r})") from error


class _Loader(yaml.SafeLoader):
    """YAML whose numbers may be such as ``1e-4``, which YAML 1.1 takes for words."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such file of settings") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: expected YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content or {}, dict):
        raise ValueError(f"{path}: expected settings by name (got {type(content).__name__})")
    return content or {}


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted name."""
    flat: dict[str, Any] = {}
    for group, entries in content.items():
        if isinstance(entries, Mapping):
            flat |= {f"{group}.{key}": value for key, value in entries.items()}
        else:
            flat[str(group)] = entries
    return flat


def _merge(merged: dict[str, dict[str, Any]], flat: Mapping[str, Any], known: Sequence[str], source: str) -> None:
    for key, value in flat.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise ValueError(f"{source}: unknown setting {key!r}; the nearest is {near!r}")
        group, _, name = key.partition(".")
        merged[group][name] = value


def _text(value: Any) -> str:
    return yaml.safe_dump(as_plain(value), default_flow_style=True).replace("\n...", "").strip()
