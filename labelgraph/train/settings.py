"""Settings of trainings and methods: published values, YAML files, and ``KEY=VALUE`` options."""

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
from labelgraph._core.reading import quoted, reading
from labelgraph.methods.registry import method_facts

if TYPE_CHECKING:
    from labelgraph.methods import Method
    from labelgraph.methods.registry import MethodFacts


@dataclass(frozen=True)
class TrainConfig(CheckedConfig):
    """Settings of a training. `published_settings` returns the published settings of a method.

    Args:
        epochs: Maximum number of passes over the training items.
        batch_size: Number of pairs in a batch. Several devices share a batch: each takes an equal part.
        min_batches: Minimum number of batches in an epoch. With few training items, batches are smaller than
            ``batch_size``, down to about 32 pairs, and all batches of an epoch have about the same size. With 0, the
            batch size is always ``batch_size``.
        optimizer: ``adam`` or ``sgd``.
        lr: Base learning rate.
        betas: Decay rates of Adam.
        momentum: Momentum of SGD.
        weight_decay: L2 penalty.
        patience: Training stops after this number of optimiser steps, and at least 3 epochs, without a better mAP on
            the split ``select``. With 0, training runs for all epochs.
        min_steps: Minimum number of optimiser steps before ``patience`` can stop the training.
        ema_decay: Decay of an exponential moving average of the weights after each step. The averaged weights are
            validated and kept. With 0, the weights are not averaged.
        checkpoint_every: Number of epochs between checkpoints, from which an interrupted training resumes.
        select: Split that selects the best epoch. ``last`` uses the last epoch and no split. Reports mark results that
            were selected on ``test``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: Number of devices of a machine. A launcher such as torchrun must start one process for each device.
        num_nodes: Number of machines.
        strategy: Strategy of Lightning for several devices. ``auto`` is ``ddp``. A method that does not use all of its
            parameters in every step needs ``ddp_find_unused_parameters_true``.
        precision: Precision of Lightning: ``32-true``, ``bf16-mixed``, ``16-mixed``, ``bf16-true`` or ``64-true``.

    Raises:
        ValueError: If a value has the wrong type or is out of range.

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
    ema_decay: ShareBelowOne = 0.0
    checkpoint_every: PositiveInt = 5
    select: Literal["validation", "test", "last"] = "validation"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: PositiveInt = 1
    num_nodes: PositiveInt = 1
    strategy: Literal["auto", "ddp", "ddp_find_unused_parameters_true"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true"] = "32-true"


Groups = Mapping[str, Any]
STAGES = ("train", "stage2")
SMALL_SET = 5_000  # Training items. The published learning rates of most methods are for 10,000 and more.


def published_settings(method: str | type[Method] | MethodFacts) -> dict[str, Any]:
    """Return the published settings of a method, by group.

    The groups are ``model``, ``train`` and, for methods with generators, ``stage2``.

    Args:
        method: Name or class of the method, or its properties from `method_facts`, which do not need PyTorch.

    Raises:
        ValueError: If no method has this name.

    Example:
        >>> from labelgraph.train import published_settings
        >>> settings = published_settings("dagnn")
        >>> settings["model"].num_layers, settings["train"].epochs, settings["stage2"].lr
        (4, 40, 4e-06)
    """
    if isinstance(method, str) or not hasattr(method, "Config"):
        method = method_facts(method)  # type: ignore[arg-type]  # It refuses all but names.
    training = getattr(method.Config, "training", {})
    stages = ["train", "stage2"] if method.generates else ["train"]
    return {"model": method.Config(), **{stage: TrainConfig(**training.get(stage, {})) for stage in stages}}


def with_small_set_rates(
    settings: Mapping[str, Any], values: Mapping[str, Any], num_items: int
) -> tuple[dict[str, Any], str]:
    """Replace published learning rates that are too low for a small training set.

    The published rates of most methods are for 10,000 training items and more. With fewer than 5,000 items, a training
    has too few steps to converge at these rates. If the user sets the learning rate of any stage, no rate changes.

    Args:
        settings: Settings by group.
        values: Settings of the user by group: a mapping of single settings, a whole config, or ``None``.
        num_items: Number of training items.

    Returns:
        Settings by group, and a sentence that names the new rates. The sentence is empty if no rate changes.

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
    if not rates or num_items >= SMALL_SET or any("lr" in _as_mapping(values.get(stage)) for stage in STAGES):
        return dict(settings), ""
    changes = [f"{stage}.lr is {rate:g} (published: {settings[stage].lr:g})" for stage, rate in rates.items()]
    changed = {stage: replace(settings[stage], lr=rate) for stage, rate in rates.items()}
    return {**settings, **changed}, (
        f"{num_items:,} training items are fewer than {SMALL_SET:,}: {' and '.join(changes)}"
    )


