"""A searcher on disk: the method, and the vectors, ids, titles and labels of the items.

The manifest ``index.json`` lists the files with their checksums and is replaced atomically; see
`labelgraph._core.manifest`. A process that reads during a save sees one complete version. Of two simultaneous saves,
one remains.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.commit import write_version
from labelgraph._core.lazy import import_faiss
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.names import SIDES
from labelgraph._core.versions import Version, open_version
from labelgraph.methods import Method
from labelgraph.methods.model_folder import refusing
from labelgraph.methods.registry import read_method

SEARCHER_FORMAT = FolderFormat("index.json", "labelgraph search index", 2)
MODEL, ITEMS, TENSORS = "model", "items.json", "items.safetensors"
MEANING = ("index", "settings", "label_names")
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
    from safetensors.torch import save

    with write_version(folder, SEARCHER_FORMAT, meaning) as writer:
        method.write(writer.section(MODEL))
        tensors, names = {}, {}
        for side, items in sides.items():
            tensors[f"{side}.vectors"] = items["vectors"].contiguous()
            tensors |= {f"{side}.{name}": part for name, part in _label_tensors(items["labels"]).items()}
            for ending, content in items["files"].items():
                writer.write(f"{side}.{ending}", content)
            # None if the titles are the ids, which are not stored twice.
            titles = None if items["titles"] == items["ids"] else items["titles"]
            names[side] = {"ids": items["ids"], "titles": titles}
        writer.write(TENSORS, save(tensors))
        writer.write(ITEMS, json.dumps(names).encode())


def read_searcher(folder: Path, build: Callable[[Method, dict[str, Any], dict[str, Any]], T]) -> T:
    """Read a searcher of `write_searcher`; files are used only after their checksums are verified.

    Args:
        folder: Folder of the searcher.
        build: Function from the method, the entries `MEANING`, and the argument of `Sides.restore`, to a searcher.

    Raises:
        FileNotFoundError: If the folder or one of its files is missing.
        ValueError: If the folder is damaged or has another format.
        ImportError: If the index needs FAISS, which is not installed.
    """
    with open_version(folder, SEARCHER_FORMAT) as version:
        if str(version.entries.get("index")).startswith("faiss"):
            import_faiss()
        method, sides = read_method(version.section(MODEL)), _read_sides(version)
        with refusing(folder / SEARCHER_FORMAT.manifest, "a searcher of parts that belong together"):
            return build(method, {name: version.entries[name] for name in MEANING}, sides)


def _label_tensors(labels: Any) -> dict[str, Tensor]:
    """Return the tensors by which labels are stored; many labels as the columns of each item, row by row."""
    if isinstance(labels, Tensor):
        return {"labels": labels}
    columns, starts = labels.indices.astype(np.int32), labels.indptr.astype(np.int64)
    return {"label_columns": torch.from_numpy(columns), "label_starts": torch.from_numpy(starts)}


def _labels(tensors: Mapping[str, Tensor], side: str, label_names: Any) -> Any:
    if f"{side}.labels" in tensors:
        return tensors[f"{side}.labels"]
    columns, starts = (tensors[f"{side}.label_{name}"].numpy() for name in ("columns", "starts"))
    shape = len(starts) - 1, len(label_names)
    labels = sp.csr_array((np.ones(len(columns), np.float32), columns, starts), shape=shape)
    labels.check_format(full_check=True)
    return labels


def _read_sides(version: Version) -> dict[str, dict[str, Any]]:
    from safetensors.torch import load

    content, names = version.read(TENSORS), version.json(ITEMS)
    with refusing(version.path(TENSORS), "safetensors"):
        tensors = load(content)
    sides = {}
    for side in SIDES:
        with refusing(version.path(TENSORS), f"vectors and labels of the {side}s"):
            labels = _labels(tensors, side, version.entries["label_names"])
            own: dict[str, Any] = {"vectors": tensors[f"{side}.vectors"], "labels": labels}
        with refusing(version.path(ITEMS), f"ids and titles of the {side}s"):
            ids, titles = names[side]["ids"], names[side]["titles"]
            own |= {"ids": list(ids), "titles": list(ids if titles is None else titles)}
        start = f"{side}."
        files = {name.removeprefix(start): version.read(name) for name in version.files if name.startswith(start)}
        sides[side] = {**own, "files": files}
    return sides
