"""Ids, titles and labels that stay in memory: filters and results as a plain loop over the rows gives them."""

import numpy as np
import pytest

from labelgraph.search.stores.engine import Filter
from labelgraph.search.stores.lance_columns import Columns, read_columns

lancedb = pytest.importorskip("lancedb")
pa = pytest.importorskip("pyarrow")
IDS = [f"item {number}" for number in range(60)]
LABELS = [[label for label in range(5) if number % (label + 2) == 0] for number in range(60)]  # Many have none.
ROWS = [2**32 * (number % 3) + number for number in range(60)]  # As of three files, not in order.


@pytest.fixture
def columns():
    titles = [each.upper() if number % 2 else None for number, each in enumerate(IDS)]
    kinds = {"id": (IDS, pa.string()), "title": (titles, pa.string()), "labels": (LABELS, pa.list_(pa.int32())),
             "_rowid": (ROWS, pa.uint64())}  # fmt: skip
    whole = pa.table({name: pa.array(*values) for name, values in kinds.items()})
    return Columns(pa.concat_tables([whole.slice(0, 25), whole.slice(25)]))


@pytest.mark.parametrize("number", [60, 59, 20, 0])
@pytest.mark.parametrize("wanted", [None, [0], [1, 3, 4], [7], []])
@pytest.mark.parametrize("ids", [None, [*IDS[5:40], "unknown"], ["unknown"], []])
def test_filters(columns, number, wanted, ids):
    rows = np.sort(np.random.default_rng(0).permutation(ROWS)[:number])
    passing = [wanted is None or bool({*labels} & {*wanted}) for labels in LABELS]
    expected = [place for place, row in enumerate(rows) if passing[ROWS.index(row)]
                and (ids is None or IDS[ROWS.index(row)] in ids)]  # fmt: skip
    assert columns.passing(Filter(wanted, ids), rows).tolist() == expected


def test_ids_and_titles_of_rows(columns):
    ids, titles = columns.take(np.array([ROWS[9], ROWS[4], ROWS[41]]))
    assert ids == [IDS[9], IDS[4], IDS[41]] and titles == [IDS[9].upper(), None, IDS[41].upper()]


def test_columns_beyond_the_budget_are_not_read(tmp_path):
    rows = pa.table(
        {"id": IDS, "title": [f"{each} with a long title " * 4 for each in IDS], "labels": pa.array(LABELS)}
    )
    table = lancedb.connect(tmp_path).create_table("items", rows)
    assert read_columns(table, 12_000) is not None and read_columns(table, 6_000) is None  # 120 bytes a title.
