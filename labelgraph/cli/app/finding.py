"""Answers to the requests of the page, as pure functions of a site and a request."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from labelgraph._core.names import check_name
from labelgraph.cli.app.schema import (
    MAX_PICTURE,
    Reason,
    SearchRequest,
    SearchResponse,
    SearchResult,
    SharedLabelReason,
)
from labelgraph.cli.app.site import Site
from labelgraph.cli.queries import WEAK, Answer
from labelgraph.cli.query_words import every_label, read_text
from labelgraph.encoders import open_picture
from labelgraph.search.gallery import common_words, shared_labels

SHOWN = 80  # Characters of a query that a note repeats.


class Asked(NamedTuple):
    """A query as `Searcher.search` takes it; it has no query if nothing in it can be searched for.

    Attributes:
        title: The query, in words.
        query: The one argument of the search.
        words: Text whose words can explain a result.
        notes: What a user should know about the query.
    """

    title: str
    query: dict[str, Any]
    words: str = ""
    notes: tuple[str, ...] = ()


def find(site: Site, request: SearchRequest) -> SearchResponse:
    """Search, and say why each result came.

    Raises:
        ValueError: If the request has no query or several, an id or label is unknown, or the picture is damaged.
        ImportError: If an encoder needs a package that is not installed.
    """
    for label in request.labels:
        check_name("labels", label, site.searcher.label_names)
    asked = _asked(site, request)
    notes = list(asked.notes)
    if not asked.query:
        return SearchResponse(query=asked.title, score="", descending=True, notes=notes, results=[])
    settings: dict[str, Any] = {"k": request.k, "within": request.within, "labels": request.labels or None}
    found = site.searcher.search(**asked.query, **settings)
    (answer,) = Answer.of(found)
    if not answer.ids:
        notes.append(f"Nothing was found: {_reason(request, answer)}.")
    elif answer.score_name == "expected Jaccard" and answer.scores[0] < WEAK:
        notes.append(f"No item matches well: the best score is {answer.scores[0]:.3f}, where 1 is the highest "
                     "possible score.")  # fmt: skip
    return SearchResponse(
        query=asked.title,
        score=answer.score_name,
        descending=site.searcher.method.similarity != "hamming" or answer.score_name != "Hamming distance",
        notes=notes,
        results=_results(site, request, asked, answer),
    )


def _results(site: Site, request: SearchRequest, asked: Asked, answer: Answer) -> list[SearchResult]:
    shared = shared_labels(site.searcher, answer.ids, request.within, **asked.query)
    results = []
    for rank, (each, title, score) in enumerate(answer.rows(), 1):
        row = site.row_of.get(each)  # None for an item that was added after the page was made.
        labels = [SharedLabelReason(name=label.name, query=label.query, item=label.item) for label in shared[rank - 1]]
        words = common_words(site.searcher, asked.words, title) if asked.words and title != each else []
        results.append(
            SearchResult(
                rank=rank,
                id=each,
                title=title,
                score=score,
                picture=f"/pictures/{row}" if row is not None and site.pictures.has(row) else None,
                labels=[] if row is None else list(site.items[row].labels),
                why=Reason(labels=labels, words=words),
            )
        )
    return results


def _reason(request: SearchRequest, answer: Answer) -> str:
    """Say why a query has no results."""
    if answer.dropped:
        return "no caption has a word of the query" + (" and one of the labels" if request.labels else "")
    return "no item has one of the labels" if request.labels else f"there are no {request.within} to search"


def _asked(site: Site, request: SearchRequest) -> Asked:
    readers: dict[str, Callable[[Site, SearchRequest], Asked]] = {
        "text": _by_text, "picture": _by_picture, "like": _by_item, "labels": _by_labels,
    }  # fmt: skip
    given = [name for name in ("text", "picture", "like") if (getattr(request, name) or "").strip()]
    if len(given) > 1:
        raise ValueError(f"give one of 'text', 'picture' and 'like' (got {' and '.join(map(repr, given))})")
    if not given and not request.labels:
        raise ValueError("nothing to search for: type words, drop a picture, or choose a label")
    return readers[given[0] if given else "labels"](site, request)


def _by_text(site: Site, request: SearchRequest) -> Asked:
    searcher, text = site.searcher, " ".join((request.text or "").split())
    if not site.collection.by_text:
        raise ValueError("this model cannot read words, because its training data do not record how texts became "
                         "features; use 'like' or labels")  # fmt: skip
    in_captions = searcher.caption_words([text], "both")[0]
    found = [] if request.within == "pictures" else in_captions
    read = read_text(searcher.method, text, every_label(searcher), request.labels, found)
    title = _shortened(repr(text))
    notes = [_shortened(each, 4 * SHOWN) for each in read.notes()]
    if read.known or found:
        if read.named and not read.usable:
            names = ", ".join(map(repr, read.named))
            notes.append(f"{names}: choose labels below the words to find only items with them.")
        return Asked(title, {"text": [text]}, text, tuple(notes))
    hint = f"{read.near.removeprefix('; ').capitalize()}" if read.near else ""
    if in_captions:
        hint = f"Captions have {', '.join(map(repr, in_captions))}: search in texts or both to find them. {hint}"
    return Asked(title, {}, notes=(f"The model knows no word of {title}. {hint}".strip(),))


def _by_picture(site: Site, request: SearchRequest) -> Asked:
    if not site.collection.by_picture:
        raise ValueError("this model cannot read pictures, because its training data do not record how pictures "
                         "became features; use 'text', 'like' or labels")  # fmt: skip
    content = _decoded(request.picture or "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(content)
        try:
            open_picture(path)
            return Asked("the picture", {"image": site.features(path)})
        except (ValueError, OSError) as error:
            reason = " ".join(str(error).replace(str(path), "the file").split())
            raise ValueError(f"'picture' must be a picture that can be read ({_shortened(reason, 200)})") from None


def _decoded(picture: str) -> bytes:
    if picture.startswith("data:"):
        picture = picture.partition(",")[2]
    try:
        content = base64.b64decode(picture, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("'picture' must be a picture file in base64 (got other characters)") from None
    if len(content) > MAX_PICTURE:
        raise ValueError(f"'picture' must be at most {MAX_PICTURE // 10**6} MB (got {len(content) / 1e6:.1f} MB)")
    return content


def _by_item(site: Site, request: SearchRequest) -> Asked:
    if request.like not in site.row_of:
        raise ValueError(f"'like' must be the id of an item (got {_shortened(repr(request.like))})")
    item = site.items[site.row_of[request.like]]
    words = item.title if item.title != item.id else ""
    return Asked(f"items like {_shortened(repr(item.title))}", {"like": [item.id]}, words)


def _by_labels(site: Site, request: SearchRequest) -> Asked:
    if not site.collection.by_labels:
        raise ValueError("labels alone are no query for this model; type words or drop a picture, too")
    return Asked(" and ".join(request.labels), {"label": [tuple(request.labels)]}, " ".join(request.labels))


def _shortened(text: str, most: int = SHOWN) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
