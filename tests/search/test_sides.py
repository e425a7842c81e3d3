"""Searching pictures, texts or both, by words and by other items."""

import sys

import pytest
import torch

from labelgraph.inference import encode_side
from labelgraph.search import Searcher
from labelgraph.search.sides import DEPTH_PER_RESULT
from tests.search.probable import Probable, pictures


@pytest.fixture
def searcher():
    return Searcher(Probable()).fit(pictures())


def test_each_side_is_searched_by_name(searcher):
    data = pictures()
    vectors = {side: encode_side(searcher.method, side, data).vectors for side in ("image", "text")}
    p = encode_side(searcher.method, "text", data.text[:3]).vectors
    for within, side in (("pictures", "image"), ("texts", "text")):
        q = vectors[side]
        both = p @ q.t()
        scores = both / (p.sum(1)[:, None] + q.sum(1) - both)
        result = searcher.search(text=data.text[:3], k=4, within=within)
        torch.testing.assert_close(result.scores, scores.topk(4).values)
    assert searcher.search(text=data.text[:3]).ids == searcher.search(text=data.text[:3], within="pictures").ids
    assert searcher.search(image=data.image[:3]).ids == searcher.search(image=data.image[:3], within="texts").ids


def fused_by_hand(rankings, k):
    total = {}
    for ranking in rankings:
        for rank, each in enumerate(ranking, 1):
            total[each] = total.get(each, 0) + 61 / (60 + rank) / len(rankings)
    best = sorted(total, key=total.get, reverse=True)[:k]
    return [total[each] for each in best], total


@pytest.mark.parametrize("filters", [{}, {"labels": ["bird", "fish"]}, {"ids": ["bird 1", "tree 2", "fish 1"]}])
def test_both_sides_are_fused_by_reciprocal_ranks(searcher, filters):
    sides = [searcher.search(text=["caw"], k=8, within=within, **filters) for within in ("pictures", "texts")]
    result = searcher.search(text=["caw"], k=5, within="both", **filters)
    wanted, total = fused_by_hand([each.ids[0] for each in sides], 5)
    assert result.scores[0].tolist() == pytest.approx(wanted) and result.score_name == "reciprocal rank"
    assert [total[each] for each in result.ids[0]] == pytest.approx(wanted)
    data = pictures()
    title_of = dict(zip(data.ids, data.titles, strict=True))
    assert result.titles == [[title_of[each] for each in result.ids[0]]]


def test_an_item_without_a_picture_is_found_by_its_caption(searcher):
    searcher.remove(["bird 1", "bird 2"])
    searcher.add("titled", text=pictures().text[0], titles="a caw above")
    assert "titled" not in searcher.search(text=["caw"], k=8).ids[0]
    result = searcher.search(text=["caw"], k=7, within="both")
    assert "titled" in result.ids[0] and result.scores.max() <= 1


def test_captions_that_share_words_count(searcher):
    pytest.importorskip("bm25s")
    plain, lexical = (
        searcher.search(text=["caw red"], k=8, within="texts", lexical=lexical).ids[0] for lexical in (False, True)
    )
    assert set(lexical[:2]) == {"bird 1", "bird 2"} and plain.index("fish 2") > lexical.index("fish 2")
    # Words that the method does not know are found in captions, and the rest follows with a score of 0.
    unknown = searcher.search(text=["oak", "leaves oak"], k=4, within="both", lexical=True)
    assert [set(row[:n]) for row, n in zip(unknown.ids, (1, 2), strict=True)] == [{"tree 2"}, {"tree 1", "tree 2"}]
    assert unknown.scores[0, 1:].tolist() == [0, 0, 0] and len(unknown.ids[0]) == 4
    filtered = searcher.search(text=["red"], k=8, within="texts", lexical=True, labels=["fish"])
    assert filtered.ids[0][0] == "fish 2" and set(filtered.ids[0]) == {"fish 1", "fish 2"}


def test_captions_are_searched_for_unknown_words(searcher):
    """By default, in what is searched, unless only pictures are asked for."""
    pytest.importorskip("bm25s")
    assert searcher.caption_words(["caw", "an oak", "green oaks and zebras"]) == [[], ["oak"], []]
    searcher.add("a thing", text=pictures().text[0], image=pictures().image[0], titles="the thing with lawns")
    assert searcher.caption_words("the lawns with an elm") == [["lawns"]]
    searcher.remove("a thing")
    assert searcher.caption_words("an oak", within="pictures") == [[]]
    oak = searcher.search(text=["oak"], k=3)
    assert oak.ids[0][0] == "tree 2" and oak.scores[0, 1:].tolist() == [0, 0] and oak.score_name == "reciprocal rank"
    # A known word counts as well, and a text without unknown words keeps its order.
    plain = searcher.search(text=["caw"], k=8)
    mixed = searcher.search(text=["caw leaves", "caw"], k=8)
    assert plain.score_name == "expected Jaccard" and mixed.ids[1] == plain.ids[0]
    assert mixed.scores[1, 0] == pytest.approx(1) and mixed.scores[0].max() < 1
    assert set(mixed.ids[0][:3]) == {"tree 1", "bird 1", "bird 2"}
    # Captions count only by the unknown word: those with "caw" have the score of one ranking of two.
    score_of = dict(zip(mixed.ids[0], mixed.scores[0].tolist(), strict=True))
    assert max(score_of["bird 1"], score_of["bird 2"]) == pytest.approx(0.5)
    assert searcher.search(text=["caw leaves"], k=8, lexical=False).ids == plain.ids
    for options in ({"lexical": False}, {"within": "pictures"}):
        with pytest.raises(ValueError, match=r"'text' must have a word that the model knows \(got 'oak'\)"):
            searcher.search(text=["oak"], **options)
    assert searcher.search(text=["oak"], k=1, labels=["fish"]).scores.tolist() == [[0]]


