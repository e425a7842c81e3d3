"""The formats that `load_dataset` understands, each with how it is recognised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from labelgraph.data.container import CrossModalData
from labelgraph.data.files import load_npz
from labelgraph.data.folder import SETTINGS, load_folder
from labelgraph.data.hashing_files import load_hashing_files
from labelgraph.data.matlab import describe_variables, mat_variables
from labelgraph.data.six_files import load_six_files, mat_files
from labelgraph.data.wikipedia import load_wikipedia, wikipedia_file


class Format(NamedTuple):
    """A format of data sets.

    Attributes:
        description: What it is, for users.
        recognises: Whether a path, of a file or folder that is there, is of the format.
        load: Its reader.
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


# Asked in this order: names first, and then what is in the files.
FORMATS = (
    Format("a .npz file of labelgraph.data.save_npz", _is_npz, load_npz),
    Format(f"a folder with {SETTINGS} of labelgraph.data.save_folder", _is_own_folder, load_folder),
    Format("a folder of six files train_img.mat, train_txt.mat, train_lab.mat, test_*", _is_six_files, load_six_files),
    Format("the Wikipedia set, raw_features.mat with its lists or WikiData.mat", _is_wikipedia, load_wikipedia),
    Format("a hashing set, .mat with FAll or XAll, YAll, LAll", _is_hashing, load_hashing_files),
)


def load_path(path: str | Path) -> CrossModalData:
    """Load a data set by its path, in whichever of ``FORMATS`` it is.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        ValueError: If no format recognises it; the message tells what was found and what is understood.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    for kind in FORMATS:
        if kind.recognises(path):
            return kind.load(path)
    understood = "; ".join(kind.description for kind in FORMATS)
    raise ValueError(f"{path}: expected {understood} (got {_found(path)})")


def _found(path: Path) -> str:
    if path.is_dir():
        names = sorted(file.name for file in path.iterdir())
        return f"a folder with {', '.join(names[:8]) or 'nothing'}{', ...' if len(names) > 8 else ''}"
    if path.suffix.lower() == ".mat":
        return f"a file with {describe_variables(mat_variables(path))}"
    return "another file"
