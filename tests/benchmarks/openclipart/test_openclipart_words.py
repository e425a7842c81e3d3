from benchmarks.openclipart.metadata import Record
from benchmarks.openclipart.words import bags, word_matrix


def record(name="x", title="", description="", keywords=(), creators=()):
    return Record(name, title, description, tuple(keywords), tuple(creators), True)


def test_sources_of_words():
    bag = bags(
        [
            record(
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
        record("parrot_park_jon_smit_01", "Parrot by Jon Smithson", creators=["Jon Smithson"]),
        record("smithson_falls", "Smithson Falls", creators=["Ann Other"]),
        record("smithson_castle", "Smithson Castle", creators=["Ann Other"]),
    ]
    first, second, third = bags(records, merged=set())
    assert first == {"parrot", "park"}
    # Most pictures with the word are not by a Smithson, so there it is a word.
    assert second == {"smithson", "falls"}
    assert third == {"smithson", "castle"}


def test_a_word_that_is_mostly_an_author_goes_everywhere():
    by_author = [record(f"rock_{name}", "Rollandin draws", creators=["F. Rollandin"]) for name in ("a", "b")]
    other = record("portrait", "Portrait of Rollandin")
    assert bags([*by_author, other], merged=set())[2] == {"portrait"}


def test_publisher_is_no_author():
    assert "library" in bags([record(title="Library", creators=["Open Clip Art Library"])], merged=set())[0]


def test_matrix_counts_pictures_not_uses():
    records = [record(title="pear pear pear"), record(title="pear plum"), record(title="plum fig pear")]
    matrix, vocabulary = word_matrix(records, merged=set(), minimum=2)
    assert vocabulary == ["pear", "plum"]
    assert matrix.toarray().tolist() == [[1, 0], [1, 1], [1, 1]]
    assert matrix.dtype == "uint8"
