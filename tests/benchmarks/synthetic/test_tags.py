"""The synthetic set of many tags."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.synthetic.__main__ import main
from benchmarks.synthetic.tags import TagData, write_tags
from labelgraph.data import load_folder
from labelgraph.graph import cooccurrence_graph


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tags") / "data"
    write_tags(folder, items=20_000, num_labels=1500, seed=3, block=7000)
    return load_folder(folder)


def test_labels_are_sparse_five_an_item_and_all_occur(data):
    assert isinstance(data.labels, sp.csr_array) and data.labels.shape == (20_000, 1500)
    assert (np.diff(data.labels.indptr) == 5).all()
    assert (data.label_rows(data.rows("train")).sum(0) > 0).all()


def test_a_few_labels_are_frequent_and_most_are_rare(data):
    count = np.sort(np.asarray(data.labels.sum(0)))[::-1]
    assert count[:15].sum() > 0.1 * count.sum() > count[-500:].sum()


def test_labels_of_a_group_go_together_and_have_similar_vectors(data):
    graph = cooccurrence_graph(data.labels)
    group = np.array([name.split()[0] for name in data.label_names])
    source, target = group[graph.edge_index.numpy()]
    same = graph.edge_count.numpy()[source == target].sum() / graph.edge_count.sum().item()
    alike = group[:, None] == group
    assert same > 0.3 > 20 * alike.mean()
    cosine = (data.label_vectors @ data.label_vectors.t()).numpy()
    right = ((cosine * alike).sum(1) - 1) / (alike.sum(1) - 1).clip(1) > 0.2  # Two thirds of the names.
    assert 0.55 < right.mean() < 0.75
    assert cosine[alike & right & right[:, None]].mean() > 0.4 > 0.1 > abs(cosine[~alike].mean())


def test_features_of_items_that_share_labels_are_closer(data):
    image, text = data.image[:2000].numpy(), data.text[:2000].numpy()
    shared = (data.labels[:2000] @ data.labels[:2000].T).toarray() > 0
    np.fill_diagonal(shared, False)
    for side in (image, text):
        cosine = np.corrcoef(side)
        assert cosine[shared].mean() > cosine[~shared & ~np.eye(2000, dtype=bool)].mean() + 0.05


def test_rows_do_not_depend_on_blocks_or_size(data):
    rows = TagData(1500, seed=3).rows(4090, 4100)
    assert np.array_equal(rows.image, data.image[4090:4100].numpy())
    assert np.array_equal(rows.text, data.text[4090:4100].numpy())
    assert np.array_equal(rows.tags.ravel(), data.labels[4090:4100].indices)


def test_the_command_writes_a_set_with_splits(tmp_path, capsys):
    arguments = ["tags", "--labels", "2000", "--items", "1000", "--out", str(tmp_path / "tags")]
    assert main(arguments) == 0 and "Assumed: five tags" in capsys.readouterr().out
    data = load_folder(tmp_path / "tags")
    assert {name: len(rows) for name, rows in data.splits.items()} == {
        "train": 900, "validation": 50, "test": 50, "query": 50, "database": 950,
    }  # fmt: skip
    assert not set(data.rows("database").tolist()) & set(data.rows("query").tolist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tags", "--split", "dcmh"], "'--split' is not for tags"),
        (["mirflickr", "--labels", "500"], "'--labels' is not for mirflickr"),
    ],
)
def test_options_of_the_other_kind_are_refused(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([*arguments, "--out", str(tmp_path / "new")])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("sizes", [{"items": 5}, {"num_labels": 7}, {"block": 0}])
def test_sizes_that_are_too_small_are_refused(sizes, tmp_path):
    with pytest.raises(ValueError, match=f"'{next(iter(sizes)).removeprefix('num_')}' must be at least"):
        write_tags(tmp_path / "new", **sizes)
