import json

import pytest

from benchmarks.fuzz.__main__ import main

pytestmark = pytest.mark.slow  # Whole commands and processes.


def test_counts_are_written(tmp_path, capsys):
    status = main(["--out", str(tmp_path), "--only", "words-bin", "label-counts", "--cases", "3", "--seed", "5"])
    content = json.loads((tmp_path / "fuzz.json").read_text())
    assert status == bool(content["failures"])
    assert content["seed"] == 5 and "seed 5" in capsys.readouterr().out
    for name in ("words-bin", "label-counts"):
        assert {damage: sum(counts.values()) for damage, counts in content["readers"][name].items()} == {
            "bytes": 3,
            "repaired": 3,
        }
    assert "| words-bin" in (tmp_path / "fuzz.md").read_text()


def test_a_case_is_written(tmp_path, capsys):
    assert main(["--out", str(tmp_path), "--only", "words-bin", "--case", "2"]) == 0
    good, bad = (tmp_path / name / "words.bin" for name in ("good", "case"))
    assert str(bad) in capsys.readouterr().out
    assert good.read_bytes() != bad.read_bytes()


def test_unknown_names_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--only", "nothing"])
    assert "'nothing'" in capsys.readouterr().err
