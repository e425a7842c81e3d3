"""Data sets from tables as people have them."""

import warnings

import numpy as np
import pytest

pytest.importorskip("PIL")
from PIL import Image

from labelgraph.encoders import Encoder, data_from_folder, data_from_table


class Colour(Encoder):
    """The mean colour of a picture."""

    name = "colour"
    side = "image"
    channels = 3

    @property
    def options(self):
        return {}

    def prepare(self, item):
        with Image.open(item) as picture:
            return np.asarray(picture.convert("RGB"), np.float32).mean((0, 1))

    def embed(self, prepared):
        return np.stack(prepared)


def folder_of(place, lines, header="file,caption,tags", table="captions.csv", endings=("png",) * 12):
    for i, ending in enumerate(endings):
        Image.new("RGB", (4, 4), ("red", "blue")[i % 2]).save(place / f"{i}.{ending}", format="PNG")
    (place / table).write_text("\n".join([header, *lines]))
    return place


def with_warnings(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = call()
    return data, [str(warning.message) for warning in caught]


OPTIONS = {"image_encoder": Colour(), "min_tag_count": 3, "min_word_count": 3, "progress": False}


def test_other_columns_and_separators_are_read_and_told(tmp_path):
    lines = [f'{i}.png,"a {("red", "blue")[i % 2]} thing","{("red", "blue")[i % 2]}, plain"' for i in range(12)]
    folder = folder_of(tmp_path, lines, "filename,text,Labels")
    data, messages = with_warnings(lambda: data_from_folder(folder, **OPTIONS))
    assert set(data.label_names) == {"plain", "red", "blue"} and data.ids[0] == "0.png"
    assert (
        f"{folder / 'captions.csv'}: read the columns 'filename' as file, 'text' as caption, 'Labels' as tags"
        in messages
    )
    assert f"{folder / 'captions.csv'}: ',' separates the tags of the column 'Labels'" in messages


def test_usual_tables_need_no_telling(tmp_path):
    lines = [f"{i}.png,a red thing,red;plain,{('train', 'test')[i > 8]}" for i in range(12)]
    folder = folder_of(tmp_path, lines, "file,caption,tags,split")
    _, messages = with_warnings(lambda: data_from_folder(folder, separator=";", **OPTIONS))
    assert messages == []


def test_what_is_lost_is_told_with_its_reason(tmp_path):
    lines = [f"{i}.png,a red thing,red,train" for i in range(8)]
    lines += ["8.png,a red thing,rare,train", "9.png,zebra,red,train", "10.png,a red thing,,test", "11.png,red,red,"]
    folder = folder_of(tmp_path, lines, "file,caption,tags,split")
    data, messages = with_warnings(lambda: data_from_folder(folder, separator=";", **OPTIONS))
    joined = "\n".join(messages)
    assert "1 tag with fewer than 3 items left out; 1 became" in joined
    assert (
        "2 items of 12 have no label: 1 without tags, 1 whose tags are rarer than 3 items ('min_tag_count')" in joined
    )
    assert "1 item without a label is left out of the split 'train'" in joined
    assert "1 caption of 12 without a known word, the first: 'zebra'" in joined and "('min_word_count')" in joined
    assert "1 of 12 items are in no split" in joined
    assert data.splits["train"].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 9]


def test_pictures_whose_paths_differ_in_capitals(tmp_path):
    lines = [f"{i}.PNG,a red thing,red" for i in range(12)]
    folder = folder_of(tmp_path, lines)
    data, messages = with_warnings(lambda: data_from_folder(folder, **OPTIONS))
    assert len(data) == 12 and data.present.all() and data.ids[0] == "0.png"
    assert any("12 pictures" in message and "case" in message and "the first: 0.PNG" in message for message in messages)


@pytest.mark.skipif(not hasattr(Image, "core"), reason="needs Pillow")
def test_files_that_differ_only_in_capitals_stay_apart(tmp_path):
    (tmp_path / "A.png").touch()
    if (tmp_path / "a.png").exists():
        pytest.skip("the file system does not tell capitals apart")
    folder = folder_of(
        tmp_path, [f"{i}.png,a red thing,red" for i in range(10)] + ["A.png,a thing,red", "a.png,a thing,red"]
    )
    Image.new("RGB", (4, 4), "red").save(folder / "A.png")
    Image.new("RGB", (4, 4), "blue").save(folder / "a.png")
    data, _ = with_warnings(lambda: data_from_folder(folder, **OPTIONS))
    assert data.image[data.ids.index("A.png")].tolist() == [255, 0, 0]
    assert data.image[data.ids.index("a.png")].tolist() == [0, 0, 255]


