"""Damage to the content of a file."""


def damage(content, rng):
    """A flip of some bits, a truncation, an insertion, or a stretch of zeros; always another content."""
    kind, place = rng.choice(["flip", "flip", "cut", "insert", "zero"]), rng.randrange(len(content))
    damaged = bytearray(content)
    stretch = content[place : place + 16]
    if kind == "cut":
        del damaged[place:]
    elif kind == "insert":
        damaged[place:place] = rng.randbytes(rng.randrange(1, 9))
    elif kind == "zero" and any(stretch):
        damaged[place : place + 16] = bytes(len(stretch))
    else:
        damaged[place] ^= rng.randrange(1, 256)
    return bytes(damaged)
