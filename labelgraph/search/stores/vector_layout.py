"""How embeddings are kept in a store, so that its inner products rank the items as the similarity does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from labelgraph._core.embeddings import Embeddings
from labelgraph._core.packed_bits import pack_bits, unpack_bits
from labelgraph._core.similarity import SIMILARITIES
from labelgraph.search.faiss_index import CANDIDATES_PER_RESULT, LEAST_CANDIDATES, PAIR_WEIGHT
from labelgraph.search.stores.engine import Hits


@dataclass(frozen=True)
class Layout:
    r"""Conversion of embeddings to the vectors of a store, and back.

    - Vectors for cosines have unit length, and are kept as they are, as those for inner products are.
    - Codes are kept as they are, or become vectors of -1 and 1 whose inner product is the number of bits minus twice
      the Hamming distance, if the engine does not compare codes.
    - Label probabilities :math:`q` are kept as :math:`2 q / (c + |q|_1)` with a constant :math:`c`, as `FaissIndex`
      explains, and pair embeddings at half their length. The score is computed exactly for the best candidates.

    Args:
        similarity: Similarity of the embeddings.
        num_labels: For ``"jaccard"``, number of columns that are label probabilities.
        width: Number of columns of the embeddings.
        mean_labels: The constant :math:`c`: the mean number of labels of an item.
        takes_codes: Whether the engine compares packed codes.
    """

    similarity: str
    num_labels: int | None
    width: int
    mean_labels: float
    takes_codes: bool

    @property
    def codes(self) -> bool:
        """Whether the store holds packed codes."""
        return self.similarity == "hamming" and self.takes_codes

    @property
    def stored_width(self) -> int:
        """Number of columns in the store."""
        return 8 * self.width if self.similarity == "hamming" and not self.takes_codes else self.width

    def stored(self, embeddings: Embeddings) -> np.ndarray:
        """Return the vectors of items in the store, (N, D)."""
        if self.similarity != "jaccard":
            return self.asked(embeddings)
        labels, pair = embeddings.parts()
        scaled = 2 * labels / (self.mean_labels + labels.sum(1, keepdim=True))
        return torch.cat([scaled, PAIR_WEIGHT * pair], 1).numpy()

    def asked(self, embeddings: Embeddings) -> np.ndarray:
        """Return the vectors of queries, (Q, D)."""
        if self.similarity == "hamming" and not self.takes_codes:
            return unpack_bits(embeddings.vectors, 8 * self.width).numpy().astype(np.float32)
        return embeddings.vectors.numpy()

    def embeddings(self, stored: np.ndarray) -> Embeddings:
        """Return the embeddings of vectors in the store; label probabilities are exact up to rounding."""
        vectors = torch.from_numpy(np.array(stored))
        if self.similarity == "hamming" and not self.takes_codes:
            vectors = pack_bits(vectors)
        if self.similarity == "jaccard":
            labels, pair = vectors[:, : self.num_labels], vectors[:, self.num_labels :]
            total = labels.sum(1, keepdim=True)
            count = self.mean_labels * total / (2 - total).clamp(min=1e-6)
            labels = (labels * (self.mean_labels + count) / 2).clamp(0, 1)
            vectors = torch.cat([labels, pair / PAIR_WEIGHT], 1)
        return Embeddings(vectors, self.similarity, self.num_labels)

    def depth(self, k: int) -> int:
        """Return the number of candidates to ask for, for k results."""
        return max(LEAST_CANDIDATES, CANDIDATES_PER_RESULT * k) if self.similarity == "jaccard" else k

    def scored(self, query: Embeddings, hits: Hits, k: int) -> Hits:
        """Return the first k of the candidates of one query, with the scores of the similarity."""
        if self.similarity == "hamming":
            bits = 8 * self.width
            distances = hits.scores if self.takes_codes else (bits - hits.scores) / 2
            return Hits(hits.ids[:k], hits.titles[:k], distances[:k].round().astype(np.int32), None)
        if self.similarity != "jaccard" or hits.vectors is None or not hits.ids:
            return Hits(hits.ids[:k], hits.titles[:k], hits.scores[:k], None)
        scores = torch.empty(1, len(hits.ids))
        similarity = SIMILARITIES[self.similarity]
        asked, held = (similarity.prepare(side, torch.float32) for side in (query, self.embeddings(hits.vectors)))
        similarity.score(asked, held, scores)
        order = scores[0].argsort(descending=True, stable=True)[:k]
        places = order.tolist()
        ids, titles = ([names[place] for place in places] for names in (hits.ids, hits.titles))
        return Hits(ids, titles, scores[0][order].numpy(), None)
