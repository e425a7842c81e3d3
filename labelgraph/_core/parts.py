"""Numbered parts of a work, which several processes or machines do on their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"\.part-(\d+)-of-(\d+)$", re.ASCII)


@dataclass(frozen=True)
class Part:
    """A part of a work, such as 2 of 8, counted from 1.

    Args:
        number: Number of this part.
        count: Number of parts.

    Raises:
        ValueError: If the number is not from 1 to ``count``.

    Example:
        >>> from pathlib import Path
        >>> from labelgraph._core.parts import Part
        >>> [Part(number, 3).of(8) for number in (1, 2, 3)]
        [range(0, 2), range(2, 5), range(5, 8)]
        >>> Part.parse("2/8").beside(Path("my-data.npz")).name
        'my-data.part-2-of-8.npz'
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"'part' must be from 1/{self.count} to {self.count}/{self.count} (got {self})")

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read a part such as ``2/8``."""
        match = re.fullmatch(r"(\d+)/(\d+)", text, re.ASCII)
        if not match:
            raise ValueError(f"'part' must be a number and a count, such as 2/8 (got {text!r})")
        return cls(int(match[1]), int(match[2]))

    def of(self, size: int) -> range:
        """Return the places of this part in a sequence, as many as in any other part or one fewer."""
        start, stop = (size * number // self.count for number in (self.number - 1, self.number))
        if start == stop:
            raise ValueError(f"'part' must have an item: {size} items make at most {size} parts (got {self})")
        return range(start, stop)

    def beside(self, path: Path) -> Path:
        """Return the path of this part of a file or folder."""
        stem, ending = _without_ending(path)
        return path.with_name(f"{stem}.part-{self.number}-of-{self.count}{ending}")


def in_order(paths: Sequence[Path]) -> list[Path]:
    """Sort the paths of all parts of a work by their numbers.

    Raises:
        ValueError: If a path does not name a part, or the parts are not those of one work, each once.
    """
    parts: dict[Part, Path] = {}
    for path in paths:
        match = NAME.search(_without_ending(path)[0])
        if not match:
            raise ValueError(f"{path}: expected the name of a part, such as my-data.part-2-of-8")
        part = Part(int(match[1]), int(match[2]))
        if part in parts:
            raise ValueError(f"{path}: expected each part once (got {part} twice)")
        parts[part] = path
    counts = sorted({part.count for part in parts})
    if len(counts) != 1:
        raise ValueError(f"the parts must be of one work (got parts of {' and of '.join(map(str, counts)) or 'none'})")
    absent = [str(number) for number in range(1, counts[0] + 1) if Part(number, counts[0]) not in parts]
    if absent:
        more = f" and {len(absent) - 10} more" if len(absent) > 10 else ""
        raise ValueError(f"all {counts[0]} parts must be given (got no part {', '.join(absent[:10])}{more})")
    return [parts[part] for part in sorted(parts, key=lambda part: part.number)]


def _without_ending(path: Path) -> tuple[str, str]:
    """Divide the name of a file or folder into its stem and the ending ``.npz``, if it has one."""
    return (path.stem, path.suffix) if path.suffix == ".npz" else (path.name, "")
