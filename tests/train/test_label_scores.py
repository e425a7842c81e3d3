"""Label scores of data sets, calibration after training, and ranking by them."""

import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import AGAHConfig, ALGCNConfig, ExpectedRelevanceConfig, build_method
from labelgraph.nn import Calibration, relevance_features
from labelgraph.retrieval import mean_average_precision
from labelgraph.train import TrainConfig, encode, fit, held_out_scores, label_scores, relevance_encoder


def build(data, name="algcn", config=None):
    torch.manual_seed(0)
    graph = cooccurrence_graph(data.labels, data.label_names)
    return build_method(name, 12, 9, graph, config or ALGCNConfig(hidden_channels=8)).eval()


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_blocks_do_not_matter(make_data, batch_size):
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
