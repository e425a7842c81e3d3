"""The container of image-text pairs."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData, drop_modalities, load_npz, save_npz

TEXT = np.array([[1.0, 0, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 4, 0], [5, 0, 0, 6]], dtype=np.float32)


def pairs(**changes):
    arguments = {
        "image": np.arange(15.0).reshape(5, 3),
        "text": TEXT,
        "labels": [[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]],
        "label_names": ["cat", "dog"],
        "splits": {"train": [4, 0, 2], "test": np.array([3], dtype=np.uint16)},
        "ids": list("abcde"),
        "titles": ["A", "B", "C", "D", "E"],
    }
    return CrossModalData(**arguments | changes)


def test_what_it_holds():
    data = pairs()
    assert (len(data), data.image_channels, data.text_channels, data.num_labels) == (5, 3, 4, 2)
    assert {data.image.dtype, data.text.dtype, data.labels.dtype} == {torch.float32}
    assert data.splits["test"].dtype == torch.long
    assert data.label_names == ("cat", "dog")
    assert repr(data) == "CrossModalData(5 pairs, image 3, text 4, 2 labels, splits: train 3, test 1)"


def test_defaults():
    data = pairs(label_names=(), ids=(), titles=(), splits={})
    assert data.label_names == ("label 0", "label 1")
    assert data.ids == data.titles == ("0", "1", "2", "3", "4")
    assert repr(data).endswith("2 labels)")
    assert pairs(titles=()).titles == tuple("abcde")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": np.zeros((4, 3))}, r"'image' must have a row per row of 'labels', 5 \(got 4\)"),
        ({"text": np.zeros((6, 3))}, r"'text' must have a row per row of 'labels', 5 \(got 6\)"),
        ({"text": sp.csr_array((6, 3))}, r"'text' must have a row per row of 'labels', 5 \(got 6\)"),
        ({"image": np.full((5, 3), np.nan)}, "'image' must be finite"),
        ({"text": np.zeros(5)}, "'text' must be a non-empty matrix"),
        ({"labels": np.full((5, 2), 3)}, r"'labels' must be 0 or 1 \(got 3 at row 0, column 0\)"),
        ({"labels": np.zeros((5, 0))}, "'labels' must have at least one row and one column"),
        ({"label_names": ["cat"]}, r"'label_names' must have 2 entries \(got 1\)"),
        ({"label_names": ["cat", "cat"]}, r"'label_names' must be distinct \(got 'cat' twice\)"),
        ({"ids": ["a"]}, r"'ids' must have 5 entries \(got 1\)"),
        ({"titles": ["A"] * 6}, r"'titles' must have 5 entries \(got 6\)"),
        ({"splits": {"train": []}}, "split 'train' must have at least one item"),
        ({"splits": {"train": [0, 5]}}, r"split 'train' must index 5 items \(got 0 to 5\)"),
        ({"splits": {"train": [-1, 0]}}, r"split 'train' must index 5 items \(got -1 to 0\)"),
        ({"splits": {"train": [1, 1, 1]}}, r"split 'train' must hold each item once \(got 2 repeats\)"),
        ({"splits": {"train": [0.0, 1.0]}}, "split 'train' must be a vector of whole numbers"),
        ({"splits": {"train": [True, False]}}, "split 'train' must be a vector of whole numbers"),
        ({"splits": {"train": [[0, 1]]}}, "split 'train' must be a vector of whole numbers"),
    ],
)
def test_wrong_arguments_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        pairs(**changes)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_sparse_text_stays_sparse_and_equals_dense(kind):
    dense, sparse = pairs(), pairs(text=sp.coo_array(TEXT).asformat(kind))
    assert isinstance(sparse.text, sp.csr_array)
    assert isinstance(sparse.split("train").text, sp.csr_array)
    assert torch.equal(sparse.text_rows(), dense.text)
    assert torch.equal(sparse.text_rows(slice(1, 4)), dense.text[1:4])
    assert torch.equal(sparse.text_rows(torch.tensor([4, 0])), dense.text_rows(torch.tensor([4, 0])))
    assert torch.equal(sparse.split("train").text_rows(), dense.split("train").text_rows())
    assert sparse.text_rows(torch.tensor([2])).shape == (1, 4)
    for data in (sparse, dense):
        assert torch.equal(data.text_rows([4, 0]), dense.text[[4, 0]])
        assert torch.equal(data.label_rows(np.array([4, 0])), dense.labels[[4, 0]])


@pytest.mark.parametrize("index", ["x", [0.5], [[0, 1]], [True, False], None])
def test_rows_are_numbers_or_a_slice(index):
    data = CrossModalData(torch.ones(3, 2), torch.ones(3, 2), torch.eye(3))
    for rows in (data.text_rows, data.label_rows):
        with pytest.raises(ValueError, match="'index' must be"):
            rows(index)


def test_sparse_image_and_sparse_labels_become_dense():
    data = pairs(image=sp.csr_array(TEXT), labels=sp.csc_array(pairs().labels.numpy()))
    assert torch.equal(data.image, torch.from_numpy(TEXT))
    assert torch.equal(data.labels, pairs().labels)


def test_a_split_keeps_the_order_of_its_indices():
    part = pairs().split("train")
    assert part.ids == ("e", "a", "c") and part.titles == ("E", "A", "C")
    assert part.image[:, 0].tolist() == [12, 0, 6]
    assert part.text.tolist() == TEXT[[4, 0, 2]].tolist()
    assert part.labels.tolist() == [[1, 0], [1, 0], [1, 1]]
    assert part.label_names == ("cat", "dog") and part.splits == {}


def test_select_of_one_item():
    part = pairs().select([3])
    assert len(part) == 1 and part.ids == ("d",) and part.labels.tolist() == [[0, 0]]


@pytest.mark.parametrize("index", [[5], [], [0, 0], [0.5]])
def test_select_refuses_a_wrong_index(index):
    with pytest.raises(ValueError, match="'index'"):
        pairs().select(index)


def test_unknown_split_names_those_there_are():
    with pytest.raises(ValueError, match=r"'name' must be one of the splits \['test', 'train'\] \(got 'dev'\)"):
        pairs().split("dev")


def test_other_splits_come_with_the_same_items_which_are_not_copied():
    data = pairs()
    other = data.with_splits({"query": [1, 0]})
    assert other.splits.keys() == {"query"} and other.rows("query").tolist() == [1, 0]
    assert data.splits.keys() == {"train", "test"}
    assert all(getattr(other, name) is getattr(data, name) for name in ("image", "text", "labels", "ids", "present"))


@pytest.mark.parametrize("index", [[5], [], [0, 0], [0.5]])
def test_other_splits_are_checked(index):
    with pytest.raises(ValueError, match="'query'"):
        pairs().with_splits({"query": index})


def test_one_pair_with_one_label():
    data = CrossModalData(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), splits={"test": [0]})
    assert data.split("test").labels.tolist() == [[1.0]]


def test_a_mapped_matrix_is_not_copied(tmp_path):
    np.save(tmp_path / "image.npy", np.arange(12, dtype=np.float32).reshape(4, 3))
    mapped = np.load(tmp_path / "image.npy", mmap_mode="c")
    data = CrossModalData(torch.from_numpy(mapped), np.ones((4, 2)), np.ones((4, 1)), splits={"train": [3, 1]})
    assert data.image.data_ptr() == mapped.ctypes.data
    assert data.rows("train").tolist() == [3, 1] and data.split("train").image[0].tolist() == [9, 10, 11]
    mapped[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"'image' must be finite \(got NaN or infinity in 1 rows, first row 3\)"):
        CrossModalData(torch.from_numpy(mapped), np.ones((4, 2)), np.ones((4, 1)))


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
        present = data.present[:, side]
        assert torch.equal(now[present], before[present]) and not now[~present].any() and (~present).sum() == 40
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
        (lambda: build(present=[[1, 1], [0, 0]]), r"'present' must give every item a side \(got 1 .*first row 1\)"),
        (lambda: build(text=np.full((2, 2), np.nan), present=[[1, 0], [1, 1]]), r"NaN or infinity in 1 rows, first"),
        (lambda: drop_modalities(build(splits={"train": [0]}), 1.2), r"'share' must be a number in \[0, 1\] .*1.2"),
        (lambda: drop_modalities(build(splits={"train": [0]}), 0.5, -1), r"'image_only' must be a number in \[0, 1\]"),
        (lambda: drop_modalities(build()), r"'data' must have a split 'train' \(got none\)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named_of_incomplete(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": list("abcda")}, r"'ids' must be distinct \(got 'a' twice\)"),
        ({"ids": ["a", "b", None, "d", "e"]}, r"'ids' must be texts \(got a missing value at 2\)"),
        ({"ids": ["a", "b", "c", "d", b"e"]}, r"'ids' must be texts \(got b'e' at 4\)"),
        ({"titles": [float("nan")] * 5}, r"'titles' must be texts \(got a missing value at 0\)"),
        ({"text": list("abcde")}, r"'text' must be a matrix of numbers \(got texts\)"),
        ({"text": sp.csr_array(TEXT.astype(complex))}, "'text' must be real numbers"),
        ({"image": np.ma.masked_equal(np.ones((5, 2)), 1)}, "'image' must have no masked values"),
        ({"image": set(range(5))}, "'image' must be an array"),
        ({"splits": {"train": [0], " TRAIN": [1]}}, r"'splits' must name each split once \(got ' TRAIN'"),
        ({"splits": [[0]]}, "'splits' must map names to row numbers"),
    ],
)
def test_kinds_without_meaning_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        pairs(**changes)


@pytest.mark.parametrize(
    "image", [np.arange(10.0).reshape(5, 2)[::-1], np.arange(10).reshape(5, 2).astype(">f4"), torch.rand(5, 2).half()]
)
def test_arrays_of_any_order_and_precision(image):
    wanted = image.float() if isinstance(image, torch.Tensor) else torch.from_numpy(image.astype(np.float32))
    assert torch.equal(pairs(image=image).image, wanted)


def test_sparse_tensors_and_sets_are_taken():
    data = pairs(text=torch.from_numpy(TEXT).to_sparse(), splits={"Train": {4, 0}, "VAL": [1]})
    assert sp.issparse(data.text) and np.array_equal(data.text.toarray(), TEXT)
    assert {name: rows.tolist() for name, rows in data.splits.items()} == {"train": [0, 4], "validation": [1]}
    assert data.rows("TRAIN").tolist() == [0, 4] and len(data.split("dev")) == 1


@pytest.mark.parametrize("sparse", [False, True])
def test_items_by_number_slice_and_loader(sparse):
    data = pairs(text=sp.csr_array(TEXT) if sparse else TEXT)
    for row in (0, -1, np.int64(2), torch.tensor(3)):
        pair = data[row]
        assert pair.id == data.ids[row] and pair.text.tolist() == TEXT[int(row)].tolist()
        assert torch.equal(pair.image, data.image[row]) and torch.equal(pair.labels, data.labels[row])
    assert data[1:3].ids == data.ids[1:3] and data[[4, 0]].ids == ("e", "a")
    assert len(list(data)) == 5
    with pytest.raises(IndexError):
        data[5]
    batch = next(iter(torch.utils.data.DataLoader(data, batch_size=3)))
    assert torch.equal(batch.image, data.image[:3]) and list(batch.id) == list("abc")


@pytest.mark.parametrize("sparse", [False, True])
def test_data_on_a_device(sparse):
    data = pairs(text=sp.csr_array(TEXT) if sparse else TEXT).to("meta")
    assert data.image.device.type == data.labels.device.type == data.present.device.type == "meta"
    assert data.text_rows(slice(2)).device.type == "meta" and len(data) == 5


def test_label_vectors_follow_the_data():
    vectors = torch.rand(3, 4)
    data = CrossModalData(
        torch.rand(5, 2), torch.rand(5, 2), torch.eye(5, 3), splits={"train": [0, 2]}, label_vectors=vectors
    )
    for other in (data.split("train"), data[1:3], data.to("cpu"), data.with_splits({})):
        assert torch.equal(other.label_vectors, vectors)


@pytest.mark.parametrize(
    ("vectors", "fact"), [(torch.rand(2, 4), "3 labels"), ([[1.0], [2.0], [float("nan")]], "finite")]
)
def test_label_vectors_that_do_not_fit_are_refused(vectors, fact):
    with pytest.raises(ValueError, match=f"'label_vectors' must .*{fact}"):
        CrossModalData(torch.rand(5, 2), torch.rand(5, 2), torch.eye(5, 3), label_vectors=vectors)


NAMES = [f"tag {number}" for number in range(3000)]
MANY = sp.csr_array((np.random.default_rng(3).random((40, 3000)) < 0.002).astype(float))
BY_NAME = [[NAMES[column] for column in MANY[row : row + 1].indices] for row in range(40)]


def many_labels(labels=MANY, **changes):
    arguments = {"label_names": NAMES, "splits": {"train": np.arange(30), "test": np.arange(30, 40)}}
    return CrossModalData(np.ones((40, 2)), np.ones((40, 3)), labels, **arguments | changes)


@pytest.mark.parametrize(
    "labels",
    [MANY, MANY.tocoo(), MANY.toarray().astype(bool), torch.from_numpy(MANY.toarray()).to_sparse_csr(), BY_NAME],
)
def test_many_labels_are_sparse_in_whatever_form_they_come(labels):
    data = many_labels(labels)
    assert isinstance(data.labels, sp.csr_array) and data.labels.dtype == np.float32
    assert (data.labels != MANY).nnz == 0
    assert (len(data), data.num_labels) == (40, 3000) and "3000 labels" in repr(data)


def test_many_labels_in_a_data_frame_are_sparse():
    pandas = pytest.importorskip("pandas")
    data = many_labels(pandas.DataFrame(MANY.toarray().astype(int), columns=NAMES), label_names=())
    assert (data.labels != MANY).nnz == 0 and data.label_names == tuple(NAMES)


def test_parts_of_data_with_many_labels():
    data, dense = many_labels(), torch.from_numpy(MANY.toarray()).float()
    index = torch.tensor([5, 2, 9])
    assert torch.equal(data.label_rows(index), dense[index]) and torch.equal(data.label_rows(), dense)
    sparse = data.label_rows(slice(3, 8), dense=False)
    assert sparse.layout == torch.sparse_csr and torch.equal(sparse.to_dense(), dense[3:8])
    assert torch.equal(data[7].labels, dense[7])
    for part, rows in ((data.split("test"), slice(30, 40)), (data.select(index), index), (data[3:8], slice(3, 8))):
        assert isinstance(part.labels, sp.csr_array) and torch.equal(part.label_rows(), dense[rows])
    assert (data.to("cpu").labels != MANY).nnz == 0


def test_rows_of_few_labels_are_dense_either_way():
    data = pairs()
    assert torch.equal(data.label_rows(), data.labels)
    assert torch.equal(data.label_rows(torch.tensor([2, 0]), dense=False), torch.tensor([[1.0, 1], [1, 0]]))


def test_many_labels_are_checked():
    wrong = MANY.copy()
    wrong.data[0] = 2
    with pytest.raises(ValueError, match=r"'labels' must be 0 or 1 \(got 2"):
        many_labels(wrong)
    with pytest.raises(ValueError, match="'label_names' must have 3000 entries"):
        many_labels(label_names=["a"])