def test_without_bm25s_unknown_words_are_ignored(searcher, monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    assert searcher.caption_words(["an oak"]) == [[]]
    assert searcher.search(text=["caw oak"], k=8).ids == searcher.search(text=["caw"], k=8).ids


def test_captions_follow_what_is_added_and_removed(searcher):
    pytest.importorskip("bm25s")
    search = {"text": ["violin"], "k": 1, "within": "texts", "lexical": True}
    assert searcher.search(**search).scores.tolist() == [[0]]
    searcher.add("music", text=pictures().text[0], titles="a violin")
    assert searcher.search(**search).ids == [["music"]]
    searcher.remove("music")
    assert searcher.search(**search).scores.tolist() == [[0]]


def test_items_like_others(searcher):
    result = searcher.search(like=["bird 1", "tree 1"], k=2)
    assert result.ids[0] == ["bird 2", "fish 2"] and result.ids[1][0] == "tree 2"
    everything = searcher.search(like="bird 1", k=100)
    assert sorted(everything.ids[0]) == sorted(each for each in pictures().ids if each != "bird 1")
    by_features = searcher.search(image=pictures().image[:1], k=8, within="pictures")
    rest = [(i, s) for i, s in zip(by_features.ids[0], by_features.scores[0].tolist(), strict=True) if i != "bird 1"]
    assert list(zip(everything.ids[0], everything.scores[0].tolist(), strict=True)) == rest
    assert "bird 1" not in searcher.search(like="bird 1", k=8, within="both").ids[0]
    with pytest.raises(ValueError, match=r"'like' must be ids of items .*got nothing like it"):
        searcher.search(like="nothing like it")


def test_depth_does_not_cut_what_is_asked_for(searcher, monkeypatch):
    monkeypatch.setattr("labelgraph.search.sides.LEAST_DEPTH", 1)
    assert DEPTH_PER_RESULT == 10
    assert len(searcher.search(text=["caw"], k=8, within="both").ids[0]) == 8


def test_an_item_that_only_its_caption_finds_has_its_title(searcher, monkeypatch):
    pytest.importorskip("bm25s")
    for name in ("LEAST_DEPTH", "DEPTH_PER_RESULT"):
        monkeypatch.setattr(f"labelgraph.search.sides.{name}", 1)
    searcher.add("music", text=pictures().text[0], titles="a violin")
    result = searcher.search(text=["violin"], k=1, within="texts", lexical=True)
    assert (result.ids, result.titles) == ([["music"]], [["a violin"]])


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"text": [[0.0, 1, 0, 0]], "lexical": True, "within": "texts"}, "'lexical' needs 'text' as words"),
        ({"text": ["caw"], "lexical": True}, "'lexical' needs 'within' to be 'texts' or 'both'"),
    ],
)
def test_what_lexical_needs_is_told(searcher, query, message):
    with pytest.raises(ValueError, match=message):
        searcher.search(**query)


def test_captions_are_needed():
    searcher = Searcher(Probable())
    searcher.add(["a", "b"], text=pictures().text[:2])
    with pytest.raises(ValueError, match="'lexical' needs titles with words"):
        searcher.search(text=["caw"], within="texts", lexical=True)


def test_without_bm25s_the_extra_is_named(searcher, monkeypatch):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(ImportError, match=r'pip install "labelgraph\[lexical\]"'):
        searcher.search(text=["caw"], within="texts", lexical=True)


class Full(Exception):
    """Stands for a memory that is full."""


def test_an_addition_that_fails_on_the_second_side_is_undone(searcher, monkeypatch):
    data, before = pictures(), searcher.search(text=["caw"], k=20, within="both").ids

    def fail(vectors):
        raise Full

    monkeypatch.setattr(searcher._sides["text"].index, "add", fail)
    with pytest.raises(Full):
        searcher.add(["new"], image=data.image[:1], text=data.text[:1])
    assert searcher.search(text=["caw"], k=20, within="both").ids == before
    monkeypatch.undo()
    searcher.add(["new"], image=data.image[:1], text=data.text[:1])
    assert len(searcher.search(text=["caw"], k=20, within="both").ids[0]) == 9
