"""Ids, titles and labels as people have them in hand."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from labelgraph.search import Searcher, build_index
from labelgraph.search.items import as_names
from tests.search.probable import Probable, pictures


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ("12", ["12"]), (12, ["12"]), (["12", 3], ["12", "3"]), (np.array([1, 2]), ["1", "2"]),
        (torch.tensor([1, 2]), ["1", "2"]), (torch.tensor(7), ["7"]), ([torch.tensor(7), np.int64(8)], ["7", "8"]),
        (np.array(["a", "b"]), ["a", "b"]), (range(2), ["0", "1"]), ((each for each in "ab"), ["a", "b"]), ([], []),
        ({"a"}, ["a"]),
    ],
)  # fmt: skip
def test_names(values, names):
    assert as_names("ids", values) == names


NO_NAMES = [b"12", [b"12"], [None], None, [1.5], [float("nan")], [True], {"a": 1}, 2.5, ["\ud800"]]


@pytest.mark.parametrize("values", NO_NAMES)
def test_what_is_no_name_is_refused(values):
    with pytest.raises(ValueError, match=r"'ids' must be texts or whole numbers \(got "):
        as_names("ids", values)


def test_one_id_as_a_text_is_one_id():
    searcher = Searcher(Probable()).fit(pictures())
    assert searcher.search(text=["caw"], ids="bird 1").ids == [["bird 1"]]
    assert searcher.search(text=["caw"], labels="tree", k=1).ids == [["tree 2"]]
    two, refused = pictures().image[:2], r"must be in the order of the rows .got a set"
    with pytest.raises(ValueError, match=f"'ids' {refused}"):
        searcher.add({"x", "y"}, image=two)
    with pytest.raises(ValueError, match=f"'titles' {refused}"):
        searcher.upsert(["x", "y"], image=two, titles={"first", "second"})
    with pytest.raises(ValueError, match=f"'like' {refused}"):
        searcher.search(like={"bird 1", "tree 2"})


@pytest.mark.parametrize("index", ["exact", "faiss-flat", "faiss-ivf", "faiss-hnsw"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda searcher: pickle.loads(pickle.dumps(searcher))])
def test_a_copy_is_another_searcher(index, copied):
    if index.startswith("faiss"):
        pytest.importorskip("faiss")
    searcher = Searcher(Probable(), index).fit(pictures())
    other, before = copied(searcher), searcher.search(text=["caw"], k=8).ids
    assert repr(other) == repr(searcher) and other.search(text=["caw"], k=8).ids == before
    other.remove("bird 1")
    other.add("new", image=pictures().image[0])
    assert searcher.search(text=["caw"], k=8).ids == before
    assert "new" in other.search(text=["caw"], k=8).ids[0]


def test_copies_are_whole_while_another_thread_changes_the_searcher():
    searcher, data = Searcher(Probable()).fit(pictures()), pictures()

    def change():
        for _ in range(100):
            searcher.add(["x", "y"], image=data.image[:2], text=data.text[:2])
            searcher.remove(["x", "y"])

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(change)
        sizes, sides = set(), ("pictures", "texts")
        while not done.done():
            other = copy.deepcopy(searcher)
            sizes.add(tuple(len(other.search(text=["caw"], k=99, within=each).ids[0]) for each in sides))
        done.result()
    assert sizes <= {(8, 8), (10, 10)}


def test_settings_of_numpy_are_taken():
    pytest.importorskip("faiss")
    build_index("faiss-hnsw", num_links=np.int64(4))
    searcher = Searcher(Probable()).fit(pictures())
    assert len(searcher.search(text=["caw"], k=np.int32(3)).ids[0]) == 3
