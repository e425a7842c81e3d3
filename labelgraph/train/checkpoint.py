"""Checkpoints without pickle: a checksum, then safetensors with the tensors and, in the header, JSON with the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from torch import Tensor

from labelgraph._core.digests import sha256_bytes
from labelgraph._core.files import write_bytes
from labelgraph._core.reading import refusing
from labelgraph.methods.model_folder import check_finite_state

ENTRY = "checkpoint"
START = b"labelgraph checkpoint 2, SHA-256 "  # The checksum of all bytes after the first line follows.
DIGITS = 64


class SafetensorsCheckpointIO(CheckpointIO):
    """Writes each checkpoint of Lightning to one file, atomically, and verifies the checksum when it reads the file."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write a checkpoint.

        Raises:
            OSError: If the file cannot be written, for instance because the disk is full. The previous checkpoint
                remains.
        """
        from safetensors.torch import save

        tensors: dict[str, Tensor] = {}
        skeleton = _pack(checkpoint, tensors)
        content = save(tensors, metadata={ENTRY: json.dumps(skeleton)})
        path = Path(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, START + sha256_bytes(content).encode() + b"\n" + content)
        except OSError as error:
            message = f"cannot save ({error.strerror or error}); the previous checkpoint remains"
            raise OSError(error.errno, message, str(path)) from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Load a checkpoint to the CPU. Lightning then moves it to the device.

        Raises:
            ValueError: If the checkpoint is damaged, has weights that are not finite, or another program or version
                wrote it.
        """
        from safetensors.torch import load

        content = Path(path).read_bytes()
        start, digest, content = content[: len(START)], content[len(START) :][:DIGITS], content[len(START) + DIGITS :]
        if start != START or content[:1] != b"\n":
            raise ValueError(f"{path}: expected a checkpoint of labelgraph; delete it to start again")
        content = content[1:]
        if digest != sha256_bytes(content).encode():
            raise ValueError(
                f"{path}: expected a checkpoint of labelgraph with its checksum (the file is damaged); delete it to "
                "start again"
            )
        with refusing(path, "a checkpoint of labelgraph"):
            size = int.from_bytes(content[:8], "little")
            skeleton = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][ENTRY])
            checkpoint: dict[str, Any] = _unpack(skeleton, load(content))
            check_finite_state(checkpoint.get("state_dict", {}))
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        """Delete a checkpoint."""
        Path(path).unlink(missing_ok=True)


def _pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Convert a value to JSON and move its tensors into ``tensors``.

    Dictionaries become lists of pairs, so that keys may have any type.
    """
    if isinstance(value, Tensor):
        # Copied, because safetensors refuses tensors that share memory, as logged metrics do.
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
    """Convert JSON and tensors back to the value; the inverse of `_pack`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {_unpack(key, tensors): _unpack(item, tensors) for key, item in content}
    items = [_unpack(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
