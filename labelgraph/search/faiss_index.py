"""Indexes of FAISS: flat, inverted lists, and graphs of neighbours."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.similarity import SIMILARITIES, SMALLEST, Embeddings
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
ITEMS_PER_LIST = 39  # FAISS asks for as many to train a list.
LEAST_CANDIDATES, CANDIDATES_PER_RESULT = 1000, 10
PAIR_WEIGHT = 0.5  # Of pair embeddings among candidates; the score has the third power of what it weighs.
FAISS_ERRORS = (RuntimeError, MemoryError, OverflowError, TypeError, ValueError, AttributeError)


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
    r"""A FAISS index, with the vectors or codes beside it in an `ExactIndex`.

    These serve what FAISS does not offer for every structure, at the price of their memory:

    - A search among some positions is exact, over these alone; FAISS is not asked.
    - A query for which FAISS finds fewer than k items is searched exactly.
    - Removal fills the FAISS index anew with what is left; an HNSW graph is built anew, which takes as long
      as building it did. Lists of IVF are kept.
    - For ``"jaccard"`` FAISS finds candidates, at least 1000 and 10 k, of which the exact scores are then computed.
      For one query :math:`p`, the Jaccard coefficient rises with :math:`p \cdot q / (|p|_1 + |q|_1)`; candidates are
      those of the largest inner products of :math:`p` with :math:`2 q / (c + |q|_1)`, :math:`c` being the mean of
      :math:`|q|_1`, beside the pair embeddings. Measured among 20,000 items of 3.3 expected labels, the share of the
      exact first 10 that is found: flat 1.00, HNSW .998, IVF .989 with 24 labels and .982 with 300. With pair
      embeddings flat 1.00, HNSW .997, IVF .989 with 32 probes (.94 with 16). The first 1000 by the plain inner product
      hold .85.

    The lists of IVF, about the square root of the number of items, are trained on what is added first, and
    anew when the items have outgrown them. The graph of HNSW has equal items once: many of them would otherwise be
    linked to one another alone, and whatever lies beyond could not be reached.

    Args:
        similarity: ``"cosine"``, ``"dot"``, ``"jaccard"`` or ``"hamming"``.
        structure: ``"flat"``, ``"ivf"`` or ``"hnsw"``.
        num_labels: Of ``"jaccard"``, see `ExactIndex`.
        num_probes: Lists of IVF that a query looks into.
        num_links: Links of an item in the graph of HNSW.
        search_width: Candidates that HNSW keeps while it searches.

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
        """What was added, in order."""
        return self._exact.vectors

    def __len__(self) -> int:
        return len(self._exact)

    def check(self, name: str, vectors: Tensor) -> Embeddings:
        """Check vectors as `ExactIndex.check`."""
        return self._exact.check(name, vectors)

    def add(self, vectors: Tensor) -> None:
        """Append vectors; errors as `ExactIndex.add`."""
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
        """Take out some vectors; those behind them move up."""
        self._exact.remove(positions)
        if len(self):
            self._index.reset()
            self._fill(0)
        else:
            self._index = None

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Find the nearest of each query, as `ExactIndex.search` but for the order of equal scores."""
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
        """What FAISS finds; -1 for positions that it does not."""
        scores, found = self._index.search(query.numpy(), min(k, self._index.ntotal))
        if self._distinct is not None:
            scores, found = self._distinct.spread(scores, found, k)
        found[found >= len(self)] = -1  # Of a file that was tampered with.
        return torch.from_numpy(scores), torch.from_numpy(found)

    def _look_again(self, query: Embeddings, candidates: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The first k of candidates (Q, M) by their exact scores; equal ones by position."""
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
        """The FAISS file, by its ending; a flat index is its vectors, and has none."""
        faiss = import_faiss()
        if self._index is None or self.structure == "flat":
            return {}
        serialize = faiss.serialize_index_binary if self.similarity == "hamming" else faiss.serialize_index
        return {"faiss": serialize(self._index).tobytes()}

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Take vectors and the FAISS file as they were saved; probes and search width are those of this index.

        FAISS trusts what it reads: hand in only what is known to be undamaged.

        Raises:
            ValueError: If vectors and file do not belong together.
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
        """Hand FAISS the vectors from a position on."""
        vectors = self._as_faiss_takes(start)
        if self._distinct is not None:
            if start == 0:
                self._distinct = DistinctRows()
            vectors = vectors[self._distinct.add(self.vectors[start:].numpy())]
        if len(vectors):
            self._index.add(vectors)

    def _as_faiss_takes(self, start: int) -> np.ndarray:
        """Vectors of which the inner product with a query ranks as the similarity, or nearly so."""
        if self.similarity != "jaccard":
            return self.vectors[start:].numpy()
        labels, pair = self._held().parts()
        count = labels.sum(1, keepdim=True)
        scaled = 2 * labels[start:] / (count.mean() + count[start:]).clamp(min=SMALLEST)
        return torch.cat([scaled, PAIR_WEIGHT * pair[start:]], 1).numpy()

    def _tune(self) -> None:
        """Set how thoroughly is searched."""
        if self.structure == "ivf":
            self._index.nprobe = self._num_probes
        elif self.structure == "hnsw":
            self._index.hnsw.efSearch = self._search_width
        elif self.similarity == "hamming":
            self._index.use_heap = False  # Counting by distance is a quarter faster.
