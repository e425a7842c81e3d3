"""Exact search by reading a table of LanceDB in blocks: the results of a matrix of all scores."""

from datetime import timedelta

import numpy as np
import pytest

from labelgraph.search.stores import lance_scan

lancedb = pytest.importorskip("lancedb")
pa = pytest.importorskip("pyarrow")


def table_of(folder, vectors):
    """Write rows in three files, of which each seventh row is deleted; return a version of the table and its rows."""
    kind = pa.uint8() if vectors.dtype == np.uint8 else pa.float32()
    database = lancedb.connect(folder, read_consistency_interval=timedelta(0))
    for part in np.array_split(np.arange(len(vectors)), 3):
        matrix = pa.FixedSizeListArray.from_arrays(pa.array(vectors[part].reshape(-1), kind), vectors.shape[1])
        rows = pa.table({"number": part, "vector": matrix})
        table = database.open_table("items") if part[0] else database.create_table("items", rows)
        if part[0]:
            table.add(rows)
    table.delete("number % 7 = 0")
    return lancedb.connect(folder).open_table("items"), np.flatnonzero(np.arange(len(vectors)) % 7)


def vectors_of(codes, number, seed):
    generator = np.random.default_rng(seed)
    if codes:
        return generator.integers(0, 256, (number, 3), dtype=np.uint8)
    return generator.standard_normal((number, 6)).astype(np.float32)


def nearest(table, queries, k, where):
    return lance_scan.nearest_rows(lance_scan.read_blocks(table, "vector", where), queries, k)


@pytest.mark.parametrize("codes", [False, True])
@pytest.mark.parametrize(("k", "where", "most"), [(5, "", 100), (200, "", 100), (5, "number < 20", 20)])
def test_blocks_give_the_nearest_of_all_rows(tmp_path, monkeypatch, codes, k, where, most):
    monkeypatch.setattr(lance_scan, "BLOCK_ROWS", 8)
    held, queries = vectors_of(codes, 100, 0), vectors_of(codes, 4, 1)
    table, left = table_of(tmp_path, held)
    distances, rows = nearest(table, queries, k, where)
    left = left[left < most]
    unlike = np.unpackbits(queries[:, None] ^ held[left], axis=2).sum(2) if codes else -queries @ held[left].T
    np.testing.assert_allclose(distances, np.sort(unlike, axis=1)[:, :k], rtol=1e-5, atol=1e-6)
    distinct, places = np.unique(rows, return_inverse=True)
    taken = lance_scan.take(table, distinct, ["number", "vector"])
    numbers = taken["number"].to_numpy()[places].reshape(rows.shape)
    place_of = {number: place for place, number in enumerate(left.tolist())}
    found = np.take_along_axis(unlike, np.vectorize(place_of.get)(numbers), 1)
    np.testing.assert_allclose(found, distances, rtol=1e-5, atol=1e-6)
    assert all(len(set(row)) == min(k, len(left)) for row in numbers.tolist())


def test_no_row_passes(tmp_path):
    table, _ = table_of(tmp_path, vectors_of(False, 30, 0))
    distances, rows = nearest(table, vectors_of(False, 2, 1), 3, "number > 1000")
    assert distances.shape == rows.shape == (2, 0)
    assert len(lance_scan.take(table, rows.reshape(-1), ["number"])) == 0


def test_a_version_stays_while_other_rows_are_written(tmp_path):
    held = vectors_of(True, 60, 0)
    table, _ = table_of(tmp_path, held)
    other = lancedb.connect(tmp_path).open_table("items")
    before = nearest(table, held[:2], 9, "")
    other.delete("number > 10")
    other.optimize()
    after = nearest(table, held[:2], 9, "")
    np.testing.assert_array_equal(before[1], after[1])
    assert len(lance_scan.take(table, np.unique(after[1]), ["number"])) == len(np.unique(after[1]))
