"""Raw pictures in a MATLAB file, read block by block."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from labelgraph.data.matlab import find_key, mat_variables, mat_version
from labelgraph.data.matlab73 import check_storage, has_matlab_axes, open73


class MatPictures:
    """The pictures of a hashing set, such as ``IAll`` of ``mirflickr25k-iall.mat``; never all in memory.

    The array is (N, 3, H, W) or (H, W, 3, N) as MATLAB shows it, whole numbers 0 to 255 or others, and the file
    is of version 7.3: arrays of version 5 can only be read whole. The file is opened anew for each block, so
    that a `MatPictures` can be sent to other processes.

    Args:
        path: The file.
        key: Name of the array, in any case.

    Attributes:
        shape: (N, 3, H, W).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or of version 5, or the array is no stack of pictures.
        ImportError: Without h5py.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import h5py, numpy as np
        >>> from labelgraph.data import MatPictures
        >>> path = Path(tempfile.mkdtemp()) / "mirflickr25k-iall.mat"
        >>> with h5py.File(path, "w") as file:
        ...     file["IAll"] = np.zeros((5, 3, 6, 8), dtype=np.uint8)
        >>> pictures = MatPictures(path)
        >>> pictures.shape, pictures[[4, 0]].shape
        ((5, 3, 6, 8), (2, 3, 6, 8))
    """

    def __init__(self, path: str | Path, key: str = "IAll") -> None:
        self.path = Path(path)
        if mat_version(self.path) == "5":
            raise ValueError(
                f"{self.path}: '{key}' cannot be read block by block from a MATLAB 5 file; save it again by -v7.3"
            )
        variables = mat_variables(self.path)
        self.key = find_key(self.path, variables, key)
        kind, shape = variables[self.key]
        if len(shape) == 4 and shape[1] == 3 and 0 not in shape:
            self._axes = (0, 1, 2, 3)
        elif len(shape) == 4 and shape[2] == 3 and 0 not in shape:
            self._axes = (3, 2, 0, 1)
        else:
            raise ValueError(
                f"{self.path}: '{self.key}' must have the shape (N, 3, H, W) or (H, W, 3, N) "
                f"(got class {kind}, shape {shape})"
            )
        self.shape = tuple(shape[axis] for axis in self._axes)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        """Pictures of a slice or of row numbers in any order, shape (B, 3, H, W), in the type of the file."""
        rows = np.arange(len(self))[index]
        distinct, places = np.unique(rows, return_inverse=True)
        try:
            with open73(self.path) as file:
                return self._read(file[self.key], distinct)[places.reshape(rows.shape)]
        except (OSError, RuntimeError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path}: '{self.key}' cannot be read (got {error})") from error

    @property
    def names(self) -> list[str]:
        """What to call the pictures."""
        return [f"{self.path} {self.key}[{row}]" for row in range(len(self))]

    def _read(self, dataset: Any, rows: np.ndarray) -> np.ndarray:
        check_storage(dataset)
        turned = has_matlab_axes(dataset)
        where = 3 - self._axes[0] if turned else self._axes[0]
        block = dataset[tuple(rows if axis == where else slice(None) for axis in range(4))]
        return (block.T if turned else block).transpose(self._axes)

    def blocks(self, size: int = 256) -> Iterator[np.ndarray]:
        """All pictures in order, ``size`` at a time."""
        if size < 1:
            raise ValueError(f"'size' must be at least 1 (got {size})")
        for start in range(0, len(self), size):
            yield self[start : start + size]
