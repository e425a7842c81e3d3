"""Reader of the six MATLAB files in which label-graph papers publish their data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from labelgraph._core.checks import sparse_if_mostly_zero
from labelgraph.data.formats.matlab import read_mat
from labelgraph.data.pairs import CrossModalData

PARTS = ("img", "txt", "lab")
SPLITS = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}


def load_six_files(
    folder: str | Path, *, validation: float = 0.1, seed: int = 0, label_names: Sequence[str] = ()
) -> CrossModalData:
    r"""Read a folder with ``train_img.mat``, ``train_txt.mat``, ``train_lab.mat`` and the same for ``test``.

    Each file, MATLAB 5 or 7.3, holds one matrix: image features :math:`(N, D_v)`, text features :math:`(N, D_t)`, or
    labels 0 or 1 :math:`(N, C)`. The matrix is called as the file, such as ``train_img``, in any case; a file's only
    array may have any name. Files ``valid_*``, ``val_*`` or ``validation_*`` give the split ``validation``. Text
    features stay sparse if over three quarters are zero. `load_label_counts` reads ``adj.mat`` in the same folder.

    Args:
        folder: The folder.
        validation: Share of the training items, at least one, to hold out as the validation split if the folder has
            no validation files; 0 for no validation split.
        seed: Seed of the random choice of these items.
        label_names: The :math:`C` names.

    Returns:
        The items in the order train, validation, test, with splits of these names.

    Raises:
        FileNotFoundError: If the folder or one of its files is missing.
        ValueError: If a file is damaged or shapes disagree; the message names file, key and shape.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from scipy.io import savemat
        >>> from labelgraph.data import load_six_files
        >>> folder = Path(tempfile.mkdtemp())
        >>> for split, size in (("train", 10), ("test", 4)):
        ...     for side, width in (("img", 6), ("txt", 5), ("lab", 3)):
        ...         savemat(folder / f"{split}_{side}.mat", {f"{split}_{side}": np.ones((size, width))})
        >>> load_six_files(folder)
        CrossModalData(14 pairs, image 6, text 5, 3 labels, splits: train 9, validation 1, test 4)
    """
    folder = Path(folder)
    if not 0 <= validation < 1:
        raise ValueError(f"'validation' must be in [0, 1) (got {validation})")
    files = mat_files(folder)
    parts: dict[str, list[Any]] = {}
    for split, prefixes in SPLITS.items():
        prefix = next((p for p in prefixes if any(f"{p}_{side}.mat" in files for side in PARTS)), None)
        if prefix or split != "validation":
            parts[split] = _read_split(folder, files, prefix or split)
    for split, part in parts.items():
        for side, matrix, first in zip(PARTS, part, parts["train"], strict=True):
            if matrix.shape[1] != first.shape[1]:
                raise ValueError(
                    f"{folder}: '{split}_{side}' must have {first.shape[1]} columns as 'train_{side}' "
                    f"(got shape {matrix.shape})"
                )
    starts = np.cumsum([0, *(part[0].shape[0] for part in parts.values())])
    splits = {name: torch.arange(starts[i], starts[i + 1]) for i, name in enumerate(parts)}
    if "validation" not in splits and validation > 0:
        splits = _split_off(splits, validation, seed)
    image, text, labels = (_stacked([part[side] for part in parts.values()]) for side in range(3))
    try:
        return CrossModalData(image, sparse_if_mostly_zero(text), labels, label_names, splits)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from error


def mat_files(folder: Path) -> dict[str, Path]:
    """MATLAB files of a folder, by file name in lower case."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    return {path.name.lower(): path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".mat"}


def _read_split(folder: Path, files: dict[str, Path], prefix: str) -> list[Any]:
    """Read image features, text features and labels of one split, with one row per item."""
    part: list[Any] = []
    for side in PARTS:
        path = files.get(f"{prefix}_{side}.mat")
        if path is None:
            raise FileNotFoundError(
                f"{folder / f'{prefix}_{side}.mat'}: no such file (the folder has {', '.join(files) or 'no .mat file'})"
            )
        part.append(read_mat(path, f"{prefix}_{side}", alone=True))
        if part[-1].shape[0] != part[0].shape[0]:
            raise ValueError(
                f"{path}: '{prefix}_{side}' must have {part[0].shape[0]} rows as '{prefix}_img' "
                f"(got shape {part[-1].shape})"
            )
    return part


def _stacked(parts: list[Any]) -> Any:
    return sp.vstack(parts, format="csr") if any(map(sp.issparse, parts)) else np.concatenate(parts)


def _split_off(splits: dict[str, torch.Tensor], share: float, seed: int) -> dict[str, torch.Tensor]:
    train = splits["train"]
    if len(train) < 2:
        raise ValueError(f"'validation' must be 0 where 'train' has fewer than two items (got {share})")
    count = min(max(round(share * len(train)), 1), len(train) - 1)
    order = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))]
    return {"train": order[count:].sort()[0], "validation": order[:count].sort()[0], "test": splits["test"]}
