"""The settings of a run: defaults, then YAML of the method, of the data set, of the user, then ``--set``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from labelgraph.methods import method_class
from labelgraph.retrieval import PROTOCOLS
from labelgraph.train import TrainConfig

CONFIGS = Path(__file__).parent / "configs"
BASELINES = ("random", "ridge", "cca", "pls")


@dataclass(frozen=True)
class EvalConfig:
    """How to evaluate.

    Args:
        protocols: ``test-vs-test`` and ``query-vs-database``, or one of them.
        k: Cut-off of mAP; none ranks the whole gallery.
        definition: Of mAP with a cut-off: topk, first-k, recall-normalised, min(k,R).
        baselines: Simple methods fitted on the same split: random, ridge, cca, pls.
    """

    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    k: int | None = None
    definition: str = "topk"
    baselines: tuple[str, ...] = BASELINES

    def __post_init__(self) -> None:
        for name, known in (("protocols", tuple(PROTOCOLS)), ("baselines", BASELINES)):
            for given in getattr(self, name):
                if given not in known:
                    raise ValueError(f"'eval.{name}' must be among {', '.join(known)} (got {given!r})")


@dataclass(frozen=True)
class DataConfig:
    """What to do to the training items.

    Args:
        incomplete: Share of them to lose a side; published 0.8. Needs a method with generators.
        image_only: Of these, the share that keeps its image; the others keep their text.
        seed: Of the choice.
    """

    incomplete: float = 0.0
    image_only: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("incomplete", "image_only"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"'data.{name}' must be in [0, 1] (got {getattr(self, name)})")


@dataclass(frozen=True)
class RunConfig:
    """Everything that a run depends on.

    Args:
        method: Name of the method.
        dataset: Name of a data set, or path of a ``.npz`` file.
        seeds: One training each.
        model: Hyper-parameters of the method.
        data: What to do to the training items.
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

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, as YAML has them."""
        return _plain(asdict(self))


def sections(method: str) -> dict[str, type]:
    """The groups of settings of a method, by name."""
    cls = method_class(method)
    stage2 = {"stage2": TrainConfig} if cls.generates else {}
    return {"model": cls.Config, "data": DataConfig, "train": TrainConfig, **stage2, "eval": EvalConfig}


def keys(method: str) -> list[str]:
    """All settings of a method, as dotted keys."""
    return [f"{name}.{f.name}" for name, cls in sections(method).items() for f in fields(cls)]


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
    known = sections(method)
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"'seeds' must be distinct and at least one (got {list(seeds)})")
    merged: dict[str, dict[str, Any]] = {name: {} for name in known}
    for path in (CONFIGS / f"{method}.yaml", CONFIGS / dataset / f"{method}.yaml", file):
        if path is not None and (path is file or path.is_file()):
            _merge(merged, _flat(_read(path)), keys(method), str(path))
    _merge(merged, dict(map(_parse, settings)), keys(method), "--set")
    return _build(method, dataset, seeds, merged)


def resolve_all(
    methods: Sequence[str], dataset: str, seeds: Sequence[int], file: Path | None = None, settings: Sequence[str] = ()
) -> list[RunConfig]:
    """The settings of several methods; a setting of ``--set`` goes to those methods that have it.

    Raises:
        ValueError: If a setting is unknown to all of them, or of the wrong type.
    """
    if len(set(methods)) != len(methods):
        raise ValueError(f"'method' must be given once each (got {', '.join(methods)})")
    everyone = {key for method in methods for key in keys(method)}
    configs = []
    for method in methods:
        own = [s for s in settings if _parse(s)[0] in keys(method) or _parse(s)[0] not in everyone]
        configs.append(resolve(method, dataset, seeds, file, own))
    return configs


def describe(method: str) -> str:
    """All settings of a method with their defaults on no particular data set, for ``--help``."""
    lines = []
    for name, cls in sections(method).items():
        default = cls()
        lines += [f"  {name}.{f.name} = {_text(getattr(default, f.name))}" for f in fields(cls)]
    return "\n".join(lines)


def from_dict(content: Mapping[str, Any]) -> RunConfig:
    """Read what `RunConfig.as_dict` gave."""
    groups = {name: content.get(name, {}) for name in sections(content["method"])}
    return _build(content["method"], content["dataset"], content["seeds"], groups)


def _build(method: str, dataset: str, seeds: Sequence[int], groups: Mapping[str, Any]) -> RunConfig:
    """Check types and make the dataclasses."""
    known = sections(method)
    parser = ArgumentParser(exit_on_error=False)
    for name, cls in known.items():
        parser.add_argument(f"--{name}", type=cls, default=cls())
    try:
        made = parser.instantiate(parser.parse_object(dict(groups)))
    except Exception as error:  # jsonargparse has its own kinds of error for one cause: a wrong value.
        raise ValueError(f"a setting has a wrong value: {' '.join(str(error).split())}") from error
    return RunConfig(method, dataset, tuple(seeds), **{name: made[name] for name in known})


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: expected YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content or {}, dict):
        raise ValueError(f"{path}: expected settings by name (got {type(content).__name__})")
    return content or {}


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted key."""
    flat: dict[str, Any] = {}
    for group, entries in content.items():
        if isinstance(entries, Mapping):
            flat |= {f"{group}.{key}": value for key, value in entries.items()}
        else:
            flat[str(group)] = entries
    return flat


def _parse(setting: str) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals:
        raise ValueError(f"'--set' must be key=value (got {setting!r})")
    try:
        return key.strip(), float(value) if "e" in value.lower() else yaml.safe_load(value)
    except ValueError:
        return key.strip(), yaml.safe_load(value)


def _merge(merged: dict[str, dict[str, Any]], flat: Mapping[str, Any], known: Sequence[str], source: str) -> None:
    for key, value in flat.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise ValueError(f"{source}: unknown setting {key!r}; the nearest is {near!r}")
        group, _, name = key.partition(".")
        merged[group][name] = value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _text(value: Any) -> str:
    return yaml.safe_dump(_plain(value), default_flow_style=True).replace("\n...", "").strip()
