"""FAISS indexes: flat, inverted lists (IVF), and graphs of neighbours (HNSW)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.embeddings import Embeddings
from labelgraph._core.lazy import import_faiss
from labelgraph._core.similarity import SIMILARITIES, SMALLEST
from labelgraph.search.distinct import DistinctRows
from labelgraph.search.exact_index import ExactIndex
from labelgraph.search.neighbours import check_k

FACTORY = {
    ("vectors", "flat"): ("IndexFlat", "Flat"),
    ("vectors", "ivf"): ("IndexIVFFlat", "IVF{lists},Flat"),
    ("vectors", "hnsw"): ("IndexHNSWFlat", "HNSW{links},Flat"),
    ("codes", "flat"): ("IndexBinaryFlat", "BFlat"),
    ("codes", "ivf"): ("IndexBinaryIVF", "BIVF{lists}"),
    ("codes", "hnsw"): ("IndexBinaryHNSW", "BHNSW{links}"),
}
ITEMS_PER_LIST = 39  # FAISS recommends at least 39 items to train a list.
LEAST_CANDIDATES, CANDIDATES_PER_RESULT = 1000, 10
PAIR_WEIGHT = (
    0.5  # Weight of pair embeddings in the search for candidates; the exact score has the third power of their product.
)
FAISS_ERRORS = (RuntimeError, MemoryError, OverflowError, TypeError, ValueError, AttributeError)


class FaissIndex:
    r"""A FAISS index, and an `ExactIndex` of the same vectors or codes.

    The exact index takes more memory, and provides what not every FAISS structure offers:

    - A search among some positions is exact, and does not use FAISS.
    - A query for which FAISS finds fewer than k items is searched exactly.
    - After a removal, the FAISS index is filled again with the remaining items. The lists of IVF are kept. A graph of
      HNSW is built again, which takes as long as the first time.
    - For ``"jaccard"``, FAISS finds at least 1000 and 10 k candidates, which are then ranked by their exact scores.
      For one query :math:`p`, the Jaccard coefficient rises with :math:`p \cdot q / (|p|_1 + |q|_1)`. The candidates
      have the largest inner products of :math:`p` with :math:`2 q / (c + |q|_1)`, where :math:`c` is the mean of
      :math:`|q|_1`; pair embeddings are appended to both. Recall of the exact first 10, among 20,000 items with 3.3
      expected labels: flat 1.00, HNSW .998, IVF .989 with 24 labels and .982 with 300. With pair embeddings: flat
      1.00, HNSW .997, IVF .989 with 32 probes (.94 with 16). The first 1000 by the plain inner product have a recall
      of .85.

    The number of lists of IVF is about the square root of the number of items. The lists are trained on the items that
    are added first, and trained again when the number of items has grown enough for twice as many lists. The graph of
    HNSW holds only one of several equal items: many equal items would be linked only to one another, and the items
    behind them could not be reached.

    Args:
        similarity: ``"cosine"``, ``"dot"``, ``"jaccard"`` or ``"hamming"``.
        structure: ``"flat"``, ``"ivf"`` or ``"hnsw"``.
        num_labels: For ``"jaccard"``, number of columns that are label probabilities; by default all.
        num_probes: Number of lists of IVF that a query searches.
        num_links: Number of links per item in the graph of HNSW.
        search_width: Number of candidates that HNSW keeps during a search.

    Raises:
        ImportError: If FAISS is not installed.
    """

    def __init__(
        self,
        similarity: str,
        structure: str,
        num_labels: int | None = None,
        num_probes: int = 16,
        num_links: int = 32,
        search_width: int = 128,
    ) -> None:
        import_faiss()
        self.similarity = similarity
        self.structure = structure
        self.num_labels = num_labels
        self._num_probes, self._num_links, self._search_width = num_probes, num_links, search_width
        self._exact = ExactIndex(similarity, num_labels)
        self._distinct = DistinctRows() if structure == "hnsw" else None
        self._index: Any = None

    @property
    def vectors(self) -> Tensor:
        """The added vectors or codes, in the order of addition."""
        return self._exact.vectors

    def __len__(self) -> int:
        return len(self._exact)

    def check(self, name: str, vectors: Tensor) -> Embeddings:
        """Check vectors as `ExactIndex.check` does."""
        return self._exact.check(name, vectors)

    def add(self, vectors: Tensor) -> None:
        """Append vectors; errors are those of `ExactIndex.add`."""
        before, held = len(self), self._exact.held
        self._exact.add(vectors)
        try:
            if self._index is None or self._outgrown():
                self._build()
            else:
                self._fill(before)
        except BaseException:
            self._exact.held = held
            raise

    def remove(self, positions: Tensor) -> None:
        """Remove vectors; the positions of later vectors move up."""
        self._exact.remove(positions)
        if len(self):
            self._index.reset()
            self._fill(0)
        else:
            self._index = None

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the nearest neighbours as `ExactIndex.search` does; equal scores may be in any order."""
        if among is not None or not len(self):
            return self._exact.search(query, k, among)
        asked, k = self.check("query", query), min(check_k(k), len(self))
        if self.similarity == "jaccard":
            wanted = min(max(LEAST_CANDIDATES, CANDIDATES_PER_RESULT * k), len(self))
            scores, positions = self._look_again(asked, self._ask(asked.vectors, wanted)[1], k)
        else:
            scores, positions = self._ask(asked.vectors, k)
        short = (positions < 0).any(dim=1)
        if short.any():
            scores[short], positions[short] = self._exact.search(asked.vectors[short], k)
        return scores, positions

    def _ask(self, query: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Search with FAISS; the position is -1 where FAISS finds fewer than k items."""
        scores, positions = self._index.search(query.numpy(), min(k, self._index.ntotal))
        if self._distinct is not None:
            scores, positions = self._distinct.spread(scores, positions, k)
        positions[positions >= len(self)] = -1  # Positions beyond the items occur only in a manipulated file.
        return torch.from_numpy(scores), torch.from_numpy(positions)

    def _look_again(self, query: Embeddings, candidates: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """Return the first k of the candidates (Q, M) by their exact scores; equal scores by position."""
        similarity = SIMILARITIES[self.similarity]
        candidates = candidates.sort(dim=1).values
        scores = torch.empty(candidates.shape)
        for row, positions in enumerate(candidates):
            sides = query[row : row + 1], self._held()[positions.clamp(min=0)]
            asked, held = (similarity.prepare(side, torch.float32) for side in sides)
            similarity.score(asked, held, scores[row : row + 1])
        scores[candidates < 0] = -torch.inf
        order = scores.argsort(dim=1, descending=True, stable=True)[:, :k]
        return scores.gather(1, order), candidates.gather(1, order)

    def _held(self) -> Embeddings:
        assert self._exact.held is not None
        return self._exact.held

    def dump(self) -> dict[str, bytes]:
        """Return the FAISS file by its suffix; a flat index needs only its vectors, and has no file."""
        faiss = import_faiss()
        if self._index is None or self.structure == "flat":
            return {}
        serialize = faiss.serialize_index_binary if self.similarity == "hamming" else faiss.serialize_index
        return {"faiss": serialize(self._index).tobytes()}

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Set the vectors and the FAISS file from a saved index; probes and search width remain those of this object.

        FAISS does not check what it reads: the caller must have verified the checksum of the file.

        Raises:
            ValueError: If the vectors and the file do not match.
        """
        self._exact.restore(vectors, {})
        if not len(self):
            return
        if self.structure == "flat":
            self._build()
            return
        faiss = import_faiss()
        read = faiss.deserialize_index_binary if self.similarity == "hamming" else faiss.deserialize_index
        try:
            index = read(np.frombuffer(files["faiss"], np.uint8))
        except KeyError as error:
            raise ValueError("expected the FAISS file (got none)") from error
        except FAISS_ERRORS as error:
            raise ValueError(f"expected an index of FAISS (got {str(error).splitlines()[-1][:200]})") from error
        if self._distinct is not None:
            self._distinct = DistinctRows()
            self._distinct.add(self.vectors.numpy())
        self._check_restored(index)
        self._index = index
        self._tune()

    def _check_restored(self, index: Any) -> None:
        size, wanted = len(self._distinct or self), FACTORY[self._kind(), self.structure][0]
        if (index.ntotal, index.d) != (size, self._width()):
            raise ValueError(f"expected {size} items of width {self._width()} in the FAISS file "
                             f"(got {index.ntotal} of {index.d})")  # fmt: skip
        if type(index).__name__ != wanted:
            raise ValueError(f"expected {wanted} in the FAISS file (got {type(index).__name__})")

    def _kind(self) -> str:
        return "codes" if self.similarity == "hamming" else "vectors"

    def _width(self) -> int:
        return self.vectors.shape[1] * (8 if self.similarity == "hamming" else 1)

    def _num_lists(self) -> int:
        return max(1, min(math.isqrt(len(self)), len(self) // ITEMS_PER_LIST))

    def _outgrown(self) -> bool:
        return self.structure == "ivf" and self._num_lists() > 2 * self._index.nlist

    def _build(self) -> None:
        faiss = import_faiss()
        factory = FACTORY[self._kind(), self.structure][1].format(lists=self._num_lists(), links=self._num_links)
        if self.similarity == "hamming":
            index = faiss.index_binary_factory(self._width(), factory)
        else:
            index = faiss.index_factory(self._width(), factory, faiss.METRIC_INNER_PRODUCT)
        if self.structure == "ivf":
            index.train(self._as_faiss_takes(0))
        self._index = index
        self._fill(0)
        self._tune()

    def _fill(self, start: int) -> None:
        """Add the vectors from a position on to the FAISS index."""
        vectors = self._as_faiss_takes(start)
        if self._distinct is not None:
            if start == 0:
                self._distinct = DistinctRows()
            vectors = vectors[self._distinct.add(self.vectors[start:].numpy())]
        if len(vectors):
            self._index.add(vectors)

    def _as_faiss_takes(self, start: int) -> np.ndarray:
        """Return vectors whose inner products with a query rank the items as the similarity does, at least nearly."""
        if self.similarity != "jaccard":
            return self.vectors[start:].numpy()
        labels, pair = self._held().parts()
        count = labels.sum(1, keepdim=True)
        scaled = 2 * labels[start:] / (count.mean() + count[start:]).clamp(min=SMALLEST)
        return torch.cat([scaled, PAIR_WEIGHT * pair[start:]], 1).numpy()

    def _tune(self) -> None:
        """Set the number of probes or the search width."""
        if self.structure == "ivf":
            self._index.nprobe = self._num_probes
        elif self.structure == "hnsw":
            self._index.hnsw.efSearch = self._search_width
        elif self.similarity == "hamming":
            self._index.use_heap = False  # Counting items by distance is a quarter faster than a heap.
