"""The interface of encoders."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import scipy.sparse as sp

from labelgraph._core.argument_kinds import received

Features: TypeAlias = np.ndarray | sp.csr_array
Item: TypeAlias = str | Path | np.ndarray


class Encoder(ABC):
    """Base class of encoders from raw pictures or texts to float32 features, one row per item.

    A subclass defines ``name``, ``side``, ``channels``, ``options``, `prepare` and `embed`. Its constructor accepts the
    entries of ``options`` and, if it uses one, the device.

    Attributes:
        name: Key in `labelgraph.encoders.ENCODERS`.
        side: ``"image"`` or ``"text"``.
        sparse: Whether the features are a SciPy CSR array; otherwise they are a NumPy array.
    """

    name: ClassVar[str]
    side: str
    sparse: ClassVar[bool] = False

    @property
    @abstractmethod
    def channels(self) -> int:
        """Number of features."""

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Constructor arguments of the encoder, as values for JSON."""

    @property
    def settings(self) -> dict[str, Any]:
        """Settings for `labelgraph.encoders.build_encoder` and ``CrossModalData.encoders``."""
        return {"encoder": self.name, **self.options}

    @classmethod
    def from_options(cls, options: Mapping[str, Any], device: str = "cpu") -> Self:
        """Build an encoder from its ``options``."""
        return cls(**{**options, "device": device})

    @abstractmethod
    def prepare(self, item: Item) -> Any:
        """Read one item; must be thread-safe.

        Raises:
            ValueError: If the item cannot be read.
            FileNotFoundError: If there is no such file.
        """

    @abstractmethod
    def embed(self, prepared: Sequence[Any]) -> Features:
        """Compute the features of at least one prepared item, shape (B, channels)."""

    def encode(self, items: Sequence[Item]) -> Features:
        """Compute the features of items in one batch; `labelgraph.encoders.extract` works in several batches.

        Args:
            items: Paths of pictures, pictures that `open_picture` accepts, or texts.

        Returns:
            Shape (B, channels), float32.

        Raises:
            ValueError: If there are no items, or an item cannot be read.
            FileNotFoundError: If there is no such file.
        """
        if isinstance(items, str | Path) or not hasattr(items, "__len__"):
            alone = " alone" if isinstance(items, str | Path) else ""
            raise ValueError(f"'items' must be a sequence of items (got {received(items)}{alone})")
        if not len(items):
            raise ValueError("'items' must have at least one item (got none)")
        return self.embed([self.prepare(item) for item in items])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.side}, {self.channels} channels)"


def check_text(item: Any) -> str:
    """Check that an item is a text.

    Raises:
        ValueError: If the item is not a string.
    """
    if not isinstance(item, str):
        raise ValueError(f"'items' must be texts (got {type(item).__name__})")
    return item


def import_package(module: str, extra: str) -> Any:
    """Import an optional package.

    Raises:
        ImportError: If the package is not installed; the message names the extra that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'this encoder needs {module} ({error}): pip install "labelgraph[{extra}]"') from error
