"""Tables of raw items."""

import csv
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelgraph.encoders import read_table

CSV = """name,picture,words,labels,part
p1,a/1.jpg,"A red cat, asleep",cat; red,train
p2,,only words,dog,val
p3,3.jpg,,cat;cat; ,test
p4,,,cat,test
p5,5.jpg,nothing said,,train
"""
COLUMNS = {"image": "picture", "caption": "words", "tags": "labels", "split": "part", "id": "name"}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "items.csv").write_text(CSV, encoding="utf-8-sig")
    return tmp_path / "items.csv"


def test_a_table_gives_items_labels_and_splits(path):
    with pytest.warns(UserWarning) as warned:
        table = read_table(path, **COLUMNS)
    assert [str(warning.message) for warning in warned] == [
        f"{path}: 1 row left out, with no picture and no caption: 3", f"{path}: 1 item without a label: 3",
    ]  # fmt: skip
    assert table.image_paths == [path.parent / "a" / "1.jpg", None, path.parent / "3.jpg", path.parent / "5.jpg"]
    assert table.captions == ["A red cat, asleep", "only words", "", "nothing said"]
    assert table.label_names == ("cat", "dog", "red") and table.ids == ["p1", "p2", "p3", "p5"]
    assert table.labels.toarray().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert {name: rows.tolist() for name, rows in table.splits.items()} == {
        "train": [0, 3], "validation": [1], "test": [2],
    }  # fmt: skip
    assert table.present.tolist() == [[True, True], [False, True], [True, False], [True, True]]
    assert (table.empty, table.unlabelled, len(table)) == ((3,), (3,), 4)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_rare_labels_are_left_out(path):
    table = read_table(path, **COLUMNS, min_count=2)
    assert table.label_names == ("cat",) and table.unlabelled == (1, 3)
    with pytest.raises(ValueError, match=r"items\.csv: expected a label that occurs at least 9 times \(got 3 rarer\)"):
        read_table(path, **COLUMNS, min_count=9)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_parquet_is_the_same_table_with_lists_of_tags_as_well(tmp_path, path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    expected = read_table(path, **COLUMNS)
    columns = {
        "name": ["p1", "p2", "p3", "p4", "p5"], "picture": ["a/1.jpg", None, "3.jpg", None, "5.jpg"],
        "words": ["A red cat, asleep", "only words", None, "", "nothing said"],
        "part": ["train", "val", "test", "test", "train"],
    }  # fmt: skip
    for labels in (["cat;red", "dog", "cat", "cat", None], [["red", "cat"], ["dog"], ["cat", None], ["cat"], None]):
        parquet.write_table(pyarrow.table(columns | {"labels": labels}), tmp_path / "items.parquet")
        table = read_table(tmp_path / "items.parquet", **COLUMNS)
        np.testing.assert_array_equal(table.labels.toarray(), expected.labels.toarray())
        for attribute in ("image_paths", "captions", "label_names", "ids", "empty"):
            assert getattr(table, attribute) == getattr(expected, attribute)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,caption\na,b\n", r"expected one column 'tags' \(got file, caption\)"),
        ("", r"expected one column 'file' \(got none\)"),
        ("file,file,caption,tags\n", "expected one column 'file'"),
        ("file,caption,tags\na,b\n", r"line 2 must have 3 values \(got 2\)"),
        ('file,caption,tags\na,"b,c\n', "expected a CSV table in UTF-8"),
        ("file,caption,tags\n,,cat\n", r"expected rows with a picture or a caption \(got 1 rows with neither\)"),
        ("file,caption,tags\n", "expected rows with a picture"),
    ],
)
def test_wrong_tables_are_refused_by_name(tmp_path, content, message):
    (tmp_path / "items.csv").write_text(content)
    with pytest.raises(ValueError, match=r"items\.csv: " + message):
        read_table(tmp_path / "items.csv")


