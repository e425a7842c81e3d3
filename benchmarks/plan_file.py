"""What a run of many trainings was asked for, as a file that it goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import yaml

from benchmarks.run_folder import FORMAT, make_new, write_text

Plan = TypeVar("Plan")


def create_plan(plan: Any, path: Path, environment: Mapping[str, Any]) -> None:
    """Begin a run by a plan, which is a dataclass of plain values; the folder must be new or empty."""
    make_new(path)
    write_text(path / "environment.json", json.dumps(environment, indent=1) + "\n")
    write_text(path / "plan.yaml", yaml.safe_dump({"format": FORMAT, **asdict(plan)}, sort_keys=False))


def read_plan(kind: type[Plan], path: Path) -> Plan:
    """Read the plan of a folder.

    Raises:
        ValueError: If there is none, or it is damaged or of another version.
    """
    file = path / "plan.yaml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise ValueError("another format")
        return kind(**content)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{file}: expected the plan of a run of format {FORMAT} (got {error})") from error
