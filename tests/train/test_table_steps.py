"""The optimizer and the averages of label tables, against dense Adam."""

import copy

import pytest
import torch
from torch import nn

from labelgraph.data import drop_modalities
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ExpectedRelevance, ExpectedRelevanceConfig
from labelgraph.nn import LabelTable, table_parameters
from labelgraph.train import RetrievalModule, TrainConfig, fit, train_method
from labelgraph.train.table_steps import AdamWithTables, averaging_of
from tests.methods.test_many_labels import many


def layers():
    torch.manual_seed(0)
    linear, table = nn.Linear(3, 4), LabelTable(5, 4)
    return nn.Sequential(linear, table)


def optimizer_of(model, lr=0.1):
    return AdamWithTables([{"params": [*model.parameters()], "lr": lr}], table_parameters(model), lr)


def steps(model, optimizer, number, labels=None):
    for step in range(number):
        optimizer.zero_grad()
        hidden = model[0](torch.arange(6.0).view(2, 3) + step)
        model[1](hidden, labels).square().mean().backward()
        optimizer.step()


def test_with_gradients_of_all_rows_the_steps_are_those_of_adam():
    ours, theirs = layers(), layers()
    steps(ours, optimizer_of(ours), 4, torch.arange(5))
    steps(theirs, torch.optim.Adam(theirs.parameters(), 0.1), 4)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_restored_state_continues_as_if_not_interrupted():
    whole, cut = layers(), layers()
    optimizer = optimizer_of(whole)
    steps(whole, optimizer, 3, torch.tensor([1, 4]))
    steps(cut, first := optimizer_of(cut), 3, torch.tensor([1, 4]))
    again = optimizer_of(cut)
    again.load_state_dict(copy.deepcopy(first.state_dict()))
    for model, each in ((whole, optimizer), (cut, again)):
        steps(model, each, 2, torch.tensor([1, 2]))
    assert all(torch.equal(one, other) for one, other in zip(whole.parameters(), cut.parameters(), strict=True))


def test_a_schedule_changes_the_rates_of_all_parameters():
    model = layers()
    optimizer = optimizer_of(model)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0 if step else 1.0)
    steps(model, optimizer, 1, torch.tensor([0]))
    schedule.step()
    before = copy.deepcopy(model.state_dict())
    steps(model, optimizer, 1, torch.tensor([0]))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_only_methods_with_a_table_share_it_with_the_average(make_data):
    few = ExpectedRelevance.from_config(ExpectedRelevanceConfig(hidden_channels=4), 12, 9, graph_of(make_data()))
    of_table = type(averaging_of(table_method(), 0.9)).__name__
    assert type(averaging_of(few, 0.9)).__name__ == "EMAWeightAveraging" != of_table


def graph_of(data):
    return cooccurrence_graph(data.labels, data.label_names)


def table_method():
    return ExpectedRelevance.from_config(ExpectedRelevanceConfig(hidden_channels=4), 24, 20, graph_of(many(12)))


def run(folder, epochs, **settings):
    data = many(size=90)
    settings = {"epochs": epochs, "ema_decay": 0.9, "patience": 0, "checkpoint_every": 1, **settings}
    return train_method("expected-relevance", data, model={"hidden_channels": 8}, train=settings, folder=folder,
                        progress=False, unseen_labels=True, keep_checkpoints=True)  # fmt: skip


@pytest.mark.slow
def test_averages_leave_tables_as_they_are_and_average_the_rest(tmp_path):
    last = {"select": "last"}
    averaged = run(tmp_path / "a", 2, **last).method.state_dict()
    plain = run(tmp_path / "b", 2, **last, ema_decay=0.0).method.state_dict()
    assert torch.equal(averaged["classifier.weight"], plain["classifier.weight"])
    assert plain["classifier.weight"].any()
    same = {name: torch.equal(averaged[name], plain[name]) for name in averaged if "projectors" in name}
    assert not any(same.values())


def test_stochastic_gradient_descent_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'optimizer' must be 'adam'.*got 'sgd'"):
        run(tmp_path, 1, optimizer="sgd")


def test_the_optimizer_of_the_second_stage_is_refused_before_the_first(tmp_path):
    data = drop_modalities(many(60), 0.2)
    model = {"hidden_channels": 4, "label_embedding": "learned", "embedding_channels": 3}
    with pytest.raises(
        ValueError, match=r"'optimizer' must be 'adam' for 'p-gnn-con'.*got 'sgd'.*stage2.optimizer=adam"
    ):
        train_method("p-gnn-con", data, model=model, folder=tmp_path, progress=False)
    assert not [*tmp_path.iterdir()]


def test_clipping_of_sparse_gradients_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'trainer_options'.*'gradient_clip_val'.*got 0.5"):
        fit(table_method(), many(size=90), TrainConfig(epochs=1, device="cpu"), tmp_path, progress=False,
            trainer_options={"gradient_clip_val": 0.5})  # fmt: skip


def test_several_processes_leave_tables_and_references_to_themselves():
    names = set(RetrievalModule(table_method(), TrainConfig())._ddp_params_and_buffers_to_ignore)
    parts = {"classifier": ("weight", "bias"), "references": ("directions", "weights", "offsets")}
    assert names == {f"method.{part}.{name}" for part, own in parts.items() for name in own}
