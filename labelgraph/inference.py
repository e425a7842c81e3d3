"""One encoder for training, evaluation and search: features to embeddings, codes or label scores, without Lightning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.checks import check_features
from labelgraph._core.names import SIDES
from labelgraph._core.packed_bits import pack_bits
from labelgraph.data import CrossModalData, csr_tensor
from labelgraph.methods import Method
from labelgraph.probability import Calibration, relevance_features


@torch.inference_mode()
def encode_side(
    method: Method,
    side: str,
    features: Any,
    batch_size: int = 4096,
    rows: Tensor | None = None,
    advance: Callable[[int], object] | None = None,
) -> Tensor:
    """Embed images or texts, batch by batch.

    Args:
        method: In evaluation mode.
        side: ``"image"`` or ``"text"``.
        features: A matrix of NumPy, SciPy or torch, shape (N, D), or one vector (D,).
        batch_size: How many to embed at a time; of a memory-mapped matrix no more is copied.
        rows: Which, int64, (n,); by default all.
        advance: Called after each batch with its size, as a progress bar wants it.

    Returns:
        On the CPU: embeddings (N, H), or for a method of codes the packed codes (N, ceil(bits / 8)).

    Raises:
        ValueError: If the features are not finite numbers, or not as many as the method takes.
    """
    if isinstance(features, Tensor | np.ndarray | list) and np.ndim(features) == 1:
        features = torch.as_tensor(features).unsqueeze(0)
    matrix = check_features(side, features)
    if method._channels is not None and matrix.shape[1] != method._channels[SIDES.index(side)]:
        wanted = method._channels[SIDES.index(side)]
        raise ValueError(f"'{side}' must have {wanted} features, as the method takes (got {matrix.shape[1]})")
    device = next(method.parameters()).device
    blocks = []
    for part in (torch.arange(matrix.shape[0]) if rows is None else rows).split(batch_size):
        batch = matrix[part] if isinstance(matrix, Tensor) else csr_tensor(matrix[part.numpy()])
        embedded = _encode(method, side, batch.to(device))
        blocks.append((pack_bits(embedded) if method.similarity == "hamming" else embedded).cpu())
        if advance is not None:
            advance(len(part))
    return torch.cat(blocks)


def _encode(method: Method, side: str, batch: Tensor) -> Tensor:
    if side == "image":
        return method.encode_image(batch.to_dense())
    return method.encode_text(method.as_taken(batch))


def embed(method: Method, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """Embed a batch of images and one of texts; codes come packed."""
    embeddings = method.encode_image(image), method.encode_text(method.as_taken(text))
    if method.similarity == "hamming":
        return pack_bits(embeddings[0]), pack_bits(embeddings[1])
    return embeddings


@torch.inference_mode()
def encode(method: Method, data: CrossModalData, batch_size: int = 4096) -> tuple[Tensor, Tensor]:
    """Embed the images and the texts of a data set, block by block.

    Returns:
        Two tensors on the CPU: embeddings (N, H), or for a method whose ``similarity`` is ``hamming``
        the packed codes (N, ceil(bits / 8)).
    """
    device = next(method.parameters()).device
    blocks = []
    for start in range(0, len(data), batch_size):
        rows = slice(start, start + batch_size)
        image, text = embed(method, data.image[rows].to(device), data.text_rows(rows, dense=False).to(device))
        blocks.append((image.cpu(), text.cpu()))
    images, texts = zip(*blocks, strict=True)
    return torch.cat(images), torch.cat(texts)


@torch.no_grad()  # Not inference mode: calibrations are fitted to these by gradients.
def label_scores(method: Method, data: CrossModalData, batch_size: int = 4096) -> dict[str, Tensor]:
    """Score every label for the images and the texts of a data set, block by block.

    Returns:
        By side, ``"image"`` and ``"text"``: shape (N, C), on the CPU.

    Raises:
        ValueError: If the method knows no labels.
    """
    device = next(method.parameters()).device
    blocks: dict[str, list[Tensor]] = {side: [] for side in SIDES}
    for start in range(0, len(data), batch_size):
        rows = slice(start, start + batch_size)
        text = method.as_taken(data.text_rows(rows, dense=False).to(device))
        for side, batch in zip(SIDES, (data.image[rows].to(device), text), strict=True):
            blocks[side].append(method.label_scores(side, batch).cpu())
    return {side: torch.cat(parts) for side, parts in blocks.items()}


def held_out_scores(method: Method, data: CrossModalData) -> dict[str, tuple[Tensor, Tensor]]:
    """What `Method.calibrate` takes: label scores and labels by side, of the items that have it, if any do."""
    scores = label_scores(method, data)
    there = zip(SIDES, data.present.t().bool(), strict=True)
    return {side: (scores[side][has], data.labels[has]) for side, has in there if has.any()}


def fit_calibrations(
    method: Method, held_out: CrossModalData, kind: str = "platt", shrinkage: float = 1000.0
) -> dict[str, Calibration]:
    """Calibrate the label scores of a method, which itself stays as it is.

    Args:
        method: Trained, in evaluation mode.
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


def relevance_encoder(
    method: Method,
    held_out: CrossModalData,
    order: int = 4,
    exact_at: float | None = 0.95,
    kind: str = "platt",
    shrinkage: float = 1000.0,
) -> Callable[[CrossModalData], tuple[Tensor, Tensor]]:
    """Let any method that scores labels rank by expected relevance.

    Args:
        method: Trained, in evaluation mode.
        held_out: Items that it was not trained on, to calibrate its scores.
        order: Of `relevance_features`; 1 ranks by the expected number of shared labels.
        exact_at: See there.
        kind: Of `Calibration.fit`.
        shrinkage: See there.

    Returns:
        A function from pairs to the relevance features of images and texts, to rank by ``"dot"``.

    Raises:
        ValueError: If the method knows no labels.
    """
    calibrations = fit_calibrations(method, held_out, kind, shrinkage)

    def encode(pairs: CrossModalData) -> tuple[Tensor, Tensor]:
        scores = label_scores(method, pairs)
        image, text = (
            relevance_features(calibrations[side](scores[side]).sigmoid(), order, exact_at) for side in SIDES
        )
        return image, text

    return encode
