"""The items of a searcher in a database, which several processes may read and write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.digests import sha256_bytes
from labelgraph._core.embeddings import Embeddings, as_embeddings
from labelgraph._core.multi_hot import item_labels
from labelgraph._core.names import SIDES, check_name
from labelgraph._core.similarity import SPARSE
from labelgraph.methods import Method
from labelgraph.search.blocks import Block
from labelgraph.search.captions import Captions
from labelgraph.search.exact_neighbours import comparable
from labelgraph.search.items import SCORE_NAMES
from labelgraph.search.neighbours import Neighbours, check_k
from labelgraph.search.sides import Entry, Sides
from labelgraph.search.stores.address import INDEXES, open_engine
from labelgraph.search.stores.engine import Engine, Filter, Hits, Rows, Shape
from labelgraph.search.stores.stored_model import model_key, pack_model, unpack_model
from labelgraph.search.stores.vector_layout import Layout

USUAL_LABELS = 3.0  # Mean number of labels of an item, for a method without a label graph.


class StoredSides(Sides):
    """Items in a database. The store is created by `fill`, or by the first item that is added.

    Args:
        engine: The database.
        method: The method whose embeddings the store holds.
        label_names: Names of the labels.
        index: ``"exact"`` or ``"ivf"``.
        settings: ``num_probes`` of IVF.
    """

    block_rows: ClassVar[int | None] = 2**12

    def __init__(
        self, engine: Engine, method: Method, label_names: Sequence[str], index: str, settings: Mapping[str, int]
    ) -> None:
        self.address = engine.address
        self.engine, self._method, self.similarity = engine, method, method.similarity
        self._key = model_key(method, label_names)
        self.index = index
        self._meaning = {"index": index, "settings": dict(settings), "label_names": list(label_names)}
        self._probes = {**INDEXES[index], **settings}.get("num_probes")
        self._opened: str | None = None
        self.layout: Layout | None = None
        super().__init__({side: StoredSide(self, side) for side in SIDES})

    def fill(self, blocks: Iterable[Block]) -> None:
        """Replace the store, see `Sides.fill`."""
        blocks = iter(blocks)
        first = next(blocks)
        with self.engine.lock():
            self._create(first, blocks)

    def add(self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor) -> None:
        """Append items in one transaction, see `Sides.add`."""
        self._write(ids, titles, vectors, labels, replacing=False)

    def upsert(self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor) -> None:
        """Append or replace items in one transaction, see `Sides.upsert`; given titles and labels are replaced, too."""
        self._write(ids, titles, vectors, labels, replacing=True)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove items, see `Sides.remove`."""
        with self.engine.lock():
            held = set(self.engine.read(ids).ids) if self.opened() else set()
            for each in ids:
                if each not in held:
                    raise ValueError(f"'ids' must be ids of items of the searcher (got {each!r})")
            if ids:
                self.engine.delete(ids)

    def entries(self) -> Iterator[Entry]:
        """Return all items, see `Sides.entries`."""
        for with_image in (True, False):
            for rows in self.engine.scan(Filter()) if self.opened() else ():
                for each, title, columns, sides in zip(rows.ids, rows.titles, rows.labels, rows.sides, strict=True):
                    if bool(sides & 1) == with_image:
                        names = tuple(side for place, side in enumerate(SIDES) if sides >> place & 1)
                        yield Entry(each, title, tuple(columns), names)

    def snapshot(self) -> dict[str, dict[str, Any]]:
        """Return nothing: the items are in the database."""
        return {}

    def restore(self, snapshot: Mapping[str, Mapping[str, Any]]) -> None:
        """Do nothing: the items are in the database."""

    def opened(self) -> bool:
        """Open the store if it exists, and return whether it does.

        Raises:
            ValueError: If another model made the store.
        """
        key = self.engine.model_key()
        if key is None or key == self._opened:
            return key is not None
        if key.partition("-")[0] != self._key:
            raise ValueError(f"{self.address}: expected a store of the same model and labels (got one that another "
                             "model made); load it again, or index into another store")  # fmt: skip
        _, meaning = unpack_model(self.engine.model(), self.address or "")
        self._set(meaning["width"], key)
        return True

    def _set(self, width: int, key: str) -> Shape:
        method = self._method
        self.layout = Layout(method.similarity, method.similarity_labels, width, _mean_labels(method),
                             self.engine.takes_codes)  # fmt: skip
        shape = Shape(self.layout.stored_width, self.layout.codes, self._probes)
        self.engine.open(shape)
        self._opened = key
        return shape

    def _create(self, first: Block, others: Iterable[Block] = ()) -> None:
        """Create the store with the first block and others, or replace it."""
        width = next(iter(first.vectors.values())).shape[1]
        model = pack_model(self._method, {**self._meaning, "width": width})
        key = f"{self._key}-{sha256_bytes(model)[:8]}"
        shape = self._set(width, key)
        self.engine.replace(key, model, shape, map(self._rows, chain([first], others)))

    def _write(
        self, ids: Sequence[str], titles: Sequence[str], vectors: Mapping[str, Tensor], labels: Tensor, replacing: bool
    ) -> None:
        present = torch.tensor([[side in vectors for side in SIDES]]).expand(len(ids), -1)
        block = Block(list(ids), list(titles), labels, present, vectors)
        with self.engine.lock():
            if not self.opened():
                try:
                    self._create(block)
                    return
                except ValueError:
                    self._opened = None
                    if not self.opened():  # Otherwise another process has created it at the same moment.
                        raise
            rows, held = self._rows(block), self.engine.read(ids)
            if not replacing:
                _check_new(held, vectors)
            if len(rows):
                self.engine.write(_joined(rows, held, replacing), new=not len(held))

    def _rows(self, block: Block) -> Rows:
        assert self.layout is not None
        vectors = {}
        for column, side in enumerate(SIDES):
            dtype = np.uint8 if self.layout.codes else np.float32
            matrix = np.zeros((len(block.ids), self.layout.stored_width), dtype)
            if side in block.vectors:
                matrix[block.present[:, column].numpy()] = self.layout.stored(self.check(side, block.vectors[side]))
            vectors[side] = matrix
        columns: list[list[int]] = [[] for _ in block.ids]
        for row, column in zip(*(each.tolist() for each in item_labels(block.labels)), strict=True):
            columns[row].append(column)
        sides = (block.present * torch.tensor([1, 2])).sum(1).tolist()
        return Rows(block.ids, block.titles, columns, sides, vectors)

    def check(self, name: str, vectors: Tensor) -> Embeddings:
        """Check the width and values of vectors or codes, and scale vectors for cosines to unit length."""
        assert self.layout is not None
        if vectors.ndim != 2 or vectors.shape[1] != self.layout.width:
            raise ValueError(f"'{name}' must have the shape (N, {self.layout.width}) (got {tuple(vectors.shape)})")
        return comparable(as_embeddings(name, vectors.cpu(), self.layout.similarity, self.layout.num_labels))


