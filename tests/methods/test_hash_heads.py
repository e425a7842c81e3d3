"""Hash heads on every label-graph method."""

import math

import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode
from labelgraph.losses import pairwise_loss, quantisation_loss
from labelgraph.methods import METHODS, LabelGraphMethod, build_method, load_method
from labelgraph.train import TrainConfig, fit

NAMES = [name for name, method in METHODS.items() if issubclass(method, LabelGraphMethod)]


def build(name, data, **settings):
    torch.manual_seed(0)
    settings = {"hidden_channels": 8, "num_layers": 1, "bits": 12} | settings
    config = METHODS[name].Config(**settings)
    return build_method(name, data.image_channels, data.text_channels, cooccurrence_graph(data.labels), config)


@pytest.mark.parametrize("relaxation", ["tanh", "straight-through"])
@pytest.mark.parametrize("name", NAMES)
def test_every_method_learns_codes(name, relaxation, make_data):
    data = make_data()
    method = build(name, data, relaxation=relaxation)
    method.on_epoch(3)
    outputs = method(data.image, data.text)
    terms = method.loss_terms(outputs, data.labels)
    assert {"code", "quantisation", "balance", "decorrelation"} < set(terms) == set(method.loss_weights())
    method.total_loss(terms).backward()
    for head in (method.image_hash, method.text_hash):
        assert head.linear.weight.grad.any() and (relaxation != "tanh" or head.scale == 2)
    method.eval()
    image = method.encode_image(data.image)
    assert image.shape == (60, 12) and set(image.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(image, method.image_hash.codes(method.image_projector(data.image)))


def test_the_terms_sum_the_losses_of_both_sides(make_data):
    data = make_data()
    method = build("algcn", data)
    outputs = method(data.image, data.text)
    terms = method.loss_terms(outputs, data.labels)
    image, text = outputs["image_code"], outputs["text_code"]
    pairs = [(image, image), (image, text), (text, text)]
    torch.testing.assert_close(terms["code"], sum(pairwise_loss(*pair, data.labels) for pair in pairs))
    torch.testing.assert_close(terms["quantisation"], quantisation_loss(image) + quantisation_loss(text))


@pytest.mark.parametrize("name", NAMES)
def test_without_bits_nothing_changes(name, make_data):
    data = make_data()
    method = build(name, data, bits=None)
    assert method.similarity == "cosine" and method.image_hash is None
    outputs = method(data.image, data.text)
    assert "image_code" not in outputs and "code" not in method.loss_terms(outputs, data.labels)


def test_a_hashed_method_is_trained_saved_and_searched_by_packed_codes(make_data, tmp_path):
    data = make_data()
    method = build("dagnn", data)
    config = TrainConfig(epochs=2, batch_size=8, lr=1e-3, device="cpu")
    result = fit(method, data, config, tmp_path / "fit", progress=False)
    assert all(math.isfinite(value) for row in result.history for value in row.values())
    method.save_pretrained(tmp_path / "model")
    again = load_method(tmp_path / "model")
    assert again.similarity == "hamming"
    for left, right in zip(encode(method, data), encode(again, data), strict=True):
        assert torch.equal(left.vectors, right.vectors)
        assert left.vectors.dtype == torch.uint8 and left.vectors.shape == (60, 2)


def test_missing_sides_are_generated_from_embeddings_not_codes(make_data):
    data = make_data()
    method = build("dagnn", data).eval()
    present = torch.tensor([[True, False]]).expand(60, 2)
    _, text = method.fill_missing(data.image, data.text, present)
    torch.testing.assert_close(text, method.text_generator(method.image_projector(data.image)).detach())


def test_one_hash_head_alone_is_refused(make_data):
    data = make_data()
    method = build("algcn", data)
    with pytest.raises(ValueError, match="'image_hash' and 'text_hash' must be given together"):
        METHODS["algcn"](
            method.image_projector, method.text_projector, method.label_branch, method.config, method.image_hash
        )
