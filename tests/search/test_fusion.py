"""Reciprocal rank fusion by hand."""

import pytest

from labelgraph.search.fusion import reciprocal_rank_fusion


def test_ranks_add_up():
    result = reciprocal_rank_fusion([[["a", "b", "c"], ["x", "y", "z"]], [["c", "a"], ["y", "x", "w"]]], 3)
    assert result.ids == [["a", "c", "b"], ["x", "y", "z"]]
    assert result.scores[0].tolist() == pytest.approx([(1 + 61 / 62) / 2, (1 + 61 / 63) / 2, 61 / 62 / 2])


def test_the_first_of_all_has_the_score_one():
    result = reciprocal_rank_fusion([[["a", "b"]], [["a", "c"]], [["a", "b"]]], 3)
    assert result.ids == [["a", "b", "c"]]
    assert result.scores[0].tolist() == pytest.approx([1.0, 2 / 3 * 61 / 62, 1 / 3 * 61 / 62])


def test_rankings_without_weight_come_last():
    result = reciprocal_rank_fusion([[["a", "b"]], [["b"]]], 2, [[0.0], [1.0]])
    assert result.ids == [["b", "a"]] and result.scores[0].tolist() == [0.5, 0.0]
