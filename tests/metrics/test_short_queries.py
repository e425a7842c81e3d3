"""Queries of one label or one word, against loops."""

import math

import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode_labels, encode_side
from labelgraph.methods import METHODS, build_method
from labelgraph.metrics import evaluate_short_queries, label_query_precision, short_queries, typed_word_precision


def precisions(scores, relevant, at=10):
    """Average precision and precision of one query by a loop."""
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    hits = [rank for rank, place in enumerate(order, 1) if relevant[place]]
    if not hits:
        return math.nan, math.nan
    depth = min(at, len(hits))
    return sum(n / rank for n, rank in enumerate(hits, 1)) / len(hits), sum(rank <= depth for rank in hits) / depth


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    queries, database = torch.randn(6, 8, generator=generator), torch.randn(40, 8, generator=generator)
    relevant = torch.rand(6, 40, generator=generator) < torch.tensor([0.05, 0.1, 0.3, 0.5, 0.9, 0.0])[:, None]
    return queries, database, relevant


def test_labels_and_words_against_loops(case):
    queries, database, relevant = case
    scores = (queries @ database.t()).tolist()
    slow = [precisions(row, own) for row, own in zip(scores, relevant.tolist(), strict=True)]
    labels = label_query_precision(queries, database, relevant.t().int(), [0, 2, 3, 40, 400, 7], similarity="dot")
    words = typed_word_precision(queries, database, relevant, similarity="dot")
    for report in (labels, words):
        assert report.per_query == pytest.approx([ap for ap, _ in slow], nan_ok=True)
        assert report.precision == pytest.approx(sum(value for _, value in slow[:5]) / 5)
        assert report.average_precision == pytest.approx(sum(ap for ap, _ in slow[:5]) / 5)
        assert report.num_queries == 5
    means = {"0": slow[0][0], "1-2": slow[1][0], "3-5": slow[2][0], "40+": (slow[3][0] + slow[4][0]) / 2}
    assert labels.by_count == pytest.approx(means)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_is_only_evaluated_on_queries_that_it_can_embed(make_data, name):
    data = make_data()
    bags = sp.csr_array((data.text.numpy() > 0.8).astype("float32"))
    data = CrossModalData(data.image, bags, data.labels, splits=data.splits)
    torch.manual_seed(0)
    method = build_method(name, 12, 9, cooccurrence_graph(data.labels)).eval()
    reports = evaluate_short_queries(method, data)
    assert set(reports) == ({"words", "labels"} if METHODS[name].scores_labels else {"words"})
    rows = data.rows("database")
    pictures = encode_side(method, "image", data, rows=rows)
    has = torch.from_numpy(bags[rows.numpy()].toarray().T > 0)
    typed = (has.sum(1) >= 3).nonzero().flatten()
    queries = encode_side(method, "text", torch.eye(9)[typed])
    assert reports["words"] == typed_word_precision(queries, pictures, has[typed])
    if "labels" in reports:
        counts = data.labels[data.rows("train")].sum(0)
        assert reports["labels"] == label_query_precision(encode_labels(method), pictures, data.labels[rows], counts)


def test_features_that_are_not_bags_have_no_words(make_data):
    data = make_data()
    method = build_method("agah", 12, 9).eval()
    assert evaluate_short_queries(method, data) == {} and encode_labels(method) is None


def test_of_many_labels_and_words_a_sample_is_searched_for(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    labels = sp.csr_array((torch.rand(60, 1100, generator=generator) < 0.01).float().numpy())
    bags = sp.csr_array((torch.rand(60, 30, generator=generator) < 0.3).float().numpy())
    data = CrossModalData(torch.randn(60, 8, generator=generator), bags, labels, splits={"database": range(60)})
    word_vectors, queries = (torch.randn(size, 8, generator=generator) for size in (30, 1100))

    def encode(pairs):
        return pairs.image, pairs.text_rows().to_dense() @ word_vectors

    whole = evaluate_short_queries(encode, data, label_queries=queries)
    monkeypatch.setattr(short_queries, "MOST_QUERIES", 7)
    sampled = evaluate_short_queries(encode, data, label_queries=queries)
    assert repr(sampled) == repr(evaluate_short_queries(encode, data, label_queries=queries))  # Draws are the same.
    by_label = torch.tensor([whole["labels"].per_query, sampled["labels"].per_query])
    drawn = ~by_label[1].isnan()
    assert drawn.sum() == 7 == sampled["labels"].num_queries < whole["labels"].num_queries
    torch.testing.assert_close(by_label[1, drawn], by_label[0, drawn])
    assert sampled["words"].num_queries == 7 < whole["words"].num_queries
    some, every = (torch.tensor(report["words"].per_query)[:, None] for report in (sampled, whole))
    assert (some - every.t()).abs().amin(1).max() < 1e-9


@pytest.mark.parametrize(
    ("call", "facts"),
    [
        (lambda q, d, r: label_query_precision(q, d, r.t(), [1, 2]), ("'counts'", "6", "2")),
        (lambda q, d, r: typed_word_precision(q, d, r[:, :7]), ("'relevance'", "40", "7")),
        (lambda q, d, r: typed_word_precision(q, d, r & False), ("relevant", "none")),
        (lambda q, d, r: typed_word_precision(q, d, sp.csr_array(r & False)), ("relevant", "none")),
        (lambda q, d, r: typed_word_precision(q[:5], d, sp.csr_array(r)), ("'queries'", "6", "5")),
    ],
)
def test_wrong_arguments_are_named(case, call, facts):
    with pytest.raises(ValueError) as caught:
        call(*case)
    assert all(fact in str(caught.value) for fact in facts)


def test_an_unknown_protocol_is_named(make_data):
    with pytest.raises(ValueError, match=r"'protocol'.*'train'"):
        evaluate_short_queries(build_method("agah", 12, 9).eval(), make_data(), "train")
