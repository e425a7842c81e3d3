"""The items of a searcher: ids, titles, labels, and an index of their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.array_kinds import all_distinct
from labelgraph._core.multi_hot import DENSE_LABELS
from labelgraph.search.blocks import rows_of
from labelgraph.search.captions import Captions
from labelgraph.search.indexes import Index
from labelgraph.search.neighbours import Neighbours

SCORE_NAMES = {
    "cosine": "cosine", "dot": "inner product", "hamming": "Hamming distance", "jaccard": "expected Jaccard",
    "sparse-cosine": "cosine", "sparse-dot": "inner product", "sparse-jaccard": "expected Jaccard",
}  # fmt: skip


def as_names(argument: str, values: Any) -> list[str]:
    """Convert ids, titles or labels to a list of texts; a single text becomes a list of one.

    Raises:
        ValueError: If a value is neither a text nor a whole number.

    Example:
        >>> import torch
        >>> from labelgraph.search.items import as_names
        >>> as_names("ids", "12"), as_names("ids", torch.tensor([3, 4]))
        (['12'], ['3', '4'])
    """
    if isinstance(values, Tensor | np.ndarray | np.generic):
        values = values.tolist()
    if isinstance(values, str | int) or values is None or isinstance(values, bytes | Mapping):
        values = [values]
    try:
        entries = list(values)
    except TypeError:
        entries = [values]
    if _texts(entries) and _encodable("".join(entries)):  # All at once: there may be millions.
        return entries
    return [_name(argument, each) for each in entries]


def ordered_names(argument: str, values: Any) -> list[str]:
    """Convert names as `as_names` does, but refuse a set, whose names would go to any rows."""
    if isinstance(values, Set):
        raise ValueError(f"'{argument}' must be in the order of the rows (got a set, which has none)")
    return as_names(argument, values)


def _name(argument: str, value: Any) -> str:
    if isinstance(value, Tensor | np.generic):
        value = value.tolist()
    name = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if name is None or not _encodable(name):
        raise ValueError(f"'{argument}' must be texts or whole numbers (got {value!r})")
    return name


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(values: list[str]) -> bool:
    return set(map(type, values)) <= {str}


def distinct_ids(ids: Any) -> list[str]:
    """Return ids of new items, in their order.

    Raises:
        ValueError: If an id is repeated, or the ids are a set, which has no order.
    """
    ids = ordered_names("ids", ids)
    if not all_distinct(ids):
        seen: set[str] = set()
        repeated = next(each for each in ids if each in seen or seen.add(each))  # type: ignore[func-returns-value]
        raise ValueError(f"'ids' must be distinct (got {repeated!r} twice)")
    return ids


class Items:
    """Ids, titles and labels of items, in the order of their vectors in the index.

    Args:
        index: An empty index.
        num_labels: Number of labels C.

    Attributes:
        ids: Ids of the items.
        titles: Titles of the items, to show in results.
        labels: Multi-hot labels, shape (N, C): a bool tensor, or a CSR array if there are many.
    """

    def __init__(self, index: Index, num_labels: int) -> None:
        self.index = index
        self.ids: list[str] = []
        self.titles: list[str] = []
        self.labels: Any = torch.zeros(0, num_labels, dtype=torch.bool)
        if num_labels > DENSE_LABELS:
            self.labels = sp.csr_array((0, num_labels), dtype=np.float32)
        self._lists: Any = None  # Items of each of many labels, built by the first search with a filter.
        self._row_of: dict[str, int] | None = None  # Built when it is first needed: of a million ids, it takes .5 s.
        self._captions: Captions | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, each: str) -> bool:
        return each in self._rows

    @property
    def _rows(self) -> dict[str, int]:
        if self._row_of is None:
            self._row_of = dict(zip(self.ids, range(len(self)), strict=True))
        return self._row_of

    def add(self, ids: Sequence[str], titles: Sequence[str], vectors: Tensor, labels: Any) -> None:
        """Append items, whose ids must be new."""
        self.index.add(vectors)
        few = isinstance(labels, Tensor)
        both = torch.cat([self.labels, labels]) if few else sp.vstack([self.labels, labels], format="csr")
        self._set([*self.ids, *ids], [*self.titles, *titles], both)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove items; ids that no item has are ignored."""
        rows = [self._rows[each] for each in ids if each in self._rows]
        if not rows:
            return
        self.index.remove(torch.tensor(rows))
        gone = set(rows)
        remaining = [row for row in range(len(self)) if row not in gone]
        labels = rows_of(self.labels, torch.tensor(remaining, dtype=torch.long))
        self._set([self.ids[row] for row in remaining], [self.titles[row] for row in remaining], labels)

    def search(self, query: Tensor, k: int, columns: list[int] | None, ids: Iterable[str] | None) -> Neighbours:
        """Find the nearest items that have one of the labels (by column) and one of the ids; None is no filter."""
        among = None if columns is None and ids is None else self._matching(columns, ids)
        scores, positions = self.index.search(query, k, among)
        rows = positions.tolist()
        neighbours, titles = ([[names[place] for place in row] for row in rows] for names in (self.ids, self.titles))
        return Neighbours(neighbours, scores, titles, SCORE_NAMES[self.index.similarity])

    def vectors(self, ids: Iterable[str]) -> Tensor:
        """Return the vectors or codes of items."""
        return self.index.vectors[[self._rows[each] for each in ids]]

    def captioned(
        self, texts: Sequence[str], k: int, columns: list[int] | None, ids: Iterable[str] | None
    ) -> list[Any]:
        """Return the ids of the items with the best captions for each text; see `Captions`."""
        captions = self._indexed_captions()
        among = None if columns is None and ids is None else self._matching(columns, ids).numpy()
        return [[self.ids[row] for row in captions.search(text, k, among)] for text in texts]

    def titles_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the titles of items, by id."""
        return {each: self.titles[self._rows[each]] for each in ids}

    def caption_words(self, words: Iterable[str]) -> list[str]:
        """Return those of some words that are `Captions.words`; none without captions, or if bm25s is not installed."""
        try:
            known = self._indexed_captions().words
        except (ImportError, ValueError):
            return []
        return [word for word in words if word in known]

    def _indexed_captions(self) -> Captions:
        captions = self._captions or Captions(self.titles, self.ids)
        self._captions = captions
        return captions

    def snapshot(self) -> dict[str, Any]:
        """Return the content of the items for `restore`; later changes do not affect it."""
        index = self.index
        return {"vectors": index.vectors, "files": index.dump(), "ids": self.ids, "titles": self.titles,
                "labels": self.labels}  # fmt: skip

    def restore(
        self, vectors: Tensor, files: Mapping[str, bytes], ids: list[str], titles: list[str], labels: Any
    ) -> None:
        """Set the content from a `snapshot`.

        Raises:
            ValueError: If the parts do not match in size or type.
        """
        self.index.restore(vectors, files)
        if not _texts(ids) or len(ids) != len(self.index) or not all_distinct(ids):
            raise ValueError(f"expected {len(self.index)} distinct ids (got {len(ids)})")
        if titles is not ids and (not _texts(titles) or len(titles) != len(ids)):
            raise ValueError(f"expected {len(ids)} titles (got {len(titles)})")
        wanted = (len(ids), self.labels.shape[1])
        fitting = type(labels) is type(self.labels) and labels.dtype in (torch.bool, np.float32)
        if not fitting or labels.shape != wanted:
            raise ValueError(f"expected bool labels of the shape {wanted} (got {labels.dtype}, {tuple(labels.shape)})")
        self._set(ids, titles, labels)

    def _set(self, ids: list[str], titles: list[str], labels: Any) -> None:
        self.ids, self.titles, self.labels = ids, titles, labels
        self._captions, self._lists, self._row_of = None, None, None

    def _matching(self, columns: list[int] | None, ids: Iterable[str] | None) -> Tensor:
        passed = torch.ones(len(self), dtype=torch.bool)
        if columns is not None:
            passed &= self._labelled(columns)
        if ids is not None:
            named = torch.zeros(len(self), dtype=torch.bool)
            named[[self._rows[each] for each in ids if each in self._rows]] = True
            passed &= named
        return passed.nonzero().flatten()

    def _labelled(self, columns: list[int]) -> Tensor:
        """Return which items have one of the labels, bool, (N,)."""
        if isinstance(self.labels, Tensor):
            return self.labels[:, columns].any(dim=1)
        if self._lists is None:
            self._lists = self.labels.tocsc()
        labelled = torch.zeros(len(self), dtype=torch.bool)
        for column in columns:
            start, end = self._lists.indptr[column : column + 2]
            labelled[torch.from_numpy(self._lists.indices[start:end]).long()] = True
        return labelled
