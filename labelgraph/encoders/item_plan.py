"""The items of a data set before their features: which stay, their splits, labels and vocabulary."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from labelgraph._core.parts import Part
from labelgraph._core.reading import quoted
from labelgraph.data.splits.split_names import NAMES, split_name
from labelgraph.data.splits.training_splits import EVALUATED
from labelgraph.encoders.bag_of_words import BagOfWords
from labelgraph.encoders.data_warnings import warn_of_labels
from labelgraph.encoders.encoder import Encoder
from labelgraph.encoders.extraction import Failure


@dataclass(frozen=True)
class ItemPlan:
    """The items that stay in a data set, in order.

    Args:
        rows: Their row numbers in the source, (N,).
        present: Whether each has an image and a text, (N, 2).
        splits: Numbers of the items by split.
        label_names: Names of the C labels.
        labels: Multi-hot labels, (N, C).
        text_encoder: Encoder of the captions.
    """

    rows: np.ndarray
    present: np.ndarray
    splits: dict[str, np.ndarray]
    label_names: list[str]
    labels: sp.csr_array
    text_encoder: Encoder

    def of_part(self, part: Part) -> Self:
        """Return the items of a part; labels and vocabulary stay those of all items."""
        own = part.of(len(self.rows))
        return self._of_items(np.arange(own.start, own.stop))

    def without_pictures(self, failures: Sequence[Failure], missing: str) -> Self:
        """Return the items if some pictures cannot be read; see ``missing`` of `data_from_files`."""
        present = self.present.copy()
        present[np.isin(self.rows, [failure.row for failure in failures]), 0] = False
        usable = np.asarray(present.all(1) | (missing != "keep"))
        splits = {name: index[usable[index]] for name, index in self.splits.items()}
        stays = np.flatnonzero(present.all(1) if missing == "drop" else present.any(1))
        return replace(self, present=present, splits=splits)._of_items(stays)

    def _of_items(self, items: np.ndarray) -> Self:
        place = np.full(len(self.rows), -1)
        place[items] = np.arange(len(items))
        splits = {name: place[index][place[index] >= 0] for name, index in self.splits.items()}
        splits = {name: index for name, index in splits.items() if len(index)}
        return replace(
            self, rows=self.rows[items], present=self.present[items], splits=splits, labels=self.labels[items]
        )


def plan_items(
    images: Sequence[str | Path | None],
    captions: Sequence[str],
    tags: Sequence[Collection[str]],
    failures: Sequence[Failure],
    *,
    text_encoder: Encoder | None,
    min_tag_count: int,
    min_word_count: int,
    missing: str,
    splits: Mapping[str, Any] | None,
    seed: int,
) -> ItemPlan:
    """Plan the items of a data set without the pictures in ``failures``; see `data_from_files` for other arguments."""
    present = _present(images, captions, failures)
    rows_kept = _rows_to_keep(present, missing, failures)
    usable = np.flatnonzero(present[rows_kept].all(1) | (missing != "keep"))
    kept_tags = [tags[i] for i in rows_kept.tolist()]
    if splits is None:
        parts = _random_splits(usable, _with_frequent_tag(kept_tags, usable, min_tag_count), seed)
    else:
        parts = _renumbered(splits, rows_kept, usable, len(images))
    learned = parts.get("train", usable)
    names, labels = _labels(kept_tags, learned, min_tag_count)
    if "train" in parts:
        parts["train"] = learned[labels[learned].sum(1) > 0]
    warn_of_labels(kept_tags, labels, len(learned) - len(parts.get("train", learned)), min_tag_count)
    if text_encoder is None:
        text_encoder = BagOfWords.fit((captions[rows_kept[i]] for i in learned.tolist()), min_word_count)
    return ItemPlan(rows_kept, present[rows_kept], parts, names, labels, text_encoder)


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


def _with_frequent_tag(tags: Sequence[Collection[str]], usable: np.ndarray, min_count: int) -> np.ndarray:
    """The usable rows that have a frequent tag; all of them if too few have."""
    counts = Counter(tag for row in usable.tolist() for tag in set(tags[row]))
    tagged = [row for row in usable.tolist() if any(counts[tag] >= min_count for tag in tags[row])]
    return usable if len(tagged) < 3 else np.array(tagged)


def _random_splits(usable: np.ndarray, tagged: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Random splits, with a tenth of the tagged rows, at least one, each for validation and test.

    An item without a label has no relevant item, so that evaluation on it would say nothing.
    """
    size = len(tagged)
    if size < 3:
        raise ValueError(f"'splits' must be given for fewer than 3 items (got {size})")
    order, tenth = np.random.default_rng(seed).permutation(size), max(1, size // 10)
    test, validation = np.sort(tagged[order[:tenth]]), np.sort(tagged[order[tenth : 2 * tenth]])
    rest = np.setdiff1d(usable, test)
    train = np.setdiff1d(rest, validation)
    return {"train": train, "validation": validation, "test": test, "query": test, "database": rest}


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
