"""The files of the hashing sets."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.io import savemat

from labelgraph.data import MatPictures, load_dataset, load_hashing_files

h5py = pytest.importorskip("h5py")

from tests.data.mat_files import save73  # noqa: E402

RANDOM = np.random.default_rng(0)
IMAGE, TEXT, LABELS = RANDOM.random((9, 5)), np.eye(9, 12), (RANDOM.random((9, 3)) < 0.5).astype(np.uint8)
BOTH = pytest.mark.parametrize("save", [savemat, save73], ids=["5", "7.3"])


@BOTH
@pytest.mark.parametrize(
    ("stem", "part", "key"),
    [
        ("mirflickr25k", "fall", "FAll"), ("nus-wide-tc10", "xall", "XAll"),
        ("nus-wide-tc10", "xall-vgg", "XAll"), ("mirflickr25k", "iall-vgg", "xall"),
    ],
)  # fmt: skip
def test_a_set_is_found_by_its_keys(tmp_path, save, stem, part, key):
    for name, array in ((part, {key: IMAGE}), ("yall", {"YAll": TEXT}), ("lall", {"LAll": LABELS})):
        save(tmp_path / f"{stem}-{name}.mat", array)
    for path in (tmp_path, tmp_path / f"{stem}-lall.mat"):
        data = load_dataset(path)
        np.testing.assert_allclose(data.image, IMAGE, rtol=1e-6)
        assert sp.issparse(data.text)
        np.testing.assert_array_equal(data.text_rows(), TEXT)
        np.testing.assert_array_equal(data.labels, LABELS)
        assert data.splits == {} and data.label_names == ("label 0", "label 1", "label 2")


def test_coco_has_its_texts_in_a_file_beside_it(tmp_path):
    save73(tmp_path / "COCO.mat", {"XAll": IMAGE, "LAll": LABELS, "IAll": np.zeros((4, 4, 3, 9), np.uint8)})
    with h5py.File(tmp_path / "COCO.mat", "a") as file:
        file.create_group("param")["indexQuery"] = [[1.0, 2.0]]
    with pytest.raises(ValueError, match=r"expected the texts 'YAll' or one \.npy file"):
        load_hashing_files(tmp_path)
    np.save(tmp_path / "text.npy", TEXT + 1)
    np.testing.assert_array_equal(load_hashing_files(tmp_path / "COCO.mat", label_names="abc").text, TEXT + 1)
    np.save(tmp_path / "more.npy", TEXT)
    with pytest.raises(ValueError, match=r"give its path as 'text' \(got .*more\.npy, text\.npy"):
        load_hashing_files(tmp_path)
    np.testing.assert_array_equal(load_hashing_files(tmp_path, text=tmp_path / "more.npy").text_rows(), TEXT)


def test_raw_pictures_alone_need_features_first(tmp_path):
    for part, array in (("IAll", np.zeros((4, 4, 3, 9), np.uint8)), ("YAll", TEXT), ("LAll", LABELS)):
        save73(tmp_path / f"mirflickr25k-{part.lower()}.mat", {part: array})
    with pytest.raises(ValueError, match="make features of the raw pictures 'IAll' by MatPictures first"):
        load_dataset(tmp_path)
    np.testing.assert_allclose(load_hashing_files(tmp_path, image=IMAGE).image, IMAGE, rtol=1e-6)


def test_two_sets_in_a_folder_are_told_apart(tmp_path):
    for stem, shift in (("mirflickr25k", 0), ("nus-wide-tc10", 1)):
        for part, array in (("FAll", IMAGE + shift), ("YAll", TEXT), ("LAll", LABELS)):
            savemat(tmp_path / f"{stem}-{part.lower()}.mat", {part: array})
    with pytest.raises(ValueError, match=r"the files of one set; name one of them \(got mirflickr25k, nus-wide-tc10\)"):
        load_hashing_files(tmp_path)
    data = load_hashing_files(tmp_path / "nus-wide-tc10-yall.mat")
    np.testing.assert_allclose(data.image, IMAGE + 1, rtol=1e-6)


def test_two_image_features_are_not_chosen_between(tmp_path):
    savemat(tmp_path / "a-xall.mat", {"XAll": IMAGE, "FAll": IMAGE, "LAll": LABELS, "YAll": TEXT})
    with pytest.raises(ValueError, match=r"expected one array 'FAll' or 'XAll' \(got FAll in a-xall\.mat, XAll in"):
        load_hashing_files(tmp_path)


@pytest.mark.parametrize("program", ["matlab", "other"])
@pytest.mark.parametrize("last", [False, True], ids=["N first", "N last"])
def test_pictures_are_read_block_by_block(tmp_path, program, last):
    pictures = RANDOM.integers(0, 256, (7, 3, 4, 6)).astype(np.uint8)
    stored = pictures.transpose(2, 3, 1, 0) if last else pictures
    path = tmp_path / "iall.mat"
    if program == "matlab":
        save73(path, {"IAll": stored})
    else:
        with h5py.File(path, "w") as file:
            file["IAll"] = stored
    found = MatPictures(path)
    assert found.shape == (7, 3, 4, 6) and len(found) == 7
    for index in ([5, 0, 5], slice(2, 4), 3, np.array([6])):
        np.testing.assert_array_equal(found[index], pictures[index])
    np.testing.assert_array_equal(np.concatenate(list(found.blocks(3))), pictures)
    with pytest.raises(IndexError):
        found[7]


def test_pictures_that_cannot_be_read_lazily_say_so(tmp_path):
    savemat(tmp_path / "5.mat", {"IAll": np.zeros((4, 4, 3, 9))})
    with pytest.raises(ValueError, match=r"5\.mat: 'IAll' cannot be read block by block from a MATLAB 5 file"):
        MatPictures(tmp_path / "5.mat")
    save73(tmp_path / "7.mat", {"IAll": np.zeros((4, 5))})
    with pytest.raises(
        ValueError, match=r"'IAll' must have the shape \(N, 3, H, W\) or .*got class double, shape \(4, 5"
    ):
        MatPictures(tmp_path / "7.mat")


def test_the_real_texts_and_labels_of_mirflickr(real_data):
    folder = real_data / "mirflickr25k"
    data = load_hashing_files(folder, image=np.ones((20015, 1), np.float32))
    assert data.labels.sum() == 75640 and sp.issparse(data.text) and data.text.sum() == 92808
    with pytest.raises(ValueError, match="expected the image features"):
        load_dataset(folder)


def test_the_real_subset_of_mirflickr_is_those_rows_of_the_whole(real_data):
    subset = load_dataset(real_data / "mirflickr25k" / "subset724.npz")
    whole = load_hashing_files(real_data / "mirflickr25k", image=np.ones((20015, 1), np.float32))
    with np.load(real_data / "mirflickr25k" / "subset724.npz") as file:
        whole = whole.select(file["row"])
    np.testing.assert_array_equal(subset.labels, whole.labels)
    np.testing.assert_array_equal(subset.text_rows(), whole.text_rows())
    assert subset.image_channels == 1280 and subset.label_names[:2] == ("animals", "baby")
