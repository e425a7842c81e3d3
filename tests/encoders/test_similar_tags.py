"""Tags that mean the same."""

import warnings

import pytest

from labelgraph.encoders.similar_tags import merge_tags, warn_of_merged, warn_of_typing_errors


def test_the_most_frequent_spelling_is_kept():
    tags = [["Dog"], ["Dog", "dogs"], ["dog"], ["DOGS"], ["New  York"], ["new york"], ["new york"]]
    merged, names = merge_tags(tags)
    assert merged == [["Dog"], ["Dog"], ["Dog"], ["Dog"], ["new york"], ["new york"], ["new york"]]
    assert names == {"DOGS": "Dog", "New  York": "new york", "dog": "Dog", "dogs": "Dog"}


def test_words_without_their_singular_stay():
    tags = [["glass", "news", "cities"], ["bus", "red"]]
    assert merge_tags(tags) == ([["cities", "glass", "news"], ["bus", "red"]], {})
    assert merge_tags([["cities"], ["city"], ["city"]])[0] == [["city"]] * 3


def test_rare_tags_near_a_frequent_one_are_warned_of():
    with pytest.warns(UserWarning, match=r"t\.csv: 1 tag may be .* 'anmial' for 'animal'$"):
        warn_of_typing_errors("t.csv", [["animal"]] * 3 + [["anmial"], ["horse"], ["house"]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_typing_errors("t.csv", [["animal"]] * 3 + [["anmial"]] * 2)
        warn_of_merged("t.csv", {})


def test_every_typing_error_is_named():
    words = ["animal", "banana", "cherry", "dragon", "engine"]
    errors = [word[:2] + word[3] + word[2] + word[4:] for word in words]
    with pytest.warns(UserWarning, match="5 tags may be typing errors") as caught:
        warn_of_typing_errors("t.csv", [words] * 3 + [[error] for error in errors])
    assert all(f"'{error}' for '{word}'" in str(caught[0].message) for word, error in zip(words, errors, strict=True))
