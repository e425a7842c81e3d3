"""Known words that are near an unknown word."""

import pytest

from labelgraph.encoders.near_words import is_typing_error, near_word, respelled

KNOWN = ["berries", "box", "car", "city", "flower", "guitar", "house", "ice", "leaves"]


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("cars", "car"), ("boxes", "box"), ("cities", "city"), ("berry", "berries"), ("flowers", "flower"),
        ("flwoer", "flower"), ("flowr", "flower"), ("guitaar", "guitar"), ("hosue", "house"),
        ("horse", None), ("cat", None), ("bar", None), ("flour", None), ("leave", "leaves"), ("lower", None),
    ],
)  # fmt: skip
def test_plurals_and_typing_errors_have_a_near_word(word, near):
    assert near_word(word, KNOWN) == near


def test_another_letter_is_an_error_only_in_long_words():
    assert is_typing_error("elephent", "elephant") and not is_typing_error("elephent", "elephone")
    assert not is_typing_error("light", "night") and not is_typing_error("house", "horse")
    assert not is_typing_error("elephant", "elephant")


def test_words_are_replaced_in_place_so_that_labels_of_several_words_are_named():
    text, replaced = respelled("Red ice creams & cars", ["red", "car"], ["ice cream"])
    assert text == "Red ice cream & car" and replaced == {"creams": "cream", "cars": "car"}
    assert respelled("Car, ice", ["car"], ["ice cream"]) == ("Car, ice", {})
