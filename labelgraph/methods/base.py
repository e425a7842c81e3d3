"""What every method offers to training, evaluation and search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from labelgraph._core.commit import FolderWriter, write_version
from labelgraph._core.versions import Version, open_version
from labelgraph.methods.model_folder import MODEL_FORMAT, AllocationLimit, read_model, refusing, write_model

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from labelgraph.methods.model_folder import StoredGraph


class Method(nn.Module, ABC):
    """A retrieval method: named outputs, named loss terms, two encoders.

    A subclass gives ``name``, ``Config`` (a frozen dataclass), ``parts``, ``forward``, ``loss_terms``,
    ``loss_weights``, ``encode_image`` and ``encode_text``. It knows no data set, device, optimiser or
    schedule.
    """

    name: ClassVar[str]
    Config: ClassVar[type]
    config: Any

    counts_labels: ClassVar[bool] = False  # All that it needs of the label graph are its labels; see `StoredGraph`.
    reads_labels: ClassVar[bool] = True  # In training; one that does not is given none.
    generates: ClassVar[bool] = False  # Missing sides of incomplete pairs, by `fill_missing`.
    takes_sparse_text: ClassVar[bool] = False  # As CSR tensors; otherwise sparse texts come dense.
    scores_labels: ClassVar[bool] = False  # Of either side, by `label_scores`.
    similarity: str = "cosine"  # Of `SIMILARITIES`; "hamming" says that embeddings are codes of -1 and 1.
    similarity_labels: int | None = None  # For "jaccard", how many columns of the embeddings are label probabilities.

    # What `save_pretrained` needs to build the parts anew; set by `from_config`.
    _graph: Data | StoredGraph | None = None
    _channels: tuple[int, int] | None = None

    # How the features are made from raw files, by side, as `CrossModalData.encoders` tells; training sets it.
    encoders: Mapping[str, Mapping[str, Any]] = MappingProxyType({})

    @classmethod
    def from_config(
        cls, config: Any, image_channels: int, text_channels: int, graph: Data | StoredGraph | None = None
    ) -> Self:
        """Build the published parts for features of these sizes and a label graph.

        Args:
            config: Instance of ``Config``.
            image_channels: Size of the image features.
            text_channels: Size of the text features.
            graph: Label graph of `cooccurrence_graph`, counted on the training items; a method that does
                not read labels needs none.
        """
        graph = graph if cls.reads_labels else None
        method = cls(**cls.parts(config, image_channels, text_channels, graph), config=config)
        method._graph, method._channels = graph, (image_channels, text_channels)
        return method

    @classmethod
    @abstractmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the modules that the constructor takes, by argument."""

    @abstractmethod
    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Named outputs for a batch of pairs."""

    @abstractmethod
    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Named scalar losses, without weights."""

    @abstractmethod
    def loss_weights(self) -> dict[str, float]:
        """The weight of each loss term in the total."""

    @abstractmethod
    def encode_image(self, image: Tensor) -> Tensor:
        """Image features to the common space."""

    @abstractmethod
    def encode_text(self, text: Tensor) -> Tensor:
        """Text features to the common space."""

    def as_taken(self, text: Tensor) -> Tensor:
        """Text features as this method takes them: sparse ones dense, unless it ``takes_sparse_text``."""
        return text if self.takes_sparse_text else text.to_dense()

    def total_loss(self, terms: dict[str, Tensor]) -> Tensor:
        """Weighted sum of the loss terms."""
        weights = self.loss_weights()
        return torch.stack([weights[name] * term for name, term in terms.items()]).sum()

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Parameters with their learning rates, for an optimiser."""
        return self._groups(lr, {})

    def _groups(self, lr: float, scaled: dict[float, list[nn.Parameter]]) -> list[dict[str, Any]]:
        """Groups of some parameters at scaled learning rates, before them all others at the base rate."""
        apart = {id(p) for group in scaled.values() for p in group}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in apart]
        groups = [{"params": rest, "lr": lr}]
        for scale, group in scaled.items():
            if trained := [p for p in group if p.requires_grad]:
                groups.append({"params": trained, "lr": lr * scale})
        return groups

    def diagnostics(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Named scalars, beside the losses, that tell how training goes; by default none."""
        return {}

    def fill_missing(self, image: Tensor, text: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Generate the missing side of incomplete pairs; most methods cannot.

        Raises:
            ValueError: If the method has no generators.
        """
        raise ValueError(f"'method' must have generators to fill missing sides (got {self.name!r})")

    def label_scores(self, side: str, features: Tensor) -> Tensor:
        """Score every label for images or texts; the higher, the more likely, on the method's own scale.

        Args:
            side: ``"image"`` or ``"text"``.
            features: Of that side, as the method takes them, shape (B, D).

        Returns:
            Shape (B, C).

        Raises:
            ValueError: If the method knows no labels.
        """
        raise ValueError(f"'method' must score labels (got {self.name!r}, which does not)")

    def label_queries(self) -> Tensor | None:
        """Each label alone, as `encode_text` would embed a text that is about it, (C, H); by default none."""
        return None

    def calibrate(self, scores: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Adapt to held-out items once the best weights are loaded; most methods need not.

        Args:
            scores: For ``"image"`` and for ``"text"`` what `label_scores` gives, and the labels, both (N, C).
        """

    def on_epoch(self, epoch: int) -> None:
        """Adapt to the epoch, counted from 0, before its first batch; most methods need not."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the method into a folder, in place of what `save_pretrained` wrote there before.

        The method before stays whole and loadable until the new one is complete, even if saving is killed. There are
        two files: ``model.json``, and the safetensors file that it names.

        Raises:
            OSError: If the disk is full, the folder read-only, or the like.
            ValueError: If the method was not built by `from_config`, so that its parts cannot be built anew, or
                ``model.json`` is a file of something else.
        """
        self._check_savable()
        with write_version(folder, MODEL_FORMAT) as writer:
            self.write(writer)

    def _check_savable(self) -> None:
        if self._channels is None:
            raise ValueError("'save_pretrained' needs a method built by 'from_config' (got one of own parts)")

    def write(self, writer: FolderWriter) -> None:
        """Add the method to a version of a folder, such as a search index; `read` reads it."""
        self._check_savable()
        channels = self._channels or (0, 0)
        write_model(writer, self.name, self.config, channels, self._graph, self.encoders, self.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what `save_pretrained` wrote, in evaluation mode.

        Raises:
            FileNotFoundError: If the folder holds no model.
            ValueError: If it is damaged, of another method or of another version.
        """
        with open_version(folder, MODEL_FORMAT) as version:
            return cls.read(version)

    @classmethod
    def read(cls, version: Version) -> Self:
        """Read what `write` added, as `from_pretrained` does."""
        saved = read_model(version, cls.name)
        with refusing(saved.entries, f"the configuration of {cls.name!r}"):
            # JSON has lists alone, settings have tuples alone.
            config = cls.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in saved.config.items()})
            graph = saved.graph if cls.counts_labels or saved.graph is None else saved.graph.to_data()
            with AllocationLimit(saved.state):
                method = cls.from_config(config, *saved.channels, graph)
        method.encoders = saved.encoders
        saved.load_into(method)
        return method.eval()
