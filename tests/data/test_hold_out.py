"""Holding out of training."""

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData, hold_out


def make(labels, **splits):
    size = len(labels)
    splits = splits or {"train": torch.arange(size)}
    return CrossModalData(torch.rand(size, 3), torch.rand(size, 2), labels, splits=splits)


@pytest.fixture
def rare():
    """30 items, of which items 7 and 23 are the only ones of a label."""
    labels = np.zeros((30, 4))
    labels[:, 0] = 1
    labels[7, 1] = labels[23, 2] = 1
    return labels


@pytest.mark.parametrize(("share", "wanted"), [(0.1, 3), (0.5, 15), (0.9, 27), (0.001, 1)])
def test_the_share_is_held_out_and_the_rest_trained_on(rare, share, wanted):
    data = make(rare[:, :1])
    held = hold_out(data, share)
    train, validation = held.splits["train"], held.splits["validation"]
    assert len(validation) == wanted and sorted(torch.cat([train, validation]).tolist()) == list(range(30))


def test_every_label_keeps_a_training_item(rare):
    data = make(rare)
    for seed in range(20):
        held = hold_out(data, 0.9, seed)
        assert held.split("train").labels.sum(0).tolist()[1:3] == [1, 1]
        assert held.split("train").labels[:, 0].any() and 27 >= len(held.splits["validation"]) >= 26


def test_other_splits_stay_and_other_items_are_not_drawn(rare):
    data = make(rare[:, :1], train=torch.arange(29, 9, -1), test=torch.arange(10))
    held = hold_out(data, 0.25, 3)
    assert held.splits["test"].tolist() == list(range(10)) and held.splits["validation"].min() >= 10
    assert len(held.splits["validation"]) == 5
    assert held.splits["train"].tolist() == sorted(held.splits["train"].tolist(), reverse=True)


def test_the_seed_decides(rare):
    first, again, other = (hold_out(make(rare), seed=seed).splits["validation"].tolist() for seed in (0, 0, 1))
    assert first == again != other


def test_every_item_is_drawn_as_often_as_another(rare):
    data, counts = make(rare[:, :1]), torch.zeros(30)
    for seed in range(600):
        counts[hold_out(data, 0.1, seed).splits["validation"]] += 1
    assert counts.sum() == 1800 and counts.min() > 30 and counts.max() < 95


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_wrong_share_is_refused(rare, share):
    with pytest.raises(ValueError, match="'share' must be between 0 and 1"):
        hold_out(make(rare), share)


def test_missing_and_present_splits_are_refused(rare):
    with pytest.raises(ValueError, match=r"a split 'train' and none called 'validation' \(got test\)"):
        hold_out(make(rare, test=[0]))
    with pytest.raises(ValueError, match=r"\(got train, validation\)"):
        hold_out(make(rare, train=[0, 1], validation=[2]))
    with pytest.raises(ValueError, match=r"whose labels others have too \(got none of 3\)"):
        hold_out(make(np.eye(3)))