def open_sides(
    address: str, method: Method, label_names: Sequence[str], index: str, settings: Mapping[str, int]
) -> StoredSides:
    """Return the items of a store, which need not exist yet.

    Raises:
        ValueError: If the address is wrong, the index or a setting unknown, or the method has sparse embeddings.
        ImportError: If the package of the database is not installed.
    """
    if method.similarity in SPARSE:
        raise ValueError(f"'store' must be left out for {method.similarity}, by which a method with many labels "
                         f"ranks in memory (got {address!r})")  # fmt: skip
    check_name("index", index, INDEXES)
    for name, value in settings.items():
        check_name(f"settings of the index {index!r}", name, INDEXES[index])
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"'{name}' must be a positive whole number (got {value!r})")
    return StoredSides(open_engine(address), method, label_names, index, settings)


def read_store(address: str) -> tuple[Method, dict[str, Any]]:
    """Return the model of a store, and the entries `MEANING`.

    Raises:
        FileNotFoundError: If there is no store at the address.
        ValueError: If the address is wrong, or the content damaged.
        ImportError: If the package of the database is not installed.
    """
    engine = open_engine(address)
    if engine.model_key() is None:
        raise FileNotFoundError(f"{address}: no such store; `labelgraph index` makes one")
    return unpack_model(engine.model(), address)


