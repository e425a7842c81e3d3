"""Small pictures come by row, only from files of the data set."""

import io

import pytest
from PIL import Image

from labelgraph.cli.app.item_pictures import ItemPictures
from labelgraph.data import load_openclipart, load_thumbnails


def opened(content):
    return Image.open(io.BytesIO(content))


def test_a_picture_is_a_small_jpeg_of_its_file(tmp_path):
    Image.new("RGB", (1000, 500), "#00ff00").save(tmp_path / "a b.png")
    held = ItemPictures(["missing.png", "a b.png"], None, None, tmp_path)
    small = opened(held.jpeg(1))
    assert (small.format, small.size) == ("JPEG", (320, 160))
    assert small.getpixel((9, 9))[1] > 240 > small.getpixel((9, 9))[0]
    assert len(held) == 1 and [held.has(row) for row in (-1, 0, 1, 2)] == [False, False, True, False]
    assert [held.jpeg(row) for row in (-1, 0, 2, 10**30)] == [None] * 4


@pytest.mark.parametrize("each", ["../out.png", "in/../../out.png", "{folder}/out.png", "in/\0.png"])
def test_ids_that_lead_out_of_the_folder_have_no_picture(tmp_path, each):
    (tmp_path / "set" / "in").mkdir(parents=True)
    for path in ("out.png", "set/in/1.png"):
        Image.new("RGB", (9, 9)).save(tmp_path / path)
    held = ItemPictures([each.format(folder=tmp_path), "in/1.png"], None, None, tmp_path / "set")
    assert [held.has(0), held.has(1)] == [False, True] and held.jpeg(0) is None


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n1234"])
def test_a_damaged_file_is_no_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    assert ItemPictures(["a.png"], None, None, tmp_path).jpeg(0) is None


def test_other_files_are_never_sent(tmp_path):
    (tmp_path / "data.npz").write_text("secret")
    assert ItemPictures(["data.npz"], None, None, tmp_path).jpeg(0) is None


def test_a_named_folder_without_pictures_is_an_error(tmp_path):
    assert len(ItemPictures(["a"], None, str(tmp_path / "data.npz"), None)) == 0
    with pytest.raises(ValueError, match=r"'--pictures'.*'a'"):
        ItemPictures(["a"], None, None, tmp_path)


def test_the_bundled_set_has_its_own_thumbnails():
    data = load_openclipart()
    held = ItemPictures(data.ids[:9], data, "openclipart", None)
    (wanted,) = load_thumbnails([7])
    assert len(held) == 9 and opened(held.jpeg(7)).size == wanted.size
