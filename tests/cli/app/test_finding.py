"""Answers to the requests of the page, against the searcher."""

import base64

import pytest
from pydantic import ValidationError

from labelgraph.cli.app.finding import find
from labelgraph.cli.app.schema import SearchRequest
from labelgraph.cli.app.site import Site
from labelgraph.methods import AGAHConfig, build_method
from labelgraph.search import Searcher


def asked(site, **request):
    return find(site, SearchRequest(**request))


def ids(response):
    return [each.id for each in response.results]


@pytest.mark.parametrize("within", ["pictures", "texts", "both"])
def test_words_find_what_the_searcher_finds(site, within):
    response = asked(site, text="caw", within=within, k=5)
    wanted = site.searcher.search(text=["caw"], within=within, k=5)
    assert ids(response) == wanted.ids[0] and response.score == wanted.score_name and response.notes == []
    assert [each.score for each in response.results] == pytest.approx(wanted.scores[0].tolist())
    assert [each.rank for each in response.results] == [1, 2, 3, 4, 5]
    row_of = {each: row for row, each in enumerate(site.data.ids)}
    for each in response.results:
        assert each.title == site.data.titles[row_of[each.id]]
        hot = site.data.labels[row_of[each.id]].tolist()
        assert each.labels == [name for name, value in zip(site.data.label_names, hot, strict=True) if value]
        assert each.picture == (None if each.id == "../outside.png" else f"/pictures/{row_of[each.id]}")


def test_reasons(site):
    best = asked(site, text="caw", within="texts").results[0]
    assert "caw" in best.title and best.why.words == ["caw"]
    assert best.why.labels[0].name == "bird" and best.why.labels[0].query == pytest.approx(0.85)


def test_an_item_that_was_added_later_is_shown_without_its_picture(site):
    row = site.data.ids.index("../outside.png")
    site.searcher.add(["late"], site.data.image[row : row + 1], site.data.text[row : row + 1], titles=["a late item"])
    (late,) = (each for each in asked(site, text="caw", within="texts", k=50).results if each.id == "late")
    assert (late.title, late.picture, late.labels) == ("a late item", None, [])


def test_labels_filter(site):
    response = asked(site, text="caw", labels=["fish", "tree"], k=50)
    assert ids(response) and all({"fish", "tree"} & set(each.labels) for each in response.results)
    assert set(ids(response)) == {each.id for each in site.items if {"fish", "tree"} & set(each.labels)}


def test_labels_alone_find_the_items_that_probably_have_them(site):
    response = asked(site, labels=["bird"])
    assert response.query == "bird" and ids(response)[0].endswith("bird-1.png")
    assert all("bird" in each.labels for each in response.results)


def test_a_picture_finds_items_of_its_colour(site, picture):
    response = asked(site, picture=picture("#0000ff"), k=1)
    assert response.results[0].labels[0] == "fish" or "fish" in response.results[0].labels
    response = asked(site, picture="data:image/png;base64," + picture("#00ff00"), k=1)
    assert response.results[0].labels == ["tree"]


def test_more_like_an_item(site):
    first = site.items[0]
    response = asked(site, like=first.id, k=3)
    assert first.id not in ids(response) and "bird" in response.results[0].labels
    assert first.title in response.query and response.results[0].why.words


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        ({"text": "caws"}, ["'caws'", "'caw'"]),
        ({"text": "caw zzzzz"}, ["ignored", "'zzzzz'"]),
        ({"text": "zzzzz"}, ["knows no word", "'zzzzz'"]),
        ({"text": "stars"}, ["texts or both", "'stars'"]),
        ({"text": "gren"}, ["'green'"]),
        ({"text": "...!"}, ["knows no word"]),
        ({"text": "x" * 9_999}, ["knows no word"]),
        ({"text": "zzzzz", "within": "both"}, ["knows no word"]),
    ],
)
def test_notes_tell_what_was_read(site, request_, wanted):
    pytest.importorskip("bm25s")
    notes = asked(site, **request_).notes
    assert len(notes) == 1 and len(notes[0]) < 500 and "\n" not in notes[0] and "--" not in notes[0]
    assert all(part in notes[0] for part in wanted)


def test_captions_answer_unknown_words(site):
    pytest.importorskip("bm25s")
    response = asked(site, text="stars", within="texts")
    assert [each.title for each in response.results] == ["stars", "red stars"] and "caption" in response.notes[0]
    assert response.results[0].why.words == ["stars"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "nothing to search for"),
        ({"text": " \n"}, "nothing to search for"),
        ({"text": "caw", "like": "x"}, "'text' and 'like'"),
        ({"text": "caw", "labels": ["brid"]}, "'brid'"),
        ({"like": "../../etc/passwd"}, "'like'.*passwd"),
        ({"picture": "no base64!"}, "'picture'.*base64"),
        ({"picture": base64.b64encode(b"no picture").decode()}, "'picture' must be a picture that can be read"),
        ({"picture": base64.b64encode(b"x" * 20_000_001).decode()}, "'picture' must be at most 20 MB"),
    ],
)
def test_wrong_requests_are_one_line(site, request_, message):
    with pytest.raises(ValueError, match=message) as error:
        asked(site, **request_)
    assert "\n" not in str(error.value) and "/tmp" not in str(error.value)


@pytest.mark.parametrize("size", [(100_000, 1), (9_500, 9_500)])
def test_too_many_pixels_are_refused(site, picture, size):
    with pytest.raises(ValueError, match="pixels"):
        asked(site, picture=picture("white", size))


@pytest.mark.parametrize(
    "request_",
    [{"text": "x" * 100_000}, {"k": 0}, {"k": 101}, {"within": "all"}, {"labels": ["a"] * 101}, {"words": "a"}],
)
def test_requests_outside_of_the_schema(request_):
    with pytest.raises(ValidationError):
        SearchRequest(**request_)


def test_codes_have_distances_and_no_probabilities(drawn_data):
    data = drawn_data.data
    config = AGAHConfig(bits=16, hidden_channels=8, graph_channels=(8, 8))
    searcher = Searcher(build_method("agah", 4, 4, config=config)).fit(data)
    site = Site.of(searcher, "codes", data, None, drawn_data.folder)
    response = asked(site, like=data.ids[0])
    scores = [each.score for each in response.results]
    assert (response.score, response.descending) == ("Hamming distance", False) and scores == sorted(scores)
    assert len(scores) == 7 and all(each.why.labels == [] for each in response.results)
    assert "caw" in next(each for each in response.results if each.id == data.ids[4]).why.words
    with pytest.raises(ValueError, match="labels alone"):
        asked(site, labels=["bird"])


def test_a_model_without_encoders_says_so(site):
    site.searcher.method.encoders = {}
    for request in ({"text": "caw"}, {"picture": "AAAA"}):
        with pytest.raises(ValueError, match="this model cannot read"):
            asked(site, **request)
    assert asked(site, like=site.items[0].id).results
