import numpy as np

from benchmarks.openclipart import labels, settle, words
from benchmarks.openclipart.metadata import Record

TABLE = {"animal": ["dog", "cat"], "plant": ["rose"]}


def record(number, title, keyword):
    return Record(f"{number:03}", title, "", (keyword,), (), True)


def test_dropping_goes_on_until_nothing_is_rare():
    # Three roses lack words, which leaves 24 of 27: too few for a label, so they all go and the dogs stay.
    given = [
        *[("barking", "dog")] * 30,
        *[("thorny", "rose")] * 24,
        *[("", "rose")] * 3,
        *[("barking", "unsorted")] * 2,
    ]
    settled = settle.settle([record(number, *item) for number, item in enumerate(given)], TABLE)
    assert settled.kept.tolist() == list(range(30))
    assert list(settled.table) == ["animal"]
    assert settled.vocabulary == ["barking"]
    assert settled.labels.all()


def test_promises_hold_on_random_records():
    rng = np.random.default_rng(0)
    titles = rng.choice(["", "barking loudly", "thorny", "green leaves"], 300).tolist()
    keywords = rng.choice(["dog", "cat", "rose", "unsorted"], 300).tolist()
    given = [record(number, titles[number], keywords[number]) for number in range(300)]
    settled = settle.settle(given, TABLE)
    assert 0 < len(settled.kept) < 300
    assert settled.labels.any(axis=1).all()
    assert settled.labels.sum(axis=0, dtype=int).min() >= labels.MINIMUM
    assert settled.text.sum(axis=1).min() >= 1
    assert settled.text.sum(axis=0, dtype=int).min() >= words.MINIMUM
