"""Texts as bags of words."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from labelgraph import load_openclipart
from labelgraph.encoders import BagOfWords, build_encoder, words_of

TEXTS = ["A red bird, and a blue bird", "", "The Élan of birds; red red red", "42 blue ox", "Ünder_the blue bird"]


def test_words_are_folded_and_long_enough():
    assert words_of("Élan vital, 12 ox & 3rd_Étage") == ["elan", "vital", "etage"]
    assert words_of("") == []


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("min_count", [1, 2])
def test_it_is_what_scikit_learn_counts(binary, min_count):
    encoder = BagOfWords.fit(TEXTS, min_count=min_count, binary=binary)
    counter = CountVectorizer(analyzer=words_of, binary=binary, min_df=min_count)
    wanted = counter.fit_transform(TEXTS)
    assert encoder.vocabulary == tuple(counter.get_feature_names_out())
    result = encoder.encode(TEXTS)
    assert isinstance(result, sp.csr_array) and result.dtype == np.float32
    result.check_format()
    assert np.array_equal(result.toarray(), wanted.toarray())


def test_the_most_frequent_words_stay_and_stop_words_go():
    texts = ["one two three", "one two four", "one four", "the one"]
    assert BagOfWords.fit(texts, 1, max_words=3).vocabulary == ("four", "one", "two")
    assert BagOfWords.fit(texts, 1, max_words=2, stop_words=["The", "ONE"]).vocabulary == ("four", "two")


def test_settings_build_it_again():
    encoder = BagOfWords.fit(TEXTS, min_count=1, binary=False)
    again = build_encoder(encoder.settings)
    assert isinstance(again, BagOfWords) and again.settings == encoder.settings
    assert np.array_equal(again.encode(TEXTS).toarray(), encoder.encode(TEXTS).toarray())


def test_words_out_of_the_vocabulary_give_an_empty_row():
    assert BagOfWords(["cat"]).encode(["dog", "cats"]).nnz == 0


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [([], "got none"), (["cat", "dog", "cat"], "'cat' twice"), (["cat", "Dog"], "'Dog'"), (["ox"], "'ox'")],
)
def test_wrong_vocabularies_are_refused(vocabulary, message):
    with pytest.raises(ValueError, match=f"'vocabulary' must .*{message}"):
        BagOfWords(vocabulary)


def test_wrong_texts_are_refused():
    with pytest.raises(ValueError, match=r"'texts' must have a word that 3 of them share"):
        BagOfWords.fit(["a cat", "a dog"])
    with pytest.raises(ValueError, match=r"'items' must be texts \(got float\)"):
        BagOfWords(["cat"]).encode(["a cat", float("nan")])
    with pytest.raises(ValueError, match=r"'items' must be a sequence of items \(got 'a cat' alone\)"):
        BagOfWords(["cat"]).encode("a cat")
    with pytest.raises(ValueError, match="at least one item"):
        BagOfWords(["cat"]).encode([])


def test_titles_of_the_bundled_set_give_words_that_are_in_their_rows():
    """A row has the words of description, tags and file name too, and names of authors and the like are left out."""
    data = load_openclipart()
    encoder = build_encoder(data.encoders["text"])
    assert encoder.channels == data.text_channels
    result = encoder.encode(data.titles).astype(bool)
    rows = data.text.astype(bool)
    both = result.multiply(rows).sum()
    assert both > 0.99 * result.sum()
    assert both > 0.5 * rows.sum()
