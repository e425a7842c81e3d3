"""Encoding for training, evaluation and search: from features to embeddings, codes or label scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.array_kinds import plain_array
from labelgraph._core.checked_config import PositiveInt, check_value
from labelgraph._core.checks import check_features
from labelgraph._core.embeddings import Embeddings, as_embeddings
from labelgraph._core.multi_hot import DENSE_LABELS
from labelgraph._core.names import SIDES, check_name
from labelgraph._core.packed_bits import NonFiniteError, pack_bits
from labelgraph._core.similarity import SPARSE
from labelgraph._core.sparse_rows import pack_rows, split_rows, top_rows
from labelgraph.data import CrossModalData, csr_tensor
from labelgraph.data.pairs import check_pairs
from labelgraph.losses import draw_labels
from labelgraph.methods import Method
from labelgraph.probability import Calibration, relevance_features

Progress = Callable[[int], object]

BATCH = 4096
# With many labels, the items of a batch share products with classifiers. Wide features have smaller batches.
LARGE_BATCHES = 2**14, 2**16
LARGE_BATCH_NUMBERS = 2**26


def encode(
    method: Method,
    data: CrossModalData,
    batch_size: int | None = None,
    progress: Progress | None = None,
    rows: Tensor | None = None,
) -> tuple[Embeddings, Embeddings]:
    """Embed the images and the texts of a data set, batch by batch.

    Args:
        method: A method; it runs in evaluation mode, on the device and in the precision of its parameters.
        data: Pairs of images and texts; the features of a missing side are zeros.
        batch_size: Number of items embedded at a time; a memory-mapped matrix is copied batch by batch. By default
            4,096, or of a method of many labels 65,536, down to 16,384 if the features are wide.
        progress: Function called with the size of each finished batch; images and texts count separately.
        rows: Row numbers of the items, int64, (n,); defaults to all items. The data are not copied.

    Returns:
        Embeddings of the images and of the texts, on the CPU.

    Raises:
        ValueError: If the number of features differs from the number that the method takes.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> from labelgraph.inference import encode
        >>> from labelgraph.methods import AGAHConfig, build_method
        >>> data = CrossModalData(torch.eye(3, 6), torch.eye(3, 5), torch.eye(3))
        >>> config = AGAHConfig(bits=16, hidden_channels=8, graph_channels=(8, 8))
        >>> encode(build_method("agah", 6, 5, config=config), data)
        (Embeddings(3 x 2, hamming), Embeddings(3 x 2, hamming))
    """
    check_pairs("data", data)
    image, text = (encode_side(method, side, data, batch_size, rows, progress) for side in SIDES)
    return image, text


def encode_side(
    method: Method,
    side: str,
    features: Any,
    batch_size: int | None = None,
    rows: Tensor | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed images or texts, batch by batch.

    Args:
        method: See `encode`.
        side: ``"image"`` or ``"text"``.
        features: A matrix of NumPy, SciPy or torch, shape (N, D), or one vector (D,). Or a `CrossModalData`, whose
            features were checked when it was created.
        batch_size: See `encode`.
        rows: See `encode`.
        progress: See `encode`.

    Returns:
        Embeddings with the method's similarity, on the CPU: (N, H), or packed codes (N, ceil(bits / 8)).

    Raises:
        ValueError: If the side is unknown, the features are not finite or do not have the method's width, or the
            method returns embeddings that are not finite.
    """
    rows = None if rows is None else _as_rows(rows)
    if rows is not None and not len(rows):
        raise ValueError("'rows' must have at least one row number (got none)")
    size = len(rows) if rows is not None else len(features) if isinstance(features, CrossModalData) else None
    batches = feature_batches(method, side, features, batch_size, rows, progress)
    return Embeddings.collect((encode_batch(method, side, batch).to("cpu") for batch in batches), size)


@torch.no_grad()
def encode_batch(method: Method, side: str, features: Tensor) -> Embeddings:
    """Embed one batch in the current mode of the method; codes are packed.

    Args:
        method: See `encode`.
        side: ``"image"`` or ``"text"``.
        features: Features, shape (B, D), on the method's device, dense or sparse CSR.
    """
    if side == "image":
        vectors = method.encode_image(features.to_dense())
    else:
        vectors = method.encode_text(method.as_taken(features))
    return _carry(method, f"{side} embeddings", vectors)


