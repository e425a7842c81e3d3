"""Pictures with captions in a grid."""

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image, ImageFont

from labelgraph.report import contact_sheet
from labelgraph.report.contact_sheets import CARD, shortened


def plain(*colours, size=(10, 10)):
    return [Image.new("RGB", size, colour) for colour in colours]


def share(sheet, colour):
    return (np.asarray(sheet) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))).all(2).sum()


def test_every_picture_is_in_its_place():
    sheet = contact_sheet(plain("red", "lime", "blue"), ["a", "b", "c"], columns=2, size=50)
    pixels = np.asarray(sheet)
    assert [share(sheet, colour) for colour in ("red", "lime", "blue")] == [2500] * 3
    for colour, (top, left) in {(255, 0, 0): (0, 0), (0, 255, 0): (0, 1), (0, 0, 255): (1, 0)}.items():
        rows, columns = np.nonzero((pixels == colour).all(2))
        assert (rows.mean() > sheet.height / 2, columns.mean() > sheet.width / 2) == (top, left)


def test_proportions_are_kept():
    sheet = contact_sheet(plain("red", size=(20, 10)), [""], size=60)
    rows, columns = np.nonzero((np.asarray(sheet) == [255, 0, 0]).all(2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (30, 60)


def test_scores_titles_and_frames_are_drawn():
    bare = contact_sheet(plain("red"), ["name"])
    scored = contact_sheet(plain("red"), ["name"], [0.5])
    titled = contact_sheet(plain("red"), ["name"], title="what was searched for")
    framed = contact_sheet(plain("red", "red"), ["name"] * 2, frames=["#00ff00", None])
    assert scored.height > bare.height and titled.height > bare.height and bare.width == scored.width == titled.width
    assert share(framed, "#00ff00") > 1000
    assert not np.array_equal(np.asarray(bare), np.asarray(contact_sheet(plain("red"), ["other"])))


@pytest.mark.parametrize("text", ["a", "", "a long caption\nof two lines " * 5, "W" * 300])
def test_captions_are_cut_to_the_width(text):
    font = ImageFont.load_default(13)
    cut = shortened(text, font, 100)
    assert font.getlength(cut) <= 100 and "\n" not in cut
    if len(text) > 20:
        assert cut.endswith("…") and text.startswith(cut[:-1])
        assert font.getlength(text[: len(cut)] + "…") > 100
    else:
        assert cut == text


def test_paths_are_opened_and_what_cannot_be_is_empty(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    plain("red")[0].save(tmp_path / "good.png")
    pictures = [tmp_path / "good.png", str(tmp_path / "bad.png"), tmp_path / "none.png", None]
    sheet = contact_sheet(pictures, list("abcd"), columns=4)
    assert share(sheet, "red") == 160 * 160
    assert share(sheet, CARD) > 3 * 0.9 * 160 * 160


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pictures": [], "captions": []}, "'pictures' must have at least 1 entry"),
        ({"columns": 0}, r"'columns' must be at least 1 \(got 0\)"),
        ({"captions": []}, r"'captions' must have 1 entry, .* \(got 0\)"),
        ({"scores": [1.0, 2.0]}, r"'scores' must have 1 .*\(got 2\)"),
        ({"frames": []}, r"'frames' must have 1 .*\(got 0\)"),
    ],
)
def test_wrong_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        contact_sheet(**({"pictures": plain("red"), "captions": ["a"]} | changes))
