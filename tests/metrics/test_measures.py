"""Names of metrics."""

import pytest

from labelgraph.metrics import METRICS
from labelgraph.metrics.measures import parse_metric


@pytest.mark.parametrize(
    ("name", "form", "full", "cut", "variant", "level"),
    [
        ("map", "map", "map", None, None, None),
        ("map@50", "map@K/DEFINITION", "map@50/topk", 50, "topk", None),
        ("map@5/min(k,R)", "map@K/DEFINITION", "map@5/min(k,R)", 5, "min(k,R)", None),
        ("precision@10", "precision@K", "precision@10", 10, None, None),
        ("recall@10", "recall@K", "recall@10", 10, None, None),
        ("r-precision", "r-precision", "r-precision", None, None, None),
        ("ndcg", "ndcg@K/GAIN", "ndcg/linear", None, "linear", None),
        ("ndcg@7", "ndcg@K/GAIN", "ndcg@7/linear", 7, "linear", None),
        ("ndcg@7/exponential", "ndcg@K/GAIN", "ndcg@7/exponential", 7, "exponential", None),
        ("ndcg/exponential", "ndcg@K/GAIN", "ndcg/exponential", None, "exponential", None),
        ("precision@recall0.25", "precision@recallLEVEL", "precision@recall0.25", None, None, 0.25),
        ("precision@recall1", "precision@recallLEVEL", "precision@recall1", None, None, 1.0),
        ("precision@r0", "precision@rRADIUS", "precision@r0", 0, None, None),
        ("recall@r2", "recall@rRADIUS", "recall@r2", 2, None, None),
        ("lookup@r2", "lookup@rRADIUS", "lookup@r2", 2, None, None),
        ("relevant", "relevant", "relevant", None, None, None),
        ("precision@min(10,R)", "precision@min(K,R)", "precision@min(10,R)", 10, None, None),
        ("jaccard@10", "jaccard@K", "jaccard@10", 10, None, None),
        ("exact@3", "exact@K", "exact@3", 3, None, None),
        ("own@5", "own@K", "own@5", 5, None, None),
        ("own-rank", "own-rank", "own-rank", None, None, None),
    ],
)
def test_parsed_names(name, form, full, cut, variant, level):
    read = parse_metric(name)
    assert (read.form, read.full, read.cut, read.variant, read.level) == (form, full, cut, variant, level)
    assert parse_metric(full) == read


@pytest.mark.parametrize(
    "name", ["mAP", "map@", "map@5.5", "map/topk", "precision", "precision@-1", "recall@recall1", "hit@1", " map", ""]
)
def test_an_unknown_name_lists_the_known_forms(name):
    with pytest.raises(ValueError) as caught:
        parse_metric(name)
    wanted = f"'metrics' must be of the forms {', '.join(METRICS)} (got {name!r})"
    assert str(caught.value).partition("; did you mean")[0] == wanted


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("map@0", r"cut-offs of at least 1 \(got 'map@0'\)"),
        ("precision@0", "cut-offs of at least 1"),
        ("map@5/trec", r"one of topk, first-k, recall-normalised, min\(k,R\) after the '/' \(got 'map@5/trec'\)"),
        ("ndcg@5/log", "one of linear, exponential after"),
        ("precision@recall1.5", r"recall levels in \[0, 1\]"),
    ],
)
def test_a_wrong_part_is_named(name, message):
    with pytest.raises(ValueError, match=message):
        parse_metric(name)
