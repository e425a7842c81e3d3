"""Training: repeated, resumed, stopped early, and selected by split."""

import csv
import math
import signal
import warnings
from dataclasses import replace

import lightning as L
import numpy as np
import pytest
import torch

from labelgraph.data import drop_modalities
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode
from labelgraph.methods import AGAHConfig, ALGCNConfig, DAGNNConfig, PGNNCONConfig, build_method, load_method
from labelgraph.metrics import evaluate
from labelgraph.train import NonFiniteError, TrainConfig, fit


class Interrupted(RuntimeError):
    pass


class InterruptAfter(L.Callback):
    """Interrupts a training after an epoch and its checkpoints, or within the next epoch."""

    def __init__(self, epoch, within=False):
        self.epoch, self.within = epoch, within

    def on_train_epoch_start(self, trainer, pl_module):
        if not self.within and trainer.current_epoch == self.epoch + 1:
            raise Interrupted

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.within and trainer.current_epoch == self.epoch + 1 and batch_idx == 1:
            raise Interrupted


class Watch(L.Callback):
    def __init__(self):
        self.modes, self.epochs = set(), []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.modes.add(pl_module.method.training)

    def on_train_epoch_start(self, trainer, pl_module):
        self.epochs.append(trainer.current_epoch)


def build(data, seed=0):
    torch.manual_seed(seed)
    graph = cooccurrence_graph(data.split("train").labels, data.label_names)
    config = ALGCNConfig(hidden_channels=8, num_layers=2, threshold=0.3)
    return build_method("algcn", data.image_channels, data.text_channels, graph, config)


def config(**changes):
    settings = {"epochs": 6, "batch_size": 8, "lr": 3e-3, "checkpoint_every": 2, "device": "cpu", "patience": 0}
    return TrainConfig(**settings | changes)


def train(data, folder, seed=0, callbacks=(), **changes):
    method = build(data, seed)
    result = fit(method, data, config(**changes), folder, seed=seed, progress=False, callbacks=tuple(callbacks))
    return method, result


def equal_weights(left, right):
    states = left.state_dict(), right.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.fixture
def data(make_data):
    return make_data()


@pytest.fixture
def whole(data, tmp_path_factory, request):
    """Run one training without interruption, and return the folder, the method and the result."""
    if not hasattr(request.module, "WHOLE"):
        folder = tmp_path_factory.mktemp("whole")
        request.module.WHOLE = folder, *train(data, folder)
    return request.module.WHOLE


def test_training_learns_and_leaves_only_its_history(whole, data):
    folder, method, result = whole
    assert [path.name for path in folder.iterdir()] == ["history.csv"]
    assert result.history[-1]["total"] < result.history[0]["total"]
    assert result.seconds > result.epoch_seconds > 0 and not method.training
    before = build(data)
    assert not equal_weights(before, method)


def test_history_has_a_row_for_each_epoch(whole):
    folder, _, result = whole
    with (folder / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    terms = {"classification", "pairwise", "structure", "total"}
    assert set(rows[0]) == {"epoch", "image_to_text", "text_to_image", "validation_map"} | terms
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(6)]
    for row, again in zip(result.history, rows, strict=True):
        assert row == {name: float(value) for name, value in again.items()}
        assert row["validation_map"] == pytest.approx((row["image_to_text"] + row["text_to_image"]) / 2)
        weighted = row["classification"] + 0.2 * row["pairwise"] + 0.5 * row["structure"]
        assert row["total"] == pytest.approx(weighted, rel=1e-5)


def test_the_weights_are_of_the_best_epoch(whole, data):
    _, method, result = whole
    values = [row["validation_map"] for row in result.history]
    assert result.best_map == max(values) and result.best_epoch == values.index(max(values))
    held_out = data.split("validation")
    image, text = encode(method, held_out)
    labels = (held_out.labels, held_out.labels)
    both = [evaluate(a, b, *labels).mean_average_precision for a, b in ((image, text), (text, image))]
    assert np.mean(both) == pytest.approx(result.best_map, rel=1e-6)


