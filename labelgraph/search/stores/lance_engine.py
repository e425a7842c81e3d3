"""LanceDB: an embedded database on disk or object storage that many processes read and write."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from labelgraph._core.names import SIDES
from labelgraph.search.faiss_index import ITEMS_PER_LIST
from labelgraph.search.searcher_folder import SEARCHER_FORMAT
from labelgraph.search.stores.address import LANCE_ITEMS, address_of
from labelgraph.search.stores.engine import DAMAGED, Filter, Hits, Rows, Shape
from labelgraph.search.stores.lance_errors import named, naming
from labelgraph.search.stores.lance_rows import (
    batch_of,
    batches_of,
    condition,
    quoted,
    rows_of,
    schema_of,
)
from labelgraph.search.stores.lance_scan import ROW_ID
from labelgraph.search.stores.lance_snapshot import Snapshot, Taken, stamp_of, taken_of

ITEMS, MODELS, KEY = LANCE_ITEMS.removesuffix(".lance"), "models", b"labelgraph"
FIRST_INDEX = 10_000  # Fewer items are searched exactly in milliseconds.
MANY_FRAGMENTS = 64  # Each write adds a file; with more files, they are merged, and new items join the index.
FIRST_INDEX_OF_CODES = 1_000_000  # Fewer codes are compared as fast as an index of them, whose recall is low.
MANY_QUERIES = 12  # LanceDB compares fewer vectors faster itself.
QUERIES_AT_ONCE = 256
READ_AT_ONCE = 4096
CACHE = 2**26  # Bytes; LanceDB's own default of gigabytes would hold whole indexes in memory.
# Bytes that LanceDB may read ahead, and collect while it builds an index, and its messages: without the warnings on
# each empty list of an index. It reads these settings once.
SETTINGS = {
    "LANCE_DEFAULT_IO_BUFFER_SIZE": str(2**26), "LANCE_SHUFFLE_BATCH_BYTES": str(2**25), "LANCEDB_LOG": "error"
}  # fmt: skip
KEEP = timedelta(hours=1)  # Old versions are kept so long, for searches that still read them.
SAMPLES = 64  # Items per list to train lists on; more cost memory, and hardly change recall.
PLAIN = ["id", "title", "labels", "sides"]


def import_lancedb() -> Any:
    """Import LanceDB.

    Raises:
        ImportError: If LanceDB is not installed.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("lancedb")
    except ImportError as error:
        raise ImportError('a store in LanceDB needs LanceDB: pip install "labelgraph[lance]"') from error


