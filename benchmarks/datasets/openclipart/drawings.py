"""Drawings of the bundled set: rendering, quantised features, thumbnails."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from labelgraph.encoders import EfficientNetLite0, open_picture
from labelgraph.encoders.efficientnet import to_input
from labelgraph.encoders.pictures import cut_margins

ENCODER = EfficientNetLite0(framing="drawing")
THUMBNAIL_SIZE = 64
MAX_PIXELS = 650_000_000  # The packages contain pictures of 623 million pixels, more than Pillow's limit.


def on_white_square(path: Path) -> Image.Image:
    """Open a picture on a white background, crop its margins, and pad it to a square."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    return cut_margins(open_picture(path, MAX_PIXELS))


def to_thumbnail(picture: Image.Image) -> bytes:
    """Encode a picture as a WebP of 64 pixels."""
    buffer = io.BytesIO()
    small = picture.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS)
    small.save(buffer, "WEBP", quality=60, method=6)
    return buffer.getvalue()


def blank_thumbnail() -> bytes:
    """Encode the thumbnail of a blank page."""
    return to_thumbnail(Image.new("RGB", (THUMBNAIL_SIZE, THUMBNAIL_SIZE), "white"))


def decoded(paths: Sequence[Path], batch_size: int) -> Iterator[tuple[list[np.ndarray], list[bytes]]]:
    """Yield inputs and thumbnails in batches."""

    def decode(path: Path) -> tuple[np.ndarray, bytes]:
        picture = on_white_square(path)
        return to_input(picture), to_thumbnail(picture)

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(paths), batch_size):
            inputs, thumbnails = zip(*pool.map(decode, paths[start : start + batch_size]), strict=True)
            yield list(inputs), list(thumbnails)


def embed(paths: Sequence[Path], batch_size: int = 32) -> tuple[np.ndarray, list[bytes]]:
    """Return features (N, 1280) of the encoder of the set, and N thumbnails."""
    features: list[np.ndarray] = []
    thumbnails: list[bytes] = []
    with tqdm(total=len(paths), desc="pictures", unit="picture") as progress:
        for inputs, small in decoded(paths, batch_size):
            features.append(ENCODER.embed(inputs))
            thumbnails += small
            progress.update(len(small))
    return np.concatenate(features), thumbnails


LEVELS = 255


def quantise(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return codes (N, D) uint8 and scales (D,) float32: value = code * scale. No feature may be negative."""
    if features.min() < 0:
        raise ValueError(f"features must be non-negative (got a minimum of {features.min()})")
    highest = features.max(axis=0)
    # A feature that is zero everywhere has the scale 1, because a scale must not be 0.
    scale = np.where(highest > 0, highest / LEVELS, 1).astype(np.float32)
    return np.rint(features / scale).clip(0, LEVELS).astype(np.uint8), scale


def dequantise(codes: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the features (N, D), float32, of the codes."""
    values: np.ndarray = codes.astype(np.float32) * scale
    return values


def take(data: np.ndarray, offsets: np.ndarray, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the concatenated bytes of some thumbnails, and their offsets."""
    pieces = [data[offsets[index] : offsets[index + 1]] for index in pictures]
    return {"data": np.concatenate(pieces), "offsets": np.cumsum([0, *map(len, pieces)], dtype=np.int64)}


def drawn(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Find the pictures that are not blank; some PNG renderings, such as those of most gradients, are."""
    blank = blank_thumbnail()
    everything = data.tobytes()
    shown = [everything[start:end] != blank for start, end in pairwise(offsets.tolist())]
    return np.flatnonzero(shown)
