"""Columns that are found by their names."""

import pytest

from labelgraph.encoders import guess_columns


def table(tmp_path, header):
    (tmp_path / "items.csv").write_text(header + "\n")
    return tmp_path / "items.csv"


@pytest.mark.parametrize(
    ("header", "image", "caption", "tags"),
    [
        ("file,caption,tags", "file", "caption", "tags"),
        ("filename,text,labels", "filename", "text", "labels"),
        ("File_Name;Description;Keywords", "File_Name", "Description", "Keywords"),
        ("id,image path,text,category,caption", "image path", "caption", "category"),
    ],
)
def test_usual_names(tmp_path, header, image, caption, tags):
    result = guess_columns(table(tmp_path, header))
    assert (result["image"], result["caption"], result["tags"]) == (image, caption, tags)
    assert result["id"] == ("id" if "id" in header.split(",") else None)


def test_a_column_that_is_given_is_not_guessed_again(tmp_path):
    result = guess_columns(table(tmp_path, "file,text,caption,tags"), {"image": "caption", "caption": None})
    assert (result["image"], result["caption"]) == ("caption", "text")


def test_what_is_missing_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"items\.csv: expected one column 'tags' .*got file, caption, colour"):
        guess_columns(table(tmp_path, "file,caption,colour"))
