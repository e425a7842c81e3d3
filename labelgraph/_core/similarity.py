"""Similarities of two embeddings, by name."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor

from labelgraph._core.packed_bits import in_parts, unpack_bits
from labelgraph._core.sparse_rows import InvertedLists, split_rows

if TYPE_CHECKING:
    from labelgraph._core.embeddings import Embeddings

SHORT = 1e-12  # The squares of shorter rows lose digits in float32.
SMALLEST = 1e-30
CACHED_ITEMS, CACHED_SCORES = 2**14, 2**20  # Of one step of an elementwise computation.
LARGE_PRODUCT = 2**28  # Multiplications from which the start of threads takes no time that counts.


class Similarity:
    """Inner product of two embeddings, and the base class of the other similarities.

    Attributes:
        name: Key in `SIMILARITIES`.
        meaning: Description of a score, for tables and headings.
    """

    name = "dot"
    meaning = "inner product"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Compute the tensors of one side that every block of scores needs."""
        return (embeddings.vectors.to(dtype),)

    def hold(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Any, ...]:
        """Prepare a database, which every block of queries needs whole."""
        return self.prepare(embeddings, dtype)

    def score(self, query: Sequence[Tensor], database: Sequence[Any], out: Tensor) -> Tensor:
        """Write the scores of prepared queries against a prepared database, (b, N), into ``out``."""
        return _product(query[0], database[0], out)


class _Cosine(Similarity):
    name = "cosine"
    meaning = "cosine"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        return (unit_length(embeddings.vectors.to(dtype)),)


class _Hamming(Similarity):
    """Inner product of codes of -1 and 1: the number of bits minus twice the Hamming distance."""

    name = "hamming"
    meaning = "number of equal bits minus number of different bits"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        return (unpack_bits(embeddings.vectors, 8 * embeddings.vectors.shape[1]).to(dtype),)


class _Jaccard(Similarity):
    """Expected Jaccard coefficient of label probabilities, plus the similarity of pair embeddings if there are any.

    The pair similarity is cubed. It thus orders items that are nearly identical, and leaves the order of all other
    items to the labels.
    """

    name = "jaccard"
    meaning = "expected Jaccard coefficient of the labels"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        labels, pair = (part.to(dtype) for part in embeddings.parts())
        highest = 1 + torch.linalg.vector_norm(pair, dim=1).pow(6)
        return labels, labels.sum(1), pair, highest

    def score(self, query: Sequence[Tensor], database: Sequence[Tensor], out: Tensor) -> Tensor:
        shared = _product(query[0], database[0], out)
        return _jaccard_of(shared, query[1:], database[1:])


def _jaccard_of(shared: Tensor, query: Sequence[Tensor], database: Sequence[Tensor]) -> Tensor:
    """Turn expected numbers of shared labels into scores; the sides have sums, pair embeddings and highest scores."""
    step = max(CACHED_ITEMS, CACHED_SCORES // max(1, len(shared)))  # So that all steps find scores in the cache.
    for start in range(0, shared.shape[1], step):
        items = slice(start, start + step)
        _to_jaccard(shared[:, items], query, [side[items] for side in database])
    return shared


def _to_jaccard(shared: Tensor, query: Sequence[Tensor], database: Sequence[Tensor]) -> None:
    union = (query[0][:, None] + database[0]).sub_(shared).clamp_(min=SMALLEST)
    shared.div_(union)
    if query[1].shape[1]:
        like = torch.mm(query[1], database[1].t(), out=union).clamp_(min=0)
        shared.addcmul_(like.square(), like).div_(query[2][:, None])


class _SparseDot(Similarity):
    """Sum of products of the probabilities of the labels that two rows of `pack_rows` name."""

    name = "sparse-dot"
    meaning = "inner product of the most probable labels"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        labels, probabilities, pair = split_rows(embeddings.vectors, embeddings.num_labels or 0)
        return labels, self._scaled(probabilities.to(dtype)), *self._measures(probabilities.to(dtype), pair.to(dtype))

    def hold(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Any, ...]:
        labels, probabilities, *measures = self.prepare(embeddings.to("cpu"), dtype)
        return InvertedLists(labels, probabilities), *measures

    def score(self, query: Sequence[Tensor], database: Sequence[Any], out: Tensor) -> Tensor:
        lists: InvertedLists = database[0]
        return lists.products(query[0], query[1], out)

    def _scaled(self, probabilities: Tensor) -> Tensor:
        return probabilities

    def _measures(self, probabilities: Tensor, pair: Tensor) -> tuple[Tensor, ...]:
        return ()


class _SparseCosine(_SparseDot):
    name = "sparse-cosine"
    meaning = "cosine of the most probable labels"

    def _scaled(self, probabilities: Tensor) -> Tensor:
        return unit_length(probabilities)


class _SparseJaccard(_SparseDot):
    name = "sparse-jaccard"
    meaning = "expected Jaccard coefficient of the most probable labels"

    def _measures(self, probabilities: Tensor, pair: Tensor) -> tuple[Tensor, ...]:
        return probabilities.sum(1), pair, 1 + torch.linalg.vector_norm(pair, dim=1).pow(6)

    def score(self, query: Sequence[Tensor], database: Sequence[Any], out: Tensor) -> Tensor:
        return _jaccard_of(super().score(query, database, out), query[2:], database[1:])


def _product(left: Tensor, right: Tensor, out: Tensor) -> Tensor:
    """Write the inner products of all rows of both sides into ``out``.

    On a CPU, each thread lets NumPy multiply some rows: the OpenBLAS of NumPy takes four fifths of the time of the MKL
    of PyTorch on an AMD processor, but its own threads go on spinning when they have nothing to do.
    """
    if out.device.type != "cpu" or out.numel() * left.shape[1] < LARGE_PRODUCT:
        return torch.mm(left, right.t(), out=out)
    threads, columns = min(torch.get_num_threads(), len(left)), right.numpy().T
    with _ONE_PRODUCT, _blas().limit(limits=1), ThreadPoolExecutor(threads) as pool:
        rows = left.numpy(), out.numpy()
        in_parts(pool, lambda some, products: np.matmul(some, columns, out=products), -(-len(left) // threads), *rows)
    return out


# The limit is one of the process. Of two at a time, threadpoolctl before 3.8 would keep one for good.
_ONE_PRODUCT = threading.Lock()


@cache
def _blas() -> ThreadpoolController:
    """The libraries of linear algebra that are loaded."""
    return ThreadpoolController().select(user_api="blas")


_KINDS = (_Cosine(), Similarity(), _Hamming(), _Jaccard(), _SparseDot(), _SparseCosine(), _SparseJaccard())
SIMILARITIES: dict[str, Similarity] = {similarity.name: similarity for similarity in _KINDS}
SPARSE = tuple(name for name in SIMILARITIES if name.startswith("sparse-"))


def unit_length(vectors: Tensor) -> Tensor:
    """Scale rows to length 1, even very short rows; rows of zeros stay zero.

    Example:
        >>> import torch
        >>> from labelgraph._core.similarity import unit_length
        >>> unit_length(torch.tensor([[3e-30, 4e-30], [0.0, 0.0]]))
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    short = length < SHORT
    if torch.compiler.is_compiling() or short.any():
        largest = vectors.detach().abs().amax(-1, keepdim=True)
        vectors = vectors / torch.where(short & (largest > 0), largest, 1)
        length = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return vectors / torch.where(length > 0, length, 1)
