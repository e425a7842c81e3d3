"""A synthetic set of many tags: a few frequent ones, a long tail, and groups of tags that occur together."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.synthetic.write import GrowingArray
from labelgraph._core.commit import FolderWriter, write_version
from labelgraph.data.formats.folder_sources import KIND, NAMES, SPLITS

ITEMS, LABELS, BLOCK = 1_000_000, 100_000, 16_384
STEP = 17
STATED = (
    "Assumed: five tags an item, frequencies that fall as 1 / (rank + 10), groups of about 20 tags, three fifths of "
    "an item's tags from one group, features of 256 values from the vectors of the tags, "
    "a third of the names misleading."
)


@dataclass(frozen=True)
class TagRows:
    """Rows of the set: float32 features of both sides, and the sorted numbers of the tags, (n, 5)."""

    image: np.ndarray
    text: np.ndarray
    tags: np.ndarray


class TagData:
    r"""A set of many tags whose rows are generated on demand; the rows do not depend on the size of a block.

    A tag has a vector, the sum of the centre of its group and a part of its own. The features of both sides are random
    linear maps of :math:`\sum_t w_t v_t` over the tags :math:`t` of the item, with random strengths :math:`w_t` that
    both sides share, plus independent noise.

    ``vectors``, the label vectors of the set, are three quarters of the values of the vectors. For a share of the tags
    (``misnamed``), they have the centre of another group, as the names of real tags do that have several meanings. The
    share follows from the artists' keywords of the bundled pictures and their names in all-MiniLM-L6-v2: there, the
    mean features of a label and of the label with the nearest name have a cosine of 0.40 (images) and 0.35 (texts).
    Here both are 0.36; if all names were right, they would be 0.75.

    Args:
        num_labels: Number of tags.
        seed: Random seed.
    """

    each, named, hidden, channels = 5, 48, 64, 256
    group, together, coverage, chunk = 20, 0.6, 10, 4096
    noise, misnamed = 1.0, 1 / 3

    def __init__(self, num_labels: int, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 0])
        self.seed, self.num_labels = seed, num_labels
        share = 1 / (np.arange(num_labels) + 10.0)
        groups = rng.integers(max(1, num_labels // self.group), size=num_labels)
        self.order = np.argsort(groups, kind="stable")  # The tags of a group stand together.
        self.ends = np.cumsum(share[self.order] / share.sum())
        self.ends[-1] = 1.0
        first = np.searchsorted(groups[self.order], groups, side="left")
        last = np.searchsorted(groups[self.order], groups, side="right")
        before = np.concatenate([[0.0], self.ends])
        self.low, self.high = before[first], before[last]
        centres = rng.standard_normal((groups.max() + 1, self.hidden), dtype=np.float32)
        own = rng.standard_normal((num_labels, self.hidden), dtype=np.float32)
        self.latent = centres[groups] + own
        naming = np.random.default_rng([seed, 3])
        other = naming.integers(len(centres), size=num_labels)
        meant = np.where(naming.random(num_labels) < self.misnamed, other, groups)
        vectors = (centres[meant] + own)[:, : self.named]
        self.vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self.maps = rng.standard_normal((2, self.hidden, self.channels), dtype=np.float32) / self.hidden**0.5
        self.names = [f"group{group} tag{number}" for number, group in enumerate(groups.tolist())]

    def rows(self, start: int, stop: int) -> TagRows:
        """Generate the items from ``start`` to ``stop`` - 1."""
        parts = []
        for number in range(start // self.chunk, -(-stop // self.chunk)):
            first = number * self.chunk
            cut = slice(max(start - first, 0), min(stop - first, self.chunk))
            parts.append([part[cut] for part in self._chunk(number)])
        image, text, tags = (np.concatenate(part) for part in zip(*parts, strict=True))
        return TagRows(image, text, tags)

    def _chunk(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = np.random.default_rng([self.seed, 1, number])
        tags = self._tags(rng, number)
        strength = rng.random(tags.shape, dtype=np.float32) + 0.5
        shown = np.einsum("nt,nth->nh", strength, self.latent[tags]) / self.each**0.5
        noise = rng.standard_normal((2, self.chunk, self.channels), dtype=np.float32)
        image, text = (shown @ side + self.noise * own for side, own in zip(self.maps, noise, strict=True))
        return image, text, tags

    def _tags(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """Draw distinct tags of each item; every tenth item has one tag in turn, so that every tag occurs."""
        drawn = rng.random((self.chunk, 4 * self.each))
        first = self._at(drawn[:, 0])
        row = number * self.chunk + np.arange(self.chunk)
        covers = row % self.coverage == 0
        first[covers] = row[covers] // self.coverage % self.num_labels
        inside = rng.random(drawn.shape) < self.together
        low, high = self.low[first][:, None], self.high[first][:, None]
        tags = self._at(np.where(inside, low + drawn * (high - low), drawn))
        tags[:, 0] = first
        # Where the draws repeat themselves, the last columns provide distinct tags.
        rest = (first[:, None] + STEP * np.arange(1, self.each)) % self.num_labels
        return np.sort(_first_distinct(np.concatenate([tags, rest], axis=1), self.each), axis=1)

    def _at(self, shares: np.ndarray) -> np.ndarray:
        return self.order[np.minimum(np.searchsorted(self.ends, shares, side="right"), self.num_labels - 1)]


def _first_distinct(numbers: np.ndarray, wanted: int) -> np.ndarray:
    """Return the first distinct numbers of each row, (n, wanted)."""
    order = np.argsort(numbers, axis=1, kind="stable")
    ordered = np.take_along_axis(numbers, order, axis=1)
    again = np.zeros_like(ordered, dtype=bool)
    again[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    repeated = np.zeros_like(again)
    np.put_along_axis(repeated, order, again, axis=1)
    places = np.argsort(repeated, axis=1, kind="stable")[:, :wanted]
    return np.take_along_axis(numbers, places, axis=1)


def write_tags(
    path: Path,
    items: int = ITEMS,
    num_labels: int = LABELS,
    seed: int = 0,
    block: int = BLOCK,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the set into a new folder for `labelgraph.data.load_folder`, block by block, with sparse labels.

    The splits: at most 2,000 queries, which are the test items; as many validation items; all others for training.
    The database is all items but the queries.

    Args:
        path: The folder.
        items: Number of items.
        num_labels: Number of tags.
        seed: Random seed.
        block: Number of items in memory.
        tell: Function that is called with the number of finished items and of all items.

    Raises:
        ValueError: If the folder exists, or a number is too small.
    """
    for argument, value, least in (("items", items, 100), ("labels", num_labels, 100), ("block", block, 1)):
        if value < least:
            raise ValueError(f"'{argument}' must be at least {least} (got {value})")
    if path.exists():
        raise ValueError(f"'path' must be a new folder (got {path})")
    data = TagData(num_labels, seed)
    entries = {"shapes": {"labels": [items, num_labels]}, "synthetic": {"set": "tags", "seed": seed, "stated": STATED}}
    names = {"label_names": data.names, "ids": [], "titles": [], "encoders": {}}
    with write_version(path, KIND, entries) as writer:
        writer.write(NAMES, json.dumps(names).encode())
        writer.array("label_vectors.npy", data.vectors.shape, "float32")[...] = data.vectors
        for name, index in _splits(items, seed).items():
            writer.array(f"{SPLITS}/{name}.npy", index.shape, "int64")[...] = index
        _write_rows(data, writer, items, block, tell)


