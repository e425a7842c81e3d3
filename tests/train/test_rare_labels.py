"""What a method learns about rare labels after training, from items, label names and label vectors."""

from dataclasses import replace

import pytest
import torch

from labelgraph import load_openclipart_keywords
from labelgraph.data import hold_out_labels
from labelgraph.inference import label_scores
from labelgraph.methods import load_method
from labelgraph.metrics import evaluate_labels
from labelgraph.train import train_method


def trained(data, **model):
    settings = {"hidden_channels": 64, **model}
    steps = {"epochs": 4, "patience": 0}
    return train_method("expected-relevance", data, model=settings, train=steps, progress=False, unseen_labels=True)


@pytest.fixture(scope="module")
def keywords():
    return hold_out_labels(load_openclipart_keywords(), 40)


@pytest.fixture(scope="module")
def pair(keywords):
    """The same training with and without references."""
    return trained(keywords).method, trained(keywords, borrowing=0).method


@pytest.mark.slow
def test_references_change_nothing_but_the_scores_of_rare_labels(keywords, pair):
    method, free = pair
    counts = keywords.labels[keywords.rows("train")].sum(0)
    test = keywords.split("test")
    seen = counts > 0
    assert torch.equal(method.classifier.weight[seen], free.classifier.weight[seen])
    assert not method.classifier.weight[method.references.unseen].any()
    for side, scores in label_scores(method, test).items():
        change = (scores - label_scores(free, test)[side]).abs().mean(0)
        assert change[counts == 0].mean() > 10 * change[counts >= 100].mean() > 0


@pytest.mark.slow
def test_references_find_labels_without_training_items(keywords, pair):
    unseen = keywords.labels[keywords.rows("train")].sum(0) == 0
    with_references, without = (
        torch.stack([torch.as_tensor(report.per_label) for report in evaluate_labels(m, keywords).values()])
        for m in pair
    )
    better = (with_references - without)[:, unseen]
    assert better.nanmean() > 0.05


@pytest.mark.slow
def test_references_are_saved_with_the_method(keywords, pair, tmp_path):
    pair[0].save_pretrained(tmp_path)
    again = load_method(tmp_path)
    test = keywords.split("test")
    for side, scores in label_scores(again, test).items():
        assert torch.equal(scores, label_scores(pair[0], test)[side])


def test_data_without_names_or_vectors_give_references_of_items_alone(make_data):
    data = make_data()
    plain = replace(data, encoders={}, label_vectors=None)
    method = train_method(
        "expected-relevance", plain, model={"hidden_channels": 8}, train={"epochs": 1}, progress=False
    ).method
    has = data.labels[data.rows("train")].any(0)
    assert torch.equal(method.references.directions.any(1), has)


def directions(data, **model):
    settings = {"hidden_channels": 8, **model}
    trained = train_method("expected-relevance", data, model=settings, train={"epochs": 1}, progress=False)
    return trained.method.references.directions


def test_the_edges_decide_which_labels_a_reference_reads(make_data):
    data = make_data()
    names = torch.eye(data.num_labels)
    names[0] = names[1]  # The first two names mean the same.
    data = replace(data, encoders={}, label_vectors=names)
    alone, meaning = (directions(data, edges=edges) for edges in ("none", "meaning"))
    changed = (alone != meaning).any(1)
    assert changed[:2].all() and not changed[2:].any()
    torch.testing.assert_close(meaning[0], meaning[1])
    always = replace(data, labels=data.labels.clone().index_fill_(1, torch.tensor([3]), 1.0))
    alone, together = (directions(always, edges=edges) for edges in ("none", "cooccurrence"))
    assert (alone != together).any(1)[[0, 1, 2, 4]].all()  # All labels occur with the fourth.
    merged = directions(always, edges="merged")
    assert not torch.equal(merged, together) and not torch.equal(merged, directions(always, edges="meaning"))
    assert torch.equal(directions(replace(data, label_vectors=None), edges="meaning"), directions(data, edges="none"))
