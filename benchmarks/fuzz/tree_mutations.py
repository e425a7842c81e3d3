"""Damage to the structure of texts: one entry of JSON or YAML, a cell of a table, a word of a line."""

from __future__ import annotations

import csv
import io
import json
import random
from typing import Any

import yaml

DEEP = "@deep@"  # Stands for lists in lists, which no writer can write.
ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**30, 0.5, 1e308, float("nan"), float("inf"), "", "0", "\0", "a\nb", "\ud800",
    "../../../etc/hostname", "/etc/hostname", "x" * 100_000, "nan", [], {}, [[]], [None], {"": None}, [1, "a"], DEEP,
)  # fmt: skip
ODD_YAML = (
    "!!python/object/apply:os.system ['true']", "*missing", "!!int ''", "!!binary 'a'", "2001-99-99", "0x_", "1_0e9999",
    "{" * 3000, "&a [*a]", "%bad", "\t- x", "<<: 1", "[x, ]: 1", "!!timestamp x", "!!set {a}", "0b", ".inf", "=",
)  # fmt: skip
NESTED = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
ODD_CELLS = (
    "", " ", "0", "nan", "None", "\0", '"', 'a"b', "a\nb", ";;", "x" * 200_000, "é\u2028", "\ufeff", "=1+1",
    "../../etc/hostname", "1e999", "9" * 30, "-1", "1.5", "inf", "\udcff",
)  # fmt: skip


def mutate_tree(tree: Any, rng: random.Random) -> Any:
    """The tree with one entry replaced, deleted, renamed, or repeated; text that holds JSON is opened too."""
    places = list(_places(tree))
    if not places:
        return rng.choice(ODD)
    container, key = rng.choice(places)
    value, action = container[key], rng.choice(("odd", "odd", "odd", "delete", "rename", "swap", "near"))
    if isinstance(value, str) and value[:1] in ("{", "[") and rng.random() < 0.9:
        container[key] = json.dumps(mutate_tree(json.loads(value), rng))
    elif action == "delete":
        del container[key]
    elif action == "rename" and isinstance(container, dict):
        container[rng.choice((f"{key}x", "", key[:-1], key.upper()))] = container.pop(key)
    elif action == "swap":
        other, place = rng.choice(places)
        container[key], other[place] = other[place], value
    elif action == "near":
        container[key] = _near(value, rng)
    else:
        container[key] = rng.choice(ODD)
    return tree


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    """JSON with one entry changed, deep lists included."""
    text = json.dumps(mutate_tree(json.loads(content), rng))
    depth = rng.choice((500, 5000, 200_000))
    return text.replace(f'"{DEEP}"', "[" * depth + "]" * depth).encode()


def mutate_yaml(content: bytes, rng: random.Random) -> bytes:
    """YAML with one entry changed, or with syntax that few readers expect."""
    if rng.random() < 0.1:
        return NESTED.encode()
    text = yaml.safe_dump(mutate_tree(yaml.safe_load(content), rng), sort_keys=False)
    if rng.random() < 0.4:
        lines = text.splitlines()
        row = rng.randrange(len(lines))
        lines[row] = f"{lines[row].split(':')[0]}: {rng.choice(ODD_YAML)}"
        text = "\n".join(lines)
    return text.replace(DEEP, "[" * 3000 + "]" * 3000).encode("utf-8", "surrogatepass")


def mutate_table(content: bytes, rng: random.Random, separator: str = ",") -> bytes:
    """A table with one cell, row or column name changed, or in another encoding."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8")), delimiter=separator))
    row = rng.choice((0, rng.randrange(len(rows))))
    action, column = (
        rng.choice(("cell", "cell", "cell", "short", "long", "repeat", "encoding")),
        rng.randrange(len(rows[row])),
    )
    if action == "cell":
        rows[row][column] = rng.choice(ODD_CELLS)
    elif action == "short":
        del rows[row][column]
    elif action == "long":
        rows[row].append(rng.choice(ODD_CELLS))
    elif action == "repeat":
        rows.insert(row, list(rows[row]))
    file = io.StringIO()
    csv.writer(file, delimiter=separator, quoting=rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))).writerows(rows)
    encoding = rng.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32")) if action == "encoding" else "utf-8"
    return file.getvalue().encode(encoding, "replace" if action == "encoding" else "surrogateescape")


def mutate_words(content: bytes, rng: random.Random) -> bytes:
    """Lines with one word changed, removed or repeated."""
    lines = [line.split(b" ") for line in content.split(b"\n")]
    line = rng.choice(lines)
    place, action = rng.randrange(len(line)), rng.choice(("odd", "odd", "delete", "repeat", "lines"))
    if action == "odd":
        line[place] = rng.choice(ODD_CELLS).encode("utf-8", "surrogateescape")
    elif action == "delete":
        del line[place]
    elif action == "repeat":
        line.extend(line[place:] * rng.choice((1, 1000)))
    else:
        lines.append(line)
    return b"\n".join(b" ".join(line) for line in lines)


def _places(tree: Any) -> Any:
    """Each container with each of its keys or positions."""
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def _near(value: Any, rng: random.Random) -> Any:
    """A value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice((value + 1, value - 1, -value, value * 1000, float(value)))
    if isinstance(value, str):
        return rng.choice((value[:-1], f"{value}x", value.upper(), f" {value}"))
    if isinstance(value, list):
        return rng.choice((value[:-1], value * 2, value[::-1]))
    return value
