"""What the committed keyword labels promise, checked on the files alone, and the builder of small ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from benchmarks.datasets.openclipart.annotations import Record
from benchmarks.datasets.openclipart.keyword_build import bin_table, read_kept, write_keywords

BUNDLE = Path(__file__).parents[4] / "labelgraph" / "data" / "openclipart"


@pytest.fixture(scope="module")
def arrays():
    with np.load(BUNDLE / "keywords.npz", allow_pickle=False) as file:
        return dict(file)


def test_items_are_rows_of_the_bundled_set(arrays):
    with np.load(BUNDLE / "openclipart.npz", allow_pickle=False) as file:
        pictures = len(file["ids"])
    items = arrays["items"]
    assert len(items) == len(arrays["labels"]) == arrays["text_shape"][0]
    assert items.min() >= 0 and items.max() < pictures and (np.diff(items) > 0).all()
    assert "image_codes" not in arrays


def test_labels_are_distinct_and_of_two_pictures_or_more(arrays):
    labels = arrays["labels"]
    assert set(np.unique(labels)) == {0, 1}
    assert labels.sum(axis=0, dtype=np.int64).min() >= 2 and labels.any(axis=1).all()
    assert len({column.tobytes() for column in labels.T}) == labels.shape[1]
    names = arrays["label_names"].tolist()
    assert names == sorted(set(names)) and all(name == name.lower() for name in names)
    assert {"ladybug", "guitar", "flag"} <= set(names)
    assert not {"hash", "icons", "svg", "flags", "architetto francesco rollandin", "11"} & set(names)


def test_every_picture_has_a_word(arrays):
    parts = (arrays["text_data"], arrays["text_indices"], arrays["text_indptr"])
    text = csr_array(parts, shape=tuple(arrays["text_shape"]))
    assert text.sum(axis=1).min() >= 1 and text.sum(axis=0, dtype=np.int64).min() >= 2


def test_splits(arrays):
    train, validation, test = (arrays[f"split/{name}"] for name in ("train", "validation", "test"))
    assert (len(validation), len(test)) == (400, 1000)
    assert np.array_equal(np.sort(np.concatenate([train, validation, test])), np.arange(len(arrays["labels"])))
    assert arrays["labels"][train].any(axis=0).all()
    assert arrays["labels"][test].any(axis=0).mean() > 0.95


def test_vectors_of_names_are_short_unit_vectors_that_tell_meanings(arrays):
    vectors, names = arrays["label_vectors"].astype(np.float64), arrays["label_names"].tolist()
    assert arrays["label_vectors"].dtype == np.float16 and vectors.shape == (len(names), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-2)
    cat, kitten, flag = (vectors[names.index(name)] for name in ("cat", "kitten", "flag"))
    assert cat @ kitten > 0.6 > 0.4 > cat @ flag


def test_the_card_counts_the_labels_of_each_bin(arrays):
    card = (BUNDLE / "KEYWORDS.md").read_text(encoding="utf-8")
    count = arrays["labels"][arrays["split/train"]].sum(axis=0, dtype=np.int64)
    for name, low, high in (("1-2", 1, 2), ("3-5", 3, 5), ("6-11", 6, 11), ("12-39", 12, 39), ("40+", 40, 1e9)):
        (row,) = re.findall(rf"^\| {re.escape(name)} +\| +(\d+) \|", card, re.MULTILINE)
        assert int(row) == ((count >= low) & (count <= high)).sum()
    assert bin_table(arrays) in card


def test_equal_records_give_equal_files(tmp_path):
    words = ("dog", "cat", "pig")
    records = [Record(f"{i:04}", f"a {words[i % 3]}", "", (words[i % 3],), (), True) for i in range(3000)]
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_keywords(records, tmp_path / name, lambda names: np.eye(len(names), dtype=np.float16))
    for file in ("keywords.npz", "KEYWORDS.md"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
    with np.load(tmp_path / "first" / "keywords.npz") as made:
        assert made["label_names"].tolist() == ["cat", "dog", "pig"]
        assert np.array_equal(made["label_vectors"], np.eye(3))


def test_a_picture_that_the_packages_lack_is_named(tmp_path):
    np.savez(tmp_path / "openclipart.npz", ids=np.array(["animals/yeti", "b"]))
    (tmp_path / "svg").mkdir()
    with pytest.raises(ValueError, match=r"no picture animals/yeti\.svg, nor 1 others"):
        read_kept(tmp_path, tmp_path)
