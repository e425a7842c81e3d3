"""FAISS indexes: flat, IVF and HNSW, of vectors and of codes."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph.search.exact import ExactIndex

FACTORY = {
    ("vectors", "flat"): "Flat",
    ("vectors", "ivf"): "IVF{lists},Flat",
    ("vectors", "hnsw"): "HNSW{links},Flat",
    ("codes", "flat"): "BFlat",
    ("codes", "ivf"): "BIVF{lists}",
    ("codes", "hnsw"): "BHNSW{links}",
}
ITEMS_PER_LIST = 39  # FAISS asks for as many to train a list.


def import_faiss() -> Any:
    """Import FAISS.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise ImportError('FAISS indexes need FAISS: pip install "labelgraph[index]"') from error


class FaissIndex:
    """A FAISS index, with the vectors or codes beside it in an `ExactIndex`.

    These serve what FAISS does not offer for every structure, at the price of their memory:

    - A search among some positions is exact, over these alone; FAISS is not asked.
    - A query for which FAISS finds fewer than k items is searched exactly.
    - Removal fills the FAISS index anew with what is left; an HNSW graph is built anew, which takes as long
      as building it did. Lists of IVF are kept.

    The lists of IVF, about the square root of the number of items, are trained on what is added first, and
    anew when the items have outgrown them.

    Args:
        similarity: ``"cosine"``, ``"dot"`` or ``"hamming"``.
        structure: ``"flat"``, ``"ivf"`` or ``"hnsw"``.
        num_probes: Lists of IVF that a query looks into.
        num_links: Links of an item in the graph of HNSW.
        search_width: Candidates that HNSW keeps while it searches.

    Raises:
        ImportError: If FAISS is not installed.
    """

    def __init__(
        self, similarity: str, structure: str, num_probes: int = 16, num_links: int = 32, search_width: int = 128
    ) -> None:
        import_faiss()
        self.similarity = similarity
        self.structure = structure
        self._num_probes, self._num_links, self._search_width = num_probes, num_links, search_width
        self._exact = ExactIndex(similarity)
        self._index: Any = None

    @property
    def vectors(self) -> Tensor:
        """What was added, in order."""
        return self._exact.vectors

    def __len__(self) -> int:
        return len(self._exact)

    def add(self, vectors: Tensor) -> None:
        """Append vectors; errors as `ExactIndex.add`."""
        before = len(self)
        self._exact.add(vectors)
        if self._index is None or self._outgrown():
            self._build()
        else:
            self._index.add(self.vectors[before:].numpy())

    def remove(self, positions: Tensor) -> None:
        """Take out some vectors; those behind them move up."""
        self._exact.remove(positions)
        if len(self):
            self._index.reset()
            self._index.add(self.vectors.numpy())
        else:
            self._index = None

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the nearest of each query, as `ExactIndex.search` but for the order of equal scores."""
        if among is not None or not len(self):
            return self._exact.search(query, k, among)
        query = self._exact.check("query", query)
        found = self._index.search(query.numpy(), min(k, len(self)))
        scores, positions = (torch.from_numpy(each) for each in found)
        short = (positions < 0).any(dim=1)
        if short.any():
            scores[short], positions[short] = self._exact.search(query[short], k)
        return scores, positions

    def dump(self) -> dict[str, bytes]:
        """The FAISS file, by its ending."""
        faiss = import_faiss()
        if self._index is None:
            return {}
        serialize = faiss.serialize_index_binary if self.similarity == "hamming" else faiss.serialize_index
        return {"faiss": serialize(self._index).tobytes()}

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Take vectors and the FAISS file as they were saved; probes and search width are those of this index.

        FAISS trusts what it reads: hand in only what is known to be undamaged.

        Raises:
            ValueError: If vectors and file do not belong together.
        """
        faiss = import_faiss()
        self._exact.restore(vectors, {})
        if not len(self):
            return
        read = faiss.deserialize_index_binary if self.similarity == "hamming" else faiss.deserialize_index
        try:
            self._index = read(np.frombuffer(files["faiss"], np.uint8))
        except RuntimeError as error:
            raise ValueError(f"expected an index of FAISS (got {error})") from error
        if (self._index.ntotal, self._index.d) != (len(self), self._width()):
            got = f"{self._index.ntotal} of {self._index.d}"
            raise ValueError(f"expected {len(self)} items of width {self._width()} in the FAISS file (got {got})")
        self._tune()

    def _width(self) -> int:
        return self.vectors.shape[1] * (8 if self.similarity == "hamming" else 1)

    def _num_lists(self) -> int:
        return max(1, min(math.isqrt(len(self)), len(self) // ITEMS_PER_LIST))

    def _outgrown(self) -> bool:
        return self.structure == "ivf" and self._num_lists() > 2 * self._index.nlist

    def _build(self) -> None:
        faiss = import_faiss()
        kind = "codes" if self.similarity == "hamming" else "vectors"
        factory = FACTORY[kind, self.structure].format(lists=self._num_lists(), links=self._num_links)
        if self.similarity == "hamming":
            index = faiss.index_binary_factory(self._width(), factory)
        else:
            index = faiss.index_factory(self._width(), factory, faiss.METRIC_INNER_PRODUCT)
        vectors = self.vectors.numpy()
        index.train(vectors)
        index.add(vectors)
        self._index = index
        self._tune()

    def _tune(self) -> None:
        """Set how thoroughly is searched."""
        if self.structure == "ivf":
            self._index.nprobe = self._num_probes
        elif self.structure == "hnsw":
            self._index.hnsw.efSearch = self._search_width
        elif self.similarity == "hamming":
            self._index.use_heap = False  # Counting by distance is a quarter faster.
