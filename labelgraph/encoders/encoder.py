"""The interface of encoders, and encoders by name."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import scipy.sparse as sp

Features: TypeAlias = np.ndarray | sp.csr_array
Item: TypeAlias = str | Path | np.ndarray


class Encoder(ABC):
    """Raw pictures or texts to features, one row an item, float32.

    A subclass gives ``name``, ``side``, ``channels``, ``options`` and `embed`, and reads single items in
    `prepare`. Its constructor takes what ``options`` gives, and the device if it has one.

    Attributes:
        name: Key of `labelgraph.encoders.ENCODERS`.
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
        """Arguments to build the encoder again, values that JSON can hold."""

    @property
    def settings(self) -> dict[str, Any]:
        """What `labelgraph.encoders.build_encoder` builds the encoder from, for ``CrossModalData.encoders``."""
        return {"encoder": self.name, **self.options}

    @classmethod
    def from_options(cls, options: Mapping[str, Any], device: str = "cpu") -> Self:
        """Build an encoder from what ``options`` gave."""
        return cls(**{**options, "device": device})

    @abstractmethod
    def prepare(self, item: Item) -> Any:
        """Read one item; several threads may do so at once.

        Raises:
            ValueError: If the item cannot be read.
            FileNotFoundError: If there is no such file.
        """

    @abstractmethod
    def embed(self, prepared: Sequence[Any]) -> Features:
        """Features of some items that `prepare` gave, at least one, shape (B, channels)."""

    def encode(self, items: Sequence[Item]) -> Features:
        """Features of some items, all at once; `labelgraph.encoders.extract` goes batch by batch.

        Args:
            items: Paths of pictures, pictures as `open_picture` takes them, or texts.

        Returns:
            Shape (B, channels), float32.

        Raises:
            ValueError: If there are no items, or one cannot be read.
            FileNotFoundError: If there is no such file.
        """
        if isinstance(items, str | Path):
            raise ValueError(f"'items' must be a sequence of items (got {str(items)!r} alone)")
        if not len(items):
            raise ValueError("'items' must have at least one item (got none)")
        return self.embed([self.prepare(item) for item in items])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.side}, {self.channels} channels)"


def check_text(item: Any) -> str:
    """Check that an item is a text.

    Raises:
        ValueError: If it is not a string.
    """
    if not isinstance(item, str):
        raise ValueError(f"'items' must be texts (got {type(item).__name__})")
    return item


def import_package(module: str, extra: str) -> Any:
    """Import an optional package.

    Raises:
        ImportError: If it is not installed; it names the extra that has it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'this encoder needs {module} ({error}): pip install "labelgraph[{extra}]"') from error
