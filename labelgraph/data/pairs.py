"""The container of image-text pairs with labels, and functions for pairs with a missing side."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.array_kinds import as_texts, check_distinct
from labelgraph._core.checked_config import Share, check_value
from labelgraph._core.checks import (
    check_encoders,
    check_features,
    check_multi_hot,
    check_present,
    check_split,
)
from labelgraph._core.devices import as_device
from labelgraph._core.multi_hot import stored_labels, take_rows
from labelgraph._core.named_labels import named_labels
from labelgraph._core.reading import quoted
from labelgraph.data.splits.split_names import split_name


class Pair(NamedTuple):
    """An item of `CrossModalData`; a `torch.utils.data.DataLoader` collates items into batches.

    Attributes:
        image: Image features, shape :math:`(D_v,)`.
        text: Text features, dense, shape :math:`(D_t,)`.
        labels: Multi-hot labels, 0 or 1, shape :math:`(C,)`.
        present: Whether the item has an image and a text, shape (2,).
        id: Id of the item.
        title: Title of the item, shown in results.
    """

    image: Tensor
    text: Tensor
    labels: Tensor
    present: Tensor
    id: str
    title: str


@dataclass(frozen=True, eq=False)
class CrossModalData:
    r"""Pairs of an image and a text, with the labels that both share.

    Args:
        image: Image features, shape :math:`(N, D_v)`; a float32 array in memory or mapped from a file is not copied.
        text: Text features, shape :math:`(N, D_t)`; a SciPy sparse matrix stays sparse until a batch
            is drawn.
        labels: Multi-hot labels, 0 or 1, shape :math:`(N, C)`, dense or sparse; or a list with a collection of names
            per item, such as ``[["cat", "red"], {"dog"}]``; or a data frame with one column per label. Up to
            ``DENSE_LABELS`` (1,024) labels become a dense float32 tensor, more a SciPy CSR array; see `label_rows`.
        label_names: The :math:`C` names; by default the sorted names in ``labels``, or else ``label 0``, ...
        splits: Index vectors by name: ``train``, ``validation``, ``test``, ``query``, ``database`` in any capitals
            (``val``, ``valid`` and ``dev`` mean ``validation``), or your own names.
        ids: Distinct ids of the items; by default their row numbers.
        titles: Titles of the items, shown in results; by default their ids.
        present: Whether each item has an image and a text, shape :math:`(N, 2)`; by default both.
            Features of a missing side are ignored and set to 0.
        encoders: Settings of the encoders that extracted the features from raw files, by side, such as
            ``{"text": {"encoder": "bag-of-words", "vocabulary": [...]}}``. Methods and searchers keep these settings,
            so that a new picture or sentence can be a query.
        label_vectors: Embeddings of the label names, shape :math:`(C, F)`, for
            ``meaning_graph(data.label_names, data.label_vectors)`` or as initial label embeddings.

    Raises:
        ValueError: If shapes disagree, labels are not 0 or 1, features are not finite, an item has neither
            side, an id is missing or repeated, or a split is empty, out of range or repeats an item.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData
        >>> data = CrossModalData(
        ...     image=torch.rand(4, 8), text=torch.rand(4, 5), labels=torch.eye(4, 3).fill_diagonal_(1),
        ...     label_names=["cat", "dog", "tree"], splits={"train": [0, 1, 2], "test": [3]})
        >>> data
        CrossModalData(4 pairs, image 8, text 5, 3 labels, splits: train 3, test 1)
        >>> len(data.split("train"))
        3
        >>> data[0].labels.tolist(), data[1:3].ids
        ([1.0, 0.0, 0.0], ('1', '2'))
    """

    image: Any
    text: Any
    labels: Any
    label_names: Sequence[str] = ()
    splits: Mapping[str, Any] = field(default_factory=dict)
    ids: Sequence[str] = ()
    titles: Sequence[str] = ()
    present: Any = None
    encoders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    label_vectors: Any = None

    def __post_init__(self) -> None:
        matrix, label_names = named_labels(self.labels, self.label_names)
        labels = stored_labels(check_multi_hot("labels", matrix))
        size, num_labels = labels.shape
        present = check_present(self.present, size)
        image = check_features("image", self.image, present[:, 0])
        image = image if isinstance(image, Tensor) else torch.from_numpy(image.toarray())
        text = check_features("text", self.text, present[:, 1])
        names = label_names or tuple(f"label {i}" for i in range(num_labels))
        ids = as_texts("ids", self.ids) or tuple(map(str, range(size)))
        titles = as_texts("titles", self.titles) or ids
        for argument, entries, wanted in (
            ("label_names", names, num_labels), ("ids", ids, size), ("titles", titles, size),
        ):  # fmt: skip
            if len(entries) != wanted:
                raise ValueError(f"'{argument}' must have {wanted} entries (got {len(entries)})")
        check_distinct("label_names", names)
        check_distinct("ids", ids)
        splits = _checked_splits(self.splits, size)
        vectors = _checked_vectors(self.label_vectors, num_labels)
        for attribute, value in (
            ("image", image), ("text", text), ("labels", labels), ("label_names", names),
            ("splits", splits), ("ids", ids), ("titles", titles), ("present", present),
            ("encoders", check_encoders(self.encoders)), ("label_vectors", vectors),
        ):  # fmt: skip
            object.__setattr__(self, attribute, value)

    def __len__(self) -> int:
        return self.labels.shape[0]

    def __getitem__(self, index: Any) -> Any:
        """Get the `Pair` at a row number, or the items of a slice or row numbers as from `select`.

        Raises:
            IndexError: If the row number is out of range.
        """
        if isinstance(index, slice):
            return self.select(range(len(self))[index])
        dimensions: Any = getattr(index, "ndim", 0)
        if isinstance(index, bool) or dimensions or not hasattr(index, "__index__"):
            return self.select(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"'index' must be a row number of {len(self)} items (got {index})")
        row = range(len(self))[index]
        text = self.text_rows(slice(row, row + 1))[0]
        labels = self.label_rows(slice(row, row + 1))[0]
        return Pair(self.image[row], text, labels, self.present[row], self.ids[row], self.titles[row])

    def to(self, device: str | torch.device) -> CrossModalData:
        """Copy the data to a device; sparse texts and labels stay in main memory.

        `text_rows` and `label_rows` move their rows to the device.

        Raises:
            ValueError: If PyTorch has no device of this name, or this machine has no such device.

        Example:
            >>> from labelgraph.data import load_openclipart
            >>> load_openclipart().to("cpu").image.device
            device(type='cpu')
        """
        device, other = as_device(device), copy.copy(self)
        for name in ("image", "text", "labels", "present", "label_vectors"):
            value = getattr(self, name)
            object.__setattr__(other, name, value.to(device) if isinstance(value, Tensor) else value)
        return other

    def __repr__(self) -> str:
        splits = ", ".join(f"{name} {len(index)}" for name, index in self.splits.items())
        return (
            f"CrossModalData({len(self)} {'pair' if len(self) == 1 else 'pairs'}, image {self.image_channels}, "
            f"text {self.text_channels}, {self.num_labels} {'label' if self.num_labels == 1 else 'labels'}"
            f"{', splits: ' + splits if splits else ''}"
            f"{'' if self.is_complete else f', {self._incomplete()} incomplete'})"
        )

    def _incomplete(self) -> int:
        return int((~self.present.all(1)).sum())

    @property
    def image_channels(self) -> int:
        """Number of image features."""
        return self.image.shape[1]

    @property
    def text_channels(self) -> int:
        """Number of text features."""
        return self.text.shape[1]

    @property
    def num_labels(self) -> int:
        """Number of labels."""
        return self.labels.shape[1]

    def text_rows(self, index: Any = slice(None), *, dense: bool = True) -> Tensor:
        """Text features of some items, shape (B, D_t); by default of all items.

        Args:
            index: Row numbers, or a slice.
            dense: Convert sparse texts to a dense tensor; otherwise, they are a CSR tensor.

        Raises:
            ValueError: If ``index`` is neither a slice nor row numbers.
        """
        return take_rows(self.text, index, dense=dense).to(self.image.device)

    def label_rows(self, index: Any = slice(None), *, dense: bool = True) -> Tensor:
        """Multi-hot labels of some items, shape (B, C); by default of all items.

        With more than 1,024 labels, the attribute ``labels`` is a CSR array: all labels of a large data set are too
        many for a dense tensor.

        Args:
            index: Row numbers, or a slice.
            dense: Convert sparse labels to a dense tensor; otherwise, they are a CSR tensor.

        Example:
            >>> import scipy.sparse as sp
            >>> import torch
            >>> from labelgraph.data import CrossModalData
            >>> data = CrossModalData(torch.ones(9, 2), torch.ones(9, 3), sp.eye_array(9, 5000))
            >>> data.label_rows(slice(2)).shape, data.label_rows(slice(2), dense=False).layout
            (torch.Size([2, 5000]), torch.sparse_csr)
        """
        return take_rows(self.labels, index, dense=dense).to(self.image.device)

    def split(self, name: str) -> CrossModalData:
        """Select the items of one split, in the order of its indices; the result has no splits.

        Raises:
            ValueError: If there is no split of that name.
        """
        return self.select(self.rows(name))

    def rows(self, name: str) -> Tensor:
        """Row numbers of one split, int64; its items are not copied.

        Raises:
            ValueError: If there is no split of that name.
        """
        if split_name(name) not in self.splits:
            raise ValueError(f"'name' must be one of the splits {sorted(self.splits)} (got {name!r})")
        rows: Tensor = self.splits[split_name(name)]
        return rows

    def select(self, index: Any) -> CrossModalData:
        """Select the items at some indices, in this order; the result has no splits."""
        index = check_split("index", index, len(self))
        return CrossModalData(
            image=self.image[index],
            text=self.text[index] if isinstance(self.text, Tensor) else self.text[index.numpy()],
            labels=self.labels[index if isinstance(self.labels, Tensor) else index.numpy()],
            label_names=self.label_names,
            ids=[self.ids[i] for i in index.tolist()],
            titles=[self.titles[i] for i in index.tolist()],
            present=self.present[index],
            encoders=self.encoders,
            label_vectors=self.label_vectors,
        )

    def with_splits(self, splits: Mapping[str, Any]) -> CrossModalData:
        """Replace the splits; features and labels are neither copied nor checked again.

        Args:
            splits: Index vectors by name, which replace all splits.

        Raises:
            ValueError: If a split is empty, out of range or repeats an item.
        """
        other = copy.copy(self)
        object.__setattr__(other, "splits", _checked_splits(splits, len(self)))
        return other

    @property
    def is_complete(self) -> bool:
        """Whether every item has both sides."""
        return bool(self.present.all())


def _checked_vectors(vectors: Any, num_labels: int) -> Tensor | None:
    if vectors is None:
        return None
    matrix = check_features("label_vectors", vectors)
    dense = matrix if isinstance(matrix, Tensor) else torch.from_numpy(matrix.toarray())
    if len(dense) != num_labels:
        raise ValueError(f"'label_vectors' must have a row for each of {num_labels} labels (got {len(dense)})")
    return dense


def _checked_splits(splits: Mapping[str, Any], size: int) -> dict[str, Tensor]:
    """Check index vectors, and return them by the library's names of splits."""
    if not isinstance(splits, Mapping):
        raise ValueError(f"'splits' must map names to row numbers (got {quoted(splits, 60)})")
    checked: dict[str, Tensor] = {}
    for spelling, index in splits.items():
        name = split_name(spelling)
        if name in checked:
            raise ValueError(
                f"'splits' must name each split once (got {quoted(spelling, 60)} and another spelling for {name!r})"
            )
        checked[name] = check_split(name, index, size)
    return checked


