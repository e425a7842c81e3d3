"""Embeddings that carry their similarity, and the scores of queries against a database by similarity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.names import did_you_mean
from labelgraph._core.packed_bits import unpack_bits

LONGEST = 1e19  # The product of two rows of this length fits float32.
SHORT = 1e-12  # The squares of shorter rows lose digits in float32.
SMALLEST = 1e-30
BLOCK_SCORES = 2**23  # 32 MiB of scores: enough rows for a fast product, little memory.


class Similarity:
    """The inner product of two embeddings; the base of the other similarities.

    Attributes:
        name: Key in `SIMILARITIES`.
        meaning: What a score is, for tables and headings.
    """

    name = "dot"
    meaning = "inner product"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Do once what each block of scores needs of one side."""
        return (embeddings.vectors.to(dtype),)

    def score(self, query: Sequence[Tensor], database: Sequence[Tensor], out: Tensor) -> Tensor:
        """Write the scores of prepared queries against a prepared database, (b, N), into ``out``."""
        return torch.mm(query[0], database[0].t(), out=out)


class _Cosine(Similarity):
    name = "cosine"
    meaning = "cosine"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        return (unit_length(embeddings.vectors.to(dtype)),)


class _Hamming(Similarity):
    """The product of codes of -1 and 1: their length less twice their Hamming distance."""

    name = "hamming"
    meaning = "number of equal bits less number of different bits"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        return (unpack_bits(embeddings.vectors, 8 * embeddings.vectors.shape[1]).to(dtype),)


class _Jaccard(Similarity):
    """Expected Jaccard coefficient of label probabilities, and the likeness of pair embeddings if there are any.

    The likeness is cubed, so that it decides between items that are nearly the same thing and leaves the order of all
    others to the labels.
    """

    name = "jaccard"
    meaning = "expected Jaccard coefficient of the labels"

    def prepare(self, embeddings: Embeddings, dtype: torch.dtype) -> tuple[Tensor, ...]:
        labels, pair = (part.to(dtype) for part in embeddings.parts())
        highest = 1 + torch.linalg.vector_norm(pair, dim=1).pow(6)
        return labels, labels.sum(1), pair, highest

    def score(self, query: Sequence[Tensor], database: Sequence[Tensor], out: Tensor) -> Tensor:
        shared = torch.mm(query[0], database[0].t(), out=out)
        union = (query[1][:, None] + database[1]).sub_(shared).clamp_(min=SMALLEST)
        shared.div_(union)
        if not query[2].shape[1]:
            return shared
        like = torch.mm(query[2], database[2].t(), out=union).clamp_(min=0)
        return shared.addcmul_(like.square(), like).div_(query[3][:, None])


SIMILARITIES: dict[str, Similarity] = {
    similarity.name: similarity for similarity in (_Cosine(), Similarity(), _Hamming(), _Jaccard())
}


