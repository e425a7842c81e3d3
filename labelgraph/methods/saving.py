"""A method on disk: ``model.safetensors`` for the numbers, ``model.json`` for what they mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch_geometric.data import Data

from labelgraph.data import check_encoders

FORMAT = 1
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
    """Write both files beside their places, then rename them."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    kept: Any = {} if graph is None else graph
    tensors = {GRAPH_PREFIX + key: kept[key] for key in GRAPH_TENSORS if isinstance(kept.get(key), Tensor)}
    tensors |= {STATE_PREFIX + key: tensor for key, tensor in state.items()}
    content = save({key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()})
    meaning = {
        "format": FORMAT,
        "method": name,
        "config": asdict(config),
        "image_channels": channels[0],
        "text_channels": channels[1],
        "num_samples": 0 if graph is None else graph.num_samples,
        "label_names": [] if graph is None else list(graph.label_names),
        "encoders": dict(encoders),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    parts = {"model.safetensors": content, "model.json": json.dumps(meaning, indent=2).encode()}
    for file, data in parts.items():
        (folder / (file + ".part")).write_bytes(data)
    for file in parts:
        (folder / (file + ".part")).replace(folder / file)


def read_meaning(folder: Path) -> dict[str, Any]:
    """Read and check ``model.json``."""
    path = folder / "model.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such model")
    try:
        meaning = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON (got {error})") from error
    if not isinstance(meaning, dict) or meaning.get("format") != FORMAT:
        got = meaning.get("format") if isinstance(meaning, dict) else type(meaning).__name__
        raise ValueError(f"{path}: expected a model of format {FORMAT} (got {got}); it is of another version")
    return meaning


def read_model(folder: Path, name: str) -> SavedModel:
    """Read both files and check that they belong together and to the method ``name``."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    meaning = read_meaning(folder)
    path = folder / "model.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        if meaning["method"] != name:
            raise ValueError(f"{folder / 'model.json'}: expected the method {name!r} (got {meaning['method']!r})")
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != meaning["sha256"]:
            raise ValueError(f"{path}: expected SHA-256 {meaning['sha256']} (got {digest}); the file is damaged")
        tensors = load(content)
        graph = _graph(tensors, meaning) if meaning["label_names"] else None
        channels = (meaning["image_channels"], meaning["text_channels"])
        config, encoders = meaning["config"], check_encoders(meaning.get("encoders", {}))
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder / 'model.json'}: expected the entry {error}") from error
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
