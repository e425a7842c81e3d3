"""Splits in files: what comes back, what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData, load_splits, make_splits, read_splits, save_splits


@pytest.fixture
def data(make_data):
    data = make_data(size=30)
    return replace(data, ids=[f"im{i}" for i in range(30)], splits={})


def test_saved_splits_come_back_onto_the_same_items(data, tmp_path):
    splits = make_splits(data, "dcmh", seed=4)
    splits["train"] = splits["train"].flip(0)  # Training depends on the order.
    save_splits(splits, data, tmp_path / "splits.json", split="dcmh", seed=4)
    other_features = replace(data, image=torch.ones(30, 2), text=torch.ones(30, 3))
    for result in (load_splits(tmp_path / "splits.json", other_features), read_splits(tmp_path / "splits.json", data)):
        assert list(result) == list(splits) and all(torch.equal(result[name], splits[name]) for name in splits)
    assert json.loads((tmp_path / "splits.json").read_text())["about"] == {"split": "dcmh", "seed": 4}
    assert [file.name for file in tmp_path.iterdir()] == ["splits.json"]


def test_other_items_are_refused(data, tmp_path):
    save_splits(make_splits(data, "uniform"), data, tmp_path / "splits.json")
    swapped = replace(data, ids=[*data.ids[1:], data.ids[0]])
    for other in (swapped, data.select(range(29))):
        for read in (load_splits, read_splits):
            with pytest.raises(ValueError, match=r"splits\.json: expected splits of these \d+ items"):
                read(tmp_path / "splits.json", other)


def test_items_without_ids_are_told_apart_by_their_labels(make_data, tmp_path):
    data, other = make_data(size=30, seed=0), make_data(size=30, seed=1)
    save_splits(data.splits, data, tmp_path / "splits.json")
    load_splits(tmp_path / "splits.json", replace(data, image=torch.ones(30, 2)))
    with pytest.raises(ValueError, match="with another digest"):
        load_splits(tmp_path / "splits.json", other)


def index_files(kind, path, values):
    """Write two splits in one of the ways that people have."""
    if kind == "npz":
        np.savez(path / "mine.npz", **values)
    elif kind == "json":
        (path / "mine.json").write_text(json.dumps({name: np.asarray(v).tolist() for name, v in values.items()}))
    else:
        (path / "mine").mkdir()
        for name, value in values.items():
            if kind == "npy":
                np.save(path / "mine" / f"{name}.npy", value)
            else:
                (path / "mine" / f"{name}.txt").write_text("\n".join(map(str, value)) + "\n\n")
    return path / (f"mine.{kind}" if kind in ("npz", "json") else "mine")


@pytest.mark.parametrize("kind", ["npz", "json", "npy", "txt"])
@pytest.mark.parametrize("by", ["row", "id"])
def test_index_files_by_row_and_by_id(data, tmp_path, kind, by):
    rows = {"train": [4, 0, 17], "test": [29]}
    values = {name: np.array([data.ids[i] for i in v]) if by == "id" else np.array(v) for name, v in rows.items()}
    result = read_splits(index_files(kind, tmp_path, values), data)
    assert {name: index.tolist() for name, index in result.items()} == {"train": [4, 0, 17], "test": [29]}


def test_lines_that_are_ids_are_ids(data, tmp_path):
    numbered = replace(data, ids=[str(i) for i in range(100, 130)])
    path = index_files("txt", tmp_path, {"train": [100, 129], "test": [1, 2]})
    result = read_splits(path, numbered)
    assert result["train"].tolist() == [0, 29] and result["test"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": [0, 30]}, r"mine\.json: 'train' must index 30 items \(got 0 to 30\)"),
        ({"train": [1, 1, 2]}, r"mine\.json: 'train' must hold each item once \(got 1 repeats\)"),
        ({"train": ["im1", "im99"]}, r"mine\.json: 'train' has 1 ids that the data lack \(first 'im99'\)"),
        ({"train": [0.5]}, r"mine\.json: 'train' must be a vector of row numbers or ids"),
        ({"train": [[1], [2, 3]]}, r"mine\.json: 'train' must be a vector of row numbers or ids \(got .*inhomogeneous"),
        ({"train": []}, r"mine\.json: 'train' must be a vector of row numbers or ids"),
    ],
)
def test_wrong_items_are_named(data, tmp_path, values, message):
    (tmp_path / "mine.json").write_text(json.dumps(values))
    with pytest.raises(ValueError, match=message):
        read_splits(tmp_path / "mine.json", data)


@pytest.mark.parametrize("entry", ["format", "items"])
def test_a_wrong_entry_is_shown_on_one_line(data, tmp_path, entry):
    path = tmp_path / "rows.json"
    save_splits(data.splits, data, path)
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {entry: "a\nb" + "x" * 9999}))
    with pytest.raises(ValueError, match=r"rows\.json: expected splits .*'a.*b") as error:
        load_splits(path, data)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1000


def test_wrong_files_are_named(data, tmp_path):
    for content in ("{", "[1, 2]", '{"digest": "", "format": 9}'):
        (tmp_path / "bad.json").write_text(content)
        with pytest.raises(ValueError, match=r"bad\.json: expected"):
            read_splits(tmp_path / "bad.json", data)
    (tmp_path / "bad.npz").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"bad\.npz: expected a readable \.npz"):
        read_splits(tmp_path / "bad.npz", data)
    np.savez(tmp_path / "pickled.npz", train=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="without pickled arrays"):
        read_splits(tmp_path / "pickled.npz", data)
    with pytest.raises(ValueError, match=r"expected splits as \.npz, \.json or a folder"):
        read_splits(tmp_path / "train.csv", data)
    (tmp_path / "empty").mkdir()
    for absent in ("gone.json", "gone.npz", "empty"):
        with pytest.raises(FileNotFoundError, match=absent):
            read_splits(tmp_path / absent, data)
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "train.txt").write_text("im1\nnobody\n")
    with pytest.raises(ValueError, match=r"train\.txt: expected row numbers or ids"):
        read_splits(tmp_path / "words", data)
    (tmp_path / "plain.json").write_text('{"train": [1]}')
    with pytest.raises(ValueError, match=r"plain\.json: expected splits with a digest"):
        load_splits(tmp_path / "plain.json", data)


def test_one_item(tmp_path):
    data = CrossModalData(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1))
    (tmp_path / "mine.json").write_text('{"test": [0]}')
    assert read_splits(tmp_path / "mine.json", data)["test"].tolist() == [0]


def test_splits_of_many_labels_are_for_these_labels_alone(tmp_path, make_data, with_many_labels):
    data = with_many_labels(make_data())
    save_splits(data.splits, data, tmp_path / "splits.json")
    assert load_splits(tmp_path / "splits.json", data).keys() == data.splits.keys()
    other = replace(data, labels=data.labels[::-1])
    with pytest.raises(ValueError, match="another digest"):
        load_splits(tmp_path / "splits.json", other)
