"""Checkpoints without pickle: safetensors for the tensors, JSON in its header for the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from torch import Tensor

ENTRY = "checkpoint"


class SafetensorsCheckpointIO(CheckpointIO):
    """Keeps Lightning's checkpoints in one safetensors file, written beside and then renamed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: If the disk is full, the folder read-only, or the like; the checkpoint before is kept.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        tensors: dict[str, Tensor] = {}
        skeleton = _pack(checkpoint, tensors)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".part")
        try:
            save_file(tensors, beside, metadata={ENTRY: json.dumps(skeleton)})
        except SafetensorError as error:
            beside.unlink(missing_ok=True)
            raise OSError(f"{path}: cannot save ({error}); the checkpoint before is kept") from error
        beside.replace(path)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a checkpoint onto the CPU; Lightning moves it from there."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                skeleton = json.loads((file.metadata() or {})[ENTRY])
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            checkpoint: dict[str, Any] = _unpack(skeleton, tensors)
        except (SafetensorError, KeyError, ValueError) as error:
            raise ValueError(f"{path}: expected a checkpoint of labelgraph (got {error})") from error
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Put every tensor aside and give what JSON can hold; pairs keep keys that are no strings."""
    if isinstance(value, Tensor):
        # A copy, since safetensors refuses tensors that share memory, as logged metrics do.
        tensors[str(len(tensors))] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"tensor": str(len(tensors) - 1)}
    if isinstance(value, dict):
        return {"dict": [[_pack(key, tensors), _pack(item, tensors)] for key, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__: [_pack(item, tensors) for item in value]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Path, torch.device)):
        return str(value)
    raise TypeError(f"a checkpoint can hold tensors, containers and plain values (got {type(value).__name__})")


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Undo `_pack`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {_unpack(key, tensors): _unpack(item, tensors) for key, item in content}
    items = [_unpack(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
