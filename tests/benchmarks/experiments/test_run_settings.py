"""Settings: sources in their rank, names and types checked."""

import pytest
import yaml

from benchmarks.experiments.run_settings import describe, from_dict, resolve, resolve_all
from labelgraph.methods import METHODS


def settings(*entries, **options):
    return resolve("algcn", "openclipart", [0], settings=entries, **options)


def test_sources_in_their_rank(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {lr: 0.5, epochs: 3}\nmodel: {alpha: 0.7}\n")
    config = settings("train.epochs=4", "model.adjacency=static", file=file)
    assert (config.train.epochs, config.train.lr) == (4, 0.5)
    assert (config.model.alpha, config.model.adjacency) == (0.7, "static")
    assert config.model.gamma == 0.5


def test_data_set_goes_over_the_published_settings():
    assert settings().train.lr == 2e-4
    assert resolve("algcn", "other.npz", [0]).train.lr == 5e-5


@pytest.mark.parametrize(
    ("number", "expected"),
    [("1e-3", 1e-3), ("0.25", 0.25), ("2", 2.0), ("5.0E-05", 5e-5)],
)
def test_numbers_as_people_write_them(number, expected):
    assert settings(f"train.lr={number}").train.lr == expected


def test_lists_and_null():
    config = settings("eval.baselines=[ridge]", "eval.k=50", "model.embedding_channels=null")
    assert config.eval.baselines == ("ridge",)
    assert (config.eval.k, config.model.embedding_channels) == (50, None)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.alhpa=1", "unknown setting 'model.alhpa'; the nearest is 'model.alpha'"),
        ("lr=1", "unknown setting 'lr'"),
        ("train.epochs=many", r"'train.epochs' must be a positive whole number \(got 'many'\)"),
        ("train.epochs=0", r"'train.epochs' must be a positive whole number \(got 0\)"),
        ("train.select=train", r"'train.select' must be one of validation, test, last \(got 'train'\)"),
        ("model.adjacency=statik", "did you mean 'static'"),
        ("eval.score=owm", r"'eval.score' must be one of .*got 'owm'.*did you mean 'own'"),
        ("eval.protocols=[nonsense]", "'eval.protocols' must be among test-vs-test"),
        ("train.epochs", "must be key=value"),
    ],
)
def test_wrong_settings(setting, message):
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        settings(setting)


def test_wrong_file_is_named(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {epoch: 3}\n")
    with pytest.raises(ValueError, match=r"mine\.yaml: unknown setting 'train\.epoch'; .* 'train\.epochs'"):
        settings(file=file)
    file.write_text("train: [")
    with pytest.raises(ValueError, match=r"mine\.yaml: expected YAML"):
        settings(file=file)
    with pytest.raises(FileNotFoundError, match=r"none\.yaml: no such file of settings"):
        settings(file=tmp_path / "none.yaml")


def test_unknown_method_and_seeds():
    with pytest.raises(ValueError, match=r"'method' must be one of agah, algcn"):
        resolve("algnc", "openclipart", [0])
    with pytest.raises(ValueError, match=r"'seeds' must be distinct"):
        resolve("algcn", "openclipart", [1, 1])


def test_plain_containers_and_back():
    config = settings("train.lr=3e-4", "eval.baselines=[pls, random]")
    assert from_dict(config.as_dict()) == config


def test_described_settings_can_be_set():
    config = resolve("algcn", "other.npz", [0])
    lines = [line.strip().split(" = ", 1) for line in describe(config).splitlines()]
    again = settings(*(f"{key}={value}" for key, value in lines))
    assert again.train.lr == 5e-5 and again.as_dict() == {**config.as_dict(), "dataset": "openclipart"}


def test_the_settings_of_the_data_set_are_described():
    assert "  train.lr = 0.0002\n" in describe(settings())


def test_a_setting_goes_to_the_methods_that_have_it():
    first, second = resolve_all(
        ["algcn", "agah"], "openclipart", [0], settings=["model.num_layers=1", "train.epochs=2"]
    )
    assert first.model.num_layers == 1 and (first.train.epochs, second.train.epochs) == (2, 2)
    with pytest.raises(ValueError, match=r"unknown setting 'model\.layers'"):
        resolve_all(["algcn", "agah"], "openclipart", [0], settings=["model.layers=1"])


def test_the_second_stage_is_a_setting_of_methods_with_generators():
    config = resolve("dagnn", "other.npz", [0], settings=["stage2.epochs=3", "data.incomplete=0.8"])
    assert (config.stage2.epochs, config.stage2.lr, config.data.incomplete) == (3, 4e-6, 0.8)
    assert resolve("algcn", "other.npz", [0]).stage2 is None
    with pytest.raises(ValueError, match=r"unknown setting 'stage2\.epochs'"):
        resolve("algcn", "other.npz", [0], settings=["stage2.epochs=3"])
    with pytest.raises(ValueError, match=r"'data.incomplete' must be a number in \[0, 1\] \(got 1.5\)"):
        resolve("dagnn", "other.npz", [0], settings=["data.incomplete=1.5"])


@pytest.mark.parametrize("method", METHODS)
def test_settings_of_every_method_survive_writing(method):
    config = resolve(method, "openclipart", [0, 1])
    assert from_dict(yaml.safe_load(yaml.safe_dump(config.as_dict()))) == config
