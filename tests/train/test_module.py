"""The LightningModule of a method."""

import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import AGAHConfig, ALGCNConfig, build_method
from labelgraph.metrics import mean_average_precision
from labelgraph.train import Batch, NonFiniteError, RetrievalModule, TrainConfig


@pytest.fixture
def module(make_data):
    data = make_data()
    torch.manual_seed(0)
    method = build_method("algcn", 12, 9, cooccurrence_graph(data.labels), ALGCNConfig(hidden_channels=8))
    return RetrievalModule(method, TrainConfig(lr=0.01, betas=(0.3, 0.9), weight_decay=0.1))


def batch_of(data, rows=slice(None)):
    return Batch(data.image[rows], data.text[rows], data.labels[rows], data.present[rows])


def test_the_optimiser_follows_the_settings_and_the_method(module):
    optimizer = module.configure_optimizers()
    base, fast = optimizer.param_groups
    assert isinstance(optimizer, torch.optim.Adam)
    assert (base["lr"], fast["lr"]) == (0.01, pytest.approx(1.0))
    assert fast["params"] == [module.method.label_branch.adjacency.residual]
    assert all(group["betas"] == (0.3, 0.9) and group["weight_decay"] == 0.1 for group in (base, fast))


def test_validation_in_batches_retrieves_among_all_items(module, make_data, monkeypatch):
    data, logged = make_data(), {}
    monkeypatch.setattr(module, "log_dict", logged.update)
    with torch.no_grad():
        for number, rows in enumerate((slice(0, 25), slice(25, 60))):
            module.validation_step(batch_of(data, rows), number)
        module.on_validation_epoch_end()
        image, text = module.method.encode_image(data.image), module.method.encode_text(data.text)
    labels = (data.labels, data.labels)
    assert logged["image_to_text"] == pytest.approx(mean_average_precision(image, text, *labels))
    assert logged["text_to_image"] == pytest.approx(mean_average_precision(text, image, *labels))
    assert logged["image_to_text"] != logged["text_to_image"]
    assert logged["validation_map"] == pytest.approx((logged["image_to_text"] + logged["text_to_image"]) / 2)
    assert not module._held_out


@pytest.mark.parametrize("side", ["image", "text"])
def test_embeddings_that_are_not_finite_stop_the_validation(module, make_data, side):
    with torch.no_grad():
        getattr(module.method, f"{side}_projector").linear.bias.fill_(torch.nan)
    with pytest.raises(NonFiniteError, match=f"'{side} embeddings' must be finite .* after epoch 0; a lower 'lr'"):
        module.validation_step(batch_of(make_data()), 0)


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
    with pytest.raises(NonFiniteError, match=f"the loss term {named} is not finite in epoch 0, step 4"):
        module.training_step(batch_of(data), 4)


def test_the_method_receives_its_epoch(module, monkeypatch):
    epochs = []
    monkeypatch.setattr(module.method, "on_epoch", epochs.append)
    module.on_train_epoch_start()
    assert epochs == [0]


def test_sgd_follows_the_settings(module):
    settings = TrainConfig(optimizer="sgd", lr=0.1, momentum=0.7, weight_decay=0.2)
    optimizer = RetrievalModule(module.method, settings).configure_optimizers()
    assert isinstance(optimizer, torch.optim.SGD)
    assert {key: optimizer.param_groups[0][key] for key in ("lr", "momentum", "weight_decay")} == {
        "lr": 0.1, "momentum": 0.7, "weight_decay": 0.2,
    }  # fmt: skip


def test_validation_excludes_missing_sides(module, make_data, monkeypatch):
    data, logged = make_data(), {}
    monkeypatch.setattr(module, "log_dict", logged.update)
    has_image, has_text = torch.arange(60) % 3 > 0, torch.arange(60) % 4 > 0
    batch = batch_of(data)._replace(present=torch.stack([has_image, has_text], 1))
    with torch.no_grad():
        module.validation_step(batch, 0)
        module.on_validation_epoch_end()
        image, text = module.method.encode_image(data.image), module.method.encode_text(data.text)
    expected = mean_average_precision(image[has_image], text[has_text], data.labels[has_image], data.labels[has_text])
    assert logged["image_to_text"] == pytest.approx(expected)


def test_codes_are_validated_by_hamming_distance(make_data, monkeypatch):
    data, logged = make_data(), {}
    method = build_method("agah", 12, 9, config=AGAHConfig(bits=12, hidden_channels=8, graph_channels=(8, 8)))
    module = RetrievalModule(method, TrainConfig())
    monkeypatch.setattr(module, "log_dict", logged.update)
    with torch.no_grad():
        module.validation_step(batch_of(data), 0)
        module.on_validation_epoch_end()
        image, text = method.encode_image(data.image), method.encode_text(data.text)
    expected = mean_average_precision(text, image, data.labels, data.labels, similarity="dot")
    assert logged["text_to_image"] == pytest.approx(expected)


def test_parameters_and_buffers_that_are_not_finite_are_named(module):
    module.on_train_epoch_end()
    name, buffer = next((n, b) for n, b in module.method.named_buffers() if b.is_floating_point())
    buffer.flatten()[0] = float("inf")
    with pytest.raises(NonFiniteError, match=f"{name} .*not finite after epoch 0"):
        module.on_train_epoch_end()


def test_validation_with_sparse_labels_is_that_with_dense_labels(module, make_data, with_many_labels, monkeypatch):
    data, logged = make_data(), {}
    many, present = with_many_labels(data), data.present.clone()
    present[::7, 0] = False
    monkeypatch.setattr(module, "log_dict", lambda metrics: logged.setdefault("all", []).append(metrics))
    with torch.no_grad():
        for each in (data, many):
            for rows in (slice(0, 25), slice(25, 60)):
                labels = each.label_rows(rows, dense=False)
                module.validation_step(Batch(data.image[rows], data.text[rows], labels, present[rows]), 0)
            module.on_validation_epoch_end()
    assert logged["all"][0] == logged["all"][1]
