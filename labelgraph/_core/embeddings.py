"""Embeddings that carry their similarity, and the scores of queries against a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.array_kinds import plain_array
from labelgraph._core.names import did_you_mean
from labelgraph._core.packed_bits import NonFiniteError
from labelgraph._core.similarity import SIMILARITIES, SPARSE
from labelgraph._core.sparse_rows import MOST_LABELS

LONGEST = 1e19  # The product of two rows of this length fits float32.
BLOCK_SCORES = 2**23  # 32 MiB of scores: enough rows for a fast product, little memory.
CHECKED_NUMBERS = 2**20  # Of the rows that are checked at a time, so that every check finds them in the cache.


@dataclass(frozen=True, eq=False)
class Embeddings:
    r"""Embeddings of images or texts, with their similarity.

    Functions that rank take embeddings, so that codes or inner products are not compared by a wrong default.

    Args:
        vectors: A matrix of torch, NumPy or lists, shape :math:`(N, H)`; for ``"hamming"``, packed codes, uint8.
        similarity: Name in `SIMILARITIES`. For ``"jaccard"``, the first ``num_labels``
            columns are label probabilities :math:`p`. Further columns are pair embeddings :math:`e`, all of the same
            length. Two items score :math:`J = p \cdot q / (|p|_1 + |q|_1 - p \cdot q)`, or 0 if both :math:`p` and
            :math:`q` are 0. With pair embeddings, the score is :math:`(J + \max(0, e \cdot f)^3) / (1 + |e|^6)`, from
            0 to 1.

            ``"sparse-dot"``, ``"sparse-cosine"`` and ``"sparse-jaccard"`` are the same scores from the ``num_labels``
            most probable labels of each item, where labels are many. The first ``num_labels`` columns are label
            numbers, distinct in each row, and the next are their probabilities, 0 in an empty place. Only
            ``"sparse-jaccard"`` may have pair embeddings.
        num_labels: Number of columns that are label probabilities, for ``"jaccard"``; defaults to all columns. Number
            of labels that a row names, for the sparse similarities.

    For the sparse similarities, all other labels count as absent. If :math:`\varepsilon` is the sum of the omitted
    probabilities of both items, inner products are too small by at most :math:`\varepsilon`. The Jaccard coefficient
    changes by at most :math:`\varepsilon / (|p|_1 + |q|_1 - p \cdot q)`, where the denominator is the expected number
    of labels that at least one of the items has. Cosines change by at most :math:`\sqrt 2 (s_p + s_q)`, where
    :math:`s` is the length of the omitted part of a vector divided by the length of the vector.

    Raises:
        ValueError: If the similarity is unknown, or the vectors are not a finite matrix that fits the similarity.

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
        """Select rows by a slice, row numbers or a mask."""
        vectors = self.vectors[[rows] if isinstance(rows, int) else rows]
        return self._with(vectors)

    def to(self, device: torch.device | str) -> Embeddings:
        """Return the same embeddings on another device."""
        return self._with(self.vectors.to(device))

    def parts(self) -> tuple[Tensor, Tensor]:
        """Return the label probabilities (N, C) and the pair embeddings (N, H - C) of ``"jaccard"``."""
        return self.vectors[:, : self.num_labels], self.vectors[:, self.num_labels :]

    @classmethod
    def cat(cls, parts: Sequence[Embeddings]) -> Embeddings:
        """Concatenate the rows of embeddings of one kind.

        Raises:
            ValueError: If ``parts`` is empty, or the similarities, widths or numbers of labels differ.
        """
        if not parts:
            raise ValueError("'parts' must be at least one Embeddings (got none)")
        for other in parts[1:]:
            check_comparable(parts[0], other, ("parts[0]", "parts"))
        return parts[0]._with(torch.cat([part.vectors for part in parts]))

    @classmethod
    def collect(cls, parts: Iterable[Embeddings], size: int | None = None) -> Embeddings:
        """Concatenate parts as `cat` does; if their number of rows is known, only one is held beside the result."""
        if size is None:
            return cls.cat(list(parts))
        rows = EmbeddingRows(size)
        for part in parts:
            rows.add(part)
        return rows.whole()

    def _with(self, vectors: Tensor) -> Embeddings:
        """Return embeddings of the same kind with other vectors, without a second check."""
        return _unchecked(vectors, self.similarity, self.num_labels)


class EmbeddingRows:
    """Embeddings that are filled part by part, so that only one part is in memory beside them.

    Args:
        size: Number of rows of all parts.
    """

    def __init__(self, size: int) -> None:
        self._size, self._start = size, 0
        self._whole: Embeddings | None = None

    def add(self, part: Embeddings) -> None:
        """Add the next rows.

        Raises:
            ValueError: If they are not of the kind of the rows before.
        """
        if self._whole is None:
            whole = len(part) == self._size
            self._whole = part if whole else part._with(part.vectors.new_empty(self._size, part.vectors.shape[1]))
        check_comparable(self._whole, part, ("parts[0]", "parts"))
        rows = slice(self._start, self._start + len(part))
        self._start = rows.stop
        if self._whole is not part and rows.stop <= self._size:
            self._whole.vectors[rows] = part.vectors

    def whole(self) -> Embeddings:
        """Return all rows.

        Raises:
            ValueError: If they are more or fewer than ``size``, or none.
        """
        if self._whole is None or self._start != self._size:
            raise ValueError(f"'parts' must have {self._size} rows in all, and at least one (got {self._start})")
        return self._whole


