"""Data sets from pictures with captions and tags."""

from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from labelgraph._core.parts import Part
from labelgraph.data import load_path, merge_parts, save_folder, save_npz
from labelgraph.encoders import BagOfWords, Encoder, data_from_files, data_from_folder, data_from_table, open_picture

pytest.importorskip("PIL")


class MeanColour(Encoder):
    """Mean red, green and blue, quick to compute."""

    name = "mean-colour"
    side = "image"
    channels = 3
    options: ClassVar[dict] = {}

    def prepare(self, item):
        return np.asarray(open_picture(item), dtype=np.float32).mean((0, 1))

    def embed(self, prepared):
        return np.stack(prepared)


COLOURS = ["red", "lime", "blue", "white"]


@pytest.fixture
def items(tmp_path):
    """Forty pictures with captions and tags; the tag `rare` comes twice."""
    images, captions, tags = [], [], []
    for i in range(40):
        path = tmp_path / f"{i:02}.png"
        Image.new("RGB", (4, 4), COLOURS[i % 4]).save(path)
        images.append(path)
        captions.append(f"A {COLOURS[i % 4]} thing")
        tags.append([COLOURS[i % 4], *(["even"] if i % 2 == 0 else []), *(["rare"] if i in (3, 7) else [])])
    return images, captions, tags


def make(items, **options):
    return data_from_files(*items, **{"image_encoder": MeanColour(), "progress": False, **options})


def test_features_labels_and_settings(items):
    data = make(items, splits={"train": range(40)})
    images, captions, tags = items
    assert len(data) == 40 and data.is_complete
    assert data.image[1].tolist() == [0, 255, 0]
    assert data.label_names == ("even", "blue", "lime", "red", "white")
    wanted = [{tag for tag in each if tag != "rare"} for each in tags]
    assert [{data.label_names[j] for j in row.nonzero().flatten().tolist()} for row in data.labels] == wanted
    assert data.encoders == {"image": {"encoder": "mean-colour"}, "text": BagOfWords.fit(captions).settings}
    assert data.text.toarray().tolist() == BagOfWords.fit(captions).encode(captions).toarray().tolist()
    assert (data.ids[5], data.titles[5]) == (str(images[5]), captions[5])


def test_random_splits_cover_all_and_repeat(items):
    data, again, other = (make(items, min_tag_count=2, seed=seed) for seed in (0, 0, 1))
    splits = {name: index.tolist() for name, index in data.splits.items()}
    assert splits == {name: index.tolist() for name, index in again.splits.items()}
    assert splits["test"] != other.splits["test"].tolist()
    assert (len(splits["train"]), len(splits["validation"]), len(splits["test"])) == (32, 4, 4)
    assert sorted(splits["train"] + splits["validation"] + splits["test"]) == list(range(40))
    assert splits["query"] == splits["test"] and sorted(splits["database"] + splits["query"]) == list(range(40))


def test_random_splits_for_evaluation_have_items_with_a_frequent_tag(items):
    images, captions, tags = items
    tags = [[] if i % 2 else each for i, each in enumerate(tags)]
    data = make((images, captions, tags), min_tag_count=2)
    assert len(data.splits["validation"]) == len(data.splits["test"]) == 2  # A tenth of the 20 items with a tag.
    for name in ("train", "validation", "test"):
        assert data.labels[data.splits[name]].sum(1).min() > 0
    assert sorted([*data.splits["database"], *data.splits["test"]]) == list(range(40))


def test_labels_and_words_are_learned_from_the_training_items(items):
    images, captions, tags = items
    captions = [caption + " seen" if i < 3 else caption for i, caption in enumerate(captions)]
    data = make((images, captions, tags), splits={"train": range(3, 40), "test": range(3)}, min_tag_count=2)
    assert "rare" in data.label_names
    assert "seen" not in data.encoders["text"]["vocabulary"]
    data = make((images, captions, tags), splits={"train": range(4, 40), "test": range(4)}, min_tag_count=2)
    assert "rare" not in data.label_names


def test_training_items_without_labels_leave_the_training_split(items):
    images, captions, tags = items
    tags = [[] if i == 5 else tags[i] for i in range(40)]
    data = make((images, captions, tags), splits={"train": range(10), "test": [*range(5, 40)]}, min_tag_count=1)
    assert data.splits["train"].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert len(data.splits["test"]) == 35


@pytest.fixture
def incomplete(items):
    """Picture 2 is damaged, caption 4 is blank, 6 is both."""
    images, captions, tags = items
    for row in (2, 6):
        images[row].write_bytes(images[row].read_bytes()[:30])
    return images, ["  " if i in (4, 6) else caption for i, caption in enumerate(captions)], tags


