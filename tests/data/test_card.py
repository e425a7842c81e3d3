"""The data card against counting by hand."""

import json
from collections import Counter

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData, data_card, load_openclipart

NAMES = ["cat", "dog", "tree", "unicorn"]


@pytest.fixture
def spoiled():
    """Eight items with something of everything."""
    image = np.arange(24, dtype=np.float32).reshape(8, 3)
    image[:, 2] = 5
    image[5] = image[0]
    image[6] = image[1]
    image[3] = 0
    text = np.eye(8, 5, dtype=np.float32)  # The last three are all 0.
    text[5] = text[0]
    text[4] = text[2]
    labels = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0],
                       [1, 0, 1, 0]])  # fmt: skip
    present = np.ones((8, 2), bool)
    present[7] = [True, False]
    splits = {"train": [0, 1, 2, 7], "test": [3, 4, 5], "query": [5, 6, 2], "validation": [3]}
    return image, text, labels, present, splits


@pytest.mark.parametrize("as_sparse", [False, True])
def test_every_count_by_hand(spoiled, as_sparse):
    image, text, labels, present, splits = spoiled
    data = CrossModalData(image, sp.csr_array(text) if as_sparse else text, labels, NAMES, splits, present=present)
    card = data_card(data)
    assert card.items == 8
    assert (card.image.channels, card.image.constant, card.image.zero_rows, card.image.missing) == (3, 0, 1, 0)
    assert (card.image.lowest, card.image.highest) == (0, 22)
    assert card.image.zeros == pytest.approx((image == 0).mean())
    assert (card.text.sparse, card.text.zero_rows, card.text.missing, card.text.constant) == (as_sparse, 1, 1, 1)
    assert card.text.zeros == pytest.approx((text[:7] == 0).mean())
    assert card.labels.count == {"cat": 6, "tree": 3, "dog": 1, "unicorn": 0} and card.labels.never == ("unicorn",)
    assert list(card.labels.count) == ["cat", "tree", "dog", "unicorn"]
    assert card.labels.an_item == (10 / 8, 1, 2) and card.labels.without == 1
    assert card.labels.pairs == 2 / 6  # Cat and dog, cat and tree.
    assert card.splits["train"].items == 4 and card.splits["train"].count["tree"] == 2
    assert card.duplicates == {"image": 2, "text": 2, "both": 1}
    assert card.shared["train, test"] == {"items": 0, "image": 1, "text": 2, "both": 1}
    assert card.shared["train, query"] == {"items": 1, "image": 3, "text": 2, "both": 2}
    assert card.shared["validation, test"] == {"items": 1, "image": 0, "text": 1, "both": 0}
    assert card.leaks == (
        "1 of 3 items of 'test' have the same image features as an item of 'train', 1 also the same text",
        "1 of 3 items of 'query' are items of 'train' too",
        "3 of 3 items of 'query' have the same image features as an item of 'train', 2 also the same text",
        "1 of 3 items of 'test' are items of 'validation' too",
    )
    said = "\n".join(card.warnings[len(card.leaks) :])
    for part in ("2 of 3 items of 'test' have the same text as an item of 'train'",
                 "2 of 8 items have the same image feat",
                 "1 of 8 items have image features that are all 0", "1 of 5 text features have one value for all items",
                 "1 of 7 items have text features that are all 0", "1 of 8 items have no label",
                 "1 of 4 labels never occur: unicorn", "labels that occur, but not in 'test': dog"):  # fmt: skip
        assert part in said


def test_a_clean_set_has_no_warnings():
    data = CrossModalData(torch.rand(6, 3) + 0.1, torch.rand(6, 4) + 0.1, torch.ones(6, 1), ["thing"],
                          {"train": [0, 1, 2], "test": [3, 4, 5]})  # fmt: skip
    card = data_card(data)
    assert card.warnings == () == card.leaks and "none" in str(card)


def test_one_item():
    card = data_card(CrossModalData(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1)))
    assert card.labels.pairs == 0 and card.duplicates == {"image": 0, "text": 0, "both": 0}


