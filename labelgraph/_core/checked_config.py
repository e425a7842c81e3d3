"""Settings that check their values against the types of their fields when they are created."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from labelgraph._core.names import check_name, did_you_mean


@dataclass(frozen=True)
class Limit:
    """A range of numbers, for use in `typing.Annotated`.

    Args:
        expected: Description of the range, such as ``"a positive number"``.
        accepts: Function that returns whether a number is in the range.
    """

    expected: str
    accepts: Callable[[Any], bool]


PositiveInt = Annotated[int, Limit("a positive whole number", lambda value: value > 0)]
CountInt = Annotated[int, Limit("a whole number of at least 0", lambda value: value >= 0)]
PositiveFloat = Annotated[float, Limit("a positive number", lambda value: value > 0)]
Weight = Annotated[float, Limit("a number of at least 0", lambda value: value >= 0)]
Share = Annotated[float, Limit("a number in [0, 1]", lambda value: 0 <= value <= 1)]
ShareInside = Annotated[float, Limit("a number in (0, 1)", lambda value: 0 < value < 1)]
ShareBelowOne = Annotated[float, Limit("a number in [0, 1)", lambda value: 0 <= value < 1)]

WORDS: dict[Any, str] = {
    int: "a whole number", float: "a finite number", str: "text", bool: "true or false", type(None): "none",
}  # fmt: skip


@dataclass(frozen=True)
class CheckedConfig:
    """Base class of frozen dataclasses that check their values against the types of their fields.

    Checked types are numbers, text, ``bool``, ``Literal``, tuples, unions of these types, and numbers with a `Limit`.
    Whole numbers are accepted for ``float``, numbers of NumPy for numbers of Python, and lists for tuples, because YAML
    and JSON have no tuples. Fields of other types are not checked.

    Raises:
        ValueError: If a name is unknown, or a value has another type, is out of range or is not finite; the message
            names the field.

    Example:
        >>> from dataclasses import dataclass
        >>> from labelgraph._core.checked_config import CheckedConfig, PositiveFloat
        >>> @dataclass(frozen=True)
        ... class Config(CheckedConfig):
        ...     lr: PositiveFloat = 0.1
        >>> Config(lr=1)
        Config(lr=1.0)
        >>> Config(lr=float("nan"))
        Traceback (most recent call last):
        ValueError: 'lr' must be a positive number (got nan)
    """

    def __new__(cls, *_: Any, **values: Any) -> Self:
        """Refuse unknown names, before Python does so without a suggestion."""
        for name in values:
            check_name("setting", name, [field.name for field in fields(cls)])
        return super().__new__(cls)

    def __post_init__(self) -> None:
        hints = field_types(type(self))
        for field in fields(self):
            object.__setattr__(self, field.name, check_value(field.name, getattr(self, field.name), hints[field.name]))


def field_types(config: type) -> Mapping[str, Any]:
    """Return the types of the fields of a dataclass, with their limits."""
    return typing.get_type_hints(config, include_extras=True)


def check_value(name: str, value: Any, kind: Any) -> Any:
    """Check a value against a type, and convert it to this type.

    Args:
        name: Name of the value in error messages.
        value: The value.
        kind: Any type that `CheckedConfig` can check.

    Raises:
        ValueError: If the value does not fit the type.
    """
    try:
        return _fitted(value, kind)
    except _MisfitError:
        near = did_you_mean(value, map(str, choices(kind))) if isinstance(value, str) else ""
        raise ValueError(f"'{name}' must be {describe_kind(kind)} (got {value!r}){near}") from None


class _MisfitError(Exception):
    pass


def _fitted(value: Any, kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        number = _fitted(value, arguments[0])
        return _accept(number, arguments[1].accepts(number))
    if origin in (Union, types.UnionType):
        return _first_fit(value, arguments)
    if origin is Literal:
        return _accept(value, isinstance(value, str | bool | int) and value in arguments)
    if origin is tuple:
        return _fitted_tuple(value, arguments)
    if kind is float:
        number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
        return _accept(number, math.isfinite(number))
    if kind is int:
        _accept(value, isinstance(value, Integral) and not isinstance(value, bool))
        return int(value)
    return _accept(value, not isinstance(kind, type) or isinstance(value, kind))


def _accept(value: Any, fits: bool) -> Any:
    if not fits:
        raise _MisfitError
    return value


def _first_fit(value: Any, kinds: tuple[Any, ...]) -> Any:
    for kind in kinds:
        try:
            return _fitted(value, kind)
        except _MisfitError:
            continue
    raise _MisfitError


def _fitted_tuple(value: Any, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    _accept(value, isinstance(value, list | tuple))
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    _accept(value, len(value) == len(kinds))
    return tuple(_fitted(item, kind) for item, kind in zip(value, kinds, strict=True))


def choices(kind: Any) -> tuple[Any, ...]:
    """Return the values of a ``Literal``, also if it is part of a union."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(choice for member in get_args(kind) for choice in choices(member))
    return ()


def describe_kind(kind: Any) -> str:
    """Describe a type in words.

    Example:
        >>> from labelgraph._core.checked_config import PositiveInt, describe_kind
        >>> describe_kind(PositiveInt | None)
        'a positive whole number or none'
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return str(arguments[1].expected)
    if origin in (Union, types.UnionType):
        return " or ".join(map(describe_kind, arguments))
    if origin is Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin is tuple:
        size = "a list" if arguments[-1] is Ellipsis else f"a list of {len(arguments)}"
        return f"{size}, each {describe_kind(arguments[0])}"
    return WORDS.get(kind, getattr(kind, "__name__", str(kind)))
