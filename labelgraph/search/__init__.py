"""Search across images and texts: exact and FAISS indexes, and a searcher that embeds, filters, saves and loads."""

from labelgraph.search.indexes import INDEXES, Index, build_index
from labelgraph.search.neighbours import Neighbours, hamming_neighbours, merge_neighbours, product_neighbours
from labelgraph.search.searcher import Searcher

__all__ = [
    "INDEXES",
    "Index",
    "Neighbours",
    "Searcher",
    "build_index",
    "hamming_neighbours",
    "merge_neighbours",
    "product_neighbours",
]
