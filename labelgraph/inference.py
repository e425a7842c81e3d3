"""One encoder for training, evaluation and search: features to embeddings, codes or label scores, without Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from labelgraph._core.checks import check_features
from labelgraph._core.names import SIDES, check_name
from labelgraph._core.packed_bits import pack_bits
from labelgraph._core.similarity import Embeddings, as_embeddings
from labelgraph.data import CrossModalData, csr_tensor
from labelgraph.methods import Method
from labelgraph.probability import Calibration, relevance_features

Progress = Callable[[int], object]


def encode(
    method: Method,
    data: CrossModalData,
    batch_size: int = 4096,
    progress: Progress | None = None,
    rows: Tensor | None = None,
) -> tuple[Embeddings, Embeddings]:
    """Embed the images and the texts of a data set, batch by batch.

    Args:
        method: A method; it runs in evaluation mode, on the device and in the precision of its parameters.
        data: Pairs; the features of a missing side are zeros.
        batch_size: Number of items embedded at a time; of a memory-mapped matrix no more is copied.
        progress: Called after each batch with its size; images and texts count one each.
        rows: Row numbers, int64, (n,), which need no copy of the data; by default all items.

    Returns:
        Embeddings of the images and of the texts, on the CPU.

    Raises:
        ValueError: If the method takes features of another width.

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
    image, text = (encode_side(method, side, data, batch_size, rows, progress) for side in SIDES)
    return image, text


