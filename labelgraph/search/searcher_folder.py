"""A searcher on disk: the method, and the vectors, ids, titles and labels of the items.

The manifest ``index.json`` lists the files with their checksums and is replaced atomically; see
`labelgraph._core.manifest`. A process that reads during a save sees one complete version. Of two simultaneous saves,
one remains.

Vectors and labels are ``.npy`` files. Those of a side with more than 64 MiB are mapped into memory, and read and
checked when the side is first used: a search reads only those of the side that it searches. Ids, titles and the files
of FAISS indexes are read at once, for both sides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from labelgraph._core.commit import FolderWriter, write_version
from labelgraph._core.lazy import import_faiss
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.names import SIDES
from labelgraph._core.reading import refusing
from labelgraph._core.versions import Version, open_version
from labelgraph.methods.registry import read_method

if TYPE_CHECKING:
    from labelgraph.methods import Method
    from labelgraph.search.items import Items

SEARCHER_FORMAT = FolderFormat("index.json", "labelgraph search index", 3, "index again by `labelgraph index`")
MODEL, ITEMS = "model", "items.json"
MEANING = ("index", "settings", "label_names")
LARGE = 2**26  # Bytes of the arrays of a side that is read when it is first used.
FITTING = "a searcher of parts that belong together"
T = TypeVar("T")


def write_searcher(
    folder: Path, method: Method, meaning: Mapping[str, Any], sides: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write a searcher into a folder; a searcher that the folder already holds is replaced.

    Args:
        folder: Folder of the searcher; it is created if it does not exist.
        method: The method.
        meaning: The entries `MEANING` of the manifest.
        sides: The items, from `Sides.snapshot`.

    Raises:
        OSError: If the folder cannot be written, such as when the disk is full; the old searcher is then kept.
        ValueError: If the method cannot be saved, or ``index.json`` is not a manifest of a searcher.
    """
    with write_version(folder, SEARCHER_FORMAT, meaning) as writer:
        method.write(writer.section(MODEL))
        names: dict[str, Any] = {}
        for side, items in sides.items():
            _write_arrays(writer, side, {"vectors": items["vectors"].numpy(), **_label_arrays(items["labels"])})
            for ending, content in items["files"].items():
                writer.write(f"{side}.{ending}", content)
            # Nothing is stored twice: ids are None if they are those of the images, and titles if they are the ids.
            same = side != SIDES[0] and items["ids"] == sides[SIDES[0]]["ids"]
            titles = None if items["titles"] == items["ids"] else items["titles"]
            names[side] = {"ids": None if same else items["ids"], "titles": titles}
        writer.write(ITEMS, json.dumps(names).encode())