def _unchecked(vectors: Tensor, similarity: str, num_labels: int | None) -> Embeddings:
    embeddings = object.__new__(Embeddings)
    for name, value in (("vectors", vectors), ("similarity", similarity), ("num_labels", num_labels)):
        object.__setattr__(embeddings, name, value)
    return embeddings


Vectors = Embeddings | Tensor | np.ndarray | Sequence[Any]


def as_embeddings(name: str, values: Any, similarity: str | None = None, num_labels: int | None = None) -> Embeddings:
    """Check embeddings, or convert a plain matrix and its similarity to embeddings.

    Args:
        name: Name of the argument in error messages.
        values: `Embeddings`, or a matrix of torch, NumPy or lists.
        similarity: Similarity of a plain matrix; defaults to cosine, but is required for codes.
        num_labels: Number of label columns of a plain matrix; see `Embeddings`.

    Raises:
        ValueError: If the similarity contradicts the embeddings or is missing for codes, or the matrix is invalid.
    """
    if similarity is not None:
        check_similarity(similarity)
    if isinstance(values, Embeddings):
        if similarity not in (None, values.similarity):
            raise ValueError(
                f"'similarity' must be {values.similarity!r}, as in '{name}', or left out (got {similarity!r})"
            )
        _check_rows(name, values.vectors)
        return values
    vectors = as_matrix(name, values)
    _check_rows(name, vectors)
    if similarity is None and vectors.dtype == torch.uint8:
        raise ValueError(f"'similarity' must be given where '{name}' is uint8; use 'hamming' for packed codes")
    similarity = similarity or "cosine"
    return _unchecked(vectors, similarity, _check_vectors(name, vectors, similarity, num_labels))


def as_matrix(name: str, values: Any) -> Tensor:
    """Convert a matrix of torch, NumPy (any byte order and strides) or lists to a tensor without gradients.

    Raises:
        ValueError: If ``values`` is not a matrix of real numbers, or has masked values.
    """
    if not isinstance(values, Tensor):
        array = plain_array(name, values.toarray() if hasattr(values, "toarray") else values)
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise ValueError(f"'{name}' must be a matrix of numbers (got {type(values).__name__} of {array.dtype})")
        values = torch.from_numpy(np.ascontiguousarray(array))
    if values.layout != torch.strided:
        values = values.to_dense()
    if values.ndim != 2:
        raise ValueError(f"'{name}' must be a matrix with at least one row (got shape {tuple(values.shape)})")
    if values.is_complex():
        raise ValueError(f"'{name}' must be real numbers (got {values.dtype})")
    return values.detach()


def check_similarity(similarity: Any) -> None:
    """Check that a similarity is known."""
    if similarity not in SIMILARITIES:
        meant = did_you_mean(similarity, SIMILARITIES) if isinstance(similarity, str) else ""
        given = ", ".join(name for name in SIMILARITIES if name not in SPARSE)  # Methods set the sparse ones.
        raise ValueError(f"'similarity' must be one of {given} (got {similarity!r}){meant}")


def check_comparable(query: Embeddings, database: Embeddings, names: tuple[str, str] = ("query", "database")) -> None:
    """Check that two embeddings have the same similarity, width and number of label columns."""
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
    """Check that embeddings are finite, and short enough for finite products in float32.

    Raises:
        NonFiniteError: If they are not.
    """
    numbers = embedding.detach() if embedding.is_floating_point() else embedding.float()
    length = torch.linalg.vector_norm(numbers, dim=1, dtype=torch.promote_types(numbers.dtype, torch.float32))
    if (length < LONGEST).all():
        return
    if not torch.isfinite(numbers).all():
        raise NonFiniteError(f"'{name}' must be finite (got NaN or infinity)")
    raise NonFiniteError(f"'{name}' must have rows no longer than {LONGEST:g} (got {length.max().item():.3g})")


def _check_rows(name: str, vectors: Tensor) -> None:
    if len(vectors) == 0:
        raise ValueError(f"'{name}' must be a matrix with at least one row (got shape {tuple(vectors.shape)})")


