"""Layouts of texts in plain arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgraph.data.formats.array_layouts import pack_texts, unpack_texts


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_round_trip(texts):
    assert unpack_texts(pack_texts("ids", texts), "ids") == texts


def test_the_longest_text_costs_its_own_length():
    arrays = pack_texts("ids", ["x"] * 1000 + ["y" * 100_000])
    assert sum(array.nbytes for array in arrays.values()) == 101_000 + 8 * 1001


@pytest.mark.parametrize(
    ("content", "ends"),
    [(b"abc", [1, 2]), (b"abc", [2, 1, 3]), (b"abc", [4]), (b"\xff", [1]), (b"\xc3\xa9", [1, 2]), (b"a", [-1, 1])],
)
def test_damage_is_refused(content, ends):
    arrays = {"ids_utf8": np.frombuffer(content, np.uint8), "ids_ends": np.array(ends)}
    with pytest.raises(ValueError, match=r"'ids_(utf8|ends)'"):
        unpack_texts(arrays, "ids")


def test_arrays_of_texts_of_other_programs():
    assert unpack_texts({"ids": np.array(["a", "bc"])}, "ids") == ["a", "bc"]
    assert unpack_texts({}, "ids") == []
    with pytest.raises(ValueError, match="'ids' must be a vector of texts"):
        unpack_texts({"ids": np.ones((2, 2))}, "ids")
