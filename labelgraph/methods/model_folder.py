"""Saved methods: a safetensors file with the tensors, and ``model.json`` with the settings.

The folder has a manifest, see `labelgraph._core.manifest`. Reading sees one complete version, even while another
process saves the method.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from labelgraph._core.checks import check_encoders
from labelgraph._core.commit import FolderWriter
from labelgraph._core.reading import refusing
from labelgraph._core.versions import Version
from labelgraph.methods.registry import MODEL_FORMAT

if TYPE_CHECKING:
    from torch_geometric.data import Data

TENSORS = "model.safetensors"
MAPPED = 2**26  # Bytes of a file that is mapped, if it has more.
GRAPH_TENSORS = ("x", "edge_index", "edge_weight", "edge_count", "count")
WIDEST = 2**24
FACTORIES = {torch.ops.aten.empty, torch.ops.aten.zeros, torch.ops.aten.ones, torch.ops.aten.full, torch.ops.aten.rand,
             torch.ops.aten.randn}  # fmt: skip
GRAPH_PREFIX, STATE_PREFIX, LABEL_VECTORS = "graph.", "state.", "label_vectors"


@dataclass(frozen=True)
class StoredGraph:
    """A stored label graph. Only `to_data` imports PyG, which takes seconds.

    Args:
        tensors: Tensors of the graph, by name.
        num_samples: Number of items of the co-occurrence counts.
        label_names: Names of the nodes.
    """

    tensors: Mapping[str, Tensor]
    num_samples: int
    label_names: list[str]

    @property
    def num_nodes(self) -> int:
        """Number of labels."""
        return len(self.label_names)

    def get(self, name: str) -> Tensor | None:
        """Return a tensor by name, or ``None`` if the graph does not have it."""
        return self.tensors.get(name)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def to_data(self) -> Data:
        """Convert the graph to PyG's ``Data``."""
        from torch_geometric.data import Data

        from labelgraph.graph.edges import LabelNames

        names = LabelNames(self.label_names)
        return Data(**self.tensors, num_samples=self.num_samples, num_nodes=self.num_nodes, label_names=names)


@dataclass(frozen=True)
class SavedModel:
    """Content of a model folder."""

    entries: Path
    tensors: Path
    method: str
    config: dict[str, Any]
    channels: tuple[int, int]
    graph: StoredGraph | None
    encoders: dict[str, Any]
    label_vectors: Tensor | None
    state: dict[str, Tensor]

    def load_into(self, module: nn.Module) -> None:
        """Load the stored parameters into a module, which gets the stored precision.

        Raises:
            ValueError: If a parameter is missing, unknown, not finite, or has another shape.
        """
        kinds = {tensor.dtype for tensor in self.state.values() if tensor.is_floating_point()}
        if len(kinds) == 1:
            module.to(kinds.pop())
        with refusing(self.tensors, "parameters that fit the model"):
            check_finite_state(self.state)
            module.load_state_dict(self.state)


class AllocationLimit(TorchDispatchMode):
    """Limit on the number of new tensors and of all their elements, by the tensors of a file.

    Without the limit, large widths or many layers in the settings of a small file could exhaust the memory.

    Args:
        tensors: Tensors of the file. New tensors may have four times as many elements in all, and 2**26 more.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.elements = 2**26 + 4 * sum(tensor.numel() for tensor in tensors.values())
        self.left = 1000 + 100 * len(tensors)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Let PyTorch call the mode directly; otherwise, it imports its compiler, which takes 2 s."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Check the size of a new tensor before it is created."""
        shape = args[0] if args and isinstance(args[0], (list, torch.Size)) else ()
        if func.overloadpacket in FACTORIES:
            self.left -= 1
            self.elements -= math.prod(shape)
            if self.elements < 0 or self.left < 0:
                raise ValueError(f"parameters of shape {tuple(shape)}, which the file does not have")
        return func(*args, **(kwargs or {}))


def check_finite_state(state: Mapping[str, Tensor]) -> None:
    """Check that parameters and buffers have no NaN and no infinity, with which every embedding would be NaN.

    Raises:
        ValueError: If one has; the message names it.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel() and not all(end.isfinite() for end in tensor.aminmax()):
            raise ValueError(f"{name!r} must be finite (got NaN or infinity)")


def write_model(
    writer: FolderWriter,
    name: str,
    config: Any,
    channels: tuple[int, int],
    graph: Data | StoredGraph | None,
    encoders: Mapping[str, Any],
    label_vectors: Tensor | None,
    state: Mapping[str, Tensor],
) -> None:
    """Write a method into a version of a folder.

    Raises:
        ValueError: If a parameter is not finite.
    """
    from safetensors.torch import save

    check_finite_state(state)
    stored: Any = {} if graph is None else graph
    tensors = {GRAPH_PREFIX + key: stored[key] for key in GRAPH_TENSORS if isinstance(stored.get(key), Tensor)}
    tensors |= {STATE_PREFIX + key: tensor for key, tensor in state.items()}
    if label_vectors is not None and graph is not None:
        tensors[LABEL_VECTORS] = label_vectors.half()
    # Not `save_file`: some versions replace the file, which then is not locked, and which only its user can read.
    writer.write(TENSORS, save(_apart(tensors)))
    writer.entries.update(
        method=name,
        config=asdict(config),
        image_channels=channels[0],
        text_channels=channels[1],
        num_samples=0 if graph is None else int(graph.num_samples),
        label_names=[] if graph is None else list(graph.label_names),
        encoders=dict(encoders),
    )


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy tensors to the CPU and separate shared memory, which safetensors refuses. Tied weights are written twice."""
    separate: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, tensor in tensors.items():
        own = tensor.detach().cpu().contiguous()
        place = own.untyped_storage().data_ptr()
        separate[key] = own.clone() if place in seen else own
        seen.add(place)
    return separate


