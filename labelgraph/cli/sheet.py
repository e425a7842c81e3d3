"""Pictures of items and of labels, and the results of a search on one sheet."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from labelgraph._core.files import write_bytes
from labelgraph._core.multi_hot import item_labels, item_sums, label_sums
from labelgraph.cli.queries import Answer, Queries
from labelgraph.data import CrossModalData, load_openclipart, load_thumbnails
from labelgraph.report import contact_sheet

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

Picture: TypeAlias = "Image | Path | None"
ASKED = "#4c72b0"  # Colour of the frame of a query.
COLUMNS, SIZE = 10, 128
BUNDLED = ("openclipart", "openclipart-keywords")  # Data sets whose pictures are the bundled ones.


def find_pictures(
    data: CrossModalData | None, name: str | None, folder: Path | None, ids: Sequence[str], option: str = "--sheet"
) -> list[Picture]:
    """Return the pictures of items: thumbnails of a bundled set, or files whose paths are the ids.

    Args:
        data: Data of the items, if the command read any.
        name: Name of a bundled set, or path of the data.
        folder: Folder of the picture files; defaults to the folder of the data, then the working directory.
        ids: Ids of the items.
        option: The option that needs the pictures, for the error.

    Raises:
        ValueError: If no item has a picture.
    """
    if data is not None and name in BUNDLED:
        row_of = {each: row for row, each in enumerate(load_openclipart().ids)}
        known = [each for each in ids if each in row_of]
        thumbnails = dict(zip(known, load_thumbnails([row_of[each] for each in known]), strict=True))
        pictures: list[Picture] = [thumbnails.get(each) for each in ids]
    else:
        folders = [folder] if folder else [*([Path(name), Path(name).parent] if name else []), Path()]
        pictures = [next((place / each for place in folders if (place / each).is_file()), None) for each in ids]
    if ids and not any(pictures):
        where = f"within {folder}" if folder else "beside the data or here"
        advice = "; --pictures FOLDER names their folder, --data openclipart has the pictures of the bundled set"
        raise ValueError(
            f"'{option}' needs pictures: ids that are paths of picture files {where} (got {ids[0]!r})"
            f"{advice if option == '--sheet' else ''}"
        )
    return pictures


def write_sheet(
    path: Path,
    queries: Queries,
    asked: Sequence[Picture],
    answers: Sequence[Answer],
    pictures: Sequence[Sequence[Picture]],
) -> None:
    """Write a PNG atomically, with one row of pictures per query, or several for many results.

    Args:
        path: Path of the file.
        queries: The queries.
        asked: The picture of each query; None for a query without a picture.
        answers: The results of each query.
        pictures: The pictures of the results, one list per query.
    """
    sheets = []
    for title, own, answer, shown in zip(queries.titles, asked, answers, pictures, strict=True):
        if not answer.ids:
            continue
        ahead = [] if own is None else [own]
        scores = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in answer.scores]
        sheets.append(
            contact_sheet(
                [*ahead, *shown],
                [*("query" for _ in ahead), *answer.titles],
                [*("" for _ in ahead), *scores],
                columns=COLUMNS + len(ahead),
                size=SIZE,
                title=title,
                frames=[*(ASKED for _ in ahead), *(None for _ in answer.ids)],
            )
        )
    if not sheets:
        raise ValueError(f"'--sheet' needs a query with results (no result for {queries.titles[0]!r})")
    content = io.BytesIO()
    _stacked(sheets).save(content, "PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content.getvalue())


def _stacked(sheets: Sequence[Image]) -> Image:
    """Stack sheets vertically."""
    from PIL import Image

    ground = Image.new("RGB", (max(each.width for each in sheets), sum(each.height for each in sheets)),
                       sheets[0].getpixel((0, 0)))  # fmt: skip
    upper = 0
    for each in sheets:
        ground.paste(each, (0, upper))
        upper += each.height
    return ground


EACH = 4  # Pictures of a label.


def label_pictures(data: CrossModalData, rows: Tensor, name: str, folder: Path | None) -> dict[str, list[Image | Path]]:
    """Choose pictures of each label, of the items with the fewest other labels.

    Args:
        data: The data set.
        rows: Row numbers of the items whose pictures may be chosen.
        name: Name of a bundled set, or path of the data.
        folder: Folder of the picture files, see `find_pictures`.

    Returns:
        At most four pictures of each label that has any.

    Raises:
        ValueError: If ``folder`` is given and no item has a picture there.
    """
    labels = data.label_rows(rows, dense=False)
    order = item_sums(labels).argsort(stable=True)
    item, label = item_labels(labels)
    by_label = order.argsort()[item].argsort(stable=True)
    by_label = by_label[label[by_label].argsort(stable=True)]
    ends = label_sums(labels).long().cumsum(0).tolist()
    chosen = {
        name: [data.ids[row] for row in rows[item[by_label[start : min(start + EACH, end)]]].tolist()]
        for name, start, end in zip(data.label_names, [0, *ends], ends, strict=False)
    }
    ids = list(dict.fromkeys(each for several in chosen.values() for each in several))
    try:
        pictures = dict(zip(ids, find_pictures(data, name, folder, ids, option="--pictures"), strict=True))
    except ValueError:
        if folder:
            raise
        return {}
    kept = {label: [picture for each in several if (picture := pictures[each])] for label, several in chosen.items()}
    return {label: several for label, several in kept.items() if several}
