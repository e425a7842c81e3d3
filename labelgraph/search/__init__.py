"""Search across images and texts: exact and FAISS indexes, and a searcher that embeds, filters, saves and loads."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph.search.exact_neighbours import nearest_neighbours
    from labelgraph.search.indexes import INDEXES, Index, build_index
    from labelgraph.search.neighbours import Neighbours, merge_neighbours
    from labelgraph.search.searcher import Searcher

__all__ = [
    "INDEXES",
    "Index",
    "Neighbours",
    "Searcher",
    "build_index",
    "merge_neighbours",
    "nearest_neighbours",
]

__getattr__, __dir__ = lazy_exports(__name__)
