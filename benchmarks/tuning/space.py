"""What a random search draws from, and its trials."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

SPACE = Path(__file__).with_name("space.yaml")


@functools.cache
def space() -> dict[str, dict[str, dict[str, list[Any]]]]:
    """By method and setting, the kind of range and the range."""
    content: dict[str, Any] = yaml.safe_load(SPACE.read_text(encoding="utf-8"))
    return content


def draw(method: str, trial: int, seed: int = 0) -> dict[str, Any]:
    """The settings of one trial: the same for the same arguments, whatever the number of trials.

    Args:
        method: Key of the space.
        trial: Its number, from 0.
        seed: Of the search.

    Raises:
        ValueError: If the method has no space.
    """
    if method not in space():
        raise ValueError(f"{SPACE.name}: expected settings to search for {method!r} (got {', '.join(space())})")
    chance = np.random.default_rng([seed, zlib.crc32(method.encode()), trial])
    return {name: _value(how, chance) for name, how in space()[method].items()}


def _value(how: Mapping[str, list[Any]], chance: np.random.Generator) -> Any:
    ((kind, among),) = how.items()
    if kind == "choice":
        return among[chance.integers(len(among))]
    low, high = np.log(among) if kind == "log" else among
    value = chance.uniform(low, high)
    # Three digits are enough, and can be typed.
    return float(f"{np.exp(value) if kind == 'log' else value:.3g}")