def read_model(version: Version, name: str) -> SavedModel:
    """Read and check a method that `write_model` wrote.

    Args:
        version: An open version of the folder.
        name: Name of the expected method.

    Raises:
        ValueError: If the model is damaged or belongs to another method.
    """
    entries, path = version.folder / MODEL_FORMAT.manifest, version.path(TENSORS)
    if version.entries.get("method") != name:
        raise ValueError(f"{entries}: expected the method {name!r} (got {version.entries.get('method')!r})")
    tensors = _tensors(version)
    with refusing(entries, "the entries of a method"):
        names, config = version.entries["label_names"], dict(version.entries["config"])
        channels = tuple(version.entries[f"{side}_channels"] for side in ("image", "text"))
        if not all(type(width) is int and 0 < width <= WIDEST for width in channels):
            raise ValueError(f"'image_channels' and 'text_channels' must be in [1, {WIDEST:,}], not {channels}")
        graph = _graph(tensors, names, version.entries["num_samples"]) if names else None
        encoders = _stored_encoders(version.entries["encoders"])
        vectors = _label_vectors(tensors.get(LABEL_VECTORS), len(names))
    state = {key.removeprefix(STATE_PREFIX): tensor for key, tensor in tensors.items() if key.startswith(STATE_PREFIX)}
    return SavedModel(entries, path, name, config, (channels[0], channels[1]), graph, encoders, vectors, state)


def _tensors(version: Version) -> dict[str, Tensor]:
    """Read the tensors. A large file is mapped, so that parameters are copied only once, when they are loaded.

    The others are copied here, since the file can change later: a method would save the changes.
    """
    from safetensors.torch import load, load_file

    path = version.path(TENSORS)
    if version.files[TENSORS].size > MAPPED:
        version.verify(TENSORS)
        with refusing(path, "safetensors"), suppress(FileNotFoundError):  # A later version may have replaced the file.
            tensors = load_file(path)
            return {key: each if key.startswith(STATE_PREFIX) else each.clone() for key, each in tensors.items()}
    content = version.read(TENSORS)
    with refusing(path, "safetensors"):
        return load(content)


def _stored_encoders(encoders: Any) -> dict[str, dict[str, Any]]:
    """Check settings of encoders, and remove ``allow_download``: only the user of a file may permit downloads."""
    checked = check_encoders(encoders)
    return {side: {k: v for k, v in settings.items() if k != "allow_download"} for side, settings in checked.items()}


def _label_vectors(vectors: Tensor | None, num_labels: int) -> Tensor | None:
    """Check the vectors of the label names, which models of earlier versions do not have."""
    if vectors is None:
        return None
    if vectors.ndim != 2 or len(vectors) != num_labels or vectors.dtype != torch.half:
        raise ValueError(f"{LABEL_VECTORS!r} must be of float16 and have a row for each of {num_labels} labels")
    check_finite_state({LABEL_VECTORS: vectors})
    return vectors


def _graph(tensors: Mapping[str, Tensor], names: Any, num_samples: Any) -> StoredGraph:
    """Build and check the label graph, whose edges must index the labels."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or type(num_samples) is not int:
        raise ValueError("'label_names' must be strings and 'num_samples' a whole number")
    parts = {key: tensors[GRAPH_PREFIX + key] for key in GRAPH_TENSORS if GRAPH_PREFIX + key in tensors}
    edges = parts.get("edge_index", torch.empty(2, 0, dtype=torch.long))
    inside = edges.dtype == torch.long and edges.ndim == 2 and len(edges) == 2
    if not inside or (edges.numel() and not 0 <= edges.min() <= edges.max() < len(names)):
        raise ValueError(f"'edge_index' must be of shape (2, E) and index {len(names)} labels")
    rows = {"edge_weight": edges.shape[1], "edge_count": edges.shape[1], "x": len(names), "count": len(names)}
    wrong = [key for key, size in rows.items() if key in parts and parts[key].shape[:1] != (size,)]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} must have as many rows as the graph has edges or labels")
    return StoredGraph(parts, num_samples, names)
