"""A small run of the scale measurement, and the memory of a process against what it is known to take."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks.scale.__main__ import main
from benchmarks.scale.steps import run

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is Linux's")
MEGABYTE = 1e6


def of_python(code):
    return run([sys.executable, "-c", code], {})


def test_a_process_that_holds_a_hundred_megabytes_is_seen_to():
    bare = of_python("import time; time.sleep(0.3)")
    full = of_python("import time; held = b'x' * 100_000_000; time.sleep(0.3)")
    for finished in (bare, full):
        assert finished.seconds > 0.3
    assert full.anonymous_bytes - bare.anonymous_bytes == pytest.approx(100 * MEGABYTE, rel=0.1)
    assert full.peak_bytes - bare.peak_bytes == pytest.approx(100 * MEGABYTE, rel=0.1)


def test_pages_of_a_mapped_file_are_not_its_own(tmp_path):
    (tmp_path / "file").write_bytes(bytes(50_000_000))
    finished = of_python(
        "import mmap, time\n"
        f"file = open({str(tmp_path / 'file')!r}, 'rb')\n"
        "pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)\n"
        "print(sum(pages[place] for place in range(0, 50_000_000, 4096)))\n"
        "time.sleep(0.3)"
    )
    assert finished.output == "0\n"
    assert finished.mapped_bytes > 50 * MEGABYTE > finished.anonymous_bytes


def test_a_failing_command_is_told_with_its_last_words():
    with pytest.raises(RuntimeError, match=r"failed with 3: .*no room"):
        of_python("import sys; print('no room', file=sys.stderr); sys.exit(3)")


@pytest.mark.slow
def test_items_go_from_a_folder_to_answers(tmp_path, capsys):
    options = ["--out", str(tmp_path / "kept"), "--report", str(tmp_path / "report.json")]
    assert main(["--items", "600", "--method", "agah", *options]) == 0
    printed = capsys.readouterr().out
    assert "600 items" in printed and printed.count("MB") > 12
    report = json.loads((tmp_path / "report.json").read_text())
    train, index, one, many = report["steps"]
    assert train["results"]["method"] == "agah" and index["results"]["images"] == index["results"]["texts"] == 600
    assert one["results"]["neighbours"] == [1, 10] and many["results"]["neighbours"] == [1000, 100]
    assert str(tmp_path) not in " ".join(step["command"] for step in report["steps"])
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"data", "index", "model", "queries.npy"}
