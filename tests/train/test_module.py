"""A method as a LightningModule."""

import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCNConfig, build_method
from labelgraph.retrieval import mean_average_precision
from labelgraph.train import NonFiniteLossError, RetrievalModule, TrainConfig


@pytest.fixture
def module(make_data):
    data = make_data()
    torch.manual_seed(0)
    method = build_method("algcn", 12, 9, cooccurrence_graph(data.labels), ALGCNConfig(hidden_channels=8))
    return RetrievalModule(method, TrainConfig(lr=0.01, betas=(0.3, 0.9), weight_decay=0.1))


def test_the_optimiser_follows_the_settings_and_the_method(module):
    optimizer = module.configure_optimizers()
    base, fast = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.Adam)
    assert (base["lr"], fast["lr"]) == (0.01, pytest.approx(1.0))
    assert fast["params"] == [module.method.label_branch.adjacency.residual]
    assert all(group["betas"] == (0.3, 0.9) and group["weight_decay"] == 0.1 for group in (base, fast))


def test_validation_in_batches_is_retrieval_among_all(module, make_data, monkeypatch):
    data, logged = make_data(), {}
    monkeypatch.setattr(module, "log_dict", logged.update)
    with torch.no_grad():
        for number, rows in enumerate((slice(0, 25), slice(25, 60))):
            module.validation_step((data.image[rows], data.text[rows], data.labels[rows]), number)
        module.on_validation_epoch_end()
        image, text = module.method.encode_image(data.image), module.method.encode_text(data.text)
    labels = (data.labels, data.labels)
    assert logged["image_to_text"] == pytest.approx(mean_average_precision(image, text, *labels))
    assert logged["text_to_image"] == pytest.approx(mean_average_precision(text, image, *labels))
    assert logged["image_to_text"] != logged["text_to_image"]
    assert logged["validation_map"] == pytest.approx((logged["image_to_text"] + logged["text_to_image"]) / 2)
    assert not module._held_out


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ({"pairwise": float("nan"), "structure": 1.0, "classification": float("inf")}, "pairwise and classification"),
        ({"pairwise": 1.0}, "total"),
    ],
)
def test_the_message_names_every_term_that_is_not_finite(module, make_data, monkeypatch, terms, named):
    data = make_data()
    monkeypatch.setattr(module.method, "total_loss", lambda terms: torch.tensor(float("nan")))
    monkeypatch.setattr(module.method, "loss_terms", lambda *_: {name: torch.tensor(v) for name, v in terms.items()})
    with pytest.raises(NonFiniteLossError, match=f"the loss term {named} is not finite in epoch 0, step 4"):
        module.training_step((data.image, data.text, data.labels), 4)


def test_the_method_is_told_its_epoch(module, monkeypatch):
    told = []
    monkeypatch.setattr(module.method, "on_epoch", told.append)
    module.on_train_epoch_start()
    assert told == [0]
