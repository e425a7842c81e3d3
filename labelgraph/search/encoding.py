"""Features of one side to what an index takes: embeddings, or codes as packed bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from labelgraph.data import check_features, csr_tensor
from labelgraph.methods import Method
from labelgraph.retrieval import pack_bits

SIDES = ("image", "text")


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
