"""Pictures from files of any kind, opened with care."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelgraph.encoders.encoder import Item, import_package

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 89_478_485  # Where Pillow begins to warn.
LARGEST_SIDE = 2048  # Larger pictures are shrunk first: they cost no gigabytes afterwards.
# No format that runs another program or draws vectors.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def open_picture(item: Item, max_pixels: int = MAX_PIXELS) -> Image:
    """Open a picture as RGB: upright, on white ground, the first frame of an animation.

    One whose longer side is at least twice 2,048 pixels is shrunk by a whole number.

    Args:
        item: A file of one of the formats AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF, WebP, as far as
            Pillow was built with them; or an array (3, H, W) of values 0 to 255, such as `labelgraph.data.MatPictures`
            has.
        max_pixels: Larger pictures are refused before they are decoded. Pillow itself refuses those of twice
            its ``Image.MAX_IMAGE_PIXELS``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no picture, truncated or damaged, too large, or of kinds of pixels without a
            meaning as colours; if an array is of another shape or has other values.
        ImportError: If Pillow is not installed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from labelgraph.encoders import open_picture
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "clear.png"
        ...     Image.new("RGBA", (3, 2), (0, 0, 0, 0)).save(path)
        ...     open_picture(path).getpixel((0, 0))
        (255, 255, 255)
    """
    image_module = import_package("PIL.Image", "features")
    if isinstance(item, np.ndarray):
        return _of_array(item, image_module)
    path = Path(item)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such picture")
    image_module.init()
    try:
        with image_module.open(path, formats=[name for name in FORMATS if name in image_module.OPEN]) as picture:
            size = picture.size
            if 0 < size[0] * size[1] <= max_pixels:
                return _on_white(_upright(picture))
    except Exception as error:  # Decoders raise whatever comes to them on damaged files.
        raise ValueError(f"{path}: expected a picture that can be read (got {error})") from error
    raise ValueError(f"{path}: expected 1 to {max_pixels:,} pixels (got {size[0]:,} x {size[1]:,})")


def _of_array(array: np.ndarray, image_module: Any) -> Image:
    """A picture of numbers."""
    numbers = array.ndim == 3 and array.shape[0] == 3 and array.size and array.dtype.kind in "iuf"
    if not numbers or not 0 <= array.min() <= array.max() <= 255:
        values = f"{array.min():g} to {array.max():g}" if array.size and array.dtype.kind in "iuf" else "no numbers"
        raise ValueError(f"'item' must be a picture (3, H, W) of values 0 to 255 (got {array.shape}, {values})")
    picture: Image = image_module.fromarray(np.moveaxis(array, 0, -1).round().astype(np.uint8))
    return picture


def _upright(picture: Image) -> Image:
    """Decode, in eight bits a channel, turned as the camera was held."""
    from PIL import ImageOps

    if picture.mode == "F":
        raise ValueError("floating point pixels, whose range nobody knows")
    if picture.mode in DEEP:
        # Sixteen bits, whatever the mode holds; Pillow itself would cut them off at 255.
        turned = ImageOps.exif_transpose(picture.convert("I"))
        return turned.point(lambda value: value * (1 / 257)).convert("L")
    return ImageOps.exif_transpose(picture)


def _on_white(picture: Image) -> Image:
    """Lay a picture on white ground."""
    from PIL import Image

    rgba = picture.convert("RGBA")
    if max(rgba.size) >= 2 * LARGEST_SIDE:
        rgba = rgba.reduce(max(rgba.size) // LARGEST_SIDE)
    ground = Image.new("RGBA", rgba.size, "white")
    ground.alpha_composite(rgba)
    return ground.convert("RGB")


def cut_margins(picture: Image) -> Image:
    """Cut off white margins and pad with white to a square, as suits drawings on a page; a blank one stays whole."""
    from PIL import Image, ImageChops

    # Some drawings fill a corner of a whole page only. A blank page has no box and stays whole.
    drawing = picture.crop(ImageChops.invert(picture).getbbox())
    side = max(drawing.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(drawing, ((side - drawing.width) // 2, (side - drawing.height) // 2))
    return square
