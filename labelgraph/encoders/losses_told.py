"""Warnings that tell how many items lost labels or words on the way into a data set, and why."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.reading import quoted


def tell_labels(tags: Sequence[Collection[str]], labels: sp.csr_array, left_out: int, min_count: int) -> None:
    """Tell of items without a label, of rare tags, and of training items that are left out of training.

    Args:
        tags: Of each item.
        labels: Of each item, (N, C).
        left_out: How many training items have no label.
        min_count: How many items must have a tag for it to become a label.
    """
    bare = np.asarray(labels.sum(1)).ravel() == 0
    untagged = sum(not each for each in tags)
    rare = int(bare.sum()) - untagged
    dropped = len({tag for each in tags for tag in each}) - labels.shape[1]
    told = [f"{untagged} without tags"] if untagged else []
    told += [f"{rare} whose tags fewer than {min_count} items share ('min_tag_count')"] if rare else []
    if dropped:
        _warn(f"{_counted(dropped, 'tag')} of fewer than {min_count} items became no label; {labels.shape[1]} did")
    if told:
        _warn(f"{_counted(int(bare.sum()), 'item')} of {len(tags)} {'has' if bare.sum() == 1 else 'have'} no label: "
              f"{', '.join(told)}")  # fmt: skip
    if left_out:
        _warn(f"{_counted(left_out, 'item')} without a label {'is' if left_out == 1 else 'are'} left out of the split "
              "'train'")  # fmt: skip


def tell_words(captions: Sequence[str], text: Any, encoder: Any) -> None:
    """Tell of captions that a bag of words knows no word of.

    Args:
        captions: Of each item.
        text: Features of the captions.
        encoder: That made them.
    """
    if not sp.issparse(text):
        return
    empty = np.diff(sp.csr_array(text).indptr) == 0
    rows = [row for row in np.flatnonzero(empty).tolist() if captions[row].strip()]
    if rows:
        first = quoted(captions[rows[0]], 60)
        _warn(f"{_counted(len(rows), 'caption')} of {len(captions)} without a known word, the first: {first}; "
              f"{len(encoder.vocabulary)} words are known, those of enough captions ('min_word_count')")  # fmt: skip


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)
