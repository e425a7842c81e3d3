"""A search on disk: what was asked for, its trials, and where their trainings are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.config import RunConfig, own_settings, resolve
from benchmarks.run_folder import RunFolder
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

    def config(self, method: str, trial: int) -> RunConfig:
        """The settings of a trial, with those drawn above all others."""
        drawn = [f"{name}={value}" for name, value in self.trials[method][trial].items()]
        given = own_settings(self.settings, method, self.methods)
        return resolve(method, self.dataset, self.seeds, None, [*given, *drawn])


def trial_folder(path: Path, method: str, trial: int) -> RunFolder:
    """Where the trainings of a trial are."""
    return RunFolder(path / method / f"trial-{trial}")
