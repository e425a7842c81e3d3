"""What a searcher is on disk: the method, ids and meaning as JSON, vectors and labels, and FAISS files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labelgraph.methods import Method, load_method
from labelgraph.search.items import Items
from labelgraph.search.storage import Version

MODEL, MEANING, TENSORS = "model", "searcher.json", "index.safetensors"


def write_searcher(folder: Path, method: Method, meaning: Mapping[str, Any], sides: Mapping[str, Items]) -> None:
    """Write all files into an empty folder."""
    from safetensors.torch import save

    method.save_pretrained(folder / MODEL)
    tensors = {}
    for side, items in sides.items():
        tensors[f"{side}.vectors"], tensors[f"{side}.labels"] = items.index.vectors.contiguous(), items.labels
        for ending, content in items.index.dump().items():
            (folder / f"{side}.{ending}").write_bytes(content)
    (folder / TENSORS).write_bytes(save(tensors))
    names = {
        "ids": {side: items.ids for side, items in sides.items()},
        # None where the ids stand for them, which need not be kept twice.
        "titles": {side: None if items.titles == items.ids else items.titles for side, items in sides.items()},
    }
    (folder / MEANING).write_text(json.dumps({**meaning, **names}), encoding="utf-8")


def read_method(version: Version) -> Method:
    """Read the method, once its files are known to be undamaged."""
    for name in version.files:
        if name.startswith(f"{MODEL}/"):
            version.read(name)
    return load_method(version.path / MODEL)


def read_meaning(version: Version) -> dict[str, Any]:
    """Read what was handed to `write_searcher` as the meaning, the ids and the titles."""
    return json.loads(version.read(MEANING))


def read_items(version: Version, meaning: Mapping[str, Any], sides: Mapping[str, Items]) -> None:
    """Fill empty sides with what was saved; FAISS files are parsed only once their checksums have matched."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(version.read(TENSORS))
    except SafetensorError as error:
        raise ValueError(f"{version.path / TENSORS}: expected safetensors (got {error})") from error
    for side, items in sides.items():
        endings = [name.removeprefix(f"{side}.") for name in version.files if name.startswith(f"{side}.")]
        items.index.restore(
            tensors[f"{side}.vectors"], {ending: version.read(f"{side}.{ending}") for ending in endings}
        )
        ids, titles = meaning["ids"][side], meaning["titles"][side]
        items.restore(ids, list(ids) if titles is None else titles, tensors[f"{side}.labels"])
