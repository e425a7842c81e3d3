"""The results of a search, as pictures on one sheet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from labelgraph._core.files import write_bytes
from labelgraph.cli.queries import Queries
from labelgraph.data import CrossModalData, load_thumbnails
from labelgraph.report import contact_sheet
from labelgraph.search import Neighbours

if TYPE_CHECKING:
    from PIL.Image import Image

Picture: TypeAlias = "Image | Path | None"
ASKED = "#4c72b0"  # Frame of the picture that was searched for.
COLUMNS, SIZE = 10, 128


def find_pictures(
    data: CrossModalData | None, name: str | None, folder: Path | None, ids: Sequence[str]
) -> list[Picture]:
    """The pictures of some items: thumbnails of the bundled set, or the files that the ids are paths of.

    Args:
        data: That the items are of, if they are given.
        name: Of the data: that of the bundled set, or a path.
        folder: That the ids are paths in; by default that of the data file, and the working directory.
        ids: Of the items.

    Raises:
        ValueError: If none is there.
    """
    if data is not None and name == "openclipart":
        row_of = {each: row for row, each in enumerate(data.ids)}
        known = [each for each in ids if each in row_of]
        thumbnails = dict(zip(known, load_thumbnails([row_of[each] for each in known]), strict=True))
        found: list[Picture] = [thumbnails.get(each) for each in ids]
    else:
        folders = [folder] if folder else [*([Path(name), Path(name).parent] if name else []), Path()]
        found = [next((place / each for place in folders if (place / each).is_file()), None) for each in ids]
    if ids and not any(found):
        where = f"within {folder}" if folder else "beside the data or here"
        raise ValueError(
            f"'--sheet' needs pictures: ids that are paths of picture files {where} (got {ids[0]!r}); --pictures "
            "FOLDER tells where they are, --data openclipart has those of the bundled set"
        )
    return found


def write_sheet(
    path: Path, queries: Queries, asked: Sequence[Picture], found: Neighbours, pictures: Sequence[Sequence[Picture]]
) -> None:
    """Write a PNG, beside and then renamed: a row for each query, or more where many are found.

    Args:
        path: Of the file.
        queries: What was searched for.
        asked: The picture of each query, if it is one.
        found: What the search gave.
        pictures: Of the items that it found.
    """
    sheets = []
    for row, (title, own) in enumerate(zip(queries.titles, asked, strict=True)):
        if not found.ids[row]:
            continue
        ahead = [] if own is None else [own]
        scores = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in found.scores[row].tolist()]
        sheets.append(
            contact_sheet(
                [*ahead, *pictures[row]],
                [*("query" for _ in ahead), *found.titles[row]],
                [*("" for _ in ahead), *scores],
                columns=COLUMNS + len(ahead),
                size=SIZE,
                title=title,
                frames=[*(ASKED for _ in ahead), *(None for _ in found.ids[row])],
            )
        )
    if not sheets:
        raise ValueError(f"'--sheet' must have something to show (no result for {queries.titles[0]!r})")
    content = io.BytesIO()
    _stacked(sheets).save(content, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content.getvalue())


def _stacked(sheets: Sequence[Image]) -> Image:
    """Sheets below each other."""
    from PIL import Image

    ground = Image.new("RGB", (max(each.width for each in sheets), sum(each.height for each in sheets)),
                       sheets[0].getpixel((0, 0)))  # fmt: skip
    upper = 0
    for each in sheets:
        ground.paste(each, (0, upper))
        upper += each.height
    return ground
