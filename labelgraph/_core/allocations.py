"""How the C library keeps freed memory."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

M_MMAP_THRESHOLD = -3  # As malloc.h of glibc names it.
LARGE = 2**20


def return_large_blocks() -> None:
    """Let freed blocks of 1 MiB and more go back to the system at once: in Linux with glibc; elsewhere, do nothing.

    By default, glibc raises this limit to 32 MiB once larger blocks are freed, and then keeps much of the memory that
    LanceDB frees in its threads: hundreds of megabytes while a store is filled. Blocks that go back cost time when they
    are needed again, so that training should not run in such a process.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
