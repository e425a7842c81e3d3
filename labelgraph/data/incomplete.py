"""Training items of which a side is missing, made on purpose."""

from __future__ import annotations

from dataclasses import replace

import torch

from labelgraph.data.container import CrossModalData


def drop_modalities(data: CrossModalData, share: float = 0.8, image_only: float = 0.5, seed: int = 0) -> CrossModalData:
    """Take one side away from some training items; all others stay as they are.

    Published for DAGNN (AAAI 2021, doi:10.1609/aaai.v35i3.16345): 1/5 of the pairs complete, 2/5 with the
    image only, 2/5 with the text only.

    Args:
        data: Data with a split ``train``.
        share: Of the training items to lose a side.
        image_only: Of these, the share that keeps its image; the others keep their text.
        seed: Of the choice.

    Raises:
        ValueError: If a share is not in [0, 1], or there is no split ``train``.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, drop_modalities
        >>> data = CrossModalData(torch.ones(5, 2), torch.ones(5, 3), torch.ones(5, 1), splits={"train": range(5)})
        >>> drop_modalities(data).present.sum(0).tolist()  # images and texts that are left
        [3, 3]
    """
    for name, value in (("share", share), ("image_only", image_only)):
        if not 0 <= value <= 1:
            raise ValueError(f"'{name}' must be in [0, 1] (got {value})")
    if "train" not in data.splits:
        raise ValueError(f"'data' must have a split 'train' (got {', '.join(data.splits) or 'none'})")
    train = data.splits["train"]
    chosen = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))]
    chosen = chosen[: round(share * len(train))]
    cut = round(image_only * len(chosen))
    present = data.present.clone()
    # An item that has lost a side already keeps the one it has.
    for items, lost, kept in ((chosen[:cut], 1, 0), (chosen[cut:], 0, 1)):
        present[items[present[items, kept]], lost] = False
    return replace(data, present=present)


def keep_complete(data: CrossModalData) -> CrossModalData:
    """Leave the training items of which a side is missing out of the split ``train``.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, drop_modalities, keep_complete
        >>> data = CrossModalData(torch.ones(5, 2), torch.ones(5, 3), torch.ones(5, 1), splits={"train": range(5)})
        >>> len(keep_complete(drop_modalities(data)).split("train"))
        1
    """
    train = data.splits["train"]
    return data.with_splits({**data.splits, "train": train[data.present[train].all(1)]})
