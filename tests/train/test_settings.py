"""Settings of a training."""

import pytest

from labelgraph.methods import METHODS
from labelgraph.train import TrainConfig, build_settings, merge_settings, parse_setting, published_settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, r"'epochs' must be .*positive.* \(got 0\)"),
        ({"epochs": True}, r"'epochs' .* \(got True\)"),
        ({"epochs": 2.5}, r"'epochs' .* \(got 2.5\)"),
        ({"batch_size": 0}, r"'batch_size' must be .*positive.* \(got 0\)"),
        ({"checkpoint_every": -1}, r"'checkpoint_every' must be .*positive.* \(got -1\)"),
        ({"lr": 0.0}, r"'lr' must be .*positive.* \(got 0.0\)"),
        ({"lr": float("nan")}, r"'lr' must be a positive number \(got nan\)"),
        ({"lr": float("inf")}, r"'lr' .* \(got inf\)"),
        ({"lr": "fast"}, r"'lr' .* \(got 'fast'\)"),
        ({"patience": -1}, r"'patience' must be .*at least 0 \(got -1\)"),
        ({"min_steps": -1}, r"'min_steps' must be .*at least 0 \(got -1\)"),
        ({"betas": (0.9, 1.0)}, r"'betas' .*\[0, 1\) \(got \(0.9, 1.0\)\)"),
        ({"betas": (0.9,)}, r"'betas' .*list of 2.* \(got \(0.9,\)\)"),
        ({"momentum": -0.1}, r"'momentum' .* \(got -0.1\)"),
        ({"weight_decay": -1e-4}, r"'weight_decay' .* \(got -0.0001\)"),
        ({"optimizer": "zzz"}, r"'optimizer' must be one of adam, sgd \(got 'zzz'\)$"),
        ({"optimizer": "adm"}, "did you mean 'adam'"),
        ({"select": "valid"}, "did you mean 'validation'"),
        ({"device": "gpu"}, r"'device' must be one of auto, cpu, cuda, mps \(got 'gpu'\)"),
        ({"precision": "64"}, r"'precision' must be one of .*64-true.* \(got '64'\)"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**settings)


def test_the_defaults_select_on_validation_and_are_published():
    config = TrainConfig()
    assert (config.select, config.betas, config.lr) == ("validation", (0.5, 0.999), 5e-5)


PUBLISHED = {
    "algcn": (30, 5e-5),
    "dagnn": (40, 5e-5),
    "p-gnn-con": (40, 5e-5),
    "i-gnn-con": (40, 5e-5),
    "agah": (20, 0.01),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_method_trains_all_its_published_epochs(name):
    train = published_settings(METHODS[name])["train"]
    assert (train.epochs, train.lr) == PUBLISHED[name] and train.patience == 0


@pytest.mark.parametrize("name", METHODS)
def test_published_settings_are_the_defaults_of_the_method(name):
    published = published_settings(METHODS[name])
    assert published["model"] == METHODS[name].Config()
    assert ("stage2" in published) == METHODS[name].generates


def test_a_method_without_published_training_has_the_defaults():
    own = type("Own", (METHODS["algcn"],), {"Config": TrainConfig})  # A dataclass without 'training'.
    assert published_settings(own)["train"] == TrainConfig()


def test_values_are_checked_in_their_group():
    published = published_settings(METHODS["dagnn"])
    built = build_settings(published, merge_settings(published, settings=["stage2.lr=1e-6", "model.beta=1"]))
    assert (built["stage2"].lr, built["model"].beta, built["train"]) == (1e-6, 1.0, published["train"])
    with pytest.raises(ValueError, match=r"'stage2\.lr' must be a positive number \(got 0\)"):
        build_settings(published, {"stage2": {"lr": 0}})


@pytest.mark.parametrize("text", ["train: {lr: 2001-99-99}", "train: {[1]: 2}", "{" * 3000, "a: &a [*a", "a: \x00"])
def test_a_file_that_is_not_yaml_is_named_on_one_line(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"mine\.yaml: expected YAML") as error:
        merge_settings({"train": TrainConfig}, [tmp_path / "mine.yaml"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", ["[", "2001-99-99", "!!int ''", "{[1]: 2}"])
def test_a_value_that_is_not_yaml_is_named_with_its_setting(value):
    with pytest.raises(ValueError, match=r"'--set' must have a value in YAML for 'train\.lr'") as error:
        parse_setting(f"train.lr={value}")
    assert value in str(error.value)