@torch.no_grad()
def encode_labels(method: Method) -> Embeddings | None:
    """Embed each single label as a query, (C, H), on the CPU; return None if the method does not embed labels."""
    vectors = method.label_queries()
    return None if vectors is None else _carry(method, "label embeddings", vectors).to("cpu")


def _carry(method: Method, name: str, vectors: Tensor) -> Embeddings:
    """Return embeddings with the similarity of the method; codes are packed.

    Raises:
        NonFiniteError: If they are not finite; the message names the folder that the method was loaded from.
    """
    try:
        if method.similarity in SPARSE:
            vectors = vectors.cpu()  # As inverted lists are.
        vectors = pack_bits(vectors) if method.similarity == "hamming" else _at_least_float32(vectors)
        return as_embeddings(name, vectors, method.similarity, method.similarity_labels)
    except NonFiniteError as error:
        if method._source is None:
            raise
        raise NonFiniteError(f"{method._source}: {error}") from error


def label_scores(method: Method, data: CrossModalData, batch_size: int | None = None) -> dict[str, Tensor]:
    """Score every label for the images and the texts of a data set, batch by batch.

    Returns:
        Scores by side, ``"image"`` and ``"text"``: shape (N, C), on the CPU.

    Raises:
        ValueError: If the method does not score labels.
    """
    return {side: _label_scores(method, side, data, batch_size) for side in SIDES}


KEPT_LABELS = 32  # Of many labels, those with the highest scores for an item.
BLOCK_SCORES = 2**24  # Scores of all labels in memory at a time, 64 MiB.


def highest_label_scores(method: Method, data: CrossModalData) -> dict[str, sp.csr_array]:
    """Score many labels for images and texts, and keep the 32 highest scores of each item.

    Args:
        method: A method with the labels of the data, and possibly others after them, which are left out.
        data: Items to score.

    Returns:
        CSR arrays by side, (N, C). A constant is added to the scores of a side, so that the lowest one is 1, and all
        rank before the labels that are not kept.

    Raises:
        ValueError: If the data have more labels than the method.
    """
    matrices = {}
    for side in SIDES:
        rows = _by_batch(
            method, side, data, BLOCK_SCORES // data.num_labels + 1, partial(_highest, method, data.num_labels)
        )
        matrix = _csr_rows(rows, data.num_labels)
        matrix.data += 1 - matrix.data.min(initial=1)
        matrices[side] = matrix
    return matrices


def _highest(method: Method, num_labels: int, side: str, features: Tensor) -> Tensor:
    scores: Tensor = method.label_scores(side, features)
    if scores.shape[1] < num_labels:
        raise ValueError(f"'data' must have at most the {scores.shape[1]:,} labels of the method (got {num_labels:,})")
    return pack_rows(*top_rows(scores[:, :num_labels], KEPT_LABELS))


def _label_scores(
    method: Method, side: str, data: CrossModalData, batch_size: int | None = None, rows: Tensor | None = None
) -> Tensor:
    # Not the larger batches of many labels, because these are the scores of all.
    return _by_batch(method, side, data, BATCH if batch_size is None else batch_size, method.label_scores, rows)


def _by_batch(
    method: Method,
    side: str,
    data: CrossModalData,
    batch_size: int | None,
    compute: Callable[[str, Tensor], Tensor],
    rows: Tensor | None = None,
) -> Tensor:
    check_pairs("data", data)
    batches = feature_batches(method, side, data, batch_size, rows, None)
    with torch.no_grad():  # Not inference mode, because calibrations are fitted to the scores by gradients.
        return torch.cat([_at_least_float32(compute(side, batch)).cpu() for batch in batches])


