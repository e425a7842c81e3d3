"""Inputs of the commands: data sets by name or path, their splits, and files."""

from __future__ import annotations

import argparse
import ctypes
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labelgraph import search
from labelgraph._core.names import check_name, did_you_mean
from labelgraph._core.parts import Part
from labelgraph.cli.common import Parser
from labelgraph.data.named_sets import check_dataset
from labelgraph.methods.hub import check_repository, is_on_hub
from labelgraph.methods.registry import MODEL_FORMAT, load_method
from labelgraph.search.stores.address import address_of, is_address

if TYPE_CHECKING:
    from torch import Tensor

    from labelgraph.data import CrossModalData
    from labelgraph.search import Searcher

DATA_HELP = "data set: a file, a folder, or a bundled set: openclipart, openclipart-keywords"
M_MMAP_THRESHOLD = -3  # As malloc.h of glibc names it.
LARGE = 2**20


def load(name: str) -> CrossModalData:
    """Load a data set by name or path; a missing one is an error before slow modules are imported.

    Raises:
        ValueError: If the name is unknown or the file damaged.
        FileNotFoundError: If the file does not exist.
    """
    check_dataset(name)
    from labelgraph.data import load_dataset

    return load_dataset(name)


def check_file(path: Path, content: str) -> None:
    """Check that a file exists, before slow modules are imported.

    Args:
        path: Path of the file.
        content: What the file holds, for the error, such as ``"file of labels"``.

    Raises:
        FileNotFoundError: If the file does not exist; the message suggests the nearest name in its folder.
    """
    if not path.is_file():
        raise _missing(path, content)


def model_place(text: str) -> str | Path:
    """Return the path of a folder; ``hf://user/model`` and addresses of stores stay texts."""
    return text if is_on_hub(text) or is_address(text) else Path(text)


def part_of_words(text: str) -> Part:
    """Read the value of ``--part``, such as ``2/8``."""
    try:
        return Part.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def add_revision(command: Parser) -> None:
    """Add the option ``--revision``."""
    command.add_argument("--revision", metavar="NAME", help="branch, tag or commit of a model on the Hugging Face Hub "
                         "(default: its main branch)")  # fmt: skip


def check_place(options: argparse.Namespace, place: str | Path, content: str) -> None:
    """Check the place of a model, as `check_folder` does, and the option ``--revision``.

    Raises:
        ValueError: If there is a revision, but the model is not on the Hub.
    """
    if options.revision is not None and not is_on_hub(place):
        raise ValueError(f"'--revision' needs a model on the Hub, such as hf://user/model (got {place})")
    check_folder(place, content)


def check_folder(path: str | Path, content: str) -> None:
    """Check that a folder exists, as `check_file` does.

    Of a model on the Hub, only the name is checked, and of a store nothing.

    Raises:
        FileNotFoundError: If the folder does not exist; the message suggests the nearest name in its folder.
        ValueError: If the name after ``hf://`` is wrong.
    """
    if is_address(path):
        return
    if isinstance(path, str):
        check_repository(path, "MODEL")
        return
    if not path.is_dir():
        raise _missing(path, content)


def _missing(path: Path, content: str) -> FileNotFoundError:
    if path.exists():
        kind = "folder" if path.is_dir() else "file" if path.is_file() else "device or a pipe"
        return FileNotFoundError(f"{path}: expected a {content} (got a {kind})")
    beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    return FileNotFoundError(f"{path}: no such {content}{did_you_mean(path.name, beside)}")


def chosen_rows(data: CrossModalData, split: str | None) -> Tensor:
    """Return the row numbers of one split, or of all items if `split` is None.

    Raises:
        ValueError: If the data have no such split.
    """
    import torch

    if split is None:
        return torch.arange(len(data))
    check_name("--split", split, data.splits)
    return data.rows(split)


def searched_split(data: CrossModalData) -> str | None:
    """Return the default gallery: the split ``database``, or None for all items if the data have no such split."""
    return "database" if "database" in data.splits else None


def return_large_blocks() -> None:
    """Let freed blocks of 1 MiB and more go back to the system at once: in Linux with glibc; elsewhere, do nothing.

    By default, glibc raises this limit to 32 MiB once larger blocks are freed, and then keeps much of the memory that
    LanceDB frees in its threads: hundreds of megabytes while a store is filled. Blocks that go back cost time when they
    are needed again, so that training should not run in such a process.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)


def open_searcher(
    place: str | Path, name: str | None, revision: str | None = None, sides: Sequence[str] = ()
) -> tuple[Searcher, CrossModalData | None]:
    """Load a saved index, or index the data with a model.

    Args:
        place: Folder of an index or a model, address of a store, or ``hf://user/model``.
        name: Name or path of the data, which are the items to search if there is only a model.
        revision: Branch, tag or commit of a model on the Hub.
        sides: Sides of an index that will be searched at once.

    Returns:
        The searcher, and the data if there is a name.

    Raises:
        ValueError: If the folder or the data are damaged, or a model comes without data.
    """
    from labelgraph.search.searcher_folder import open_saved

    address = address_of(place) if isinstance(place, Path) else str(place) if is_address(place) else None
    if address is not None:
        return_large_blocks()
        return search.Searcher.open(address), load(name) if name else None
    if isinstance(place, Path) and not _holds_only_model(place):
        # Its files are checked while PyTorch is imported and data are read.
        with open_saved(place, sides) as version, _without_collection():
            data = load(name) if name else None
            return search.Searcher.read(version), data
    if name is None:
        raise ValueError(f"'--data' must be given with a model: it has the items to search (got {place} alone)")
    data = load(name)
    method = load_method(place, revision=revision)
    return search.Searcher(method).fit(data, rows=chosen_rows(data, searched_split(data))), data


@contextmanager
def _without_collection() -> Iterator[None]:
    """Do not look for garbage meanwhile: imports and millions of ids leave none, and looking takes half a second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _holds_only_model(place: Path) -> bool:
    from labelgraph.search.searcher_folder import SEARCHER_FORMAT

    return (place / MODEL_FORMAT.manifest).exists() and not (place / SEARCHER_FORMAT.manifest).exists()
