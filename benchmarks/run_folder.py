"""A run on disk: where its files are, and whether a folder is a run of this version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.config import RunConfig, from_dict
from labelgraph.report import Result, read_results, write_results

FORMAT = 1


@dataclass(frozen=True)
class RunFolder:
    """The files of a run.

    ``config.yaml``, ``environment.json``, ``metrics.json``, ``report.md``, ``plots/*.png``,
    ``baselines/NAME.json``; for each seed ``seed-N/history.csv``, ``seed-N/model/`` and ``seed-N/results.json``.
    """

    path: Path

    @property
    def metrics(self) -> Path:
        """All results of the run."""
        return self.path / "metrics.json"

    def baseline(self, name: str) -> Path:
        """Results of one baseline."""
        return self.path / "baselines" / f"{name}.json"

    @property
    def plots(self) -> Path:
        """Pictures."""
        return self.path / "plots"

    def seed(self, seed: int) -> Path:
        """What belongs to one seed."""
        return self.path / f"seed-{seed}"

    def model(self, seed: int) -> Path:
        """The trained model of one seed."""
        return self.seed(seed) / "model"

    def results(self, seed: int) -> Path:
        """Results of one seed."""
        return self.seed(seed) / "results.json"

    def create(self, config: RunConfig, environment: Mapping[str, Any]) -> None:
        """Begin a run; the folder must be new or empty."""
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(f"'--out' must be a new or an empty folder (got {self.path}); go on with --resume")
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / "environment.json", json.dumps(environment, indent=1) + "\n")
        content = {"format": FORMAT, "labelgraph": environment["labelgraph"], **config.as_dict()}
        write_text(self.path / "config.yaml", yaml.safe_dump(content, sort_keys=False))

    def config(self) -> RunConfig:
        """Read the settings of the run.

        Raises:
            ValueError: If the folder is not a run, is damaged, or is of another version.
        """
        path = self.path / "config.yaml"
        if not path.is_file():
            raise ValueError(f"{self.path}: expected a run folder with config.yaml (got none)")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"format {content['format']}, written by labelgraph {content['labelgraph']}")
            return from_dict(content)
        except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: expected a run of format {FORMAT} (got {error})") from error

    def write_metrics(self, config: RunConfig, results: list[Result]) -> None:
        """Write all results of the run."""
        about = {"method": config.method, "dataset": config.dataset, "seeds": list(config.seeds)}
        write_results(self.metrics, results, **about, select=config.train.select)

    def read_if_done(self, path: Path) -> list[Result] | None:
        """Results that an interrupted run already has."""
        return read_results(path) if path.is_file() else None


def write_text(path: Path, content: str) -> None:
    """Write a text file beside its place, then rename it."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)
