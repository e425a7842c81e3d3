"""Progress on a terminal and in log files."""

import io
import sys

import pytest

from labelgraph._core import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def worked(monkeypatch):
    """Do ten units of work, and return the printed text."""

    def work(stream, seconds=0.0, **options):
        monkeypatch.setattr(progress, "SECONDS", seconds)
        monkeypatch.setattr(sys, "stderr", stream)
        with progress.progress_bar("embedding", 10, "items", **options) as bar:
            for _ in range(5):
                bar.update(2)
        return stream.getvalue()

    return work


def test_a_log_file_gets_whole_lines(worked):
    lines = worked(io.StringIO()).splitlines()
    assert len(lines) >= 5 and all(line.startswith("embedding: ") for line in lines)
    assert any("40 % (4/10 items, " in line for line in lines) and "\r" not in "".join(lines)


def test_work_without_a_total_is_counted(monkeypatch):
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.progress_bar("training", None, "steps") as bar:
        bar.update(7)
        bar.set_postfix_str("epoch 1, mAP 0.500")
    assert sys.stderr.getvalue().splitlines()[-1].startswith("training: 7 steps, ")


def test_quick_work_prints_no_line(worked):
    assert worked(io.StringIO(), seconds=10.0) == ""


def test_a_terminal_gets_a_bar(worked):
    shown = worked(Terminal())
    assert "\r" in shown and "10/10" in shown


def test_progress_is_hidden_on_request(worked):
    assert worked(io.StringIO(), shown=False) == worked(Terminal(), shown=False) == ""
