import numpy as np
import pytest

from benchmarks.datasets.openclipart.annotations import Record
from benchmarks.datasets.openclipart.keywords import (
    keyword_table,
    settle_keywords,
    singulars,
    split_keywords,
    without_copies,
)


def record(*keywords, title="", creators=(), name="x"):
    return Record(name, title, "", keywords, creators, True)


@pytest.mark.parametrize(
    ("plural", "singular"),
    [("flags", "flag"), ("cities", "city"), ("boxes", "box"), ("branches", "branch"), ("houses", "house")],
)
def test_plain_plurals(plural, singular):
    assert singular in singulars(plural)


@pytest.mark.parametrize("name", ["glass", "cat", "mice", ""])
def test_names_that_are_no_plain_plurals(name):
    assert singulars(name) == []


def test_spellings_and_numbers_are_one_label():
    records = [record("icecream", "flags"), record("ice_cream"), record("ice-cream", "flag"), record("christmas")]
    assert keyword_table(records) == {
        "christmas": ["christmas"],
        "flag": ["flag", "flags"],
        "ice cream": ["ice-cream", "ice_cream", "icecream"],
    }


def test_a_plural_without_its_singular_keeps_its_own_name():
    assert list(keyword_table([record("fireworks")])) == ["fireworks"]


def test_noise_and_authors_are_no_labels():
    records = [
        record(
            "jane doe", "hash", "svg", "clip art", "unchecked", "lemon_theme_icon", "11", "dog", creators=("Jane Doe",)
        ),
        record("jane doe"),  # Somebody else's portrait of her.
    ]
    assert list(keyword_table(records[:1])) == ["dog"]
    assert list(keyword_table(records)) == ["dog", "jane doe"]


def test_of_labels_with_the_same_pictures_the_longest_stays():
    records = [record("bin", "garbage", "office"), record("bin", "garbage"), record("office")]
    assert list(without_copies(records, keyword_table(records))) == ["garbage", "office"]


def test_texts_have_the_title_but_neither_keywords_nor_file_name():
    records = [record("dog", "pet", title="red setter", name=f"animals/puppy_{i}") for i in range(3)]
    settled = settle_keywords(records, minimum=2, min_words=2)
    assert settled.vocabulary == ["red", "setter"]
    assert settled.text.toarray().tolist() == [[1, 1]] * 3


def test_dropping_goes_on_until_nothing_is_rare():
    # The picture without a word goes, so "cat" has one picture, so the picture with only "cat" goes too.
    records = [record("cat"), record("cat", title="red"), *(record("dog", title="red") for _ in range(2))]
    settled = settle_keywords(records, minimum=2, min_words=2)
    assert settled.kept.tolist() == [2, 3] and list(settled.table) == ["dog"]
    assert settled.labels.tolist() == [[1], [1]]


@pytest.fixture
def long_tail():
    rng = np.random.default_rng(0)
    labels = np.zeros((400, 60), dtype=np.uint8)
    for label in range(60):
        labels[rng.choice(400, 2 + 3 * (label // 20) ** 3, replace=False), label] = 1
    return labels[labels.any(axis=1)]


def test_every_label_has_a_training_picture_and_a_test_picture_if_one_is_left(long_tail):
    parts = split_keywords(long_tail, validation=30, test=80)
    assert long_tail[parts["train"]].any(axis=0).all()
    absent = np.flatnonzero(~long_tail[parts["test"]].any(axis=0))
    # All other pictures of such a label were reserved for training.
    assert len(absent) < 6 and long_tail[:, absent].sum(axis=0).max(initial=0) <= 3


def test_splits_are_disjoint_cover_all_and_have_their_sizes(long_tail):
    parts = split_keywords(long_tail, validation=30, test=80)
    assert (len(parts["validation"]), len(parts["test"])) == (30, 80)
    everything = np.concatenate([parts[name] for name in ("train", "validation", "test")])
    assert np.array_equal(np.sort(everything), np.arange(len(long_tail)))
    assert np.array_equal(parts["query"], parts["test"])
    assert np.array_equal(parts["database"], np.union1d(parts["train"], parts["validation"]))


def test_the_same_seed_gives_the_same_split(long_tail):
    one, two, other = (split_keywords(long_tail, 30, 80, seed) for seed in (0, 0, 1))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert not np.array_equal(one["test"], other["test"])
