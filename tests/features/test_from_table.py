"""Data sets from a table: columns by name, splits, rows without a picture."""

import numpy as np
import pytest

pytest.importorskip("PIL")

from labelgraph.features import BagOfWords, data_from_table
from tests.features.test_from_folder import LINES, Brightness, folder_with, read

COLUMNS = {"image": "picture", "caption": "words", "tags": "labels", "split": "part", "id": "name"}
TABLE = """name,picture,words,labels,part
a,in/0.png,A cat asleep,cat|night,train
b,,Le chat,cat,train
c,gone.png,A cat,night,dev
d,in/2.png,,cat,test
e,,,cat,test
"""


def made(path, **options):
    encoders = {"image_encoder": Brightness(), "text_encoder": BagOfWords(["cat", "chat"])}
    return data_from_table(path, **encoders, min_tag_count=1, progress=False, **options)


def test_columns_by_name_splits_and_what_is_missing(tmp_path):
    folder_with(tmp_path, [])
    (tmp_path / "items.csv").write_text(TABLE)
    failures = []
    with pytest.warns(UserWarning, match=r"items\.csv: 1 rows left out, with no picture and no caption: 4"):
        data = made(tmp_path / "items.csv", **COLUMNS, separator="|", on_failure=failures.append)
    assert data.ids == ("a", "b", "c", "d") and data.titles == ("A cat asleep", "Le chat", "A cat", "d")
    assert data.present.tolist() == [[True, True], [False, True], [False, True], [True, False]]
    assert data.image.flatten().tolist() == [0, 0, 0, 20]
    assert data.label_names == ("cat", "night") and data.labels.tolist() == [[1, 1], [1, 0], [0, 1], [1, 0]]
    splits = {name: index.tolist() for name, index in data.splits.items()}
    assert splits == {"train": [0, 1], "validation": [2], "test": [3], "query": [3], "database": [0, 1, 2]}
    assert [(each.row, each.item) for each in failures] == [(2, str(tmp_path / "gone.png"))]


def test_a_folder_is_its_table(tmp_path):
    whole = read(folder_with(tmp_path, LINES))
    again = made(tmp_path / "captions.csv", splits={"train": range(3)})
    assert whole.ids == again.ids and whole.titles == again.titles and whole.label_names == again.label_names
    np.testing.assert_array_equal(whole.image, again.image)


def test_pictures_elsewhere_and_rows_without_any_have_ids_that_tell_them_apart(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder_with(elsewhere, [])
    lines = ["file,caption,tags", f"{elsewhere / 'in' / '1.png'},A cat,cat", ",A chat,cat", ",Another cat,cat"]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "items.csv").write_text("\n".join(lines))
    data = made(tmp_path / "tables" / "items.csv", splits={"train": [0, 1, 2]})
    assert data.ids == (str(elsewhere / "in" / "1.png"), "item 1", "item 2")
    assert data.image.flatten().tolist() == [10, 0, 0]


def test_without_any_picture_nothing_is_made(tmp_path):
    (tmp_path / "items.csv").write_text("file,caption,tags\n,A cat,cat\n")
    with pytest.raises(ValueError, match=r"'images' must have one that can be read \(got none\)"):
        made(tmp_path / "items.csv")
