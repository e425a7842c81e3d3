"""`labelgraph app`: its checks, its line, and how it ends; the page itself has tests of its own."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing

import pytest

from labelgraph.cli import app_command
from labelgraph.cli.app_command import listening, page_address
from labelgraph.cli.main import main


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(app_command, "NEEDED", ())


def test_the_help_imports_nothing_slow():
    code = """
import sys
from labelgraph.cli.main import main
try:
    main(["app", "--help"])
except SystemExit:
    print(sorted({"torch", "numpy", "fastapi", "uvicorn", "pydantic", "PIL"} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]" and "--pictures FOLDER" in shown


def failed(capsys, *arguments):
    assert main(["app", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and printed.err.startswith("error: ")
    return printed.err


def test_a_missing_package_is_named(place, capsys, monkeypatch):
    monkeypatch.setattr(app_command, "NEEDED", ("json", "no_such_package"))
    assert 'no_such_package is not installed; install it by pip install "labelgraph[app]"' in failed(
        capsys, place / "index"
    )


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["{place}/indx"], ["indx", "'index'"]),
        (["{place}/model", "--port", "0"], ["'--data'"]),
        (["{place}/index", "--data", "{place}/dta.npz"], ["dta.npz"]),
        (["{place}/index", "--pictures", "{place}/none"], ["none", "folder of pictures"]),
        (["{place}/index", "--pictures", "{place}/model", "--port", "0"], ["'--pictures'", "item-"]),
        (["{place}/index", "--port", "65536"], ["'--port'", "65536"]),
        (["{place}/index", "--port", "-1"], ["'--port'", "-1"]),
        (["{place}/index", "--host", "192.0.2.1"], ["'--host'", "192.0.2.1"]),
        (["{place}/index", "--host", "no such host"], ["'--host'", "no such host"]),
    ],
)
def test_wrong_options_are_one_line(place, installed, capsys, options, parts):
    shown = failed(capsys, *(each.format(place=place) for each in options))
    assert all(part in shown for part in parts)


def test_a_port_in_use_is_one_line(place, installed, capsys):
    with closing(listening("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"{port}, which is in use" in failed(capsys, place / "index", "--port", port)


@pytest.mark.parametrize(
    ("host", "wanted"), [("127.0.0.1", "http://127.0.0.1:"), ("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:")]
)
def test_the_address_opens_on_this_computer(host, wanted):
    if host == "::1" and not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        listener = listening(host, 0)
    except ValueError:
        pytest.skip(f"{host} is no address of this computer")
    with closing(listener):
        assert page_address(host, listener) == f"{wanted}{listener.getsockname()[1]}/"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "number", "status"), [("127.0.0.1", signal.SIGINT, 130), ("0.0.0.0", signal.SIGTERM, 143)]
)
def test_it_serves_until_it_is_stopped(place, host, number, status):
    pytest.importorskip("fastapi", reason='needs pip install "labelgraph[app]"')
    pytest.importorskip("uvicorn", reason='needs pip install "labelgraph[app]"')
    command = [sys.executable, "-m", "labelgraph", "app", str(place / "index"), "--port", "0", "--host", host, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        lines = [process.stdout.readline() for _ in range(4)]
        address = json.loads("".join(lines))["url"]
        with urllib.request.urlopen(f"{address}api/collection", timeout=20) as response:
            known = json.load(response)
        assert (known["name"], known["items"], known["by_text"]) == ("index", 40, False)
        process.send_signal(number)
        out, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == status and out == ""
    notes = errors.splitlines()
    assert "shows no pictures" in notes[0] and notes[-1].endswith("the page is closed")
    assert any("no passwords" in line for line in notes) == (host == "0.0.0.0") and len(notes) == 2 + (
        host != "127.0.0.1"
    )
