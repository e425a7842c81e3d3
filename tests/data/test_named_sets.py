"""Data sets by name, before they are read."""

import pytest

from labelgraph.data import DATASETS, load_dataset
from labelgraph.data.named_sets import check_dataset


def test_names_and_paths_that_are_there(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"")
    for name in ("openclipart", tmp_path, tmp_path / "a.npz"):
        check_dataset(name)


@pytest.mark.parametrize("call", [check_dataset, load_dataset])
def test_others_are_refused_with_the_nearest(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-data.npz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"'dataset' .* \(got 'openclpart'\); did you mean 'openclipart'"):
        call("openclpart")
    with pytest.raises(FileNotFoundError, match=r"my-dta\.npz: no such file or folder; did you mean 'my-data\.npz'"):
        call("my-dta.npz")
    with pytest.raises(FileNotFoundError, match=r"no such file or folder$"):
        call("nowhere/a.npz")


def test_a_set_of_ones_own_has_a_name(monkeypatch, make_data):
    data = make_data()
    monkeypatch.setitem(DATASETS, "mine", lambda: data)
    assert load_dataset("mine") is data
