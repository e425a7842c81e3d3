"""The items of a searcher, and the reasons of its results."""

import pytest
import torch

from labelgraph.search import Searcher
from labelgraph.search.gallery import common_words, gallery_items, shared_labels
from tests.search.probable import LABELS, Probable, pictures


@pytest.fixture
def searcher():
    return Searcher(Probable()).fit(pictures())


def test_the_items_are_those_of_the_data(searcher):
    data = pictures()
    searcher.add(["only text"], text=torch.ones(1, 4))
    items = gallery_items(searcher)
    assert [each.id for each in items] == [*data.ids, "only text"]
    assert [each.title for each in items[:-1]] == list(data.titles)
    for each, row in zip(items, data.labels.tolist(), strict=False):
        assert each.labels == tuple(name for name, value in zip(LABELS, row, strict=True) if value)
        assert each.sides == ("image", "text")
    assert (items[-1].labels, items[-1].sides) == ((), ("text",))


def test_shared_labels_are_the_largest_products(searcher):
    data = pictures()
    found = shared_labels(searcher, data.ids, "pictures", text=["blue"])
    asked = dict(zip(LABELS, (0.05, 0.85, 0.85, 0.05), strict=True))  # "blue" is the colour of fish and the night sky.
    for labels, row in zip(found, data.image.tolist(), strict=True):
        products = {name: asked[name] * value for name, value in zip(LABELS, row, strict=True)}
        wanted = sorted((name for name in LABELS if products[name] >= 0.05), key=products.get, reverse=True)
        assert [each.name for each in labels] == wanted
        for each in labels:
            assert each.query == pytest.approx(asked[each.name])
            assert each.item == pytest.approx(row[LABELS.index(each.name)])
    assert [each.name for each in found[1]] == ["fish"]


def test_both_sides_count_by_the_larger_probability(searcher):
    (in_picture,), (in_text,), (in_both,) = (
        shared_labels(searcher, ["bird 1"], within, label=[("bird",)]) for within in ("pictures", "texts", "both")
    )
    assert in_picture[0].item == pytest.approx(0.9) and in_text[0].item == pytest.approx(0.85)
    assert in_both[0].item == pytest.approx(0.9) and in_both[0].query == 1


def test_an_item_as_a_query(searcher):
    (labels,) = shared_labels(searcher, ["fish 2"], "pictures", like=["bird 2"])
    assert [each.name for each in labels] == ["bird"]
    assert (labels[0].query, labels[0].item) == (pytest.approx(0.9), pytest.approx(0.6))


def test_a_text_without_a_known_word_shares_no_label(searcher):
    """Its results come from the captions alone."""
    assert shared_labels(searcher, ["fish 2"], "texts", text=["stars"]) == [[]]
    assert shared_labels(searcher, ["fish 2"], "texts", text=["blue stars"]) != [[]]


def test_the_most_labels(searcher):
    assert [len(each) for each in shared_labels(searcher, ["fish 2"], "pictures", most=1, like=["fish 2"])] == [1]
    assert shared_labels(searcher, ["gone"], "pictures", text=["blue"]) == [[]]


@pytest.mark.parametrize(
    ("text", "caption", "wanted"),
    [
        ("red birds", "The bird, a red one", ["bird", "red"]),
        ("the red and the blue", "the blue and the red sea", ["blue", "red"]),
        ("hippopotamos", "hippopotamus", ["hippopotamus"]),
        ("cat", "dog", []),
        ("", "dog", []),
    ],
)
def test_common_words(text, caption, wanted):
    pytest.importorskip("bm25s")
    data = pictures()
    searcher = Searcher(Probable())
    searcher.add(["a"], text=data.text[:1], titles=[caption])
    assert common_words(searcher, text, caption) == wanted
