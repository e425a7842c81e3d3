"""Memory that a process holds after it has freed blocks."""

import ctypes
import subprocess
import sys

import pytest

HELD = """
import sys
import numpy as np
from labelgraph.cli.inputs import return_large_blocks

if sys.argv[1] == "return":
    return_large_blocks()
np.ones(2**21)  # Once this is freed, glibc keeps smaller blocks.
kept, freed = [], []
for _ in range(100):
    freed.append(np.ones(2**18))
    kept.append([np.ones(2**10) for _ in range(20)])
del freed
print(int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt") or sys.platform != "linux", reason="needs glibc")
def test_freed_blocks_go_back_to_the_system():
    command = [sys.executable, "-c", HELD]
    keeping, returning = (
        int(subprocess.run([*command, name], capture_output=True, text=True, check=True).stdout)
        for name in ("keep", "return")
    )
    assert returning < keeping - 100  # MiB, of the 200 that are freed.
