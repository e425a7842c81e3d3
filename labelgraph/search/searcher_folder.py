"""A searcher on disk: the method, the vectors and what is known of the items, as one version of a folder.

The folder is one of `labelgraph._core.manifest`: ``index.json`` names its files and their checksums, and is replaced as
a whole; another process that reads meanwhile sees one version, and of two that save at once one stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from labelgraph._core.commit import write_version
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.names import SIDES
from labelgraph._core.versions import Version, open_version
from labelgraph.methods import Method
from labelgraph.methods.model_folder import refusing
from labelgraph.methods.registry import read_method
from labelgraph.search.faiss_index import import_faiss

SEARCHER_FORMAT = FolderFormat("index.json", "labelgraph search index", 2)
MODEL, ITEMS, TENSORS = "model", "items.json", "items.safetensors"
MEANING = ("index", "settings", "label_names")
T = TypeVar("T")


def write_searcher(
    folder: Path, method: Method, meaning: Mapping[str, Any], sides: Mapping[str, Mapping[str, Any]]
) -> None:
    """Write a searcher into a folder, in place of one that is there.

    Args:
        folder: Made if it is not there.
        method: The method.
        meaning: The entries `MEANING`.
        sides: What `Sides.snapshot` gave.

    Raises:
        OSError: If the disk is full, the folder read-only, or the like; what was there before is kept.
        ValueError: If the method cannot be saved, or `index.json` is a file of something else.
    """
    from safetensors.torch import save

    with write_version(folder, SEARCHER_FORMAT, meaning) as writer:
        method.write(writer.section(MODEL))
        tensors, names = {}, {}
        for side, items in sides.items():
            tensors[f"{side}.vectors"], tensors[f"{side}.labels"] = items["vectors"].contiguous(), items["labels"]
            for ending, content in items["files"].items():
                writer.write(f"{side}.{ending}", content)
            # None where the ids stand for the titles, which need not be kept twice.
            titles = None if items["titles"] == items["ids"] else items["titles"]
            names[side] = {"ids": items["ids"], "titles": titles}
        writer.write(TENSORS, save(tensors))
        writer.write(ITEMS, json.dumps(names).encode())


def read_searcher(folder: Path, build: Callable[[Method, dict[str, Any], dict[str, Any]], T]) -> T:
    """Read what `write_searcher` wrote; files are used only once their checksums have matched.

    Args:
        folder: The folder.
        build: Takes the method, the entries `MEANING` and what `Sides.restore` takes, and gives a searcher.

    Raises:
        FileNotFoundError: If the folder or a file of it is missing.
        ValueError: If it is damaged or of another format.
        ImportError: If the index needs FAISS, which is not installed.
    """
    with open_version(folder, SEARCHER_FORMAT) as version:
        if str(version.entries.get("index")).startswith("faiss"):
            import_faiss()
        method, sides = read_method(version.section(MODEL)), _read_sides(version)
        with refusing(folder / SEARCHER_FORMAT.manifest, "a searcher of parts that belong together"):
            return build(method, {name: version.entries[name] for name in MEANING}, sides)


def _read_sides(version: Version) -> dict[str, dict[str, Any]]:
    from safetensors.torch import load

    content, names = version.read(TENSORS), version.json(ITEMS)
    with refusing(version.path(TENSORS), "safetensors"):
        tensors = load(content)
    sides = {}
    for side in SIDES:
        with refusing(version.path(TENSORS), f"vectors and labels of the {side}s"):
            own: dict[str, Any] = {"vectors": tensors[f"{side}.vectors"], "labels": tensors[f"{side}.labels"]}
        with refusing(version.path(ITEMS), f"ids and titles of the {side}s"):
            ids, titles = names[side]["ids"], names[side]["titles"]
            own |= {"ids": list(ids), "titles": list(ids if titles is None else titles)}
        start = f"{side}."
        files = {name.removeprefix(start): version.read(name) for name in version.files if name.startswith(start)}
        sides[side] = {**own, "files": files}
    return sides