@dataclass(frozen=True, eq=False)
class Embeddings:
    r"""Embeddings of images or texts, with the similarity that they are made for.

    Functions that rank take them, so that codes or products cannot be compared by a wrong default.

    Args:
        vectors: A matrix of torch, NumPy or lists, shape :math:`(N, H)`; for ``"hamming"`` packed codes, uint8.
        similarity: ``"cosine"``, ``"dot"``, ``"hamming"``, or ``"jaccard"``: the first ``num_labels`` columns are
            label probabilities :math:`p`, and the other columns, if there are any, pair embeddings :math:`e`, all of
            one length. Two items score :math:`J = p \cdot q / (|p|_1 + |q|_1 - p \cdot q)`, 0 where both :math:`p` and
            :math:`q` are 0; with pair embeddings :math:`(J + \max(0, e \cdot f)^3) / (1 + |e|^6)`, from 0 to 1.
        num_labels: Number of columns that are label probabilities; of ``"jaccard"`` alone. By default all.

    Raises:
        ValueError: If the similarity is unknown, or the vectors are not a finite matrix of the kind that it needs.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import Embeddings
        >>> embeddings = Embeddings(torch.eye(3), "dot")
        >>> embeddings
        Embeddings(3 x 3, dot)
        >>> len(embeddings[1:]), embeddings.similarity
        (2, 'dot')
    """

    vectors: Tensor
    similarity: str = "cosine"
    num_labels: int | None = None

    def __post_init__(self) -> None:
        check_similarity(self.similarity)
        num_labels = _check_vectors("vectors", as_matrix("vectors", self.vectors), self.similarity, self.num_labels)
        object.__setattr__(self, "vectors", as_matrix("vectors", self.vectors))
        object.__setattr__(self, "num_labels", num_labels)

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        return f"Embeddings({' x '.join(map(str, self.vectors.shape))}, {self.similarity})"

    def __getitem__(self, rows: Any) -> Embeddings:
        """Some rows: a slice, row numbers or a mask."""
        vectors = self.vectors[[rows] if isinstance(rows, int) else rows]
        return self._with(vectors)

    def to(self, device: torch.device | str) -> Embeddings:
        """The same on another device."""
        return self._with(self.vectors.to(device))

    def parts(self) -> tuple[Tensor, Tensor]:
        """Label probabilities and pair embeddings of ``"jaccard"``, (N, C) and (N, H - C)."""
        return self.vectors[:, : self.num_labels], self.vectors[:, self.num_labels :]

    @classmethod
    def cat(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """Join embeddings of one kind, row after row.

        Raises:
            ValueError: If there are none, or they are of several kinds.
        """
        if not parts:
            raise ValueError("'parts' must be at least one Embeddings (got none)")
        for other in parts[1:]:
            check_comparable(parts[0], other, ("parts[0]", "parts"))
        return parts[0]._with(torch.cat([part.vectors for part in parts]))

    def _with(self, vectors: Tensor) -> Embeddings:
        """Other vectors of the same kind, which need no second check."""
        return _unchecked(vectors, self.similarity, self.num_labels)


def _unchecked(vectors: Tensor, similarity: str, num_labels: int | None) -> Embeddings:
    embeddings = object.__new__(Embeddings)
    for name, value in (("vectors", vectors), ("similarity", similarity), ("num_labels", num_labels)):
        object.__setattr__(embeddings, name, value)
    return embeddings


Vectors = Embeddings | Tensor | np.ndarray | Sequence[Any]


def as_embeddings(name: str, given: Any, similarity: str | None = None, num_labels: int | None = None) -> Embeddings:
    """Take embeddings, or a plain matrix with its similarity.

    Args:
        name: Of the argument, for errors.
        given: `Embeddings`, or a matrix of torch, NumPy or lists.
        similarity: Of a plain matrix; by default cosine, which codes do not have.
        num_labels: Of a plain matrix, see `Embeddings`.

    Raises:
        ValueError: If the similarity contradicts the embeddings, or is missing for codes, or the matrix is not one.
    """
    if similarity is not None:
        check_similarity(similarity)
    if isinstance(given, Embeddings):
        if similarity not in (None, given.similarity):
            raise ValueError(
                f"'similarity' must be {given.similarity!r}, as '{name}' was made for, or left out (got {similarity!r})"
            )
        _check_rows(name, given.vectors)
        return given
    vectors = as_matrix(name, given)
    _check_rows(name, vectors)
    if similarity is None and vectors.dtype == torch.uint8:
        raise ValueError(f"'similarity' must be given where '{name}' is uint8, such as 'hamming' for packed codes")
    similarity = similarity or "cosine"
    return _unchecked(vectors, similarity, _check_vectors(name, vectors, similarity, num_labels))


def as_matrix(name: str, given: Any) -> Tensor:
    """A matrix of torch, NumPy (in any byte order and any strides) or lists as a tensor without gradients.

    Raises:
        ValueError: If it is no matrix of real numbers.
    """
    if not isinstance(given, Tensor):
        array = np.asarray(given.toarray() if hasattr(given, "toarray") else given)
        if array.dtype.kind not in "fiub":
            raise ValueError(f"'{name}' must be a matrix of numbers (got {type(given).__name__} of {array.dtype})")
        given = torch.from_numpy(np.ascontiguousarray(array, array.dtype.newbyteorder("=")))
    if given.layout != torch.strided:
        given = given.to_dense()
    if given.ndim != 2:
        raise ValueError(f"'{name}' must be a matrix with at least one row (got shape {tuple(given.shape)})")
    if given.is_complex():
        raise ValueError(f"'{name}' must be real numbers (got {given.dtype})")
    return given.detach()


def check_similarity(similarity: Any) -> None:
    """Refuse a similarity that is unknown."""
    if similarity not in SIMILARITIES:
        meant = did_you_mean(similarity, SIMILARITIES) if isinstance(similarity, str) else ""
        raise ValueError(f"'similarity' must be one of {', '.join(SIMILARITIES)} (got {similarity!r}){meant}")


def check_comparable(query: Embeddings, database: Embeddings, names: tuple[str, str] = ("query", "database")) -> None:
    """Refuse embeddings of two similarities or two widths."""
    left, right = names
    if query.similarity != database.similarity:
        raise ValueError(
            f"'{right}' must have the similarity of '{left}', {query.similarity!r} (got {database.similarity!r})"
        )
    wide, other = query.vectors.shape[1], database.vectors.shape[1]
    if wide != other:
        raise ValueError(f"'{right}' must have {wide} columns, as the {left} has (got {other})")
    if query.num_labels != database.num_labels:
        raise ValueError(
            f"'{right}' must have {query.num_labels} columns of labels, as '{left}' has (got {database.num_labels})"
        )


def check_finite(name: str, embedding: Tensor) -> None:
    """Refuse embeddings that are not finite, or so long that their products in float32 are not."""
    numbers = embedding.detach() if embedding.is_floating_point() else embedding.float()
    length = torch.linalg.vector_norm(numbers, dim=1, dtype=torch.promote_types(numbers.dtype, torch.float32))
    if (length < LONGEST).all():
        return
    if not torch.isfinite(numbers).all():
        raise ValueError(f"'{name}' must be finite (got NaN or infinity)")
    raise ValueError(f"'{name}' must have rows no longer than {LONGEST:g} (got {length.max().item():.3g})")


def _check_rows(name: str, vectors: Tensor) -> None:
    if len(vectors) == 0:
        raise ValueError(f"'{name}' must be a matrix with at least one row (got shape {tuple(vectors.shape)})")


def _check_vectors(name: str, vectors: Tensor, similarity: str, num_labels: int | None) -> int | None:
    """Refuse vectors that a similarity cannot compare; give the number of columns that are labels."""
    if vectors.shape[1] == 0:
        raise ValueError(f"'{name}' must have at least one column (got shape {tuple(vectors.shape)})")
    if similarity == "hamming" and vectors.dtype != torch.uint8:
        raise ValueError(f"'{name}' must be codes of 'pack_bits', uint8, for 'hamming' (got {vectors.dtype})")
    if similarity != "hamming":
        check_finite(name, vectors)
    if similarity == "jaccard":
        return _check_probabilities(name, vectors, num_labels)
    if num_labels is not None:
        raise ValueError(f"'num_labels' must be left out for {similarity!r} (got {num_labels})")
    return None


def _check_probabilities(name: str, vectors: Tensor, num_labels: int | None) -> int:
    num_labels = vectors.shape[1] if num_labels is None else num_labels
    if not isinstance(num_labels, int) or not 1 <= num_labels <= vectors.shape[1]:
        raise ValueError(f"'num_labels' must be from 1 to {vectors.shape[1]}, the columns (got {num_labels!r})")
    labels = vectors[:, :num_labels]
    if labels.numel() and not (labels.min() >= 0 and labels.max() <= 1):
        raise ValueError(
            f"'{name}' must have probabilities in [0, 1] in its first {num_labels} columns, for 'jaccard' "
            f"(got {labels.min().item():g} to {labels.max().item():g})"
        )
    return num_labels


def unit_length(vectors: Tensor) -> Tensor:
    """Rows of length 1, however short they were; rows of zeros stay zeros.

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


def score_blocks(
    query: Embeddings, database: Embeddings, block_size: int | None = None, among: slice | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Exact scores of queries against a database, block by block; the more alike, the higher.

    Computed in the wider of the two precisions, but at least in float32.

    Args:
        query: Q embeddings.
        database: N embeddings of the same kind.
        block_size: Queries in a block; by default as many as keep a block within 8 million scores.
        among: The queries to score; by default all.

    Yields:
        The queries of a block and their scores, float32, (b, N), in memory that the next block uses again.

    Raises:
        ValueError: If the embeddings are of two kinds.

    Example:
        >>> import torch
        >>> from labelgraph._core.similarity import Embeddings, score_blocks
        >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
        >>> [scores for _, scores in score_blocks(Embeddings(p, "jaccard"), Embeddings(q, "jaccard"))]
        [tensor([[0.3333, 0.0000]])]
    """
    check_comparable(query, database)
    similarity = SIMILARITIES[query.similarity]
    dtype = torch.promote_types(torch.promote_types(query.vectors.dtype, database.vectors.dtype), torch.float32)
    asked, held = (similarity.prepare(side, dtype) for side in (query, database))
    size = block_size or max(1, BLOCK_SCORES // max(1, len(database)))
    first, stop, _ = (among or slice(None)).indices(len(query))
    # Kept from block to block: new memory would be faulted in page by page each time.
    buffer = asked[0].new_empty(min(size, max(0, stop - first)), len(database))
    for start in range(first, stop, size):
        rows = slice(start, min(start + size, stop))
        part = [side[rows] for side in asked]
        yield rows, similarity.score(part, held, buffer[: len(part[0])]).float()
