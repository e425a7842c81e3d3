"""Synthetic sets: the same however they are written, and with something to learn."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from benchmarks.experiments.baselines import run_baseline
from benchmarks.synthetic import __main__ as command
from benchmarks.synthetic.generate import CHUNK, SyntheticData
from benchmarks.synthetic.sets import SETS
from benchmarks.synthetic.write import write_set
from labelgraph.data import CrossModalData

pytestmark = pytest.mark.slow  # Whole commands and processes.


def files(folder):
    """The files of a folder by the names in its manifest."""
    manifest = json.loads((folder / "data.json").read_text())
    return {name: folder / entry["file"] for name, entry in manifest["files"].items()}


def content(folder):
    return {name: path.read_bytes() for name, path in files(folder).items()}


def read(folder):
    """Read a folder as the format says, by hand."""
    paths = files(folder)
    arrays = {name: np.load(path, allow_pickle=False) for name, path in paths.items() if name.endswith(".npy")}
    shape = json.loads((folder / "data.json").read_text())["entries"]["shapes"]["text"]
    names = json.loads(paths["names.json"].read_text())
    text = sp.csr_array(tuple(arrays[f"text_{part}.npy"] for part in ("data", "indices", "indptr")), shape=shape)
    text.check_format()
    assert arrays["image.npy"].dtype == np.float32 and arrays["labels.npy"].dtype == np.uint8
    splits = {Path(name).stem: array for name, array in arrays.items() if name.startswith("splits/")}
    return CrossModalData(arrays["image.npy"], text, arrays["labels.npy"], names["label_names"], splits)


def test_the_block_size_changes_no_byte_and_the_seed_all(tmp_path):
    for block in (100, 700, 5000):
        write_set("mirflickr", tmp_path / str(block), items=700, seed=3, block=block)
    write_set("mirflickr", tmp_path / "again", items=700, seed=3, block=100)
    first = content(tmp_path / "100")
    splits = {f"splits/{name}.npy" for name in ("train", "validation", "test", "query", "database")}
    parts = {f"text_{part}.npy" for part in ("data", "indices", "indptr")}
    assert set(first) == {"names.json", "image.npy", "labels.npy", *parts, *splits}
    for other in ("700", "5000", "again"):
        assert content(tmp_path / other) == first
    write_set("mirflickr", tmp_path / "seed", items=700, seed=4)
    changed = content(tmp_path / "seed")
    assert all(changed[name] != first[name] for name in ("image.npy", "labels.npy", "text_indices.npy"))


def test_any_rows_are_those_of_the_whole():
    data = SyntheticData(SETS["nus-wide-tc21"], seed=1)
    whole = data.rows(0, 2 * CHUNK + 5)
    for start, stop in ((0, 1), (CHUNK - 1, CHUNK + 1), (3, 2 * CHUNK + 4), (CHUNK, 2 * CHUNK)):
        part = data.rows(start, stop)
        np.testing.assert_array_equal(part.image, whole.image[start:stop])
        np.testing.assert_array_equal(part.labels, whole.labels[start:stop])
        np.testing.assert_array_equal(part.text.toarray(), whole.text[start:stop].toarray())


@pytest.mark.parametrize("name", SETS)
def test_texts_have_as_many_words_as_stated(name):
    text = SyntheticData(SETS[name]).rows(0, 4000).text
    words = np.diff(text.indptr)
    assert words.min() >= 1 and set(text.data) == {1.0}
    assert words.mean() == pytest.approx(SETS[name].words, rel=0.05)
    frequency = np.sort(text.sum(axis=0))[::-1]
    assert frequency[0] > 10 * np.median(frequency)  # Few words are most of the text.


@pytest.mark.parametrize("name", SETS)
def test_there_is_something_to_learn_and_not_all(name, tmp_path):
    write_set(name, tmp_path / "set", items=2000)
    data = read(tmp_path / "set")
    (chance,) = run_baseline("random", data, data, ["test-vs-test"], "validation")
    (ridge,) = run_baseline("ridge", data, data, ["test-vs-test"], "validation")
    assert chance.average + 0.05 < ridge.average < 0.9
    assert len(data.splits["query"]) == 200 and data.image_channels == 4096


def test_image_and_text_of_a_pair_agree_beyond_their_labels():
    data = SyntheticData(SETS["mirflickr"]).rows(0, 6000)
    sides = [data.image[:, :300].astype(np.float64), data.text.toarray()[:, np.argsort(-data.text.sum(axis=0))[:300]]]
    train, test = slice(0, 4000), slice(4000, 6000)
    rest = []
    for side in sides:  # What labels do not explain.
        design = np.c_[data.labels, np.ones(len(side))].astype(np.float64)
        rest.append(side - design @ np.linalg.lstsq(design[train], side[train], rcond=None)[0])
    image, text = rest
    # Texts foretold from images: better for their own pair than for that of another item.
    weights = np.linalg.solve(image[train].T @ image[train] + 1e3 * np.eye(300), image[train].T @ text[train])
    foretold = image[test] @ weights
    own = (foretold * text[test]).sum(1).mean()
    other = (foretold * np.roll(text[test], 1, axis=0)).sum(1)
    assert own > other.mean() + 5 * other.std() / np.sqrt(len(other))


def test_one_item_and_wrong_numbers(tmp_path):
    rows = SyntheticData(SETS["ms-coco"]).rows(7, 8)
    assert rows.image.shape == (1, 4096) and rows.labels.shape == (1, 80) and rows.labels.any()
    for options, message in (
        ({"name": "imagenet"}, r"'name' must be one of mirflickr, .* \(got 'imagenet'\)"),
        ({"items": 0}, r"'items' must be at least 1 \(got 0\)"),
        ({"block": 0}, r"'block' must be at least 1 \(got 0\)"),
        ({"path": tmp_path}, r"'path' must be a new folder"),
    ):
        with pytest.raises(ValueError, match=message):
            write_set(**{"name": "mirflickr", "path": tmp_path / "new", "items": 600, **options})
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("labelgraph._core.progress.SECONDS", 0)
    out = tmp_path / "set"
    assert command.main(["mirflickr", "--out", str(out), "--items", "600", "--split", "uniform"]) == 0
    printed = capsys.readouterr()
    assert "Assumed: which labels occur together" in printed.out and "(600/600 items" in printed.err
    data = read(out)
    assert len(data) == 600 and len(data.splits["test"]) == 60 and data.label_names[0] == "animals"
    assert torch.isfinite(data.image).all()
    assert command.main(["mirflickr", "--out", str(out)]) == 2
    assert "error: 'path' must be a new folder" in capsys.readouterr().err
    assert [Path(each).name for each in tmp_path.iterdir()] == ["set"]