def label_probabilities(
    method: Method,
    data: CrossModalData,
    calibrations: Mapping[str, Calibration] | None = None,
    batch_size: int | None = None,
) -> dict[str, Any]:
    """Compute calibrated probabilities of every label for the images and the texts of a data set.

    Args:
        method: A method that scores labels.
        data: Pairs of images and texts.
        calibrations: Calibrations by side, see `fit_calibrations`; defaults to the calibrations of the method.
        batch_size: See `encode`.

    Returns:
        Probabilities by side, ``"image"`` and ``"text"``: in [0, 1], shape (N, C), on the CPU. A method that takes
        sparse labels gives CSR arrays of the most probable labels.

    Raises:
        ValueError: If the method does not score labels, or has no calibrations and none are given.
    """
    most_probable = getattr(method, "most_probable_labels", None)
    if calibrations is None and method.takes_sparse_labels and most_probable is not None:
        return {side: _most_probable(method, side, data, batch_size) for side in SIDES}
    if calibrations is None:
        probabilities = getattr(method, "label_probabilities", None)
        if probabilities is None:
            raise ValueError(f"'calibrations' must be given for {method.name!r}, which has none (got none)")
        return {side: _by_batch(method, side, data, batch_size, probabilities) for side in SIDES}
    check_kind("calibrations", calibrations, Mapping, "a mapping of calibrations by side")
    scores = label_scores(method, data, batch_size)
    with torch.no_grad():
        return {side: calibrations[side].cpu()(scores[side]).sigmoid() for side in SIDES}


def _most_probable(method: Method, side: str, data: CrossModalData, batch_size: int | None) -> sp.csr_array:
    some: Any = method
    rows = _by_batch(method, side, data, batch_size, lambda *batch: pack_rows(*some.most_probable_labels(*batch)))
    return _csr_rows(rows, some.classifier.out_features)


def _csr_rows(rows: Tensor, num_labels: int) -> sp.csr_array:
    """Convert rows of `pack_rows`, labels and then their values, to a CSR array."""
    kept = rows.shape[1] // 2
    labels, values, _ = split_rows(rows, kept)
    parts = values.flatten().numpy(), labels.flatten().numpy(), np.arange(0, labels.numel() + 1, kept)
    return sp.csr_array(parts, shape=(len(rows), num_labels))


def feature_batches(
    method: Method, side: str, features: Any, batch_size: int | None, rows: Tensor | None, progress: Progress | None
) -> Iterator[Tensor]:
    """Yield features on the device and in the precision of the method, which is in evaluation mode meanwhile."""
    check_kind("method", method, Method, "a method, such as build_method returns")
    matrix = _checked(method, side, features)
    size = _batch_size(method, matrix.shape[1]) if batch_size is None else batch_size
    check_value("batch_size", size, PositiveInt)
    chosen = torch.arange(matrix.shape[0]) if rows is None else _as_rows(rows)
    like = next(method.parameters())
    training = [module for module in method.modules() if module.training]
    method.eval()
    try:
        for part in chosen.split(size):
            batch = matrix[part] if isinstance(matrix, Tensor) else csr_tensor(matrix[part.numpy()])
            yield batch.to(like.device, like.dtype)
            if progress is not None:
                progress(len(part))
    finally:
        for module in training:
            module.training = True


