"""Search across images and texts with a trained method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.argument_kinds import as_path, check_kind
from labelgraph._core.checks import check_multi_hot, check_split
from labelgraph._core.multi_hot import stored_labels
from labelgraph._core.names import SIDES, check_name
from labelgraph._core.versions import Version
from labelgraph.data import CrossModalData
from labelgraph.data.pairs import check_pairs
from labelgraph.inference import encode_side
from labelgraph.methods import Method
from labelgraph.methods.label_placement import LabelPlacement
from labelgraph.search.blocks import embed_blocks
from labelgraph.search.indexes import build_index
from labelgraph.search.items import as_names, distinct_ids, ordered_names
from labelgraph.search.neighbours import Neighbours, check_k
from labelgraph.search.query_vectors import Query, QueryReader, as_items
from labelgraph.search.searcher_folder import MEANING, open_saved, read_searcher, write_searcher
from labelgraph.search.shared_lock import SharedLock
from labelgraph.search.sides import Sides
from labelgraph.search.stores.address import address_of, check_address, default_index
from labelgraph.search.stores.memory_sides import MemorySides
from labelgraph.search.stores.stored_sides import open_sides, read_store

WITHIN = {"pictures": ("image",), "texts": ("text",), "both": SIDES}
OTHER = {"image": "text", "text": "image"}


class Searcher:
    """Embeds images and texts by a method, and searches for texts of an image or images of a text.

    Several threads may search at the same time; `add`, `remove` and `fit` wait until no search is running.

    Args:
        method: A trained method; it is put into evaluation mode, and must not be changed afterwards.
        index: Name of the index in ``INDEXES``; by default the exact index for the method's similarity.
        label_names: Names of the labels of the items, if items are only added by `add`; `fit` takes the labels of its
            data.
        store: Address of the database that keeps the items, ``"lance:PATH"`` or ``"milvus:URI"``; by default, they are
            kept in memory. `fit` replaces a store; `add` uses a store of the same model, or creates it. The index of
            a store is ``"exact"`` or ``"ivf"``.
        settings: Settings of the index, such as ``num_probes``; see `build_index`.

    Raises:
        ValueError: If the index is unknown, does not have the method's similarity, or a setting is not valid; or if
            the address of the store is wrong.
        ImportError: If the index needs FAISS, or the store a package, that is not installed.

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
        self,
        method: Method,
        index: str | None = None,
        label_names: Sequence[str] = (),
        store: str | None = None,
        **settings: int,
    ) -> None:
        check_kind("method", method, Method, "a method, such as load_method returns")
        self.method = method.eval()
        self.store = store
        self.index = index or default_index(method.similarity, store)
        self.settings = settings
        self.label_names = tuple(as_names("label_names", label_names))
        self._sides = self._empty_sides(self.label_names)
        self._lock = SharedLock()
        self._reader = QueryReader(method)

    def __getstate__(self) -> dict[str, Any]:
        """Return a snapshot, so that a searcher can be copied and sent to other processes."""
        with self._lock.read():
            state = {name: getattr(self, name) for name in ("method", "index", "settings", "label_names", "store")}
            return {**state, "sides": self._sides.snapshot()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        own = (state[name] for name in ("method", "index", "label_names", "store"))
        self.__init__(*own, **state["settings"])  # type: ignore[misc]
        self._sides.restore(state["sides"])

    def __repr__(self) -> str:
        try:
            images, texts = (self._sides.count(side) for side in SIDES)
            items = f"{images} images, {texts} texts"
        except (ValueError, OSError):  # Of a damaged store; a representation must not fail.
            items = "items that cannot be read"
        store = f", {self.store}" if self.store else ""
        return f"Searcher({self.method.name}, {self.index}, {items}, {len(self.label_names)} labels{store})"

    def fit(
        self,
        data: CrossModalData,
        batch_size: int | None = None,
        advance: Callable[[int], object] | None = None,
        rows: Any = None,
    ) -> Self:
        """Embed and index the images and texts of a data set; items added before are removed.

        Args:
            data: Pairs with distinct ids; a missing side is not indexed.
            batch_size: Number of images or texts to embed at a time; by default as many as
                `labelgraph.inference.encode` embeds.
            advance: Function that is called after each batch with its size, to show progress; images and texts are
                counted separately.
            rows: Row numbers of the items to index, such as ``data.rows("database")``; by default all. Unlike
                `CrossModalData.split`, this does not copy the data.

        Raises:
            ValueError: If an id or a row is repeated, or the features do not have the width that the method needs.
        """
        check_pairs("data", data)
        chosen = check_split("rows", torch.arange(len(data)) if rows is None else rows, len(data))
        distinct_ids([data.ids[row] for row in chosen.tolist()])
        sides = self._empty_sides(data.label_names)
        sides.fill(embed_blocks(self.method, data, chosen, sides.block_rows, batch_size, advance))
        with self._lock.write():
            self._sides, self.label_names = sides, tuple(data.label_names)
        return self

    def add(
        self,
        ids: Sequence[str],
        image: Any = None,
        text: Any = None,
        labels: Any = None,
        batch_size: int | None = None,
        titles: Sequence[str] | None = None,
    ) -> None:
        """Add images, texts, or both, with ids that are new on their side.

        Args:
            ids: One id per row.
            image: Image features (N, D_v), or of one item (D_v,).
            text: Text features (N, D_t), or of one item (D_t,).
            labels: Multi-hot labels (N, C), in the order of ``label_names``; by default the items have no labels.
            batch_size: Number of images or texts to embed at a time, see `fit`.
            titles: Titles of the items, to show in results; by default the ids.

        Raises:
            ValueError: If an id is repeated or not new, or shapes disagree; nothing is added then.
        """
        items = self._embedded(ids, image, text, batch_size, titles)
        with self._lock.write():
            self._sides.add(*items, self._check_labels(labels, len(items[0])))

    def upsert(
        self,
        ids: Sequence[str],
        image: Any = None,
        text: Any = None,
        labels: Any = None,
        batch_size: int | None = None,
        titles: Sequence[str] | None = None,
    ) -> None:
        """Add images, texts, or both, in place of those with the same ids on the same side; see `add`.

        If an item keeps its other side, it also keeps a title or labels that are not given.

        Raises:
            ValueError: If an id is repeated, or shapes disagree; nothing is changed then.
        """
        items = self._embedded(ids, image, text, batch_size, titles)
        with self._lock.write():
            self._sides.upsert(*items, self._check_labels(labels, len(items[0])))

    def _embedded(
        self, ids: Any, image: Any, text: Any, batch_size: int | None, titles: Any
    ) -> tuple[list[str], list[str], dict[str, Tensor]]:
        """Check items, and return their ids, titles and vectors by side."""
        ids = distinct_ids(ids)
        titles = ids if titles is None else ordered_names("titles", titles)
        if len(titles) != len(ids):
            raise ValueError(f"'titles' must have an entry per id, {len(ids)} (got {len(titles)})")
        sides = {side: features for side, features in zip(SIDES, (image, text), strict=True) if features is not None}
        if not sides:
            raise ValueError("'image' or 'text' must be given (got neither)")
        vectors = {
            side: encode_side(self.method, side, features, batch_size).vectors for side, features in sides.items()
        }
        for side, rows in vectors.items():
            if len(rows) != len(ids):
                raise ValueError(f"'{side}' must have a row per id, {len(ids)} (got {len(rows)})")
        return ids, titles, vectors

    def remove(self, ids: Sequence[str]) -> None:
        """Remove the images and texts of items.

        An HNSW index of FAISS is built again after each call, so that it is faster to remove many items in one call.

        Raises:
            ValueError: If neither side has an id; nothing is removed then.
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
        vectors: Any = None,
        k: int = 10,
        within: str | None = None,
        lexical: bool | None = None,
        labels: Any = None,
        ids: Any = None,
    ) -> Neighbours:
        """Find the nearest items of images, texts, labels or other items; give exactly one kind of query.

        With a filter (``labels`` or ``ids``), the search is exact for every index. If several rankings are combined,
        the first 1000, or 10 k if that is more, of each are joined by `reciprocal_rank_fusion`.

        Texts and picture files are encoded by the encoders that the training data recorded. If the method ranks by
        label probabilities, a label that a text names gets the probability 1: "red bird" finds birds even if "bird" is
        not in the vocabulary. A word that is not in the vocabulary of a bag of words is read as its singular or plural,
        or as the known word from which it differs by one typing error.

        Args:
            image: Image features (Q, D_v), or of one query (D_v,), or paths of picture files.
            text: Text features (Q, D_t) or (D_t,), or texts.
            label: Names of labels, each a query; a tuple of names is one query for all of these labels. A name that
                is not a trained label is searched by the trained labels with the nearest names, and as a word of texts
                if the text encoder knows it; see `placements`.
            like: Ids of items, each a query by its image, or if an item has no image, all by their texts. The items
                themselves are left out of the results.
            vectors: Vectors of the names in ``label`` that are not trained labels; see `placements`.
            k: Number of neighbours.
            within: Side to search: ``"pictures"``, ``"texts"``, or ``"both"``, where an item matches by either. By
                default, images search texts, texts and labels search pictures, and ``like`` searches its own side.
            lexical: Whether to also rank by the words that a text query shares with the captions (BM25). By default,
                this is done for texts with an unknown word that captions of the searched items have, see
                `caption_words`, if the package bm25s is installed and ``within`` is not ``"pictures"``. All texts of
                the call then have the scores of a fusion. If every word of a text is unknown, items that share no word
                with it follow with the score 0.
            labels: Names of labels; only items with at least one of them are returned.
            ids: Only items with one of these ids are returned; unknown ids are ignored.

        Raises:
            ValueError: If not exactly one kind of query is given, the features do not have the width that the method
                needs, a text has no known word, ``k`` is less than 1, or a label is unknown and cannot be placed.
            ImportError: If an encoder or ``lexical`` needs a package that is not installed.
        """
        k, asked = check_k(k), {"image": image, "text": text, "label": label, "like": like}
        names = [name for name, value in asked.items() if value is not None]
        if len(names) != 1:
            raise ValueError(
                f"one of {', '.join(map(repr, asked))} must be given (got {' and '.join(names) or 'none'})"
            )
        if within is not None:
            check_name("within", within, WITHIN)
        passing = None if labels is None else as_names("labels", labels), None if ids is None else as_names("ids", ids)
        query = None if like is not None else self._query(names[0], asked[names[0]], vectors)
        with self._lock.read():
            query = query or self._sides.like(ordered_names("like", like))
            sides = WITHIN[within] if within else (query.side if query.other_than else OTHER[query.side],)
            lexical = False if lexical is None and within == "pictures" else lexical
            filters = None if passing[0] is None else [self._column(name) for name in passing[0]], passing[1]
            return self._sides.search(query, k, sides, lexical, filters)

    def caption_words(self, text: Any, within: str | None = None) -> list[list[str]]:
        """Return the words of texts that the method does not know, and that captions of the searched items have.

        By default, `search` also looks for these words in the captions.

        Args:
            text: Texts.
            within: See `search`.

        Returns:
            Words of each text; none if ``within`` is ``"pictures"``, or bm25s is not installed.

        Raises:
            ValueError: If the training data of the method do not record their text encoder.
        """
        unknown = self._reader.unknown_words([str(each) for each in as_items("text", text) or ()])
        with self._lock.read():
            if within == "pictures":
                return [[] for _ in unknown]
            return self._sides.caption_words(unknown, WITHIN[within] if within else WITHIN["pictures"])

    def placements(self, label: Any, vectors: Any = None) -> list[LabelPlacement]:
        """Place labels without training items among the trained labels, as `search` does.

        The nearest trained labels are those with the highest cosines of the names. They need label vectors in the
        training data, `CrossModalData.label_vectors`, and vectors of the labels from the same encoder.

        Args:
            label: See `search`.
            vectors: Vectors of the labels that are not trained: a matrix with a row for each of them, a ``.npy`` file
                with one, a file of word vectors, or a sentence encoder; see
                `labelgraph.methods.label_placement.name_vectors`. Defaults to the packaged sentence encoder, if it is
                installed.

        Returns:
            A placement for each label that is not trained.

        Raises:
            ValueError: If the method does not rank by label probabilities, ``vectors`` do not fit, or a label has
                neither near labels nor a word that the text encoder knows.
        """
        return self._reader.placements(label, vectors)

    def _query(self, name: str, query: Any, vectors: Any) -> Query:
        if vectors is not None and name != "label":
            raise ValueError(f"'vectors' needs 'label' (got {name!r})")
        if name == "label":
            return self._reader.labels(query, vectors)
        items = as_items(name, query)
        if items is None:
            return self._reader.features(name, query)
        return self._reader.texts(list(map(str, items))) if name == "text" else self._reader.pictures(items)

    def save(self, folder: str | Path) -> None:
        """Save the searcher atomically to a folder; a searcher that the folder already holds is replaced.

        The old searcher stays loadable until the new one is complete, even if the process is killed. If two processes
        save at the same time, the searcher of one of them remains.

        Raises:
            OSError: If the folder cannot be written, such as when the disk is full.
            ValueError: If the method cannot be saved, ``index.json`` is not a manifest of a searcher, or the items are
                in a store, which needs no saving, or the folder holds a store.
        """
        folder = as_path("folder", folder)
        if self.store is not None:
            raise ValueError(f"'save' needs a searcher in memory (got one whose items are in {self.store}, where they "
                             "stay)")  # fmt: skip
        if (held := address_of(folder)) is not None:
            raise ValueError(f"'folder' must be new, or hold a searcher in memory (got {folder}, which is the store "
                             f"{held})")  # fmt: skip
        state = self.__getstate__()
        meaning = {name: state[name] for name in MEANING}
        write_searcher(folder, self.method, meaning, state["sides"])

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a saved searcher. Every file is checked by its SHA-256; no pickle is read.

        Vectors and labels of more than 64 MiB are mapped into memory, and checked when their side is first used; a
        search then raises the ValueError of a damaged file.

        If another process saves to the folder at the same time, one complete version is loaded. A folder of LanceDB is
        opened as a store, see `open`.

        Raises:
            FileNotFoundError: If the folder or one of its files is missing.
            ValueError: If the folder is damaged or has another format.
            ImportError: If the index needs FAISS, which is not installed.
        """
        folder = as_path("folder", folder)
        address = address_of(folder)
        if address is not None:
            return cls.open(address)
        with open_saved(folder) as version:
            return cls.read(version)

    @classmethod
    def read(cls, version: Version) -> Self:
        """Read a searcher from an open version of its folder, see `labelgraph.search.searcher_folder.open_saved`.

        Raises:
            ValueError: If a file is damaged.
            ImportError: If the index needs FAISS, which is not installed.
        """
        searcher, sides = read_searcher(version, cls._empty)
        cast(MemorySides, searcher._sides).open(sides)
        return searcher

    @classmethod
    def open(cls, uri: str) -> Self:
        """Open the searcher of a store. Several processes can open one store: each sees what the others change.

        Args:
            uri: Address of the store, ``"lance:PATH"`` or ``"milvus:URI"``.

        Raises:
            FileNotFoundError: If there is no such store.
            ValueError: If the address is wrong, or the store is not one of a searcher.
            ImportError: If the package of the store is not installed.
        """
        method, meaning = read_store(check_address("uri", uri))
        return cls(method, meaning["index"], meaning["label_names"], uri, **meaning["settings"])

    @classmethod
    def _empty(cls, method: Method, meaning: dict[str, Any]) -> Self:
        return cls(method, meaning["index"], meaning["label_names"], **meaning["settings"])

    def _empty_sides(self, label_names: Sequence[str]) -> Sides:
        if self.store is not None:
            return open_sides(self.store, self.method, label_names, self.index, self.settings)
        similarity, num_labels = self.method.similarity, self.method.similarity_labels
        return MemorySides(lambda: build_index(self.index, similarity, num_labels, **self.settings), len(label_names))

    def _check_labels(self, labels: Any, size: int) -> Any:
        """Return multi-hot labels, (size, C): a bool tensor, or a CSR array if there are many."""
        shape = size, len(self.label_names)
        hot = sp.csr_array(shape, dtype=np.float32) if labels is None else check_multi_hot("labels", labels)
        if hot.shape != shape:
            raise ValueError(f"'labels' must have the shape {shape} (got {hot.shape})")
        stored = stored_labels(hot)
        return stored.bool() if isinstance(stored, Tensor) else stored

    def _column(self, label: str) -> int:
        check_name("labels", label, self.label_names)
        return self.label_names.index(label)
