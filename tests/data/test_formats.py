"""Which format a path is recognised as."""

import numpy as np
import pytest
from scipy.io import savemat

from labelgraph.data import FORMATS, load_dataset, load_path, save_folder, save_npz


def test_nothing_at_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match="gone: no such file or folder"):
        load_path(tmp_path / "gone")


@pytest.mark.parametrize("kind", ["folder", "file", "mat", "empty"])
def test_what_is_not_understood_tells_what_was_found_and_what_is(tmp_path, kind):
    path, found = {
        "folder": (tmp_path, r"a folder with a\.mat, b\.txt"), "file": (tmp_path / "b.txt", "another file"),
        "mat": (tmp_path / "a.mat", r"a file with x double \(2, 2\)"),
        "empty": (tmp_path / "c", "a folder with nothing"),
    }[kind]  # fmt: skip
    if kind == "empty":
        path.mkdir()
    else:
        (tmp_path / "b.txt").write_text("hello")
        savemat(tmp_path / "a.mat", {"x": np.eye(2)})
    with pytest.raises(ValueError, match=rf"\(got {found}") as error:
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