def encode_side(
    method: Method,
    side: str,
    features: Any,
    batch_size: int = 4096,
    rows: Tensor | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Embed images or texts, batch by batch.

    Args:
        method: See `encode`.
        side: ``"image"`` or ``"text"``.
        features: A matrix of NumPy, SciPy or torch, shape (N, D), or one vector (D,); or a `CrossModalData`, whose
            features were checked when it was made.
        batch_size: See `encode`.
        rows: See `encode`.
        progress: See `encode`.

    Returns:
        Embeddings with the method's similarity, on the CPU: (N, H), or packed codes (N, ceil(bits / 8)).

    Raises:
        ValueError: If the side is unknown, the features are not finite numbers, or not as many as the method takes;
            or the method gives embeddings that are not finite.
    """
    batches = _batches(method, side, features, batch_size, rows, progress)
    return Embeddings.cat([encode_batch(method, side, batch).to("cpu") for batch in batches])


@torch.no_grad()
def encode_batch(method: Method, side: str, features: Tensor) -> Embeddings:
    """Embed one batch in the mode that the method is in; codes come packed.

    Args:
        method: See `encode`.
        side: ``"image"`` or ``"text"``.
        features: Shape (B, D), on the method's device, dense or sparse CSR.
    """
    if side == "image":
        vectors = method.encode_image(features.to_dense())
    else:
        vectors = method.encode_text(method.as_taken(features))
    return _carry(method, f"{side} embeddings", vectors)


@torch.no_grad()
def encode_labels(method: Method) -> Embeddings | None:
    """Embed each label alone as a query, (C, H), on the CPU; none if the method does not embed labels."""
    vectors = method.label_queries()
    return None if vectors is None else _carry(method, "label embeddings", vectors).to("cpu")


def _carry(method: Method, name: str, vectors: Tensor) -> Embeddings:
    """Embeddings with the similarity of the method; codes come packed."""
    vectors = pack_bits(vectors) if method.similarity == "hamming" else _at_least_float32(vectors)
    return as_embeddings(name, vectors, method.similarity, method.similarity_labels)


def label_scores(method: Method, data: CrossModalData, batch_size: int = 4096) -> dict[str, Tensor]:
    """Score every label for the images and the texts of a data set, batch by batch.

    Returns:
        By side, ``"image"`` and ``"text"``: shape (N, C), on the CPU.

    Raises:
        ValueError: If the method knows no labels.
    """
    return {side: _label_scores(method, side, data, batch_size) for side in SIDES}


def _label_scores(
    method: Method, side: str, data: CrossModalData, batch_size: int = 4096, rows: Tensor | None = None
) -> Tensor:
    batches = _batches(method, side, data, batch_size, rows, None)
    with torch.no_grad():  # Not inference mode: calibrations are fitted to these by gradients.
        return torch.cat([_at_least_float32(method.label_scores(side, batch)).cpu() for batch in batches])


def label_probabilities(
    method: Method,
    data: CrossModalData,
    calibrations: Mapping[str, Calibration] | None = None,
    batch_size: int = 4096,
) -> dict[str, Tensor]:
    """Calibrated probabilities of every label for the images and the texts of a data set.

    Args:
        method: A method that scores labels.
        data: Pairs.
        calibrations: By side, see `fit_calibrations`; by default the method's own, which not every method has.
        batch_size: See `encode`.

    Returns:
        By side, ``"image"`` and ``"text"``: in [0, 1], shape (N, C), on the CPU.

    Raises:
        ValueError: If the method knows no labels, or has no calibrations of its own and none are given.
    """
    if calibrations is None:
        calibrations = getattr(method, "calibrations", None)
        if calibrations is None:
            raise ValueError(f"'calibrations' must be given for {method.name!r}, which has none (got none)")
    scores = label_scores(method, data, batch_size)
    with torch.no_grad():
        return {side: calibrations[side].cpu()(scores[side]).sigmoid() for side in SIDES}


def _batches(
    method: Method, side: str, features: Any, batch_size: int, rows: Tensor | None, progress: Progress | None
) -> Iterator[Tensor]:
    """Features as the method takes them: on its device, in its precision; it is in evaluation mode meanwhile."""
    matrix = _checked(method, side, features)
    if batch_size < 1:
        raise ValueError(f"'batch_size' must be at least 1 (got {batch_size})")
    like = next(method.parameters())
    training = [module for module in method.modules() if module.training]
    method.eval()
    try:
        for part in (torch.arange(matrix.shape[0]) if rows is None else rows).split(batch_size):
            batch = matrix[part] if isinstance(matrix, Tensor) else csr_tensor(matrix[part.numpy()])
            yield batch.to(like.device, like.dtype)
            if progress is not None:
                progress(len(part))
    finally:
        for module in training:
            module.training = True


def _checked(method: Method, side: str, features: Any) -> Tensor | sp.csr_array:
    """Features of one side, checked here unless a data set did when it was made."""
    check_name("side", side, SIDES)
    if isinstance(features, CrossModalData):
        matrix = getattr(features, side)
    else:
        if isinstance(features, Tensor | np.ndarray | list) and np.ndim(features) == 1:
            features = torch.as_tensor(features).unsqueeze(0)
        matrix = check_features(side, features)
    wanted = matrix.shape[1] if method._channels is None else method._channels[SIDES.index(side)]
    if matrix.shape[1] != wanted:
        raise ValueError(f"'{side}' must have {wanted} features, as the method takes (got {matrix.shape[1]})")
    return matrix


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def held_out_scores(method: Method, data: CrossModalData) -> dict[str, tuple[Tensor, Tensor]]:
    """What `Method.calibrate` takes: label scores and labels by side, of the items that have it, if any do."""
    rows = {side: has.nonzero().flatten() for side, has in zip(SIDES, data.present.t(), strict=True)}
    return {
        side: (_label_scores(method, side, data, rows=has), data.labels[has]) for side, has in rows.items() if len(has)
    }


def fit_calibrations(
    method: Method, held_out: CrossModalData, kind: str = "platt", shrinkage: float = 1000.0
) -> dict[str, Calibration]:
    """Calibrate the label scores of a method, which itself stays as it is.

    Args:
        method: Trained.
        held_out: Items that it was not trained on.
        kind: Of `Calibration.fit`.
        shrinkage: See there.

    Returns:
        A calibration for each side that the items have.

    Raises:
        ValueError: If the method knows no labels.
    """
    return {
        side: Calibration(scores.shape[1]).fit(scores, labels, kind, shrinkage)
        for side, (scores, labels) in held_out_scores(method, held_out).items()
    }


# What items are compared by, from their label probabilities.
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
    """Let any method that scores labels rank by its calibrated label probabilities.

    Args:
        method: Trained.
        held_out: Items that it was not trained on, to calibrate its scores.
        score: ``"expected_relevance"``: the probability of sharing a label, see `relevance_features`;
            ``"expected_shared"``: the expected number of shared labels; ``"expected_jaccard"``: the expected Jaccard
            coefficient of the label sets; ``"expected_cosine"``: the cosine of the probabilities.
        kind: Of `Calibration.fit`.
        shrinkage: See there.

    Returns:
        A function from pairs to the embeddings of images and texts, which carry their similarity.

    Raises:
        ValueError: If the score is unknown, or the method knows no labels.
    """
    check_name("score", score, EXPECTED_SCORES)
    calibrations = fit_calibrations(method, held_out, kind, shrinkage)

    def encode(pairs: CrossModalData) -> tuple[Embeddings, Embeddings]:
        probabilities = label_probabilities(method, pairs, calibrations)
        image, text = (EXPECTED_SCORES[score](probabilities[side]) for side in SIDES)
        return image, text

    return encode
