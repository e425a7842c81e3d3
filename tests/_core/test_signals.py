import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from labelgraph._core.signals import Stopped, advising, run_command, stopping

WORK = """
import sys, time
from pathlib import Path
from labelgraph._core.files import open_atomic
from labelgraph._core.signals import advising, run_command

def work():
    with advising("the same command goes on"), open_atomic(Path(sys.argv[1]) / "a") as file:
        print("ready", flush=True)
        try:
            time.sleep(30)
        except Exception:
            pass
sys.exit(run_command(work, "start again", final=True))
"""


def listen():
    """Let a child hear a signal that this process ignores."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def start(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    # A test run that was started by nohup would hand the ignored signal down.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=listen)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    ("number", "line"),
    [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "stopped by SIGTERM"), (signal.SIGHUP, "stopped by SIGHUP")],
)
def test_a_signal_prints_one_line_sets_the_exit_status_and_leaves_no_file(tmp_path, number, line):
    process = start(WORK, tmp_path)
    process.send_signal(number)
    process.send_signal(number)  # As `timeout` sends it.
    _, printed = process.communicate(timeout=20)
    assert (process.returncode, printed) == (128 + number, f"{line}; the same command goes on\n")
    assert list(tmp_path.iterdir()) == []


def test_a_later_signal_ends_a_process_that_does_not_end():
    code = """
import time
from labelgraph._core import signals
signals.GRACE = 0.1
def work():
    try:
        print("ready", flush=True)
        time.sleep(30)
    finally:
        print("cleaning", flush=True)
        time.sleep(30)
signals.run_command(work)
"""
    process = start(code)
    process.terminate()
    assert process.stdout.readline() == "cleaning\n"
    time.sleep(0.2)
    process.terminate()
    assert process.wait(timeout=20) == -signal.SIGTERM


def test_a_child_process_ends_by_default_and_deletes_no_file(tmp_path):
    reading, writing = os.pipe()
    with stopping():
        child = os.fork()
        if child == 0:
            try:
                os.write(writing, b"ready")
                time.sleep(30)
            finally:
                (tmp_path / "unwound").touch()
                os._exit(0)
        os.read(reading, 5)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
    assert not (tmp_path / "unwound").exists()


def test_handlers_are_restored_and_nesting_changes_nothing():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with stopping():
        outer = signal.getsignal(signal.SIGTERM)
        with stopping():
            assert signal.getsignal(signal.SIGTERM) is outer is signal.getsignal(signal.SIGINT)
        assert signal.getsignal(signal.SIGTERM) is outer
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_destructor_is_not_lost(number, capsys):
    class Interrupted:
        def __del__(self):
            os.kill(os.getpid(), number)
            time.sleep(0.001)

    def work():
        Interrupted()
        time.sleep(20)

    started = time.monotonic()
    assert run_command(work, "start again") == 128 + number
    assert time.monotonic() - started < 10
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1 and errors.endswith("start again\n")


def test_other_errors_of_destructors_are_shown_as_before():
    class Broken:
        def __del__(self):
            raise KeyError("a")

    seen, before = [], sys.unraisablehook
    sys.unraisablehook = seen.append
    try:
        with stopping():
            Broken()
        assert [type(each.exc_value) for each in seen] == [KeyError]
        assert sys.unraisablehook == seen.append
    finally:
        seen.clear()
        sys.unraisablehook = before


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_needs_no_handlers():
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(run_command(lambda: 3)))
    thread.start()
    thread.join()
    assert statuses == [3]


def test_exit_statuses_and_other_errors_pass(capsys):
    assert [run_command(lambda: None), run_command(lambda: 2)] == [0, 2]
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 // 0)
    assert capsys.readouterr().err == ""


def test_a_keyboard_interrupt_counts_as_a_signal(capsys):
    def interrupted():
        raise KeyboardInterrupt

    assert run_command(interrupted, "start again") == 130
    assert capsys.readouterr().err == "interrupted; start again\n"


def test_the_innermost_advice_is_shown():
    with pytest.raises(Stopped, match="stopped by SIGTERM; first"), advising("second"), advising("first"):
        raise Stopped(signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_of_lightning_ends_with_the_status_of_the_signal(number):
    pytest.importorskip("lightning")
    code = """
import sys
from labelgraph._core.signals import advising, run_command

def work():
    import lightning as L, torch
    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
        def training_step(self, batch, index):
            if index == 5:
                print("ready", flush=True)
            return self.layer(batch).sum()
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 1e-9)
    options = dict(logger=False, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False)
    with advising("the same command goes on"):
        trainer = L.Trainer(accelerator="cpu", max_epochs=10**6, **options)
        trainer.fit(Module(), torch.utils.data.DataLoader(torch.ones(64, 1)))
sys.exit(run_command(work, final=True))
"""
    process = start(code)
    process.send_signal(number)
    _, printed = process.communicate(timeout=30)
    line = "interrupted" if number == signal.SIGINT else "stopped by SIGTERM"
    assert process.returncode == 128 + number and printed.endswith(f"{line}; the same command goes on\n")
    assert "Traceback" not in printed
