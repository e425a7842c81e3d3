"""Data sets from a folder with a table."""

from typing import ClassVar

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from labelgraph.features import BagOfWords, Encoder, data_from_folder, open_picture


class Brightness(Encoder):
    """Mean brightness."""

    name = "brightness"
    side = "image"
    channels = 1
    options: ClassVar[dict] = {}

    def prepare(self, item):
        return np.asarray(open_picture(item), dtype=np.float32).mean(keepdims=True).reshape(1)

    def embed(self, prepared):
        return np.stack(prepared)


def folder_with(tmp_path, lines, name="captions.csv", header="file,caption,tags", encoding="utf-8"):
    for i in range(3):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("L", (2, 2), 10 * i).save(tmp_path / "in" / f"{i}.png")
    (tmp_path / name).write_text("\n".join([header, *lines]), encoding=encoding)
    return tmp_path


def read(folder):
    encoders = {"image_encoder": Brightness(), "text_encoder": BagOfWords(["cat", "chat"])}
    return data_from_folder(folder, **encoders, min_tag_count=1, splits={"train": range(3)}, progress=False)


LINES = ['in/0.png,"A cat, asleep",cat; animal ;', "in/1.png,Le chat de l'été,cat", "in/2.png,A cat cat,"]


@pytest.mark.parametrize("name", ["captions.csv", "metadata.csv"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_folder_with_a_table(tmp_path, name, encoding):
    data = read(folder_with(tmp_path, LINES, name, encoding=encoding))
    assert data.ids == ("in/0.png", "in/1.png", "in/2.png")
    assert data.titles == ("A cat, asleep", "Le chat de l'été", "A cat cat")
    assert data.label_names == ("cat", "animal")
    assert data.labels.tolist() == [[1, 1], [1, 0], [0, 0]]
    assert data.image.flatten().tolist() == [0, 10, 20]
    assert data.splits["train"].tolist() == [0, 1]


def test_titles_of_their_own(tmp_path):
    lines = ["Night,in/0.png,cat,A dark cat", ",in/1.png,cat,A cat", ",in/2.png,cat,"]
    data = read(folder_with(tmp_path, lines, header="title,file,tags,caption"))
    assert data.titles == ("Night", "A cat", "in/2.png")
    assert data.present.tolist() == [[True, True], [True, True], [True, False]]


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected a folder with captions\.csv or metadata\.csv"):
        data_from_folder(tmp_path)
    with pytest.raises(ValueError, match=r"captions\.csv: expected one column 'caption' \(got file, text, tags\)"):
        data_from_folder(folder_with(tmp_path, LINES, header="file,text,tags"))
    with pytest.raises(ValueError, match=r"captions\.csv: expected each file once \(got 'in/0\.png' twice\)"):
        data_from_folder(folder_with(tmp_path, [*LINES, LINES[0]]))
