"""A whole training in one call: its parts, its arguments and its errors."""

import warnings
from dataclasses import replace

import lightning as L
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from labelgraph.data import drop_modalities
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import METHODS, ALGCNConfig, DAGNNConfig, build_method, method_class
from labelgraph.train import TrainConfig, fit, published_settings, train_method
from labelgraph.train.checkpoint import SafetensorsCheckpointIO
from labelgraph.train.settings import with_small_set_rates

SMALL = {"hidden_channels": 8}
GENERATORS = {**SMALL, "text_generator_channels": 8, "image_generator_channels": 8}
FAST = {"epochs": 2, "batch_size": 10, "lr": 3e-3}


@pytest.fixture
def data(make_data):
    return make_data()


def call(method, data, **options):
    return train_method(method, data, **{"progress": False, "train": FAST, "model": SMALL, **options})


def states(*methods):
    return zip(*(method.state_dict().values() for method in methods), strict=True)


def test_the_training_equals_its_parts_called_by_hand(data, tmp_path):
    trained = call("algcn", data, seed=3)
    torch.manual_seed(3)
    train = data.split("train")
    method = build_method("algcn", 12, 9, cooccurrence_graph(train.labels, data.label_names), **SMALL)
    config = replace(published_settings(method_class("algcn"))["train"], **FAST)
    result = fit(method, data, config, tmp_path, seed=3, progress=False)
    assert all(torch.equal(one, other) for one, other in states(trained.method, method))
    assert trained.result.history == result.history and list(trained.stages) == ["train"]
    assert trained.settings == {"model": method.config, "train": config} and not trained.method.training


def test_configs_mappings_and_published_settings(data):
    trained = call("algcn", data, model=ALGCNConfig(hidden_channels=4), train=TrainConfig(epochs=1))
    assert trained.settings["model"].hidden_channels == 4 and trained.settings["train"] == TrainConfig(epochs=1)
    assert len(trained.result.history) == 1
    assert call("dagnn", data, model=GENERATORS).settings["stage2"].lr == 4e-6


def test_items_are_held_out_without_a_validation_split(data):
    trained = call("algcn", replace(data, splits={"test": data.splits["test"]}))
    assert {name: len(rows) for name, rows in trained.data.splits.items()} == {"test": 15, "train": 41, "validation": 4}
    assert trained.result.best_map is not None
    last = call("algcn", replace(data, splits={}), train={**FAST, "select": "last"})
    assert len(last.data.splits["train"]) == 60 and "validation" not in last.data.splits


def test_items_with_missing_sides_are_trained_in_two_stages(data, tmp_path):
    data = drop_modalities(data, 0.6)
    options = {"model": GENERATORS, "stage2": {"epochs": 3, "batch_size": 10}}
    trained = call("dagnn", data, **options)
    assert {stage: len(result.history) for stage, result in trained.stages.items()} == {"train": 2, "stage2": 3}
    assert trained.result is trained.stages["stage2"]
    first = call("dagnn", data, stages=["train"], **options)
    second = train_method(
        first.method, data, stages=["stage2"], stage2=trained.settings["stage2"], folder=tmp_path, progress=False
    )
    assert all(torch.equal(one, other) for one, other in states(trained.method, second.method))
    assert (tmp_path / "stage2" / "history.csv").is_file()


def test_label_vectors_start_the_label_embeddings(data):
    vectors = torch.rand(5, 7)
    trained = call("algcn", data, label_vectors=vectors.tolist())
    assert trained.settings["model"].label_embedding == "given"
    assert torch.equal(trained.method.label_branch.embedding.weight, vectors)


def test_settings_that_need_vectors_take_those_of_the_data(data):
    vectors = torch.rand(5, 7)
    named = replace(data, label_vectors=vectors)
    given = call("algcn", named, model={**SMALL, "label_embedding": "given"}).method
    torch.testing.assert_close(given.label_branch.embedding.weight, vectors)
    plain, alike = (call("algcn", named, model={**SMALL, "edges": e}).method for e in ("cooccurrence", "meaning"))
    assert alike.config.label_embedding == plain.config.label_embedding == "learned"
    assert not torch.equal(alike.label_branch.adjacency.static, plain.label_branch.adjacency.static)
    with pytest.raises(ValueError, match="edges='meaning'"):
        call("algcn", data, model={**SMALL, "edges": "meaning"})


def test_a_given_graph_is_used(data):
    graph = cooccurrence_graph(torch.eye(5))
    static = [call("algcn", data, graph=each).method.label_branch.adjacency.static for each in (graph, None)]
    assert torch.equal(static[0], torch.eye(5)) and not torch.equal(static[1], torch.eye(5))


