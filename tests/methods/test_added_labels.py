"""Labels that are added to a trained method."""

import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode_side, label_probabilities
from labelgraph.methods import add_label, build_method, load_method
from labelgraph.metrics import evaluate_labels
from labelgraph.search import Searcher

NAMES = ["bird", "fish", "tree"]
OWL = [[0.8, 0.6, 0.0]]


def build(name="expected-relevance", **settings):
    torch.manual_seed(0)
    graph = cooccurrence_graph([[1, 1, 0], [0, 0, 1], [0, 1, 0]], NAMES, x=torch.eye(3, 2))
    method = build_method(name, 6, 5, graph, hidden_channels=8, **settings).eval()
    method.label_vectors = torch.eye(3).half()
    method.encoders = {"text": {"encoder": "bag-of-words", "vocabulary": ["blue", "green", "grey", "red", "white"]}}
    return method


def test_the_new_label_has_the_mean_probability_of_the_nearest_labels():
    method, image = build(), torch.rand(4, 6)
    before = method.label_probabilities("image", image)
    larger = add_label(method, "owl", OWL)
    after = larger.label_probabilities("image", image)
    assert torch.equal(after[:, :3], before)
    torch.testing.assert_close(after[:, 3], (0.8 * before[:, 0] + 0.6 * before[:, 1]) / 1.4, rtol=1e-3, atol=0)
    weight = method.classifier.weight
    mean = (0.8 * weight[0] + 0.6 * weight[1]) / 1.4
    torch.testing.assert_close(larger.classifier.weight[3], mean, rtol=1e-3, atol=1e-5)
    assert torch.equal(larger.classifier.weight[:3], weight)


def test_added_labels_are_evaluated():
    """With the labels of the data only, and with the added label."""
    larger = add_label(build(), "owl", OWL)
    labels = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 1, 1, 1]])
    splits = {"train": [1, 2], "test": [0, 3]}
    data = CrossModalData(torch.rand(4, 6), torch.rand(4, 5), labels, [*NAMES, "owl"], splits)
    given = label_probabilities(larger, data)["text"]
    torch.testing.assert_close(given, larger.label_probabilities("text", data.text))
    reports = evaluate_labels(larger, data)
    assert reports["image"].labels_by_count["0"] == 2  # The bird, too, has no item in the split train.
    fewer = CrossModalData(data.image, data.text, labels[:, :3], NAMES, splits)
    assert evaluate_labels(larger, fewer)["image"].per_label == reports["image"].per_label[:3]


def test_the_first_method_does_not_change():
    method = build()
    before = {key: value.clone() for key, value in method.state_dict().items()}
    add_label(method, "owl", OWL)
    assert method.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())
    assert list(method._graph.label_names) == NAMES and method.label_vectors.shape == (3, 3)


def test_the_label_is_saved_and_further_labels_follow(tmp_path):
    larger = add_label(build(), "owl", OWL)
    larger.save_pretrained(tmp_path)
    again = load_method(tmp_path)
    text = torch.rand(2, 5)
    assert torch.equal(again.label_probabilities("text", text), larger.label_probabilities("text", text))
    assert torch.equal(again.label_vectors, larger.label_vectors) and again.encoders == larger.encoders
    last = add_label(again, "eagle", [[1.0, 0.0, 0.0]])
    assert last._graph.label_names == [*NAMES, "owl", "eagle"] and last._graph["count"].tolist() == [1, 2, 1, 0, 0]
    chances = last.label_probabilities("text", text)
    torch.testing.assert_close(chances[:, 4], chances[:, 0])  # The owl has no training items, and is no neighbour.
    assert encode_side(last, "text", text).vectors.shape[1] == 5 + 8


def test_an_added_label_is_searched_for_as_before():
    image = torch.rand(6, 6)
    found = []
    for method in (build(), add_label(build(), "owl", OWL)):
        searcher = Searcher(method)
        searcher.add(list("uvwxyz"), image=image)
        vectors = None if "owl" in method._graph.label_names else OWL
        assert [name for name, _ in searcher.placements("owl", vectors)[0].nearest] == ["bird", "fish"]
        found.append(searcher.search(label="owl", vectors=vectors, k=1).ids)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("method", "name", "vectors", "message"),
    [
        (build, "fish", OWL, "'name' must be a new label .got 'fish'"),
        (build, " ", OWL, "'name' must be a new label .got ' '"),
        (build, "owl", [[0.0, -1.0, 0.0]], "'name' must have a vector near .*'owl'"),
        (build, "owl", [[1.0, 0.0]], "'vectors' must have the width 3"),
        (lambda: build(bits=16), "owl", OWL, "'method' must be an 'expected-relevance' without a hash head"),
        (lambda: build("algcn"), "owl", OWL, "'method' must be .*got 'algcn'"),
    ],
)
def test_labels_that_cannot_be_added_are_named(method, name, vectors, message):
    with pytest.raises(ValueError, match=message):
        add_label(method(), name, vectors)


def test_a_method_without_label_vectors_takes_no_labels():
    method = build()
    method.label_vectors = None
    with pytest.raises(ValueError, match="'method' must have label vectors"):
        add_label(method, "owl", OWL)


def test_a_method_with_as_many_labels_as_are_dense_takes_no_further_one():
    """With one more, it would need a label table, which only training sets."""
    size = 1024
    graph = cooccurrence_graph(torch.eye(2, size), [f"label {i}" for i in range(size)])
    method = build_method("expected-relevance", 6, 5, graph, hidden_channels=8)
    method.label_vectors = torch.eye(3)[torch.arange(size) % 3].half()
    with pytest.raises(ValueError, match=r"'method' must have fewer than 1,024 labels .*got 1,024.*train it.*'owl'"):
        add_label(method, "owl", OWL)
