"""Extraction batch by batch, failures, and runs that go on."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from labelgraph.data import MatPictures
from labelgraph.encoders import BagOfWords, Encoder, Failure, extract

WORDS = ["zero", "one two", "bad", "three four five", "", "bad", "six"]


class Lengths(Encoder):
    """Two numbers of a text; tells which texts it was asked for."""

    name = "lengths"
    side = "text"
    channels = 2

    def __init__(self, factor=1):
        self.factor = factor
        self.asked = []
        self.batches = []

    @property
    def options(self):
        return {"factor": self.factor}

    def prepare(self, item):
        self.asked.append(item)
        if str(item).startswith("bad"):
            raise ValueError(f"{item}: is bad")
        return item

    def embed(self, prepared):
        self.batches.append(len(prepared))
        return np.array([[self.factor * len(each), len(each.split())] for each in prepared], dtype=np.float32)


GOOD = [word for word in WORDS if word != "bad"]
WANTED = np.array([[0, 0] if word == "bad" else [len(word), len(word.split())] for word in WORDS], dtype=np.float32)
FAILED = [Failure(2, "bad", "bad: is bad"), Failure(5, "bad", "bad: is bad")]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("file", [False, True])
def test_batches_give_what_all_at_once_gives(tmp_path, batch_size, file):
    out = tmp_path / "deep" / "features.npy" if file else None
    result = extract(Lengths(), WORDS, out, batch_size=batch_size, on_error="skip", progress=False)
    assert np.array_equal(result.features, WANTED) and result.features.dtype == np.float32
    assert result.failures == FAILED
    if out:
        assert np.array_equal(np.load(out), WANTED)
        assert sorted(path.name for path in out.parent.iterdir()) == ["features.npy", "features.npy.json"]


@pytest.mark.parametrize("batch_size", [1, 2, 50])
def test_sparse_features_keep_empty_rows_of_failures(batch_size):
    texts = ["a cat", 3.5, "cat and dog", 7, "no more"]
    result = extract(BagOfWords(["cat", "dog"]), texts, batch_size=batch_size, on_error="skip", progress=False)
    assert isinstance(result.features, sp.csr_array) and result.features.dtype == np.float32
    assert result.features.toarray().tolist() == [[1, 0], [0, 0], [1, 1], [0, 0], [0, 0]]
    assert [failure.row for failure in result.failures] == [1, 3]


def test_an_error_is_raised_with_what_went_before_kept(tmp_path):
    out = tmp_path / "features.npy"
    with pytest.raises(ValueError, match="bad: is bad"):
        extract(Lengths(), WORDS, out, batch_size=2, progress=False)
    assert not out.exists()
    assert json.loads((tmp_path / "features.npy.json").read_text())["done"] == 2
    encoder = Lengths()
    assert np.array_equal(extract(encoder, WORDS, out, batch_size=3, on_error="skip").features, WANTED)
    assert sorted(encoder.asked) == sorted(WORDS[2:])


def test_a_finished_run_is_read_again(tmp_path):
    out = tmp_path / "features.npy"
    extract(Lengths(), WORDS, out, on_error="skip", progress=False)
    encoder = Lengths()
    again = extract(encoder, WORDS, out, on_error="skip", progress=False)
    assert encoder.asked == [] and np.array_equal(again.features, WANTED) and again.failures == FAILED
    assert isinstance(again.features, np.memmap) and not again.features.flags.writeable


@pytest.mark.parametrize(("encoder", "items"), [(Lengths(), GOOD[::-1]), (Lengths(2), GOOD)])
def test_others_are_not_taken_for_these(tmp_path, encoder, items):
    out = tmp_path / "features.npy"
    extract(Lengths(), GOOD, out, progress=False)
    before = out.read_bytes()
    with pytest.raises(ValueError, match=r"features\.npy: expected features of these items by this encoder"):
        extract(encoder, items, out, progress=False)
    assert out.read_bytes() == before


def test_an_unfinished_run_of_others_is_begun_anew(tmp_path):
    out = tmp_path / "features.npy"
    with pytest.raises(ValueError, match="is bad"):
        extract(Lengths(3), WORDS, out, batch_size=2, progress=False)
    assert np.array_equal(extract(Lengths(), WORDS, out, on_error="skip", progress=False).features, WANTED)


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {folder!r})
    from test_extraction import Lengths
    from labelgraph.encoders import extract

    class Killed(Lengths):
        def embed(self, prepared):
            if len(self.batches) == {batches}:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().embed(prepared)

    extract(Killed(), [str(i) * (1 + i % 5) for i in range(50)], {out!r}, batch_size=4, progress=False)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_run_goes_on_as_if_it_had_not_been_killed(tmp_path):
    out, items = tmp_path / "features.npy", [str(i) * (1 + i % 5) for i in range(50)]
    for batches in (3, 2):
        code = textwrap.dedent(KILLED).format(folder=str(Path(__file__).parent), batches=batches, out=str(out))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL
        assert not out.exists()
    encoder = Lengths()
    result = extract(encoder, items, out, batch_size=7, progress=False)
    assert sum(encoder.batches) == 50 - 5 * 4
    assert np.array_equal(result.features, Lengths().encode(items))


def test_the_next_batch_is_read_while_one_is_embedded():
    read = threading.Event()

    class Waiting(Lengths):
        def prepare(self, item):
            if item == "second":
                read.set()
            return super().prepare(item)

        def embed(self, prepared):
            assert read.wait(20)
            return super().embed(prepared)

    assert extract(Waiting(), ["first", "second"], batch_size=1, progress=False).features.shape == (2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": []}, "'items' must be a sequence of at least one"),
        ({"items": "one"}, "'items' must be a sequence of at least one"),
        ({"batch_size": 0}, r"'batch_size' must be at least 1 \(got 0\)"),
        ({"workers": 0}, "'workers' must be at least 1"),
        ({"on_error": "ignore"}, "'on_error' must be one of raise, skip"),
        ({"encoder": BagOfWords(["cat"]), "out": "x.npy"}, "'out' must not be given for sparse features"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        extract(**({"encoder": Lengths(), "items": ["a"]} | changes))


def test_a_damaged_note_of_progress_is_not_believed(tmp_path):
    out = tmp_path / "features.npy"
    (tmp_path / "features.npy.json").write_text('{"format": 1, "done": 3')
    (tmp_path / "features.npy.part").write_bytes(b"what?")
    assert np.array_equal(extract(Lengths(), GOOD, out, progress=False).features, Lengths().encode(GOOD))


class Means(Lengths):
    """The mean of a picture, twice; more than 100 is too bright."""

    name = "means"
    side = "image"

    def prepare(self, item):
        self.asked.append(item.shape)
        if item.mean() > 100:
            raise ValueError("too bright")
        return item

    def embed(self, prepared):
        return np.array([[each.mean()] * 2 for each in prepared], dtype=np.float32)


def test_pictures_of_a_matlab_file_are_read_batch_by_batch(tmp_path, monkeypatch):
    h5py = pytest.importorskip("h5py")
    raw = np.repeat(np.array([7, 200, 9, 11, 13], np.uint8), 3 * 2 * 4).reshape(5, 3, 2, 4)
    with h5py.File(tmp_path / "iall.mat", "w") as file:
        file["IAll"] = raw
    read, blocks = MatPictures.__getitem__, []
    monkeypatch.setattr(MatPictures, "__getitem__", lambda self, index: blocks.append(index) or read(self, index))
    pictures, out = MatPictures(tmp_path / "iall.mat"), tmp_path / "features.npy"
    result = extract(Means(), pictures, out, batch_size=2, on_error="skip", progress=False)
    assert result.features[:, 0].tolist() == [7, 0, 9, 11, 13]
    assert result.failures == [Failure(1, f"{tmp_path / 'iall.mat'} IAll[1]", "too bright")]
    assert blocks == [slice(0, 2), slice(2, 4), slice(4, 6)]
    again = Means()
    np.testing.assert_array_equal(extract(again, pictures, out, progress=False).features, result.features)
    assert not again.asked