def _check_vectors(name: str, vectors: Tensor, similarity: str, num_labels: int | None) -> int | None:
    """Check that a similarity can compare the vectors, and return the number of label columns."""
    if vectors.shape[1] == 0:
        raise ValueError(f"'{name}' must have at least one column (got shape {tuple(vectors.shape)})")
    rows = max(1, CHECKED_NUMBERS // vectors.shape[1]) if vectors.device.type == "cpu" else max(1, len(vectors))
    return [_check_block(name, part, similarity, num_labels) for part in vectors.split(rows)][-1]


def _check_block(name: str, vectors: Tensor, similarity: str, num_labels: int | None) -> int | None:
    if similarity == "hamming" and vectors.dtype != torch.uint8:
        raise ValueError(f"'{name}' must be codes of 'pack_bits', uint8, for 'hamming' (got {vectors.dtype})")
    if similarity != "hamming":
        check_finite(name, vectors)
    if similarity == "jaccard":
        return _check_probabilities(name, vectors, num_labels)
    if similarity in SPARSE:
        return _check_sparse(name, vectors, similarity, num_labels)
    if num_labels is not None:
        raise ValueError(f"'num_labels' must be left out for {similarity!r} (got {num_labels})")
    return None


def _check_probabilities(name: str, vectors: Tensor, num_labels: int | None) -> int:
    num_labels = vectors.shape[1] if num_labels is None else num_labels
    if not isinstance(num_labels, int) or not 1 <= num_labels <= vectors.shape[1]:
        raise ValueError(f"'num_labels' must be from 1 to {vectors.shape[1]}, the width (got {num_labels!r})")
    _check_range(name, vectors[:, :num_labels], f"its first {num_labels} columns, for 'jaccard'")
    return num_labels


def _check_range(name: str, labels: Tensor, columns: str) -> None:
    least, most = _ends(labels.contiguous())
    if not (least >= 0 and most <= 1):
        raise ValueError(f"'{name}' must have probabilities in [0, 1] in {columns} (got {least:g} to {most:g})")


def _ends(numbers: Tensor) -> tuple[float, float]:
    """Return the least and the largest number; zeros of none."""
    least, largest = numbers.aminmax() if numbers.numel() else (0.0, 0.0)
    return float(least), float(largest)


def _check_sparse(name: str, vectors: Tensor, similarity: str, num_labels: int | None) -> int:
    """Check rows of label numbers, probabilities, and only for Jaccard further columns."""
    width = vectors.shape[1]
    most = width // 2
    exact = similarity != "sparse-jaccard"
    if not isinstance(num_labels, int) or not 1 <= num_labels <= most or (exact and 2 * num_labels != width):
        wanted = f"{width} / 2" if exact else f"from 1 to {most}"
        raise ValueError(f"'num_labels' must be {wanted} for {similarity!r} and {width} columns (got {num_labels!r})")
    labels = vectors[:, :num_labels].contiguous()  # Each look at a part of the columns takes as long as the copy.
    first, last = _ends(labels)
    if not (first >= 0 and last < MOST_LABELS) or (labels.is_floating_point() and labels.frac().any()):
        raise ValueError(
            f"'{name}' must have label numbers below 2^24 in its first {num_labels} columns, for {similarity!r} "
            f"(got {first:g} to {last:g})"
        )
    if not exact:
        _check_range(name, vectors[:, num_labels : 2 * num_labels], f"its second {num_labels} columns, for Jaccard")
    return num_labels


def score_blocks(
    query: Embeddings,
    database: Embeddings,
    block_size: int | None = None,
    among: slice | None = None,
    held: tuple[Any, ...] | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Compute exact scores of queries against a database, block by block; a higher score is more similar.

    Scores are computed in the wider of the two precisions, and at least in float32.

    Args:
        query: Embeddings of Q queries.
        database: Embeddings of N items, of the same kind.
        block_size: Number of queries per block; by default, a block has at most 8 million scores.
        among: Slice of the queries to score; defaults to all queries.
        held: The result of `Similarity.hold` for the database in the precision of both sides, if it is known.

    Yields:
        The slice of the queries of a block, and their scores, float32, (b, N). The next block reuses this memory.

    Raises:
        ValueError: If the similarities, widths or numbers of labels differ.

    Example:
        >>> import torch
        >>> from labelgraph._core.embeddings import Embeddings, score_blocks
        >>> p, q = torch.tensor([[0.5, 0.5]]), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
        >>> [scores for _, scores in score_blocks(Embeddings(p, "jaccard"), Embeddings(q, "jaccard"))]
        [tensor([[0.3333, 0.0000]])]
    """
    check_comparable(query, database)
    similarity = SIMILARITIES[query.similarity]
    dtype = torch.promote_types(torch.promote_types(query.vectors.dtype, database.vectors.dtype), torch.float32)
    asked, prepared = similarity.prepare(query, dtype), held or similarity.hold(database, dtype)
    size = block_size or max(1, BLOCK_SCORES // max(1, len(database)))
    first, stop, _ = (among or slice(None)).indices(len(query))
    # The buffer is reused for every block, because new memory causes page faults.
    shape = min(size, max(0, stop - first)), len(database)
    buffer = torch.empty(shape, dtype=dtype, device=asked[0].device)
    for start in range(first, stop, size):
        rows = slice(start, min(start + size, stop))
        part = [side[rows] for side in asked]
        yield rows, similarity.score(part, prepared, buffer[: len(part[0])]).float()
