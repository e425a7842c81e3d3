import numpy as np
import pytest

from benchmarks.datasets.openclipart.annotations import (
    TABLE,
    Record,
    bags,
    label_matrix,
    read_record,
    read_records,
    read_table,
    without_rare,
    word_matrix,
)

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


SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg"><title>not this one</title><metadata>
<rdf:RDF xmlns:cc="http://web.resource.org/cc/" xmlns:dc="http://purl.org/dc/elements/1.1/"
         xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<cc:Work rdf:about=""><dc:title>  A
   Ladybug </dc:title><dc:description>HASH(0x856da84)</dc:description>
<dc:subject><rdf:Bag><rdf:li>Insect</rdf:li><rdf:li>hash(0x1f)</rdf:li><rdf:li/><rdf:li>animal</rdf:li></rdf:Bag>
</dc:subject>
<dc:publisher><cc:Agent><dc:title>Open Clip Art Library</dc:title></cc:Agent>
</dc:publisher><dc:creator><cc:Agent><dc:title>Jane Doe</dc:title></cc:Agent></dc:creator>
<cc:license rdf:resource="{license}">{text}</cc:license></cc:Work></rdf:RDF></metadata></svg>"""
PUBLIC = "http://web.resource.org/cc/PublicDomain"


def write(folder, name, license=PUBLIC, text=""):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SVG.format(license=license, text=text), encoding="utf-8")
    return path


def test_fields_of_a_record(tmp_path):
    record = read_record(write(tmp_path, "animals/bugs/ladybug_jane.v1.svg"), tmp_path)
    assert record.id == "animals/bugs/ladybug_jane.v1"
    assert record.stem == "ladybug_jane.v1"
    assert record.title == "A Ladybug"
    assert record.description == ""
    assert record.keywords == ("animal", "insect")
    assert record.creators == ("Jane Doe", "Open Clip Art Library")


@pytest.mark.parametrize(
    ("license", "text", "expected"),
    [
        (PUBLIC, "", True),
        ("http://creativecommons.org/licenses/publicdomain/", "", True),
        ("", "Public Domain", True),
        ("", "", False),
        ("http://creativecommons.org/licenses/GPL/2.0/", "", False),
    ],
)
def test_public_domain_must_be_stated(tmp_path, license, text, expected):
    assert read_record(write(tmp_path, "a.svg", license, text), tmp_path).public_domain is expected


def test_records_are_ordered_by_id(tmp_path):
    for name in ("b/a.svg", "a.svg", "b.svg"):
        write(tmp_path, name)
    assert [record.id for record in read_records(tmp_path)] == ["a", "b", "b/a"]


def record_openclipart_words(name="x", title="", description="", keywords=(), creators=()):
    return Record(name, title, description, tuple(keywords), tuple(creators), True)


def test_sources_of_words():
    bag = bags(
        [
            record_openclipart_words(
                "animals/RedSquirrel_sitting.v2",
                title="Nutcracker &amp; friend",
                description='See <a href="x">here</a> http://example.org/page, mail me@example.org',
                keywords=["mammal", "rodent"],
            )
        ],
        merged={"mammal"},
    )[0]
    # "see", "here" and "me" are stop words; the folder and the merged keyword are no words.
    assert bag == {"red", "squirrel", "sitting", "nutcracker", "friend", "mail", "rodent"}


def test_authors_are_no_words_of_their_own_pictures():
    records = [
        record_openclipart_words("parrot_park_jon_smit_01", "Parrot by Jon Smithson", creators=["Jon Smithson"]),
        record_openclipart_words("smithson_falls", "Smithson Falls", creators=["Ann Other"]),
        record_openclipart_words("smithson_castle", "Smithson Castle", creators=["Ann Other"]),
    ]
    first, second, third = bags(records, merged=set())
    assert first == {"parrot", "park"}
    # Most pictures with the word are not by a Smithson, so there it is a word.
    assert second == {"smithson", "falls"}
    assert third == {"smithson", "castle"}


def test_a_word_that_is_mostly_an_author_goes_everywhere():
    by_author = [
        record_openclipart_words(f"rock_{name}", "Rollandin draws", creators=["F. Rollandin"]) for name in ("a", "b")
    ]
    other = record_openclipart_words("portrait", "Portrait of Rollandin")
    assert bags([*by_author, other], merged=set())[2] == {"portrait"}


def test_publisher_is_no_author():
    assert (
        "library"
        in bags([record_openclipart_words(title="Library", creators=["Open Clip Art Library"])], merged=set())[0]
    )


def test_matrix_counts_pictures_not_uses():
    records = [
        record_openclipart_words(title="pear pear pear"),
        record_openclipart_words(title="pear plum"),
        record_openclipart_words(title="plum fig pear"),
    ]
    matrix, vocabulary = word_matrix(records, merged=set(), minimum=2)
    assert vocabulary == ["pear", "plum"]
    assert matrix.toarray().tolist() == [[1, 0], [1, 1], [1, 1]]
    assert matrix.dtype == "uint8"
