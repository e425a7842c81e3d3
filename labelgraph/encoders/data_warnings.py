"""Warnings on items without a label or without a known word, with the reasons."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from labelgraph._core.reading import quoted


def warn_of_labels(tags: Sequence[Collection[str]], labels: sp.csr_array, left_out: int, min_count: int) -> None:
    """Warn of items without a label, rare tags, and items that are removed from the training split.

    Args:
        tags: Tags of each item.
        labels: Multi-hot labels, (N, C).
        left_out: Number of training items without a label.
        min_count: Minimum number of items with a tag for the tag to become a label.
    """
    bare = np.asarray(labels.sum(1)).ravel() == 0
    untagged = sum(not item_tags for item_tags in tags)
    rare = int(bare.sum()) - untagged
    dropped = len({tag for item_tags in tags for tag in item_tags}) - labels.shape[1]
    reasons = [f"{untagged} without tags"] if untagged else []
    reasons += [f"{rare} whose tags are rarer than {min_count} items ('min_tag_count')"] if rare else []
    if dropped:
        rare_tags = f"{_counted(dropped, 'tag')} with fewer than {min_count} items"
        _warn(f"{rare_tags} left out; {labels.shape[1]} became labels")
    if reasons:
        _warn(f"{_counted(int(bare.sum()), 'item')} of {len(tags)} {'has' if bare.sum() == 1 else 'have'} no label: "
              f"{', '.join(reasons)}")  # fmt: skip
    if left_out:
        _warn(f"{_counted(left_out, 'item')} without a label {'is' if left_out == 1 else 'are'} left out of the split "
              "'train'")  # fmt: skip


def warn_of_words(captions: Sequence[str], text: Any, encoder: Any) -> None:
    """Warn of captions without a word in the vocabulary of a bag of words.

    Args:
        captions: Caption of each item.
        text: Features of the captions.
        encoder: Encoder of the captions.
    """
    if not sp.issparse(text):
        return
    empty = np.diff(sp.csr_array(text).indptr) == 0
    rows = [row for row in np.flatnonzero(empty).tolist() if captions[row].strip()]
    if rows:
        first = quoted(captions[rows[0]], 60)
        _warn(f"{_counted(len(rows), 'caption')} of {len(captions)} without a known word, the first: {first}; "
              f"the vocabulary has {len(encoder.vocabulary)} words of enough captions ('min_word_count')")  # fmt: skip


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)
