"""Evaluation of short queries: a single label, or a single typed word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.array_kinds import as_sparse, plain_array
from labelgraph._core.embeddings import Vectors, as_embeddings, as_matrix
from labelgraph._core.multi_hot import label_sums
from labelgraph._core.names import check_name
from labelgraph.data import COUNT_BINS, CrossModalData, count_bins
from labelgraph.data.pairs import check_pairs
from labelgraph.inference import encode_labels, encode_side
from labelgraph.methods import Method
from labelgraph.metrics.compute import query_metrics
from labelgraph.metrics.protocols import PROTOCOLS, Encoder, check_encoder
from labelgraph.metrics.sparse_labels import SparseLabels

LEAST_TEXTS = 3
MOST_QUERIES = 2000  # Of one kind; of more labels or words, a random sample is searched for.
SAMPLE_SEED = 0
TEXT_ROWS = 2**14  # Number of dense texts read at a time.


@dataclass(frozen=True)
class QueryReport:
    """Results of queries of one kind; queries without a relevant item do not count.

    Args:
        precision: Mean precision among the first 10 items, or the first R if only R < 10 items are relevant.
        average_precision: Mean average precision over the full ranking.
        num_queries: Number of queries that count.
        per_query: Average precision of each query in the given order; NaN if the query does not count.
        by_count: Mean average precision by the number of training items of the label, such as ``"3-5"``.
    """

    precision: float
    average_precision: float
    num_queries: int
    per_query: list[float]
    by_count: Mapping[str, float] = field(default_factory=dict)


def label_query_precision(
    queries: Vectors,
    database: Vectors,
    database_labels: Any,
    counts: Sequence[int] | Tensor | None = None,
    *,
    at: int = 10,
    similarity: str | None = None,
) -> QueryReport:
    """Evaluate a search for each single label; the pictures with the label are relevant.

    Args:
        queries: Embeddings of the labels, (C, H), see `encode_labels`.
        database: Embeddings of the pictures, (N, H).
        database_labels: Multi-hot labels, dense or sparse, (N, C).
        counts: Number of training items of each label, (C,).
        at: Cut-off of the precision.
        similarity: Similarity of plain matrices, see `Embeddings`.

    Raises:
        ValueError: If shapes do not match, or no picture has a label.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import label_query_precision
        >>> report = label_query_precision(torch.eye(2), torch.eye(2)[[0, 0, 1]], torch.eye(2)[[0, 1, 1]], [1, 4])
        >>> report.precision, report.by_count
        (0.75, {'1-2': 1.0, '3-5': 0.8333333333333333})
    """
    sparse = SparseLabels.read("database_labels", database_labels, multi_hot=True)
    relevant = as_matrix("database_labels", database_labels).t() > 0 if sparse is None else sparse.matrix.T.tocsr()
    report = _measured(queries, database, relevant, at, similarity)
    if counts is None:
        return report
    numbers = torch.from_numpy(plain_array("counts", counts))
    if tuple(numbers.shape) != relevant.shape[:1]:
        raise ValueError(f"'counts' must have {relevant.shape[0]} entries, one per label (got {tuple(numbers.shape)})")
    values = torch.tensor(report.per_query, dtype=torch.float64)
    bins = count_bins(numbers.cpu())
    inside = {name: torch.from_numpy(bins == name) & ~values.isnan() for name in COUNT_BINS}
    by_count = {name: values[mask].mean().item() for name, mask in inside.items() if mask.any()}
    return QueryReport(report.precision, report.average_precision, report.num_queries, report.per_query, by_count)


def typed_word_precision(
    queries: Vectors, database: Vectors, words: Any, *, at: int = 10, similarity: str | None = None
) -> QueryReport:
    """Evaluate a search for each single word; the pictures with the word in their own text are relevant.

    Args:
        queries: Embeddings of the words, (W, H).
        database: Embeddings of the pictures, (N, H).
        words: Whether the own text of a picture has the word, 0 or 1, dense or sparse, (W, N).
        at: Cut-off of the precision. If fewer pictures have the word, their number is the cut-off.
        similarity: Similarity of plain matrices, see `Embeddings`.

    Raises:
        ValueError: If shapes do not match, or no text has any of the words.

    Example:
        >>> import torch
        >>> from labelgraph.metrics import typed_word_precision
        >>> typed_word_precision(torch.eye(2), torch.eye(2), [[1, 0], [1, 0]]).precision
        0.5
    """
    has = (words > 0).tocsr() if sp.issparse(words) else as_matrix("words", words) > 0
    return _measured(queries, database, has, at, similarity)


def evaluate_short_queries(
    method: Method | Encoder,
    data: CrossModalData,
    protocol: str = "query-vs-database",
    label_queries: Vectors | None = None,
    counts: Sequence[int] | Tensor | None = None,
) -> dict[str, QueryReport]:
    """Evaluate searches for single labels and single words in a gallery of pictures.

    Args:
        method: A method, or a function that returns the image and the text embeddings of some pairs.
        data: Data with the splits of the protocol.
        protocol: Key of ``PROTOCOLS``; its second split is the gallery.
        label_queries: Embeddings of the labels, (C, H), if ``method`` is a function; a method embeds the labels.
        counts: Number of training items of each label, (C,). Defaults to the counts in the split ``train``, if there is
            one.

    Returns:
        Reports by kind of query. ``"labels"``: all labels, if the method embeds labels (`encode_labels`) or
        ``label_queries`` are given. ``"words"``: all words in at least 3 texts of the gallery, if the text features are
        bags of words. If more than 2,000 labels are in the gallery, or more than 2,000 words, a random sample of 2,000
        with a fixed seed is searched for.

    Raises:
        ValueError: If the protocol is unknown, or the data lack a split of the protocol.
    """
    check_encoder("method", method)
    check_pairs("data", data)
    check_name("protocol", protocol, PROTOCOLS)
    rows = data.rows(PROTOCOLS[protocol][1])
    rows = rows[data.present[rows].all(1)]
    if isinstance(method, Method):
        pictures: Vectors = encode_side(method, "image", data, rows=rows)
        labels: Vectors | None = encode_labels(method)
    else:
        pictures, labels = method(data.select(rows))[0], label_queries
    reports = {}
    if labels is not None:
        if counts is None and "train" in data.splits:
            counts = label_sums(data.label_rows(data.rows("train"), dense=False))
        held = _sampled_labels(data.label_rows(rows, dense=False))
        reports["labels"] = label_query_precision(labels, pictures, held, counts)
    if sp.issparse(data.text) or data.encoders.get("text", {}).get("encoder") == "bag-of-words":
        words = _bags(data, rows).T.tocsr()
        typed = _sample(np.flatnonzero(np.diff(words.indptr) >= LEAST_TEXTS))
        if len(typed):
            one_word = sp.csr_array(sp.eye_array(words.shape[0], format="csr", dtype=np.float32)[typed])
            queries = _encode_words(method, data, one_word)
            reports["words"] = typed_word_precision(queries, pictures, words[typed])
    return reports


def _sample(numbers: np.ndarray) -> np.ndarray:
    """Draw `MOST_QUERIES` of some label or word numbers, in ascending order; fewer numbers are all kept."""
    if len(numbers) <= MOST_QUERIES:
        return numbers
    return np.sort(np.random.default_rng(SAMPLE_SEED).choice(numbers, MOST_QUERIES, replace=False))


def _sampled_labels(held: Tensor) -> Any:
    """Leave out the labels that are not searched for, if they are many; a label without items is no query."""
    if held.layout == torch.strided:
        return held
    matrix = as_sparse("labels", held)
    sizes = np.bincount(matrix.indices, minlength=matrix.shape[1])
    kept = np.isin(np.arange(len(sizes)), _sample(np.flatnonzero(sizes)))
    return sp.csr_array(matrix @ sp.diags_array(kept.astype(np.float32)))


def _encode_words(method: Method | Encoder, data: CrossModalData, one_word: sp.csr_array) -> Vectors:
    """Embed texts of a single word; a function also takes images, and receives zeros."""
    if isinstance(method, Method):
        return encode_side(method, "text", one_word)
    image = torch.zeros(one_word.shape[0], data.image_channels)
    labels = sp.csr_array((len(image), data.num_labels))
    return method(CrossModalData(image, one_word, labels, data.label_names, encoders=data.encoders))[1]


def _bags(data: CrossModalData, rows: Tensor) -> sp.csr_array:
    """Return the words of each text, 0 or 1, (N, V)."""
    if isinstance(data.text, Tensor):  # May be a mapped file that is larger than memory.
        parts = [sp.csr_array(data.text_rows(part).numpy() > 0) for part in rows.split(TEXT_ROWS)]
        return sp.csr_array(sp.vstack(parts, format="csr", dtype=np.float32))
    bags = sp.csr_array(data.text[rows.numpy()])
    bags.data = (bags.data > 0).astype(np.float32)
    bags.eliminate_zeros()
    return bags


def _measured(queries: Vectors, database: Vectors, relevant: Any, at: int, similarity: str | None) -> QueryReport:
    """Measure queries, (K, H), from the relevance of the items, (K, N): a dense matrix or a CSR array."""
    measure = partial(query_metrics, metrics=["map", f"precision@min({at},R)", "relevant"], similarity=similarity)
    if sp.issparse(relevant):
        average, precision, number = _of_sparse(measure, queries, database, relevant, similarity)
    else:
        average, precision, number = measure(queries, database, relevance=relevant).values()
    asked = number > 0
    if not asked.any():
        raise ValueError("at least one query must have a relevant item (got none)")
    return QueryReport(
        precision=precision[asked].mean().item(),
        average_precision=average[asked].mean().item(),
        num_queries=int(asked.sum()),
        per_query=torch.where(asked, average, torch.nan).tolist(),
    )


def _of_sparse(
    measure: Callable[..., Mapping[str, Tensor]],
    queries: Vectors,
    database: Vectors,
    relevant: sp.csr_array,
    similarity: str | None,
) -> Tensor:
    """Measure only the queries that have a relevant item; the values of the others are 0, (3, K)."""
    asks = as_embeddings("queries", queries, similarity)
    if len(asks) != relevant.shape[0]:
        raise ValueError(f"'queries' must have {relevant.shape[0]} rows, one per query (got {len(asks)})")
    asked = np.flatnonzero(np.diff(relevant.indptr))
    values = torch.zeros(3, len(asks), dtype=torch.float64)
    if len(asked):
        # The query of a label has this label alone.
        own = SparseLabels(sp.csr_array(sp.eye_array(len(asked), format="csr")))
        given = {"query_labels": own, "database_labels": SparseLabels(relevant[asked].T.tocsr())}
        by_metric = measure(asks[torch.from_numpy(asked)], database, **given)
        values[:, asked] = torch.stack([*by_metric.values()]).cpu()
    return values
