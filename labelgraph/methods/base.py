"""The base class of all methods: the interface that training, evaluation and search use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.commit import FolderWriter, write_version
from labelgraph._core.reading import refusing
from labelgraph._core.versions import Version, open_version
from labelgraph.methods.hub import local_folder, push
from labelgraph.methods.model_folder import AllocationLimit, StoredGraph, read_model, write_model
from labelgraph.methods.registry import MODEL_FORMAT

if TYPE_CHECKING:
    import scipy.sparse as sp
    from torch_geometric.data import Data


class Method(nn.Module, ABC):
    """A retrieval method with named outputs, named loss terms, an image encoder and a text encoder.

    A subclass defines ``name``, ``Config`` (a frozen dataclass), ``parts``, ``forward``, ``loss_terms``,
    ``loss_weights``, ``encode_image`` and ``encode_text``. A method does not depend on a data set, device, optimiser or
    schedule.
    """

    name: ClassVar[str]
    Config: ClassVar[type]
    config: Any

    counts_labels: ClassVar[bool] = (
        False  # It needs only the labels of the label graph, not its edges; see `StoredGraph`.
    )
    reads_labels: ClassVar[bool] = True  # In training. A method that does not read labels receives none.
    generates: ClassVar[bool] = False  # It generates missing sides of incomplete pairs, see `fill_missing`.
    takes_sparse_text: ClassVar[bool] = False  # As CSR tensors; otherwise sparse texts are made dense.
    takes_sparse_labels: bool = False  # As CSR tensors if the data have many; otherwise they are made dense.
    scores_labels: ClassVar[bool] = False  # For images and texts, see `label_scores`.
    borrows: ClassVar[bool] = False  # It learns labels with few items, see `read_names` and `fit_references`.
    similarity: str = "cosine"  # A name in `SIMILARITIES`; with "hamming", embeddings are codes of -1 and 1.
    # For "jaccard": number of columns that are label probabilities. For sparse similarities: labels that a row names.
    similarity_labels: int | None = None

    # Outputs of `forward` that do not have a row for each item. If several devices share a batch, the rows of all other
    # outputs are gathered before the loss terms are computed, in every process, for the whole batch.
    shared_outputs: ClassVar[tuple[str, ...]] = ()

    # `from_config` sets these attributes; `save_pretrained` stores them, so that the parts can be built again.
    _graph: Data | StoredGraph | None = None
    _channels: tuple[int, int] | None = None
    _source: Path | None = None  # The folder that it was loaded from, for messages; training forgets it.

    # Settings of the feature encoders by side, as in `CrossModalData.encoders`; training sets them.
    encoders: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    # Unit vectors of the label names, float16 (C, F), from `CrossModalData.label_vectors`; training sets them.
    label_vectors: Tensor | None = None

    @classmethod
    def from_config(
        cls, config: Any, image_channels: int, text_channels: int, graph: Data | StoredGraph | None = None
    ) -> Self:
        """Build the method with its published parts.

        Args:
            config: Instance of ``Config``.
            image_channels: Size of the image features.
            text_channels: Size of the text features.
            graph: Label graph of the training items, from `cooccurrence_graph`. A method that does not read labels
                needs no graph.

        Raises:
            ValueError: If ``graph`` is something else, or the method needs a graph.
        """
        if isinstance(graph, StoredGraph):
            graph = graph if cls.counts_labels else graph.to_data()
        elif graph is not None:
            from torch_geometric.data import Data  # Here, because it takes seconds: a search needs no PyG.

            check_kind("graph", graph, Data, "a label graph, such as cooccurrence_graph returns")
            graph = cls.kept_graph(config, graph)
        graph = graph if cls.reads_labels else None
        method = cls(**cls.parts(config, image_channels, text_channels, graph), config=config)
        method._graph, method._channels = graph, (image_channels, text_channels)
        return method

    @classmethod
    def kept_graph(cls, config: Any, graph: Data) -> Data:
        """Return what the method reads and stores of a label graph that is given to it. By default, all of it."""
        return graph

    @classmethod
    @abstractmethod
    def parts(cls, config: Any, image_channels: int, text_channels: int, graph: Data | None) -> dict[str, nn.Module]:
        """Build the modules that the constructor takes, by argument name."""

    @abstractmethod
    def forward(self, image: Tensor, text: Tensor) -> dict[str, Tensor]:
        """Compute named outputs for a batch of pairs."""

    @abstractmethod
    def loss_terms(self, outputs: dict[str, Tensor], labels: Tensor) -> dict[str, Tensor]:
        """Compute the losses by name, as scalars without weights."""

    @abstractmethod
    def loss_weights(self) -> dict[str, float]:
        """Return the weight of each loss term."""

    @abstractmethod
    def encode_image(self, image: Tensor) -> Tensor:
        """Encode image features (B, D_v) into the common space."""

    @abstractmethod
    def encode_text(self, text: Tensor) -> Tensor:
        """Encode text features (B, D_t) into the common space."""

    def as_taken(self, text: Tensor) -> Tensor:
        """Make sparse text features dense, unless the method ``takes_sparse_text``."""
        return text if self.takes_sparse_text else text.to_dense()

    def total_loss(self, terms: dict[str, Tensor]) -> Tensor:
        """Return the weighted sum of the loss terms."""
        weights = self.loss_weights()
        return torch.stack([weights[name] * term for name, term in terms.items()]).sum()

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Return groups of parameters with their learning rates, for an optimiser."""
        return self._groups(lr, {})

    def _groups(self, lr: float, scaled: dict[float, list[nn.Parameter]]) -> list[dict[str, Any]]:
        """Return groups of parameters: first those with the base learning rate, then those with scaled rates."""
        apart = {id(p) for group in scaled.values() for p in group}
        rest = [p for p in self.parameters() if p.requires_grad and id(p) not in apart]
        groups = [{"params": rest, "lr": lr}]
        for scale, group in scaled.items():
            if trained := [p for p in group if p.requires_grad]:
                groups.append({"params": trained, "lr": lr * scale})
        return groups

    def diagnostics(self, outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Compute scalars by name to log beside the losses. By default, there are none."""
        return {}

    def fill_missing(self, image: Tensor, text: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Generate the missing side of incomplete pairs. Only methods with generators can.

        Raises:
            ValueError: If the method has no generators.
        """
        raise ValueError(f"'method' must have generators to fill missing sides (got {self.name!r})")

    def label_scores(self, side: str, features: Tensor) -> Tensor:
        """Score every label for images or texts. A higher score means a more likely label.

        The scale of the scores depends on the method.

        Args:
            side: ``"image"`` or ``"text"``.
            features: Features of that side, shape (B, D).

        Returns:
            Shape (B, C). A method that takes sparse labels has a further argument for the labels to score.

        Raises:
            ValueError: If the method does not score labels.
        """
        raise ValueError(f"'method' must score labels (got {self.name!r}, which does not)")

    @property
    def ranks_by_labels(self) -> bool:
        """Whether embeddings start with label probabilities, which rank items by the labels that they share."""
        return self.similarity in ("jaccard", "sparse-jaccard")

    def label_queries(self) -> Tensor | None:
        """Embed each label as a text about this label alone, shape (C, H). By default, return ``None``.

        A method that takes sparse labels has an argument for some labels.
        """
        return None

    def calibrate(self, scores: Mapping[str, tuple[Tensor, ...]]) -> None:
        """Calibrate the method on held-out items, after the best weights are loaded. By default, do nothing.

        Args:
            scores: For ``"image"`` and for ``"text"``, the scores of `label_scores` and the labels, both (N, C). If the
                method takes sparse labels, those of K drawn labels, (N, K), and their weights (K,), see `draw_labels`.
        """

    def read_names(self, names: sp.csr_array, labels: Tensor, counts: Tensor) -> None:
        """Receive label names as texts before training, if the method ``borrows``. By default, do nothing.

        Args:
            names: Text features of names with a known word, (M, D_t).
            labels: Labels of these names, (M,).
            counts: Numbers of training items of these labels, (M,).
        """

    def fit_references(
        self, batches: Iterable[tuple[str, Tensor, Tensor]], names: Tensor | None, graph: Data | None
    ) -> None:
        """Learn labels with few items after training, if the method ``borrows``. By default, do nothing.

        Args:
            batches: Training items in batches: ``"image"`` or ``"text"``, features (B, D), and labels (B, C), CSR if
                the method takes sparse labels and the data have many.
            names: Features of the label names as texts, (C, D_t), or None.
            graph: Graph of meaning over the labels, or None.
        """

    def fit_ridge(self, images: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Fit classifiers in closed form to the training images, by default none; see `RidgeClassifier`.

        Args:
            images: Features and labels of the training images in batches; they may be read several times.
        """

    def on_epoch(self, epoch: int) -> None:
        """Prepare for an epoch, counted from 0, before its first batch. By default, do nothing."""

    def save_pretrained(self, folder: str | Path) -> None:
        """Save the method in a folder, in place of a method that was saved there before.

        The replacement is atomic: if saving is interrupted, the old method remains and can be loaded. The folder has
        two files, ``model.json`` and the safetensors file that ``model.json`` names.

        Raises:
            OSError: If the files cannot be written, for instance because the disk is full or the folder read-only.
            ValueError: If the method was not built by `from_config`, so that its parts cannot be built again, if a
                parameter is not finite, or if another program wrote ``model.json``.
        """
        self._check_savable()
        with write_version(folder, MODEL_FORMAT) as writer:
            self.write(writer)

    def _check_savable(self) -> None:
        if self._channels is None:
            raise ValueError("'save_pretrained' needs a method built by 'from_config' (got one of own parts)")

    def write(self, writer: FolderWriter) -> None:
        """Add the method to a version of a folder, such as a search index. `read` reads the method back."""
        self._check_savable()
        channels = self._channels or (0, 0)
        vectors, state = self.label_vectors, self.state_dict()
        write_model(writer, self.name, self.config, channels, self._graph, self.encoders, vectors, state)

    @classmethod
    def from_pretrained(cls, folder: str | Path, *, revision: str | None = None, token: str | None = None) -> Self:
        """Load a method that `save_pretrained` or `push_to_hub` saved, in evaluation mode.

        Args:
            folder: Folder of the model, or ``hf://user/model`` for a model on the Hugging Face Hub. Nothing is
                downloaded without ``hf://``.
            revision: Branch, tag or commit of a model on the Hub. Defaults to its main branch.
            token: Access token of the Hub. Defaults to the one of ``hf auth login``, or of ``HF_TOKEN``.

        Raises:
            FileNotFoundError: If the folder or the repository has no model.
            ConnectionError: If the Hub cannot be reached, and the model is not in its cache.
            ImportError: If huggingface_hub is not installed, for a model on the Hub.
            ValueError: If the model is damaged, or belongs to another method or format version.
        """
        with local_folder(folder, revision, token) as local, open_version(local, MODEL_FORMAT) as version:
            method = cls.read(version)
        method._source = Path(folder)
        return method

    def push_to_hub(
        self,
        repository: str,
        *,
        private: bool = False,
        token: str | None = None,
        facts: Mapping[str, Any] | None = None,
        license: str | None = None,
    ) -> str:
        """Upload the method to the Hugging Face Hub, with a model card; return the address of the repository.

        The upload has ``model.json``, the safetensors file that it names, and ``README.md``. An earlier model and its
        card in the repository are replaced, other files are kept.

        Args:
            repository: Name of the repository, such as ``"user/model"``. It is created if it does not exist.
            private: Create a private repository. An error if the repository exists and is public.
            token: Access token of the Hub. Defaults to the one of ``hf auth login``, or of ``HF_TOKEN``.
            facts: Facts for the card, such as the content of ``training.json``, see `model_card`.
            license: Licence of the model, for the card.

        Raises:
            ValueError: If the name of the repository is wrong, the repository is public but ``private`` is set, or the
                Hub does not accept the upload.
            FileNotFoundError: If the token has no access to the repository.
            ConnectionError: If the Hub cannot be reached.
            ImportError: If huggingface_hub is not installed.
        """
        return push(self, repository, private, token, facts, license)

    @classmethod
    def read(cls, version: Version) -> Self:
        """Read a method that `write` added to a version of a folder, in evaluation mode."""
        saved = read_model(version, cls.name)
        with refusing(saved.entries, f"the configuration of {cls.name!r}"):
            # JSON stores tuples as lists, and settings have no lists.
            config = cls.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in saved.config.items()})
            with AllocationLimit(saved.state):
                method = cls.from_config(config, *saved.channels, saved.graph)
        method.encoders, method._source = saved.encoders, version.folder
        method.label_vectors = saved.label_vectors
        saved.load_into(method)
        return method.eval()
