"""DAGNN, P-GNN-CON and I-GNN-CON against fixtures computed from the published definitions."""

import pytest
import torch
from torch import nn

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import DAGNN, IGNNCON, PGNNCON, DAGNNConfig, IGNNCONConfig, PGNNCONConfig
from tests.methods.parity import TOLERANCE, assert_gradients, copy_parameters, read_figures

METHODS = {
    "dagnn": (DAGNN, DAGNNConfig, ["classification", "pairwise", "adversarial"]),
    "p_gnn_con": (PGNNCON, PGNNCONConfig, ["classification", "contrastive", "adversarial"]),
    "i_gnn_con": (IGNNCON, IGNNCONConfig, ["classification", "contrastive", "adversarial"]),
}
# Our parts under the names of the fixtures.
PARTS = {
    "image_projector": ("img_net", {"linear": "denseL1"}),
    "text_projector": ("text_net", {"linear": "denseL1"}),
    "text_generator": ("img2text_net", {"lin1": "denseL1", "lin2": "denseL2"}),
    "image_generator": ("text2img_net", {"lin1": "denseL1", "lin2": "denseL2"}),
    "image_discriminator": ("img_md_net", {"lin1": "denseL1", "lin2": "denseL2", "lin3": "denseL3"}),
    "text_discriminator": ("text_md_net", {"lin1": "denseL1", "lin2": "denseL2", "lin3": "denseL3"}),
}
OUTPUTS = {
    "image_embedding": "image_embedding", "text_embedding": "text_embedding", "image_scores": "image_scores",
    "text_scores": "text_scores", "classifiers": "classifiers", "image_real": "image_disc_real",
    "image_generated": "image_disc_generated", "text_generated": "text_disc_generated", "text_real": "text_disc_real",
}  # fmt: skip


def names_of(method, conv):
    """Map the trained parameters to the names of the fixture."""
    names = {}
    for part, (theirs, layers) in PARTS.items():
        layers = dict(layers) if method == "dagnn" else {"norm": "bn", **layers}
        for ours, layer in layers.items():
            names |= {f"{part}.{ours}.{kind}": f"{theirs}.{layer}.{kind}" for kind in ("weight", "bias")}
    for hop in range(3):
        conv_name = f"label_branch.encoder.convs.{hop}"
        if conv == "gcn":
            names[f"{conv_name}.weight"] = f"lrn_{hop}.weight"
        else:
            names |= {f"{conv_name}.weight": f"lrn_{hop}.W", f"{conv_name}.attention": f"lrn_{hop}.a"}
    names |= {f"label_branch.encoder.aggregation.{kind}": f"hypo.{kind}" for kind in ("weight", "bias")}
    if method == "i_gnn_con":
        names["label_branch.embedding.weight"] = "inp"
    return names


class Case:
    """Build a method with the parameters of its fixture, and run one training step."""

    def __init__(self, fixtures, method, conv, dtype):
        self.figures = figures = read_figures(fixtures / f"{method}_{conv}.npz")
        self.dtype = dtype
        cls, config_cls, self.terms_expected = METHODS[method]
        weights = {"alpha": figures["alpha"].item(), "beta": figures["beta"].item()}
        if method != "dagnn":
            weights |= {"temperature": figures["temperature"].item(), "intra_weight": figures["gamma"].item()}
        config = config_cls(
            hidden_channels=32, num_layers=3, conv=conv, threshold=figures["threshold"].item(), metric_heads=3,
            label_embedding="given", text_generator_channels=18, image_generator_channels=20, **weights,
        )  # fmt: skip
        graph = cooccurrence_graph(figures["label_matrix"], x=figures["param/inp"])
        self.names = names_of(method, conv)
        self.model = cls.from_config(config, 16, 16, graph).to(dtype)
        copy_parameters(self.model, figures, self.names)
        if method == "i_gnn_con":
            with torch.no_grad():
                heads = torch.stack([figures[f"param/W_{k}"] for k in range(3)])
                self.model.label_branch.adjacency.weight.copy_(heads)
        self.outputs = self.model(figures["image"].to(dtype), figures["text"].to(dtype))
        self.terms = self.model.loss_terms(self.outputs, figures["labels"].to(dtype))


@pytest.fixture(
    scope="module",
    params=[(m, c, d) for m in METHODS for c in ("gcn", "gat") for d in (torch.float32, torch.float64)],
    ids=lambda p: f"{p[0]}-{p[1]}-{str(p[2])[6:]}",
)
def case(request, fixtures):
    return Case(fixtures, *request.param)


def test_outputs(case):
    for ours, theirs in OUTPUTS.items():
        expected = case.figures[theirs].to(case.dtype)
        torch.testing.assert_close(case.outputs[ours], expected, **TOLERANCE[case.dtype])


def test_every_loss_term(case):
    assert list(case.terms) == case.terms_expected
    for name, term in case.terms.items():
        torch.testing.assert_close(term, case.figures[f"{name}_loss"].to(case.dtype), **TOLERANCE[case.dtype])
    total = case.model.total_loss(case.terms)
    torch.testing.assert_close(total, case.figures["total_loss"].to(case.dtype), **TOLERANCE[case.dtype])


