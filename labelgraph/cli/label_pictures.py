"""Pictures of labels: a few typical items of each label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelgraph.cli.sheet import find_pictures

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from labelgraph.data import CrossModalData

EACH = 4


def label_pictures(data: CrossModalData, rows: Tensor, name: str, folder: Path | None) -> dict[str, list[Image | Path]]:
    """Choose pictures of each label, of the items with the fewest other labels.

    Args:
        data: The data set.
        rows: Row numbers of the items whose pictures may be chosen.
        name: Name of a bundled set, or path of the data.
        folder: Folder of the picture files, see `labelgraph.cli.sheet.find_pictures`.

    Returns:
        At most four pictures of each label that has any.

    Raises:
        ValueError: If ``folder`` is given and no item has a picture there.
    """
    labels = data.labels[rows].numpy()
    order = np.argsort(labels.sum(1), kind="stable")
    chosen = {
        label: [data.ids[int(rows[row])] for row in order[labels[order, column] > 0][:EACH]]
        for column, label in enumerate(data.label_names)
    }
    ids = list(dict.fromkeys(each for several in chosen.values() for each in several))
    try:
        pictures = dict(zip(ids, find_pictures(data, name, folder, ids, option="--pictures"), strict=True))
    except ValueError:
        if folder:
            raise
        return {}
    kept = {label: [picture for each in several if (picture := pictures[each])] for label, several in chosen.items()}
    return {label: several for label, several in kept.items() if several}
