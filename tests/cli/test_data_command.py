"""The command that checks data: what it prints, and its exit status."""

import json
from dataclasses import replace

import pytest

from labelgraph.cli.main import main
from labelgraph.data import data_card, load_npz, save_npz


def check(*arguments):
    return main(["data", "check", *map(str, arguments)])


def test_a_clean_set_is_status_0(make_data, tmp_path, capsys):
    data = make_data()
    save_npz(data, tmp_path / "mine.npz")
    assert check(tmp_path / "mine.npz") == 0
    assert capsys.readouterr().out == f"{data_card(load_npz(tmp_path / 'mine.npz'))}\n"


def test_a_leak_is_status_1_and_json_is_one_object(make_data, tmp_path, capsys):
    data = make_data()
    train, test = data.splits["train"], data.splits["test"]
    image = data.image.clone()
    image[test[0]] = image[train[0]]
    save_npz(replace(data, image=image), tmp_path / "mine.npz")
    assert check(tmp_path / "mine.npz", "--json") == 1
    card = json.loads(capsys.readouterr().out)
    assert card["leaks"] == [
        "1 of 15 items of 'test' have the same image features as an item of 'train', 0 also the same text"
    ]
    assert card["items"] == 60 and card["splits"]["train"]["items"] == 30


def test_a_caution_alone_is_status_0(make_data, tmp_path, capsys):
    data = make_data()
    text = data.text.clone()
    text[data.splits["test"][0]] = text[data.splits["train"][0]]
    save_npz(replace(data, text=text), tmp_path / "mine.npz")
    assert check(tmp_path / "mine.npz") == 0
    assert "have the same text as an item of 'train'" in capsys.readouterr().out


def test_the_help_tells_the_exit_status(capsys):
    with pytest.raises(SystemExit):
        check("--help")
    assert "1 if a test item or query is also a training or validation item" in " ".join(
        capsys.readouterr().out.split()
    )


def test_a_file_that_is_absent_is_named(tmp_path, capsys):
    assert check(tmp_path / "gone.npz") == 2
    assert "gone.npz: no such file" in capsys.readouterr().err