def test_every_gradient(case):
    case.model.zero_grad()
    case.model.total_loss(case.terms).backward(retain_graph=True)
    names = dict(case.names)
    if "grad/W_0" in case.figures:
        stacked = torch.stack([case.figures[f"grad/W_{k}"] for k in range(3)])
        case.figures["grad/W"] = stacked
        names["label_branch.adjacency.weight"] = "W"
    assert_gradients(case.model, case.figures, names, case.dtype)


def test_the_adjacency_is_the_published_one(case):
    """Only the GCN fixtures have the normalised adjacency matrix."""
    adjacency = case.model.label_branch.adjacency
    if "param/A0" in case.figures:
        torch.testing.assert_close(adjacency.static, case.figures["param/A0"].to(case.dtype))
    elif case.model.config.conv == "gcn":
        _, edge_index, edge_weight = case.model.label_branch()
        dense = edge_weight.new_zeros(6, 6).index_put(tuple(edge_index), edge_weight).t()
        torch.testing.assert_close(dense, case.figures["param/adj"].to(case.dtype))
    else:
        edges = {tuple(edge) for edge in adjacency.edge_index.t().tolist()}
        assert edges == {tuple(edge) for edge in case.figures["param/adj"].nonzero().tolist()}


GRAPH = cooccurrence_graph(torch.eye(4)[torch.arange(24) % 4] + torch.eye(4)[torch.arange(24) // 6] > 0)


def small(cls, **settings):
    torch.manual_seed(0)
    config = cls.Config(hidden_channels=8, text_generator_channels=6, image_generator_channels=7, **settings)
    return cls.from_config(config, 32, 16, GRAPH)


def pairs(size=9):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(size, 32, generator=generator), torch.rand(size, 16, generator=generator)


def test_the_four_diagnostics_are_accuracies_of_the_discriminators():
    model = small(DAGNN)
    always_image, always_text = torch.tensor([[0.0, 1.0]] * 4), torch.tensor([[1.0, 0.0]] * 4)
    half = torch.cat([always_image[:2], always_text[:2]])
    kinds = {"image_real": always_image, "image_generated": always_image, "text_generated": half, "text_real": half}
    shares = {name.removeprefix("precision_"): share.item() for name, share in model.diagnostics(kinds).items()}
    assert shares == {"image_real": 1.0, "image_generated": 0.0, "text_generated": 0.5, "text_real": 0.5}


@pytest.mark.parametrize("cls", [DAGNN, PGNNCON])
def test_missing_sides_are_generated_and_present_sides_kept(cls):
    model, (image, text) = small(cls).train(), pairs()
    present = torch.tensor([[True, True], [True, False], [False, True]] * 3)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    filled_image, filled_text = model.fill_missing(image, text, present)
    assert model.training and not filled_image.requires_grad and not filled_text.requires_grad
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    model.eval()
    for i in range(9):
        alone_image = model.image_generator(model.encode_text(text[i : i + 1]))[0]
        alone_text = model.text_generator(model.encode_image(image[i : i + 1]))[0]
        torch.testing.assert_close(filled_image[i], image[i] if present[i, 0] else alone_image.detach())
        torch.testing.assert_close(filled_text[i], text[i] if present[i, 1] else alone_text.detach())
    assert alone_image.any() and alone_text.any()


def test_the_projectors_learn_to_fool_the_discriminators():
    """A gradient step on parameters behind the gradient reversal increases the adversarial loss."""
    model, (image, text) = small(DAGNN), pairs(40)

    def adversarial():
        return model.loss_terms(model(image, text), torch.ones(40, 4))["adversarial"]

    loss = adversarial()
    loss.backward()
    with torch.no_grad():
        for part in (model.image_projector, model.text_projector, model.text_generator, model.image_generator):
            for parameter in part.parameters():
                parameter -= 0.05 * parameter.grad
    assert adversarial() > loss
    nn.Module.zero_grad(model)
    with torch.no_grad():
        fooled = adversarial()
    adversarial().backward()
    with torch.no_grad():
        for part in (model.image_discriminator, model.text_discriminator):
            for parameter in part.parameters():
                parameter -= 0.05 * parameter.grad
    assert adversarial() < fooled


@pytest.mark.parametrize("adjacency", ["static", "adaptive", "metric", "attention"])
@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_every_adjacency_works_with_every_convolution(adjacency, conv):
    model, (image, text) = small(PGNNCON, adjacency=adjacency, conv=conv, num_layers=2), pairs()
    terms = model.loss_terms(model(image, text), torch.ones(9, 4))
    model.total_loss(terms).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert model.label_branch.embedding.weight.grad is None


def test_outputs_of_many_layers_are_finite():
    model, (image, text) = small(DAGNN, num_layers=40), pairs()
    outputs = model(image, text)
    model.total_loss(model.loss_terms(outputs, torch.ones(9, 4))).backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.requires_grad)


def test_a_batch_without_labels_has_no_contrastive_loss():
    model, (image, text) = small(PGNNCON), pairs()
    terms = model.loss_terms(model(image, text), torch.zeros(9, 4))
    assert terms["contrastive"] == 0 and all(torch.isfinite(term) for term in terms.values())
