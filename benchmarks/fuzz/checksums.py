"""Checksums that are repaired after damage: a file is changed by its kind, then all manifests that tell its digest."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fuzz.array_mutations import (
    mutate_mat5,
    mutate_mat73,
    mutate_npy,
    mutate_npz,
    mutate_parquet,
    mutate_safetensors,
)
from benchmarks.fuzz.byte_mutations import damaged
from benchmarks.fuzz.picture_mutations import mutate_gzip, mutate_jpeg, mutate_png, mutate_word_vectors
from benchmarks.fuzz.tree_mutations import mutate_json, mutate_table, mutate_words, mutate_yaml

OWN = "checksum"  # The entry of a manifest that is the digest of its other entries.
CHECKPOINT = re.compile(rb"(labelgraph checkpoint \d+, SHA-256 )[0-9a-f]{64}\n")  # The first line of a checkpoint.
SHORT = 16  # Digits of a digest in the name of a file.


def _mutate_checkpoint(content: bytes, rng: random.Random) -> bytes:
    """Change the safetensors behind the first line of a checkpoint, which holds their SHA-256."""
    line = CHECKPOINT.match(content)
    if not line:
        raise ValueError("the first line of checkpoints is another than benchmarks/fuzz/checksums.py expects")
    changed = mutate_safetensors(content[line.end() :], rng)
    return line[1] + hashlib.sha256(changed).hexdigest().encode() + b"\n" + changed


BY_CONTENT: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".npy": mutate_npy, ".npz": mutate_npz, ".safetensors": mutate_safetensors, ".ckpt": _mutate_checkpoint,
    ".json": mutate_json, ".yaml": mutate_yaml, ".csv": mutate_table, ".txt": mutate_words, ".list": mutate_words,
    ".tsv": lambda content, rng: mutate_table(content, rng, "\t"), ".gz": mutate_gzip, ".bin": mutate_word_vectors,
    ".png": mutate_png, ".jpg": mutate_jpeg,
}  # fmt: skip


def mutate_structure(path: Path, rng: random.Random) -> None:
    """Change a file in a way that its format allows; formats that are not known have bytes changed."""
    if path.suffix == ".mat":
        (mutate_mat73 if b"HDF" in path.read_bytes()[:520] else mutate_mat5)(path, rng)
    elif path.suffix == ".parquet":
        mutate_parquet(path, rng)
    else:
        path.write_bytes(BY_CONTENT.get(path.suffix, damaged)(path.read_bytes(), rng))


def digests(folder: Path) -> dict[Path, str]:
    """SHA-256 of each file below a folder."""
    return {path: _sha256(path) for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()}


def repair(folder: Path, before: dict[Path, str]) -> None:
    """Write the new digests of changed files into the manifests of the folder, and those of the manifests in turn.

    A file that is named after its digest is renamed.

    Args:
        folder: With the changed files.
        before: Their `digests` before.
    """
    known = dict(before)
    for path in [path for path in known if path.suffix == ".json" and path.exists()]:
        if _sha256(path) != known[path]:
            _repair_own(path)
    for _ in range(4):  # Manifests tell of manifests.
        changed = {path: _sha256(path) for path in known if path.exists() and _sha256(path) != known[path]}
        if not changed:
            return
        for path, new in changed.items():
            old, known[path] = known[path], new
            for manifest in folder.rglob("*.json"):
                _replace(manifest, old, new)
            if old[:SHORT] in path.name:
                path.rename(path.with_name(path.name.replace(old[:SHORT], new[:SHORT])))


def check_own_checksums(folder: Path) -> None:
    """Tell if manifests are made otherwise than `repair` makes them.

    Raises:
        ValueError: If the checksum of an undamaged manifest is another.
    """
    for path in folder.rglob("*.json"):
        content = json.loads(path.read_bytes())
        if isinstance(content, dict) and content.get(OWN, own := _own(content)) != own:
            raise ValueError(f"{path}: '{OWN}' is made in another way than benchmarks/fuzz/checksums.py makes it")


def _replace(manifest: Path, old: str, new: str) -> None:
    text = manifest.read_bytes()
    replaced = text.replace(old.encode(), new.encode()).replace(f"-{old[:SHORT]}".encode(), f"-{new[:SHORT]}".encode())
    if replaced != text:
        manifest.write_bytes(replaced)
        _repair_own(manifest)


def _repair_own(path: Path) -> None:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    if isinstance(content, dict) and OWN in content:
        path.write_text(json.dumps({**content, OWN: _own(content)}, indent=2))


def _own(content: dict[str, Any]) -> str:
    plain = json.dumps({key: value for key, value in content.items() if key != OWN}, sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
