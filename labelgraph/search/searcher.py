"""Search across images and texts with a trained method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from labelgraph._core.checks import check_multi_hot, check_split
from labelgraph.data import CrossModalData
from labelgraph.inference import SIDES, encode_side
from labelgraph.methods import Method
from labelgraph.search.indexes import build_index
from labelgraph.search.items import Items, SharedLock
from labelgraph.search.neighbours import Neighbours
from labelgraph.search.searcher_folder import (
    Version,
    read_current,
    read_items,
    read_meaning,
    read_method,
    write_searcher,
    write_version,
)


class Searcher:
    """Images and texts, embedded by a method, and a search for the texts of an image or the images of a text.

    Threads may search at once; adding, removing and fitting wait for them and are then alone.

    Args:
        method: A trained method; it is put into evaluation mode, and must not be changed afterwards.
        index: Key of ``INDEXES``; by default the exact one for the method's similarity.
        label_names: Labels to filter by, if items come by `add` alone; `fit` takes those of its data.
        settings: Of the index, such as ``num_probes``; `build_index` tells them.

    Raises:
        ValueError: If there is no such index, it is not for the method's similarity, or a setting is wrong.
        ImportError: If the index needs FAISS, which is not installed.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.methods import AGAHConfig, build_method
        >>> from labelgraph.search import Searcher
        >>> data = CrossModalData(
        ...     image=torch.eye(3, 6), text=torch.eye(3, 5), labels=torch.eye(3), label_names=["cat", "dog", "tree"],
        ...     ids=["a", "b", "c"])
        >>> method = build_method("agah", 6, 5, config=AGAHConfig(bits=16, hidden_channels=8, graph_channels=(8, 8)))
        >>> searcher = Searcher(method).fit(data)
        >>> searcher
        Searcher(agah, hamming, 3 images, 3 texts, 3 labels)
        >>> found = searcher.search(image=data.image[:2], k=1, labels=["dog"])
        >>> found.ids, found.scores.shape
        ([['b'], ['b']], torch.Size([2, 1]))
    """

    def __init__(
        self, method: Method, index: str | None = None, label_names: Sequence[str] = (), **settings: int
    ) -> None:
        self.method = method.eval()
        self.index = index or ("hamming" if method.similarity == "hamming" else "exact")
        self.settings = settings
        self.label_names = tuple(map(str, label_names))
        self._sides = self._empty_sides(self.label_names)
        self._lock = SharedLock()

    def __repr__(self) -> str:
        images, texts = (len(self._sides[side]) for side in SIDES)
        return (
            f"Searcher({self.method.name}, {self.index}, {images} images, {texts} texts, "
            f"{len(self.label_names)} labels)"
        )

    def fit(
        self,
        data: CrossModalData,
        batch_size: int = 4096,
        advance: Callable[[int], object] | None = None,
        rows: Any = None,
    ) -> Self:
        """Embed the images and texts of a data set and index them in place of all that was here.

        Args:
            data: Pairs with distinct ids; a missing side is left out.
            batch_size: How many to embed at a time.
            advance: Called after each batch with its size; images and texts count one each.
            rows: Row numbers of the items to index, such as ``data.rows("database")``, which are then not copied as
                `CrossModalData.split` does; by default all.

        Raises:
            ValueError: If an id or a row is repeated, or the features are not those that the method takes.
        """
        chosen = check_split("rows", torch.arange(len(data)) if rows is None else rows, len(data))
        _check_distinct([data.ids[row] for row in chosen.tolist()])
        sides = self._empty_sides(data.label_names)
        for column, side in enumerate(SIDES):
            there = chosen[data.present[chosen, column]]
            if len(there):
                vectors = encode_side(self.method, side, data, batch_size, there, advance).vectors
                ids, titles = ([names[row] for row in there.tolist()] for names in (data.ids, data.titles))
                sides[side].add(ids, titles, vectors, data.labels[there].bool())
        with self._lock.write():
            self._sides, self.label_names = sides, tuple(data.label_names)
        return self

    def add(
        self,
        ids: Sequence[str],
        image: Any = None,
        text: Any = None,
        labels: Any = None,
        batch_size: int = 4096,
        titles: Sequence[str] | None = None,
    ) -> None:
        """Add images, texts, or both, under ids that the side does not hold yet.

        Args:
            ids: One of each row.
            image: Image features (N, D_v), or of one item (D_v,).
            text: Text features (N, D_t), or of one item (D_t,).
            labels: Multi-hot (N, C), in the order of ``label_names``; by default the items have no labels.
            batch_size: How many to embed at a time.
            titles: What to show of the items; by default their ids.

        Raises:
            ValueError: If ids are repeated or held already, or shapes disagree; nothing is added then.
        """
        ids = [ids] if isinstance(ids, str) else [str(each) for each in ids]
        _check_distinct(ids)
        titles = ids if titles is None else [titles] if isinstance(titles, str) else [str(each) for each in titles]
        if len(titles) != len(ids):
            raise ValueError(f"'titles' must have an entry per id, {len(ids)} (got {len(titles)})")
        given = {side: features for side, features in zip(SIDES, (image, text), strict=True) if features is not None}
        if not given:
            raise ValueError("'image' or 'text' must be given (got neither)")
        vectors = {
            side: encode_side(self.method, side, features, batch_size).vectors for side, features in given.items()
        }
        for side, rows in vectors.items():
            if len(rows) != len(ids):
                raise ValueError(f"'{side}' must have a row per id, {len(ids)} (got {len(rows)})")
        with self._lock.write():
            hot = self._check_labels(labels, len(ids))
            for side in vectors:
                if held := next((each for each in ids if each in self._sides[side]), None):
                    raise ValueError(f"'ids' must be new among the {side}s (got {held!r}, which is held)")
            for side, rows in vectors.items():
                self._sides[side].add(ids, titles, rows, hot)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items, their image and their text, as far as they are held.

        An HNSW index of FAISS is then built anew; remove many items at once.

        Raises:
            ValueError: If an id is held on neither side; nothing is removed then.
        """
        ids = [ids] if isinstance(ids, str) else [str(each) for each in ids]
        with self._lock.write():
            for each in ids:
                if not any(each in items for items in self._sides.values()):
                    raise ValueError(f"'ids' must be held (got {each!r}, which is not)")
            for items in self._sides.values():
                items.remove(ids)

    def search(
        self,
        *,
        image: Any = None,
        text: Any = None,
        k: int = 10,
        labels: Sequence[str] | None = None,
        ids: Sequence[str] | None = None,
    ) -> Neighbours:
        """Find the nearest texts of images, or the nearest images of texts.

        With a filter the search is exact, over the items that pass, whatever the index.

        Args:
            image: Image features (Q, D_v), or of one query (D_v,).
            text: Text features (Q, D_t) or (D_t,), instead.
            k: How many neighbours.
            labels: Only items with at least one of these labels, by name.
            ids: Only items with one of these ids; such as are not held match nothing.

        Raises:
            ValueError: If not exactly one of ``image`` and ``text`` is given, the features are not those that
                the method takes, ``k`` is less than 1, or a label is unknown.
        """
        if (image is None) == (text is None):
            raise ValueError(f"one of 'image' and 'text' must be given (got {'neither' if image is None else 'both'})")
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"'k' must be a whole number of at least 1 (got {k!r})")
        side, other = SIDES if text is None else SIDES[::-1]
        query = encode_side(self.method, side, text if image is None else image).vectors
        with self._lock.read():
            columns = None if labels is None else [self._column(name) for name in labels]
            return self._sides[other].search(query, k, columns, None if ids is None else [str(each) for each in ids])

    def save(self, folder: str | Path) -> None:
        """Write the method and both sides into a folder, in place of what `save` wrote there before.

        That stays whole and loadable until the new one is complete, even if saving is killed.

        Raises:
            OSError: If the disk is full, the folder read-only, or the like.
            ValueError: If the method cannot be saved.
        """
        with self._lock.read():
            meaning = {"index": self.index, "settings": self.settings, "label_names": self.label_names}
            write_version(Path(folder), lambda new: write_searcher(new, self.method, meaning, self._sides))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote. Every file is checked by its SHA-256; nothing is unpickled.

        Another process may save into the folder meanwhile: what is loaded is one version, whole.

        Raises:
            FileNotFoundError: If the folder or a file of it is missing.
            ValueError: If it is damaged or of another format.
            ImportError: If the index needs FAISS, which is not installed.
        """
        return read_current(Path(folder), cls._read)

    @classmethod
    def _read(cls, version: Version) -> Self:
        try:
            meaning = read_meaning(version)
            searcher = cls(read_method(version), meaning["index"], meaning["label_names"], **meaning["settings"])
            read_items(version, meaning, searcher._sides)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{version.path}: expected the entry {error}") from error
        return searcher

    def _empty_sides(self, label_names: Sequence[str]) -> dict[str, Items]:
        similarity = self.method.similarity
        return {side: Items(build_index(self.index, similarity, **self.settings), len(label_names)) for side in SIDES}

    def _check_labels(self, labels: Any, size: int) -> Tensor:
        """Multi-hot labels, bool, (size, C)."""
        if labels is None:
            return torch.zeros(size, len(self.label_names), dtype=torch.bool)
        hot = torch.from_numpy(check_multi_hot("labels", labels).toarray().astype(bool))
        if hot.shape != (size, len(self.label_names)):
            raise ValueError(f"'labels' must have the shape {(size, len(self.label_names))} (got {tuple(hot.shape)})")
        return hot

    def _column(self, label: str) -> int:
        if label not in self.label_names:
            raise ValueError(f"'labels' must be among the {len(self.label_names)} label names (got {label!r})")
        return self.label_names.index(label)


def _check_distinct(ids: Sequence[str]) -> None:
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        repeated = next(each for each in ids if each in seen or seen.add(each))  # type: ignore[func-returns-value]
        raise ValueError(f"'ids' must be distinct (got {repeated!r} twice)")
