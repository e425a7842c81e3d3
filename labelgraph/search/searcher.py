"""Search across images and texts with a trained method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from labelgraph._core.checks import check_multi_hot, check_split
from labelgraph._core.names import SIDES, check_name
from labelgraph.data import CrossModalData
from labelgraph.inference import encode_side
from labelgraph.methods import Method
from labelgraph.search.indexes import build_index
from labelgraph.search.items import as_names, distinct_ids
from labelgraph.search.neighbours import Neighbours, check_k
from labelgraph.search.query_vectors import Query, QueryReader, as_items
from labelgraph.search.searcher_folder import MEANING, read_searcher, write_searcher
from labelgraph.search.shared_lock import SharedLock
from labelgraph.search.sides import Sides

WITHIN = {"pictures": ("image",), "texts": ("text",), "both": SIDES}
OTHER = {"image": "text", "text": "image"}


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
        self.label_names = tuple(as_names("label_names", label_names))
        self._sides = self._empty_sides(self.label_names)
        self._lock = SharedLock()
        self._reader = QueryReader(method)

    def __getstate__(self) -> dict[str, Any]:
        """A snapshot, for copies and other processes."""
        with self._lock.read():
            kept = {name: getattr(self, name) for name in ("method", "index", "settings", "label_names")}
            return {**kept, "sides": self._sides.snapshot()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["method"], state["index"], state["label_names"], **state["settings"])  # type: ignore[misc]
        self._sides.restore(state["sides"])

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
        distinct_ids([data.ids[row] for row in chosen.tolist()])
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
        ids = distinct_ids(ids)
        titles = ids if titles is None else as_names("titles", titles)
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
            self._sides.add(ids, titles, vectors, self._check_labels(labels, len(ids)))

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items, their image and their text, as far as they are held.

        An HNSW index of FAISS is then built anew; remove many items at once.

        Raises:
            ValueError: If an id is held on neither side; nothing is removed then.
        """
        ids = as_names("ids", ids)
        with self._lock.write():
            self._sides.remove(ids)

    def search(
        self,
        *,
        image: Any = None,
        text: Any = None,
        label: Any = None,
        like: Any = None,
        k: int = 10,
        within: str | None = None,
        lexical: bool = False,
        labels: Any = None,
        ids: Any = None,
    ) -> Neighbours:
        """Find the nearest items of images, texts, labels or other items; one of these is given.

        With a filter the search is exact, over the items that pass, whatever the index. Where several rankings are to
        be joined, it is by `reciprocal_rank_fusion` of the first 1000, or 10 k, of each.

        Words and picture files go through the encoders that the method keeps. If the method ranks by label
        probabilities, the labels that a text names are certain: "red bird" looks for birds, whether or not "bird" is
        among the words that the method was trained on.

        Args:
            image: Image features (Q, D_v), or of one query (D_v,), or paths of picture files.
            text: Text features (Q, D_t) or (D_t,), or texts.
            label: Names of labels, each a query; a tuple of names is one query for all of them.
            like: Ids of items, each a query by its image, or if not all have one, by its text; they are not found
                themselves.
            k: How many neighbours.
            within: Where to search: ``"pictures"``, ``"texts"``, or ``"both"``, which finds an item by either. By
                default the texts of images and the pictures of texts and labels; the same side for ``like``.
            lexical: Whether captions that share words with a text count beside, by BM25; for texts given as words.
            labels: Only items with at least one of these labels, by name.
            ids: Only items with one of these ids; such as are not held match nothing.

        Raises:
            ValueError: If not exactly one query is given, it is not what the method takes, it has no word that the
                method knows, ``k`` is less than 1, or a label is unknown.
            ImportError: If an encoder or ``lexical`` needs a package that is not installed.
        """
        k, asked = check_k(k), {"image": image, "text": text, "label": label, "like": like}
        given = [name for name, value in asked.items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"one of {', '.join(map(repr, asked))} must be given (got {' and '.join(given) or 'none'})"
            )
        if within is not None:
            check_name("within", within, WITHIN)
        passing = None if labels is None else as_names("labels", labels), None if ids is None else as_names("ids", ids)
        query = None if like is not None else self._query(given[0], asked[given[0]])
        with self._lock.read():
            query = query or self._sides.like(as_names("like", like))
            sides = WITHIN[within] if within else (query.side if query.other_than else OTHER[query.side],)
            filters = None if passing[0] is None else [self._column(name) for name in passing[0]], passing[1]
            return self._sides.search(query, k, sides, lexical, filters)

    def _query(self, name: str, given: Any) -> Query:
        items = as_items(given)
        if name == "label":
            return self._reader.labels(given)
        if items is None:
            return self._reader.features(name, given)
        return self._reader.texts(list(map(str, items))) if name == "text" else self._reader.pictures(items)

    def save(self, folder: str | Path) -> None:
        """Write the method and both sides into a folder, in place of what `save` wrote there before.

        That stays whole and loadable until the new one is complete, even if saving is killed. Of two processes that
        save at once, the searcher of one stays, whole.

        Raises:
            OSError: If the disk is full, the folder read-only, or the like.
            ValueError: If the method cannot be saved, or ``index.json`` is a file of something else.
        """
        state = self.__getstate__()
        meaning = {name: state[name] for name in MEANING}
        write_searcher(Path(folder), self.method, meaning, state["sides"])

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote. Every file is checked by its SHA-256; nothing is unpickled.

        Another process may save into the folder meanwhile: what is loaded is one version, whole.

        Raises:
            FileNotFoundError: If the folder or a file of it is missing.
            ValueError: If it is damaged or of another format.
            ImportError: If the index needs FAISS, which is not installed.
        """
        return read_searcher(Path(folder), cls._restored)

    @classmethod
    def _restored(cls, method: Method, meaning: dict[str, Any], sides: dict[str, Any]) -> Self:
        searcher = cls(method, meaning["index"], meaning["label_names"], **meaning["settings"])
        searcher._sides.restore(sides)
        return searcher

    def _empty_sides(self, label_names: Sequence[str]) -> Sides:
        similarity, num_labels = self.method.similarity, self.method.similarity_labels
        return Sides(lambda: build_index(self.index, similarity, num_labels, **self.settings), len(label_names))

    def _check_labels(self, labels: Any, size: int) -> Tensor:
        """Multi-hot labels, bool, (size, C)."""
        if labels is None:
            return torch.zeros(size, len(self.label_names), dtype=torch.bool)
        hot = torch.from_numpy(check_multi_hot("labels", labels).toarray().astype(bool))
        if hot.shape != (size, len(self.label_names)):
            raise ValueError(f"'labels' must have the shape {(size, len(self.label_names))} (got {tuple(hot.shape)})")
        return hot

    def _column(self, label: str) -> int:
        check_name("labels", label, self.label_names)
        return self.label_names.index(label)