def test_the_table_of_a_folder(tmp_path):
    folder = folder_of(tmp_path, [f"{i}.png;a red thing;red" for i in range(12)], "file;caption;tags", "mine.csv")
    assert len(with_warnings(lambda: data_from_folder(folder, **OPTIONS))[0]) == 12
    (folder / "other.tsv").write_text("x")
    with pytest.raises(ValueError, match=r"expected one table.*got mine\.csv, other\.tsv"):
        data_from_folder(folder)
    with pytest.raises(FileNotFoundError, match="none: no such folder"):
        data_from_folder(folder / "none")


def test_tags_that_none_share_are_shown(tmp_path):
    folder = folder_of(tmp_path, [f"{i}.png,a red thing,tag {i % 8}" for i in range(12)])
    with (
        pytest.raises(ValueError, match=r"'tags' .* 3 items \(got none; the most frequent tag, 'tag 0', has 2\)"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        data_from_table(folder / "captions.csv", **OPTIONS)


def test_tags_in_other_capitals_or_as_plural_are_one_label(tmp_path):
    lines = [f"{i}.png,a red thing,{('red', 'Red', 'reds')[i % 3]}" for i in range(12)]
    folder = folder_of(tmp_path, lines)
    data, messages = with_warnings(lambda: data_from_folder(folder, **OPTIONS))
    assert data.label_names == ("red",) and data.labels.all()
    assert any("2 tags merged" in message and "'Red' as 'red', 'reds' as 'red'" in message for message in messages)
    written, _ = with_warnings(lambda: data_from_folder(folder, merge_tags=False, **OPTIONS))
    assert set(written.label_names) == {"red", "Red", "reds"}


def test_incomplete_items_can_be_kept_outside_the_splits(tmp_path):
    lines = [f"{i}.png,{'' if i < 3 else 'a red thing'},red" for i in range(12)]
    folder = folder_of(tmp_path, lines)
    data, messages = with_warnings(lambda: data_from_folder(folder, missing="keep", **OPTIONS))
    assert len(data) == 12 and not data.present[:3, 1].any() and data.present[:, 0].all()
    assert set(np.concatenate([*data.splits.values()]).tolist()) == set(range(3, 12))
    assert "3 of 12 items are in no split: 3 without a caption" in messages
    (folder / "captions.csv").write_text(
        "\n".join(["file,caption,tags,split", *(f"{line},{('train', 'test')[i % 2]}" for i, line in enumerate(lines))])
    )
    data, _ = with_warnings(lambda: data_from_folder(folder, missing="keep", **OPTIONS))
    assert {name: index.tolist() for name, index in data.splits.items()} == {
        "train": [4, 6, 8, 10], "test": [3, 5, 7, 9, 11], "query": [3, 5, 7, 9, 11], "database": [4, 6, 8, 10],
    }  # fmt: skip


def split_into(place, split_of, blank, missing):
    """Build a data set of twelve items; the split of each is given, and some have no caption."""
    lines = [f"{i}.png,{'' if i in blank else 'a red thing'},red,{split_of(i)}" for i in range(12)]
    folder = folder_of(place, lines, "file,caption,tags,split")
    return with_warnings(lambda: data_from_folder(folder, missing=missing, **OPTIONS))


@pytest.mark.parametrize(("missing", "train"), [("keep", [5, 7, 8, 9, 10, 11]), ("mark", [*range(4, 12)])])
def test_without_training_items_those_outside_the_evaluation_train(tmp_path, missing, train):
    data, messages = split_into(tmp_path, lambda i: "test" if i < 4 else "", (1, 4, 6), missing)
    test = [0, 2, 3] if missing == "keep" else [0, 1, 2, 3]
    assert {name: rows.tolist() for name, rows in data.splits.items()} == {
        "train": train, "test": test, "query": test, "database": train,
    }  # fmt: skip
    assert (
        f"no item is in the split 'train': it gets the {len(train)} items outside validation, test, query" in messages
    )
    data, _ = split_into(tmp_path, lambda i: "query" if i < 4 else "database", (), missing)
    assert data.splits["train"].tolist() == data.splits["database"].tolist() == [*range(4, 12)]


def test_without_any_item_to_train_on_the_data_are_for_evaluation(tmp_path):
    data, messages = split_into(tmp_path, lambda i: "test" if i < 6 else "val", (1,), "keep")
    assert {name: len(rows) for name, rows in data.splits.items()} == {"test": 5, "validation": 6}
    assert any("no item is left for the split 'train'" in message for message in messages)


def test_a_split_without_a_usable_item_is_left_out(tmp_path):
    data, messages = split_into(tmp_path, lambda i: "test" if i < 2 else "train", (0, 1), "keep")
    assert {name: len(rows) for name, rows in data.splits.items()} == {"train": 10, "database": 10}
    assert "without a split 'test': none of its items can be used" in messages
    with pytest.raises(ValueError, match=r"'splits' must have .* a picture and a caption in 'train' \(got none\)"):
        split_into(tmp_path, lambda i: "train" if i < 4 else "test", range(4), "keep")