def test_a_side_that_nobody_has():
    data = CrossModalData(torch.ones(2, 2), torch.ones(2, 3), torch.ones(2, 1), present=[[1, 0], [1, 0]])
    card = data_card(data)
    assert (card.text.missing, card.text.zero_rows, card.text.zeros) == (2, 0, 1) and card.duplicates["text"] == 0


def test_the_text_holds_what_the_values_hold(spoiled):
    image, text, labels, present, splits = spoiled
    card = data_card(CrossModalData(image, text, labels, NAMES, splits, present=present))
    shown = str(card)
    assert max(map(len, shown.splitlines())) <= 100
    for part in ("8 items, 4 labels", "cat 6, tree 3, dog 1, unicorn 0", "in test, of train", "from 0 to 22", *NAMES):
        assert part in shown
    unwrapped = " ".join(shown.split())
    assert all(warning in unwrapped for warning in card.warnings)
    assert json.loads(json.dumps(card.as_dict()))["shared"]["train, test"]["both"] == 1


def test_the_bundled_set_has_no_leaks():
    data = load_openclipart()
    card = data_card(data)
    assert card.leaks == () and card.duplicates["image"] == 0
    rows = [tuple(np.flatnonzero(row)) for row in data.text_rows().numpy()]  # The bag of words holds 0 and 1 alone.
    assert card.duplicates["text"] == len(rows) - len(set(rows))
    in_train = {rows[i] for i in data.splits["train"].tolist()}
    assert card.shared["train, test"]["text"] == sum(rows[i] in in_train for i in data.splits["test"].tolist())


def test_the_wikipedia_set_holds_images_twice(real_data):
    arrays = scipy.io.loadmat(real_data / "wikipedia" / "WikiData.mat")
    image, text, labels = (np.vstack([arrays[f"{side}_tr"], arrays[f"{side}_te"]]) for side in "ITL")
    data = CrossModalData(image, text, labels, splits={"train": range(2173), "test": range(2173, 2866)})
    rows = [row.tobytes() for row in data.image.numpy()]
    assert data_card(data).duplicates["image"] == sum(count - 1 for count in Counter(rows).values()) > 0
    assert data_card(data).shared["train, test"]["image"] == sum(row in set(rows[:2173]) for row in rows[2173:])


def test_labels_are_counted_by_their_training_items():
    labels = torch.zeros(50, 4)
    labels[:1, 0] = labels[:4, 1] = labels[:45, 2] = labels[45:, 3] = 1
    data = CrossModalData(
        torch.rand(50, 3), torch.rand(50, 3), labels, splits={"train": range(45), "test": range(45, 50)}
    )
    lines = str(data_card(data)).splitlines()
    place = lines.index("Labels by their number of training items")
    counts = dict(zip(lines[place + 1].split(), map(int, lines[place + 2].split()), strict=True))
    assert counts == {"0": 1, "1-2": 1, "3-5": 1, "6-11": 0, "12-39": 0, "40+": 1}


def test_a_long_list_of_labels_is_cut():
    data = CrossModalData(torch.rand(3, 3), torch.rand(3, 3), torch.eye(3, 30))
    (warning,) = [each for each in data_card(data).warnings if "never occur" in each]
    assert warning.startswith("27 of 30 labels never occur: ") and warning.endswith(" and 7 more")


def test_the_card_of_many_labels_counts_the_same_and_prints_both_ends(with_many_labels):
    data = load_openclipart()
    few, many = data_card(data), data_card(with_many_labels(data))
    assert {name: number for name, number in many.labels.count.items() if number} == few.labels.count
    assert len(many.labels.never) == 2000 - 71
    assert (many.labels.an_item, many.labels.without) == (few.labels.an_item, few.labels.without)
    assert round(many.labels.pairs * 2000 * 1999) == round(few.labels.pairs * 71 * 70)
    most = next(iter(few.labels.count))
    assert f"{most} {few.labels.count[most]:,}" in str(many) and "no 1928 0" in str(many)
    assert "50 most frequent of 2,000 labels" in str(many) and len(str(many).splitlines()) < 80
