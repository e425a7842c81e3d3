"""AGAH against a fixture computed from the published definition."""

import pytest
import torch

from labelgraph.methods import AGAH, AGAHConfig
from tests.methods.parity import TOLERANCE, assert_gradients, copy_parameters, read_figures

NAMES = {
    f"{ours}.{kind}": f"{theirs}.{kind}"
    for ours, theirs in {
        "image_hash.lin1": "image_hash.0",
        "image_hash.lin2": "image_hash.2",
        "text_hash.lin1": "text_hash.fc1",
        "text_hash.lin2": "text_hash.fc2",
        "image_branch.conv1": "image_gcn.gc1",
        "image_branch.conv2": "image_gcn.gc2",
        "image_branch.linear": "image_gcn.linear",
        "text_branch.conv1": "text_gcn.gc1",
        "text_branch.conv2": "text_gcn.gc2",
        "text_branch.linear": "text_gcn.linear",
    }.items()
    for kind in ("weight", "bias")
} | {"image_branch.adjacency.weight": "image_gcn.weight", "text_branch.adjacency.weight": "text_gcn.weight"}


@pytest.fixture(scope="module", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def case(request, fixtures):
    figures, dtype = read_figures(fixtures / "agah.npz"), request.param
    config = AGAHConfig(
        bits=16, hidden_channels=40, graph_channels=(24, 12), adjacency="residual", num_items=10,
        **{ours: figures[theirs].item() for ours, theirs in {
            "gamma": "gamma", "image_weight": "eta", "text_weight": "beta", "cross_weight": "lamb",
            "similarity_scale": "mu", "delta": "delta", "epsilon": "epsilon", "phi": "phi",
        }.items()},
    )  # fmt: skip
    model = AGAH.from_config(config, 20, 18).to(dtype)
    copy_parameters(model, figures, NAMES)
    model.on_epoch(int(figures["epoch"]))
    return model, figures, dtype, model(figures["image"].to(dtype), figures["text"].to(dtype))


def test_outputs(case):
    model, figures, dtype, outputs = case
    assert model.tanh_scale == figures["tanh_scale"]
    for name in ("similarity", "image_code", "text_code", "image_graph_code", "text_graph_code"):
        torch.testing.assert_close(outputs[name], figures[name].to(dtype), **TOLERANCE[dtype])


def test_total_and_every_gradient(case):
    model, figures, dtype, outputs = case
    model.zero_grad()
    total = model.total_loss(model.loss_terms(outputs, torch.empty(10, 0)))
    torch.testing.assert_close(total, figures["total_loss"].to(dtype), **TOLERANCE[dtype])
    total.backward(retain_graph=True)
    assert_gradients(model, figures, NAMES, dtype)


def small(**settings):
    torch.manual_seed(0)
    return AGAH.from_config(AGAHConfig(hidden_channels=12, graph_channels=(8, 6), **settings), 7, 5)


def pairs(size=6):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(size, 7, generator=generator), (torch.rand(size, 5, generator=generator) < 0.4).float()


@pytest.mark.parametrize("adjacency", ["attention", "residual"])
@pytest.mark.parametrize("size", [1, 2, 6])
def test_every_parameter_learns_from_any_batch_size(adjacency, size):
    model = small(adjacency=adjacency, bits=12)
    model.total_loss(model.loss_terms(model(*pairs(size)), torch.empty(size, 0))).backward()
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        # A single item attends to itself for any weights, and two columns may be equal.
        assert size == 1 or parameter.grad.any(), name


def test_the_residual_adjacency_has_a_largest_batch_size():
    model = small(adjacency="residual", num_items=4)
    with pytest.raises(ValueError, match=r"a batch must have at most 4 items, 'num_items' \(got 6\)"):
        model(*pairs(6))


@pytest.mark.parametrize("bits", [1, 12, 16])
def test_codes_are_signs_in_every_epoch(bits):
    model, (image, text) = small(bits=bits), pairs()
    before = model.encode_image(image), model.encode_text(text)
    model.on_epoch(15)
    assert model.tanh_scale == 4.0
    for side, hashed, code in zip((image, text), (model.image_hash, model.text_hash), before, strict=True):
        assert code.shape == (6, bits)
        assert torch.equal(code, torch.where(hashed(side) >= 0, 1.0, -1.0))
    assert torch.equal(model.encode_image(image), before[0])


def test_the_sign_of_zero_is_a_bit():
    model = small(bits=3)
    torch.nn.init.zeros_(model.image_hash.lin2.weight)
    torch.nn.init.zeros_(model.image_hash.lin2.bias)
    assert torch.equal(model.encode_image(pairs()[0]), torch.ones(6, 3))


def test_labels_are_ignored():
    model = small(bits=8)
    outputs = model(*pairs())
    assert model.loss_terms(outputs, None) == model.loss_terms(outputs, torch.ones(6, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 0}, r"'bits' must be a positive whole number \(got 0\)"),
        ({"adjacency": "static"}, r"'adjacency' must be one of attention, residual \(got 'static'\)"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings)
