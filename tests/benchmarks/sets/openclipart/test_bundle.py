"""What the committed files promise, checked on the files alone."""

import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.sparse import csr_array

from benchmarks.datasets.openclipart.build import encoders

BUNDLE = Path(__file__).parents[4] / "labelgraph" / "data" / "openclipart"
KEYS = {
    *("image_codes", "image_scale", "text_data", "text_indices", "text_indptr", "text_shape", "labels"),
    *("label_names", "label_vectors", "ids", "titles", "encoders"),
    *(f"split/{name}" for name in ("train", "validation", "test", "query", "database")),
}


@pytest.fixture(scope="module")
def arrays():
    with np.load(BUNDLE / "openclipart.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture(scope="module")
def text(arrays):
    parts = (arrays["text_data"], arrays["text_indices"], arrays["text_indptr"])
    return csr_array(parts, shape=tuple(arrays["text_shape"]))


@pytest.fixture(scope="module")
def vocabulary(arrays):
    return json.loads(str(arrays["encoders"]))["text"]["vocabulary"]


def test_keys_types_and_shapes(arrays, vocabulary):
    assert set(arrays) == KEYS
    pictures, names, words = len(arrays["ids"]), len(arrays["label_names"]), len(vocabulary)
    assert arrays["image_codes"].shape == (pictures, 1280)
    assert arrays["image_scale"].shape == (1280,)
    assert arrays["labels"].shape == (pictures, names)
    assert arrays["text_shape"].tolist() == [pictures, words]
    assert arrays["titles"].shape == (pictures,)
    assert arrays["label_vectors"].shape == (names, 384)
    types = {
        **dict.fromkeys(["image_codes", "text_data", "labels"], "uint8"),
        **dict.fromkeys(["text_indptr", "text_shape"], "int64"),
        **dict.fromkeys(["text_indices", *(key for key in KEYS if key.startswith("split/"))], "int32"),
        "image_scale": "float32",
        "label_vectors": "float16",
    }
    assert {key: arrays[key].dtype.name for key in types} == types


def test_no_near_duplicates(arrays):
    features = arrays["image_codes"] * arrays["image_scale"].astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    cosine = features @ features.T
    np.fill_diagonal(cosine, 0)
    assert cosine.max() <= 0.98 + 1e-12


def test_labels_are_binary_frequent_and_distinct(arrays):
    labels = arrays["labels"].astype(np.int64)
    assert set(np.unique(labels)) == {0, 1}
    assert labels.sum(axis=0).min() >= 25
    assert labels.sum(axis=1).min() >= 1
    assert len(set(arrays["label_names"].tolist())) == labels.shape[1]
    both = labels.T @ labels
    union = labels.sum(axis=0)[:, None] + labels.sum(axis=0) - both
    # No two labels are near copies of each other.
    assert np.triu(both / union, k=1).max() < 0.8


def test_words_are_binary_frequent_and_sorted(arrays, text, vocabulary):
    assert set(arrays["text_data"].tolist()) == {1}
    assert text.sum(axis=1, dtype=np.int64).min() >= 1
    assert text.sum(axis=0, dtype=np.int64).min() >= 3
    assert vocabulary == sorted(set(vocabulary))
    assert all(word.isalpha() and word == word.lower() and len(word) >= 3 for word in vocabulary)


@pytest.mark.parametrize("word", ["architetto", "ganson", "buculei", "gerald", "hash", "svg", "clipart"])
def test_no_authors_and_no_noise_among_the_words(vocabulary, word):
    assert word not in vocabulary


def test_encoders_are_those_of_the_builder(arrays, vocabulary):
    assert json.loads(str(arrays["encoders"])) == encoders(vocabulary)


def test_splits_are_disjoint_and_cover(arrays):
    train, validation, test = (arrays[f"split/{name}"] for name in ("train", "validation", "test"))
    assert (len(validation), len(test)) == (300, 700)
    everything = np.sort(np.concatenate([train, validation, test]))
    assert np.array_equal(everything, np.arange(len(arrays["ids"])))
    assert np.array_equal(arrays["split/query"], test)
    assert np.array_equal(arrays["split/database"], np.union1d(train, validation))


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_every_label_is_in_every_split(arrays, name):
    assert arrays["labels"][arrays[f"split/{name}"]].any(axis=0).all()


def test_ids_and_titles(arrays):
    ids = arrays["ids"].tolist()
    assert ids == sorted(set(ids))
    titles = arrays["titles"].tolist()
    assert all(title and title == " ".join(title.split()) for title in titles)


def test_thumbnails(arrays):
    with np.load(BUNDLE / "thumbnails.npz", allow_pickle=False) as file:
        data, offsets = file["data"], file["offsets"]
    assert (data.dtype, offsets.dtype) == (np.uint8, np.int64)
    assert len(offsets) == len(arrays["ids"]) + 1
    assert (offsets[0], offsets[-1]) == (0, len(data))
    for start, end in pairwise(offsets):
        with Image.open(io.BytesIO(data[start:end].tobytes())) as picture:
            assert (picture.format, picture.size) == ("WEBP", (64, 64))


def test_card_and_licence_tell_of_these_files(arrays):
    card = (BUNDLE / "README.md").read_text(encoding="utf-8")
    assert f"{len(arrays['ids']):,} public-domain drawings" in card
    assert all(f"| {name} " in card for name in arrays["label_names"])
    assert "public domain" in (BUNDLE / "LICENSE").read_text(encoding="utf-8")
