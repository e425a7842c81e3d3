"""Building data sets from pictures, captions and tags."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from labelgraph._core.argument_kinds import check_kind, received
from labelgraph._core.reading import quoted
from labelgraph.data import CrossModalData
from labelgraph.data.splits.split_names import NAMES, split_name
from labelgraph.data.splits.training_splits import EVALUATED
from labelgraph.encoders.bag_of_words import BagOfWords
from labelgraph.encoders.data_warnings import warn_of_labels, warn_of_words
from labelgraph.encoders.efficientnet import EfficientNetLite0
from labelgraph.encoders.encoder import Encoder, Features
from labelgraph.encoders.extraction import Failure, extract

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
            default a random tenth each for ``validation`` and ``test``, the rest for
            ``train``, the test items as ``query`` and all others as ``database``.
        seed: Seed of the random splits.
        ids: Ids of the items; by default the paths of the pictures, or the row number of an item without a picture.
        titles: Titles of the items; by default the captions.
        out: File for the image features, so that an interrupted run can resume; see `extract`.
        batch_size: Number of pictures per batch.
        workers: Number of threads that read pictures.
        progress: Show a progress bar if the output is a terminal.
        on_failure: Function to call for each picture that cannot be read; by default, a warning reports them.

    Raises:
        ValueError: If lengths differ, no picture can be read, or no tag is frequent enough.
        ImportError: If an encoder needs a package that is not installed.
    """
    check_kind("images", images, (list, tuple), "a list of paths of pictures")
    ids = _ids(images) if ids is None else ids
    titles = captions if titles is None else titles
    _check(images, missing, captions=captions, tags=tags, ids=ids, titles=titles)
    image_encoder = image_encoder or EfficientNetLite0()
    with_image = np.flatnonzero([image is not None for image in images])
    extraction = extract(
        image_encoder, [image for image in images if image is not None], out, on_error="skip",
        batch_size=batch_size, workers=workers, progress=progress,
    )  # fmt: skip
    failures = [replace(failure, row=int(with_image[failure.row])) for failure in extraction.failures]
    _report_failures(failures, len(with_image), on_failure)
    present = _present(images, captions, failures)
    rows_kept = _rows_to_keep(present, missing, failures)
    usable = np.flatnonzero(present[rows_kept].all(1) | (missing != "keep"))
    parts = _random_splits(usable, seed) if splits is None else _renumbered(splits, rows_kept, usable, len(images))
    learned = parts.get("train", usable)
    rows = rows_kept.tolist()
    names, labels = _labels([tags[i] for i in rows], learned, min_tag_count)
    if "train" in parts:
        parts["train"] = learned[labels[learned].sum(1) > 0]
    warn_of_labels([tags[i] for i in rows], labels, len(learned) - len(parts.get("train", learned)), min_tag_count)
    texts = [captions[i] for i in rows]
    text_encoder = text_encoder or BagOfWords.fit((texts[i] for i in learned.tolist()), min_word_count)
    text = extract(text_encoder, texts, progress=False, batch_size=256, workers=1).features
    warn_of_words(texts, text, text_encoder)
    return CrossModalData(
        image=torch.from_numpy(_spread(extraction.features, with_image, rows_kept)),
        text=text,
        labels=labels,
        label_names=names,
        splits=parts,
        ids=[ids[i] for i in rows],
        titles=[titles[i] for i in rows],
        present=present[rows_kept],
        encoders={"image": image_encoder.settings, "text": text_encoder.settings},
    )


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


def _present(images: Sequence[str | Path | None], captions: Sequence[str], failures: Sequence[Failure]) -> np.ndarray:
    """Whether each item has an image and a text, shape (N, 2)."""
    image = np.array([image is not None for image in images])
    image[[failure.row for failure in failures]] = False
    return np.stack([image, np.array([bool(caption.strip()) for caption in captions])], axis=1)


def _rows_to_keep(present: np.ndarray, missing: str, failures: Sequence[Failure]) -> np.ndarray:
    """Rows of the items to keep; a warning reports dropped items and those outside the splits.

    Pictures that cannot be read are reported elsewhere.
    """
    stays = np.asarray(present.all(1) if missing == "drop" else present.any(1))
    if not (stays & present[:, 0]).any():
        reason = f"; {failures[0].reason}" if failures else ""
        raise ValueError(f"'images' must have a picture that can be read (got none{reason})")
    left_out = np.asarray(~present.all(1) if missing == "keep" else ~stays)
    left_out[[failure.row for failure in failures]] = False
    if left_out.any():
        without = {
            side: int((left_out & ~present[:, place]).sum()) for place, side in enumerate(("picture", "caption"))
        }
        reasons = ", ".join(f"{number} without a {side}" for side, number in without.items() if number)
        of = "are in no split" if missing == "keep" else "are left out"
        warnings.warn(f"{int(left_out.sum())} of {len(stays)} items {of}: {reasons}", stacklevel=3)
    return np.flatnonzero(stays)


