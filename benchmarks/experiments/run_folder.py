"""The folder of a run, its plan, and its data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml

from benchmarks.datasets.known_sets import KNOWN_SETS, load_known
from benchmarks.experiments.folder_start import ENVIRONMENT, FACTORS_FILE, SETTINGS, make_new
from benchmarks.experiments.run_settings import RunConfig, from_dict
from labelgraph._core.checked_config import check_value, field_types
from labelgraph._core.files import write_text
from labelgraph._core.json_files import write_json
from labelgraph._core.reading import quoted, reading
from labelgraph.data import (
    PUBLISHED_SIZES,
    SPLITS,
    CrossModalData,
    complete_splits,
    hold_out,
    load_dataset,
    load_splits,
    make_splits,
    read_splits,
    save_splits,
)
from labelgraph.report import Result, report_to_html, write_results

FORMAT = 1


@dataclass(frozen=True)
class RunFolder:
    """The files of a run.

    ``config.yaml``, ``environment.json``, ``splits.json``, ``metrics.json``, ``report.md``, ``report.html``,
    ``plots/*.png``, ``baselines/NAME.json``; for each seed ``seed-N/STAGE/history.csv``, ``seed-N/model/``,
    ``seed-N/results.json``, and ``seed-N/logs/STAGE/`` of a logger. If a seed has several trainings, each has these
    files in ``seed-N/VARIANT/``.
    """

    path: Path

    @property
    def metrics(self) -> Path:
        """All results of the run."""
        return self.path / "metrics.json"

    @property
    def settings(self) -> Path:
        """All settings of the run."""
        return self.path / SETTINGS

    @property
    def environment(self) -> Path:
        """The versions and the machine that the run was made with."""
        return self.path / ENVIRONMENT

    @property
    def splits(self) -> Path:
        """The indices of all splits."""
        return self.path / "splits.json"

    def baseline(self, name: str) -> Path:
        """The results of one baseline."""
        return self.path / "baselines" / f"{name}.json"

    @property
    def plots(self) -> Path:
        """The folder of plots."""
        return self.path / "plots"

    def seed(self, seed: int, variant: str | None = None) -> Path:
        """The folder of a seed, or of one of its trainings."""
        place = self.path / f"seed-{seed}"
        return place / variant.replace(" ", "-") if variant else place

    def model(self, seed: int, variant: str | None = None) -> Path:
        """The model of one training."""
        return self.seed(seed, variant) / "model"

    def history(self, seed: int, variant: str | None = None) -> Path:
        """The history of one training."""
        return next(self.seed(seed, variant).glob("*/history.csv"))

    def results(self, seed: int, variant: str | None = None) -> Path:
        """The results of one training."""
        return self.seed(seed, variant) / "results.json"

    def create(self, config: RunConfig, environment: Mapping[str, Any], factors: Sequence[str] = ()) -> None:
        """Start a run, or an ablation over some factors; the folder must be new or empty."""
        make_new(self.path)
        write_json(self.environment, environment)
        if factors:
            write_text(self.path / FACTORS_FILE, "\n".join(factors) + "\n")
        content = {"format": FORMAT, "labelgraph": environment["labelgraph"], **config.as_dict()}
        write_text(self.settings, yaml.safe_dump(content, sort_keys=False))

    def config(self) -> RunConfig:
        """Read the settings of the run.

        Raises:
            ValueError: If the folder is not a run, is damaged, or is of another version.
        """
        if not self.settings.is_file():
            raise ValueError(f"{self.path}: expected a run folder with config.yaml (got none)")
        with reading(self.settings, f"a run of format {FORMAT}"):
            return from_dict(read_plain(self.settings))

    def write_metrics(self, config: RunConfig, results: list[Result]) -> None:
        """Write all results of the run."""
        about = {"method": config.method, "dataset": config.dataset, "seeds": list(config.seeds)}
        write_results(self.metrics, results, **about, select=config.train.select)

    def write_report_files(self, parts: Sequence[str]) -> None:
        """Write ``report.md`` from its parts, and ``report.html`` with the plots in it; draw the plots before."""
        write_text(self.path / "report.md", "\n\n".join(part for part in parts if part) + "\n")
        self.write_page()

    def write_page(self) -> None:
        """Write ``report.html`` from ``report.md`` and the plots."""
        report = (self.path / "report.md").read_text(encoding="utf-8")
        write_text(self.path / "report.html", report_to_html(report, self.path))


