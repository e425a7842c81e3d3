"""Pictures with captions in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.checked_config import check_value
from labelgraph.encoders import open_picture

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

GROUND, CARD, INK, FAINT = "#f4f4f2", "#ffffff", "#222222", "#777777"
GAP, PADDING = 12, 8


def contact_sheet(
    pictures: Sequence[Image | str | Path | None],
    captions: Sequence[str],
    scores: Sequence[float | str] | None = None,
    *,
    columns: int = 5,
    size: int = 160,
    title: str = "",
    frames: Sequence[str | None] | None = None,
    caption_lines: int = 2,
) -> Image:
    """Lay out pictures in a grid, each above its caption, for instance the results of a search.

    Args:
        pictures: Pillow images or paths; the place of a picture that is none or cannot be read stays empty.
        captions: A caption for each picture. A caption longer than ``caption_lines`` lines is cut off with dots.
        scores: A score for each picture, written below the caption: numbers with three decimals, texts unchanged.
        columns: Maximum number of columns.
        size: Side of the square that a picture is fitted into, in pixels; small pictures are enlarged.
        title: Title of the sheet, for instance the query.
        frames: A frame colour for each picture, as Pillow names colours, or none.
        caption_lines: Maximum number of lines of a caption; the longest caption sets the height of all rows.

    Returns:
        An RGB image; ``save`` writes it to a file.

    Raises:
        ValueError: If there are no pictures, or the number of captions, scores or frames differs from theirs.
        ImportError: If Pillow is not installed.

    Example:
        >>> from labelgraph.data import load_thumbnails
        >>> from labelgraph.report import contact_sheet
        >>> contact_sheet(load_thumbnails([0, 1, 2]), ["one", "two", "three"], [0.9, 0.8, 0.7], columns=2).size
        (388, 472)
    """
    _check_lists(pictures, columns, captions=captions, scores=scores, frames=frames)
    from PIL import Image, ImageDraw

    columns = min(columns, len(pictures))
    large, small = _font(16), _font(13)
    wrapped = [_wrapped(caption, small, size, caption_lines) for caption in captions]
    most = max(map(len, wrapped))
    lines = most + (scores is not None)
    width, height = size + 2 * PADDING, size + 2 * PADDING + 6 + 18 * lines
    top = GAP + (30 if title else 0)
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (GAP + columns * (width + GAP), top + rows * (height + GAP)), GROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((GAP, GAP), shortened(title, large, sheet.width - 2 * GAP), INK, large)
    for place, (picture, caption) in enumerate(zip(pictures, wrapped, strict=True)):
        left, upper = GAP + place % columns * (width + GAP), top + place // columns * (height + GAP)
        frame = frames[place] if frames else None
        draw.rounded_rectangle((left, upper, left + width - 1, upper + height - 1), 6, CARD, frame, 3 if frame else 0)
        _put(sheet, draw, picture, (left + PADDING, upper + PADDING), size)
        middle, below = left + width // 2, upper + PADDING + size + 4
        for line, text in enumerate(caption):
            draw.text((middle, below + 18 * line), text, INK, small, "ma")
        if scores is not None:
            draw.text((middle, below + 18 * most), _shown(scores[place]), FAINT, small, "ma")
    return sheet


def _check_lists(pictures: Any, columns: Any, **lists: Any) -> None:
    """Check that there are pictures, and that each other list has an entry for each of them."""
    check_kind("pictures", pictures, Sequence, "a list of pictures")
    if not len(pictures):
        raise ValueError("'pictures' must have at least 1 entry (got none)")
    if check_value("columns", columns, int) < 1:
        raise ValueError(f"'columns' must be at least 1 (got {columns})")
    for name, entries in lists.items():
        check_kind(name, entries, (Sequence, type(None)), "a list")
        if entries is not None and len(entries) != len(pictures):
            expected = f"{len(pictures)} {'entry' if len(pictures) == 1 else 'entries'}"
            raise ValueError(f"'{name}' must have {expected}, one for each picture (got {len(entries)})")


def _shown(score: float | str) -> str:
    return score if isinstance(score, str) else f"{score:.3f}"


def _put(sheet: Image, draw: ImageDraw, picture: Image | str | Path | None, corner: tuple[int, int], size: int) -> None:
    """Draw a picture in the middle of a square."""
    from PIL import Image, ImageOps

    if isinstance(picture, str | Path):
        try:
            picture = open_picture(picture)
        except (ValueError, OSError):
            picture = None
    if picture is None:
        draw.text((corner[0] + size // 2, corner[1] + size // 2), "no picture", FAINT, _font(13), "mm")
        return
    check_kind("pictures", picture, Image.Image, "Pillow images or paths")
    fitted = ImageOps.contain(picture.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
    sheet.paste(fitted, (corner[0] + (size - fitted.width) // 2, corner[1] + (size - fitted.height) // 2))


def _wrapped(text: str, font: Any, width: float, lines: int) -> list[str]:
    """Break a text into lines at spaces; the last line is cut off if the text is longer."""
    words, broken = text.split(), [""]
    while words and (len(broken) < lines or font.getlength(f"{broken[-1]} {words[0]}") <= width):
        longer = f"{broken[-1]} {words[0]}".strip()
        if font.getlength(longer) <= width or not broken[-1]:
            broken[-1] = longer
            words.pop(0)
        else:
            broken.append("")
    if words:
        broken[-1] = " ".join([broken[-1], *words])
    return [shortened(line, font, width) for line in broken]


def shortened(text: str, font: Any, width: float) -> str:
    """A text on one line, cut off with dots if it is wider than ``width``."""
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    low, high = 0, len(text)  # Bounds of the number of letters that fit.
    while low < high:
        middle = (low + high + 1) // 2
        fits = font.getlength(text[:middle].rstrip() + "…") <= width
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low].rstrip() + "…"


def _font(size: int) -> Any:
    """The font of Matplotlib if it is installed, as it has more alphabets than that of Pillow."""
    from PIL import ImageFont

    try:
        from matplotlib import get_data_path
    except ImportError:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)
