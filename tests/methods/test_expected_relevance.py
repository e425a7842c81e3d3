"""The method `ExpectedRelevance`."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.data import Data

from labelgraph._core.embeddings import score_blocks
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode
from labelgraph.methods import ExpectedRelevanceConfig, build_method, load_method
from labelgraph.nn import RidgeClassifier
from labelgraph.probability import expected_relevance, platt_scaling


def build(data, **settings):
    torch.manual_seed(0)
    config = ExpectedRelevanceConfig(hidden_channels=8, **settings)
    return build_method("expected-relevance", 12, 9, cooccurrence_graph(data.labels, data.label_names), config).eval()


def scores(method, data):
    return {side: (method.label_scores(side, getattr(data, side)), data.labels) for side in ("image", "text")}


def test_scores_of_embeddings_follow_the_formula(make_data):
    """The expected scores are computed from the parts of the method."""
    data = make_data()
    method = build(data, pair_strength=0.8)
    image, text = encode(method, data)
    got = torch.cat([block.clone() for _, block in score_blocks(image, text)])
    p, q = (method.label_probabilities(side, getattr(data, side)) for side in ("image", "text"))
    jaccard = [[float((a * b).sum() / (a.sum() + b.sum() - (a * b).sum())) for b in q] for a in p]
    hidden = [method.projectors[side](getattr(data, side)) for side in ("image", "text")]
    cosine = torch.cosine_similarity(hidden[0][:, None], hidden[1][None], dim=2)
    torch.testing.assert_close(got, (torch.tensor(jaccard) + 0.8 * cosine.clamp(min=0) ** 3) / 1.8)


@pytest.mark.parametrize("settings", [{"pair_strength": 0.0}, {"pair_weight": 0.0}])
def test_without_a_pair_part_embeddings_are_label_probabilities(make_data, settings):
    data = make_data()
    method = build(data, **settings)
    assert torch.equal(method.encode_image(data.image), method.label_probabilities("image", data.image))
    assert ("pair" in method.loss_terms(method(data.image, data.text), data.labels)) == ("pair_weight" not in settings)


@pytest.mark.parametrize(("score", "similarity"), [("expected_shared", "dot"), ("expected_cosine", "cosine")])
def test_other_scores_of_the_probabilities(make_data, score, similarity):
    data = make_data()
    method = build(data, score=score)
    assert method.similarity == similarity and method.similarity_labels is None
    assert torch.equal(method.encode_text(data.text), method.label_probabilities("text", data.text))


def test_the_pair_loss_makes_an_image_and_its_own_text_similar(make_data):
    data = make_data()
    method = build(data)
    before = method.loss_terms(method(data.image, data.text), data.labels)["pair"]
    optimizer = torch.optim.Adam(method.parameters(), 1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        method.loss_terms(method(data.image, data.text), data.labels)["pair"].backward()
        optimizer.step()
    assert method.loss_terms(method(data.image, data.text), data.labels)["pair"] < before - 0.3


def test_normalised_images_are_compared_whatever_their_range(make_data):
    data = make_data()
    wider = data.image * torch.linspace(0.1, 100, data.image_channels) + 7
    method = build(data, image_norm=True, dropout=0.0).train()
    narrow, wide = (method(image, data.text)["image_scores"] for image in (data.image, wider))
    torch.testing.assert_close(narrow, wide, atol=1e-3, rtol=0)
    plain = build(data, dropout=0.0).train()
    assert not torch.allclose(plain(data.image, data.text)["image_scores"], plain(wider, data.text)["image_scores"])
    # A search embeds single items, and their scores do not depend on the other items.
    alone = torch.cat([method.eval().encode_image(row) for row in data.image.split(1)])
    torch.testing.assert_close(alone, method.encode_image(data.image))


class Dense(torch.nn.Module):
    """A projector that returns its input."""

    def forward(self, features):
        return features.to_dense()


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_bags_of_words_lose_words_in_training_only(make_data, layout):
    """The projector returns its input, so the hidden units are the words."""
    data = make_data()
    words = torch.zeros(400, 9)
    words[torch.arange(400), torch.arange(400) % 9] = 1.0
    words[torch.arange(400), (torch.arange(400) + 4) % 9] = 1.0
    method = build(data, word_dropout=1.0, dropout=0.0)
    text = words.to_sparse_csr() if layout == "sparse" else words
    method.projectors["image"] = method.projectors["text"] = Dense()
    method.classifier = torch.nn.Linear(9, 9)
    left = method.train()(torch.zeros(400, 9), text)["text_pair"]
    assert ((left == 0) | (left == words)).all() and left.any(1).all()
    assert 0.1 < 1 - left.sum() / words.sum() < 0.5
    assert torch.equal(method.eval()(torch.zeros(400, 9), text)["text_pair"], words)
    dense = torch.rand(400, 9) + 0.1  # Not bags of words.
    assert torch.equal(method.train()(torch.zeros(400, 9), dense)["text_pair"], dense)


def test_products_of_embeddings_rank_by_expected_relevance(make_data):
    data = make_data()
    method = build(data, score="expected_relevance", order=40, exact_at=None)
    image, text = method.encode_image(data.image).double(), method.encode_text(data.text).double()
    p, q = (method.label_probabilities(side, getattr(data, side)).double() for side in ("image", "text"))
    assert method.similarity == "dot"
    torch.testing.assert_close(-torch.expm1(-(image @ text.t())), expected_relevance(p, q), atol=1e-5, rtol=0)


def test_forward_gives_the_scores_of_both_sides(make_data):
    data = make_data()
    method = build(data)
    outputs = method(data.image, data.text)
    for side in ("image", "text"):
        assert torch.equal(outputs[f"{side}_scores"], method.label_scores(side, getattr(data, side)))
    assert not torch.equal(outputs["image_scores"], method.train()(data.image, data.text)["image_scores"])  # Dropout.


def test_calibration_changes_probabilities_and_is_saved(make_data, tmp_path):
    data = make_data()
    method = build(data, calibration="platt", shrinkage=2.0)
    before, held_out = method.encode_text(data.text), scores(method, data)
    method.calibrate(held_out)
    slope, intercept = platt_scaling(*held_out["text"], shrinkage=2.0)
    wanted = (slope * held_out["text"][0] + intercept).sigmoid()
    torch.testing.assert_close(method.label_probabilities("text", data.text), wanted)
    assert not torch.allclose(before, method.encode_text(data.text))
    method.save_pretrained(tmp_path)
    assert torch.equal(load_method(tmp_path).encode_text(data.text), method.encode_text(data.text))
    # A second calibration from the same scores gives the same result.
    assert torch.equal(method.label_scores("text", data.text), held_out["text"][0])


def test_no_calibration_and_a_missing_side(make_data):
    data = make_data()
    method = build(data, calibration="none")
    before = method.encode_image(data.image)
    method.calibrate(scores(method, data))
    assert torch.equal(method.encode_image(data.image), before)
    method = build(data)
    method.calibrate({"text": scores(method, data)["text"]})
    assert torch.equal(method.encode_image(data.image), before)


def test_losses_are_the_cross_entropies_of_both_sides(make_data):
    data = make_data()
    method = build(data)
    outputs = method(data.image, data.text)
    terms = method.loss_terms(outputs, data.labels)
    for side in ("image", "text"):
        p = outputs[f"{side}_scores"].sigmoid()
        wanted = -(data.labels * p.log() + (1 - data.labels) * (1 - p).log()).sum(1).mean()
        torch.testing.assert_close(terms[side], wanted)
    assert set(terms) == {"image", "text", "pair"}


def test_codes_of_both_sides_are_signs_of_the_same_map(make_data):
    data = make_data()
    method = build(data, bits=7)
    for side, codes in (("image", method.encode_image), ("text", method.encode_text)):
        features = getattr(data, side)
        hashed = method.hash_head.linear(method.label_scores(side, features).sigmoid())
        assert torch.equal(codes(features), hashed.sign()) and hashed.shape == (60, 7)
    assert method.similarity == "hamming"
    terms = method.loss_terms(method(data.image, data.text), data.labels)
    assert set(terms) == {"code", "quantisation", "balance", "decorrelation", "image", "text", "pair"}
    terms["code"].backward()
    assert method.hash_head.linear.weight.grad.any() and method.classifier.weight.grad is None


def test_sparse_and_dense_texts_give_equal_embeddings(make_data):
    data = make_data()
    method = build(data)
    text = data.text * (data.text > 0)
    torch.testing.assert_close(method.encode_text(text.to_sparse_csr()), method.encode_text(text))


def test_a_missing_graph_is_named():
    with pytest.raises(ValueError, match=r"'graph' must be a label graph for 'expected-relevance' \(got none\)"):
        build_method("expected-relevance", 4, 3)


def test_label_names_are_texts_of_their_labels_in_training(make_data):
    data = make_data()
    model = build(data, dropout=0.0, borrowing_items=2.0)
    names = sp.csr_array(np.eye(9, dtype=np.float32)[:3])
    labels, counts = torch.tensor([4, 0, 2]), torch.tensor([0.0, 2.0, 6.0])
    batch = data.split("train")
    assert "name" not in model.loss_terms(model.train()(batch.image, batch.text), batch.labels)
    model.read_names(names, labels, counts)
    terms = model.loss_terms(model(batch.image, batch.text), batch.labels)
    hidden = model.projectors["text"](torch.eye(9)[:3])
    scores = model.classifier(hidden)
    own = [math.log1p(math.exp(-scores[row, label].item())) for row, label in enumerate(labels.tolist())]
    expected = (own[0] * 1.0 + own[1] * 0.5 + own[2] * 0.25) / 3
    assert terms["name"].item() == pytest.approx(expected, rel=1e-5)
    assert model.loss_weights()["name"] == model.config.name_weight
    assert "name_scores" not in model.eval()(batch.image, batch.text)


def test_a_name_weight_of_zero_reads_no_names(make_data):
    data = make_data()
    model = build(data, name_weight=0.0)
    model.read_names(sp.csr_array(np.eye(9, dtype=np.float32)[:1]), torch.tensor([0]), torch.tensor([1.0]))
    assert "name_scores" not in model.train()(data.image[:4], data.text[:4])


def test_ridge_regression_of_images_changes_their_probabilities_only(make_data, tmp_path):
    data = make_data()
    labels = torch.as_tensor(data.labels).float()
    labels[:, 2] = 0  # Without a training item.
    method, plain = build(data, image_ridge=0.4), build(data)
    assert torch.equal(method.encode_image(data.image), plain.encode_image(data.image))  # Not fitted.
    for each in (method, plain):
        each.fit_ridge([(data.image, labels)])
    assert torch.equal(method.encode_text(data.text), plain.encode_text(data.text))
    before, after = (each.label_probabilities("image", data.image) for each in (plain, method))
    assert torch.equal(after[:, 2], before[:, 2]) and not torch.allclose(after[:, 0], before[:, 0])
    ridge = RidgeClassifier(data.image.shape[1], labels.shape[1], share=1.0)
    ridge.fit([(data.image, labels)])
    expected = 0.6 * before[:, 0].double() + 0.4 * ridge(data.image, torch.zeros_like(labels))[:, 0].double()
    torch.testing.assert_close(after[:, 0].double(), expected, atol=1e-4, rtol=0)
    assert torch.equal(method.encode_image(data.image)[:, : labels.shape[1]], after)
    method.save_pretrained(tmp_path / "model")
    assert torch.equal(load_method(tmp_path / "model").label_probabilities("image", data.image), after)


@pytest.mark.parametrize("settings", [{"bits": 8}, {"labels": 1025}])
def test_ridge_regression_is_refused_with_codes_and_with_many_labels(settings):
    labels = settings.pop("labels", 3)
    graph = cooccurrence_graph(sp.csr_array(sp.eye_array(labels)), [f"label {number}" for number in range(labels)])
    config = ExpectedRelevanceConfig(hidden_channels=4, image_ridge=0.5, **settings)
    with pytest.raises(ValueError, match=rf"'image_ridge'.*0\.5.*({labels:,} labels|8 bits)"):
        build_method("expected-relevance", 6, 5, graph, config)


def test_soft_targets_are_the_mean_probability_given_each_label():
    labels = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    graph = cooccurrence_graph(labels)
    method = build_method("expected-relevance", 4, 3, graph, pair_weight=0, soft_targets=0.5, hidden_channels=4)
    scores = torch.randn(4, 3)
    terms = method.loss_terms({"image_scores": scores, "text_scores": scores}, labels)
    counts, joint = labels.sum(0), labels.t() @ labels
    targets = labels.clone()
    for row, label in (labels == 0).nonzero().tolist():
        own = labels[row].nonzero()[:, 0].tolist()
        if own:
            targets[row, label] = 0.5 * sum(joint[label, j] / counts[j] for j in own) / len(own)
    expected = torch.nn.functional.binary_cross_entropy(scores.sigmoid(), targets, reduction="sum") / 4
    torch.testing.assert_close(terms["image"], expected)


@pytest.mark.filterwarnings("error")
def test_soft_targets_are_at_most_one():
    graph = Data(edge_index=torch.tensor([[1], [0]]), edge_weight=torch.tensor([3.0]), num_nodes=2)
    method = build_method("expected-relevance", 4, 3, graph, pair_weight=0, soft_targets=1.0, hidden_channels=4)
    scores = torch.randn(1, 2)
    terms = method.loss_terms({"image_scores": scores, "text_scores": scores}, torch.tensor([[1.0, 0.0]]))
    expected = torch.nn.functional.binary_cross_entropy(scores.sigmoid(), torch.ones(1, 2), reduction="sum")
    torch.testing.assert_close(terms["image"], expected)


def test_soft_targets_need_edge_weights():
    graph = Data(edge_index=torch.tensor([[1], [0]]), num_nodes=2)
    with pytest.raises(ValueError, match=r"'graph'.*'soft_targets'"):
        build_method("expected-relevance", 4, 3, graph, soft_targets=0.5, hidden_channels=4)


def test_soft_targets_are_refused_with_many_labels():
    graph = cooccurrence_graph(torch.eye(1025))
    with pytest.raises(ValueError, match=r"'soft_targets'.*0\.5.*1,025"):
        build_method("expected-relevance", 4, 3, graph, soft_targets=0.5, hidden_channels=4)
