"""Devices are checked before anything is moved to them."""

import threading

import pytest
import torch

from labelgraph._core.devices import as_device, in_threads


def test_devices_that_are_there():
    assert as_device("cpu") == as_device(torch.device("cpu")) == torch.device("cpu")
    assert as_device("meta").type == "meta"


@pytest.mark.parametrize("device", ["gpu", "", None, 5, ["cpu"]])
def test_names_that_torch_does_not_know(device):
    with pytest.raises(ValueError, match=r"'device' must be a device of PyTorch, such as cpu, cuda or mps \(got"):
        as_device(device)


def test_devices_that_are_not_there(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match=r"'device' must be one that this machine has .*'cuda:7'"):
        as_device("cuda:7")


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_each_part_has_a_thread_of_its_own_with_one_of_torch_and_no_gradients(three_threads):
    together = threading.Barrier(3, timeout=60)

    def task(part):
        together.wait()  # Passed only if all parts run at the same time.
        return part, threading.get_ident(), torch.get_num_threads(), torch.is_grad_enabled()

    parts, threads, counts, gradients = zip(*in_threads(task, ["a", "b", "c"]), strict=True)
    assert parts == ("a", "b", "c") and len({*threads, threading.get_ident()}) == 4
    assert counts == (1, 1, 1) and not any(gradients)
    assert torch.get_num_threads() == 3 and torch.is_grad_enabled()


def test_an_error_in_one_part_is_raised_and_leaves_the_number_of_threads(three_threads):
    with pytest.raises(ZeroDivisionError):
        in_threads(lambda part: 1 / part, [1, 0, 2])
    assert torch.get_num_threads() == 3
