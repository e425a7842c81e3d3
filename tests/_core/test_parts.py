"""Numbered parts of a work."""

import random
from pathlib import Path

import pytest

from labelgraph._core.parts import Part, in_order


@pytest.mark.parametrize(("size", "count"), [(1, 1), (7, 7), (10, 3), (1000, 17)])
def test_parts_divide_all_items_evenly(size, count):
    parts = [Part(number, count).of(size) for number in range(1, count + 1)]
    assert [item for part in parts for item in part] == [*range(size)]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "2", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_what_is_no_part_is_refused(text):
    with pytest.raises(ValueError, match=r"'part' must be .*got"):
        Part.parse(text)


def test_more_parts_than_items_are_refused():
    with pytest.raises(ValueError, match=r"2 items make at most 2 parts \(got 1/3\)"):
        Part(1, 3).of(2)


def test_paths_are_sorted_by_number():
    paths = [Part(number, 11).beside(Path("a/my.data.npz")) for number in range(1, 12)]
    assert paths[1].name == "my.data.part-2-of-11.npz"
    shuffled = random.Random(0).sample(paths, 11)
    assert in_order(shuffled) == paths


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["x.part-1-of-3", "x.part-3-of-3"], r"all 3 parts must be given \(got no part 2\)"),
        (["x.part-1-of-1", "y.part-1-of-1"], "each part once .got 1/1 twice"),
        (["x.part-1-of-2", "x.part-2-of-3"], "one work .got parts of 2 and of 3"),
        (["x.part-1-of-2", "x"], "x: expected the name of a part"),
        (["x.part-3-of-2"], "'part' must be from 1/2 to 2/2"),
    ],
)
def test_parts_that_do_not_fit_are_named(names, message):
    with pytest.raises(ValueError, match=message):
        in_order([Path(name) for name in names])
