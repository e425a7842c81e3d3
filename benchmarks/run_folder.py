"""A run on disk: where its files are, and whether a folder is a run of this version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.config import RunConfig, from_dict
from labelgraph.report import Result, write_results

FORMAT = 1


@dataclass(frozen=True)
class RunFolder:
    """The files of a run.

    ``config.yaml``, ``environment.json``, ``splits.json``, ``metrics.json``, ``report.md``, ``plots/*.png``,
    ``baselines/NAME.json``; for each seed ``seed-N/history.csv``, ``seed-N/model/`` and ``seed-N/results.json``,
    or where a seed has several trainings the same in ``seed-N/VARIANT/``.
    """

    path: Path

    @property
    def metrics(self) -> Path:
        """All results of the run."""
        return self.path / "metrics.json"

    @property
    def splits(self) -> Path:
        """The indices of all splits."""
        return self.path / "splits.json"

    def baseline(self, name: str) -> Path:
        """Results of one baseline."""
        return self.path / "baselines" / f"{name}.json"

    @property
    def plots(self) -> Path:
        """Pictures."""
        return self.path / "plots"

    def seed(self, seed: int, variant: str | None = None) -> Path:
        """What belongs to one seed, or to one of its trainings."""
        place = self.path / f"seed-{seed}"
        return place / variant.replace(" ", "-") if variant else place

    def model(self, seed: int, variant: str | None = None) -> Path:
        """The trained model of one training."""
        return self.seed(seed, variant) / "model"

    def results(self, seed: int, variant: str | None = None) -> Path:
        """Results of one training."""
        return self.seed(seed, variant) / "results.json"

    def create(self, config: RunConfig, environment: Mapping[str, Any]) -> None:
        """Begin a run; the folder must be new or empty."""
        make_new(self.path)
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


def make_new(path: Path) -> None:
    """Make a folder, or take an empty one."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"'--out' must be a new or an empty folder (got {path}); go on with --resume")
    path.mkdir(parents=True, exist_ok=True)


def write_text(path: Path, content: str) -> None:
    """Write a text file beside its place, then rename it."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)
