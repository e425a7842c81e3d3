"""Items held out of training, to choose the best epoch on."""

from __future__ import annotations

import torch

from labelgraph.data.container import CrossModalData


def hold_out(data: CrossModalData, share: float = 0.1, seed: int = 0) -> CrossModalData:
    """Move some items of the split ``train``, drawn at random, to a new split ``validation``.

    Every label keeps a training item: of each, the first that is drawn stays.

    Args:
        data: Data with a split ``train`` and none called ``validation``.
        share: Of the training items to hold out; at least one is.
        seed: Of the draw.

    Raises:
        ValueError: If the share is not between 0 and 1, a split is missing or there already, or every item is
            the one that its label keeps.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, hold_out
        >>> data = CrossModalData(torch.ones(20, 2), torch.ones(20, 3), torch.ones(20, 1), splits={"train": range(20)})
        >>> hold_out(data)
        CrossModalData(20 pairs, image 2, text 3, 1 labels, splits: train 18, validation 2)
    """
    if not 0 < share < 1:
        raise ValueError(f"'share' must be between 0 and 1 (got {share})")
    if "train" not in data.splits or "validation" in data.splits:
        raise ValueError(
            f"'data' must have a split 'train' and none called 'validation' (got {', '.join(data.splits) or 'none'})"
        )
    train = data.splits["train"]
    order = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))]
    labels = data.labels[order]
    free = torch.ones(len(order), dtype=torch.bool)
    free[labels.argmax(0)[labels.any(0)]] = False
    held_out = order[free][: max(1, round(share * len(train)))].sort().values
    if not len(held_out):
        raise ValueError(f"'data' must have training items whose labels others have too (got none of {len(train)})")
    kept = train[~torch.isin(train, held_out)]
    return data.with_splits({**data.splits, "train": kept, "validation": held_out})
