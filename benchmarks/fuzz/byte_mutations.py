"""Damage to the plain bytes of a file."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

HEAD = 512  # Most formats declare sizes in their first bytes.
LARGEST_BLOCK = 64
FOREIGN = (
    b"",
    b"\x80\x04K\x01.",
    b"{}",
    b"[[[" * 999,
    b"\n\n",
    b"MATLAB 5.0 MAT-file",
    b"PK\x03\x04",
    b"\x89HDF\r\n\x1a\n",
)
SIZES = (0, 1, 127, 128, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


def flip(content: bytearray, rng: random.Random) -> None:
    """Flip one bit, in 1 to 8 places."""
    for _ in range(rng.choice((1, 1, 1, 3, 8))):
        content[_place(content, rng)] ^= 1 << rng.randrange(8)


def overwrite(content: bytearray, rng: random.Random) -> None:
    """Set 1 to 8 bytes to other values."""
    for _ in range(rng.choice((1, 1, 3, 8))):
        content[_place(content, rng)] = rng.choice((0, 255, rng.randrange(256)))


def cut(content: bytearray, rng: random.Random) -> None:
    """Truncate the file."""
    del content[rng.randrange(len(content)) :]


def insert(content: bytearray, rng: random.Random) -> None:
    """Insert random bytes."""
    place = _place(content, rng)
    content[place:place] = rng.randbytes(rng.randint(1, LARGEST_BLOCK))


def remove(content: bytearray, rng: random.Random) -> None:
    """Remove a block."""
    place = _place(content, rng)
    del content[place : place + rng.randint(1, LARGEST_BLOCK)]


def duplicate(content: bytearray, rng: random.Random) -> None:
    """Repeat a block."""
    place = _place(content, rng)
    block = content[place : place + rng.randint(1, LARGEST_BLOCK)]
    content[place:place] = block


def splice(content: bytearray, rng: random.Random) -> None:
    """Overwrite a block by one from elsewhere in the file."""
    start, place = rng.randrange(len(content)), _place(content, rng)
    block = content[start : start + rng.randint(1, 8 * LARGEST_BLOCK)]
    content[place : place + len(block)] = block


def zero(content: bytearray, rng: random.Random) -> None:
    """Fill a block with zeros, as a crash of the system leaves it."""
    place, size = _place(content, rng), rng.choice((8, 64, 512, len(content)))
    content[place : place + size] = bytes(len(content[place : place + size]))


def grow_number(content: bytearray, rng: random.Random) -> None:
    """Write a length of 4 or 8 bytes, or digits, over whatever is in the place."""
    number, place = rng.choice(SIZES), _place(content, rng)
    wide = struct.pack(rng.choice("<>") + "Q", number)
    field = rng.choice((struct.pack("<I", number & 0xFFFFFFFF), struct.pack(">I", number & 0xFFFFFFFF), wide, b"9999"))
    content[place : place + len(field)] = field


def replace(content: bytearray, rng: random.Random) -> None:
    """Put the content of another kind of file in the place."""
    content[:] = rng.choice(FOREIGN)


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip, flip, flip, overwrite, cut, insert, remove, duplicate, splice, zero, grow_number, grow_number, replace,
)  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content with one kind of damage; always another content.

    Args:
        content: Of the file.
        rng: Draws the damage; the same state gives the same damage.

    Example:
        >>> import random
        >>> from benchmarks.fuzz.byte_mutations import damaged
        >>> damaged(b"one two", random.Random(0)) == damaged(b"one two", random.Random(0)) != b"one two"
        True
    """
    if not content:
        return rng.randbytes(rng.randint(1, LARGEST_BLOCK))
    for _ in range(20):
        changed = bytearray(content)
        rng.choice(DAMAGES)(changed, rng)
        if changed != content:
            return bytes(changed)
    return content + b"\0"


def _place(content: bytearray, rng: random.Random) -> int:
    """A place anywhere, in one of three cases in the head."""
    return rng.randrange(min(len(content), HEAD) if rng.random() < 1 / 3 else len(content))
