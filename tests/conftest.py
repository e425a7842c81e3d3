"""What several tests share."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import scipy.sparse as sp
import torch

from labelgraph.cli.main import main
from labelgraph.data import CrossModalData, save_npz
from tests.cli.small import SMALL, small_data

# Real data, where they are present; never part of the repository.
REAL_DATA = Path(os.environ.get("LABELGRAPH_DATA", Path(__file__).parents[2] / "shared" / "data"))


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell lets background jobs ignore Ctrl-C, and the commands that tests start and interrupt would inherit this.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Notebooks are slow."""
    for item in items:
        if item.path.suffix == ".ipynb":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def fixtures():
    return Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def real_data():
    """The folder of real data, which is in no repository; tests that use it skip without it."""
    if not all((REAL_DATA / name).is_dir() for name in ("mirflickr25k", "wikipedia")):
        pytest.skip("the real data is not here")
    return REAL_DATA


@pytest.fixture
def make_data():
    """Pairs whose images and texts follow their labels, so that there is something to learn."""

    def make(size=60, num_labels=5, image_channels=12, text_channels=9, seed=0):
        generator = torch.Generator().manual_seed(seed)
        labels = (torch.rand(size, num_labels, generator=generator) < 0.3).float()
        labels[torch.arange(size), torch.arange(size) % num_labels] = 1.0
        features = [
            labels @ torch.randn(num_labels, channels, generator=generator)
            + 0.3 * torch.randn(size, channels, generator=generator)
            for channels in (image_channels, text_channels)
        ]
        order = torch.randperm(size, generator=generator)
        cuts = (order[: size // 2], order[size // 2 : 3 * size // 4], order[3 * size // 4 :])
        splits = dict(zip(("train", "validation", "test"), cuts, strict=True))
        splits |= {"query": splits["test"], "database": torch.cat(cuts[:2])}
        return CrossModalData(image=features[0], text=features[1], labels=labels, splits=splits)

    return make


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """A folder with ``data.npz``, ``bare.npz`` (without splits), ``model`` and ``index``; not to be changed."""
    folder = tmp_path_factory.mktemp("cli")
    data = small_data()
    save_npz(data, folder / "data.npz")
    save_npz(replace(data, splits={}), folder / "bare.npz")
    train = ["train", str(folder / "data.npz"), "--out", str(folder / "model"), "--epochs", "3", "--quiet", *SMALL]
    assert main(train) == 0
    assert main(["index", str(folder / "model"), str(folder / "data.npz"), "--out", str(folder / "index")]) == 0
    return folder


@pytest.fixture
def pairs():
    """The data of ``place``."""
    return small_data()


def browser_path():
    known = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("LABELGRAPH_BROWSER") or next(filter(None, map(shutil.which, known)), None)


def skip_or_fail(reason):
    if os.environ.get("LABELGRAPH_BROWSER_TESTS") == "1":
        pytest.fail(f"LABELGRAPH_BROWSER_TESTS=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser():
    """Chromium for the tests of pages; LABELGRAPH_BROWSER_TESTS=1 makes its absence an error."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        skip_or_fail('Playwright is not installed: pip install "labelgraph[browser]"')
    path = browser_path()
    if path is None:
        skip_or_fail("no Chromium was found; install it or set LABELGRAPH_BROWSER to its path")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def with_many_labels():
    """Add labels that no item has, until the data have so many that they are sparse."""

    def widen(data, number=2000):
        names = [*data.label_names, *(f"no {i}" for i in range(number - data.num_labels))]
        labels = sp.csr_array(data.labels.numpy())
        labels.resize((len(data), number))
        return replace(data, labels=labels, label_names=names, label_vectors=None)

    return widen