def test_a_folder_resumes_an_interrupted_training(data, tmp_path):
    class Stop(Exception):
        pass

    class Interrupt(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                raise Stop

    options = {"train": {**FAST, "checkpoint_every": 1}}
    with pytest.raises(Stop):
        call("algcn", data, folder=tmp_path, callbacks=[Interrupt()], **options)
    resumed, whole = call("algcn", data, folder=tmp_path, **options), call("algcn", data, **options)
    assert all(torch.equal(one, other) for one, other in states(resumed.method, whole.method))


def edited(change):
    """Change the content of a checkpoint, with a valid checksum."""

    def edit(path):
        content = SafetensorsCheckpointIO().load_checkpoint(path)
        change(content)
        SafetensorsCheckpointIO().save_checkpoint(content, path)

    return edit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("state_dict"), "state_dict"),
        (lambda c: c["state_dict"].popitem(), "Missing key"),
        (lambda c: c.update(optimizer_states=[{"state": {}, "param_groups": []}]), "param"),
        (lambda c: c.update(loops=3), "int"),
        (lambda c: c["callbacks"]["History"].update(rows=[{"epoch": 7}]), "a row and a time for every epoch"),
        (lambda c: c["callbacks"].update(History=["x"]), "TypeError"),
    ],
)
def test_a_checkpoint_with_wrong_content_is_named(data, tmp_path, change, message):
    class Stop(Exception):
        pass

    class Interrupt(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                raise Stop

    options = {"train": {**FAST, "checkpoint_every": 1}, "folder": tmp_path}
    with pytest.raises(Stop):
        call("algcn", data, callbacks=[Interrupt()], **options)
    path = tmp_path / "train" / "last.ckpt"
    edited(change)(path)
    with pytest.raises(ValueError, match=message) as error:
        call("algcn", data, **options)
    text = str(error.value)
    assert text.startswith(f"{path}: expected a checkpoint") and "\n" not in text and "delete it" in text


def test_other_exceptions_of_a_resumed_training_are_not_changed(data, tmp_path):
    class Stop(Exception):
        pass

    class Interrupt(L.Callback):
        def on_train_epoch_start(self, trainer, pl_module):
            if trainer.current_epoch == 1:
                raise Stop

    options = {"train": {**FAST, "checkpoint_every": 1}, "folder": tmp_path, "callbacks": [Interrupt()]}
    for _ in range(2):
        with pytest.raises(Stop):
            call("algcn", data, **options)


def test_a_small_set_has_a_higher_learning_rate(data):
    def rate(method="algcn", **options):
        return call(method, data, **{"train": {"epochs": 1}, **options}).settings["train"].lr

    with pytest.warns(
        UserWarning, match=r"30 training items .* 5,000: train.lr is 0.0002 \(published: 5e-05\)"
    ) as caught:
        assert rate() == 2e-4
    assert len([each for each in caught if "training items" in str(each.message)]) == 1
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*training items")
        assert rate(published=True) == 5e-5
        assert rate(train={"epochs": 1, "lr": 1e-3}) == 1e-3
        assert rate(train=TrainConfig(epochs=1)) == 5e-5
        assert rate("agah", model={**SMALL, "graph_channels": (8, 8)}) == 0.01


@pytest.mark.parametrize("method", METHODS)
def test_the_rates_of_small_sets_depend_on_the_number_of_items_and_on_the_user(method):
    settings = published_settings(method_class(method))
    unchanged, change = with_small_set_rates(settings, {}, 5_000)
    assert unchanged == settings and change == ""
    few, change = with_small_set_rates(settings, {"train": {"epochs": 3}}, 4_999)
    rates = {"algcn": 2e-4, "dagnn": 2e-4, "p-gnn-con": 5e-4, "i-gnn-con": 5e-4}
    assert few["train"] == replace(settings["train"], lr=rates.get(method, settings["train"].lr))
    assert bool(change) == (method in rates) and few["model"] == settings["model"]
    assert with_small_set_rates(settings, {"stage2": {"lr": 1e-3}}, 100) == (settings, "")


def test_loggers_and_options_of_lightning(data, tmp_path):
    steps = []

    class Count(L.Callback):
        def on_train_batch_end(self, *_):
            steps.append(1)

    logger = CSVLogger(tmp_path)
    call("algcn", data, logger=logger, callbacks=[Count()], trainer_options={"limit_train_batches": 1})
    logged = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text()
    assert "validation_map" in logged.splitlines()[0] and len(logged.splitlines()) >= 3
    assert len(steps) == 2  # One step in each epoch.


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("algnc", {}, "did you mean 'algcn'"),
        ("algcn", {"model": {"alhpa": 1}}, "did you mean 'alpha'"),
        ("algcn", {"train": {"lr": float("nan")}}, r"'train.lr' must be a positive number \(got nan\)"),
        ("algcn", {"model": DAGNNConfig()}, r"'model' must be a ALGCNConfig for 'algcn' \(got DAGNNConfig\)"),
        ("algcn", {"train": ALGCNConfig()}, r"'train' must be a TrainConfig or a mapping \(got ALGCNConfig\)"),
        ("algcn", {"stage2": TrainConfig()}, "'stage2' must be None for 'algcn'"),
        ("algcn", {"model": {"label_embedding": "given"}}, "'label_vectors' must be given"),
        (
            "algcn",
            {"label_vectors": torch.rand(4, 3)},
            r"'label_vectors' must have a row for each of 5 labels .*4, 3",
        ),
        ("agah", {"label_vectors": torch.rand(5, 3)}, "'label_vectors' needs a method with label embeddings"),
        ("algcn", {"stages": ["stage3"]}, r"'stages' must be among train, stage2 \(got stage3\)"),
        ("algcn", {"stages": ["stage2"]}, "'stages' must have 'train' for complete training items"),
        ("algcn", {"trainer_options": {"max_epochs": 3}}, "'trainer_options' must not have 'max_epochs'"),
        ("algcn", {"trainer_options": {"gradient_clip": 3}}, "must be options of lightning.Trainer .*gradient_clip"),
    ],
)
def test_wrong_arguments_are_named(data, method, options, message):
    with pytest.raises(ValueError, match=message):
        call(method, data, **{"model": None, **options})


def test_settings_for_a_built_method_are_refused(data):
    method = build_method("algcn", 12, 9, cooccurrence_graph(data.labels), **SMALL)
    with pytest.raises(ValueError, match="'model', 'graph' and 'label_vectors' must be None"):
        call(method, data)
    assert call(method, data, model=None).method is method


def test_several_processes_are_refused_before_anything_is_done(data, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"'train.devices' times 'train.num_nodes' .*got 1 times 1, and WORLD_SIZE=2"):
        call("algcn", data, folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()