def test_missing_sides_are_marked_and_items_without_any_left_out(incomplete):
    with pytest.warns(UserWarning, match=r"2 of 40 pictures cannot be read, the first: .*02\.png: expected"):
        data = make(incomplete, splits={"train": range(30), "test": range(30, 40)})
    assert len(data) == 39
    assert (~data.present).nonzero().tolist() == [[2, 0], [4, 1]]
    assert data.image[2].tolist() == [0, 0, 0]
    assert data.splits["train"].tolist() == list(range(29)) and data.splits["test"].tolist() == list(range(29, 39))
    assert data.ids[6].endswith("07.png")


@pytest.mark.filterwarnings("ignore:.*cannot be read")
def test_incomplete_items_are_dropped_where_asked(incomplete, tmp_path):
    out = tmp_path / "features.npy"
    options = {"splits": {"train": [0, 2, 3, 7], "test": [6, 8]}, "min_tag_count": 1, "out": out}
    with pytest.warns(UserWarning, match="1 of 40 items are left out: 1 without a caption"):
        data = make(incomplete, missing="drop", **options)
    assert len(data) == 37 and data.is_complete
    assert [data.ids[i][-6:] for i in data.splits["train"].tolist()] == ["00.png", "03.png", "07.png"]
    assert [data.ids[i][-6:] for i in data.splits["test"].tolist()] == ["08.png"]
    assert np.load(out).shape == (40, 3)


def test_own_text_encoder_ids_and_titles(items):
    encoder, names = BagOfWords(["blue", "red"]), [f"n{i}" for i in range(40)]
    data = make(items, text_encoder=encoder, ids=names, titles=names[::-1])
    assert data.text_channels == 2 and data.encoders["text"] == encoder.settings
    assert data.ids == tuple(names) and data.titles == tuple(names[::-1])


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (1, {}, r"'captions' must have an entry per picture, 40 \(got 39\)"),
        (2, {}, r"'tags' must have an entry per picture, 40 \(got 39\)"),
        (None, {"ids": ["a"]}, "'ids' must have an entry per picture"),
        (None, {"missing": "ignore"}, "'missing' must be one of mark, drop, keep"),
        (None, {"min_tag_count": 41}, "'tags' must have a tag with at least 41 items"),
        (None, {"splits": {"train": [0, 40]}}, "'splits' must have row numbers below 40 in 'train'"),
        (None, {"splits": {"train": [-1]}}, "'splits' must have row numbers below 40 in 'train'"),
    ],
)
def test_wrong_arguments_are_refused(items, change, options, message):
    items = tuple(column[:-1] if i == change else column for i, column in enumerate(items))
    with pytest.raises(ValueError, match=message):
        make(items, **options)


def test_tags_as_text_are_refused(items):
    with pytest.raises(ValueError, match=r"'tags' must have a collection of tags per picture \(got the text 'red'\)"):
        make((*items[:2], ["red"] * 40))


@pytest.mark.filterwarnings("ignore:.*cannot be read")
def test_pictures_of_which_none_can_be_read_are_refused(items):
    images, captions, tags = items
    with pytest.raises(ValueError, match=r"'images' must have a picture .*none/00\.png: no such picture"):
        make(([path.parent / "none" / path.name for path in images], captions, tags))


pytest.importorskip("PIL")


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
    with pytest.raises(ValueError, match=r"captions\.csv: expected one column 'caption' .*\(got file, words, tags\)"):
        data_from_folder(folder_with(tmp_path, LINES, header="file,words,tags"))
    with pytest.raises(ValueError, match=r"captions\.csv: expected each file once \(got 'in/0\.png' twice\)"):
        data_from_folder(folder_with(tmp_path, [*LINES, LINES[0]]))


pytest.importorskip("PIL")


COLUMNS = {"image": "picture", "caption": "words", "tags": "labels", "split": "part", "id": "name"}
TABLE = """name,picture,words,labels,part
a,in/0.png,A cat asleep,cat|night,train
b,,Le chat,cat,train
c,gone.png,A cat,night,dev
d,in/2.png,,cat,test
e,,,cat,test
"""


def from_table(path, **options):
    encoders = {"image_encoder": Brightness(), "text_encoder": BagOfWords(["cat", "chat"])}
    return data_from_table(path, **encoders, min_tag_count=1, progress=False, **options)


