"""Addresses of stores: ``lance:PATH`` and ``milvus:URI``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.argument_kinds import check_kind

if TYPE_CHECKING:
    from labelgraph.search.stores.engine import Engine

KINDS = ("lance", "milvus")
LANCE_ITEMS = "items.lance"  # Folder of the table of the items in a folder of LanceDB.
WANTED = "lance:PATH or milvus:URI"
# Number of lists that a search of an index reads, by the name of the index.
INDEXES: dict[str, dict[str, int]] = {"exact": {}, "ivf": {"num_probes": 16}}


def is_address(place: Any) -> bool:
    """Return whether a place is the address of a store, and not a folder.

    Example:
        >>> from labelgraph.search.stores.address import is_address
        >>> is_address("lance:my-index"), is_address("my-index")
        (True, False)
    """
    return isinstance(place, str) and place.partition(":")[0] in KINDS and ":" in place


def default_index(similarity: str, store: str | None) -> str:
    """Return the name of the default index of a searcher in memory, or in a store."""
    if store is not None:
        return "ivf" if store.startswith("lance:") else "exact"
    return "hamming" if similarity == "hamming" else "exact"


def check_address(argument: str, address: Any) -> str:
    """Return the address of a store.

    Raises:
        ValueError: If it is not one.
    """
    check_kind(argument, address, str, WANTED)
    if not is_address(address) or not address.partition(":")[2]:
        raise ValueError(f"'{argument}' must be {WANTED} (got {address!r})")
    return str(address)


def address_of(folder: Path) -> str | None:
    """Return the address of the store in a folder of LanceDB; None for another folder."""
    return f"lance:{folder}" if (folder / LANCE_ITEMS).is_dir() else None


def open_engine(address: str) -> Engine:
    """Return the engine of a store; nothing is read or written yet.

    Raises:
        ValueError: If the address is wrong.
        ImportError: If the package of the engine is not installed.
    """
    kind, _, rest = check_address("store", address).partition(":")
    if kind == "lance":
        from labelgraph.search.stores.lance_engine import LanceEngine

        return LanceEngine(rest)
    from labelgraph.search.stores.milvus_engine import MilvusEngine

    return MilvusEngine(rest)