def check_pairs(argument: str, data: Any) -> None:
    """Check that an argument is a data set.

    Raises:
        ValueError: If it is anything else.
    """
    hint = "; load_dataset(name) loads one" if isinstance(data, str) else ""
    check_kind(argument, data, CrossModalData, f"a CrossModalData{hint}")


def train_rows(data: CrossModalData) -> Tensor:
    """Return the row numbers of the split ``train``, int64.

    Raises:
        ValueError: If there is no such split.
    """
    check_pairs("data", data)
    if "train" not in data.splits:
        raise ValueError(f"'data' must have a split 'train' (got {', '.join(data.splits) or 'none'})")
    return data.rows("train")


def drop_modalities(data: CrossModalData, share: float = 0.8, image_only: float = 0.5, seed: int = 0) -> CrossModalData:
    """Remove one side from some training items; all other items stay unchanged.

    The defaults are those of DAGNN (AAAI 2021, doi:10.1609/aaai.v35i3.16345): 1/5 of the pairs are complete, 2/5 have
    only the image, and 2/5 have only the text.

    Args:
        data: Data with a split ``train``.
        share: Share of the training items that lose a side.
        image_only: Share of these items that keep their image; the others keep their text.
        seed: Seed of the random choice.

    Raises:
        ValueError: If a share is not a number in [0, 1], or there is no split ``train``.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, drop_modalities
        >>> data = CrossModalData(torch.ones(5, 2), torch.ones(5, 3), torch.ones(5, 1), splits={"train": range(5)})
        >>> drop_modalities(data).present.sum(0).tolist()  # images and texts that are left
        [3, 3]
    """
    share, image_only = check_value("share", share, Share), check_value("image_only", image_only, Share)
    train = train_rows(data)
    check_value("seed", seed, int)
    chosen = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))]
    chosen = chosen[: round(share * len(train))]
    cut = round(image_only * len(chosen))
    present = data.present.clone()
    # An item with one side keeps that side.
    for items, lost, other_side in ((chosen[:cut], 1, 0), (chosen[cut:], 0, 1)):
        present[items[present[items, other_side]], lost] = False
    return replace(data, present=present)


def keep_complete(data: CrossModalData) -> CrossModalData:
    """Remove training items with a missing side from the split ``train``.

    Raises:
        ValueError: If there is no split ``train``.

    Example:
        >>> import torch
        >>> from labelgraph.data import CrossModalData, drop_modalities, keep_complete
        >>> data = CrossModalData(torch.ones(5, 2), torch.ones(5, 3), torch.ones(5, 1), splits={"train": range(5)})
        >>> len(keep_complete(drop_modalities(data)).split("train"))
        1
    """
    train = train_rows(data)
    return data.with_splits({**data.splits, "train": train[data.present[train].all(1)]})
