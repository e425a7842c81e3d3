"""The interface of `Method`, tested for every method."""

import json
from typing import Any

import pytest
import torch
from safetensors import safe_open

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import METHODS, LabelGraphMethod, build_method, load_method

GENERATORS = {"text_generator_channels": 6, "image_generator_channels": 7}
SMALL: dict[str, list[dict[str, Any]]] = {
    "algcn": [{}, {"adjacency": "static"}, {"adjacency": "attention"}],
    # From the third layer on, attention over all pairs has equal inputs, so its gradients are rounding errors.
    "dagnn": [GENERATORS, {**GENERATORS, "conv": "gat", "adjacency": "attention", "num_layers": 2}],
    "p-gnn-con": [GENERATORS, {**GENERATORS, "conv": "gat"}],
    # With a higher threshold, too few edges remain for the metric to learn from.
    "i-gnn-con": [{**GENERATORS, "threshold": 0.0}, {**GENERATORS, "metric_heads": 2, "label_embedding": "learned"}],
    "agah": [{"bits": 8, "graph_channels": (8, 6)}, {"bits": 8, "graph_channels": (8, 6), "adjacency": "residual",
                                                     "num_items": 60}],
    # Without dropout, so that calls are repeatable.
    "expected-relevance": [{"dropout": 0.0}, {"dropout": 0.0, "bits": 6}],
}  # fmt: skip
CASES = [
    (name, METHODS[name].Config(hidden_channels=8, **settings)) for name, all_of in SMALL.items() for settings in all_of
]
LABEL_GRAPH = [(name, config) for name, config in CASES if issubclass(METHODS[name], LabelGraphMethod)]


def ids(cases):
    parts = ((name, getattr(config, "adjacency", None), getattr(config, "conv", None)) for name, config in cases)
    return ["-".join(filter(None, each)) for each in parts]


each_method = pytest.mark.parametrize(("name", "config"), CASES, ids=ids(CASES))
each_label_graph_method = pytest.mark.parametrize(("name", "config"), LABEL_GRAPH, ids=ids(LABEL_GRAPH))


def build(name, config, data: CrossModalData):
    torch.manual_seed(0)
    graph = cooccurrence_graph(data.labels, data.label_names)
    return build_method(name, data.image_channels, data.text_channels, graph, config)


def test_every_method_is_tested():
    assert set(SMALL) == set(METHODS)


@each_label_graph_method
def test_encoders_equal_the_outputs_of_forward(name, config, make_data):
    data = make_data()
    method = build(name, config, data).eval()
    outputs = method(data.image, data.text)
    assert torch.equal(method.encode_image(data.image), outputs["image_embedding"])
    assert torch.equal(method.encode_text(data.text), outputs["text_embedding"])
    assert outputs["image_embedding"].shape == outputs["text_embedding"].shape == (60, 8)
    assert outputs["image_scores"].shape == outputs["text_scores"].shape == (60, 5)


@each_method
def test_total_is_the_weighted_sum_of_scalars(name, config, make_data):
    data = make_data()
    method = build(name, config, data)
    terms = method.loss_terms(method(data.image, data.text), data.labels)
    weights = method.loss_weights()
    assert all(term.ndim == 0 and term > 0 for term in terms.values())
    expected = sum(weights[term] * value.item() for term, value in terms.items())
    assert method.total_loss(terms).item() == pytest.approx(expected, rel=1e-5)
    assert set(terms) <= set(weights)
    assert len(set(weights.values())) > 1 or len(terms) == 2  # Two weights of expected relevance are equal.


@each_method
@pytest.mark.parametrize("size", [1, 2, 7])
def test_every_parameter_learns_from_any_batch(name, config, size, make_data):
    data = make_data(image_channels=96, text_channels=80)  # So that the layers of the discriminators are wider than 1.
    method = build(name, config, data)
    rows = slice(0, size)
    terms = method.loss_terms(method(data.image[rows], data.text[rows]), data.labels[rows])
    method.total_loss(terms).backward()
    for parameter_name, parameter in method.named_parameters():
        # Graph attention uses only the sign of the edges, and a single item attends only to itself.
        unmoved = getattr(config, "conv", None) == "gat" or (name == "agah" and size == 1)
        if "adjacency" in parameter_name and unmoved:
            continue
        if parameter.requires_grad:
            assert torch.isfinite(parameter.grad).all(), parameter_name
            assert parameter.grad.any(), parameter_name


