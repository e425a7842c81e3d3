"""Settings of the training labels."""

import pytest
import torch

from labelgraph.data import CrossModalData, LabelNoise, drop_labels, hold_out_labels


@pytest.fixture
def data():
    labels = torch.eye(4).repeat(10, 1)
    labels[:, 0] = 1
    splits = {"train": range(20), "validation": range(20, 28), "test": range(28, 40)}
    return CrossModalData(torch.rand(40, 2), torch.rand(40, 3), labels, ["all", "cat", "dog", "tree"], splits)


def test_by_default_nothing_changes(data):
    noise = LabelNoise()
    assert noise.apply(data) is data and noise.describe(data) == [] and not noise.changes_labels


def test_labels_are_held_out_before_others_are_dropped(data):
    noise = LabelNoise(drop_labels=0.5, unseen_labels=("cat",), label_seed=3)
    wanted = drop_labels(hold_out_labels(data, ["cat"], 3), 0.5, 3)
    assert torch.equal(noise.apply(data).labels, wanted.labels) and noise.changes_labels
    unseen, missing = noise.describe(data)
    assert "1 of 4 labels (seed 3): cat." in unseen
    before, after = (int(each.labels[:20].sum()) for each in (hold_out_labels(data, ["cat"]), wanted))
    assert f"{before - after} of {before} labels" in missing and "share 0.5, seed 3" in missing


def test_items_that_are_left_out_are_told(data):
    (sentence,) = LabelNoise(unseen_labels=["all"]).describe(data)
    assert "5 training items" in sentence  # Every fourth item has the label "all" alone.


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        ({"drop_labels": 1.5}, "'drop_labels' .*1.5"),
        ({"unseen_labels": -1}, "'unseen_labels' .*-1"),
        ({"unseen_labels": "cat"}, "'unseen_labels' .*'cat'"),
        ({"label_seed": 0.5}, "'label_seed' .*0.5"),
    ],
)
def test_wrong_settings_are_refused(settings, facts):
    with pytest.raises(ValueError, match=facts):
        LabelNoise(**settings)


def test_many_labels_are_described_as_few_are(with_many_labels, make_data):
    data, noise = make_data(), LabelNoise(drop_labels=0.5, unseen_labels=1)
    few, many = noise.describe(data), noise.describe(with_many_labels(data))
    assert [each.replace("of 2000 labels", "of 5 labels") for each in many] == few and len(few) == 2
