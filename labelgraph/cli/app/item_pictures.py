"""Small pictures of the items, by row; no path comes from a request."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from labelgraph.cli.sheet import BUNDLED, find_pictures
from labelgraph.encoders import open_picture

if TYPE_CHECKING:
    from labelgraph.cli.sheet import Picture
    from labelgraph.data import CrossModalData

SIDE = 320  # Pixels of the longer side of a small picture.
KEPT = 2000  # Small pictures in memory, about 40 MB.
MOST_PIXELS = 40_000_000  # Of a picture of the data; a larger one would need too much memory for ten users.


class ItemPictures:
    """Finds the picture files of items once, and makes small pictures of them when they are asked for.

    Args:
        ids: Ids of the items; a picture file is the one whose path is the id.
        data: Data of the items, if any.
        name: Name of a bundled set, or path of the data.
        folder: Folder of the picture files, see `labelgraph.cli.sheet.find_pictures`.

    Raises:
        ValueError: If ``folder`` is given and no item has a picture in it.
    """

    def __init__(self, ids: Sequence[str], data: CrossModalData | None, name: str | None, folder: Path | None) -> None:
        bundled = data is not None and name in BUNDLED
        inside = [each for each in ids if bundled or not _leads_out(each)]
        try:
            found = dict(zip(inside, find_pictures(data, name, folder, inside, option="--pictures"), strict=True))
        except ValueError:
            if folder:
                raise
            found = {}
        self._sources: list[Picture] = [found.get(each) for each in ids]
        self.jpeg = lru_cache(KEPT)(self._jpeg)

    def __len__(self) -> int:
        """Number of items with a picture."""
        return sum(each is not None for each in self._sources)

    def has(self, row: int) -> bool:
        """Return whether an item has a picture file, which may still be damaged."""
        return 0 <= row < len(self._sources) and self._sources[row] is not None

    def _jpeg(self, row: int) -> bytes | None:
        """Return a small picture of the item in this row; None if it has none that can be read."""
        from PIL import Image, ImageOps

        source = self._sources[row] if self.has(row) else None
        if source is None:
            return None
        try:
            picture = open_picture(source, MOST_PIXELS) if isinstance(source, Path) else source
        except (ValueError, OSError):
            return None
        if max(picture.size) > SIDE:
            picture = ImageOps.contain(picture, (SIDE, SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=88)
        return file.getvalue()


def _leads_out(each: str) -> bool:
    """Return whether a path leads out of the folder of the data."""
    path = Path(os.path.normpath(each))
    return "\0" in each or path.is_absolute() or ".." in path.parts
