"""Data sets by name and by path."""

from importlib.resources import files

import pytest
import torch

from labelgraph.data import DATASETS, load_dataset, load_openclipart, load_thumbnails, save_npz

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
    with pytest.raises(ValueError, match=r"'dataset' must be one of \['openclipart'\] or .*\(got 'imagenet'\)"):
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


@pytest.mark.skipif(not (BUNDLED / "thumbnails.npz").is_file(), reason="the bundled set is not built")
def test_thumbnails_of_the_bundled_set():
    pictures = load_thumbnails([0, 5, 0])
    assert all(max(picture.size) == 64 and picture.mode == "RGB" for picture in pictures)
    assert pictures[0].tobytes() == pictures[2].tobytes() != pictures[1].tobytes()
