"""Items of which a side is missing."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData, drop_modalities, load_npz, save_npz


@pytest.mark.parametrize(
    ("share", "image_only", "counts"),
    [(0.8, 0.5, (20, 40, 40)), (0.5, 0.2, (50, 10, 40)), (0.0, 0.5, (100, 0, 0)), (1.0, 1.0, (0, 100, 0))],
)
def test_shares_of_the_training_items(make_data, share, image_only, counts):
    data = drop_modalities(make_data(size=200), share, image_only)
    kinds = [tuple(kind) for kind in data.split("train").present.tolist()]
    assert tuple(kinds.count(kind) for kind in ((True, True), (True, False), (False, True))) == counts
    assert data.split("validation").is_complete and data.split("test").is_complete


def test_missing_sides_are_zero_and_others_as_they_were(make_data):
    whole = make_data(size=200)
    data = drop_modalities(whole)
    for side, before, now in ((0, whole.image, data.image), (1, whole.text, data.text)):
        there = data.present[:, side]
        assert torch.equal(now[there], before[there]) and not now[~there].any() and (~there).sum() == 40
    assert torch.equal(data.labels, whole.labels) and "80 incomplete" in repr(data) and "incomplete" not in repr(whole)


def test_the_choice_is_the_seed_s(make_data):
    data = make_data()
    first, again, other = (drop_modalities(data, seed=seed).present for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_an_item_never_loses_both_sides(make_data):
    data = make_data()
    for seed in range(5):
        data = drop_modalities(data, 0.9, 0.5, seed)
    assert data.present.any(1).all()


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor, sp.csr_array], ids=["numpy", "torch", "sparse"])
def test_features_of_a_missing_side_are_not_looked_at(convert, tmp_path):
    text = np.array([[1.0, 2.0], [np.nan, 5.0], [0.0, 3.0]])
    present = [[1, 1], [1, 0], [0, 1]]
    data = CrossModalData(np.full((3, 2), 7.0), convert(text), np.eye(3), present=present)
    assert data.text_rows().tolist() == [[1, 2], [0, 0], [0, 3]]
    assert data.image.tolist() == [[7, 7], [7, 7], [0, 0]]
    assert data.select([2, 0]).present.tolist() == [[False, True], [True, True]]
    save_npz(data, tmp_path / "data.npz")
    again = load_npz(tmp_path / "data.npz")
    assert torch.equal(again.present, data.present) and torch.equal(again.image, data.image)


def build(**changes):
    return CrossModalData(**{"image": np.ones((2, 2)), "text": np.ones((2, 2)), "labels": np.eye(2)} | changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: build(present=[[1, 1]]), r"'present' must have the shape \(2, 2\), image and text \(got \(1, 2\)\)"),
        (lambda: build(present=[[1, 2], [1, 1]]), "'present' must be 0 or 1"),
        (lambda: build(present=[[1, 1], [0, 0]]), r"every item a side \(got 1 with none, first row 1\)"),
        (lambda: build(text=np.full((2, 2), np.nan), present=[[1, 0], [1, 1]]), r"NaN or infinity in 1 rows, first"),
        (lambda: drop_modalities(build(splits={"train": [0]}), 1.2), r"'share' must be in \[0, 1\] \(got 1.2\)"),
        (lambda: drop_modalities(build(splits={"train": [0]}), 0.5, -1), r"'image_only' must be in \[0, 1\]"),
        (lambda: drop_modalities(build()), r"'data' must have a split 'train' \(got none\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
