"""The own folder of arrays."""

import json
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData, folder_writer, load_dataset, load_folder, save_folder


def pairs(sparse_text=False, sparse_labels=False, **changes):
    random = np.random.default_rng(0)
    text = random.random((6, 4)).astype(np.float32)
    labels = np.eye(6, 40) if sparse_labels else np.array([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])
    arguments = {
        "image": random.random((6, 3)).astype(np.float32),
        "text": sp.csr_array(text * (text > 0.5)) if sparse_text else text,
        "labels": labels, "splits": {"train": [3, 1], "odd/name %": [0]}, "ids": ["a", "b", "c", "d", "e", "10"],
        "titles": ["", "two\nwords", "ü", "|", "x", "y"], "encoders": {"text": {"encoder": "bag", "vocabulary": ["é"]}},
        "present": np.array([[1, 1]] * 5 + [[1, 0]]),
    }  # fmt: skip
    return CrossModalData(**(arguments | changes))


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("sparse_text", [True, False])
@pytest.mark.parametrize("sparse_labels", [True, False])
def test_round_trip(tmp_path, memory_map, sparse_text, sparse_labels):
    data = pairs(sparse_text, sparse_labels)
    save_folder(data, tmp_path / "mine")
    again = load_folder(tmp_path / "mine", memory_map)
    assert torch.equal(again.image, data.image) and torch.equal(again.text_rows(), data.text_rows())
    assert torch.equal(again.labels, data.labels) and torch.equal(again.present, data.present)
    assert type(again.text) is type(data.text)
    for attribute in ("label_names", "ids", "titles", "encoders"):
        assert getattr(again, attribute) == getattr(data, attribute)
    assert {name: index.tolist() for name, index in again.splits.items()} == {"train": [3, 1], "odd/name %": [0]}
    assert bool(list((tmp_path / "mine").glob("labels_indptr-*.npy"))) == sparse_labels
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert torch.equal(load_dataset(tmp_path / "mine").image, data.image)


def test_a_text_without_any_word(tmp_path):
    data = pairs(text=sp.csr_array((6, 4)))
    save_folder(data, tmp_path / "mine")
    assert load_folder(tmp_path / "mine").text.nnz == 0


def test_arrays_are_mapped_and_changes_stay_in_memory(tmp_path):
    save_folder(pairs(present=None), tmp_path / "mine")
    (file,) = (tmp_path / "mine").glob("image-*.npy")
    before = file.read_bytes()
    data = load_folder(tmp_path / "mine")
    if Path("/proc/self/maps").exists():
        maps = Path("/proc/self/maps").read_text().splitlines()
        ranges = [line.split()[0].split("-") for line in maps if f"mine/{file.name}" in line]
        assert any(int(start, 16) <= data.image.data_ptr() < int(end, 16) for start, end in ranges)
    data.image[0] = 7.0
    assert file.read_bytes() == before
    assert load_folder(tmp_path / "mine").image[0, 0] != 7.0


def test_saving_replaces_a_folder_and_only_such(tmp_path):
    save_folder(pairs(True), tmp_path / "mine")
    save_folder(pairs(False), tmp_path / "mine")
    assert isinstance(load_folder(tmp_path / "mine").text, torch.Tensor)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    with pytest.raises(ValueError, match=r"photos: expected a folder with data\.json, or nothing"):
        save_folder(pairs(), tmp_path / "photos")
    assert (tmp_path / "photos" / "a.jpg").exists()


