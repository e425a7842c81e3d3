"""Reader of the Wikipedia data set (Rasiwasia et al., 2010), as published or with its labels in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelgraph._core.reading import quoted
from labelgraph.data.formats.matlab import mat_variables, read_mat
from labelgraph.data.pairs import CrossModalData

WIKIPEDIA_LABELS = (
    "art", "biology", "geography", "history", "literature", "media", "music", "royalty", "sport", "warfare",
)  # fmt: skip
LISTS = {"tr": "trainset_txt_img_cat.list", "te": "testset_txt_img_cat.list"}


def load_wikipedia(path: str | Path) -> CrossModalData:
    """Read the Wikipedia set: 2,173 pairs to train, 693 to test, ten categories.

    The file, MATLAB 5 or 7.3, holds bags of SIFT words, ``I_tr`` (2173, 128) and ``I_te`` (693, 128), and topics of
    the texts, ``T_tr`` (2173, 10) and ``T_te`` (693, 10). Other sizes are accepted. ``WikiData.mat`` also holds
    the one-hot categories ``L_tr`` (2173, 10) and ``L_te`` (693, 10). The published ``raw_features.mat`` does not:
    its categories are in ``trainset_txt_img_cat.list`` and ``testset_txt_img_cat.list`` in the same folder. These
    lists have a line per pair, separated by tabs: text id, image id, category 1 to 10.

    Args:
        path: The file, or its folder.

    Returns:
        The pairs with the splits ``train`` and ``test``; for search, ``database`` is train and ``query`` is test.
        With lists, the ids are the text ids and the titles are the image ids.

    Raises:
        FileNotFoundError: If there is no such file, or it has neither labels nor lists.
        ValueError: If a file is damaged or shapes disagree; the message names file, key or line.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from scipy.io import savemat
        >>> from labelgraph.data import load_wikipedia
        >>> path = Path(tempfile.mkdtemp()) / "WikiData.mat"
        >>> savemat(path, {"I_tr": np.ones((3, 128)), "T_tr": np.ones((3, 10)), "L_tr": np.eye(3, 10),
        ...                "I_te": np.ones((2, 128)), "T_te": np.ones((2, 10)), "L_te": np.eye(2, 10)})
        >>> load_wikipedia(path).label_names[:3]
        ('art', 'biology', 'geography')
    """
    path = wikipedia_file(Path(path))
    variables = {name.casefold() for name in mat_variables(path)}
    ids: list[str] = []
    titles: list[str] = []
    parts: dict[str, list[Any]] = {"image": [], "text": [], "labels": []}
    for half, listed in LISTS.items():
        image: Any = read_mat(path, f"I_{half}")
        text = read_mat(path, f"T_{half}", shape=(image.shape[0], None))
        if f"l_{half}" in variables:
            labels: Any = read_mat(path, f"L_{half}", shape=(image.shape[0], len(WIKIPEDIA_LABELS)))
        else:
            names, pictures, labels = _read_list(path.with_name(listed), image.shape[0])
            ids, titles = ids + names, titles + pictures
        for key, part in zip(parts, (image, text, labels), strict=True):
            parts[key].append(part.toarray() if hasattr(part, "toarray") else part)
    size, train = sum(map(len, parts["image"])), len(parts["image"][0])
    halves = torch.arange(train), torch.arange(train, size)
    arrays: dict[str, Any] = {name: np.concatenate(part) for name, part in parts.items()}
    try:
        return CrossModalData(
            **arrays,
            label_names=WIKIPEDIA_LABELS,
            splits=dict(zip(("train", "test", "database", "query"), halves * 2, strict=True)),
            ids=ids,
            titles=titles,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def wikipedia_file(path: Path) -> Path:
    """The MATLAB file of a folder: the published one if its lists exist, otherwise the one with labels."""
    if not path.is_dir():
        return path
    published, packed = path / "raw_features.mat", path / "WikiData.mat"
    if published.is_file() and (not packed.is_file() or all((path / name).is_file() for name in LISTS.values())):
        return published
    return packed


def _read_list(path: Path, size: int) -> tuple[list[str], list[str], np.ndarray]:
    """Read text ids, image ids and one-hot categories (N, 10)."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such category list, and no labels 'L_tr', 'L_te' in the MATLAB file")
    try:
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8 (got {error})") from error
    if len(rows) != size:
        raise ValueError(f"{path}: expected a line per pair, {size} (got {len(rows)})")
    allowed = {str(number): number - 1 for number in range(1, len(WIKIPEDIA_LABELS) + 1)}
    for number, row in enumerate(rows, 1):
        if len(row) != 3 or row[2].strip() not in allowed:
            raise ValueError(
                f"{path}: line {number} must be text id, image id, category 1 to 10 (got {quoted(row, 80)})"
            )
    labels = np.eye(len(WIKIPEDIA_LABELS), dtype=np.uint8)[[allowed[row[2].strip()] for row in rows]]
    return [row[0] for row in rows], [row[1] for row in rows], labels