def test_columns_by_name_splits_and_what_is_missing(tmp_path):
    folder_with(tmp_path, [])
    (tmp_path / "items.csv").write_text(TABLE)
    failures = []
    with pytest.warns(UserWarning, match=r"items\.csv: 1 row left out, with no picture and no caption: 4"):
        data = from_table(tmp_path / "items.csv", **COLUMNS, separator="|", on_failure=failures.append)
    assert data.ids == ("a", "b", "c", "d") and data.titles == ("A cat asleep", "Le chat", "A cat", "d")
    assert data.present.tolist() == [[True, True], [False, True], [False, True], [True, False]]
    assert data.image.flatten().tolist() == [0, 0, 0, 20]
    assert data.label_names == ("cat", "night") and data.labels.tolist() == [[1, 1], [1, 0], [0, 1], [1, 0]]
    splits = {name: index.tolist() for name, index in data.splits.items()}
    assert splits == {"train": [0, 1], "validation": [2], "test": [3], "query": [3], "database": [0, 1, 2]}
    assert [(each.row, each.item) for each in failures] == [(2, str(tmp_path / "gone.png"))]


def test_a_folder_is_its_table(tmp_path):
    whole = read(folder_with(tmp_path, LINES))
    again = from_table(tmp_path / "captions.csv", splits={"train": range(3)})
    assert whole.ids == again.ids and whole.titles == again.titles and whole.label_names == again.label_names
    np.testing.assert_array_equal(whole.image, again.image)


def test_pictures_elsewhere_and_rows_without_any_have_ids_that_tell_them_apart(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder_with(elsewhere, [])
    lines = ["file,caption,tags", f"{elsewhere / 'in' / '1.png'},A cat,cat", ",A chat,cat", ",Another cat,cat"]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "items.csv").write_text("\n".join(lines))
    data = from_table(tmp_path / "tables" / "items.csv", splits={"train": [0, 1, 2]})
    assert data.ids == (str(elsewhere / "in" / "1.png"), "item 1", "item 2")
    assert data.image.flatten().tolist() == [10, 0, 0]


def test_without_any_picture_nothing_is_made(tmp_path):
    (tmp_path / "items.csv").write_text("file,caption,tags\n,A cat,cat\n")
    with pytest.raises(ValueError, match=r"'images' must have a picture that can be read \(got none\)"):
        from_table(tmp_path / "items.csv")


def same_data(left, right):
    assert np.array_equal(left.image, right.image) and (left.text != right.text).nnz == 0
    assert np.array_equal(left.labels, right.labels) and np.array_equal(left.present, right.present)
    assert (left.ids, left.titles, left.label_names) == (right.ids, right.titles, right.label_names)
    assert left.encoders == right.encoders
    assert {k: v.tolist() for k, v in left.splits.items()} == {k: v.tolist() for k, v in right.splits.items()}


@pytest.mark.parametrize("ending", ["", ".npz"])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_merged_parts_are_the_data_set_of_one_run(items, tmp_path, count, ending):
    save = save_npz if ending else save_folder
    paths = []
    for part in (Part(number, count) for number in range(1, count + 1)):
        paths.append(part.beside(tmp_path / f"parts{ending}"))
        save(make(items, part=part, missing="keep"), paths[-1])
    merge_parts(paths[::-1], tmp_path / f"merged{ending}")
    same_data(load_path(tmp_path / f"merged{ending}"), make(items, missing="keep"))


@pytest.mark.parametrize("missing", ["keep", "mark", "drop"])
def test_parts_lack_the_pictures_that_cannot_be_read(items, tmp_path, missing):
    images, captions, _ = items
    images[5].write_bytes(b"junk")
    images[8], captions[20], captions[5] = None, " ", "A caption"
    parts = [make(items, part=Part(number, 4), missing=missing, on_failure=lambda _: 0) for number in (1, 2, 3, 4)]
    ids = [id for part in parts for id in part.ids]
    expected = {"drop": 37}.get(missing, 40)
    assert len(ids) == len(set(ids)) == expected
    first = parts[0]
    usable = {first.ids[row] for rows in first.splits.values() for row in rows.tolist()}
    assert (str(images[5]) in usable) == (missing == "mark")
    if missing != "drop":
        row = first.ids.index(str(images[5]))
        assert first.present[row].tolist() == [False, True] and not first.image[row].any()


def test_a_part_may_have_captions_only(items):
    images, captions, tags = items
    data = make(([None] * 20 + images[20:], captions, tags), part=Part(1, 2), missing="mark")
    assert len(data) == 20 and not data.present[:, 0].any() and not data.image.any()
