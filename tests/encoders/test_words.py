"""Words of texts in any script."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelgraph.encoders import BagOfWords, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Café, two cafés", ["cafe", "two", "cafes"]),
        ("naïve 3rd_Étage ﬁne", ["naive", "etage", "fine"]),
        ("красный кот й", ["красный", "кот"]),
        ("Ελλάδα", ["ελλαδα"]),
        ("हिन्दी में बिल्ली", ["हिन्दी", "में", "बिल्ली"]),
        ("แมวสีแดง หมา", ["แมวสีแดง", "หมา"]),
        ("一只红色的猫", list("一只红色的猫")),
        ("猫 狗", ["猫", "狗"]),
        ("赤いネコとイヌ", ["赤", "い", "ネコ", "と", "イヌ"]),
        ("がぎぐ", ["が", "ぎ", "ぐ"]),
        ("빨간 고양이 나무", ["빨간", "고양이", "나무"]),
        ("iPhone手机", ["iphone", "手", "机"]),
        ("كَلْب أحمر", ["كلب", "احمر"]),
        ("12 ½ ② !?", []),
        ("", []),
    ],
)
def test_words(text, words):
    assert words_of(text) == words
    assert words_of(unicodedata.normalize("NFD", text)) == words


@given(st.text())
def test_words_are_words_again(text):
    for word in words_of(text):
        assert words_of(word) == [word]


def test_a_bag_of_ideographs():
    bag = BagOfWords.fit(["红色的猫", "红花", "黑猫"], min_count=2)
    assert bag.vocabulary == ("猫", "红")
    assert bag.encode(["一只猫"]).toarray().tolist() == [[1, 0]]