def _splits(items: int, seed: int) -> dict[str, np.ndarray]:
    """Draw the splits; the items that make every tag occur stay training items."""
    order = np.random.default_rng([seed, 2]).permutation(items)
    free = order[order % TagData.coverage > 0]
    size = min(2_000, items // 20)
    query, validation = np.sort(free[:size]), np.sort(free[size : 2 * size])
    database = np.setdiff1d(order, query)
    return {
        "train": np.setdiff1d(database, validation), "validation": validation, "test": query, "query": query,
        "database": database,
    }  # fmt: skip


def _write_rows(data: TagData, writer: FolderWriter, items: int, block: int, tell: Callable[[int, int], None]) -> None:
    names = ("image", "text", "labels_data", "labels_indices", "labels_indptr")
    files = {name: GrowingArray(writer.open(f"{name}.npy")) for name in names}
    files["labels_indptr"].append(np.zeros(1, dtype=np.int64))
    for start in range(0, items, block):
        rows = data.rows(start, stop := min(start + block, items))
        files["image"].append(rows.image)
        files["text"].append(rows.text)
        files["labels_data"].append(np.ones(rows.tags.size, np.uint8))
        files["labels_indices"].append(rows.tags.ravel().astype(np.int32))
        files["labels_indptr"].append(data.each * np.arange(start + 1, stop + 1, dtype=np.int64))
        tell(stop, items)
    for file in files.values():
        file.finish()
