"""The model of a store as bytes, so that a store is complete by itself."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labelgraph._core.commit import write_version
from labelgraph._core.digests import sha256_arrays, sha256_json
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.versions import open_version
from labelgraph.methods import Method
from labelgraph.methods.registry import read_method
from labelgraph.search.stores.engine import DAMAGED

STORE_FORMAT = FolderFormat("store.json", "labelgraph store", 1)
MODEL = "model"
MEANING = ("index", "settings", "label_names", "width")


def model_key(method: Method, label_names: Sequence[str]) -> str:
    """Return a key of a method and the labels of its items; vectors of methods with one key are comparable."""
    state = {name: value.detach().cpu().numpy() for name, value in sorted(method.state_dict().items())}
    tensors = sha256_arrays(state.values())
    return sha256_json([method.name, list(state), tensors, list(label_names)])[:16]


def pack_model(method: Method, meaning: Mapping[str, Any]) -> bytes:
    """Return a method and the entries `MEANING` as the bytes of a zip file.

    Raises:
        ValueError: If the method cannot be saved.
    """
    content = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="labelgraph-") as name:
        folder = Path(name)
        with write_version(folder, STORE_FORMAT, meaning) as writer:
            method.write(writer.section(MODEL))
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
    return content.getvalue()


def unpack_model(content: bytes, address: str) -> tuple[Method, dict[str, Any]]:
    """Return the method and the entries of `pack_model`. Checksums are verified; no pickle is read.

    Raises:
        ValueError: If the content is damaged; the message names the address.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="labelgraph-") as name:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(name)  # It leaves out "..", and the start of an absolute path.
            with open_version(Path(name), STORE_FORMAT) as version:
                return read_method(version.section(MODEL)), {each: version.entries[each] for each in MEANING}
    except (zipfile.BadZipFile, FileNotFoundError, KeyError, ValueError) as error:
        raise ValueError(f"{address}: expected the model of a store (got {error}); {DAMAGED}") from error
