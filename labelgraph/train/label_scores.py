"""The label scores of a method for a data set, and what ranks by them."""

from __future__ import annotations

import torch
from torch import Tensor

from labelgraph.data import CrossModalData
from labelgraph.methods import Method
from labelgraph.nn import Calibration, relevance_features
from labelgraph.retrieval import Encoder

SIDES = ("image", "text")


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
) -> Encoder:
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
