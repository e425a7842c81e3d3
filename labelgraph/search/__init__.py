"""Search across images and texts: exact and FAISS indexes, and a searcher that embeds, filters, saves and loads."""

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
