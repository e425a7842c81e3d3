"""Data sets by name, and any data file by path."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelgraph.data.container import CrossModalData
from labelgraph.data.files import load_npz
from labelgraph.data.formats import load_path

if TYPE_CHECKING:
    from PIL.Image import Image

_BUNDLED = Path(__file__).parent / "openclipart"


def load_openclipart() -> CrossModalData:
    """The bundled set: public-domain clip art with titles and keywords.

    Image features are 1,280 EfficientNet-Lite0 averages, texts a bag of words, labels merged keywords.
    Its data card, ``labelgraph/data/openclipart/README.md``, tells the counts and how it was made.

    Example:
        >>> from labelgraph.data import load_openclipart
        >>> data = load_openclipart()
        >>> sorted(data.splits)
        ['database', 'query', 'test', 'train', 'validation']
    """
    return load_npz(_BUNDLED / "openclipart.npz")


def load_thumbnails(index: Sequence[int]) -> list[Image]:
    """The 64-pixel pictures of some items of the bundled set, as Pillow images.

    Args:
        index: Row numbers in the whole set, as in ``data.splits["test"]``.
    """
    from PIL import Image

    with np.load(_BUNDLED / "thumbnails.npz", allow_pickle=False) as file:
        content, offsets = file["data"], file["offsets"]
    return [
        Image.open(io.BytesIO(content[offsets[i] : offsets[i + 1]].tobytes())).convert("RGB") for i in map(int, index)
    ]


DATASETS: dict[str, Callable[[], CrossModalData]] = {"openclipart": load_openclipart}


def load_dataset(name: str | Path) -> CrossModalData:
    """Load a data set by its name in ``DATASETS``, or by its path from any of the ``FORMATS``.

    A ``.npz`` file (`load_npz`), an own folder (`load_folder`), a folder of six MATLAB files (`load_six_files`),
    the files of a hashing set (`load_hashing_files`), the Wikipedia set (`load_wikipedia`). Settings of these,
    such as label names, are arguments of the functions themselves.

    Raises:
        ValueError: If ``name`` is neither, or nothing that is understood.
        FileNotFoundError: If it is the path of nothing.
    """
    if name in DATASETS:
        return DATASETS[str(name)]()
    path = Path(name)
    if not path.exists() and len(path.parts) == 1 and not path.suffix:
        raise ValueError(f"'dataset' must be one of {sorted(DATASETS)} or the path of a data set (got {str(name)!r})")
    return load_path(path)
