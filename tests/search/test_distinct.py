"""Equal rows once."""

import numpy as np

from labelgraph.search.distinct import DistinctRows


def test_positions_of_equal_rows_are_spread_in_order():
    rows = np.random.default_rng(0).integers(0, 3, (50, 2)).astype(np.float32)
    distinct, first = DistinctRows(), []
    for start in range(0, 50, 20):
        first += (start + distinct.add(rows[start : start + 20])).tolist()
    unique = rows[first]
    assert len(unique) == len(distinct) == len(np.unique(rows, axis=0))
    number = np.array([[(unique == row).all(1).argmax() for row in unique]])
    assert number.tolist() == [list(range(len(unique)))]
    order = np.random.default_rng(1).permutation(len(unique))[None]
    scores, positions = distinct.spread(order.astype(float), order, 60)
    assert sorted(positions[0, :50].tolist()) == list(range(50)) and (positions[0, 50:] == -1).all()
    for score, position in zip(scores[0, :50], positions[0, :50], strict=True):
        assert (unique[int(score)] == rows[position]).all()
    for number_ in order[0]:  # Equal rows by position.
        same = positions[0, :50][scores[0, :50] == number_]
        assert same.tolist() == sorted(same)


def test_numbers_that_were_not_found_are_left_out():
    distinct = DistinctRows()
    distinct.add(np.array([[1], [2], [1]]))
    scores, positions = distinct.spread(np.array([[0.5, 0.0]]), np.array([[0, -1]]), 3)
    assert positions.tolist() == [[0, 2, -1]] and scores[0, :2].tolist() == [0.5, 0.5]
