"""Loading data sets by name or path, and the table of file formats."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from labelgraph._core.argument_kinds import as_path
from labelgraph.data.formats.folder_sources import SETTINGS
from labelgraph.data.formats.hashing_mat import load_hashing_files
from labelgraph.data.formats.matlab import describe_variables, mat_variables
from labelgraph.data.formats.npy_folder import load_folder
from labelgraph.data.formats.npz import data_from_arrays, load_npz
from labelgraph.data.formats.npz_members import read_npz
from labelgraph.data.formats.six_mat import load_six_files, mat_files
from labelgraph.data.formats.wikipedia import load_wikipedia, wikipedia_file
from labelgraph.data.named_sets import DATASETS, check_dataset
from labelgraph.data.pairs import CrossModalData

if TYPE_CHECKING:
    from PIL.Image import Image


class Format(NamedTuple):
    """A file format of data sets.

    Attributes:
        description: Description of the format, for error messages.
        recognises: Returns whether an existing file or folder is of the format.
        load: Reader of the format.
    """

    description: str
    recognises: Callable[[Path], bool]
    load: Callable[[Path], CrossModalData]


def _is_npz(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".npz"


def _is_own_folder(path: Path) -> bool:
    return (path / SETTINGS).is_file()


def _is_six_files(path: Path) -> bool:
    return path.is_dir() and bool(mat_files(path).keys() & {"train_img.mat", "train_txt.mat", "train_lab.mat"})


def _is_wikipedia(path: Path) -> bool:
    file = wikipedia_file(path)
    return file.is_file() and {"i_tr", "t_tr"} <= _keys(file)


def _is_hashing(path: Path) -> bool:
    files = mat_files(path).values() if path.is_dir() else [path]
    return any(_keys(file) & {"iall", "fall", "xall", "yall", "lall"} for file in files)


def _keys(file: Path) -> set[str]:
    return {name.casefold() for name in mat_variables(file)} if file.suffix.lower() == ".mat" else set()


# Checked in this order: formats known by file names come before formats known by file contents.
FORMATS = (
    Format("a .npz file of labelgraph.data.save_npz", _is_npz, load_npz),
    Format(f"a folder with {SETTINGS} of labelgraph.data.save_folder", _is_own_folder, load_folder),
    Format("a folder of six files train_img.mat, train_txt.mat, train_lab.mat, test_*", _is_six_files, load_six_files),
    Format("the Wikipedia set, raw_features.mat with its lists or WikiData.mat", _is_wikipedia, load_wikipedia),
    Format("a hashing set, .mat with FAll or XAll, YAll, LAll", _is_hashing, load_hashing_files),
)


def load_path(path: str | Path) -> CrossModalData:
    """Load a data set of any of the ``FORMATS`` from a path.

    Raises:
        FileNotFoundError: If ``path`` does not exist.
        ValueError: If no format matches; the message lists the formats and the content of ``path``.
    """
    path = as_path("path", path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    for kind in FORMATS:
        if kind.recognises(path):
            return kind.load(path)
    understood = "; ".join(kind.description for kind in FORMATS)
    raise ValueError(f"{path}: expected {understood} (got {_describe(path)})")


def _describe(path: Path) -> str:
    if path.is_dir():
        names = sorted(file.name for file in path.iterdir())
        return f"a folder with {', '.join(names[:8]) or 'nothing'}{', ...' if len(names) > 8 else ''}"
    if path.suffix.lower() == ".mat":
        return f"a file with {describe_variables(mat_variables(path))}"
    return "another file"


_BUNDLED = Path(__file__).parent / "openclipart"


def load_openclipart() -> CrossModalData:
    """Load the bundled data set: public-domain clip art with titles and keywords.

    Image features are 1,280 averages of EfficientNet-Lite0 feature maps, text features are bags of words, and labels
    are merged keywords. The data card ``labelgraph/data/openclipart/README.md`` has counts and the origin of the data.

    Example:
        >>> from labelgraph.data import load_openclipart
        >>> data = load_openclipart()
        >>> sorted(data.splits)
        ['database', 'query', 'test', 'train', 'validation']
    """
    return load_npz(_BUNDLED / "openclipart.npz")


def load_openclipart_keywords() -> CrossModalData:
    """Load the bundled pictures with the artists' own keywords as labels: a few common labels and many rare ones.

    Image features, ids and titles are those of `load_openclipart`; texts are the words of titles and descriptions. The
    data card ``labelgraph/data/openclipart/KEYWORDS.md`` has counts and the rules of cleaning and splitting.

    Example:
        >>> from labelgraph.data import load_openclipart_keywords
        >>> data = load_openclipart_keywords()
        >>> data.num_labels, len(data.split("test"))
        (463, 1000)
    """
    arrays, _ = read_npz(_BUNDLED / "keywords.npz")
    base, _ = read_npz(_BUNDLED / "openclipart.npz", {"image_codes", "image_scale", "ids", "titles"}.__contains__)
    rows = {name: base[name][arrays["items"]] for name in ("image_codes", "ids", "titles")}
    return data_from_arrays({**arrays, **rows, "image_scale": base["image_scale"]})


def load_thumbnails(index: Sequence[int]) -> list[Image]:
    """Load 64-pixel thumbnails of items of the bundled data set, as Pillow images.

    Args:
        index: Row numbers in the whole data set, such as ``data.splits["test"]``.
    """
    from PIL import Image

    with np.load(_BUNDLED / "thumbnails.npz", allow_pickle=False) as file:
        content, offsets = file["data"], file["offsets"]
    return [
        Image.open(io.BytesIO(content[offsets[i] : offsets[i + 1]].tobytes())).convert("RGB") for i in map(int, index)
    ]


def load_dataset(name: str | Path) -> CrossModalData:
    """Load a data set by its name in ``DATASETS``, or by its path from any of the ``FORMATS``.

    Formats are a ``.npz`` file (`load_npz`), a folder of ``.npy`` files (`load_folder`), six MATLAB files
    (`load_six_files`), a hashing set (`load_hashing_files`) and the Wikipedia set (`load_wikipedia`). Call these
    functions directly to pass options such as label names.

    Raises:
        ValueError: If ``name`` is an unknown name, or the path of an unknown format.
        FileNotFoundError: If the path does not exist.
    """
    check_dataset(name)
    return DATASETS[str(name)]() if name in DATASETS else load_path(name)
