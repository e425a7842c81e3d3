import numpy as np
import pytest

from benchmarks.openclipart.labels import TABLE, label_matrix, read_table, without_rare
from benchmarks.openclipart.metadata import Record

TABLE_OF_THREE = {"animal": ["dog", "animal"], "mammal": ["dog"], "fruit": ["apple", "cherry"]}


def record(*keywords):
    return Record("x", "", "", keywords, (), True)


def test_keyword_under_two_labels():
    records = [record("dog", "apple", "cherry"), record("animal", "unsorted"), record("unsorted")]
    labels = label_matrix(records, TABLE_OF_THREE)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]


def test_rare_labels_go():
    records = [record("dog"), record("animal"), record("apple")]
    assert list(without_rare(records, TABLE_OF_THREE, minimum=1)) == ["animal", "mammal", "fruit"]
    assert list(without_rare(records, TABLE_OF_THREE, minimum=2)) == ["animal"]


@pytest.mark.parametrize("text", ["year: [2600]", "animal: [dog, dog]", "answer: [no]"])
def test_bad_tables_are_refused(tmp_path, text):
    (tmp_path / "labels.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"quote|twice"):
        read_table(tmp_path / "labels.yaml")


def test_committed_table_is_lower_case_and_without_noise():
    table = read_table(TABLE)
    keywords = {keyword for row in table.values() for keyword in row}
    assert all(name == name.lower() for name in [*table, *keywords])
    assert keywords.isdisjoint({"hash", "unsorted", "simple", "theme", "icons", "lemon_theme_icon", "magick"})
