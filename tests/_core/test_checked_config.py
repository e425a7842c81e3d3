"""Settings that check their values."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pytest

from labelgraph._core.checked_config import CheckedConfig, PositiveInt, Share, describe_kind
from labelgraph.methods import METHODS


@dataclass(frozen=True)
class Config(CheckedConfig):
    size: PositiveInt | None = None
    share: Share = 0.5
    kind: Literal["plain", "fancy"] | None = "plain"
    sides: tuple[PositiveInt, PositiveInt] = (1, 2)
    names: tuple[str, ...] = ()
    flag: bool = False
    other: object = None


def test_values_of_yaml_and_numpy_are_converted_to_the_types():
    config = Config(size=np.int64(3), share=1, sides=[4, np.int32(5)], names=["a", "b"], flag=True, other={"any": 1})
    assert config == Config(3, 1.0, "plain", (4, 5), ("a", "b"), True, {"any": 1})
    assert [type(value) for value in (config.size, config.share, config.sides[1])] == [int, float, int]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 0}, r"'size' must be a positive whole number or none \(got 0\)"),
        ({"size": "3"}, r"'size' .*\(got '3'\)"),
        ({"size": 3.0}, r"'size' .*\(got 3.0\)"),
        ({"share": 1.5}, r"'share' must be a number in \[0, 1\] \(got 1.5\)"),
        ({"share": None}, r"'share' .*\(got None\)"),
        ({"share": True}, r"'share' .*\(got True\)"),
        ({"share": np.nan}, r"'share' .*\(got nan\)"),
        ({"kind": "fanzy"}, r"'kind' must be one of plain, fancy or none \(got 'fanzy'\); did you mean 'fancy'"),
        ({"kind": ["plain"]}, r"'kind' .*\(got \['plain'\]\)"),
        ({"sides": (1,)}, r"'sides' must be a list of 2, each a positive whole number \(got \(1,\)\)"),
        ({"sides": (1, 0)}, r"'sides' .*\(got \(1, 0\)\)"),
        ({"names": "ab"}, r"'names' must be a list, each text \(got 'ab'\)"),
        ({"flag": 1}, r"'flag' must be true or false \(got 1\)"),
    ],
)
def test_the_error_on_a_wrong_value_names_the_expected_values(values, message):
    with pytest.raises(ValueError, match=message):
        Config(**values)


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_of_every_method_has_a_type_that_is_checked(name):
    config = METHODS[name].Config
    for field in fields(config):
        with pytest.raises(ValueError, match=f"'{field.name}' must be"):
            config(**{field.name: {"no": "setting"}})


def test_types_in_words():
    assert describe_kind(Share | None) == "a number in [0, 1] or none"