@each_method
def test_one_label(name, config, make_data):
    data = make_data(size=12, num_labels=1)
    method = build(name, config, data)
    terms = method.loss_terms(method(data.image, data.text), data.labels)
    method.total_loss(terms).backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)


@each_method
def test_compiled_as_one_graph_equals_eager(name, config, make_data):
    data = make_data()
    method = build(name, config, data)

    def step(image, text, labels):
        outputs = method(image, text)
        terms = method.loss_terms(outputs, labels)
        return outputs, terms, method.total_loss(terms)

    torch.compiler.reset()  # Earlier compilations count against a limit.
    results = []
    for call in (step, torch.compile(step, fullgraph=True, backend="eager")):
        torch.manual_seed(0)  # The method draws random edges.
        results.append(call(data.image, data.text, data.labels))
    torch.testing.assert_close(*results)


@each_label_graph_method
def test_the_order_of_labels_does_not_matter(name, config, make_data):
    """Permuted labels give the same embeddings, and permuted scores if no parameter belongs to one label."""
    data = make_data()
    order = torch.randperm(5)
    method = build(name, config, data)
    other = build(name, config, CrossModalData(data.image, data.text, data.labels[:, order]))
    state = method.state_dict()
    by_label = ("residual", "static", "embedding.weight", "edge_index", "edge_weight")
    for key, value in other.state_dict().items():
        if not key.endswith(by_label):
            value.copy_(state[key])
    with torch.no_grad():
        other.label_branch.embedding.weight.copy_(method.label_branch.embedding.weight[order])
        if config.adjacency == "metric":
            other.label_branch.adjacency.static.copy_(method.label_branch.adjacency.static[order][:, order])
        if config.adjacency == "adaptive":
            other.label_branch.adjacency.residual.copy_(method.label_branch.adjacency.residual[order][:, order])
    outputs, again = method(data.image, data.text), other(data.image, data.text)
    torch.testing.assert_close(again["image_embedding"], outputs["image_embedding"])
    torch.testing.assert_close(again["image_scores"], outputs["image_scores"][:, order])
    torch.testing.assert_close(again["classifiers"], outputs["classifiers"][order])


@each_method
def test_parameter_groups_hold_every_trained_parameter_once(name, config, make_data):
    method = build(name, config, make_data())
    groups = method.param_groups(0.01)
    grouped = [id(parameter) for group in groups for parameter in group["params"]]
    trained = [id(parameter) for parameter in method.parameters() if parameter.requires_grad]
    assert len(grouped) == len(set(grouped)) and set(grouped) == set(trained)
    torch.optim.Adam(groups)


@each_method
def test_the_same_seed_builds_the_same_method(name, config, make_data):
    data = make_data()
    first, second = (build(name, config, data).state_dict() for _ in range(2))
    assert all(torch.equal(first[key], second[key]) for key in first)


@each_method
def test_a_saved_method_is_read_back(name, config, make_data, tmp_path):
    data = make_data()
    method = build(name, config, data).eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(torch.randn_like(parameter))
    method.save_pretrained(tmp_path)
    again = load_method(tmp_path)
    assert type(again) is type(method) and again.config == config
    for encode in ("encode_image", "encode_text"):
        side = data.image if encode == "encode_image" else data.text
        assert torch.equal(getattr(again, encode)(side), getattr(method, encode)(side))


def test_a_method_that_does_not_read_labels_stores_none(make_data, tmp_path):
    data = make_data()
    build("agah", METHODS["agah"].Config(hidden_channels=8, graph_channels=(8, 6)), data).save_pretrained(tmp_path)
    meaning = json.loads((tmp_path / "model.json").read_text())
    assert meaning["entries"]["label_names"] == [] and meaning["entries"]["num_samples"] == 0
    (entry,) = meaning["files"].values()
    with safe_open(tmp_path / entry["file"], "pt") as file:
        assert not [key for key in file.keys() if key.startswith("graph.")]  # noqa: SIM118


def test_a_label_graph_method_needs_a_graph():
    with pytest.raises(ValueError, match=r"'graph' must be a label graph for 'dagnn' \(got none\)"):
        build_method("dagnn", 4, 3)
