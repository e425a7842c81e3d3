"""Pictures of all kinds."""

import io
import struct
import zlib

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from labelgraph.encoders import open_picture
from labelgraph.encoders.pictures import cut_margins


def saved(picture, path, **options):
    picture.save(path, **options)
    return path


def pixels(path):
    picture = open_picture(path)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def test_transparent_parts_are_white_and_half_transparent_ones_mixed(tmp_path):
    rgba = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    rgba.putpixel((1, 0), (200, 0, 0, 255))
    rgba.putpixel((2, 0), (0, 0, 0, 51))
    assert pixels(saved(rgba, tmp_path / "a.png")).tolist() == [[[255] * 3, [200, 0, 0], [204] * 3]]


def test_a_palette_with_a_transparent_colour(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    path = saved(picture, tmp_path / "a.png", transparency=1)
    assert pixels(path).tolist() == [[[10, 20, 30], [255, 255, 255]]]


@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_grey_and_black_and_white(tmp_path, mode):
    value = {"L": 120, "LA": (120, 255), "1": 1}[mode]
    grey = 255 if mode == "1" else 120
    assert pixels(saved(Image.new(mode, (2, 3), value), tmp_path / "a.png")).tolist() == [[[grey] * 3] * 2] * 3


@pytest.mark.parametrize("kind", ["a.png", "a.tiff"])
def test_sixteen_bits_keep_their_shades(tmp_path, kind):
    values = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    result = pixels(saved(Image.fromarray(values), tmp_path / kind))
    assert result.tolist() == [[[v] * 3 for v in (0, 1, 128, 255)]]


def test_cmyk(tmp_path):
    path = saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95)
    assert np.abs(pixels(path).astype(int) - [255, 0, 0]).max() <= 6


def test_it_is_turned_as_the_camera_was_held(tmp_path):
    picture = Image.new("RGB", (4, 2), "white")
    picture.putpixel((0, 0), (255, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by a quarter, clockwise.
    path = saved(picture, tmp_path / "a.png", exif=exif)
    result = pixels(path)
    assert result.shape == (4, 2, 3)
    assert result[0, 1].tolist() == [255, 0, 0]


def test_the_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    path = saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert pixels(path)[1, 1].tolist() == [255, 0, 0]


def test_large_pictures_are_shrunk_by_a_whole_number(tmp_path):
    path = saved(Image.new("L", (6200, 310), 7), tmp_path / "a.png")
    assert open_picture(path).size == (2067, 104)
    assert open_picture(saved(Image.new("L", (4095, 10)), tmp_path / "b.png")).size == (4095, 10)


def bomb(width, height):
    """A PNG of a few bytes that tells of many pixels, and has none."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [11_000, 60_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused_before_they_are_decoded(tmp_path, side, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(side, side))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=r"bomb\.png: expected .*pixels"):
        open_picture(path)


def test_the_limit_can_be_lower(tmp_path):
    path = saved(Image.new("L", (20, 30)), tmp_path / "a.png")
    assert open_picture(path, max_pixels=600).size == (20, 30)
    with pytest.raises(ValueError, match=r"a\.png: expected 1 to 599 pixels \(got 20 x 30\)"):
        open_picture(path, max_pixels=599)


def content(kind):
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


DAMAGED = {
    "empty": b"",
    "text": b"no picture at all",
    "truncated.png": content("PNG")[:-2000],
    "truncated.jpg": content("JPEG")[:-500],
    "damaged.webp": content("WEBP")[:100] + b"\0" * 50,
    "zero.png": bomb(0, 5),
    "drawing.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_errors_name_the_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(DAMAGED[name])
    with pytest.raises(ValueError, match=f"{name}: expected"):
        open_picture(path)


def test_floating_point_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.tiff: expected .*floating point"):
        open_picture(saved(Image.new("F", (2, 2)), tmp_path / "a.tiff"))


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(FileNotFoundError, match=f"{path.name}: no such picture"):
            open_picture(path)


def test_margins_go_and_the_square_is_white():
    page = Image.new("RGB", (300, 200), "white")
    page.paste((255, 0, 0), (200, 100, 240, 120))
    square = np.asarray(cut_margins(page))
    assert square.shape == (40, 40, 3)
    assert (square[10:30] == [255, 0, 0]).all()
    assert (square[[*range(10), *range(30, 40)]] == 255).all()
    assert cut_margins(Image.new("RGB", (30, 20), "white")).size == (30, 30)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
def test_an_array_is_the_picture_that_its_file_is(tmp_path, dtype):
    drawn = np.random.default_rng(0).integers(0, 256, (4, 7, 3)).astype(np.uint8)
    file = saved(Image.fromarray(drawn), tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(np.moveaxis(drawn, -1, 0).astype(dtype)), pixels(file))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 7, 3)), np.zeros((3, 4)), np.zeros((3, 0, 4)), np.full((3, 2, 2), 256), np.full((3, 2, 2), -1.0),
        np.full((3, 2, 2), np.nan), np.full((3, 2, 2), "a"),
    ],
)  # fmt: skip
def test_an_array_that_is_no_picture_is_refused(array):
    with pytest.raises(ValueError, match=r"'item' must be a picture \(3, H, W\) of values 0 to 255 \(got \("):
        open_picture(array)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("exif", [b"Exif\0\0no tiff!", b"Exif\0\0II*\0\xff\xff\xff\xff", b"junk"])
def test_pixels_are_read_whatever_the_exif_data_are(tmp_path, ending, exif):
    path = tmp_path / f"a.{ending}"
    try:
        Image.new("RGB", (8, 6), (200, 100, 50)).save(path, exif=exif)
    except Exception:
        pytest.skip("Pillow does not write it")
    assert np.abs(pixels(path).astype(int) - [200, 100, 50]).max() <= 6


def png_chunk(kind, content, good=True):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content) ^ (not good))


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 3_000_000)), png_chunk(b"tEXt", b"a\0b", good=False),
        png_chunk(b"iCCP", b"icc\0\0junk"), png_chunk(b"eXIf", b"junk"), png_chunk(b"pHYs", b""),
    ],
    ids=["large text", "checksum", "profile", "exif", "empty"],
)  # fmt: skip
def test_pixels_are_read_whatever_the_chunks_of_a_png_are(tmp_path, chunk):
    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), (200, 100, 50)).save(buffer, "PNG")
    content = buffer.getvalue()
    path = tmp_path / "a.png"
    path.write_bytes(content[:33] + chunk + content[33:])
    assert (pixels(path) == [200, 100, 50]).all()
    path.write_bytes(content[:33] + chunk + content[33:-30])
    with pytest.raises(ValueError, match=r"a\.png: expected a picture"):
        open_picture(path)


def test_every_turn_of_the_camera_is_that_of_pillow(tmp_path):
    from PIL import ImageOps

    picture = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3) * 10)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = saved(picture, tmp_path / "a.png", exif=exif)
        with Image.open(path) as opened:
            wanted = np.asarray(ImageOps.exif_transpose(opened))
        assert np.array_equal(pixels(path), wanted)


def test_sixteen_bits_with_a_transparent_grey(tmp_path):
    values = np.array([[40000, 257]], np.uint16)
    path = saved(Image.fromarray(values), tmp_path / "a.png", transparency=40000)
    assert pixels(path).tolist() == [[[255] * 3, [1] * 3]]


@pytest.mark.parametrize("size", [(1, 89_000_000), (89_000_000, 1)])
def test_sides_of_millions_of_pixels_are_refused(tmp_path, size, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(bomb(*size))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(ValueError, match=r"a\.png: expected sides of at most 65,535 pixels"):
        open_picture(path)
