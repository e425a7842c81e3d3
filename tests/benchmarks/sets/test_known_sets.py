"""The known sets: their settings are the published ones, and the registry and the files agree."""

import re
from pathlib import Path

import pytest

from benchmarks.datasets.known_sets import KNOWN_SETS, ROOT
from benchmarks.experiments.run_settings import CONFIGS, resolve
from labelgraph.data import PUBLISHED_SIZES, SPLITS
from labelgraph.methods import METHODS

README = (CONFIGS.parent / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [path for name in KNOWN_SETS for path in (CONFIGS / name).glob("*.yaml")], ids=str)
def test_every_file_can_be_resolved_and_tells_its_source(path):
    assert path.stem in METHODS and path.parent.name in KNOWN_SETS
    config = resolve(path.stem, path.parent.name, [0])
    assert config.dataset == path.parent.name
    assert re.match(r"# \S+ (as published for|on) ", path.read_text())


# Batch, epochs and learning rate of the second stage, as the papers have them.
PUBLISHED: dict[str, dict[str, tuple]] = {
    "algcn": {"mirflickr": (100, 30, None), "nus-wide-tc21": (1024, 40, None), "ms-coco": (1024, 50, None)},
    "dagnn": {"mirflickr": (100, 40, 4e-6), "nus-wide-tc21": (1024, 40, 4e-6), "ms-coco": (1024, 40, 1e-6)},
    "p-gnn-con": {"mirflickr": (100, 40, 1e-7), "nus-wide-tc21": (2048, 40, 1e-8), "ms-coco": (512, 40, 1e-7)},
    "i-gnn-con": {"mirflickr": (100, 40, 1e-7), "nus-wide-tc21": (2048, 40, 1e-8), "ms-coco": (512, 40, 1e-7)},
}


@pytest.mark.parametrize(("method", "name"), [(method, name) for method in PUBLISHED for name in PUBLISHED[method]])
def test_settings_are_the_published_ones(method, name):
    config = resolve(method, name, [0])
    batch, epochs, second = PUBLISHED[method][name]
    assert (config.train.batch_size, config.train.epochs, config.train.lr) == (batch, epochs, 5e-5)
    assert config.train.betas == (0.5, 0.999) and config.data.split is None
    if second:
        assert (config.stage2.lr, config.stage2.batch_size) == (second, batch)
        assert config.stage2.optimizer == ("adam" if method == "dagnn" else "sgd")
    if method.endswith("con"):
        weights = {"mirflickr": (0.5, 2, 0.22), "nus-wide-tc21": (0.8, 0.2, 0.22), "ms-coco": (2.8, 0.2, 0.2)}[name]
        assert (config.model.alpha, config.model.beta, config.model.temperature) == weights
        assert config.model.intra_weight == 0.14


def test_hashing_settings_are_the_published_ones():
    config = resolve("agah", "nus-wide-tc10", [0])
    assert (config.data.split, config.eval.k, config.eval.protocols) == ("agah", 5000, ("query-vs-database",))
    assert (config.model.phi, config.model.gamma, config.model.delta) == (0.25, 0.5, 0.1)
    assert resolve("agah", "mirflickr", [0]).model.phi == 0.15


@pytest.mark.parametrize("known", KNOWN_SETS.values(), ids=lambda known: known.name)
def test_the_registry_and_the_readme_agree(known):
    assert known.folder == ROOT / known.name and ROOT.name == "data"
    assert known.split is None or known.split in SPLITS
    for part in (f"`data/{known.name}/`", known.page, known.source):
        assert part in README


def test_sizes_are_kept_for_known_sets():
    assert {name for sizes in PUBLISHED_SIZES.values() for name in sizes} <= set(KNOWN_SETS)


def test_the_folder_is_ignored_by_git_and_the_library_is_not():
    lines = Path(CONFIGS.parents[1] / ".gitignore").read_text().split()
    assert "/data/" in lines and "data/" not in lines
