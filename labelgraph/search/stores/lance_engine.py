"""LanceDB: an embedded database on disk or object storage that many processes read and write."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock

from labelgraph._core.names import SIDES
from labelgraph.search.faiss_index import ITEMS_PER_LIST
from labelgraph.search.searcher_folder import SEARCHER_FORMAT
from labelgraph.search.stores.engine import Filter, Hits, Rows, Shape, side_values

ITEMS, MODELS, KEY = "items", "models", b"labelgraph"
FIRST_INDEX = 10_000  # Fewer items are searched exactly in milliseconds.
MANY_FRAGMENTS = 64  # Each write adds a file; with more files, they are merged, and new items join the index.
QUERIES_AT_ONCE = 256
READ_AT_ONCE = 4096
CACHE = 2**26  # Bytes; LanceDB's own default of gigabytes would hold whole indexes in memory.
# Bytes that LanceDB may read ahead, and collect while it builds an index; it reads these settings once.
READ_AHEAD = {"LANCE_DEFAULT_IO_BUFFER_SIZE": 2**26, "LANCE_SHUFFLE_BATCH_BYTES": 2**25}
KEEP = timedelta(hours=1)  # Old versions are kept so long, for searches that still read them.
SAMPLES = 64  # Items per list to train lists on; more cost memory, and hardly change recall.
PLAIN = ["id", "title", "labels", "sides"]


def import_lancedb() -> Any:
    """Import LanceDB.

    Raises:
        ImportError: If LanceDB is not installed.
    """
    for name, value in READ_AHEAD.items():
        os.environ.setdefault(name, str(value))
    try:
        return importlib.import_module("lancedb")
    except ImportError as error:
        raise ImportError('a store in LanceDB needs LanceDB: pip install "labelgraph[lance]"') from error


def holds_lance(folder: Path) -> bool:
    """Return whether a folder holds a store of LanceDB."""
    return (folder / f"{ITEMS}.lance").is_dir()


class LanceEngine:
    """A store of LanceDB: the table ``items``, and the table ``models`` with the model of the items.

    Every write is one version of the table, so that a reader sees whole batches. On a local disk, a lock file keeps
    other writers out during a write. Object storage has no lock: two processes that add one new id at the same moment
    would both add it.

    Args:
        path: Folder, or URI of object storage such as ``s3://bucket/folder``.

    Raises:
        ImportError: If LanceDB is not installed.
        ValueError: If the folder holds a searcher in memory.
    """

    takes_codes = True

    def __init__(self, path: str) -> None:
        self.address = f"lance:{path}"
        self._lancedb = import_lancedb()
        self._path, self._local = path, "://" not in path
        if self._local and (Path(path) / SEARCHER_FORMAT.manifest).exists():
            raise ValueError(f"'store' must be a new folder, or one of LanceDB (got {path}, which holds an index in "
                             "memory)")  # fmt: skip
        self._database: Any = None
        self._items: Any = None
        self._shape: Shape | None = None
        self._counts: dict[tuple[object, str], int] = {}

    def model_key(self) -> str | None:
        """Return the key of the model, see `Engine.model_key`."""
        if self._local and not holds_lance(Path(self._path)):
            return None
        if self._items is None:
            try:
                self._items = self._connect().open_table(ITEMS)
            except ValueError:
                return None
        key = (self._items.schema.metadata or {}).get(KEY)
        if key is None:
            raise ValueError(f"{self.address}: expected a store of labelgraph (got a table of another program)")
        return str(key.decode())

    def model(self) -> bytes:
        """Return the model, see `Engine.model`."""
        where = f"key = {_text(str(self.model_key()))}"
        content = self._connect().open_table(MODELS).search().where(where).limit(1).to_arrow()["content"]
        if not len(content):
            raise ValueError(f"{self.address}: expected the model of the items (got none, the store is damaged)")
        return bytes(content[0].as_py())

    def open(self, shape: Shape) -> None:
        """Set the shape, see `Engine.open`."""
        self._shape = shape

    def replace(self, key: str, model: bytes, shape: Shape, blocks: Iterable[Rows]) -> None:
        """Write all rows as one version of the table, then build its indexes; see `Engine.replace`."""
        import pyarrow as pa

        database = self._connect()
        schema = pa.schema([("key", pa.string()), ("content", pa.large_binary())])
        models = database.create_table(MODELS, schema=schema, exist_ok=True)
        if not models.count_rows(f"key = {_text(key)}"):
            models.add(pa.table({"key": [key], "content": pa.array([model], pa.large_binary())}))
        self._shape = shape
        schema = _schema(shape).with_metadata({KEY: key.encode()})
        mode = "create" if self.model_key() is None else "overwrite"
        failures: list[BaseException] = []
        try:
            batches = _batches(blocks, schema, failures)
            self._items = database.create_table(ITEMS, batches, schema=schema, mode=mode)
        except Exception:
            if failures:
                raise failures[0] from None
            raise
        models.delete(f"key != {_text(key)}")
        self._build_indexes()
        self._items.optimize(cleanup_older_than=KEEP)

    def lock(self) -> AbstractContextManager[object]:
        """Take the lock file of the folder, see `Engine.lock`."""
        if not self._local:
            return nullcontext()
        Path(self._path).mkdir(parents=True, exist_ok=True)
        return FileLock(Path(self._path) / ".lock")

    def version(self) -> object:
        """Return the version of the table, see `Engine.version`."""
        return self.model_key(), self._items.version

    def count(self, side: str) -> int:
        """Return the number of items with a side, see `Engine.count`."""
        place = self.version(), side
        if place not in self._counts:
            self._counts = {held: count for held, count in self._counts.items() if held[0] == place[0]}
            self._counts[place] = self._items.count_rows(_of_side(side))
        return self._counts[place]

    def read(self, ids: Sequence[str]) -> Rows:
        """Return rows with their vectors, see `Engine.read`."""
        parts = [self._read(ids[start : start + READ_AT_ONCE]) for start in range(0, len(ids), READ_AT_ONCE)]
        import pyarrow as pa

        assert self._shape is not None
        return _rows(pa.concat_tables(parts) if parts else _schema(self._shape).empty_table(), SIDES)

    def _read(self, ids: Sequence[str]) -> Any:
        return self._items.search().where(_where(Filter(ids=ids))).limit(len(ids)).to_arrow()

    def write(self, rows: Rows, new: bool) -> None:
        """Write rows as one version of the table, see `Engine.write`."""
        import pyarrow as pa

        table = pa.Table.from_batches([_batch(rows, self._items.schema)])
        if new and self._local:  # The lock is held, so that no other process can have added them.
            self._items.add(table)
        else:
            merge = self._items.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(table)
        self._tidy()

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows, see `Engine.delete`."""
        self._items.delete(_where(Filter(ids=ids)))

    def search(
        self, side: str, queries: np.ndarray, k: int, chosen: Filter, *, exact: bool, vectors: bool
    ) -> list[Hits]:
        """Search one side, see `Engine.search`."""
        everywhere = self.count(side) == self._items.count_rows()
        where = _where(chosen, None if everywhere else side)
        columns = ["id", "title", *([side] if vectors else []), "_distance"]
        hits = []
        for start in range(0, len(queries), QUERIES_AT_ONCE):
            part = queries[start : start + QUERIES_AT_ONCE]
            asked = self._items.search(list(part), vector_column_name=side).distance_type(self._distance())
            asked = asked.where(where, prefilter=True) if where else asked
            assert self._shape is not None
            probes = self._shape.probes
            asked = asked.bypass_vector_index() if exact or probes is None else asked.nprobes(probes)
            hits += self._hits(asked.limit(k).select(columns).to_arrow(), len(part), side if vectors else None)
        return hits

    def scan(self, chosen: Filter) -> Iterator[Rows]:
        """Return rows without vectors, see `Engine.scan`."""
        asked = self._items.search().select(PLAIN).limit(max(1, self._items.count_rows()))
        where = _where(chosen)
        for batch in (asked.where(where) if where else asked).to_batches():
            yield _rows(batch, ())

    def _connect(self) -> Any:
        if self._database is None:
            session = self._lancedb.Session(index_cache_size_bytes=CACHE, metadata_cache_size_bytes=CACHE)
            self._database = self._lancedb.connect(self._path, read_consistency_interval=timedelta(0), session=session)
        return self._database

    def _distance(self) -> Literal["hamming", "dot"]:
        assert self._shape is not None
        return "hamming" if self._shape.codes else "dot"

    def _hits(self, table: Any, queries: int, side: str | None) -> list[Hits]:
        distances = table["_distance"].to_numpy()
        number = table["query_index"].to_numpy() if queries > 1 else np.zeros(len(table), np.int64)
        ids, titles = np.array(table["id"].to_pylist(), object), table["title"].to_pylist()
        vectors = None if side is None else _matrix(table[side])
        order = np.lexsort((ids.astype(str), distances, number)) if len(ids) else np.zeros(0, np.int64)
        scores = distances if self._distance() == "hamming" else 1 - distances
        hits = []
        for places in np.split(order, np.searchsorted(number[order], np.arange(1, queries))):
            names = ids[places].tolist()
            shown = [titles[place] or each for place, each in zip(places.tolist(), names, strict=True)]
            hits.append(Hits(names, shown, scores[places], None if vectors is None else vectors[places]))
        return hits

    def _build_indexes(self) -> None:
        """Build the indexes of ids, labels and vectors that are missing; a small store, or side, has none."""
        rows = self._items.count_rows()
        if rows < FIRST_INDEX:
            return
        from lancedb.index import BTree, IvfFlat, LabelList

        built = {column for index in self._items.list_indices() for column in index.columns}
        for column, kind in (("id", BTree), ("labels", LabelList)):
            if column not in built:
                self._items.create_index(column, config=kind())
        assert self._shape is not None
        for side in SIDES if self._shape.probes is not None else ():
            if side not in built and self.count(side) >= FIRST_INDEX:
                lists = max(1, min(math.isqrt(rows), rows // ITEMS_PER_LIST))
                config = IvfFlat(distance_type=self._distance(), num_partitions=lists, sample_rate=SAMPLES)
                self._items.create_index(side, config=config)

    def _tidy(self) -> None:
        """Build missing indexes; once there are many files, merge them and bring new items into the indexes."""
        self._build_indexes()
        if self._items.stats()["fragment_stats"]["num_fragments"] > MANY_FRAGMENTS:
            self._items.optimize(cleanup_older_than=KEEP)


def _schema(shape: Shape) -> Any:
    import pyarrow as pa

    vector = pa.list_(pa.uint8() if shape.codes else pa.float32(), shape.width)
    return pa.schema([("id", pa.string()), ("title", pa.string()), ("labels", pa.list_(pa.int32())),
                      ("sides", pa.int8()), *((side, vector) for side in SIDES)])  # fmt: skip


def _batch(rows: Rows, schema: Any) -> Any:
    import pyarrow as pa

    titles = [None if title == each else title for title, each in zip(rows.titles, rows.ids, strict=True)]
    columns = [rows.ids, titles, rows.labels, rows.sides]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=False)]
    for side in SIDES:
        kind = schema.field(side).type
        flat = np.ascontiguousarray(rows.vectors[side]).reshape(-1)
        arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(flat, kind.value_type), kind.list_size))
    return pa.record_batch(arrays, schema=schema)


