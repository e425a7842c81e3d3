"""The folder of six MATLAB files."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.io import savemat

from labelgraph.data import load_dataset, load_six_files


def written(folder, sizes=(("train", 21), ("test", 5)), save=savemat, text=None, **changes):
    """The six files, and what they hold by name."""
    random = np.random.default_rng(0)
    arrays = {}
    for split, size in sizes:
        arrays[f"{split}_img"] = random.random((size, 4))
        arrays[f"{split}_txt"] = random.random((size, 6)) if text is None else text[:size]
        arrays[f"{split}_lab"] = (random.random((size, 3)) < 0.5).astype(float)
    for name, array in (arrays | changes).items():
        save(folder / f"{name}.mat", {name: array})
    return arrays


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_every_row_is_where_its_split_says(tmp_path, version):
    if version == "7.3":
        pytest.importorskip("h5py")
        from tests.data.mat_files import save73 as save
    else:
        save = savemat
    arrays = written(tmp_path, (("train", 7), ("val", 2), ("test", 5)), save)
    data = load_dataset(tmp_path)
    assert list(data.splits) == ["train", "validation", "test"]
    for split, prefix in (("train", "train"), ("validation", "val"), ("test", "test")):
        part = data.split(split)
        for side, result in (("img", part.image), ("txt", part.text_rows()), ("lab", part.labels)):
            np.testing.assert_array_equal(result.numpy(), arrays[f"{prefix}_{side}"].astype(np.float32))


def test_a_validation_split_is_split_off_by_share_and_seed(tmp_path):
    written(tmp_path)
    default, same = load_six_files(tmp_path), load_six_files(tmp_path, validation=0.1, seed=0)
    assert [len(default.splits[name]) for name in ("train", "validation", "test")] == [19, 2, 5]
    assert torch.equal(default.splits["validation"], same.splits["validation"])
    both = torch.cat([default.splits["train"], default.splits["validation"]])
    assert sorted(both.tolist()) == list(range(21))
    drawn = {tuple(load_six_files(tmp_path, seed=seed).splits["validation"].tolist()) for seed in range(5)}
    assert len(drawn) > 1
    assert set(load_six_files(tmp_path, validation=0).splits) == {"train", "test"}


def test_keys_of_another_name_or_case_are_taken(tmp_path):
    arrays = written(tmp_path)
    savemat(tmp_path / "train_img.mat", {"feature": arrays["train_img"] + 1})
    savemat(tmp_path / "train_txt.mat", {"Train_TXT": arrays["train_txt"] + 1, "more": [[1.0]]})
    data = load_six_files(tmp_path, validation=0)
    np.testing.assert_allclose(data.split("train").image, arrays["train_img"] + 1, rtol=1e-6)
    np.testing.assert_allclose(data.split("train").text, arrays["train_txt"] + 1, rtol=1e-6)


def test_bags_of_words_stay_sparse(tmp_path):
    text = np.eye(21, 30)
    written(tmp_path, text=text)
    data = load_six_files(tmp_path, validation=0)
    assert sp.issparse(data.text)
    np.testing.assert_array_equal(data.split("train").text_rows(), text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_txt": np.ones((9, 6))}, r"train_txt\.mat: 'train_txt' must have 21 rows .*got shape \(9, 6\)"),
        ({"test_img": np.ones((5, 7))}, r"'test_img' must have 4 columns .*got shape \(5, 7\)"),
        ({"train_lab": np.full((21, 3), 2.0)}, r"'labels' must be 0 or 1"),
        ({"train_img": np.full((21, 4), np.nan)}, r"'image' must be finite"),
        ({"test_lab": np.ones((5, 3, 2))}, r"test_lab\.mat: 'test_lab' must have the shape \(any, any\)"),
    ],
)
def test_errors_name_the_file(tmp_path, changes, message):
    written(tmp_path, **changes)
    with pytest.raises(ValueError, match=message) as error:
        load_six_files(tmp_path)
    assert str(error.value).startswith(str(tmp_path))


def test_a_missing_file_is_named(tmp_path):
    written(tmp_path)
    (tmp_path / "test_lab.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_lab\.mat: no such file \(the folder has test_img\.mat"):
        load_six_files(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_six_files(tmp_path / "nothing")


def test_one_training_item_leaves_none_to_validate_on(tmp_path):
    written(tmp_path, (("train", 1), ("test", 1)))
    with pytest.raises(ValueError, match="'validation' must be 0"):
        load_six_files(tmp_path)
    assert len(load_six_files(tmp_path, validation=0)) == 2
    with pytest.raises(ValueError, match=r"'validation' must be in \[0, 1\)"):
        load_six_files(tmp_path, validation=1.0)
