"""Merging of the parts of a data set."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph._core.parts import Part
from labelgraph.data import CrossModalData, load_folder, load_path, merge_parts, save_folder


def save_parts(data, folder, count=3, change=lambda number, part: part):
    """Save equal parts of the items, each with the splits of its items."""
    paths = []
    for part in (Part(number, count) for number in range(1, count + 1)):
        own = part.of(len(data))
        splits = {name: rows[(rows >= own.start) & (rows < own.stop)] - own.start for name, rows in data.splits.items()}
        piece = data.select(list(own)).with_splits({name: rows for name, rows in splits.items() if len(rows)})
        paths.append(part.beside(folder / "data"))
        save_folder(change(part.number, piece), paths[-1])
    return paths


def many_labels(size=30, labels=1500):
    generator = np.random.default_rng(0)
    hot = sp.csr_array((generator.random((size, labels)) < 0.01).astype(np.float32))
    text = sp.csr_array(generator.integers(0, 2, (size, 9)).astype(np.float32))
    vectors = torch.nn.functional.normalize(torch.rand(labels, 4))
    return CrossModalData(
        generator.random((size, 3), np.float32), text, hot, label_vectors=vectors,
        present=np.arange(size)[:, None] != [4, 28], splits={"train": range(0, 20, 2), "test": range(20, size)},
    )  # fmt: skip


@pytest.mark.parametrize("sparse", [True, False])
def test_parts_of_all_kinds_are_merged(make_data, tmp_path, sparse):
    data = many_labels() if sparse else make_data()
    paths = save_parts(data, tmp_path)
    merge_parts([str(path) for path in paths], tmp_path / "merged")
    merged = load_folder(tmp_path / "merged", memory_map=False)
    dense = [[*(torch.as_tensor(m.toarray() if sp.issparse(m) else m) for m in (d.text, d.labels))]
             for d in (data, merged)]  # fmt: skip
    assert all(map(torch.equal, *dense)) and torch.equal(data.image, merged.image)
    assert torch.equal(data.present, merged.present) and (data.ids, data.titles) == (merged.ids, merged.titles)
    assert (data.label_vectors is None) == (merged.label_vectors is None)
    assert sparse is False or torch.equal(data.label_vectors, merged.label_vectors)
    for name, rows in data.splits.items():
        assert sorted(merged.splits[name].tolist()) == sorted(rows.tolist())
    assert set(merged.splits) >= {"query", "database"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"label_names": list("abcdf")}, "label names"),
        ({"encoders": {"text": {"encoder": "bag-of-words", "vocabulary": ["other"]}}}, "encoders and vocabulary"),
        ({"image": torch.rand(20, 11)}, "image features"),
        ({"text": torch.rand(20, 8)}, "text features"),
        ({"text": sp.csr_array(torch.eye(20, 9).numpy())}, "dense or sparse form of the text features"),
    ],
)
def test_a_part_that_does_not_fit_is_named(make_data, tmp_path, change, named):
    paths = save_parts(make_data(), tmp_path, change=lambda number, p: replace(p, **change) if number == 2 else p)
    with pytest.raises(ValueError, match=rf"part-2-of-3: expected the {named} of .*part-1-of-3"):
        merge_parts(paths, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_an_item_in_two_parts_is_named(make_data, tmp_path):
    data = make_data()
    paths = save_parts(data, tmp_path, change=lambda number, p: replace(p, ids=[*data.ids[:20]]))
    with pytest.raises(ValueError, match=r"different items .got '0'"):
        merge_parts(paths, tmp_path / "merged")


def test_a_missing_part_is_named(make_data, tmp_path):
    paths = save_parts(make_data(), tmp_path)
    with pytest.raises(ValueError, match="got no part 2"):
        merge_parts([paths[0], paths[2]], tmp_path / "merged")
    with pytest.raises(FileNotFoundError, match="part-1-of-4"):
        merge_parts([Part(n, 4).beside(tmp_path / "data") for n in (4, 1, 2, 3)], tmp_path / "merged")


def test_a_file_holds_the_merged_parts(make_data, tmp_path):
    merge_parts(save_parts(make_data(), tmp_path), tmp_path / "new" / "merged.npz")
    assert torch.equal(load_path(tmp_path / "new" / "merged.npz").image, make_data().image)
    assert {path.name for path in tmp_path.iterdir() if "part" not in path.name} == {"new"}