def _batches(blocks: Iterable[Rows], schema: Any, failures: list[BaseException]) -> Iterator[Any]:
    """Yield batches; an error is also appended to the failures, because Arrow raises another one in its place."""
    try:
        for rows in blocks:
            yield _batch(rows, schema)
    except (Exception, KeyboardInterrupt) as error:
        failures.append(error)
        raise


def _rows(table: Any, sides: Sequence[str]) -> Rows:
    ids = table["id"].to_pylist()
    titles = [title or each for title, each in zip(table["title"].to_pylist(), ids, strict=True)]
    vectors = {side: _matrix(table[side]) for side in sides}
    return Rows(ids, titles, table["labels"].to_pylist(), table["sides"].to_pylist(), vectors)


def _matrix(column: Any) -> np.ndarray:
    parts = getattr(column, "chunks", [column])
    width = column.type.list_size
    matrices = [part.flatten().to_numpy(zero_copy_only=False).reshape(-1, width) for part in parts]
    return np.concatenate(matrices) if matrices else np.zeros((0, width), np.float32)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _of_side(side: str) -> str:
    return f"sides IN {side_values(side)}"


def _where(chosen: Filter, side: str | None = None) -> str:
    """Return the condition of a filter in SQL; empty without one."""
    parts = [] if side is None else [_of_side(side)]
    if chosen.columns is not None:
        parts.append(f"array_has_any(labels, {list(chosen.columns)})" if chosen.columns else "false")
    if chosen.ids is not None:
        parts.append(f"id IN ({', '.join(map(_text, chosen.ids))})" if chosen.ids else "false")
    return " AND ".join(parts)