def read_plain(path: Path) -> dict[str, Any]:
    """Read a YAML file that a run has written, and check its format; use it within `reading`."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if content["format"] != FORMAT:
        raise ValueError(f"format {quoted(content['format'])}, written by labelgraph {content.get('labelgraph')}")
    return {str(key): value for key, value in content.items() if key not in ("format", "labelgraph")}


Plan = TypeVar("Plan")


def create_plan(plan: Any, path: Path, environment: Mapping[str, Any]) -> None:
    """Start a run with a plan, a dataclass of plain values; the folder must be new or empty."""
    make_new(path)
    write_json(RunFolder(path).environment, environment)
    write_text(path / "plan.yaml", yaml.safe_dump({"format": FORMAT, **asdict(plan)}, sort_keys=False))


def read_plan(kind: type[Plan], path: Path) -> Plan:
    """Read the plan of a folder.

    Raises:
        ValueError: If there is none, or it is damaged or of another version.
    """
    file = path / "plan.yaml"
    if not file.is_file():
        raise ValueError(f"{path}: expected the plan of a run, plan.yaml (got none)")
    with reading(file, f"the plan of a run of format {FORMAT}"):
        content = read_plain(file)
        hints = field_types(kind)
        return kind(**{name: _checked(name, value, hints.get(name, object)) for name, value in content.items()})


def _checked(name: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is list:
        each: Any = tuple[(*get_args(kind), ...)]  # type: ignore[misc]
        return list(check_value(name, value, each))
    return check_value(name, value, kind)


def load_data(config: RunConfig, folder: RunFolder | None = None) -> CrossModalData:
    """Load the data of a run, with the splits in its folder if it has been started.

    Raises:
        ValueError: If the data have no splits and the settings name none, or the splits are of other data.
        FileNotFoundError: If the files are missing.
    """
    data = load_known(config.dataset) if config.dataset in KNOWN_SETS else load_dataset(config.dataset)
    if folder and folder.splits.is_file():
        return data.with_splits(load_splits(folder.splits, data))
    return split_data(config, data)


def split_data(config: RunConfig, data: CrossModalData) -> CrossModalData:
    """Split the data by the settings; by default, the splits of the data set are kept."""
    split, seed, sizes = config.data.split, config.data.split_seed, config.data.sizes
    if split is not None and split in SPLITS:
        sizes = {**PUBLISHED_SIZES.get(split, {}).get(config.dataset, {}), **sizes}
        return data.with_splits(make_splits(data, split, seed, **sizes))
    if split is not None and not Path(split).exists():
        raise ValueError(f"'data.split' must be one of {', '.join(SPLITS)}, or index files (got {split!r})")
    own = data.splits if split is None else read_splits(split, data)
    if "train" not in own:
        raise ValueError(
            f"'data.split' must be one of {', '.join(SPLITS)}, or index files with training items (got {split!r}, with "
            f"{', '.join(own) or 'no splits'})"
        )
    data, size = data.with_splits(own), sizes.get("validation", 0.1)
    if size and "validation" not in own:
        data = hold_out(data, size if size < 1 else size / len(own["train"]), seed)
    return data.with_splits(complete_splits(data.splits))


def keep_splits(config: RunConfig, data: CrossModalData, folder: RunFolder) -> None:
    """Write the split indices into the folder of a run, unless they are there."""
    if not folder.splits.is_file():
        about = {"dataset": config.dataset, "split": config.data.split, "seed": config.data.split_seed}
        save_splits(data.splits, data, folder.splits, **about)


def tell_splits(config: RunConfig, data: CrossModalData) -> str:
    """Sentences about the splits, for a report."""
    sizes = ", ".join(f"{name} {len(index):,}" for name, index in data.splits.items())
    if config.data.split is None:
        source = "are those of the data set"
    elif config.data.split in SPLITS:
        source = f"were drawn by `{config.data.split}` with seed {config.data.split_seed}"
    else:
        source = f"were read from `{config.data.split}`"
    return f"The splits {source}: {sizes}. Their indices are in `splits.json`."


def held_out(config: RunConfig, data: CrossModalData) -> CrossModalData:
    """Items to calibrate on: the validation split, or the test split if epochs are selected on it."""
    return data.split("test" if config.train.select == "test" else "validation")
