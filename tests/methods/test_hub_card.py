"""Model cards: what they tell, and that huggingface_hub can read them."""

import pytest
import torch
import yaml

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import build_method, model_card

FACTS = {
    "repository": "me/birds", "selected_on": "validation", "best_map": 0.1234, "seed": 3, "epochs": 7,
    "data": {"name": r"C:\Users\someone\birds.npz", "train": 1200, "validation": 100, "sha256": "0"},
    "settings": {"train": {"betas": (0.9, 0.999), "lr": 0.5}}, "metrics": {"recall@10": 0.5},
}  # fmt: skip


def built(name="algcn", labels=3):
    names = ["bird", "a`b", "<script>", *map(str, range(labels))][:labels]
    return build_method(name, 6, 5, cooccurrence_graph(torch.ones(2, labels), names))


def head(card):
    """The YAML between the first two lines of dashes."""
    return yaml.safe_load(card.split("---\n")[1])


def test_the_front_matter_leaves_the_licence_to_the_user():
    card = model_card(built(), FACTS)
    found = head(card)
    assert card.startswith("---\n# Add a licence") and "license" not in found
    assert found["library_name"] == "labelgraph" and "algcn" in found["tags"] and found["pipeline_tag"]
    assert head(model_card(built(), FACTS, "cc-by-4.0"))["license"] == "cc-by-4.0"


def test_huggingface_hub_reads_the_front_matter():
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(model_card(built(), FACTS, "mit")).data
    assert (data.library_name, data.license, data.pipeline_tag) == ("labelgraph", "mit", "feature-extraction")


def test_the_card_tells_the_facts_of_the_training():
    card = model_card(built(), FACTS)
    for part in ("# birds\n", 'load_method("hf://me/birds")', "Method: `algcn`",
                 "`birds.npz` (1,200 train, 100 validation", "Epochs: `7`",
                 "| 0.123 |", "| `recall@10` | 0.500 |", "validation split", "lr: 0.5"):  # fmt: skip
        assert part in card
    assert "someone" not in card and "Users" not in card


def test_labels_are_no_markup_and_at_most_fifty_are_listed():
    card = model_card(built(labels=53), FACTS)
    assert "53 labels: `bird`, `` a`b ``, `<script>`, `0`" in card
    assert "`46`, and 3 more in `model.json`" in card and "`47`" not in card
    assert "more in" not in model_card(built(labels=50), FACTS)


@pytest.mark.parametrize(
    ("name", "facts", "told"),
    [
        ("expected-relevance", FACTS, "calibrated on the validation split"),
        ("expected-relevance", {**FACTS, "selected_on": "test"}, "calibrated on the test split"),
        ("expected-relevance", {**FACTS, "selected_on": None, "best_map": None}, "not calibrated"),
        ("algcn", FACTS, "no probabilities"),
    ],
)
def test_the_limits_tell_how_probabilities_are_calibrated(name, facts, told):
    assert told in model_card(built(name), facts).partition("## Limits")[2]


def test_without_facts_the_card_has_the_model_alone():
    card = model_card(built())
    assert "Measures" not in card and "Data set" not in card and "mAP" not in card
    assert "hidden_channels" in card and "3 labels" in card


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (5, r"'facts' must be a mapping.*got 5"),
        ({"best_map": "high"}, "facts: expected the facts of a training"),
        ({"data": {"train": "many"}}, "facts: expected the facts of a training"),
        ({"metrics": [1]}, "facts: expected the facts of a training"),
    ],
)
def test_wrong_facts_are_named(facts, message):
    with pytest.raises(ValueError, match=message):
        model_card(built(), facts)
