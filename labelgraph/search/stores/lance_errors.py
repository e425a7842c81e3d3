"""Errors of LanceDB in one line that names the store and says what to do."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

from labelgraph.search.stores.engine import DAMAGED

Called = TypeVar("Called", bound=Callable[..., Any])

REASONS = {"permission denied": errno.EACCES, "read-only file system": errno.EROFS, "no space left": errno.ENOSPC}


@contextmanager
def naming(address: str, forget: Callable[[], None] | None = None) -> Iterator[None]:
    """Turn errors of LanceDB into those of labelgraph, which begin with the address of the store.

    Args:
        address: Address of the store.
        forget: Function that is called after an error.

    Raises:
        OSError: If the disk is full, or the store may not be read or written.
        ValueError: If LanceDB refuses for another reason, such as a file that is missing or damaged.

    Example:
        >>> from labelgraph.search.stores.lance_errors import naming
        >>> with naming("lance:items"):
        ...     raise RuntimeError("lance error: LanceError(IO): file size is too small, /src/utils.rs:172:20")
        Traceback (most recent call last):
        ...
        ValueError: lance:items: LanceDB refused (file size is too small); if the store is damaged, put back a copy, or
        delete it and make it again by `labelgraph index`
    """
    try:
        yield
    except Exception as error:
        if forget is not None:
            forget()
        text = str(error)
        if not isinstance(error, RuntimeError | ValueError | OSError) or address in text:
            raise
        for words, number in REASONS.items():
            if words in text.lower():
                raise OSError(number, os.strerror(number), address) from None
        reason = re.sub(r"^lance error: |LanceError\(\w+\): |,? /\S+\.rs:\d+:\d+", "", " ".join(text.split()))
        raise ValueError(f"{address}: LanceDB refused ({reason[:300]}); {DAMAGED}") from None


def named(method: Called) -> Called:
    """Let a method of an engine raise the errors of `naming`."""

    @wraps(method)
    def call(self: Any, *values: Any, **options: Any) -> Any:
        with naming(self.address, self.forget):
            return method(self, *values, **options)

    return call  # type: ignore[return-value]
