"""Finding the columns of pictures, captions and tags in a table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from labelgraph._core.reading import one_line
from labelgraph.encoders.table_files import column_names

# Usual names; the first name in the table is used. Case, spaces, hyphens and underscores are ignored.
SPELLINGS: dict[str, tuple[str, ...]] = {
    "image": (
        "file", "filename", "filepath", "path", "image", "imagefile", "imagefilename", "imagepath", "picture", "photo",
        "img", "images",
    ),
    "caption": ("caption", "text", "description", "captions", "sentence", "comment"),
    "tags": ("tags", "labels", "label", "tag", "keywords", "keyword", "categories", "category", "classes", "class"),
    "title": ("title",),
    "split": ("split", "subset", "partition"),
    "id": ("id", "itemid"),
}  # fmt: skip
NEEDED = ("image", "caption", "tags")


def guess_columns(path: str | Path, given: Mapping[str, str | None] | None = None) -> dict[str, str | None]:
    """Find the columns of a table by their names.

    Args:
        path: The table.
        given: Known columns, by ``"image"``, ``"caption"``, ``"tags"``, ``"title"``, ``"split"``, ``"id"``.

    Returns:
        The columns by the same keys; ``None`` for a column that the table does not have.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table cannot be read, or the column of pictures, captions or tags is not found.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from labelgraph.encoders import guess_columns
        >>> path = Path(tempfile.mkdtemp()) / "items.csv"
        >>> _ = path.write_text("Filename,text,labels")
        >>> guess_columns(path)["image"], guess_columns(path)["title"]
        ('Filename', None)
    """
    names = column_names(path)
    taken = {column for column in (given or {}).values() if column}
    plain = {_plain(name): name for name in reversed(names) if name not in taken}
    columns: dict[str, str | None] = {}
    for key, spellings in SPELLINGS.items():
        known = [plain[spelling] for spelling in spellings if spelling in plain]
        columns[key] = (given or {}).get(key) or (known[0] if known else None)
    if missing := next((key for key in NEEDED if columns[key] is None), None):
        likely = ", ".join(SPELLINGS[missing][:3])
        raise ValueError(
            f"{path}: expected one column '{likely.split(', ')[0]}' (or {likely.partition(', ')[2]}) "
            f"(got {one_line(', '.join(names)) or 'none'})"
        )
    return columns


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())
