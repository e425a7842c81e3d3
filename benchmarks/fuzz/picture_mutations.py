"""Damage to the structure of pictures and compressed files, with right checksums and lengths."""

from __future__ import annotations

import gzip
import random
import struct
import zlib

from benchmarks.fuzz.byte_mutations import damaged
from benchmarks.fuzz.tree_mutations import mutate_words

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ANCILLARY = (
    b"eXIf",
    b"iCCP",
    b"tRNS",
    b"gAMA",
    b"PLTE",
    b"zTXt",
    b"tEXt",
    b"iTXt",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"cHRM",
    b"sBIT",
)
SIDES = (0, 1, 7, 65_535, 89_000_000, 0x7FFFFFFF)
Chunk = tuple[bytes, bytes]


def mutate_png(content: bytes, rng: random.Random) -> bytes:
    """A picture with one chunk changed, added, lost or moved; every CRC is right."""
    chunks = _chunks(content)
    place, action = rng.randrange(len(chunks)), rng.choice(("bytes", "size", "pixels", "add", "drop", "repeat", "move"))
    kind, data = chunks[place]
    if action == "bytes":
        chunks[place] = kind, damaged(data, rng)
    elif action == "size":
        sides = struct.pack(">II", rng.choice(SIDES), rng.choice(SIDES))
        chunks[0] = b"IHDR", rng.choice((sides + chunks[0][1][8:], chunks[0][1][:8] + rng.randbytes(5)))
    elif action == "pixels":
        chunks = [(kind, zlib.compress(damaged(zlib.decompress(data), rng))) if kind == b"IDAT" else (kind, data)
                  for kind, data in chunks]  # fmt: skip
    elif action == "add":
        chunks.insert(rng.randint(1, len(chunks) - 1), (rng.choice(ANCILLARY), _payload(rng)))
    elif action == "drop":
        del chunks[place]
    elif action == "repeat":
        chunks.insert(place, chunks[place])
    else:
        chunks.insert(rng.randrange(len(chunks)), chunks.pop(place))
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def mutate_jpeg(content: bytes, rng: random.Random) -> bytes:
    """A picture with one segment changed, added, lost or repeated; lengths are right."""
    segments, place = [], 2
    while content[place : place + 2] != b"\xff\xda":
        size = struct.unpack(">H", content[place + 2 : place + 4])[0]
        segments.append((content[place : place + 2], content[place + 4 : place + 2 + size]))
        place += 2 + size
    number, action = rng.randrange(len(segments)), rng.choice(("bytes", "exif", "size", "drop", "repeat", "scan"))
    marker, data = segments[number]
    scan = damaged(content[place:], rng) if action == "scan" else content[place:]
    if action == "bytes":
        segments[number] = marker, damaged(data, rng)
    elif action == "exif":
        segments.insert(
            0, (b"\xff\xe1", b"Exif\0\0" + rng.choice((b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08")) + _payload(rng))
        )
    elif action == "size":
        sides = struct.pack(">HH", rng.choice((0, 1, 0xFFFF)), rng.choice((0, 1, 0xFFFF)))
        segments = [(m, d[:1] + sides + d[5:]) if m in (b"\xff\xc0", b"\xff\xc2") else (m, d) for m, d in segments]
    elif action == "drop":
        del segments[number]
    elif action == "repeat":
        segments.insert(number, segments[number])
    head = b"".join(marker + struct.pack(">H", min(len(data) + 2, 0xFFFF)) + data for marker, data in segments)
    return b"\xff\xd8" + head + scan


def mutate_gzip(content: bytes, rng: random.Random) -> bytes:
    """A compressed text with a word or bytes changed, compressed again; or one in two members."""
    inner = gzip.decompress(content)
    changed = rng.choice((mutate_words, damaged))(inner, rng)
    if rng.random() < 0.1:
        return gzip.compress(inner, mtime=0) + gzip.compress(changed, mtime=0)
    return gzip.compress(changed, mtime=0)


def mutate_word_vectors(content: bytes, rng: random.Random) -> bytes:
    """Binary word vectors with other counts in the first line, or other bytes below it."""
    head, _, rest = content.partition(b"\n")
    if rng.random() < 0.5:
        count, channels = head.split()
        odd = (b"0", b"1", b"-1", b"999999999999", b"65536", b"65535", b"99999999999999999999")
        head = b" ".join(rng.choice(((rng.choice(odd), channels), (count, rng.choice(odd)))))
        return head + b"\n" + rest
    return head + b"\n" + damaged(rest, rng)


def _chunks(content: bytes) -> list[Chunk]:
    chunks, place = [], len(SIGNATURE)
    while place < len(content):
        size = struct.unpack(">I", content[place : place + 4])[0]
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    return chunks


def _payload(rng: random.Random) -> bytes:
    """Bytes that many chunks begin with, and then anything."""
    size = rng.choice((0, 1, 8, 200))
    return rng.choice(
        (b"", b"name\0\0" + zlib.compress(bytes(rng.choice((10, 1 << 24)))), b"II*\0\x08\0\0\0")
    ) + rng.randbytes(size)
