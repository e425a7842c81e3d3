"""Embeddings of one side, whatever the features come as."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode, encode_side, held_out_scores, label_scores, relevance_encoder
from labelgraph.methods import AGAHConfig, ALGCNConfig, ExpectedRelevanceConfig, build_method
from labelgraph.metrics import mean_average_precision, pack_bits
from labelgraph.probability import Calibration, relevance_features
from labelgraph.train import TrainConfig, fit


@pytest.fixture
def method(make_data):
    return build_method("algcn", 12, 9, cooccurrence_graph(make_data().labels), ALGCNConfig(hidden_channels=8)).eval()


@pytest.mark.parametrize("batch_size", [1, 7, 4096])
def test_it_embeds_as_training_does(method, make_data, batch_size):
    data = make_data()
    for side, wanted in zip(("image", "text"), encode(method, data), strict=True):
        embedded = encode_side(method, side, getattr(data, side), batch_size)
        torch.testing.assert_close(embedded, wanted)
        assert not embedded.requires_grad


def test_codes_come_packed(make_data):
    data = make_data()
    method = build_method("agah", 12, 9, config=AGAHConfig(bits=20, hidden_channels=8, graph_channels=(4, 4))).eval()
    for side, wanted in zip(("image", "text"), encode(method, data), strict=True):
        assert torch.equal(encode_side(method, side, getattr(data, side), 7), wanted)


def test_features_come_in_any_form(method, make_data):
    text = make_data().text
    wanted = encode_side(method, "text", text)
    for each in (text.numpy(), text.double(), text.tolist(), sp.csr_array(text.numpy()), sp.coo_matrix(text.numpy())):
        torch.testing.assert_close(encode_side(method, "text", each), wanted)
    for each in (text[3], text[3].numpy(), text[3].tolist()):
        torch.testing.assert_close(encode_side(method, "text", each), wanted[3:4])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.ones(2, 9), r"'image' must have 12 features, as the method takes \(got 9\)"),
        (torch.full((1, 12), torch.nan), "'image' must be finite"),
        (torch.ones(0, 12), "'image' must be a non-empty matrix"),
        (torch.ones(1, 2, 12), "'image' must be a non-empty matrix"),
        (np.array([["a"]]), "'image' must be a matrix of numbers"),
    ],
)
def test_wrong_features_are_named(method, features, message):
    with pytest.raises(ValueError, match=message):
        encode_side(method, "image", features)


@pytest.mark.parametrize("batch_size", [1, 7, 4096])
def test_blocks_do_not_matter(make_data, batch_size):
    data = make_data()
    method = build_method("algcn", 12, 9, cooccurrence_graph(data.labels), ALGCNConfig(hidden_channels=8)).eval()
    image, text = encode(method, data, batch_size)
    torch.testing.assert_close(image, method.encode_image(data.image).detach())
    torch.testing.assert_close(text, method.encode_text(data.text).detach())
    assert not image.requires_grad


@pytest.mark.parametrize("bits", [5, 16])
def test_codes_come_packed_of_embed(make_data, bits):
    data = make_data()
    method = build_method("agah", 12, 9, config=AGAHConfig(bits=bits, hidden_channels=8, graph_channels=(4, 4)))
    image, text = encode(method, data, 7)
    assert torch.equal(image, pack_bits(method.encode_image(data.image))) and image.dtype == torch.uint8
    assert torch.equal(text, pack_bits(method.encode_text(data.text))) and text.shape == (60, -(-bits // 8))


def build(data, name="algcn", config=None):
    torch.manual_seed(0)
    graph = cooccurrence_graph(data.labels, data.label_names)
    return build_method(name, 12, 9, graph, config or ALGCNConfig(hidden_channels=8)).eval()


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_blocks_do_not_matter_of_label_scores(make_data, batch_size):
    data = make_data()
    method = build(data)
    outputs, found = method(data.image, data.text), label_scores(method, data, batch_size)
    for side in ("image", "text"):
        torch.testing.assert_close(found[side], outputs[f"{side}_scores"].detach())


def test_missing_sides_are_not_calibrated_on(make_data):
    data = make_data()
    present = torch.ones(60, 2)
    present[5:, 1] = 0
    there = CrossModalData(data.image, data.text, data.labels, present=present)
    method = build(data)
    found = held_out_scores(method, there)
    assert torch.equal(found["image"][1], data.labels) and torch.equal(found["text"][1], data.labels[:5])
    torch.testing.assert_close(found["text"][0], label_scores(method, data)["text"][:5])
    present[:, 1] = 0
    assert set(held_out_scores(method, CrossModalData(data.image, data.text, data.labels, present=present))) == {
        "image"
    }


def test_the_encoder_gives_features_of_calibrated_probabilities(make_data):
    data = make_data()
    method, held_out, test = build(data), data.split("validation"), data.split("test")
    image, text = relevance_encoder(method, held_out, order=3, exact_at=None, kind="platt", shrinkage=5.0)(test)
    for side, found in (("image", image), ("text", text)):
        calibration = Calibration(5).fit(label_scores(method, held_out)[side], held_out.labels, "platt", 5.0)
        wanted = relevance_features(calibration(label_scores(method, test)[side]).sigmoid(), 3)
        torch.testing.assert_close(found, wanted)


def test_a_method_without_labels_is_named(make_data):
    data = make_data()
    method = build(data, "agah", AGAHConfig(bits=8, hidden_channels=8, graph_channels=(4, 4)))
    with pytest.raises(ValueError, match=r"'method' must score labels \(got 'agah', which does not\)"):
        relevance_encoder(method, data)


@pytest.mark.parametrize("select", ["validation", "last"])
def test_fit_calibrates_on_the_items_that_it_chooses_on(make_data, tmp_path, select):
    data = make_data(size=120)
    method = build(data, "expected-relevance", ExpectedRelevanceConfig(hidden_channels=16))
    config = TrainConfig(epochs=12, batch_size=20, lr=0.02, select=select, device="cpu")
    fit(method, data, config, tmp_path, progress=False)
    slope = method.calibrations["image"].slope
    if select == "last":
        assert torch.equal(slope, torch.ones(5))
    else:
        own = held_out_scores(method, data.split("validation"))["image"]
        wanted = Calibration(5).fit(*own, "temperature")
        torch.testing.assert_close(slope, wanted.slope)
        assert not torch.allclose(slope, torch.ones(5), atol=0.01)
    test = data.split("test")
    assert mean_average_precision(*encode(method, test), test.labels, test.labels, similarity="dot") > 0.85
