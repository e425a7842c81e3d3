"""Peak memory against what is allocated."""

import mmap

import pytest
import torch

from labelgraph.train import peak_memory, reset_peak_memory
from labelgraph.train import process as memory

CPU = torch.device("cpu")
MEBIBYTES = 2**20


@pytest.mark.skipif(not memory.CLEAR.exists(), reason="the system does not tell")
def test_the_peak_counts_what_has_been_freed_and_can_be_forgotten():
    reset_peak_memory(CPU)
    before = peak_memory(CPU)
    # Straight from the system: an allocator might hand out memory that the process holds anyway.
    with mmap.mmap(-1, 128 * MEBIBYTES) as held:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
    assert 120 * MEBIBYTES < peak_memory(CPU) - before < 200 * MEBIBYTES
    reset_peak_memory(CPU)
    assert peak_memory(CPU) - before < 60 * MEBIBYTES


def test_a_system_that_does_not_tell_gives_none(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "status")
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "clear_refs")
    reset_peak_memory(CPU)
    assert peak_memory(CPU) is None and not list(tmp_path.iterdir())
