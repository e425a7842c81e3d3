"""A search on disk: what was asked for, its trials, and where their trainings are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.config import RunConfig, own_settings, resolve
from benchmarks.run_folder import FORMAT, RunFolder, make_new, write_text
from benchmarks.tuning.space import draw

RIDGE = "ridge"


@dataclass(frozen=True)
class Plan:
    """What a search is to do.

    Args:
        dataset: Name or path.
        methods: To tune; ridge is tuned beside them.
        seeds: Of the trainings with the best settings; trials are trained with the first.
        settings: ``key=value``, for those methods that have them.
        search_seed: Of what was drawn.
        trials: By method, the settings of each trial.
    """

    dataset: str
    methods: list[str]
    seeds: list[int]
    settings: list[str]
    search_seed: int
    trials: dict[str, list[dict[str, Any]]]

    @classmethod
    def draw(
        cls, dataset: str, methods: list[str], seeds: list[int], settings: list[str], count: int, seed: int
    ) -> Plan:
        """Draw as many trials for every method, and for ridge."""
        if count < 1:
            raise ValueError(f"'--trials' must be at least 1 (got {count})")
        names = [*methods, RIDGE]
        trials = {n: [draw(n, i, seed) for i in range(count)] for n in names}
        return cls(dataset, methods, seeds, settings, seed, trials)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read the plan of a folder.

        Raises:
            ValueError: If there is none, or it is damaged or of another version.
        """
        file = path / "plan.yaml"
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError("another format")
            return cls(**content)
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{file}: expected the plan of a search of format {FORMAT} (got {error})") from error

    def create(self, path: Path, environment: Mapping[str, Any]) -> None:
        """Begin a search; the folder must be new or empty."""
        make_new(path)
        write_text(path / "environment.json", json.dumps(environment, indent=1) + "\n")
        write_text(path / "plan.yaml", yaml.safe_dump({"format": FORMAT, **asdict(self)}, sort_keys=False))

    def config(self, method: str, trial: int) -> RunConfig:
        """The settings of a trial, with those drawn above all others."""
        drawn = [f"{name}={value}" for name, value in self.trials[method][trial].items()]
        given = own_settings(self.settings, method, self.methods)
        return resolve(method, self.dataset, self.seeds, None, [*given, *drawn])


def trial_folder(path: Path, method: str, trial: int) -> RunFolder:
    """Where the trainings of a trial are."""
    return RunFolder(path / method / f"trial-{trial}")
