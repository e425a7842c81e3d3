import numpy as np
import pytest

from benchmarks.datasets.openclipart import build
from benchmarks.datasets.openclipart import dataset_card as card
from benchmarks.datasets.openclipart import selection as save
from benchmarks.datasets.openclipart.annotations import Record
from benchmarks.datasets.openclipart.selection import settle


def test_a_missing_folder_names_the_packages(tmp_path):
    with pytest.raises(ValueError, match=r"svg: no such folder.*openclipart-svg and openclipart-png"):
        build.read_public_domain(tmp_path, build.Steps())


def test_chosen_pictures_are_described_and_unlike():
    rng = np.random.default_rng(0)
    records = [Record(f"{number:03}", "furry coat", "", ("dog",), (), True) for number in range(60)]
    records += [Record(f"{number:03}", "", "", ("dog",), (), True) for number in range(60, 80)]
    features = rng.random((80, 30))
    features[50:60] = features[:10]
    steps = build.Steps()
    chosen, settled = build.select(records, features, steps)
    assert chosen.tolist() == list(range(50))
    assert [count for _, count in steps.counts] == [60, 50, 50]
    assert settled.text.shape == (50, 2)


def test_arrays_need_no_pickle_and_are_the_same_twice(tmp_path):
    records = [
        Record(f"a/{number:04}", f"a {word}", "", (keyword,), (), True)
        for number, (word, keyword) in enumerate([("furry", "dog"), ("green", "tree")] * 600)
    ]
    codes, scale = np.ones((1200, 2), dtype=np.uint8), np.ones(2, dtype=np.float32)
    for name in ("first", "second"):
        settled = settle(records, {"animal": ["dog"], "plant": ["tree"]})
        save.save_npz(tmp_path / f"{name}.npz", build.assemble(records, codes, scale, settled))
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.npz", "second.npz"]
    with np.load(tmp_path / "first.npz", allow_pickle=False) as file:
        arrays = dict(file)
    assert arrays["label_names"].tolist() == ["animal", "plant"]
    assert arrays["titles"][:2].tolist() == ["a furry", "a green"]
    assert np.array_equal(arrays["labels"].argmax(axis=1), np.arange(1200) % 2)
    text = card.write_card(arrays, [("in all", 1200)], ["rock"], 25, 0.98)
    assert "| animal | 600 |   100 |        150 |  350 |" in text
    assert "| in all |    1,200 |" in text


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npz"
    save.save_npz(path, {"a": np.arange(3)})
    with pytest.raises(ValueError, match="allow_pickle"):
        save.save_npz(path, {"a": np.array([{}])})
    with np.load(path) as file:
        assert file["a"].tolist() == [0, 1, 2]
