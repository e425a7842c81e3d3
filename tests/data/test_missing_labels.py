"""Labels that training does not see."""

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData, drop_labels, hold_out_labels


def made(size=300, num_labels=6, density=0.4):
    rng = np.random.default_rng(0)
    labels = (rng.random((size, num_labels)) < density).astype(np.float32)
    labels[labels.sum(1) == 0, 0] = 1
    splits = {"train": range(0, 200), "validation": range(200, 240), "test": range(240, 300)}
    return CrossModalData(torch.rand(size, 2), torch.rand(size, 3), labels, list("abcdef"), splits)


def test_only_labels_of_training_items_are_dropped():
    data = made()
    dropped = drop_labels(data, 0.5)
    before, after = (each.labels[data.splits["train"]] for each in (data, dropped))
    assert (after <= before).all() and torch.equal(dropped.labels[200:], data.labels[200:])
    assert torch.equal(dropped.image, data.image) and dropped.splits.keys() == data.splits.keys()
    assert (after.sum(1) >= 1).all() and torch.equal(data.labels, made().labels)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_share_is_that_of_all_labels_but_the_last_of_an_item(share):
    data = made(num_labels=6, density=0.9)  # Hardly an item would lose all its labels.
    lost = 1 - drop_labels(data, share).labels[:200].sum() / data.labels[:200].sum()
    assert lost.item() == pytest.approx(share, abs=0.06)


def test_a_share_of_1_leaves_one_label_each_and_0_leaves_all():
    data = made()
    assert (drop_labels(data, 1.0).labels[:200].sum(1) == 1).all()
    assert torch.equal(drop_labels(data, 0.0).labels, data.labels)


def test_a_larger_share_removes_the_same_labels_and_more():
    data = made()
    some, more = drop_labels(data, 0.3).labels, drop_labels(data, 0.6).labels
    assert (more <= some).all() and more.sum() < some.sum()


def test_the_seed_decides():
    data = made()
    one, same, other = (drop_labels(data, 0.5, seed).labels for seed in (0, 0, 1))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_named_labels_leave_training_and_validation_and_stay_in_the_test():
    data = made()
    held_out = hold_out_labels(data, ["b", "e", "b"])
    for name in ("train", "validation"):
        labels = held_out.split(name).labels
        assert labels.sum(0).gt(0).tolist() == [True, False, True, True, False, True] and labels.any(1).all()
        others = data.split(name).labels[:, [0, 2, 3, 5]].any(1)
        assert torch.equal(held_out.splits[name], data.splits[name][others])  # Only these items are left.
    assert torch.equal(held_out.split("test").labels, data.split("test").labels)
    assert held_out.label_names == data.label_names


def test_a_number_of_labels_is_drawn_from_those_of_training_and_test():
    data = made()
    labels = data.labels.clone()
    labels[240:, 1] = 0  # The test has no "b",
    labels[:200, 4] = 0  # and the training no "e".
    labels[:200, 0] = 1
    data = CrossModalData(data.image, data.text_rows(), labels, data.label_names, data.splits)
    seen = set()
    for seed in range(12):
        has = hold_out_labels(data, 2, seed).split("train").labels.any(0)
        lost = {name for name, some, had in zip("abcdef", has, labels[:200].any(0), strict=True) if had and not some}
        assert len(lost) == 2
        seen |= lost
    assert seen == set("acdf")
    assert torch.equal(hold_out_labels(data, 2, 3).labels, hold_out_labels(data, 2, 3).labels)


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        (lambda data: drop_labels(data, 1.5), r"'share' must be a number in \[0, 1\] .*1\.5"),
        (lambda data: drop_labels(data.with_splits({"test": [0]})), "'data' must have a split 'train' .*test"),
        (lambda data: hold_out_labels(data.with_splits({}), 2), "'data' must have a split 'train' .*none"),
        (lambda data: hold_out_labels(data, 6), "'labels' must be 0 to 5.* 6"),
        (lambda data: hold_out_labels(data, -1), "'labels' must be 0 to 5.* -1"),
        (lambda data: hold_out_labels(data, ["z"]), "'labels' must be one of a, b.*'z'"),
        (lambda data: hold_out_labels(data, list("abcdef")), "'labels' must leave items of the split 'train'"),
    ],
)
def test_wrong_arguments_are_refused(call, facts):
    with pytest.raises(ValueError, match=facts):
        call(made())


def test_many_labels_are_dropped_and_held_out_as_few_are(with_many_labels):
    data = made()
    many = with_many_labels(data)
    for change in (
        lambda each: drop_labels(each, 0.6, seed=3),
        lambda each: hold_out_labels(each, 2, seed=1),
        lambda each: hold_out_labels(each, ["b", "e"]),
    ):
        few, changed = change(data), change(many)
        assert torch.equal(changed.label_rows()[:, :6], few.labels) and not torch.equal(few.labels, data.labels)
        assert {name: rows.tolist() for name, rows in changed.splits.items()} == {
            name: rows.tolist() for name, rows in few.splits.items()
        }
    assert torch.equal(many.label_rows()[:, :6], data.labels)
