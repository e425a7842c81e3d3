"""The command as a whole: help, errors, pipes, and the five lines of the README."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import labelgraph
from labelgraph.cli.common import guarded
from labelgraph.cli.main import COMMANDS, main
from labelgraph.metrics import METRICS
from labelgraph.search import INDEXES
from tests.cli.small import SMALL


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert stop.value.code == 0 and f"\n  labelgraph {name} " in shown and "--json" in shown


def test_help_fits_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    shown = capsys.readouterr().out
    text = shown[shown.index("A protocol names") :]
    assert len(text.splitlines()) > 3 and max(map(len, text.splitlines())) <= 80


def test_the_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(f"\n    {name} " in shown for name in COMMANDS)
    assert "by REST" in shown and "Hugging Face" in shown
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"labelgraph {labelgraph.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serch"], "(got 'serch'); did you mean 'search'?"),
        (["train", "--epoch", "3"], "unknown argument '--epoch'; did you mean '--epochs'?; labelgraph train --help"),
        (["search", "my-model", "--txt", "cat"], "unknown argument '--txt'; did you mean '--text'?"),
        (["train", "--epochs", "many"], "argument --epochs: invalid int value: 'many'"),
        (["train", "--select", "test"], "--select must be one of validation, last (got 'test')"),
        (["graph", "a", "b"], "unknown argument 'b'"),
        (["search", "index", "--text", "a", "--image", "b"], "not allowed with argument"),
        (["data", "make", "folder"], "the following arguments are required: --out"),
    ],
)
def test_wrong_command_lines_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    error = capsys.readouterr().err
    assert stop.value.code == 2 and error.startswith("error: ") and error.count("\n") == 1 and message in error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("first\n  second"), "error: first second\n"),
        (FileNotFoundError(2, "No such file or directory", "a.npz"), "error: a.npz: No such file or directory\n"),
        (PermissionError(13, "Permission denied", "a.npz"), "error: a.npz: Permission denied\n"),
        (OSError(errno.EROFS, "Read-only file system", "out"), "error: out: Read-only file system\n"),
        (OSError(errno.ENOSPC, "No space left on device"),
         "error: [Errno 28] No space left on device; make space and give the same command again\n"),
        (ModuleNotFoundError("No module named 'faiss'", name="faiss"),
         'error: faiss is not installed; install it by pip install "labelgraph[index]"\n'),
        (ModuleNotFoundError("No module named 'lightning'", name="lightning.pytorch"),
         'error: lightning is not installed; install it by pip install "labelgraph[train]"\n'),
        (ImportError("'h5py' is needed; pip install labelgraph[data]"),
         "error: 'h5py' is needed; pip install labelgraph[data]\n"),
        (MemoryError(), "error: not enough memory (out of memory)\n"),
    ],
)  # fmt: skip
def test_errors_are_explained_in_one_line(error, message, capsys, monkeypatch):
    def fail():
        raise error

    assert guarded(fail, "") == 2
    assert capsys.readouterr().err == message
    monkeypatch.setenv("LABELGRAPH_TRACEBACK", "1")
    with pytest.raises(type(error)):
        guarded(fail, "")


def test_other_errors_are_not_hidden():
    def fail():
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        guarded(fail, "")


def test_control_c(capsys):
    def stop(*words):
        raise KeyboardInterrupt(*words)

    assert guarded(stop, "begin anew") == 130
    assert guarded(lambda: stop("go on"), "begin anew") == 130
    assert capsys.readouterr().err == "interrupted; begin anew\ninterrupted; go on\n"


def test_sigterm(capsys):
    assert guarded(lambda: signal.raise_signal(signal.SIGTERM), "begin anew") == 143
    assert "SIGTERM; begin anew" in capsys.readouterr().err


def test_a_missing_package_is_named_with_its_extra(place, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert main(["evaluate", str(place / "model"), str(place / "data.npz")]) == 2
    assert 'safetensors is not installed; install it by pip install "labelgraph[train]"' in capsys.readouterr().err


SLOW = ("torch", "numpy", "scipy", "networkx", "torch_geometric", "lightning", "faiss", "matplotlib", "sklearn",
        "safetensors", "PIL", "pandas", "tqdm")  # fmt: skip


HELP = [[], ["--help"], ["--version"], ["train", "--list-settings"],
        *([*name.split(), "--help"] for name in [*COMMANDS, "data make", "data check", "label add"])]  # fmt: skip
WRONG = [
    ["serch"],
    ["train", "--epoch", "3"],
    ["train", "openclipart", "--out", "model", "--method", "algnc"],
    ["train", "openclipart", "--out", "model", "--set", "model.ganma=1"],
    ["train", "openclipart", "--out", "model", "--set", "train.lr=fast"],
    ["train", "missing.npz", "--out", "model"],
    ["evaluate", "missing", "openclipart"],
    ["evaluate", ".", "missing.npz"],
    ["evaluate", ".", "openclipart", "--protocol", "test-vs-tst"],
    ["evaluate", ".", "openclipart", "--metrics", "recal@10"],
    ["index", "missing", "openclipart", "--out", "index"],
    ["index", ".", "openclipart", "--out", "index", "--index", "exct"],
    ["search", "missing", "--text", "a"],
    ["search", ".", "--data", "missing.npz", "--text", "a"],
    ["search", ".", "--image", "missing.png"],
    ["search", ".", "--texts", "missing.npy"],
    ["search", ".", "--text", "a", "--sheet", "sheet.jpg"],
    ["graph", "missing.npz"],
    ["graph", "missing.csv"],
    ["graph", "openclipart", "--out", "graph.jpg"],
    ["data", "check", "opencliprt"],
    ["data", "make", "missing.csv", "--out", "data.npz"],
    ["data", "make", ".", "--out", "data.npz", "--text-encoder", "bag-of-wrds"],
]


def test_help_and_errors_of_the_user_import_nothing_slow(tmp_path):
    """So they answer at once: PyTorch alone takes seconds to import."""
    code = f"""
