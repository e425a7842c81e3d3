"""The Wikipedia set."""

import numpy as np
import pytest
import scipy.io
from scipy.io import savemat

from labelgraph.data import WIKIPEDIA_LABELS, load_dataset, load_wikipedia

RANDOM = np.random.default_rng(0)
ARRAYS = {
    "I_tr": RANDOM.random((4, 128)), "T_tr": RANDOM.random((4, 10)),
    "I_te": RANDOM.random((2, 128)), "T_te": RANDOM.random((2, 10)),
}  # fmt: skip
TRAIN, TEST = [10, 1, 3, 3], [2, 9]
ONE_HOT = {"L_tr": np.eye(10)[np.array(TRAIN) - 1], "L_te": np.eye(10)[np.array(TEST) - 1]}


def published(folder, **changes):
    savemat(folder / "raw_features.mat", ARRAYS)
    for half, categories in (("train", TRAIN), ("test", TEST)):
        lines = "".join(f"{half}{i}-2\tpicture{i}\t{category}\n" for i, category in enumerate(categories))
        (folder / f"{half}set_txt_img_cat.list").write_text(changes.get(half, lines))


def test_both_layouts_are_one_set(tmp_path):
    published(tmp_path)
    savemat(tmp_path / "WikiData.mat", ARRAYS | ONE_HOT)
    listed, packed = load_dataset(tmp_path), load_dataset(tmp_path / "WikiData.mat")
    for data in (listed, packed):
        np.testing.assert_allclose(data.image, np.concatenate([ARRAYS["I_tr"], ARRAYS["I_te"]]), rtol=1e-6)
        np.testing.assert_allclose(data.text, np.concatenate([ARRAYS["T_tr"], ARRAYS["T_te"]]), rtol=1e-6)
        named = [data.label_names[row.argmax()] for row in data.labels]
        assert named == ["warfare", "art", "geography", "geography", "biology", "sport"]
        assert data.splits["train"].tolist() == data.splits["database"].tolist() == [0, 1, 2, 3]
        assert data.splits["test"].tolist() == data.splits["query"].tolist() == [4, 5]
    assert listed.ids[4] == "test0-2" and listed.titles[1] == "picture1"


def test_the_names_are_in_their_published_order():
    assert tuple(sorted(WIKIPEDIA_LABELS)) == WIKIPEDIA_LABELS and len(set(WIKIPEDIA_LABELS)) == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": "a\tb\t1\n"}, r"trainset_txt_img_cat\.list: expected a line per pair, 4 \(got 1\)"),
        ({"test": "a\tb\t1\nc\td\t11\n"}, r"testset_txt_img_cat\.list: line 2 must be .* category 1 to 10"),
        ({"test": "a b 1\nc d 2\n"}, r"testset_txt_img_cat\.list: line 1 must be"),
    ],
)
def test_wrong_lists_are_refused(tmp_path, changes, message):
    published(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        load_wikipedia(tmp_path)


def test_neither_labels_nor_lists(tmp_path):
    savemat(tmp_path / "raw_features.mat", ARRAYS)
    with pytest.raises(FileNotFoundError, match=r"trainset_txt_img_cat\.list: no such category list, and no labels"):
        load_wikipedia(tmp_path / "raw_features.mat")
    savemat(tmp_path / "WikiData.mat", ARRAYS | {"L_tr": np.eye(4, 9), "L_te": np.eye(2, 9)})
    with pytest.raises(ValueError, match=r"WikiData\.mat: 'L_tr' must have the shape \(4, 10\) \(got \(4, 9\)\)"):
        load_wikipedia(tmp_path / "WikiData.mat")


def test_the_real_set(real_data):
    data = load_dataset(real_data / "wikipedia")
    assert repr(data).startswith("CrossModalData(2866 pairs, image 128, text 10, 10 labels")
    assert (data.labels.sum(1) == 1).all()
    raw = scipy.io.loadmat(real_data / "wikipedia" / "raw_features.mat")
    np.testing.assert_allclose(data.split("query").image, raw["I_te"], rtol=1e-5)
    np.testing.assert_allclose(data.split("database").text, raw["T_tr"], rtol=1e-5)