class LanceEngine:
    """A store of LanceDB: the table ``items``, and the table ``models`` with the model of the items.

    Every write is one version of the table, so that a reader sees whole batches. On a local disk, a lock file keeps
    other writers out during a write. Object storage has no lock: two processes that add one new id at the same moment
    would both add it.

    Args:
        path: Folder, or URI of object storage such as ``s3://bucket/folder``.

    Raises:
        ImportError: If LanceDB is not installed.
        ValueError: If the folder holds a searcher in memory, or is a file.
    """

    takes_codes = True

    def __init__(self, path: str) -> None:
        self.address = f"lance:{path}"
        self._lancedb = import_lancedb()
        self._path, self._local, self._versions = path, "://" not in path, f"{path}/{LANCE_ITEMS}/_versions"
        if self._local and (Path(path) / SEARCHER_FORMAT.manifest).exists():
            raise ValueError(f"'store' must be a new folder, or one of LanceDB (got {path}, which holds an index in "
                             "memory)")  # fmt: skip
        if self._local and Path(path).is_file():
            raise ValueError(f"'store' must be a folder (got {path}, which is a file)")
        self._shape: Shape | None = None
        self.forget()

    def forget(self) -> None:
        """Let the next call open the store anew, because a new store may have taken the place of a damaged one."""
        self._connections: tuple[Any, Any] | None = None
        self._held: Snapshot | None = None
        self._items: Any = None

    @named
    def model_key(self) -> str | None:
        """Return the key of the model, see `Engine.model_key`."""
        if (held := self._unchanged()) is not None:
            return str(held.schema.metadata[KEY].decode())
        if self._local and address_of(Path(self._path)) is None:
            self.forget()
            return None
        try:
            items = self._table()
        except ValueError as error:
            if "was not found" in str(error):
                return None
            raise
        key = (items.schema.metadata or {}).get(KEY)
        if key is None:
            raise ValueError(f"{self.address}: expected a store of labelgraph (got a table of another program)")
        return str(key.decode())

    @named
    def model(self) -> bytes:
        """Return the model, see `Engine.model`."""
        where = f"key = {quoted(str(self.model_key()))}"
        content = self._connect()[0].open_table(MODELS).search().where(where).limit(1).to_arrow()["content"]
        if not len(content):
            raise ValueError(f"{self.address}: expected the model of the items (got none); {DAMAGED}")
        return bytes(content[0].as_py())

    def open(self, shape: Shape) -> None:
        """Set the shape, see `Engine.open`."""
        self._shape = shape

    def replace(self, key: str, model: bytes, shape: Shape, blocks: Iterable[Rows]) -> None:
        """Write all rows as one version of the table, then build its indexes; see `Engine.replace`."""
        self._shape = shape
        schema = schema_of(shape).with_metadata({KEY: key.encode()})
        failures: list[BaseException] = []
        try:
            with naming(self.address, self.forget):
                self._replace(key, model, schema, batches_of(blocks, schema, failures))
        except Exception:
            if failures:
                raise failures[0] from None
            raise

    def _replace(self, key: str, model: bytes, schema: Any, batches: Iterator[Any]) -> None:
        import pyarrow as pa

        mode = "create" if self.model_key() is None else "overwrite"  # First, because a damaged store stays as it is.
        database, _ = self._connect()
        columns = pa.schema([("key", pa.string()), ("content", pa.large_binary())])
        models = database.create_table(MODELS, schema=columns, exist_ok=True)
        if not models.count_rows(f"key = {quoted(key)}"):
            models.add(pa.table({"key": [key], "content": pa.array([model], pa.large_binary())}))
        self._items = database.create_table(ITEMS, batches, schema=schema, mode=mode)
        models.delete(f"key != {quoted(key)}")
        self._items.optimize(cleanup_older_than=KEEP)  # Before there are indexes, which it would build a second time.
        self._build_indexes()

    def lock(self) -> AbstractContextManager[object]:
        """Take the lock file of the folder, see `Engine.lock`."""
        if not self._local:
            return nullcontext()
        Path(self._path).mkdir(parents=True, exist_ok=True)
        return FileLock(Path(self._path) / ".lock")

    @named
    def version(self) -> object:
        """Return the version of the table, see `Engine.version`."""
        snapshot = self._snapshot()
        return snapshot.schema.metadata[KEY], snapshot.version, snapshot.stamp

    @named
    def count(self, side: str) -> int:
        """Return the number of items with a side, see `Engine.count`."""
        return self._snapshot().count(side)

    @named
    def read(self, ids: Sequence[str]) -> Rows:
        """Return rows with their vectors, see `Engine.read`."""
        parts = [self._read(ids[start : start + READ_AT_ONCE]) for start in range(0, len(ids), READ_AT_ONCE)]
        import pyarrow as pa

        assert self._shape is not None
        return rows_of(pa.concat_tables(parts) if parts else schema_of(self._shape).empty_table(), SIDES)

    def _read(self, ids: Sequence[str]) -> Any:
        return self._table().search().where(condition(Filter(ids=ids))).limit(len(ids)).to_arrow()

    @named
    def write(self, rows: Rows, new: bool) -> None:
        """Write rows as one version of the table, see `Engine.write`."""
        import pyarrow as pa

        items = self._table()
        table = pa.Table.from_batches([batch_of(rows, items.schema)])
        if new and self._local:  # The lock is held, so that no other process can have added them.
            items.add(table)
        else:
            merge = items.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            merge.execute(table)
        self._tidy()

    @named
    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows, see `Engine.delete`."""
        self._table().delete(condition(Filter(ids=ids)))

    @named
    def search(
        self, side: str, queries: np.ndarray, k: int, chosen: Filter, *, exact: bool, vectors: bool
    ) -> list[Hits]:
        """Search one side, see `Engine.search`."""
        assert self._shape is not None
        snapshot = self._snapshot()
        exact = exact or self._shape.probes is None or snapshot.count(side) < self._first_index()
        if not exact or not (self._shape.codes or len(queries) >= MANY_QUERIES or snapshot.holds(side, chosen)):
            parts = [queries[start : start + QUERIES_AT_ONCE] for start in range(0, len(queries), QUERIES_AT_ONCE)]
            return [hits for part in parts for hits in self._compared(snapshot, side, part, k, chosen, exact, vectors)]
        distances, rows = snapshot.nearest(side, queries, k, chosen)
        number = np.repeat(np.arange(len(queries)), rows.shape[1])
        taken, places = snapshot.take(rows.reshape(-1), side if vectors else None)
        return self._hits(taken, places, number, distances.reshape(-1), len(queries))

    def _compared(
        self, snapshot: Snapshot, side: str, queries: np.ndarray, k: int, chosen: Filter, exact: bool, vectors: bool
    ) -> list[Hits]:
        """Let LanceDB compare queries with all items, or find them by its index."""
        assert self._shape is not None
        where, by_row = snapshot.where(side, chosen), not vectors and snapshot.shows_rows()
        asked = snapshot.table.search(list(queries), vector_column_name=side).distance_type(self._distance())
        asked = asked.where(where, prefilter=True) if where else asked
        asked = asked.bypass_vector_index() if exact else asked.nprobes(self._shape.probes)
        columns = ["_distance", *([] if by_row else ["id", "title"]), *([side] if vectors else [])]
        table = asked.limit(k).select(columns).with_row_id(by_row).to_arrow()
        if by_row:
            taken, places = snapshot.take(table[ROW_ID].to_numpy().astype(np.int64), None)
        else:
            taken, places = taken_of(table, side if vectors else None), np.arange(len(table))
        number = table["query_index"].to_numpy() if len(queries) > 1 else np.zeros(len(table), np.int64)
        distances = table["_distance"].to_numpy() - (0 if self._shape.codes else 1)  # 1 minus the inner product.
        return self._hits(taken, places, number, distances, len(queries))

    def scan(self, chosen: Filter) -> Iterator[Rows]:
        """Return rows without vectors, see `Engine.scan`."""
        with naming(self.address, self.forget):
            snapshot, where = self._snapshot(), condition(chosen)
            asked = snapshot.table.search().select(PLAIN).limit(max(1, snapshot.rows))
            for batch in (asked.where(where) if where else asked).to_batches(READ_AT_ONCE):
                yield rows_of(batch, ())

    def _connect(self) -> tuple[Any, Any]:
        """Return the database whose tables follow changes, and the one whose tables keep the version they have."""
        connections = self._connections
        if connections is None:
            session = self._lancedb.Session(index_cache_size_bytes=CACHE, metadata_cache_size_bytes=CACHE)
            following = self._lancedb.connect(self._path, read_consistency_interval=timedelta(0), session=session)
            connections = self._connections = following, self._lancedb.connect(self._path, session=session)
        return connections

    def _table(self) -> Any:
        """Return the table of the items, which is opened if another thread has just forgotten it."""
        items = self._items
        if items is None:
            items = self._items = self._connect()[0].open_table(ITEMS)
        return items

    def _snapshot(self) -> Snapshot:
        """Return the present version of the items; ids of rows are those of a version.

        Every thread keeps the version that it got, while another thread gets the next one.
        """
        if (held := self._unchanged()) is not None:
            return held
        held, stamp = self._held, self._stamp()
        version = self._table().version
        if held is None or (held.version, held.stamp) != (version, stamp):
            if held is not None and held.version == version:  # The store was deleted and made again.
                self.forget()
            held = self._held = Snapshot(self._connect()[1].open_table(ITEMS), stamp)
        return held

    def _unchanged(self) -> Snapshot | None:
        """Return the snapshot if the files of versions say that it is the present one; otherwise ask LanceDB."""
        held, stamp = self._held, self._stamp()
        return held if held is not None and stamp is not None and held.stamp == stamp else None

    def _stamp(self) -> object:
        """Return the stamp of the items; None for object storage."""
        return stamp_of(self._versions) if self._local else None

    def _distance(self) -> str:
        assert self._shape is not None
        return "hamming" if self._shape.codes else "dot"

    def _hits(
        self, taken: Taken, places: np.ndarray, number: np.ndarray, distances: np.ndarray, queries: int
    ) -> list[Hits]:
        """Return the hits of each query.

        Args:
            taken: Ids, titles and vectors of items.
            places: Place of each hit among them.
            number: Number of the query of each hit.
            distances: Negative inner product or Hamming distance of each hit.
            queries: Number of queries.
        """
        assert self._shape is not None
        ids, titles, vectors = np.array(taken[0], object), *taken[1:]
        order = np.lexsort((ids.astype(str)[places], distances, number)) if len(places) else np.zeros(0, np.int64)
        scores = distances if self._shape.codes else -distances
        hits = []
        for part in np.split(order, np.searchsorted(number[order], np.arange(1, queries))):
            rows = places[part]
            names = ids[rows].tolist()
            shown = [titles[row] or each for row, each in zip(rows.tolist(), names, strict=True)]
            hits.append(Hits(names, shown, scores[part], None if vectors is None else vectors[rows]))
        return hits

    def _first_index(self) -> int:
        """Return the number of items of a side from which on it has an index of vectors."""
        assert self._shape is not None
        return max(FIRST_INDEX, FIRST_INDEX_OF_CODES if self._shape.codes else 0)

    def _build_indexes(self) -> None:
        """Build the indexes of ids, labels and vectors that are missing; a small store, or side, has none."""
        items = self._table()
        rows = items.count_rows()
        if rows < FIRST_INDEX:
            return
        from lancedb.index import BTree, IvfFlat, LabelList

        built = {column for index in items.list_indices() for column in index.columns}
        for column, kind in (("id", BTree), ("labels", LabelList)):
            if column not in built:
                items.create_index(column, config=kind())
        assert self._shape is not None
        for side in SIDES if self._shape.probes is not None else ():
            if side not in built and self.count(side) >= self._first_index():
                lists = max(1, min(math.isqrt(rows), rows // ITEMS_PER_LIST))
                config = IvfFlat(distance_type=self._distance(), num_partitions=lists, sample_rate=SAMPLES)
                items.create_index(side, config=config)

    def _tidy(self) -> None:
        """Build missing indexes; once there are many files, merge them and bring new items into the indexes."""
        self._build_indexes()
        items = self._table()
        if items.stats()["fragment_stats"]["num_fragments"] > MANY_FRAGMENTS:
            items.optimize(cleanup_older_than=KEEP)