def _write_arrays(writer: FolderWriter, side: str, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        np.save(writer.open(f"{side}.{name}.npy"), array, allow_pickle=False)


@contextmanager
def open_saved(folder: Path, sides: Sequence[str] = ()) -> Iterator[Version]:
    """Open the current version of a searcher of `write_searcher`, and start to check the checksums of large files.

    They take a second, as the import of PyTorch does, which this module does not import.

    Args:
        folder: Folder of the searcher.
        sides: Sides that will be searched at once, whose files are checked too.

    Raises:
        FileNotFoundError: If the folder or one of its files is missing.
        ValueError: If the manifest is damaged or has another format, or a file has another size.
    """
    with open_version(folder, SEARCHER_FORMAT) as version:
        needed = (f"{MODEL}/", *(f"{side}." for side in sides))
        large = [name for name, entry in version.files.items() if entry.size > LARGE and name.startswith(needed)]
        version.check_ahead(*large)
        yield version


def read_searcher(version: Version, build: Callable[[Method, dict[str, Any]], T]) -> tuple[T, dict[str, SavedSide]]:
    """Read a searcher of `write_searcher`; files are used only after their checksums are verified.

    Args:
        version: The version, from `open_saved`.
        build: Function from the method and the entries `MEANING` to an empty searcher.

    Returns:
        The empty searcher, and its sides for `MemorySides.open`.

    Raises:
        ValueError: If a file is damaged.
        ImportError: If the index needs FAISS, which is not installed.
    """
    if str(version.entries.get("index")).startswith("faiss"):
        import_faiss()
    method, sides = read_method(version.section(MODEL)), _saved_sides(version)
    with refusing(version.folder / SEARCHER_FORMAT.manifest, FITTING):
        return build(method, {name: version.entries[name] for name in MEANING}), sides


@dataclass(frozen=True)
class SavedSide:
    """The images or the texts of a searcher on disk, which stay readable after later saves.

    Args:
        side: ``"image"`` or ``"text"``.
        folder: Folder of the searcher.
        ids: Ids of the items.
        titles: Their titles.
        files: Files of the index by suffix.
        arrays: Vectors and labels by name, each with a function that checks it.
        large: Whether the arrays stay mapped, to be read when they are first used.
    """

    side: str
    folder: Path
    ids: list[str]
    titles: list[str]
    files: Mapping[str, bytes]
    arrays: Mapping[str, tuple[np.ndarray, Callable[[], None]]]
    large: bool

    def restore(self, items: Items) -> None:
        """Fill empty items.

        Raises:
            ValueError: If a file is damaged, or the files do not belong together.
        """
        with ThreadPoolExecutor() as pool:  # A checksum takes as long as everything else.
            checks = [pool.submit(check) for _, check in self.arrays.values()]
            try:
                self._fill(items)
            finally:
                for each in checks:
                    each.result()

    def _fill(self, items: Items) -> None:
        arrays = {name: array if self.large else np.array(array) for name, (array, _) in self.arrays.items()}
        import torch

        with refusing(self.folder / SEARCHER_FORMAT.manifest, FITTING):
            labels = _labels(arrays, items.labels.shape[1])
            items.restore(torch.from_numpy(arrays["vectors"]), self.files, self.ids, self.titles, labels)


def _saved_sides(version: Version) -> dict[str, SavedSide]:
    names, sides = version.json(ITEMS), {}
    for side in SIDES:
        with refusing(version.path(ITEMS), f"ids and titles of the {side}s"):
            ids, titles = names[side]["ids"], names[side]["titles"]
            ids = list(names[SIDES[0]]["ids"] if ids is None else ids)
            titles = ids if titles is None else list(titles)
        own = {name.removeprefix(f"{side}."): name for name in version.files if name.startswith(f"{side}.")}
        arrays = {name.removesuffix(".npy"): each for name, each in own.items() if name.endswith(".npy")}
        version.path(f"{side}.vectors.npy")
        checked = {name: version.checked_array(each) for name, each in arrays.items()}
        files = {name: version.read(each) for name, each in own.items() if not name.endswith(".npy")}
        large = sum(version.files[each].size for each in arrays.values()) > LARGE
        sides[side] = SavedSide(side, version.folder, ids, titles, files, checked, large)
    return sides


def _label_arrays(labels: Any) -> dict[str, np.ndarray]:
    """Return the arrays by which labels are stored; many labels as the columns of each item, row by row."""
    if hasattr(labels, "indptr"):
        return {"label_columns": labels.indices.astype(np.int32), "label_starts": labels.indptr.astype(np.int64)}
    return {"labels": labels.numpy()}


def _labels(arrays: Mapping[str, np.ndarray], num_labels: int) -> Any:
    import scipy.sparse as sp
    import torch

    if "labels" in arrays:
        return torch.from_numpy(arrays["labels"])
    columns, starts = arrays["label_columns"], arrays["label_starts"]
    labels = sp.csr_array((np.ones(len(columns), np.float32), columns, starts), shape=(len(starts) - 1, num_labels))
    labels.check_format(full_check=True)
    return labels
