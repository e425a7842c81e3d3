"""ALGCN against a fixture computed from the published definition."""

import numpy as np
import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.losses import structure_loss
from labelgraph.methods import ALGCN, ALGCNConfig
from labelgraph.nn import dense_adjacency
from tests.methods.parity import TOLERANCE, assert_gradients, copy_parameters, read_figures

# The parameters under the names of the fixture; convolutions and the rest need no transposition.
NAMES = {
    "label_branch.adjacency.residual": "B",
    "image_projector.linear.weight": "img_net.denseL1.weight",
    "image_projector.linear.bias": "img_net.denseL1.bias",
    "text_projector.linear.weight": "text_net.denseL1.weight",
    "text_projector.linear.bias": "text_net.denseL1.bias",
    "label_branch.encoder.convs.0.weight": "gc1.weight",
    "label_branch.encoder.convs.1.weight": "gc2.weight",
    "label_branch.encoder.convs.2.weight": "gc3.weight",
    "label_branch.encoder.aggregation.weight": "hypo.weight",
    "label_branch.encoder.aggregation.bias": "hypo.bias",
}


@pytest.fixture(scope="module")
def figures(fixtures):
    return read_figures(fixtures / "algcn.npz")


def published(figures, dtype):
    """Build the model with the parameters of the fixture."""
    embedding = figures["label_embedding"]
    graph = cooccurrence_graph(figures["label_matrix"], x=embedding)
    config = ALGCNConfig(hidden_channels=32, threshold=figures["threshold"].item(), label_embedding="given")
    model = ALGCN.from_config(config, 16, 16, graph).to(dtype)
    copy_parameters(model, figures, NAMES)
    return model


def step(model, figures, monkeypatch, dtype):
    """Compute outputs and loss terms with the random edges of the fixture."""
    draws = figures["negative_draws"].to(dtype)
    monkeypatch.setattr("labelgraph.methods.algcn.draw_negatives", lambda *_: draws)
    outputs = model(figures["image"].to(dtype), figures["text"].to(dtype))
    return outputs, model.loss_terms(outputs, figures["labels"].to(dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
class TestParity:
    def test_static_matrix(self, figures, dtype):
        model = published(figures, dtype)
        torch.testing.assert_close(model.label_branch.adjacency.static, figures["param/A"].to(dtype))

    def test_outputs(self, figures, monkeypatch, dtype):
        outputs, _ = step(published(figures, dtype), figures, monkeypatch, dtype)
        for name in ("image_embedding", "text_embedding", "image_scores", "text_scores", "classifiers"):
            torch.testing.assert_close(outputs[name], figures[name].to(dtype), **TOLERANCE[dtype])

    def test_every_loss_term(self, figures, monkeypatch, dtype):
        model = published(figures, dtype)
        _, terms = step(model, figures, monkeypatch, dtype)
        for name, term in terms.items():
            torch.testing.assert_close(term, figures[f"{name}_loss"].to(dtype), **TOLERANCE[dtype])
        assert set(terms) == {"classification", "pairwise", "structure"}
        torch.testing.assert_close(model.total_loss(terms), figures["total_loss"].to(dtype), **TOLERANCE[dtype])

    def test_every_gradient(self, figures, monkeypatch, dtype):
        model = published(figures, dtype)
        _, terms = step(model, figures, monkeypatch, dtype)
        model.total_loss(terms).backward()
        assert_gradients(model, figures, NAMES, dtype)


GRAPH = cooccurrence_graph(np.random.default_rng(0).random((30, 4)) < 0.4)


def small(**settings):
    torch.manual_seed(0)
    return ALGCN.from_config(ALGCNConfig(hidden_channels=8, **settings), 7, 5, GRAPH)


def batch(size=3):
    torch.manual_seed(1)
    return torch.randn(size, 7), torch.randn(size, 5), torch.ones(size, 4)


def terms_of(model):
    image, text, labels = batch()
    return model.loss_terms(model(image, text), labels)


def test_the_residual_has_its_own_learning_rate():
    model = small(residual_lr_scale=30.0)
    base, fast = model.param_groups(0.01)
    assert fast["params"] == [model.label_branch.adjacency.residual]
    assert base["lr"] == 0.01 and fast["lr"] == pytest.approx(0.3)
    assert small().param_groups(1.0)[1]["lr"] == 100
    assert len(small(adjacency="static").param_groups(0.01)) == 1


@pytest.mark.parametrize(("kind", "trained"), [("pmi-svd", False), ("one-hot", False), ("learned", True)])
def test_only_learned_label_embeddings_are_trained(kind, trained):
    model = small(label_embedding=kind)
    grouped = {id(parameter) for group in model.param_groups(0.01) for parameter in group["params"]}
    assert (id(model.label_branch.embedding.weight) in grouped) is trained


def test_a_static_adjacency_has_no_structure_loss():
    assert set(terms_of(small(adjacency="static"))) == {"classification", "pairwise"}


def test_without_layers_the_structure_loss_is_zero():
    terms = terms_of(small(num_layers=0))
    assert terms["structure"] == 0 and all(torch.isfinite(term) for term in terms.values())


def test_random_edges_are_drawn_in_training_only():
    model = small(negative_rate=0.5)
    assert terms_of(model)["structure"] != terms_of(model.eval())["structure"]
    first, second = (model.loss_terms(model(*batch()[:2]), batch()[2])["structure"] for _ in range(2))
    assert first == second
    adjacency = model.label_branch.adjacency
    propagation = dense_adjacency(*adjacency(), 4).t()
    expected = structure_loss(propagation, adjacency.static, torch.zeros(3, 4, 4))
    torch.testing.assert_close(first, expected)


def test_weights_of_the_losses_are_settings():
    assert small(alpha=0.7, structure_weight=0.1).loss_weights() == {
        "classification": 1.0,
        "pairwise": 0.7,
        "structure": 0.1,
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adjacency": "dense"}, r"'adjacency' must be one of static, adaptive, metric, attention \(got 'dense'\)"),
        ({"conv": "sage"}, r"'conv' must be one of gcn, gat \(got 'sage'\)"),
        ({"label_embedding": "glove"}, "'label_embedding' must be one of .*got 'glove'"),
        ({"label_embedding": "given"}, "'graph' must carry label embeddings"),
        ({"threshold": 2.0}, r"'threshold' must be a number in \[0, 1\]"),
        ({"num_layers": -1}, "'num_layers' must be a whole number of at least 0"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings)
