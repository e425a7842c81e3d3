"""Milvus: a database cluster for many machines, or in a folder with Milvus Lite."""

from __future__ import annotations

import base64
import importlib
import json
import logging
import math
import os
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from labelgraph._core.names import SIDES
from labelgraph.search.faiss_index import ITEMS_PER_LIST
from labelgraph.search.stores.engine import DAMAGED, Filter, Hits, Rows, Shape, side_values

NAME = "labelgraph"
TEXT, MOST_LABELS = 65_535, 4096  # Limits of Milvus, in bytes and entries.
PART = 48_000  # Characters of the model in a row.
MOST_HITS = 16_384
REQUEST_BYTES = 2**24  # Milvus refuses requests of more than 64 MiB.
READ_AT_ONCE = 1024
RARE_PINGS = {"grpc.keepalive_time_ms": 300_000}  # Milvus Lite complains of more.
PLAIN = ["id", "title", "labels", "sides"]


def import_pymilvus() -> Any:
    """Import the client of Milvus.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        pymilvus = importlib.import_module("pymilvus")
    except ImportError as error:
        raise ImportError('a store in Milvus needs its client: pip install "labelgraph[milvus]"') from error
    for name in ("pymilvus", "milvus_lite"):  # They print a traceback for each error, which is also raised.
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return pymilvus


class MilvusEngine:
    """A store of Milvus: an alias of a collection with the items, and a collection with their model.

    Milvus Lite, which keeps a store in a folder, serves one process at a time. A server serves many. The environment
    variable ``MILVUS_TOKEN`` holds the token of a server, ``user:password``.

    Args:
        rest: Path of a folder that ends in ``.db``, or URI of a server; with ``#NAME``, name of the store in it.

    Raises:
        ImportError: If the client is not installed.
        ValueError: If the name is not valid, the address is neither such a path nor a URI, or the path is a file or a
            folder with other files.
        ConnectionError: If the server does not answer.
    """

    takes_codes = False

    def __init__(self, rest: str) -> None:
        self.address = f"milvus:{rest}"
        uri, _, name = rest.partition("#")
        self._name = name or NAME
        if not re.fullmatch(r"[A-Za-z_]\w{0,99}", self._name, re.ASCII):
            raise ValueError(f"'store' must have a name of letters, digits and _ after # (got {self._name!r})")
        if "://" not in uri and not uri.endswith(".db"):
            raise ValueError(f"'store' must be milvus:FOLDER.db or milvus:http://HOST:19530 (got {self.address!r})")
        if "://" not in uri:
            _check_place(Path(uri))
        self._uri, self._pymilvus, self._made = uri, import_pymilvus(), None
        self._shape: Shape | None = None
        self._lists, self._writes = 1, 0

    def model_key(self) -> str | None:
        """Return the key of the model, see `Engine.model_key`."""
        if "://" not in self._uri and not Path(self._uri).exists():
            return None
        if not self._call("has_collection", self._name):
            return None
        key = re.fullmatch(rf"{self._name}_([0-9a-f]+)_([0-9a-f]+)_[0-9a-f]+", self._collection())
        if key is None:
            raise ValueError(f"{self.address}: expected a store of labelgraph (got a collection of another program)")
        return "-".join(key.groups())

    def model(self) -> bytes:
        """Return the model, see `Engine.model`."""
        name = f"{self._collection()}_model"
        self._call("load_collection", name)  # Milvus Lite loads nothing when it opens a file.
        rows = self._call("query", name, filter="part >= 0", output_fields=["part", "content"], limit=MOST_HITS)
        return base64.b64decode("".join(row["content"] for row in sorted(rows, key=lambda row: int(row["part"]))))

    def open(self, shape: Shape) -> None:
        """Set the shape, see `Engine.open`."""
        self._shape = shape
        if not self._call("has_collection", self._name):  # `replace` will create it.
            return
        self._call("load_collection", self._name)
        if shape.probes is not None:
            index = self._call("describe_index", self._name, SIDES[0])
            self._lists = int((index.get("params") or index)["nlist"])

    def replace(self, key: str, model: bytes, shape: Shape, blocks: Iterable[Rows]) -> None:
        """Fill a new collection, then let the alias name it; see `Engine.replace`."""
        self._shape = shape
        old = self._collection() if self.model_key() is not None else None
        new = f"{self._name}_{key.replace('-', '_')}_{uuid.uuid4().hex[:8]}"  # Milvus Lite keeps no descriptions.
        try:
            self._write_model(f"{new}_model", model)
            self._fill(new, shape, blocks)
            self._call("create_alias" if old is None else "alter_alias", new, self._name)
        except BaseException:
            with suppress(ValueError, ConnectionError):  # The first error says what is wrong.
                self._drop(new)
            raise
        if old is not None:
            self._drop(old)

    def lock(self) -> AbstractContextManager[object]:
        """Do nothing: a later write of an id replaces the earlier one; see `Engine.lock`."""
        return nullcontext()

    def version(self) -> object:
        """Return the name and size of the collection, and the writes of this process; see `Engine.version`."""
        return self._collection(), self._count(""), self._writes

    def count(self, side: str) -> int:
        """Return the number of items with a side, see `Engine.count`."""
        return self._count(_of_side(side))

    def read(self, ids: Sequence[str]) -> Rows:
        """Return rows with their vectors, see `Engine.read`."""
        rows = []
        for start in range(0, len(ids), READ_AT_ONCE):
            part = Filter(ids=ids[start : start + READ_AT_ONCE])
            rows += self._call("query", self._name, filter=_where(part), output_fields=[*PLAIN, *SIDES])
        return _rows(rows, SIDES)

    def write(self, rows: Rows, new: bool) -> None:
        """Write rows in one request, or in several if they are larger than 16 MiB; see `Engine.write`."""
        self._insert("upsert", self._name, rows)
        self._writes += 1

    def delete(self, ids: Sequence[str]) -> None:
        """Delete rows, see `Engine.delete`."""
        for start in range(0, len(ids), READ_AT_ONCE):
            self._call("delete", self._name, filter=_where(Filter(ids=ids[start : start + READ_AT_ONCE])))
        self._writes += 1

    def search(
        self, side: str, queries: np.ndarray, k: int, chosen: Filter, *, exact: bool, vectors: bool
    ) -> list[Hits]:
        """Search one side, see `Engine.search`; Milvus returns at most 16,384 items."""
        assert self._shape is not None
        probes = None if self._shape.probes is None else self._lists if exact else min(self._shape.probes, self._lists)
        found = self._call(
            "search", self._name, data=list(queries), anns_field=side, limit=min(k, MOST_HITS),
            filter=_where(chosen, side), output_fields=["title", *([side] if vectors else [])],
            search_params={"metric_type": "IP", "params": {} if probes is None else {"nprobe": probes}},
        )  # fmt: skip
        hits = []
        for each in found:
            best = sorted(each, key=lambda hit: (-hit["distance"], hit["id"]))
            entities = [hit["entity"] for hit in best]
            ids = [unquote(hit["id"]) for hit in best]
            titles = [entity["title"] or one for entity, one in zip(entities, ids, strict=True)]
            matrix = np.array([entity[side] for entity in entities], np.float32) if vectors else None
            hits.append(Hits(ids, titles, np.array([hit["distance"] for hit in best], np.float32), matrix))
        return hits

    def scan(self, chosen: Filter) -> Iterator[Rows]:
        """Return rows without vectors, see `Engine.scan`."""
        where = _where(chosen)
        rows = self._call("query_iterator", self._name, filter=where, output_fields=PLAIN, batch_size=READ_AT_ONCE)
        while batch := rows.next():
            yield _rows(batch, ())
        rows.close()

    def _call(self, method: str, *values: Any, **options: Any) -> Any:
        """Call a method of the client; its errors become one line with the address."""
        try:
            if self._made is None:
                token = os.environ.get("MILVUS_TOKEN", "")
                self._made = self._pymilvus.MilvusClient(self._uri, token=token, grpc_options=RARE_PINGS)
            return getattr(self._made, method)(*values, **options)
        except self._pymilvus.MilvusException as error:
            reason = " ".join(str(getattr(error, "message", error)).split())[:300]
            if self._made is None:
                hint = "" if "://" in self._uri else "; Milvus Lite serves one process, in a folder that exists"
                raise ConnectionError(f"{self.address}: cannot be opened ({reason}){hint}") from None
            raise ValueError(f"{self.address}: Milvus refused ({reason}); {DAMAGED}") from None

    def _collection(self) -> str:
        return str(self._call("describe_alias", self._name)["collection_name"])

    def _count(self, where: str) -> int:
        return int(self._call("query", self._name, filter=where, output_fields=["count(*)"])[0]["count(*)"])

    def _schema(self, shape: Shape) -> Any:
        kind = self._pymilvus.DataType
        schema = self._pymilvus.MilvusClient.create_schema(auto_id=False)
        schema.add_field("id", kind.VARCHAR, is_primary=True, max_length=TEXT)
        schema.add_field("title", kind.VARCHAR, max_length=TEXT)
        schema.add_field("labels", kind.ARRAY, element_type=kind.INT32, max_capacity=MOST_LABELS)
        schema.add_field("sides", kind.INT8)
        for side in SIDES:
            schema.add_field(side, kind.FLOAT_VECTOR, dim=shape.width)
        return schema

    def _index(self, name: str, rows: int) -> None:
        assert self._shape is not None
        self._lists = max(1, min(math.isqrt(rows), rows // ITEMS_PER_LIST))
        ivf = self._shape.probes is not None
        # Milvus Lite reads settings only from the entry "params" of a request; a server reads them from it, too.
        settings = {"params": {"nlist": self._lists}} if ivf else {}
        params = self._pymilvus.MilvusClient.prepare_index_params()
        for side in SIDES:
            params.add_index(side, index_name=side, index_type="IVF_FLAT" if ivf else "FLAT", metric_type="IP",
                             params=settings)  # fmt: skip
        self._call("create_index", name, params)
        self._call("load_collection", name)

    def _fill(self, name: str, shape: Shape, blocks: Iterable[Rows]) -> None:
        self._call("create_collection", name, schema=self._schema(shape), consistency_level="Strong")
        count = 0
        for rows in blocks:
            self._insert("insert", name, rows)
            count += len(rows)
        self._call("flush", name)  # Otherwise Milvus Lite would search rows of its log, fifty times as slowly.
        self._index(name, count)

    def _drop(self, name: str) -> None:
        for each in (name, f"{name}_model"):
            if self._call("has_collection", each):
                self._call("drop_collection", each)

    def _insert(self, method: str, name: str, rows: Rows) -> None:
        assert self._shape is not None
        plain = zip(rows.ids, rows.titles, rows.labels, rows.sides, strict=True)
        entries: list[dict[str, Any]] = [
            {"id": _as_key(each), "title": "" if title == each else title, "labels": labels, "sides": sides,
             **{side: rows.vectors[side][row] for side in SIDES}}
            for row, (each, title, labels, sides) in enumerate(plain)
        ]  # fmt: skip
        size = max(1, REQUEST_BYTES // (8 * self._shape.width + 512))
        for start in range(0, len(entries), size):
            self._call(method, name, entries[start : start + size])

    def _write_model(self, name: str, model: bytes) -> None:
        kind, client = self._pymilvus.DataType, self._pymilvus.MilvusClient
        schema = client.create_schema(auto_id=False)
        schema.add_field("part", kind.INT64, is_primary=True)
        schema.add_field("content", kind.VARCHAR, max_length=TEXT)
        schema.add_field("vector", kind.FLOAT_VECTOR, dim=2)  # Milvus has no collections without vectors.
        params = client.prepare_index_params()
        params.add_index("vector", index_type="FLAT", metric_type="IP")
        self._call("create_collection", name, schema=schema, index_params=params, consistency_level="Strong")
        text = base64.b64encode(model).decode()
        parts = [text[start : start + PART] for start in range(0, len(text), PART)]
        for number, content in enumerate(parts):
            self._call("insert", name, [{"part": number, "content": content, "vector": [0.0, 0.0]}])


def _check_place(place: Path) -> None:
    """Check that a folder is new or one of Milvus Lite, which would add its files to any other one."""
    if place.is_file():
        raise ValueError(f"'store' must be new, or a folder of Milvus Lite (got {place}, which is a file)")
    if place.is_dir() and any(place.iterdir()) and not (place / "collections").is_dir():
        raise ValueError(f"'store' must be new, or a folder of Milvus Lite (got {place}, which holds other files)")


def _rows(found: Sequence[Any], sides: Sequence[str]) -> Rows:
    vectors = {side: np.array([row[side] for row in found], np.float32) for side in sides}
    ids = [unquote(row["id"]) for row in found]
    return Rows(
        ids,
        [row["title"] or each for row, each in zip(found, ids, strict=True)],
        [[int(column) for column in row["labels"]] for row in found],
        [int(row["sides"]) for row in found],
        vectors,
    )


def _as_key(each: str) -> str:
    """Return an id without the characters that the client does not escape when it reads rows part by part."""
    return re.sub("[%\"'\\\\\\x00-\\x1f]", lambda found: f"%{ord(found[0]):02X}", each)


def _of_side(side: str) -> str:
    return f"sides in {list(side_values(side))}"


def _where(chosen: Filter, side: str | None = None) -> str:
    """Return the condition of a filter in the language of Milvus; empty without one."""
    parts = [] if side is None else [_of_side(side)]
    if chosen.columns is not None:
        parts.append(f"array_contains_any(labels, {list(chosen.columns)})" if chosen.columns else "sides in []")
    if chosen.ids is not None:
        parts.append(f"id in {json.dumps([_as_key(each) for each in chosen.ids], ensure_ascii=False)}")
    return " and ".join(parts)