def test_the_same_seed_repeats_the_run_and_another_seed_does_not(whole, data, tmp_path):
    folder, method, _ = whole
    torch.rand(3)
    again, _ = train(data, tmp_path / "again")
    assert (tmp_path / "again" / "history.csv").read_bytes() == (folder / "history.csv").read_bytes()
    assert equal_weights(again, method)
    other = build(data)
    fit(other, data, config(), tmp_path / "other", seed=1, progress=False)
    assert (tmp_path / "other" / "history.csv").read_bytes() != (folder / "history.csv").read_bytes()


@pytest.mark.parametrize(
    ("epoch", "within", "resumed_at"),
    [(1, False, 2), (2, False, 2), (3, True, 4), (0, True, 0)],
)
def test_a_resumed_run_ends_as_if_not_interrupted(whole, data, tmp_path, epoch, within, resumed_at):
    """Checkpoints are saved every second epoch, so some interruptions are between or before checkpoints."""
    folder, method, result = whole
    with pytest.raises(Interrupted):
        train(data, tmp_path, callbacks=[InterruptAfter(epoch, within)])
    torch.manual_seed(99)
    again = build(data, seed=5)
    start = build(data)
    if resumed_at == 0:
        again.load_state_dict(start.state_dict())
    watch = Watch()
    resumed = fit(again, data, config(), tmp_path, seed=0, progress=False, callbacks=(watch,))
    assert watch.epochs[0] == resumed_at
    assert (tmp_path / "history.csv").read_bytes() == (folder / "history.csv").read_bytes()
    assert equal_weights(again, method)
    assert (resumed.history, resumed.best_epoch, resumed.best_map) == (
        result.history,
        result.best_epoch,
        result.best_map,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_a_run_interrupted_twice(whole, data, tmp_path):
    folder, method, _ = whole
    for epoch in (2, 4):
        with pytest.raises(Interrupted):
            train(data, tmp_path, callbacks=[InterruptAfter(epoch)])
    again, _ = train(data, tmp_path)
    assert (tmp_path / "history.csv").read_bytes() == (folder / "history.csv").read_bytes()
    assert equal_weights(again, method)


@pytest.fixture
def validated(monkeypatch):
    """Return a function that sets the mAP of each epoch."""

    def by_epoch(values):
        both_ways = iter([value for value in values for _ in range(2)])
        monkeypatch.setattr("labelgraph.train.module.mean_average_precision", lambda *_, **__: next(both_ways))

    return by_epoch


@pytest.mark.parametrize(
    ("changes", "epochs"),
    [
        ({"patience": 1}, 7),  # The minimum of three epochs.
        ({"patience": 12}, 7),  # Epochs have four steps.
        ({"patience": 13}, 8),
        ({"patience": 12, "min_steps": 29}, 8),
        ({"patience": 0}, 10),
    ],
)
def test_patience_in_steps_stops_a_run_that_does_not_improve(data, tmp_path, validated, changes, epochs):
    assert len(data.splits["train"]) == 30  # Four batches.
    values = [0.2, 0.6, 0.5, 0.7, 0.7, 0.6, 0.5, 0.4, 0.65, 0.6]
    validated(values)
    _, result = train(data, tmp_path, epochs=10, **changes)
    assert [row["validation_map"] for row in result.history] == pytest.approx(values[:epochs])
    assert result.best_epoch == 3 and result.best_map == pytest.approx(0.7) and not result.improving


def test_a_training_whose_last_epoch_is_the_best_is_improving(data, tmp_path, validated):
    validated([0.2, 0.5, 0.6])
    _, result = train(data, tmp_path, epochs=3)
    assert result.improving and result.best_epoch == 2
    assert not train(data, tmp_path / "last", epochs=3, select="last")[1].improving


def test_a_resumed_run_stops_where_the_whole_run_does(data, tmp_path):
    changes = {"epochs": 12, "patience": 12, "min_steps": 29, "lr": 1e-9}
    whole, result = train(data, tmp_path / "whole", **changes)
    assert len(result.history) < 12
    with pytest.raises(Interrupted):
        train(data, tmp_path / "cut", **changes, callbacks=[InterruptAfter(1)])
    again, resumed = train(data, tmp_path / "cut", **changes)
    assert resumed.history == result.history and equal_weights(again, whole)


def test_selecting_on_the_test_split_measures_the_test_split(data, tmp_path):
    method, result = train(data, tmp_path, epochs=2, select="test")
    held_out = data.split("test")
    image, text = encode(method, held_out)
    labels = (held_out.labels, held_out.labels)
    both = [evaluate(a, b, *labels).mean_average_precision for a, b in ((image, text), (text, image))]
    assert np.mean(both) == pytest.approx(result.best_map, rel=1e-6)


def test_a_loaded_method_is_trained_in_training_mode(data, tmp_path):
    method, watch = build(data).eval(), Watch()
    fit(method, data, config(epochs=1), tmp_path, progress=False, callbacks=(watch,))
    assert watch.modes == {True} and not method.training


def test_a_method_stores_unit_vectors_of_the_label_names(data, tmp_path):
    vectors = torch.arange(1.0, 1 + 2 * data.num_labels).view(-1, 2)
    method = build(data)
    fit(method, replace(data, label_vectors=vectors), config(epochs=1), tmp_path / "run", progress=False)
    method.save_pretrained(tmp_path / "model")
    expected = torch.nn.functional.normalize(vectors)
    torch.testing.assert_close(load_method(tmp_path / "model").label_vectors, expected.half())


def test_a_method_stores_the_settings_of_the_encoders(data, tmp_path):
    data = replace(data, encoders={"text": {"encoder": "bag-of-words", "vocabulary": ["cat"]}})
    method = build(data)
    fit(method, data, config(epochs=1), tmp_path / "run", progress=False)
    method.save_pretrained(tmp_path / "model")
    assert load_method(tmp_path / "model").encoders == data.encoders


@pytest.mark.parametrize("bad", ["pairwise", "classification"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_with_its_name(data, tmp_path, bad, value):
    method = build(data)
    terms_of = method.loss_terms
    method.loss_terms = lambda outputs, labels: (terms := terms_of(outputs, labels)) | {bad: value * terms[bad]}
    with pytest.raises(NonFiniteError, match=f"the loss term {bad} is not finite in epoch 0, step 0"):
        fit(method, data, config(), tmp_path, progress=False)


class Overflow(L.Callback):
    def on_train_epoch_end(self, trainer, pl_module):
        with torch.no_grad():
            for parameter in pl_module.method.parameters():
                parameter.fill_(3e38)


@pytest.mark.parametrize("select", ["validation", "last"])
def test_a_resumed_training_that_overflows_names_its_folder(data, tmp_path, select):
    settings = config(epochs=1, checkpoint_every=1, select=select)
    fit(build(data), data, settings, tmp_path, progress=False, keep_checkpoints=True, callbacks=(Overflow(),))
    with pytest.raises(NonFiniteError, match="finite") as error:
        train(data, tmp_path, epochs=2, checkpoint_every=1, select=select)
    assert str(error.value).startswith(f"{tmp_path}: ")


@pytest.mark.parametrize("size", [1, 3, 7, 60, 1000])
def test_every_batch_size_gives_the_same_embeddings(data, size):
    method = build(data).eval()
    image, text = encode(method, data, size)
    torch.testing.assert_close(image.vectors, method.encode_image(data.image).detach())
    torch.testing.assert_close(text.vectors, method.encode_text(data.text).detach())
    assert not image.vectors.requires_grad


def test_sparse_and_dense_texts_give_the_same_training(whole, data, tmp_path):
    import scipy.sparse as sp

    from labelgraph.data import CrossModalData

    sparse = CrossModalData(data.image, sp.csr_array(data.text.numpy()), data.labels, splits=data.splits)
    method, _ = train(sparse, tmp_path)
    assert equal_weights(method, whole[1])


def test_a_batch_of_one_at_the_end_of_an_epoch(data, tmp_path):
    _, result = train(data, tmp_path, epochs=1, batch_size=29)
    assert len(data.splits["train"]) % 29 == 1 and math.isfinite(result.history[0]["total"])


def test_the_progress_bar_counts_steps(data, tmp_path, monkeypatch):
    seen = []

    class Bar:
        def __init__(self, description, **options):
            self.description = description
            self.options, self.steps, self.text = options, 0, ""
            seen.append(self)

        def update(self):
            self.steps += 1

        def set_postfix_str(self, text, refresh):
            self.text = text
            assert not refresh  # It would print a line for each epoch in a log file.

        def close(self):
            self.closed = True

    monkeypatch.setattr("labelgraph.train.callbacks.progress_bar", Bar)
    fit(build(data), data, config(epochs=2), tmp_path)
    (bar,) = seen
    assert bar.steps == bar.options["total"] == 8 and bar.closed
    assert bar.description == "algcn, seed 0" and bar.text.startswith("epoch 2, mAP 0.")


def test_a_log_file_has_no_line_for_each_epoch(data, tmp_path, capfd):
    fit(build(data), data, config(epochs=3), tmp_path)
    assert "epoch" not in capfd.readouterr().err  # A training of less than ten seconds prints nothing.


class Keep(L.Callback):
    """Records the weights at the end of the last epoch."""

    def on_train_epoch_end(self, trainer, pl_module):
        self.state = {key: value.clone() for key, value in pl_module.method.state_dict().items()}


def test_the_last_epoch_is_used_without_selection(data, tmp_path):
    only, keep = replace(data, splits={"train": data.splits["train"]}), Keep()
    method, result = train(only, tmp_path, epochs=3, lr=0.3, select="last", callbacks=[keep])
    assert result.best_epoch == 2 and result.best_map is None and "validation_map" not in result.history[0]
    assert not list(tmp_path.glob("*.ckpt"))
    assert all(torch.equal(value, keep.state[key]) for key, value in method.state_dict().items())


def test_a_run_without_selection_resumes_to_the_same_weights(data, tmp_path):
    changes = {"epochs": 4, "select": "last", "checkpoint_every": 1}
    whole, _ = train(data, tmp_path / "whole", **changes)
    with pytest.raises(Interrupted):
        train(data, tmp_path / "cut", **changes, callbacks=[InterruptAfter(1, within=True)])
    again, _ = train(data, tmp_path / "cut", **changes)
    assert equal_weights(whole, again)


def test_hashing_never_reads_a_label(data, tmp_path):
    """Shuffled labels in all splits give the same weights."""
    shuffled = replace(data, labels=data.labels[torch.randperm(len(data))])
    none = replace(data, labels=torch.zeros_like(data.labels))
    methods = []
    for number, each in enumerate((data, shuffled, none)):
        torch.manual_seed(0)
        settings = AGAHConfig(bits=8, hidden_channels=8, graph_channels=(8, 6))
        graph = cooccurrence_graph(each.split("train").labels)
        method = build_method("agah", data.image_channels, data.text_channels, graph, settings)
        sgd = config(optimizer="sgd", momentum=0.9, lr=0.1, select="last")
        fit(method, each, sgd, tmp_path / str(number), progress=False)
        methods.append(method)
    assert not torch.equal(data.labels, shuffled.labels)
    assert equal_weights(methods[0], methods[1]) and equal_weights(methods[0], methods[2])


def adversarial(data):
    torch.manual_seed(0)
    graph = cooccurrence_graph(data.split("train").labels)
    settings = DAGNNConfig(hidden_channels=8, num_layers=1, text_generator_channels=6, image_generator_channels=7)
    return build_method("dagnn", data.image_channels, data.text_channels, graph, settings)


def test_missing_sides_are_zeros_or_generated(data, tmp_path, monkeypatch):
    incomplete = drop_modalities(data, 0.6)
    seen = []
    method = adversarial(incomplete)
    forward = method.forward

    def watched(image, text):
        assert not image.requires_grad and not text.requires_grad
        seen.append((image.clone(), text.clone()))
        return forward(image, text)

    monkeypatch.setattr(method, "forward", watched)
    present = incomplete.split("train").present
    for fill in (False, True):
        seen.clear()
        fit(method, incomplete, config(epochs=1), tmp_path / str(fill), progress=False, fill_missing=fill)
        for side in (0, 1):
            rows = torch.cat([pair[side] for pair in seen])
            blank = (rows == 0).all(1).sum()
            assert blank == (0 if fill else (~present[:, side]).sum())


def test_a_method_without_generators_refuses_incomplete_items(data, tmp_path):
    with pytest.raises(ValueError, match=r"'method' must have generators .*dagnn, p-gnn-con, i-gnn-con.*'algcn'"):
        train(drop_modalities(data, 0.5), tmp_path)


@pytest.mark.parametrize("size", [31, 2])
def test_a_last_batch_of_one_passes_batch_normalisation(make_data, tmp_path, size):
    data = make_data(size=2 * size)
    graph = cooccurrence_graph(data.labels)
    settings = PGNNCONConfig(hidden_channels=8, num_layers=1, text_generator_channels=6, image_generator_channels=7)
    method = build_method("p-gnn-con", data.image_channels, data.text_channels, graph, settings)
    batches = config(epochs=2, batch_size=size - 1, select="last")
    if (data.split("train").labels.sum(0) == 0).any():
        data = replace(data, splits={"train": range(2 * size)})
        batches = replace(batches, batch_size=1)
    result = fit(method, data, batches, tmp_path, progress=False)
    assert all(math.isfinite(value) for row in result.history for value in row.values())


def test_the_accuracies_of_the_discriminators_are_in_the_history(data, tmp_path):
    result = fit(adversarial(data), data, config(epochs=2), tmp_path, progress=False)
    shares = [value for row in result.history for name, value in row.items() if name.startswith("precision_")]
    assert len(shares) == 2 * 4 and all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize("changes", [{}, {"select": "last"}, {"patience": 1, "lr": 1e-9, "checkpoint_every": 1}])
def test_a_finished_training_with_checkpoints_is_not_trained_again(data, tmp_path, changes):
    """After a kill before the method was saved, the weights and history are restored without a step."""
    watches = [Watch(), Watch()]
    results = []
    for watch in watches:
        method = build(data)
        options = {"progress": False, "keep_checkpoints": True, "callbacks": (watch,)}
        results.append((method, fit(method, data, config(**changes), tmp_path, **options)))
    (first, once), (second, twice) = results
    assert equal_weights(first, second) and once.history == twice.history and once.best_epoch == twice.best_epoch
    assert len(watches[0].epochs) == len(once.history) and watches[1].epochs == []


def test_control_c_interrupts_training_and_its_handler_is_restored(data, tmp_path):
    class PressControlC(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                signal.raise_signal(signal.SIGINT)

    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # A shell lets background processes ignore SIGINT.
    try:
        with pytest.raises(KeyboardInterrupt):
            train(data, tmp_path, callbacks=[PressControlC()])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("min_batches", "size"), [(0, 100), (1, 60), (3, 30)])
def test_few_items_give_smaller_batches(make_data, tmp_path, min_batches, size):
    data, seen = make_data(size=120), []
    method = build_method("expected-relevance", 12, 9, cooccurrence_graph(data.labels), hidden_channels=8)
    forward = method.forward
    method.forward = lambda image, text: seen.append(len(image)) or forward(image, text)
    config = TrainConfig(epochs=1, batch_size=100, min_batches=min_batches, device="cpu")
    fit(method, data, config, tmp_path, progress=False)
    assert max(seen) == min(size, 60)


@pytest.mark.parametrize(("size", "sizes"), [(50, [31, 30]), (32, [31, 30]), (20, [16, 16, 16, 13]), (100, [61])])
def test_batches_of_few_items_have_about_the_same_size(make_data, tmp_path, size, sizes):
    data, seen = make_data(size=122), []
    method = build_method("expected-relevance", 12, 9, cooccurrence_graph(data.labels), hidden_channels=8)
    forward = method.forward
    method.forward = lambda image, text: seen.append(len(image)) or forward(image, text)
    config = TrainConfig(epochs=1, batch_size=size, min_batches=1, device="cpu")
    fit(method, data, config, tmp_path, progress=False)
    assert seen == sizes  # Of 61 training items.


class Weights(L.Callback):
    """Records the weights after each step."""

    def __init__(self):
        self.steps = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.steps.append({name: value.detach().clone() for name, value in pl_module.method.named_parameters()})


def test_averaged_weights_are_the_moving_average_of_the_weights_after_each_step(data, tmp_path):
    watch = Weights()
    method, _ = train(data, tmp_path, callbacks=[watch], select="last", epochs=2, ema_decay=0.7)
    average = watch.steps[0]
    for weights in watch.steps[1:]:
        average = {name: 0.7 * value + 0.3 * weights[name] for name, value in average.items()}
    for name, value in method.named_parameters():
        torch.testing.assert_close(value, average[name])


class Statistics(L.Callback):
    """Records the batch statistics of the image features after each step."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.last = pl_module.method.projectors["image"].norm.running_var.clone()


def test_averaged_weights_have_the_batch_statistics_of_the_last_step(data, tmp_path):
    """An average would remember the initial variance of 1, which features of small entries never have."""
    small, watch = replace(data, image=data.image / 1000), Statistics()
    graph = cooccurrence_graph(data.labels)
    method = build_method("expected-relevance", 12, 9, graph, hidden_channels=8, image_norm=True)
    config = TrainConfig(epochs=3, batch_size=10, select="last", ema_decay=0.99, device="cpu")
    fit(method, small, config, tmp_path, progress=False, callbacks=(watch,))
    assert torch.equal(method.projectors["image"].norm.running_var, watch.last)
    assert watch.last.max() < 0.9


@pytest.mark.parametrize("select", ["validation", "last"])
def test_a_run_with_averaged_weights_resumes_to_the_same_weights(data, tmp_path, select):
    whole, expected = train(data, tmp_path / "whole", ema_decay=0.8, select=select)
    with pytest.raises(Interrupted):
        train(data, tmp_path / "run", ema_decay=0.8, select=select, callbacks=[InterruptAfter(3)])
    again, repeated = train(data, tmp_path / "run", ema_decay=0.8, select=select)
    assert equal_weights(whole, again)
    assert [row["total"] for row in repeated.history] == [row["total"] for row in expected.history]


class StopAfter(L.Callback):
    """Ends a training in some epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("stop")


def train_past_the_best(data, folder, *callbacks):
    """A training whose best epoch comes early, since its learning rate is high."""
    torch.manual_seed(0)
    method = build_method("algcn", 12, 9, cooccurrence_graph(data.labels), hidden_channels=8)
    config = TrainConfig(epochs=8, batch_size=20, lr=0.5, checkpoint_every=1, device="cpu")
    return method, fit(method, data, config, folder, progress=False, callbacks=callbacks)


def assert_same(one, other):
    (method, result), (again, repeated) = one, other
    assert (repeated.best_epoch, repeated.best_map) == (result.best_epoch, result.best_map)
    for name, tensor in method.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor), name


@pytest.mark.parametrize("lost", [("last",), ("best",), ("last", "best")], ids="-".join)
def test_a_lost_checkpoint_does_not_change_what_a_resumed_training_gives(make_data, tmp_path, lost):
    """The best epoch lies before the interruption, so that its weights cannot come from the epochs after it."""
    data = make_data(size=80)
    whole = train_past_the_best(data, tmp_path / "whole")
    assert whole[1].best_epoch < 5
    with pytest.raises(RuntimeError, match="stop"):
        train_past_the_best(data, tmp_path / "cut", StopAfter(5))
    for name in lost:
        (tmp_path / "cut" / f"{name}.ckpt").unlink()
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        assert_same(whole, train_past_the_best(data, tmp_path / "cut"))
    assert any("best.ckpt" in str(each.message) for each in noted) == (lost == ("best",))


def test_a_training_resumes_in_a_folder_that_was_moved(make_data, tmp_path):
    data = make_data(size=80)
    whole = train_past_the_best(data, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="stop"):
        train_past_the_best(data, tmp_path / "cut", StopAfter(5))
    (tmp_path / "cut").rename(tmp_path / "moved")
    assert_same(whole, train_past_the_best(data, tmp_path / "moved"))
    assert not (tmp_path / "cut").exists()
