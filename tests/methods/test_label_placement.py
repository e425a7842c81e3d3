"""Labels without training items, placed by the vectors of their names."""

import numpy as np
import pytest
import torch

from labelgraph.graph import cooccurrence_graph, meaning_graph, merge_graphs
from labelgraph.methods.label_placement import (
    LabelPlacement,
    graph_probabilities,
    name_vectors,
    placement_weights,
    trained_labels,
)
from tests.search.probable import LABELS, Probable

VECTORS = {"bird": [1.0, 0.0, 0.0], "fish": [0.6, 0.8, 0.0], "night_sky": [0.0, 0.0, 1.0], "tree": [-1.0, 0.0, 0.0]}
WORDS = {name.replace("_", " "): vector for name, vector in VECTORS.items()} | {"owl": [4.0, 3.0, 0.0]}


def encode(texts):
    return [WORDS[text] for text in texts]


@pytest.fixture
def method():
    method = Probable().eval()
    method.label_vectors = torch.tensor(list(VECTORS.values())).half()
    return method


def test_weights_are_the_positive_cosines_of_the_nearest_labels(method):
    expected = {"bird": 0.8, "fish": 0.8 * 0.6 + 0.6 * 0.8, "night_sky": 0.0, "tree": 0.0}
    weights = placement_weights(method, torch.tensor([WORDS["owl"]]))
    assert weights[0].tolist() == pytest.approx([expected[name] for name in LABELS], abs=1e-3)
    assert (placement_weights(method, torch.tensor([WORDS["owl"]]), k=1) > 0).tolist() == [[False, True, False, False]]


def test_labels_without_training_items_are_no_neighbours(method):
    method._graph.count = torch.tensor([1, 0, 1, 1])
    assert trained_labels(method._graph).tolist() == [True, False, True, True]
    weights = placement_weights(method, torch.tensor([WORDS["owl"]]))
    assert weights[0].tolist() == pytest.approx([0.8, 0, 0, 0], abs=1e-3)
    method._graph.num_samples, method._graph.count = 0, torch.zeros(4, dtype=torch.long)
    assert trained_labels(method._graph).all()  # A graph without counts says nothing about training items.


def test_vectors_of_names_come_from_each_source(method, tmp_path):
    np.save(tmp_path / "owl.npy", np.array([4.0, 3.0, 0.0]))
    lines = [f"{word} {' '.join(map(str, vector))}\n" for word, vector in WORDS.items() if " " not in word]
    (tmp_path / "words.txt").write_text("".join(lines))
    for source in (encode, [[4, 3, 0]], tmp_path / "owl.npy", str(tmp_path / "owl.npy"), tmp_path / "words.txt"):
        assert name_vectors(method, ["owl"], source).tolist() == [[4.0, 3.0, 0.0]]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([[1.0, 2.0]], r"'vectors' must have the width 3 .*got 2"),
        ([[1.0, 2.0, 3.0]] * 2, r"'vectors' must have a row for each of 1 labels .got 2"),
        ([[float("nan")] * 3], "'vectors' must be finite"),
        (lambda texts: [[1.0, 2.0]] * len(texts), r"'vectors' must come from the encoder .*width 3 .*bird.*width 2"),
        (lambda texts: [[0.0, 1.0, 0.0]] * len(texts), r"'vectors' must come from the encoder .*bird"),
    ],
)
def test_wrong_vectors_are_named(method, vectors, message):
    with pytest.raises(ValueError, match=message):
        name_vectors(method, ["owl"], vectors)


def test_a_method_without_label_vectors_is_named():
    for call in (lambda: name_vectors(Probable(), ["owl"]), lambda: placement_weights(Probable(), torch.ones(1, 3))):
        with pytest.raises(ValueError, match="'method' must have label vectors"):
            call()


def test_a_damaged_file_of_vectors_is_named(method, tmp_path):
    (tmp_path / "owl.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"owl\.npy: expected vectors of labels"):
        name_vectors(method, ["owl"], tmp_path / "owl.npy")


def test_a_placement_names_what_it_was_placed_by():
    assert str(LabelPlacement("owl", (("bird", 0.8),))) == "owl: not a trained label; nearest labels: bird .80"
    assert str(LabelPlacement("owl", (), True)) == "owl: not a trained label; searched as a word of texts"


def test_labels_of_the_method_keep_their_vectors(method):
    assert name_vectors(method, ["tree"], lambda texts: [[0.0]] * len(texts)).tolist() == [[-1.0, 0.0, 0.0]]
    assert name_vectors(method, ["owl", "tree"], encode).tolist() == [[4.0, 3.0, 0.0], [-1.0, 0.0, 0.0]]


def test_probabilities_of_labels_without_items_come_from_their_trained_neighbours():
    names = ["cat", "dog", "kitten", "puppy", "lion"]  # Nothing is near the lion, and the puppy only near the kitten.
    counted = cooccurrence_graph([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]], names)
    near = {"cat": [1.0, 0, 0, 0], "dog": [0, 1.0, 0, 0], "kitten": [0.6, 0.3, 0.5, 0], "puppy": [0, 0, 1.0, 0]}
    graph = merge_graphs(counted, meaning_graph(names, [*near.values(), [0, 0, 0, 1.0]]))
    given = torch.tensor([[0.9, 0.3, 0.0, 0.1, 0.2], [0.1, 0.7, 0.5, 0.5, 0.5]])
    kitten = (2 * given[:, 0] + given[:, 1]) / 3
    expected = torch.stack([given[:, 0], given[:, 1], kitten, given[:, 3], given[:, 4]], 1)
    torch.testing.assert_close(graph_probabilities(given, graph), expected)
    assert torch.equal(graph_probabilities(given, counted), given)  # Its edges lead to no label without items.