def _batch_size(method: Method, channels: int) -> int:
    if not method.takes_sparse_labels:
        return BATCH
    least, most = LARGE_BATCHES
    return min(most, max(least, LARGE_BATCH_NUMBERS // channels))


def _as_rows(rows: Any) -> Tensor:
    given = rows if isinstance(rows, Tensor) else torch.from_numpy(plain_array("rows", rows))
    if given.ndim != 1 or given.is_floating_point() or given.dtype == torch.bool:
        raise ValueError(f"'rows' must be a vector of row numbers (got {given.dtype}, {tuple(given.shape)})")
    return given


def _checked(method: Method, side: str, features: Any) -> Tensor | sp.csr_array:
    """Return the checked features of one side; a data set has checked its features already."""
    check_name("side", side, SIDES)
    if isinstance(features, CrossModalData):
        matrix = getattr(features, side)
    else:
        if isinstance(features, Tensor | np.ndarray | list) and np.ndim(features) == 1:
            features = features[None] if not isinstance(features, list) else [features]
        matrix = check_features(side, features)
    wanted = matrix.shape[1] if method._channels is None else method._channels[SIDES.index(side)]
    if matrix.shape[1] != wanted:
        raise ValueError(f"'{side}' must have {wanted} features, as the method takes (got {matrix.shape[1]})")
    return matrix


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


DRAWN_ITEMS, DRAWN_LABELS = 1024, 4096  # Of the held-out items and labels, where labels are many.
DRAW_SEED = 0


def held_out_scores(method: Method, data: CrossModalData) -> dict[str, tuple[Tensor, ...]]:
    """Return label scores and labels by side, for `Method.calibrate`, of the items that have the side.

    If the method takes sparse labels, they are those of some items and drawn labels, with their weights.
    """
    check_pairs("data", data)
    rows = {side: has.nonzero().flatten() for side, has in zip(SIDES, data.present.t(), strict=True)}
    compute = _drawn_scores if method.takes_sparse_labels else _all_scores
    return {side: compute(method, side, data, has) for side, has in rows.items() if len(has)}


def _all_scores(method: Method, side: str, data: CrossModalData, rows: Tensor) -> tuple[Tensor, ...]:
    return _label_scores(method, side, data, rows=rows), data.label_rows(rows)


def _drawn_scores(method: Method, side: str, data: CrossModalData, rows: Tensor) -> tuple[Tensor, ...]:
    rows = rows[:: math.ceil(len(rows) / DRAWN_ITEMS)]
    with torch.random.fork_rng([]):  # The draw neither depends on earlier random numbers nor changes later ones.
        torch.default_generator.manual_seed(DRAW_SEED)
        drawn = draw_labels(data.label_rows(rows, dense=False), DRAWN_LABELS)
    some_scores: Any = method.label_scores
    compute = partial(some_scores, labels=drawn.labels.to(next(method.parameters()).device))
    return _by_batch(method, side, data, DRAWN_ITEMS, compute, rows), drawn.targets, drawn.weights


def fit_calibrations(
    method: Method, held_out: CrossModalData, kind: str = "platt", shrinkage: float = 1000.0
) -> dict[str, Calibration]:
    """Fit calibrations of the label scores of a method; the method stays unchanged.

    Args:
        method: Trained method.
        held_out: Held-out items, on which the method was not trained.
        kind: Kind of calibration, see `Calibration.fit`.
        shrinkage: Shrinkage, see `Calibration.fit`.

    Returns:
        Calibrations by side, for the sides that the items have.

    Raises:
        ValueError: If the method does not score labels.
    """
    return {
        side: Calibration(1 if weights else scores.shape[1]).fit(scores, labels, kind, shrinkage, *weights)
        for side, (scores, labels, *weights) in held_out_scores(method, held_out).items()
    }


# Embeddings that are computed from label probabilities, by score.
EXPECTED_SCORES: dict[str, Callable[[Tensor], Embeddings]] = {
    "expected_relevance": lambda p: Embeddings(relevance_features(p, 4, 0.95), "dot"),
    "expected_shared": lambda p: Embeddings(p, "dot"),
    "expected_jaccard": lambda p: Embeddings(p, "jaccard"),
    "expected_cosine": lambda p: Embeddings(p, "cosine"),
}


def relevance_encoder(
    method: Method,
    held_out: CrossModalData,
    score: str = "expected_relevance",
    kind: str = "platt",
    shrinkage: float = 1000.0,
) -> Callable[[CrossModalData], tuple[Embeddings, Embeddings]]:
    """Create an encoder that ranks by calibrated label probabilities, for any method that scores labels.

    Args:
        method: Trained method.
        held_out: Held-out items, on which the method was not trained, to calibrate its scores.
        score: ``"expected_relevance"``: the probability of sharing a label, see `relevance_features`;
            ``"expected_shared"``: the expected number of shared labels; ``"expected_jaccard"``: the expected Jaccard
            coefficient of the label sets; ``"expected_cosine"``: the cosine of the probabilities.
        kind: Kind of calibration, see `Calibration.fit`.
        shrinkage: Shrinkage, see `Calibration.fit`.

    Returns:
        Function from pairs to the embeddings of images and texts, which carry their similarity.

    Raises:
        ValueError: If the score is unknown, or the method does not score labels or takes sparse labels.
    """
    check_name("score", score, EXPECTED_SCORES)
    check_kind("method", method, Method, "a method, such as build_method returns")
    if method.takes_sparse_labels:
        raise ValueError(
            f"'method' must have at most {DENSE_LABELS:,} labels for 'relevance_encoder' (got {method.name!r} with "
            "more); use 'encode', whose embeddings rank by probabilities too"
        )
    calibrations = fit_calibrations(method, held_out, kind, shrinkage)

    def encode(pairs: CrossModalData) -> tuple[Embeddings, Embeddings]:
        probabilities = label_probabilities(method, pairs, calibrations)
        image, text = (EXPECTED_SCORES[score](probabilities[side]) for side in SIDES)
        return image, text

    return encode
