"""Encoding of features of every type."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import (
    encode,
    encode_side,
    held_out_scores,
    label_probabilities,
    label_scores,
    relevance_encoder,
)
from labelgraph.methods import METHODS, AGAHConfig, ALGCNConfig, ExpectedRelevanceConfig, build_method, load_method
from labelgraph.metrics import mean_average_precision, pack_bits
from labelgraph.probability import Calibration, relevance_features
from labelgraph.train import TrainConfig, fit


@pytest.fixture
def method(make_data):
    return build_method("algcn", 12, 9, cooccurrence_graph(make_data().labels), ALGCNConfig(hidden_channels=8)).eval()


@pytest.mark.parametrize("batch_size", [1, 7, 4096])
def test_encoding_agrees_with_training(method, make_data, batch_size):
    data = make_data()
    for side, wanted in zip(("image", "text"), encode(method, data), strict=True):
        for features in (getattr(data, side), data):
            embedded = encode_side(method, side, features, batch_size)
            torch.testing.assert_close(embedded.vectors, wanted.vectors)
            assert embedded.similarity == wanted.similarity == "cosine"
            assert not embedded.vectors.requires_grad


def test_codes_are_packed(make_data):
    data = make_data()
    method = build_method("agah", 12, 9, config=AGAHConfig(bits=20, hidden_channels=8, graph_channels=(4, 4))).eval()
    for side, wanted in zip(("image", "text"), encode(method, data), strict=True):
        assert torch.equal(encode_side(method, side, getattr(data, side), 7).vectors, wanted.vectors)


def test_features_of_every_type(method, make_data):
    text = make_data().text
    wanted = encode_side(method, "text", text).vectors
    for each in (text.numpy(), text.double(), text.tolist(), sp.csr_array(text.numpy()), sp.coo_matrix(text.numpy())):
        torch.testing.assert_close(encode_side(method, "text", each).vectors, wanted)
    reversed_view = text[3].numpy()[::-1].copy()[::-1]  # Which torch does not take.
    for each in (text[3], text[3].numpy(), text[3].tolist(), reversed_view):
        torch.testing.assert_close(encode_side(method, "text", each).vectors, wanted[3:4])


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
def test_blocks_do_not_change_embeddings(make_data, batch_size):
    data = make_data()
    method = build_method("algcn", 12, 9, cooccurrence_graph(data.labels), ALGCNConfig(hidden_channels=8)).eval()
    image, text = encode(method, data, batch_size)
    torch.testing.assert_close(image.vectors, method.encode_image(data.image).detach())
    torch.testing.assert_close(text.vectors, method.encode_text(data.text).detach())
    assert not image.vectors.requires_grad


@pytest.mark.parametrize(
    ("num_labels", "channels", "sizes"),
    [(8, 3, [4096, 4096, 1808]), (1100, 3, [65_536, 64]), (1100, 2**12, [16_384, 16])],
)
def test_batches_of_many_labels_are_larger(num_labels, channels, sizes):
    labels = sp.csr_array(([1.0, 1.0], ([0, 1], [0, num_labels - 1])), shape=(2, num_labels))
    config = ALGCNConfig(hidden_channels=2)
    method, seen = build_method("algcn", 2, channels, cooccurrence_graph(labels), config), []
    encode_side(method, "text", sp.csr_array((sum(sizes), channels)), progress=seen.append)
    assert seen == sizes


@pytest.mark.parametrize("bits", [5, 16])
def test_encoded_codes_are_packed(make_data, bits):
    data = make_data()
    method = build_method("agah", 12, 9, config=AGAHConfig(bits=bits, hidden_channels=8, graph_channels=(4, 4)))
    image, text = encode(method, data, 7)
    assert image.similarity == text.similarity == "hamming"
    assert torch.equal(image.vectors, pack_bits(method.encode_image(data.image))) and image.vectors.dtype == torch.uint8
    assert torch.equal(text.vectors, pack_bits(method.encode_text(data.text)))
    assert text.vectors.shape == (60, -(-bits // 8))


def build(data, name="algcn", config=None):
    torch.manual_seed(0)
    graph = cooccurrence_graph(data.labels, data.label_names)
    return build_method(name, 12, 9, graph, config or ALGCNConfig(hidden_channels=8)).eval()


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_blocks_do_not_change_label_scores(make_data, batch_size):
    data = make_data()
    method = build(data)
    outputs, result = method(data.image, data.text), label_scores(method, data, batch_size)
    for side in ("image", "text"):
        torch.testing.assert_close(result[side], outputs[f"{side}_scores"].detach())


def test_missing_sides_are_not_used_for_calibration(make_data):
    data = make_data()
    present = torch.ones(60, 2)
    present[5:, 1] = 0
    data_with_gaps = CrossModalData(data.image, data.text, data.labels, present=present)
    method = build(data)
    result = held_out_scores(method, data_with_gaps)
    assert torch.equal(result["image"][1], data.labels) and torch.equal(result["text"][1], data.labels[:5])
    torch.testing.assert_close(result["text"][0], label_scores(method, data)["text"][:5])
    present[:, 1] = 0
    assert set(held_out_scores(method, CrossModalData(data.image, data.text, data.labels, present=present))) == {
        "image"
    }


@pytest.mark.parametrize(
    ("score", "similarity", "features"),
    [
        ("expected_relevance", "dot", lambda p: relevance_features(p, 4, 0.95)),
        ("expected_shared", "dot", lambda p: p),
        ("expected_jaccard", "jaccard", lambda p: p),
        ("expected_cosine", "cosine", lambda p: p),
    ],
)
def test_a_score_compares_calibrated_probabilities(make_data, score, similarity, features):
    data = make_data()
    method, held_out, test = build(data), data.split("validation"), data.split("test")
    image, text = relevance_encoder(method, held_out, score, kind="platt", shrinkage=5.0)(test)
    for side, result in (("image", image), ("text", text)):
        calibration = Calibration(5).fit(label_scores(method, held_out)[side], held_out.labels, "platt", 5.0)
        probabilities = calibration(label_scores(method, test)[side]).sigmoid()
        torch.testing.assert_close(result.vectors, features(probabilities))
        assert result.similarity == similarity
        own = label_probabilities(method, test, {"image": calibration, "text": calibration})[side]
        torch.testing.assert_close(own, probabilities)


def test_an_unknown_score_is_named(make_data):
    with pytest.raises(ValueError, match=r"'score'.*'expected_jacard'.*did you mean 'expected_jaccard'"):
        relevance_encoder(build(make_data()), make_data(), "expected_jacard")


def test_the_calibrations_of_the_method_are_the_default(make_data):
    data = make_data()
    method = build(data, "expected-relevance", ExpectedRelevanceConfig(hidden_channels=8))
    method.calibrate(held_out_scores(method, data.split("validation")))
    result = label_probabilities(method, data)
    for side in ("image", "text"):
        wanted = method.label_probabilities(side, getattr(data, side)).detach()
        torch.testing.assert_close(result[side], wanted)
    with pytest.raises(ValueError, match="'calibrations' must be given for 'algcn'"):
        label_probabilities(build(data), data)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("name", METHODS)
def test_features_follow_the_precision_of_the_parameters(make_data, name, dtype, sparse):
    data = make_data()
    if sparse:
        data = CrossModalData(data.image, sp.csr_array(data.text.numpy()), data.labels)
    torch.manual_seed(0)
    method = build_method(name, 12, 9, cooccurrence_graph(data.labels)).eval()
    whole = encode(method, data)
    for result, wanted in zip(encode(method.to(dtype), data), whole, strict=True):
        assert result.similarity == wanted.similarity
        if wanted.similarity == "hamming":
            assert result.vectors.dtype == torch.uint8
        else:
            assert result.vectors.dtype == torch.promote_types(dtype, torch.float32)
            torch.testing.assert_close(result.vectors.float(), wanted.vectors, rtol=0.1, atol=0.05)
    if method.scores_labels:
        assert label_scores(method, data)["text"].dtype == torch.promote_types(dtype, torch.float32)


def test_encoding_uses_evaluation_mode_and_restores_the_training_mode(make_data):
    data = make_data()
    method = build(data, "expected-relevance", ExpectedRelevanceConfig(hidden_channels=8))
    wanted = encode(method, data)[0].vectors
    method.train()
    method.classifier.eval()
    assert torch.equal(encode(method, data)[0].vectors, wanted)
    assert method.training and method.projectors.training and not method.classifier.training


def test_some_rows_are_encoded_with_progress(method, make_data):
    data, steps = make_data(), []
    rows = torch.tensor([4, 2, 31])
    some = encode(method, data, 2, steps.append, rows)
    for result, wanted in zip(some, encode(method, data), strict=True):
        torch.testing.assert_close(result.vectors, wanted.vectors[rows])
    assert steps == [2, 1, 2, 1]


def test_embeddings_that_are_not_finite_name_their_side(method, make_data):
    with torch.no_grad():
        method.text_projector.linear.bias[0] = torch.nan
    with pytest.raises(ValueError, match="'text embeddings' must be finite"):
        encode(method, make_data())


@pytest.mark.parametrize("side", ["image", "text"])
def test_embeddings_that_overflow_name_the_folder_of_the_model(method, make_data, tmp_path, side):
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.fill_(3e38)
    method.save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match=f"model: '{side} embeddings' must") as error:
        encode_side(load_method(tmp_path / "model"), side, make_data())
    assert str(error.value).startswith(str(tmp_path / "model"))


def test_a_trained_method_no_longer_names_the_folder_that_it_started_from(method, make_data, tmp_path):
    data = make_data()
    method.save_pretrained(tmp_path / "model")
    loaded = load_method(tmp_path / "model")
    fit(loaded, data, TrainConfig(epochs=1, batch_size=20, device="cpu"), tmp_path / "run", progress=False)
    with torch.no_grad():
        loaded.text_projector.linear.bias[0] = torch.nan
    with pytest.raises(ValueError, match=r"^'text embeddings' must be finite"):
        encode(loaded, data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("picture", torch.ones(1, 12)), r"'side'.*'picture'"), (("image", torch.ones(1, 12), 0), r"'batch_size'.*0")],
)
def test_other_wrong_arguments_are_named(method, arguments, message):
    with pytest.raises(ValueError, match=message):
        encode_side(method, *arguments)


def test_a_method_without_labels_is_named(make_data):
    data = make_data()
    method = build(data, "agah", AGAHConfig(bits=8, hidden_channels=8, graph_channels=(4, 4)))
    with pytest.raises(ValueError, match=r"'method' must score labels \(got 'agah', which does not\)"):
        relevance_encoder(method, data)


@pytest.mark.parametrize("select", ["validation", "last"])
def test_fit_calibrates_on_the_validation_split(make_data, tmp_path, select):
    data = make_data(size=120)
    method = build(
        data, "expected-relevance", ExpectedRelevanceConfig(hidden_channels=16, pair_weight=0.0, dropout=0.5)
    )
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
    assert mean_average_precision(*encode(method, test), test.labels, test.labels) > 0.85
