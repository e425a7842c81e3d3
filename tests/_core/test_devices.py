"""Devices are checked before anything is moved to them."""

import pytest
import torch

from labelgraph._core.devices import as_device


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
