"""Settings of trainings and methods: defaults, files, `KEY=VALUE` options."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import yaml


@dataclass(frozen=True)
class TrainConfig:
    """How to train a method; it needs no Lightning to read.

    Args:
        epochs: Passes over the training items, at most.
        batch_size: Pairs a step.
        optimizer: ``adam`` or ``sgd``.
        lr: Base learning rate.
        betas: Decay rates of Adam.
        momentum: Of SGD.
        weight_decay: L2 penalty.
        patience: Epochs without a better mAP on ``select`` after which training stops; 0 never stops.
        checkpoint_every: Epochs between the checkpoints that a resumed run starts from.
        select: The split that the best epoch is chosen on; ``last`` takes the last epoch, and reads no
            label for it. Numbers of a run selected on ``test`` are marked so.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        precision: Of Lightning: ``32-true``, ``bf16-mixed``, ``16-mixed``, ``bf16-true`` or ``64-true``.
    """

    epochs: int = 30
    batch_size: int = 100
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 5e-5
    betas: tuple[float, float] = (0.5, 0.999)
    momentum: float = 0.0
    weight_decay: float = 0.0
    patience: int = 10
    checkpoint_every: int = 5
    select: Literal["validation", "test", "last"] = "validation"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "bf16-true", "64-true"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"'{name}' must be at least 1 (got {getattr(self, name)})")
        if self.lr <= 0:
            raise ValueError(f"'lr' must be positive (got {self.lr})")
        if self.patience < 0:
            raise ValueError(f"'patience' must be at least 0 (got {self.patience})")


Groups = Mapping[str, type]


def setting_names(groups: Groups) -> list[str]:
    """All settings, as dotted names.

    Args:
        groups: A dataclass for each group, by its name.
    """
    return [f"{group}.{field.name}" for group, cls in groups.items() for field in fields(cls)]


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
        >>> build_settings({"train": TrainConfig}, merged)["train"].epochs
        3
    """
    known = setting_names(groups)
    merged: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for path in files:
        _merge(merged, _flat(_read(Path(path))), known, str(path))
    _merge(merged, dict(map(parse_setting, settings)), known, "--set")
    return merged


def build_settings(groups: Groups, values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Check the types of values and make the dataclasses; what is not given has its default.

    Raises:
        ValueError: If a value is of the wrong type or out of range.
    """
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    for group, cls in groups.items():
        parser.add_argument(f"--{group}", type=cls, default=cls())
    try:
        made = parser.instantiate(parser.parse_object({group: dict(entries) for group, entries in values.items()}))
    except Exception as error:  # jsonargparse has its own kinds of error for one cause: a wrong value.
        raise ValueError(f"a setting has a wrong value: {' '.join(str(error).split())}") from error
    return {group: made[group] for group in groups}


def describe_settings(made: Mapping[str, Any]) -> str:
    """All settings with their values, a line each, as `merge_settings` takes them.

    Example:
        >>> from labelgraph.train import TrainConfig, describe_settings
        >>> print(describe_settings({"train": TrainConfig()}).splitlines()[3])
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
        return key.strip(), float(value) if "e" in value.lower() else yaml.safe_load(value)
    except (ValueError, yaml.YAMLError):
        pass
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(f"'--set' must have a value in YAML for {key.strip()!r} (got {value!r})") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
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
