"""A method on disk: one safetensors file for the numbers, and ``model.json``, which names it and tells what they mean.

::

    model.json                          format, method, settings, names, and the two entries below
    model-0123456789abcdef.safetensors  `file`: named after its SHA-256, which is `sha256`

The numbers are written under a name of their own; then ``model.json`` is renamed into place, which is atomic; then
the numbers of the model before are deleted. Whenever that is interrupted, ``model.json`` names a complete model.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph._core.checks import check_encoders
from labelgraph._core.writing import PART, replace_file

FORMAT = 2
MEANING = "model.json"
TENSORS_NAME = re.compile(r"model-[0-9a-f]{16}\.safetensors")
GRAPH_TENSORS = ("x", "edge_index", "edge_weight", "edge_count", "count")
GRAPH_PREFIX, STATE_PREFIX = "graph.", "state."


@dataclass(frozen=True)
class SavedModel:
    """What a model folder holds."""

    path: Path
    config: dict[str, Any]
    channels: tuple[int, int]
    graph: Data | None
    encoders: dict[str, Any]
    state: dict[str, Tensor]

    def load_into(self, module: nn.Module) -> None:
        """Copy the parameters; any that is missing, unknown or of another shape is an error."""
        try:
            module.load_state_dict(self.state)
        except RuntimeError as error:
            raise ValueError(f"{self.path}: parameters do not fit the model ({error})") from error


def write_model(
    folder: Path,
    name: str,
    config: Any,
    channels: tuple[int, int],
    graph: Data | None,
    encoders: Mapping[str, Any],
    state: Mapping[str, Tensor],
) -> None:
    """Write both files in place of a model that is there, which stays whole until they are complete.

    Raises:
        OSError: If the disk is full, the folder read-only, or the like; what was there before is kept.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    kept: Any = {} if graph is None else graph
    tensors = {GRAPH_PREFIX + key: kept[key] for key in GRAPH_TENSORS if isinstance(kept.get(key), Tensor)}
    tensors |= {STATE_PREFIX + key: tensor for key, tensor in state.items()}
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    digest = hashlib.sha256(content).hexdigest()
    meaning = {
        "format": FORMAT,
        "method": name,
        "config": asdict(config),
        "image_channels": channels[0],
        "text_channels": channels[1],
        "num_samples": 0 if graph is None else graph.num_samples,
        "label_names": [] if graph is None else list(graph.label_names),
        "encoders": dict(encoders),
        "file": f"model-{digest[:16]}.safetensors",
        "sha256": digest,
    }
    try:
        replace_file(folder / f"model-{digest[:16]}.safetensors", content)
        replace_file(folder / MEANING, json.dumps({**meaning, "checksum": _checksum(meaning)}, indent=2).encode())
    finally:
        _delete_others(folder)


def _checksum(meaning: Mapping[str, Any]) -> str:
    """SHA-256 of all entries but the checksum itself, however they are laid out."""
    plain = json.dumps({key: value for key, value in meaning.items() if key != "checksum"}, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _delete_others(folder: Path) -> None:
    """Delete numbers that ``model.json`` does not name, as far as possible; none if it cannot be understood."""
    with suppress(OSError, ValueError):
        current = read_meaning(folder)["file"] if (folder / MEANING).exists() else ""
        for path in folder.iterdir():
            if TENSORS_NAME.fullmatch(path.name.removesuffix(PART)) and path.name != current:
                path.unlink()


def read_meaning(folder: Path) -> dict[str, Any]:
    """Read and check ``model.json``.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If it is damaged or of another version.
    """
    path = folder / MEANING
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model")
    try:
        meaning = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected JSON (got {error})") from error
    if not isinstance(meaning, dict) or meaning.get("format") != FORMAT:
        got = meaning.get("format") if isinstance(meaning, dict) else type(meaning).__name__
        raise ValueError(f"{path}: expected a model of format {FORMAT} (got {got}); it is of another version")
    if meaning.get("checksum") != _checksum(meaning):
        raise ValueError(f"{path}: expected other entries by its checksum; the file is damaged")
    if not isinstance(meaning.get("file"), str) or not TENSORS_NAME.fullmatch(meaning["file"]):
        raise ValueError(f"{path}: expected a 'file' model-<16 hex digits>.safetensors (got {meaning.get('file')!r})")
    return meaning


def read_model(folder: Path, name: str) -> SavedModel:
    """Read both files and check that they belong together and to the method ``name``."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    meaning = read_meaning(folder)
    path = folder / meaning["file"]
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if meaning["method"] != name:
            raise ValueError(f"{folder / MEANING}: expected the method {name!r} (got {meaning['method']!r})")
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != meaning["sha256"]:
            raise ValueError(f"{path}: expected SHA-256 {meaning['sha256']} (got {digest}); the file is damaged")
        tensors = load(content)
        graph = _graph(tensors, meaning) if meaning["label_names"] else None
        channels = (meaning["image_channels"], meaning["text_channels"])
        config, encoders = meaning["config"], check_encoders(meaning.get("encoders", {}))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / MEANING}: expected the entry {error}") from error
    except SafetensorError as error:
        raise ValueError(f"{path}: expected safetensors (got {error})") from error
    state = {key.removeprefix(STATE_PREFIX): tensor for key, tensor in tensors.items() if key.startswith(STATE_PREFIX)}
    return SavedModel(path, config, channels, graph, encoders, state)


def _graph(tensors: Mapping[str, Tensor], meaning: Mapping[str, Any]) -> Data:
    return Data(
        **{key: tensors[GRAPH_PREFIX + key] for key in GRAPH_TENSORS if GRAPH_PREFIX + key in tensors},
        num_samples=meaning["num_samples"],
        num_nodes=len(meaning["label_names"]),
        label_names=meaning["label_names"],
    )
