"""Imports on first use: package names, table entries, and FAISS; so that command help does not import PyTorch."""

from __future__ import annotations

import ast
import pkgutil
import sys
from collections import UserDict
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from labelgraph._core.names import did_you_mean

Value = TypeVar("Value")


def lazy_exports(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package that imports its public names on first use.

    The package imports its names below ``if TYPE_CHECKING:`` for type checkers and editors, and lists them in
    ``__all__``. The modules of the package are attributes as well, and are also imported on first use.

    Args:
        package: The package's ``__name__``.

    Example:
        >>> import labelgraph.metrics
        >>> "evaluate" in dir(labelgraph.metrics), "TYPE_CHECKING" in dir(labelgraph.metrics)
        (True, False)
    """
    module = sys.modules[package]
    sources = _typed_imports(Path(str(module.__file__)))
    modules = {info.name for info in pkgutil.iter_modules(module.__path__) if not info.name.startswith("_")}

    def load(name: str) -> Any:
        if name in sources:
            value = getattr(import_module(sources[name]), name)
            setattr(module, name, value)
            return value
        if name in modules:
            return import_module(f"{package}.{name}")
        near = "" if name.startswith("_") else did_you_mean(name, __dir__())
        raise AttributeError(f"module {package!r} has no attribute {name!r}{near}")

    def __dir__() -> list[str]:
        special = {name for name in vars(module) if name.startswith("__")}
        return sorted({*special, *sources, *modules})

    return load, __dir__


def _typed_imports(path: Path) -> dict[str, str]:
    """Return the names that a file imports below ``if TYPE_CHECKING:``, with their modules."""
    blocks = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.If)]
    imports = [line for block in blocks for line in block.body if isinstance(line, ast.ImportFrom)]
    return {alias.name: str(line.module) for line in imports for alias in line.names}


class LazyTable(UserDict[str, Value]):
    """Classes or functions by name; an entry ``module:name`` is imported when it is first read.

    Example:
        >>> from labelgraph._core.lazy import LazyTable
        >>> table = LazyTable({"counter": "collections:Counter"})
        >>> table["own"] = dict
        >>> list(table), table["counter"].__name__
        (['counter', 'own'], 'Counter')
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        super().__init__()
        self.data.update(places)  # type: ignore[arg-type]  # `__getitem__` replaces texts.

    def __getitem__(self, name: str) -> Value:
        value: Any = super().__getitem__(name)
        if isinstance(value, str):
            module, _, attribute = value.partition(":")
            value = self.data[name] = getattr(import_module(module), attribute)
        return value

    def is_loaded(self, name: str) -> bool:
        """Return whether an entry is already imported."""
        return not isinstance(self.data[name], str)


def import_faiss() -> Any:
    """Import FAISS.

    Raises:
        ImportError: If FAISS is not installed.
    """
    try:
        return import_module("faiss")
    except ImportError as error:
        raise ImportError('FAISS indexes need FAISS: pip install "labelgraph[index]"') from error
