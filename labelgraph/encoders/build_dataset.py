"""Building data sets from pictures, captions and tags."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelgraph._core.argument_kinds import check_kind, received
from labelgraph._core.parts import Part
from labelgraph.data import CrossModalData
from labelgraph.encoders.data_warnings import warn_of_words
from labelgraph.encoders.efficientnet import EfficientNetLite0
from labelgraph.encoders.encoder import Encoder, Features
from labelgraph.encoders.extraction import Failure, extract
from labelgraph.encoders.item_plan import plan_items

MISSING = ("mark", "drop", "keep")


def data_from_files(
    images: Sequence[str | Path | None],
    captions: Sequence[str],
    tags: Sequence[Collection[str]],
    *,
    image_encoder: Encoder | None = None,
    text_encoder: Encoder | None = None,
    min_tag_count: int = 5,
    min_word_count: int = 3,
    missing: str = "mark",
    splits: Mapping[str, Any] | None = None,
    seed: int = 0,
    ids: Sequence[str] | None = None,
    titles: Sequence[str] | None = None,
    out: str | Path | None = None,
    batch_size: int = 8,
    workers: int = 2,
    progress: bool = True,
    on_failure: Callable[[Failure], object] | None = None,
    part: Part | None = None,
) -> CrossModalData:
    """Build a data set: extract features of pictures and captions, and turn frequent tags into labels.

    Labels and vocabulary are learned from the split ``train`` only, or from all items if it would be empty. Training
    items without any label are removed from ``train``. Warnings report how many items have no label, no
    known word or no split, and why.

    Args:
        images: Paths of N pictures; ``None`` for an item without a picture.
        captions: N texts; a text of spaces only counts as missing.
        tags: Tags of each item, with the same spelling for the same meaning.
        image_encoder: Encoder of the pictures; by default `EfficientNetLite0`.
        text_encoder: Encoder of the captions; by default a `BagOfWords` fitted on the captions.
        min_tag_count: Minimum number of items with a tag for the tag to become a label.
        min_word_count: Minimum number of captions with a word for the word to be in the vocabulary.
        missing: What to do with items whose picture cannot be read or whose caption is missing: ``"mark"`` the side as
            missing, ``"keep"`` the items, marked, but outside all splits, so that they can be searched; or ``"drop"``
            them. Items with neither side are always dropped. A warning reports the number.
        splits: Row numbers by name; without ``train``, all items outside the splits for evaluation are in it. By
            default a random tenth each of the items with a frequent tag for ``validation`` and ``test``, the rest for
            ``train``, the test items as ``query`` and all others as ``database``.
        seed: Seed of the random splits.
        ids: Ids of the items; by default the paths of the pictures, or the row number of an item without a picture.
        titles: Titles of the items; by default the captions.
        out: File for the image features, so that an interrupted run can resume; see `extract`.
        batch_size: Number of pictures per batch.
        workers: Number of threads that read pictures.
        progress: Show a progress bar if the output is a terminal.
        on_failure: Function to call for each picture that cannot be read; by default, a warning reports them.
        part: Part of the items to extract features of, such as ``Part(2, 8)``. Labels, vocabulary and splits are those
            of all items. `labelgraph.data.merge_parts` joins the parts. Only the pictures of this part are read, so a
            picture of another part that cannot be read counts as readable here.

    Raises:
        ValueError: If lengths differ, no picture can be read, or no tag is frequent enough.
        ImportError: If an encoder needs a package that is not installed.
    """
    check_kind("images", images, (list, tuple), "a list of paths of pictures")
    ids = _ids(images) if ids is None else ids
    titles = captions if titles is None else titles
    _check(images, missing, captions=captions, tags=tags, ids=ids, titles=titles)
    plan_of = partial(
        plan_items, images, captions, tags, text_encoder=text_encoder, min_tag_count=min_tag_count,
        min_word_count=min_word_count, missing=missing, splits=splits, seed=seed,
    )  # fmt: skip
    whole = None if part is None else plan_of([])
    own = None if whole is None or part is None else whole.of_part(part)
    rows = np.arange(len(images)) if own is None else own.rows
    with_image = rows[[images[row] is not None for row in rows.tolist()]]
    image_encoder = image_encoder or EfficientNetLite0()
    how: dict[str, Any] = {"out": out, "batch_size": batch_size, "workers": workers, "progress": progress}
    features, failures = _pictures(image_encoder, images, with_image, how)
    _report_failures(failures, len(with_image), on_failure)
    plan = plan_of(failures) if own is None else own.without_pictures(failures, missing)
    texts = [captions[row] for row in plan.rows.tolist()]
    text = extract(plan.text_encoder, texts, progress=False, batch_size=256, workers=1).features
    warn_of_words(texts, text, plan.text_encoder)
    return CrossModalData(
        image=torch.from_numpy(_spread(features, with_image, plan.rows)),
        text=text,
        labels=plan.labels,
        label_names=plan.label_names,
        splits=plan.splits,
        ids=[ids[row] for row in plan.rows.tolist()],
        titles=[titles[row] for row in plan.rows.tolist()],
        present=plan.present,
        encoders={"image": image_encoder.settings, "text": plan.text_encoder.settings},
    )


def _pictures(
    encoder: Encoder, images: Sequence[str | Path | None], rows: np.ndarray, how: Mapping[str, Any]
) -> tuple[Features, list[Failure]]:
    """Extract the features of the pictures in some rows."""
    items = [image for row in rows.tolist() if (image := images[row]) is not None]
    if not items:  # A part may have captions only.
        return np.zeros((0, encoder.channels), np.float32), []
    extraction = extract(encoder, items, on_error="skip", **how)
    return extraction.features, [replace(failure, row=int(rows[failure.row])) for failure in extraction.failures]


def _ids(images: Sequence[str | Path | None]) -> list[str]:
    """Paths of the pictures, or the row number of an item without a picture."""
    return [str(row if image is None else image) for row, image in enumerate(images)]


def _check(images: Sequence[str | Path | None], missing: str, **arguments: Sequence[Any]) -> None:
    """Check that lengths agree and that there is a picture."""
    for name, entries in arguments.items():
        if isinstance(entries, str) or not hasattr(entries, "__len__"):
            raise ValueError(f"'{name}' must be a list (got {received(entries)})")
        if len(entries) != len(images):
            raise ValueError(f"'{name}' must have an entry per picture, {len(images)} (got {len(entries)})")
    if missing not in MISSING:
        raise ValueError(f"'missing' must be one of {', '.join(MISSING)} (got {missing!r})")
    if all(image is None for image in images):
        raise ValueError("'images' must have a picture that can be read (got none)")


def _report_failures(failures: Sequence[Failure], size: int, on_failure: Callable[[Failure], object] | None) -> None:
    """Report pictures that cannot be read, to a function or in a warning."""
    if on_failure is not None:
        for failure in failures:
            on_failure(failure)
    elif failures:
        message = f"{len(failures)} of {size} pictures cannot be read, the first: {failures[0].reason}"
        warnings.warn(message, stacklevel=3)


def _spread(features: Features, with_image: np.ndarray, rows_kept: np.ndarray) -> np.ndarray:
    """Image features of the kept items, 0 for items without a picture."""
    rows = np.zeros((len(rows_kept), features.shape[1]), np.float32)
    to, of = np.intersect1d(rows_kept, with_image, assume_unique=True, return_indices=True)[1:]
    rows[to] = np.asarray(features[of])
    return rows
