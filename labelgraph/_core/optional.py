"""Import of libraries that come with an extra."""

from __future__ import annotations

import importlib
from typing import Any


def import_faiss() -> Any:
    """Import FAISS.

    Raises:
        ImportError: If FAISS is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise ImportError('FAISS indexes need FAISS: pip install "labelgraph[index]"') from error
