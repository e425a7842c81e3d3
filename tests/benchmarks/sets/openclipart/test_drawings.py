import io

import numpy as np
from PIL import Image

from benchmarks.datasets.openclipart.drawings import blank_thumbnail, drawn, on_white_square, take, to_thumbnail


def save(picture, path):
    picture.save(path)
    return path


def page(box=None, ground=(0, 0, 0, 0)):
    picture = Image.new("RGBA", (300, 200), ground)
    if box:
        picture.paste((255, 0, 0, 255), box)
    return picture


def test_margins_go_and_the_square_is_white(tmp_path):
    square = np.asarray(on_white_square(save(page((200, 100, 240, 120)), tmp_path / "a.png")))
    assert square.shape == (40, 40, 3)
    assert (square[10:30] == [255, 0, 0]).all()
    assert (square[:10] == 255).all()
    assert (square[30:] == 255).all()


def test_a_blank_page_stays_whole_and_is_found(tmp_path):
    paths = [
        save(page(), tmp_path / "transparent.png"),
        save(page((0, 0, 9, 9)), tmp_path / "drawn.png"),
        save(page(ground=(255, 255, 255, 255)), tmp_path / "white.png"),
    ]
    assert on_white_square(paths[0]).size == (300, 300)
    thumbnails = [to_thumbnail(on_white_square(path)) for path in paths]
    data = np.frombuffer(b"".join(thumbnails), dtype=np.uint8)
    offsets = np.cumsum([0, *map(len, thumbnails)])
    assert drawn(data, offsets).tolist() == [1]


def test_taken_thumbnails_are_the_same_bytes():
    pieces = [blank_thumbnail(), to_thumbnail(page((0, 0, 30, 30)).convert("RGB")), b"abc"]
    data = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    taken = take(data, np.cumsum([0, *map(len, pieces)]), np.array([0, 2]))
    assert taken["data"].tobytes() == pieces[0] + pieces[2]
    assert taken["offsets"].tolist() == [0, len(pieces[0]), len(pieces[0]) + 3]


def test_thumbnail_size():
    white = Image.new("RGB", (50, 50), "white")
    with Image.open(io.BytesIO(to_thumbnail(white))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (64, 64))


def test_huge_pictures_are_shrunk_first(tmp_path):
    path = save(Image.new("L", (6000, 3000), "black"), tmp_path / "a.png")
    assert on_white_square(path).size == (3000, 3000)