def test_an_interrupted_writer_leaves_what_was_there(tmp_path):
    save_folder(pairs(), tmp_path / "mine")
    kinds = {"image": ((9, 2), "f4"), "text": ((9, 2), "f4"), "labels": ((9, 1), "u1")}
    with pytest.raises(KeyboardInterrupt), folder_writer(tmp_path / "mine", kinds) as arrays:
        arrays["image"][:4] = 1
        raise KeyboardInterrupt
    assert len(load_folder(tmp_path / "mine")) == 6 and [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_writer_takes_blocks_of_sparse_parts(tmp_path):
    text = sp.random(50, 8, 0.2, format="csr", random_state=0, dtype=np.float32)
    kinds = {
        "image": ((50, 2), "f4"), "labels": ((50, 3), "u1"), "text_data": ((text.nnz,), "f4"),
        "text_indices": ((text.nnz,), "i4"), "text_indptr": ((51,), "i4"),
    }  # fmt: skip
    with folder_writer(tmp_path / "mine", kinds, shapes={"text": (50, 8)}, label_names=list("abc")) as arrays:
        for start in range(0, 50, 7):
            block = text[start : start + 7]
            place, rows = text.indptr[start], slice(start + 1, start + 1 + block.shape[0])
            arrays["text_data"][place : place + block.nnz] = block.data
            arrays["text_indices"][place : place + block.nnz] = block.indices
            arrays["text_indptr"][rows] = place + block.indptr[1:]
    np.testing.assert_array_equal(load_folder(tmp_path / "mine").text.toarray(), text.toarray())
    with pytest.raises(ValueError, match=r"'arrays' must be among .*got pictures"):
        folder_writer(tmp_path / "mine", {"pictures": ((1, 1), "f4")}).__enter__()


def write_by_hand(data, folder):
    """The files that the documentation lists for folders that other programs write."""
    (folder / "splits").mkdir(parents=True)
    arrays = {"image": data.image.numpy(), "labels": data.labels.numpy(), "present": data.present.numpy()}
    text = data.text
    parts = {"text": text.numpy()} if isinstance(text, torch.Tensor) else {
        f"text_{part}": getattr(text, part) for part in ("data", "indices", "indptr")
    }  # fmt: skip
    for name, array in (arrays | parts).items():
        np.save(folder / f"{name}.npy", array)
    for name, index in data.splits.items():
        np.save(folder / "splits" / f"{quote(name, safe='')}.npy", index.numpy())
    names = {key: list(getattr(data, key)) for key in ("label_names", "ids", "titles")}
    shapes = {"text": list(text.shape)}
    (folder / "data.json").write_text(json.dumps({"shapes": shapes, "encoders": data.encoders, **names}))


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("sparse_text", [True, False])
def test_a_folder_written_by_hand(tmp_path, memory_map, sparse_text):
    data = pairs(sparse_text)
    write_by_hand(data, tmp_path / "mine")
    again = load_folder(tmp_path / "mine", memory_map)
    for attribute in ("label_names", "ids", "titles", "encoders"):
        assert getattr(again, attribute) == getattr(data, attribute)
    assert torch.equal(again.image, data.image) and torch.equal(again.text_rows(), data.text_rows())
    assert {name: index.tolist() for name, index in again.splits.items()} == {"train": [3, 1], "odd/name %": [0]}
    with pytest.raises(ValueError, match=r"data\.json: .*move it away"):
        save_folder(pairs(image=np.ones((6, 3))), tmp_path / "mine")


def change_settings(folder, **changes):
    settings = json.loads((folder / "data.json").read_text())
    (folder / "data.json").write_text(json.dumps(settings | changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: np.save(f / "image.npy", np.array([["a", {}]], dtype=object)), r"image\.npy: .*without pickled"),
        (lambda f: np.save(f / "image.npy", np.ones((5, 3))), r"mine: 'image' must have a row per row"),
        (lambda f: np.save(f / "labels.npy", np.full((6, 2), 2)), r"mine: 'labels' must be 0 or 1"),
        (lambda f: np.save(f / "text_indices.npy", np.full(13, 99, np.int32)), r"mine: 'text' must be CSR parts"),
        (lambda f: np.save(f / "text_indptr.npy", np.zeros(3, np.int32)), r"text_indptr\.npy: expected the shape"),
        (lambda f: change_settings(f, shapes={}), r"data\.json: 'shapes' must give the two sides of the sparse 'text'"),
        (lambda f: change_settings(f, ids=[1, 2]), r"data\.json: 'ids' must be a list of texts"),
        (lambda f: change_settings(f, label_names=["x"]), r"mine: 'label_names' must have 2 entries"),
        (lambda f: change_settings(f, version=3), r"data\.json: expected an object of version 1"),
        (lambda f: (f / "data.json").write_text("{"), r"data\.json: expected JSON"),
        (lambda f: np.save(f / "splits" / "train.npy", np.array([9], np.uint64)), "split 'train' must index 6 items"),
    ],
)  # fmt: skip
def test_errors_name_the_file(tmp_path, change, message):
    write_by_hand(pairs(sparse_text=True), tmp_path / "mine")
    change(tmp_path / "mine")
    with pytest.raises(ValueError, match=message) as error:
        load_folder(tmp_path / "mine")
    assert str(error.value).startswith(str(tmp_path / "mine"))