def _spread(features: Features, with_image: np.ndarray, rows_kept: np.ndarray) -> np.ndarray:
    """Image features of the kept items, 0 for items without a picture."""
    rows = np.zeros((len(rows_kept), features.shape[1]), np.float32)
    to, of = np.intersect1d(rows_kept, with_image, assume_unique=True, return_indices=True)[1:]
    rows[to] = np.asarray(features[of])
    return rows


def _random_splits(usable: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Random splits of the usable rows, with a tenth of them, at least one, each for validation and test."""
    size = len(usable)
    if size < 3:
        raise ValueError(f"'splits' must be given for fewer than 3 items (got {size})")
    order, tenth = np.random.default_rng(seed).permutation(size), max(1, size // 10)
    test, validation, train = np.split(order, [tenth, 2 * tenth])
    rest = np.concatenate([train, validation])
    parts = {"train": train, "validation": validation, "test": test, "query": test, "database": rest}
    return {name: np.sort(usable[part]) for name, part in parts.items()}


def _renumbered(
    splits: Mapping[str, Any], rows_kept: np.ndarray, usable: np.ndarray, size: int
) -> dict[str, np.ndarray]:
    """Row numbers of the splits among the kept items; only usable ones are in a split.

    Without a split ``train``, it gets the usable items outside the splits for evaluation. A split without a usable item
    is left out;
    a warning names it.
    """
    place = np.full(size, -1)
    place[rows_kept[usable]] = usable
    parts = {}
    for name, index in splits.items():
        rows = np.asarray(index)
        if rows.ndim != 1 or rows.dtype.kind not in "iu" or (len(rows) and not 0 <= rows.min() <= rows.max() < size):
            raise ValueError(f"'splits' must have row numbers below {size} in {name!r} (got {index!r})")
        parts[split_name(name)] = place[rows][place[rows] >= 0]
    if empty := [name for name, rows in parts.items() if not len(rows)]:
        if "train" in empty:
            raise ValueError("'splits' must have an item with a picture and a caption in 'train' (got none)")
        warnings.warn(f"without a split {' or '.join(map(repr, empty))}: none of its items can be used", stacklevel=3)
    parts = {name: rows for name, rows in parts.items() if len(rows)}
    return parts if "train" in parts or not parts.keys() <= set(NAMES) else _with_train(parts, usable)


def _with_train(parts: dict[str, np.ndarray], usable: np.ndarray) -> dict[str, np.ndarray]:
    """Add a split ``train`` of the usable items outside the splits for evaluation, if there are any."""
    rest = np.setdiff1d(usable, np.concatenate([usable[:0], *(parts[name] for name in EVALUATED if name in parts)]))
    if not len(rest):
        message = "no item is left for the split 'train': on these data, models can be evaluated but not trained"
        warnings.warn(message, stacklevel=4)
        return parts
    others = "the item" if len(rest) == 1 else f"the {len(rest)} items"
    warnings.warn(f"no item is in the split 'train': it gets {others} outside {', '.join(EVALUATED)}", stacklevel=4)
    return {"train": rest, **parts}


def _labels(tags: Sequence[Collection[str]], learned: np.ndarray, min_count: int) -> tuple[list[str], sp.csr_array]:
    """Frequent tags, the most frequent first, and the multi-hot labels, (N, C)."""
    if single := next((each for each in tags if isinstance(each, str)), None):
        raise ValueError(f"'tags' must have a collection of tags per picture (got the text {quoted(single, 60)})")
    counts = Counter(tag for i in learned.tolist() for tag in set(tags[i]))
    names = sorted((tag for tag, n in counts.items() if n >= min_count), key=lambda tag: (-counts[tag], tag))
    if not names:
        tag, count = max(counts.items(), key=lambda pair: pair[1], default=("", 0))
        most = f"; the most frequent tag, {quoted(tag, 40)}, has {count}" if counts else ""
        raise ValueError(
            f"'tags' must have a tag with at least {min_count} items (got none{most}); lower 'min_tag_count'"
        )
    column = {name: j for j, name in enumerate(names)}
    places = [(i, column[tag]) for i, each in enumerate(tags) for tag in set(each) if tag in column]
    rows, columns = np.array(places).T
    return names, sp.csr_array((np.ones(len(places), np.uint8), (rows, columns)), shape=(len(tags), len(names)))