import contextlib, io, json, sys
from labelgraph.cli.main import main
for arguments in {HELP + WRONG}:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as error:
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = stop.code
    slow = sorted({{name.split(".")[0] for name in sys.modules}} & {set(SLOW)})
    print(json.dumps([arguments, status, error.getvalue(), slow]))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(labelgraph.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [arguments for arguments, *_ in answers] == HELP + WRONG, done.stderr
    for arguments, status, error, slow in answers:
        assert slow == [], arguments
        assert (status, error.count("\n")) == ((0, 0) if arguments in HELP else (2, 1)), (arguments, error)
        assert arguments in HELP or error.startswith("error: ")


def test_the_bare_command_prints_its_help(capsys):
    assert main([]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: labelgraph") and "labelgraph train my-data.npz" in shown


@pytest.mark.parametrize(("given", "kept"), [(None, "1"), ("0", "0")])
def test_only_the_command_asks_for_huge_pages(given, kept, monkeypatch):
    variable = "THP_MEM_ALLOC_ENABLE"
    monkeypatch.delenv(variable, raising=False)
    code = "import os, sys; from labelgraph.cli.main import main; sys.argv = ['labelgraph']; main(); "
    code += f"print(os.environ[{variable!r}])"
    environment = os.environ | ({} if given is None else {variable: given})
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == kept
    main([])
    assert variable not in os.environ


def test_only_the_command_ends_without_a_last_look_for_cycles():
    code = "import gc, sys; from labelgraph.cli.main import main; sys.argv = ['labelgraph']; "
    for call, frozen in (("main([])", "False"), ("main()", "True")):
        run = subprocess.run([sys.executable, "-c", f"{code}{call}; print(gc.get_freeze_count() > 0)"],
                             capture_output=True, text=True, check=True)  # fmt: skip
        assert run.stdout.splitlines()[-1] == frozen


def test_help_names_every_index_and_metric(capsys):
    shown = {}
    for name in ("index", "evaluate"):
        with pytest.raises(SystemExit):
            main([name, "--help"])
        shown[name] = "".join(capsys.readouterr().out.split())  # Lines break at hyphens.
    assert all(each in shown["index"] for each in INDEXES) and all(each in shown["evaluate"] for each in METRICS)


def run(*arguments, **options):
    command = [sys.executable, "-m", "labelgraph", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(labelgraph.__file__).parents[1])}
    return subprocess.run(command, text=True, check=False, stderr=subprocess.PIPE, env=environment, **options)


@pytest.mark.slow
def test_a_reader_that_stops_reading_is_no_error(place):
    reader, writer = os.pipe()
    os.close(reader)
    done = run("graph", place / "data.npz", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_one_line(place):
    with Path("/dev/full").open("w") as full:
        done = run("graph", place / "data.npz", stdout=full)
    assert done.returncode == 2
    assert done.stderr == "error: [Errno 28] No space left on device; make space and give the same command again\n"


def test_a_closed_output_is_one_line(place, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", None)  # As Python has it in a process whose standard output is closed.
    assert main(["graph", str(place / "data.npz")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "standard output is closed" in error


@pytest.mark.slow
def test_from_a_file_to_answers_in_five_lines(place, tmp_path):
    """As a newcomer types them, in a folder of their own, each a process."""
    data = place / "bare.npz"
    lines = [
        ["train", data, "--out", "my-model", "--epochs", "2", *SMALL],
        ["evaluate", "my-model", data, "--json"],
        ["index", "my-model", data, "--out", "my-index"],
        ["search", "my-index", "--data", data, "--text-id", "item-42", "--json"],
        ["graph", data],
    ]
    done = [run(*line, stdout=subprocess.PIPE, cwd=tmp_path) for line in lines]
    assert [each.returncode for each in done] == [0] * 5, [each.stderr for each in done]
    assert "Trained algcn on 54 items" in done[0].stdout
    assert json.loads(done[1].stdout)["results"][0]["protocol"] == "validation-vs-validation"
    assert "60 images and 60 texts" in done[2].stdout
    assert len(json.loads(done[3].stdout)["queries"][0]["neighbours"]) == 10
    assert done[4].stdout.startswith("Label graph: 5 labels")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my-index", "my-model"]
