"""Safe opening of pictures from untrusted files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelgraph._core.argument_kinds import as_path
from labelgraph._core.reading import reading
from labelgraph.encoders.encoder import Item, import_package
from labelgraph.encoders.packed_pictures import packed_picture

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 89_478_485  # Pillow warns above this number.
MAX_SIDE = 65_535  # Limit of JPEG; Pillow's memory also grows with the number of rows.
LARGEST_SIDE = 2048  # Larger pictures are reduced early, to save memory.
# Formats that neither run another program nor render vectors.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def open_picture(item: Item, max_pixels: int = MAX_PIXELS) -> Image:
    """Open a picture as RGB: upright, on a white background, the first frame of an animation.

    If the longer side has at least 4,096 pixels, the picture is reduced by an integer factor.

    Args:
        item: A file of the format AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF or WebP, if
            Pillow was built with it; or an array (3, H, W) of values 0 to 255, such as from
            `labelgraph.data.MatPictures`.
        max_pixels: Maximum number of pixels. Larger pictures are refused before they are decoded, and so are pictures
            with a side of over 65,535 pixels. Pillow itself refuses more than twice its ``Image.MAX_IMAGE_PIXELS``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a picture, is truncated, damaged or too large, or its pixels are not colours;
            if an array has another shape or other values. Damaged metadata are ignored.
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
    path = as_path("item", item)
    packed = None if path.is_file() else packed_picture(path)
    if packed is None and not path.is_file():
        raise FileNotFoundError(f"{path}: no such picture")
    image_module.init()
    formats = [name for name in FORMATS if name in image_module.OPEN]
    with reading(path, "a picture that can be read"):
        try:
            content = path if packed is None else io.BytesIO(packed)
            return _opened(path, content, image_module, formats, max_pixels)
        except (SyntaxError, ValueError, OSError):  # Damaged metadata, which Pillow reads before the pixels.
            bare = _png_pixels(path.read_bytes() if packed is None else packed)
            if bare is None:
                raise
        return _opened(path, io.BytesIO(bare), image_module, ["PNG"], max_pixels)


def _opened(path: Path, file: Any, image_module: Any, formats: list[str], max_pixels: int) -> Image:
    with image_module.open(file, formats=formats) as picture:
        width, height = picture.size
        if not 0 < width * height <= max_pixels:
            raise ValueError(f"{path}: expected 1 to {max_pixels:,} pixels (got {width:,} x {height:,})")
        if max(width, height) > MAX_SIDE:
            raise ValueError(f"{path}: expected sides of at most {MAX_SIDE:,} pixels (got {width:,} x {height:,})")
        return _on_white(_upright(picture))


PNG = b"\x89PNG\r\n\x1a\n"
PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def _png_pixels(content: bytes) -> bytes | None:
    """The content of a PNG file without its metadata; ``None`` for other files or without metadata."""
    if not content.startswith(PNG):
        return None
    chunks, place = [PNG], len(PNG)
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        if content[place + 4 : place + 8] in PIXEL_CHUNKS:
            chunks.append(content[place : place + 12 + length])
        place += 12 + length
    bare = b"".join(chunks)
    return bare if len(bare) < len(content) else None


def _of_array(array: np.ndarray, image_module: Any) -> Image:
    """Convert an array to a picture."""
    numbers = array.ndim == 3 and array.shape[0] == 3 and array.size and array.dtype.kind in "iuf"
    if not numbers or not 0 <= array.min() <= array.max() <= 255:
        values = f"{array.min():g} to {array.max():g}" if array.size and array.dtype.kind in "iuf" else "no numbers"
        raise ValueError(f"'item' must be a picture (3, H, W) of values 0 to 255 (got {array.shape}, {values})")
    picture: Image = image_module.fromarray(np.moveaxis(array, 0, -1).round().astype(np.uint8))
    return picture


def _upright(picture: Image) -> Image:
    """Decode with eight bits per channel, and rotate as the metadata say."""
    from PIL import Image

    if picture.mode == "F":
        raise ValueError("floating point pixels, whose range is unknown")
    picture.load()
    try:
        turn = int(picture.getexif().get(ORIENTATION, 1))
    except Exception:  # Damaged metadata: do not rotate.
        turn = 1
    decoded = _eight_bits(picture) if picture.mode in DEEP else picture
    return decoded.transpose(Image.Transpose[TURNS[turn]]) if turn in TURNS else decoded


ORIENTATION = 0x0112
TURNS = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270", 7: "TRANSVERSE",
    8: "ROTATE_90",
}  # fmt: skip


def _eight_bits(picture: Image) -> Image:
    """Scale sixteen-bit grey to eight bits; Pillow itself would clip values at 255."""
    deep = picture.convert("I")
    grey = deep.point(lambda value: value * (1 / 257)).convert("L")
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        from PIL import Image

        grey.putalpha(Image.fromarray(np.where(np.asarray(deep) == clear, 0, 255).astype(np.uint8)))
    return grey


def _on_white(picture: Image) -> Image:
    """Put a picture on a white background."""
    from PIL import Image

    if picture.mode in ("L", "RGB") and "transparency" not in picture.info:
        return _shrunk(picture).convert("RGB")
    rgba = _shrunk(picture.convert("RGBA"))
    ground = Image.new("RGBA", rgba.size, "white")
    ground.alpha_composite(rgba)
    return ground.convert("RGB")


def _shrunk(picture: Image) -> Image:
    return picture.reduce(max(picture.size) // LARGEST_SIDE) if max(picture.size) >= 2 * LARGEST_SIDE else picture


def cut_margins(picture: Image) -> Image:
    """Crop white margins and pad to a white square, for drawings; a blank picture is not cropped."""
    from PIL import Image, ImageChops

    # Some drawings fill only a corner of the page. A blank page has no bounding box and is not cropped.
    drawing = picture.crop(ImageChops.invert(picture).getbbox())
    side = max(drawing.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(drawing, ((side - drawing.width) // 2, (side - drawing.height) // 2))
    return square
