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
        file.create_group("param")["indexQuery"] = [[1.0, 9.0]]
    with pytest.raises(ValueError, match=r"expected the texts 'YAll' or one \.npy file"):
        load_hashing_files(tmp_path)
    np.save(tmp_path / "text.npy", TEXT + 1)
    np.testing.assert_array_equal(load_hashing_files(tmp_path / "COCO.mat", label_names=list("abc")).text, TEXT + 1)
    np.save(tmp_path / "more.npy", TEXT)
    with pytest.raises(ValueError, match=r"give its path as 'text' \(got .*more\.npy, text\.npy"):
        load_hashing_files(tmp_path)
    np.testing.assert_array_equal(load_hashing_files(tmp_path, text=tmp_path / "more.npy").text_rows(), TEXT)


def coco(folder, **fields):
    save73(folder / "COCO.mat", {"XAll": IMAGE, "LAll": LABELS, "YAll": TEXT})
    with h5py.File(folder / "COCO.mat", "a") as file:
        struct = file.create_group("param")
        struct.attrs["MATLAB_class"] = np.bytes_("struct")
        for name, values in fields.items():
            struct[name] = values
    return folder / "COCO.mat"


def splits_of(data):
    return {name: index.tolist() for name, index in data.splits.items()}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("names", [("indexQuery", "indexDatabase"), ("indexTest", "indexRetrieval")])
def test_indices_of_a_struct_are_splits_from_0_or_from_1(tmp_path, first, names):
    query, database, train = np.array([[3, 1]]), np.array([[0], [2], [4], [5], [6], [7], [8]]), np.array([8, 0, 5])
    fields = {names[0]: query + first, names[1]: (database + first).astype(float), "indexTrain": train + first}
    wanted = {"train": [0, 5, 8], "test": [1, 3], "query": [1, 3], "database": [0, 2, 4, 5, 6, 7, 8]}
    assert splits_of(load_dataset(coco(tmp_path, **fields, bits=np.array([[16.0]])))) == wanted


def test_training_items_that_a_struct_does_not_give_are_drawn_from_the_database(tmp_path):
    path = coco(tmp_path, indexQuery=np.array([[1.0, 2.0]]))
    one, again, other = (splits_of(load_hashing_files(path, train=4, seed=seed)) for seed in (0, 0, 1))
    assert one == again != other
    assert one["database"] == list(range(2, 9)) and one["query"] == one["test"] == [0, 1]
    assert len(one["train"]) == 4 and set(one["train"]) < set(one["database"])
    assert splits_of(load_hashing_files(path))["train"] == one["database"]
    with pytest.raises(ValueError, match=r"'train' must be at least 1 \(got 0\)"):
        load_hashing_files(path, train=0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"indexQuery": [1, 10]}, r"indices of 'query' in 'param' must be distinct, 1 to 9 \(got 2 of 2, 1 to 10\)"),
        ({"indexQuery": [0, 9]}, r"must be distinct, 0 to 8 \(got 2 of 2, 0 to 9\)"),
        ({"indexQuery": [-1, 2]}, r"must be distinct, 1 to 9"),
        ({"indexTrain": [2, 2]}, r"'train' in 'param' must be distinct, 1 to 9 \(got 1 of 2, 2 to 2\)"),
        ({"indexQuery": [1.5, 2]}, r"'/param' must have whole numbers in 'indexQuery'"),
        ({"indexQuery": [np.nan, 2]}, r"'/param' must have whole numbers in 'indexQuery'"),
        ({"indexQuery": np.ones((2, 3))}, r"'/param' must have a vector of numbers 'indexQuery' \(got .*shape \(2, 3"),
        ({"indexQuery": np.bytes_("no")}, r"'/param' must have a vector of numbers 'indexQuery'"),
        ({"indexQuery": [1], "indexTest": [2]}, r"one field for each split \(got indexQuery, indexTest\)"),
    ],
)
def test_indices_that_are_none_are_refused(tmp_path, fields, message):
    with pytest.raises(ValueError, match=rf"COCO\.mat: .*{message}"):
        load_hashing_files(coco(tmp_path, **fields))


def test_a_struct_without_indices_and_another_param_give_no_splits(tmp_path):
    assert load_hashing_files(coco(tmp_path, bits=np.array([[16.0]]))).splits == {}
    save73(tmp_path / "COCO.mat", {"XAll": IMAGE, "LAll": LABELS, "YAll": TEXT, "param": np.ones((2, 2))})
    assert load_hashing_files(tmp_path).splits == {}


def test_a_struct_of_version_5_is_told_not_to_be_read(tmp_path):
    arrays = {"XAll": IMAGE, "LAll": LABELS, "YAll": TEXT, "param": {"indexQuery": [1, 2]}}
    savemat(tmp_path / "COCO.mat", arrays)
    with pytest.warns(UserWarning, match=r"COCO\.mat: 'param' of a MATLAB 5 file is not read"):
        assert load_hashing_files(tmp_path).splits == {}


def test_raw_pictures_alone_need_features_first(tmp_path):
    for part, array in (("IAll", np.zeros((4, 4, 3, 9), np.uint8)), ("YAll", TEXT), ("LAll", LABELS)):
        save73(tmp_path / f"mirflickr25k-{part.lower()}.mat", {part: array})
    with pytest.raises(ValueError, match=r"'IAll' .*labelgraph\.encoders\.extract"):
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
    result = MatPictures(path)
    assert result.shape == (7, 3, 4, 6) and len(result) == 7
    for index in ([5, 0, 5], slice(2, 4), 3, np.array([6])):
        np.testing.assert_array_equal(result[index], pictures[index])
    np.testing.assert_array_equal(np.concatenate(list(result.blocks(3))), pictures)
    with pytest.raises(IndexError):
        result[7]


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
