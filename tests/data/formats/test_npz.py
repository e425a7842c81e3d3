"""The data file."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labelgraph.data import CrossModalData, load_npz, load_path, save_folder, save_npz

ARRAYS = {
    "image": np.arange(12, dtype=np.float32).reshape(4, 3),
    "text": np.eye(4, 5, dtype=np.float32),
    "labels": np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.uint8),
}


def written(tmp_path, drop=(), **changes):
    path = tmp_path / "data.npz"
    np.savez(path, **{key: value for key, value in (ARRAYS | changes).items() if key not in drop})
    return path


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_array], ids=["dense", "sparse"])
def test_round_trip(tmp_path, convert):
    data = CrossModalData(
        image=ARRAYS["image"] / 7,
        text=convert(ARRAYS["text"]),
        labels=ARRAYS["labels"],
        label_names=["sky", "été, 東"],
        splits={"train": [3, 1], "odd/name": [0]},
        ids=["a", "b", "c", "10"],
        titles=["", "two words", "ü", "|"],
        encoders={"text": {"encoder": "bag-of-words", "vocabulary": ["été", "b"]}},
    )
    save_npz(data, tmp_path / "data.npz")
    again = load_npz(str(tmp_path / "data.npz"))
    assert torch.equal(again.image, data.image)
    assert type(again.text) is type(data.text)
    assert torch.equal(again.text_rows(), data.text_rows())
    assert torch.equal(again.labels, data.labels)
    assert (again.label_names, again.ids, again.titles) == (data.label_names, data.ids, data.titles)
    assert again.encoders == data.encoders == again.split("train").encoders
    assert {name: index.tolist() for name, index in again.splits.items()} == {
        "train": [3, 1],
        "odd/name": [0],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


def test_saving_replaces_the_file(tmp_path):
    path = written(tmp_path)
    save_npz(CrossModalData(torch.ones(1, 2), torch.ones(1, 2), torch.ones(1, 1)), path)
    assert len(load_npz(path)) == 1


def test_only_the_required_keys(tmp_path):
    data = load_npz(written(tmp_path))
    assert data.label_names == ("label 0", "label 1") and data.splits == {}
    assert data.ids == data.titles == ("0", "1", "2", "3")


def test_quantised_image(tmp_path):
    codes = np.array([[0, 255, 10], [1, 2, 3], [0, 0, 0], [9, 8, 7]], dtype=np.uint8)
    scale = np.array([0.5, 2.0, 0.1], dtype=np.float32)
    data = load_npz(written(tmp_path, drop=["image"], image_codes=codes, image_scale=scale))
    slow = [[float(np.float32(code) * s) for code, s in zip(row, scale, strict=True)] for row in codes]
    assert data.image.tolist() == slow


def csr_parts(**changes):
    text = sp.csr_array(ARRAYS["text"])
    parts = {"text_data": text.data, "text_indices": text.indices, "text_indptr": text.indptr}
    return parts | {"text_shape": np.array(text.shape)} | changes


@pytest.mark.parametrize(
    ("drop", "changes", "message"),
    [
        (["labels"], {}, r"expected the key 'labels' \(got image, text\)"),
        (["image"], {}, r"expected the key 'image' \(got labels, text\)"),
        (["text"], {}, r"expected the key 'text' \(got image, labels\)"),
        (["image"], {"image_codes": ARRAYS["image"]}, "expected the key 'image_scale'"),
        (["text"], {"text_indptr": np.zeros(5)}, "expected the key 'text_data'"),
        ([], {"image_codes": ARRAYS["image"], "image_scale": np.ones(2)}, r"'image_scale' .*got \(2,\)"),
        ([], {"image": np.zeros((3, 3))}, "'image' must have a row per row of 'labels', 4"),
        ([], {"labels": np.full((4, 2), 7)}, "'labels' must be 0 or 1"),
        ([], {"split/train": np.array([9])}, "split 'train' must index 4 items"),
        ([], {"label_names": np.array(["one"])}, "'label_names' must have 2 entries"),
        ([], {"image": np.array([["a"]] * 4)}, "'image' must be a matrix of numbers"),
        (["text"], csr_parts(text_indices=np.array([0, 1, 2, 99])), "must be < 5|index"),
        (["text"], csr_parts(text_indptr=np.array([0, 1])), "index pointer size|indptr"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, drop, changes, message):
    path = written(tmp_path, drop, **changes)
    with pytest.raises(ValueError, match=message) as error:
        load_npz(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize("key", ["image", "labels", "ids"])
def test_pickled_arrays_are_refused(tmp_path, key):
    path = written(tmp_path, **{key: np.array([["a"], [1], [None], [2.0]], dtype=object)})
    with pytest.raises(ValueError, match=r"data\.npz: expected a readable .* without pickled arrays"):
        load_npz(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"data\.npz: expected a readable"):
        load_npz(path)


def test_every_damaged_byte_is_refused_or_harmless(tmp_path):
    data = CrossModalData(**{key: value[:2] for key, value in ARRAYS.items()})
    path = tmp_path / "data.npz"
    save_npz(data, path)
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[place] ^= 0x81
        path.write_bytes(damaged)
        try:
            again = load_npz(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
        else:
            assert torch.equal(again.image, data.image) and torch.equal(again.labels, data.labels)
    assert refused > len(content) / 3 / 3


def test_files_of_other_kinds_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    with path.open("wb") as file:
        np.save(file, np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"data\.npz: expected a readable"):
        load_npz(path)
    path.write_text("label,image")
    with pytest.raises(ValueError, match=r"data\.npz: expected a readable"):
        load_npz(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.npz: no such data file"):
        load_npz(tmp_path / "nothing.npz")


WRITTEN = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)  # NumPy ends texts at zeros.


@st.composite
def any_data(draw):
    size, image, text, labels = (draw(st.integers(1, 5)) for _ in range(4))
    numbers = st.floats(-(2.0**100), 2.0**100, width=32)
    features = draw(hnp.arrays(np.float32, (size, text), elements=numbers))
    return CrossModalData(
        draw(hnp.arrays(np.float32, (size, image), elements=numbers)),
        sp.csr_array(features) if draw(st.booleans()) else features,
        draw(hnp.arrays(np.uint8, (size, labels), elements=st.integers(0, 1))),
        draw(st.lists(WRITTEN, min_size=labels, max_size=labels, unique=True)),
        {draw(WRITTEN.filter(bool)): draw(st.permutations(range(size)))[: draw(st.integers(1, size))]},
        titles=draw(st.lists(WRITTEN, min_size=size, max_size=size)),
    )


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(data=any_data(), save=st.sampled_from([save_npz, save_folder]))
def test_any_data_come_back_as_they_were_saved(data, save):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("data.npz" if save is save_npz else "data")
        save(data, path)
        again = load_path(path)
        assert torch.equal(again.image, data.image) and torch.equal(again.labels, data.labels)
        assert torch.equal(again.text_rows(), data.text_rows()) and type(again.text) is type(data.text)
        assert (again.label_names, again.ids, again.titles) == (data.label_names, data.ids, data.titles)
        assert {k: v.tolist() for k, v in again.splits.items()} == {k: v.tolist() for k, v in data.splits.items()}


def test_label_vectors_are_kept(tmp_path):
    vectors = np.random.default_rng(0).random((2, 3)).astype(np.float32)
    data = CrossModalData(**ARRAYS, label_vectors=vectors)
    save_npz(data, tmp_path / "data.npz")
    assert np.array_equal(load_npz(tmp_path / "data.npz").label_vectors, vectors)
    save_npz(CrossModalData(**ARRAYS), tmp_path / "data.npz")
    assert load_npz(tmp_path / "data.npz").label_vectors is None


def test_label_vectors_that_do_not_fit_are_refused_with_the_file(tmp_path):
    with pytest.raises(ValueError, match=r"data\.npz: 'label_vectors' must have a row for each of 2 labels \(got 3\)"):
        load_npz(written(tmp_path, label_vectors=np.eye(3)))


def test_many_labels_are_written_and_read_sparse(tmp_path, make_data, with_many_labels):
    data = with_many_labels(make_data())
    save_npz(data, tmp_path / "many.npz")
    again = load_npz(tmp_path / "many.npz")
    assert isinstance(again.labels, sp.csr_array) and (again.labels != data.labels).nnz == 0
    assert set(np.load(tmp_path / "many.npz")) >= {"labels_data", "labels_indices", "labels_indptr", "labels_shape"}
    assert again.label_names == data.label_names


def test_few_labels_may_be_in_parts(tmp_path):
    labels = sp.csr_array(ARRAYS["labels"])
    parts = {f"labels_{part}": getattr(labels, part) for part in ("data", "indices", "indptr", "shape")}
    assert load_npz(written(tmp_path, ["labels"], **parts)).labels.tolist() == ARRAYS["labels"].tolist()
    with pytest.raises(ValueError, match=r"data\.npz: .*'labels' must be CSR parts"):
        load_npz(written(tmp_path, ["labels"], **{**parts, "labels_shape": np.array([9, 2])}))