def _as_mapping(values: Any) -> Mapping[str, Any]:
    """Return the settings of the user for a group as a mapping."""
    if values is None:
        return {}
    return values if isinstance(values, Mapping) else vars(values)


def setting_names(groups: Groups) -> list[str]:
    """Return the names of all settings, such as ``train.lr``.

    Args:
        groups: Dataclass of each group, by name.
    """
    return [f"{group}.{field.name}" for group, config in groups.items() for field in fields(config)]


def merge_settings(
    groups: Groups, files: Sequence[str | Path] = (), settings: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """Merge settings from files and options, and check their names. Options override files.

    Args:
        groups: Dataclass of each group, by name.
        files: YAML files with a mapping for each group.
        settings: Options ``group.name=value``, such as ``train.lr=1e-4``.

    Returns:
        Merged settings by group. `build_settings` checks their values.

    Raises:
        ValueError: If a name is unknown, or a file is not YAML with settings.
        FileNotFoundError: If a file does not exist.

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
    """Change values in the settings of each group.

    Args:
        defaults: Frozen dataclass of each group, such as the result of `published_settings`.
        values: Values to change, by group and name.

    Raises:
        ValueError: If a name is unknown, or a value has the wrong type or is out of range. The message names the
            setting as ``group.name``.
    """
    settings = {}
    for group, default in defaults.items():
        kinds = {field.name: field_types(type(default))[field.name] for field in fields(default)}
        for name in values.get(group, {}):
            check_name(group, name, kinds)
        changes = {
            name: check_value(f"{group}.{name}", value, kinds[name]) for name, value in values.get(group, {}).items()
        }
        settings[group] = replace(default, **changes)
    return settings


def describe_settings(settings: Mapping[str, Any]) -> str:
    """Describe all settings, one ``group.name = value`` in a line.

    Example:
        >>> from labelgraph.train import TrainConfig, describe_settings
        >>> print(describe_settings({"train": TrainConfig()}).splitlines()[4])
          train.lr = 5.0e-05
    """
    return "\n".join(
        f"  {group}.{field.name} = {_text(getattr(values, field.name))}"
        for group, values in settings.items()
        for field in fields(values)
    )


def as_plain(value: Any) -> Any:
    """Convert mappings and sequences to dictionaries and lists, for YAML and JSON."""
    if isinstance(value, Mapping):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(item) for item in value]
    return value


def parse_setting(setting: str) -> tuple[str, Any]:
    """Parse ``name=value`` with a YAML value. ``1e-4`` is a number, although YAML 1.1 reads it as a string.

    Raises:
        ValueError: If the ``=`` is missing, or the value is not YAML.
    """
    key, equals, value = setting.partition("=")
    if not equals:
        raise ValueError(f"'--set' must be key=value (got {setting!r})")
    try:
        return key.strip(), yaml.load(value, _Loader)
    except Exception as error:  # PyYAML raises exceptions of many types.
        raise ValueError(
            f"'--set' must have a value in YAML for {quoted(key.strip())} (got {quoted(value)})"
        ) from error


class _Loader(yaml.SafeLoader):
    """YAML loader that reads ``1e-4`` as a number, which YAML 1.1 reads as a string."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def _read(path: Path) -> dict[str, Any]:
    try:
        with reading(path, "YAML"):
            content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such file of settings") from error
    if not isinstance(content or {}, dict):
        raise ValueError(f"{path}: expected settings by name (got {type(content).__name__})")
    return content or {}


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten settings to dotted names."""
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
