"""Captions by BM25, against the formula."""

import math

import numpy as np
import pytest

from labelgraph.encoders import words_of
from labelgraph.search.captions import Captions

pytest.importorskip("bm25s")

TITLES = ["a red bird on a red sea", "two blue fish", "the red sea", "nothing of it", "id"]
IDS = ["1", "2", "3", "4", "id"]


def bm25(text, titles, k1=1.5, b=0.75):
    """Robertson's form with the weight log(1 + (N - n + .5) / (n + .5)), as Lucene has it."""
    bags = [words_of(title) if title != each else [] for title, each in zip(titles, IDS, strict=True)]
    mean = np.mean([len(bag) for bag in bags])
    scores = []
    for bag in bags:
        score = 0.0
        for word in words_of(text):
            holding = sum(word in other for other in bags)
            weight = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
            count = bag.count(word)
            score += weight * count / (count + k1 * (1 - b + b * len(bag) / mean))
        scores.append(score)
    return np.array(scores)


@pytest.mark.parametrize("text", ["red", "red sea", "a blue bird", "Red RED fish", "zebra", ""])
def test_the_order_is_that_of_the_formula(text):
    scores = bm25(text, TITLES)
    wanted = [int(row) for row in np.argsort(-scores, kind="stable") if scores[row] > 0]
    captions = Captions(TITLES, IDS)
    assert captions.search(text, 10) == wanted
    assert captions.search(text, 1) == wanted[:1]
    assert captions.search(text, 10, np.array([1, 2])) == [row for row in wanted if row in (1, 2)]