class StoredSide:
    """One side of the items in a database; `Items` documents the methods.

    Args:
        sides: Both sides.
        side: ``"image"`` or ``"text"``.
    """

    def __init__(self, sides: StoredSides, side: str) -> None:
        self._sides, self._engine, self._side = sides, sides.engine, side
        self._captions: tuple[object, Captions, list[str]] | None = None

    def __len__(self) -> int:
        return self._engine.count(self._side) if self._sides.opened() else 0

    def __contains__(self, each: str) -> bool:
        return bool(self._held([each]))

    def search(self, query: Tensor, k: int, columns: list[int] | None, ids: Iterable[str] | None) -> Neighbours:
        """Find the nearest items; a search with a filter compares the query with every item that passes."""
        k, found = check_k(k), [Hits([], [], np.zeros(0, np.float32), None)] * len(query)
        similarity = self._sides.similarity
        if self._sides.opened():  # Items are not counted: Milvus Lite searches faster.
            asked = self._sides.check("query", query)
            chosen = Filter(columns, None if ids is None else list(ids))
            exact = bool(chosen) or self._sides.index == "exact"
            found = self._search(asked, k, chosen, exact=exact)
            if not exact and any(len(each.ids) < k for each in found):
                found = self._search(asked, k, chosen, exact=True)
        shortest = min((len(each.ids) for each in found), default=0)  # Another process may have removed items.
        scores = np.stack([each.scores[:shortest] for each in found]) if found else np.zeros((0, 0), np.float32)
        dtype = torch.int32 if similarity == "hamming" else torch.float32
        ids_, titles = [each.ids[:shortest] for each in found], [each.titles[:shortest] for each in found]
        return Neighbours(ids_, torch.from_numpy(scores).to(dtype), titles, SCORE_NAMES[similarity])

    def vectors(self, ids: Iterable[str]) -> Tensor:
        """Return the vectors or codes of items; see `Items.vectors`."""
        wanted = list(ids)
        rows = self._engine.read(wanted)
        place = {each: row for row, each in enumerate(rows.ids)}
        assert self._sides.layout is not None
        return self._sides.layout.embeddings(rows.vectors[self._side][[place[each] for each in wanted]]).vectors

    def captioned(
        self, texts: Sequence[str], k: int, columns: list[int] | None, ids: Iterable[str] | None
    ) -> list[Any]:
        """Return the ids of the items with the best captions; see `Items.captioned`."""
        captions, held = self._read_captions()
        among, chosen = None, Filter(columns, None if ids is None else list(ids))
        if chosen:
            passing = {each for rows in self._engine.scan(chosen) for each in rows.ids}
            among = np.array([row for row, each in enumerate(held) if each in passing], np.int64)
        return [[held[row] for row in captions.search(text, k, among)] for text in texts]

    def titles_of(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the titles of those of the ids that the store has; see `Items.titles_of`."""
        rows = self._engine.read(list(ids))
        return dict(zip(rows.ids, rows.titles, strict=True))

    def caption_words(self, words: Iterable[str]) -> list[str]:
        """Return those of some words that captions have; see `Items.caption_words`."""
        try:
            known = self._read_captions()[0].words
        except (ImportError, ValueError):
            return []
        return [word for word in words if word in known]

    def _search(self, asked: Embeddings, k: int, chosen: Filter, exact: bool) -> list[Hits]:
        layout = self._sides.layout
        assert layout is not None
        hits = self._engine.search(self._side, layout.asked(asked), layout.depth(k), chosen, exact=exact,
                                   vectors=layout.similarity == "jaccard")  # fmt: skip
        return [layout.scored(asked[row : row + 1], each, k) for row, each in enumerate(hits)]

    def _held(self, ids: list[str]) -> list[str]:
        if not self._sides.opened():
            return []
        rows, bit = self._engine.read(ids), 1 << SIDES.index(self._side)
        return [each for each, sides in zip(rows.ids, rows.sides, strict=True) if sides & bit]

    def _read_captions(self) -> tuple[Captions, list[str]]:
        """Read all captions, unless they have not changed since."""
        version = self._engine.version() if self._sides.opened() else None
        if self._captions is None or self._captions[0] != version:
            bit, ids, titles = 1 << SIDES.index(self._side), [], []
            for rows in self._engine.scan(Filter()) if version is not None else ():
                for each, title, sides in zip(rows.ids, rows.titles, rows.sides, strict=True):
                    if sides & bit:
                        ids.append(each)
                        titles.append(title)
            self._captions = version, Captions(titles, ids), ids
        return self._captions[1:]


def _mean_labels(method: Method) -> float:
    """Return the mean number of labels of a training item."""
    graph: Any = method._graph
    try:
        return max(1.0, float(graph["count"].sum() / graph.num_samples))
    except (KeyError, TypeError, AttributeError):
        return USUAL_LABELS


def _check_new(held: Rows, vectors: Mapping[str, Tensor]) -> None:
    for place, side in enumerate(SIDES):
        for each, sides in zip(held.ids, held.sides, strict=True):
            if side in vectors and sides >> place & 1:
                raise ValueError(f"'ids' must be new among the {side}s (got {each!r}, which the searcher already has)")


def _joined(rows: Rows, held: Rows, replacing: bool) -> Rows:
    """Return new rows with the other side of the held rows, and its title and labels if new ones are not given.

    A held row that only gains a side keeps its labels in any case.
    """
    row_of = {each: row for row, each in enumerate(rows.ids)}
    labels, sides, titles = list(rows.labels), list(rows.sides), list(rows.titles)
    for place, each in enumerate(held.ids):
        row = row_of[each]
        kept = held.sides[place] & ~rows.sides[row]
        for bit, side in enumerate(SIDES):
            if kept >> bit & 1:
                rows.vectors[side][row] = held.vectors[side][place]
                sides[row] |= 1 << bit
        if kept and titles[row] == each:
            titles[row] = held.titles[place]
        if not replacing or (kept and not labels[row]):
            labels[row] = sorted({*labels[row], *held.labels[place]})
    return Rows(rows.ids, titles, labels, sides, rows.vectors)
