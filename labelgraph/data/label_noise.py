"""Settings of the training labels, for experiments with missing and unseen labels; they do not import PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from labelgraph._core.checked_config import CheckedConfig, CountInt, Share

if TYPE_CHECKING:
    from torch import Tensor

    from labelgraph.data.pairs import CrossModalData


@dataclass(frozen=True)
class LabelNoise(CheckedConfig):
    """Settings of the training labels: labels that are missing, and labels that training never sees.

    Args:
        drop_labels: Share of the labels of the training items to remove at random, see `drop_labels`.
        unseen_labels: Number of labels to hold out from training, or a list of their names, see `hold_out_labels`.
        label_seed: Random seed of both choices.

    Example:
        >>> from labelgraph.data import LabelNoise, load_openclipart_keywords
        >>> data = load_openclipart_keywords()
        >>> noisy = LabelNoise(unseen_labels=80).apply(data)
        >>> int((noisy.split("train").labels.sum(0) == 0).sum())
        80
    """

    drop_labels: Share = 0.0
    unseen_labels: CountInt | tuple[str, ...] = 0
    label_seed: CountInt = 0

    @property
    def changes_labels(self) -> bool:
        """Whether training reads other labels than the data have."""
        return bool(self.drop_labels or self.unseen_labels)

    def apply(self, data: CrossModalData) -> CrossModalData:
        """Return the data that training reads: first labels are held out, then labels are dropped.

        Raises:
            ValueError: See `hold_out_labels` and `drop_labels`.
        """
        from labelgraph.data.missing_labels import drop_labels, hold_out_labels

        if self.unseen_labels:
            data = hold_out_labels(data, self.unseen_labels, self.label_seed)
        return drop_labels(data, self.drop_labels, self.label_seed) if self.drop_labels else data

    def describe(self, data: CrossModalData) -> list[str]:
        """Describe in sentences how the training labels differ from the labels of the data."""
        if not self.changes_labels:
            return []
        rows = data.rows("train")
        held_out = replace(self, drop_labels=0.0).apply(data)
        read = self.apply(data)
        sentences = []
        if self.unseen_labels:
            names = _without(held_out, data)
            left_out = len(rows) - len(held_out.rows("train"))
            sentences.append(
                f"Training never sees {len(names)} of {data.num_labels} labels (seed {self.label_seed}): "
                f"{', '.join(names)}. {left_out:,} training items with no other label are left out."
            )
        if self.drop_labels:
            before, after = (int(_training_counts(each).double().sum()) for each in (held_out, read))
            sentences.append(
                f"{before - after:,} of {before:,} labels of the training items are missing (share "
                f"{self.drop_labels:g}, seed {self.label_seed}; an item keeps at least one label); this leaves "
                f"{len(_without(read, held_out))} labels without a training item."
            )
        return sentences


def _without(data: CrossModalData, before: CrossModalData) -> list[str]:
    """Names of the labels that have lost all training items."""
    has, had = (_training_counts(each) > 0 for each in (data, before))
    return [data.label_names[i] for i in (had & ~has).nonzero().flatten().tolist()]


def _training_counts(data: CrossModalData) -> Tensor:
    from labelgraph._core.multi_hot import label_sums

    return label_sums(data.label_rows(data.rows("train"), dense=False))