def test_a_header_of_more_than_the_file_is_refused_before_it_is_read(tmp_path):
    write_by_hand(pairs(), tmp_path / "mine")
    path = tmp_path / "mine" / "image.npy"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"(6, 3)", b"(6, 1073741824)").replace(b" " * 12, b"  ", 1))
    for memory_map in (True, False):
        with pytest.raises(ValueError, match=r"image\.npy: expected a readable \.npy file"):
            load_folder(tmp_path / "mine", memory_map)


@pytest.mark.parametrize("name", ["data.json", "image.npy", "text.npy", "labels.npy"])
def test_a_missing_file_is_named(tmp_path, name):
    write_by_hand(pairs(), tmp_path / "mine")
    (tmp_path / "mine" / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_folder(tmp_path / "mine")


@pytest.mark.parametrize("name", ["image", "text", "labels", "names", "splits-train"])
@pytest.mark.parametrize("damage", ["flip", "cut", "missing"])
def test_a_damaged_file_of_a_version_is_named(tmp_path, name, damage):
    save_folder(pairs(), tmp_path / "mine")
    (file,) = (tmp_path / "mine").glob(f"{name}-*")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content if damage == "flip" else content[:-1])
    if damage == "missing":
        file.unlink()
    with pytest.raises(FileNotFoundError if damage == "missing" else ValueError, match=file.name) as error:
        load_folder(tmp_path / "mine", memory_map=False)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("indptr", [[0, 5, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1, 2], [-1, 0, 0, 0, 0, 0, 0]])
def test_rows_of_sparse_parts_are_checked_where_no_entry_is(tmp_path, indptr):
    write_by_hand(pairs(text=sp.csr_array((6, 4), dtype=np.float32)), tmp_path / "mine")
    np.save(tmp_path / "mine" / "text_indptr.npy", np.array(indptr, np.int32))
    with pytest.raises(ValueError, match=r"mine: 'text' must be CSR parts"):
        load_folder(tmp_path / "mine")


@pytest.mark.parametrize("memory_map", [True, False])
def test_label_vectors_are_kept(tmp_path, memory_map):
    vectors = np.random.default_rng(0).random((2, 3)).astype(np.float32)
    save_folder(pairs(label_vectors=vectors), tmp_path / "mine")
    assert np.array_equal(load_folder(tmp_path / "mine", memory_map).label_vectors, vectors)
    save_folder(pairs(), tmp_path / "mine")
    assert load_folder(tmp_path / "mine", memory_map).label_vectors is None


@pytest.mark.parametrize("memory_map", [True, False])
def test_many_labels_are_written_and_read_sparse(tmp_path, memory_map, make_data, with_many_labels):
    data = with_many_labels(make_data())
    save_folder(data, tmp_path / "many")
    again = load_folder(tmp_path / "many", memory_map)
    assert isinstance(again.labels, sp.csr_array) and (again.labels != data.labels).nnz == 0
