"""Checkpoints without pickle."""

import random
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from labelgraph._core.digests import sha256_bytes
from labelgraph.train.checkpoint import START, SafetensorsCheckpointIO
from tests.damage import damage

IO = SafetensorsCheckpointIO()


def alike(left, right):
    """Compare values, including tensors and types."""
    if isinstance(left, torch.Tensor):
        return isinstance(right, torch.Tensor) and left.dtype == right.dtype and torch.equal(left, right)
    if isinstance(left, dict):
        return list(left) == list(right) and all(alike(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return type(left) is type(right) and len(left) == len(right) and all(map(alike, left, right))
    return type(left) is type(right) and left == right


BASE = torch.arange(12.0).view(3, 4)

CASES = {
    "plain values": {"epoch": 3, "lr": 1e-5, "name": "é", "flag": True, "none": None, "big": 2**70},
    "not finite": {"best": float("inf"), "worst": -float("inf")},
    "keys of other kinds": {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}, (1, "a"): 2, None: 3, "1": 4, 1: 5},
    "containers": {"betas": (0.5, 0.999), "empty": [(), [], {}], "nested": [[1, (2, [3])]]},
    "tensors": {"weight": BASE, "scalar": torch.tensor(7), "none": torch.empty(0, 3), "flag": torch.tensor([True])},
    "dtypes": [torch.ones(2, dtype=kind) for kind in (torch.float64, torch.bfloat16, torch.int8, torch.uint8)],
    "shared memory": {"all": BASE, "same": BASE, "part": BASE[1:], "turned": BASE.t(), "strided": BASE[:, ::2]},
    "looks like its own marks": {"tensor": "0", "dict": [1], "list": {"tuple": 3}},
}


@pytest.mark.parametrize("content", CASES.values(), ids=CASES)
def test_round_trip(tmp_path, content):
    checkpoint = {"content": content}
    IO.save_checkpoint(checkpoint, tmp_path / "deep" / "a.ckpt")
    assert alike(IO.load_checkpoint(str(tmp_path / "deep" / "a.ckpt")), checkpoint)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.ckpt"]


def test_an_optimiser_continues_from_its_state(tmp_path):
    def step(optimizer, weight):
        weight.grad = torch.ones(2)
        optimizer.step()

    first, second = (torch.ones(2, requires_grad=True) for _ in range(2))
    optimizer = torch.optim.Adam([first], betas=(0.5, 0.9))
    step(optimizer, first)
    IO.save_checkpoint({"optimizer": optimizer.state_dict(), "weight": first}, tmp_path / "a.ckpt")
    loaded = IO.load_checkpoint(tmp_path / "a.ckpt")
    again = torch.optim.Adam([second], lr=1.0)
    again.load_state_dict(loaded["optimizer"])
    with torch.no_grad():
        second.copy_(loaded["weight"])
    step(optimizer, first)
    step(again, second)
    assert torch.equal(first, second)


def test_ordered_dictionaries_paths_and_devices_become_plain_values(tmp_path):
    state = {"state": OrderedDict(b=1, a=2), "path": Path("x/y"), "device": torch.device("cpu")}
    IO.save_checkpoint(state, tmp_path / "a.ckpt")
    loaded = IO.load_checkpoint(tmp_path / "a.ckpt")
    assert loaded == {"state": {"b": 1, "a": 2}, "path": "x/y", "device": "cpu"}
    assert list(loaded["state"]) == ["b", "a"]


def test_an_unsupported_type_is_named_and_keeps_the_old_file(tmp_path):
    IO.save_checkpoint({"epoch": 1}, tmp_path / "a.ckpt")
    with pytest.raises(TypeError, match=r"a checkpoint can hold .*\(got set\)"):
        IO.save_checkpoint({"epoch": {1, 2}}, tmp_path / "a.ckpt")
    assert IO.load_checkpoint(tmp_path / "a.ckpt") == {"epoch": 1}


@pytest.mark.parametrize("size", [0, 4, 50, -1])
def test_a_truncated_file_is_refused(tmp_path, size):
    path = tmp_path / "a.ckpt"
    IO.save_checkpoint({"weight": BASE}, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"a\.ckpt: expected a checkpoint of labelgraph"):
        IO.load_checkpoint(path)


def test_every_damaged_byte_is_refused(tmp_path):
    path, rng = tmp_path / "a.ckpt", random.Random(0)
    IO.save_checkpoint({"w": BASE, "epoch": 3}, path)
    content = path.read_bytes()
    for case in range(300):
        path.write_bytes(damage(content, rng))
        with pytest.raises(ValueError, match="expected a checkpoint of labelgraph") as error:
            IO.load_checkpoint(path)
        assert str(error.value).startswith(f"{path}: "), case


def test_wrong_content_with_a_valid_checksum_is_one_error_that_names_the_file(tmp_path):
    path, rng, refused = tmp_path / "a.ckpt", random.Random(0), 0
    IO.save_checkpoint({"w": BASE, "epoch": 3, "list": [1, (2,)]}, path)
    start = len(START) + 65
    content = path.read_bytes()[start:]
    for _ in range(300):
        damaged = damage(content, rng)
        path.write_bytes(START + sha256_bytes(damaged).encode() + b"\n" + damaged)
        try:
            IO.load_checkpoint(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: expected a checkpoint") and "\n" not in str(error)
            refused += 1
    assert refused > 150


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, number):
    IO.save_checkpoint({"state_dict": {"w": BASE, "bias": torch.tensor([1.0, number])}}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt: .*'bias' must be finite"):
        IO.load_checkpoint(tmp_path / "a.ckpt")


def test_other_safetensors_files_and_pickles_are_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": BASE}, tmp_path / "a.ckpt")
    torch.save({"weight": BASE}, tmp_path / "b.ckpt")
    for name in ("a.ckpt", "b.ckpt"):
        with pytest.raises(ValueError, match=f"{name}: expected a checkpoint of labelgraph"):
            IO.load_checkpoint(tmp_path / name)


def test_removing(tmp_path):
    IO.save_checkpoint({"epoch": 1}, tmp_path / "a.ckpt")
    IO.remove_checkpoint(str(tmp_path / "a.ckpt"))
    IO.remove_checkpoint(tmp_path / "a.ckpt")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_full_disk_names_the_file_and_keeps_the_old_one(tmp_path):
    """A limit on the size of files simulates a full disk: writing fails half-way."""
    code = """
import resource, signal, sys
import torch
from labelgraph.train.checkpoint import SafetensorsCheckpointIO
SafetensorsCheckpointIO().save_checkpoint({"a": 1}, sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    SafetensorsCheckpointIO().save_checkpoint({"a": torch.zeros(10_000)}, sys.argv[1])
except OSError as error:
    print(f"{error.filename}: {error.strerror}")
print(SafetensorsCheckpointIO().load_checkpoint(sys.argv[1]))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "last.ckpt")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    message, content = done.stdout.splitlines()
    assert "last.ckpt: cannot save (" in message and "too large" in message and content == "{'a': 1}"
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