def test_files_that_are_no_tables(tmp_path):
    (tmp_path / "items.csv").write_bytes(b"file,caption,tags\n\xff\xfe,b,c\n")
    with pytest.raises(ValueError, match="expected a CSV table in UTF-8"):
        read_table(tmp_path / "items.csv")
    (tmp_path / "items.xlsx").write_bytes(b"")
    with pytest.raises(ValueError, match=r"expected a table ending in \.csv, \.tsv, \.parquet \(got \.xlsx\)"):
        read_table(tmp_path / "items.xlsx")
    with pytest.raises(FileNotFoundError, match=r"none\.csv: no such table"):
        read_table(tmp_path / "none.csv")


WRITTEN = st.text(st.characters(codec="utf-8"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(WRITTEN, WRITTEN, st.lists(WRITTEN, max_size=3)), min_size=1, max_size=6),
    ending=st.sampled_from([".csv", ".tsv", ".parquet"]),
)
def test_any_text_is_read_as_it_was_written(rows, ending):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names, captions, tags = (list(column) for column in zip(*rows, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"items{ending}"
        if ending == ".parquet":
            pq.write_table(
                pa.table({"file": names, "caption": captions, "tags": pa.array(tags, pa.list_(pa.string()))}), path
            )
        else:
            tags = [[part for tag in each for part in tag.split(";")] for each in tags]
            with path.open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file, delimiter="\t" if ending == ".tsv" else ",")
                table.writerows([["file", "caption", "tags"], *zip(names, captions, map(";".join, tags), strict=True)])
        numbers = [row for row in range(len(rows)) if names[row].strip() or captions[row].strip()]
        wanted = [sorted({tag.strip() for tag in tags[row]} - {""}) for row in numbers]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not any(wanted):
                with pytest.raises(ValueError, match=r"items\.\w+: expected"):
                    read_table(path, separator=";")
                return
            result = read_table(path, separator=";")
    assert result.captions == [captions[row].strip() for row in numbers]
    assert [result.tags[place] for place in range(len(numbers))] == wanted
    assert result.empty == tuple(sorted(set(range(len(rows))) - set(numbers)))


def parquet_tags(tmp_path, values, **columns):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = {"file": ["a.jpg", "b.jpg", "c.jpg"], "caption": ["x", "y", "z"], "tags": values, **columns}
    pq.write_table(pa.table(table), tmp_path / "items.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read_table(tmp_path / "items.parquet", split="split" if "split" in columns else None).tags


@pytest.mark.parametrize(
    ("values", "tags"),
    [
        ([0, 1, 2], [["0"], ["1"], ["2"]]),
        ([[0], [1], [2]], [["0"], ["1"], ["2"]]),
        ([False, True, False], [["False"], ["True"], ["False"]]),
        ([1.0, float("nan"), None], [["1"], [], []]),
        ([0.5, float("nan"), 0.0], [["0.5"], [], ["0"]]),
        ([["a", None], [], None], [["a"], [], []]),
    ],
)
def test_missing_tags_are_missing_and_all_others_are_kept(tmp_path, values, tags):
    assert parquet_tags(tmp_path, values) == tags


@pytest.mark.parametrize(
    "values", [[{"n": "cat"}] * 3, [[["cat"]]] * 3, [b"cat"] * 3, [[{"n": 1}]] * 3, [[b"cat"]] * 3]
)
def test_values_that_are_no_tags_are_refused(tmp_path, values):
    with pytest.raises(ValueError, match=r"items\.parquet: column 'tags', row 0, must hold texts"):
        parquet_tags(tmp_path, values)


def test_a_damaged_page_of_parquet_is_refused(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"file": ["a.jpg"] * 3, "caption": ["the first caption"] * 3, "tags": ["cat"] * 3}
    path = tmp_path / "items.parquet"
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True, "write_statistics": False}
    pq.write_table(pa.table(columns), path, **options)
    path.write_bytes(path.read_bytes().replace(b"the first caption", b"the worst caption", 1))
    with pytest.raises(ValueError, match=r"items\.parquet: expected a Parquet table") as error:
        read_table(path)
    assert "\n" not in str(error.value)


def written(tmp_path, content, name="items.csv"):
    (tmp_path / name).write_text(content)
    return tmp_path / name


@pytest.mark.parametrize("tags", ["cat; red", "cat|red", "cat, red", "['cat', 'red']", '["red", "cat"]'])
def test_separators_are_recognised(tmp_path, tags):
    path = written(tmp_path, f"file\tcaption\ttags\na.jpg\tx\t{tags}\nb.jpg\ty\tdog\n", "items.tsv")
    table = read_table(path) if '"' not in tags else read_table(written(
        tmp_path, 'file,caption,tags\na.jpg,x,"[""red"", ""cat""]"\nb.jpg,y,dog\n'
    ))  # fmt: skip
    assert table.tags == [["cat", "red"], ["dog"]]


def test_several_separators_are_asked_about(tmp_path):
    path = written(tmp_path, 'file,caption,tags\na.jpg,x,"Paris, France; Rome"\nb.jpg,y,a|b\n')
    with pytest.raises(
        ValueError, match=r"column 'tags' has ';' in 1 rows and '\|' in 1 rows and ',' in 1 rows.*'separator'"
    ):
        read_table(path)
    assert read_table(path, separator=";").tags == [["Paris, France", "Rome"], ["a|b"]]
    assert read_table(path, separator=",").tags == [["France; Rome", "Paris"], ["a|b"]]
    assert read_table(path, separator=[";", ","]).tags == [["France", "Paris", "Rome"], ["a|b"]]
    assert read_table(path, separator=[";", ",", "|"]).tags == [["France", "Paris", "Rome"], ["a", "b"]]


def test_a_separator_that_does_not_occur_is_told(tmp_path):
    path = written(tmp_path, "file,caption,tags\na.jpg,x,cat;dog\nb.jpg,y,cat|dog\n")
    with pytest.warns(UserWarning, match=r"column 'tags' has the separator ';\|' in no row, but ';' in 1 rows"):
        read_table(path, separator=";|")
    for wrong in ("", [], [";", ""]):
        with pytest.raises(ValueError, match="'separator' must be a text of at least one character"):
            read_table(path, separator=wrong)


@pytest.mark.parametrize("delimiter", [";", "|", "\t", ","])
def test_other_delimiters_of_csv(tmp_path, delimiter):
    lines = [["file", "caption", "tags"], ["a.jpg", "a cat", "cat"], ["b.jpg", "a dog", "dog"]]
    table = read_table(written(tmp_path, "\n".join(map(delimiter.join, lines))))
    assert table.captions == ["a cat", "a dog"] and table.tags == [["cat"], ["dog"]]


@pytest.mark.parametrize(
    "names", [("train", "validation", "test"), ("Train", "Val", "TEST"), (" TRAINING ", "dev", "Testing")]
)
def test_splits_in_any_capitals(tmp_path, names):
    rows = "".join(f"{i}.jpg,a word,cat,{name}\n" for i, name in enumerate([*names, ""]))
    table = read_table(written(tmp_path, "file,caption,tags,split\n" + rows), split="split")
    assert {name: rows.tolist() for name, rows in table.splits.items()} == {
        "train": [0],
        "validation": [1],
        "test": [2],
    }


def test_a_split_that_is_not_understood_is_an_error(tmp_path):
    path = written(tmp_path, "file,caption,tags,split\na.jpg,x,cat,train\nb.jpg,y,cat,tset\n")
    with pytest.raises(ValueError, match=r"items\.csv: column 'split' must be one of train, .*got 'tset'"):
        read_table(path, split="split")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b", "a"], r"expected each name once \(got 'a' twice\)"),
        (["a", None, "b"], r"column 'name' must have an id in each row \(got none in row 1\)"),
        ([b"a", b"b", b"c"], "column 'name', row 0, must hold texts"),
        ([1.0, float("nan"), 2.0], r"column 'name' must have an id in each row"),
    ],
)
def test_ids_are_there_and_distinct(tmp_path, ids, message):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"file": ["a.jpg"] * 3, "caption": ["x"] * 3, "tags": ["cat"] * 3, "name": ids}
    pq.write_table(pa.table(columns), tmp_path / "items.parquet")
    with pytest.raises(ValueError, match=r"items\.parquet: " + message):
        read_table(tmp_path / "items.parquet", id="name")
