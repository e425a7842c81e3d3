"""Features kept between runs, for embedding is nearly all of the builder's time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .pictures import embed
from .save import save_npz


def read(cache: Path, ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Read features, thumbnail bytes and offsets, where the cache was made for just these pictures."""
    if not cache.exists():
        return None
    with np.load(cache, allow_pickle=False) as arrays:
        if arrays["ids"].tolist() != list(ids):
            return None
        return arrays["features"], arrays["data"], arrays["offsets"]


def embed_cached(folder: Path, ids: Sequence[str], cache: Path | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give features (N, 1280), the bytes of N thumbnails one after the other, and offsets (N + 1,)."""
    kept = read(cache, ids) if cache else None
    if kept is not None:
        return kept
    features, thumbnails = embed([folder / f"{name}.png" for name in ids])
    data = np.frombuffer(b"".join(thumbnails), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, thumbnails)], dtype=np.int64)
    if cache:
        arrays = {"ids": np.array(ids), "features": features, "data": data, "offsets": offsets}
        save_npz(cache, arrays)
    return features, data, offsets
