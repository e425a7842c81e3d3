"""The most probable of very many labels, found by clusters, against the scores of all labels."""

import copy
import io

import pytest
import scipy.sparse as sp
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ExpectedRelevance, ExpectedRelevanceConfig, load_method
from labelgraph.methods.added_labels import add_label

LABELS, ITEMS, WIDTH = 16_500, 2_048, 12


def method_of(number=LABELS, **settings):
    """A method whose classifiers and references stand in groups."""
    config = ExpectedRelevanceConfig(hidden_channels=WIDTH, kept_labels=8, **settings)
    torch.manual_seed(0)
    method = ExpectedRelevance.from_config(
        config, 24, 20, cooccurrence_graph(sp.eye_array(number, format="csr"))
    ).eval()
    group = torch.arange(number) % 200
    centres = 3 * torch.randn(200, WIDTH)
    with torch.no_grad():
        method.classifier.weight.copy_(centres[group] + 0.5 * torch.randn(number, WIDTH))
        method.classifier.bias.copy_(torch.randn(number, 1) - 8)
        if method.references is not None:
            method.references.directions.copy_(torch.nn.functional.normalize(centres[group]))
            method.references.weights.copy_(3 * torch.rand(number))
            method.references.offsets.copy_(0.3 * torch.randn(number, 2))
    return method


def items(size=ITEMS, width=24):
    return torch.randn(size, width, generator=torch.Generator().manual_seed(1))


def check(method, side, features, labels, probabilities):
    """The probabilities are those of the labels, and the highest of all labels."""
    with torch.no_grad():
        every = method.label_probabilities(side, features)
    close = {"rtol": 1e-4, "atol": 1e-6}
    torch.testing.assert_close(every.gather(1, labels), probabilities, **close)
    highest = every.topk(labels.shape[1]).values
    torch.testing.assert_close(probabilities.sort(1, descending=True).values, highest, **close)
    assert (labels.sort(1).values.diff() > 0).all()


@torch.no_grad()
def most_probable(method, side, features):
    return method.most_probable_labels(side, features)


def same(one, other):
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@pytest.mark.parametrize("settings", [{}, {"borrowing": 0.0}])
@pytest.mark.parametrize("side", ["image", "text"])
def test_all_probes_find_the_labels_of_all_scores(settings, side):
    method, features = method_of(label_probes=10_000, **settings), items(width={"image": 24, "text": 20}[side])
    check(method, side, features, *most_probable(method, side, features))


def test_the_default_finds_nearly_all_probable_labels():
    method, features = method_of(), items()
    labels, probabilities = most_probable(method, "image", features)
    with torch.no_grad():
        top = method.label_probabilities("image", features).topk(8)
    dense = torch.zeros(ITEMS, LABELS).scatter(1, top.indices, top.values)
    recall = dense.gather(1, labels).sum() / dense.sum()
    assert 0.98 < recall <= 1
    assert 0.98 < probabilities.sum() / top.values.sum() <= 1 + 1e-5


@pytest.mark.parametrize(
    ("settings", "size"), [({"label_probes": None}, ITEMS), ({}, 500)], ids=["no probes", "small batch"]
)
def test_other_items_have_the_labels_of_all_scores(settings, size):
    method, features = method_of(**settings), items(size)
    check(method, "image", features, *most_probable(method, "image", features))


def test_fewer_labels_are_all_scored():
    first, second = (method_of(2000, label_probes=probes) for probes in (1, None))
    assert same(most_probable(first, "image", items()), most_probable(second, "image", items()))


def test_placed_labels_have_their_probability():
    """An added label has the probability of its neighbours, which clusters of classifiers do not show."""
    method = method_of(label_probes=1)
    method.label_vectors = torch.nn.functional.normalize(torch.randn(LABELS, 6)).half()
    method = add_label(method, "new", method.label_vectors[[7]].float())
    check(method, "image", items(), *most_probable(method, "image", items()))


def test_clusters_follow_the_parameters():
    method, features = method_of(), items()
    before = most_probable(method, "image", features)
    assert same(most_probable(method, "image", features), before)
    with torch.no_grad():
        method.classifier.bias[12_345] = 30
    labels, probabilities = most_probable(method, "image", features)
    assert (labels == 12_345).any(1).all() and not same((labels, probabilities), before)


def test_copies_and_saved_methods_find_the_same_labels(tmp_path):
    method = method_of()
    before = most_probable(method, "text", items(width=20))
    assert same(most_probable(copy.deepcopy(method), "text", items(width=20)), before)
    method.save_pretrained(tmp_path)
    again = load_method(tmp_path)
    assert again.config == method.config and same(most_probable(again, "text", items(width=20)), before)
    content = io.BytesIO()
    torch.save(method, content)
    size = sum(each.numel() * each.element_size() for each in method.state_dict().values())
    assert len(content.getvalue()) < 2 * size  # Without clusters, which are as large as the classifiers.
    content.seek(0)
    assert same(most_probable(torch.load(content, weights_only=False), "text", items(width=20)), before)


def test_another_precision_has_clusters_of_its_own():
    method, features = method_of(), items()
    most_probable(method, "image", features)
    labels, probabilities = most_probable(method.double(), "image", features.double())
    assert probabilities.dtype == torch.float64
    expected = method.label_probabilities("image", features.double()).gather(1, labels)
    torch.testing.assert_close(probabilities, expected)


def test_with_gradients_all_labels_are_scored():
    method = method_of(label_probes=1)
    labels, probabilities = method.most_probable_labels("image", items())
    probabilities.sum().backward()
    assert method.classifier.weight.grad.any()
    check(method, "image", items(), labels, probabilities.detach())


@pytest.mark.parametrize("value", [0, 1.5, "many"])
def test_a_wrong_number_of_probes_is_refused(value):
    with pytest.raises(ValueError, match=rf"'label_probes' must be a positive whole number or none.*{value}"):
        ExpectedRelevanceConfig(label_probes=value)
