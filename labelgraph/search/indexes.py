"""Indexes by name: the built-in exact index, and the FAISS indexes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from labelgraph._core.names import did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

    from labelgraph._core.embeddings import Embeddings


class Index(Protocol):
    """The methods that every index has; `ExactIndex` documents them."""

    similarity: str

    @property
    def vectors(self) -> Tensor:
        """The added vectors, (N, H) float32, or codes, (N, B) uint8, in the order of addition."""

    def __len__(self) -> int: ...

    def check(self, name: str, vectors: Tensor) -> Embeddings:
        """Check vectors or codes of items or queries; errors name the argument ``name``."""

    def add(self, vectors: Tensor) -> None:
        """Append vectors; they take the next positions."""

    def remove(self, positions: Tensor) -> None:
        """Remove vectors; the positions of later vectors move up."""

    def search(self, query: Tensor, k: int, among: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return scores and positions of the nearest neighbours, the nearest first, both (Q, min(k, N))."""

    def dump(self) -> dict[str, bytes]:
        """Return the files to save besides the vectors, by suffix."""

    def restore(self, vectors: Tensor, files: Mapping[str, bytes]) -> None:
        """Set the vectors and files from a saved index."""


@dataclass(frozen=True)
class IndexKind:
    """A kind of index.

    Args:
        similarities: Similarities of its embeddings: ``"cosine"``, ``"dot"`` and ``"jaccard"``, also sparse, or
            ``"hamming"``.
        build: Function from the similarity, the number of labels and the settings to an empty index.
        settings: Names of the settings, which are whole numbers within `LIMITS`, and their defaults.
    """

    similarities: tuple[str, ...]
    build: Callable[..., Index]
    settings: Mapping[str, int] = field(default_factory=dict)


def _exact(similarity: str, **options: Any) -> Index:
    from labelgraph.search.exact_index import ExactIndex  # Imported here, so that names can be checked without PyTorch.

    return ExactIndex(similarity, **options)


def _faiss(similarity: str, **options: Any) -> Index:
    from labelgraph.search.faiss_index import FaissIndex

    return FaissIndex(similarity, **options)


VECTORS, CODES = ("cosine", "dot", "jaccard"), ("hamming",)
SPARSE = ("sparse-dot", "sparse-cosine", "sparse-jaccard")  # As in `SIMILARITIES`, which needs PyTorch.
# FAISS ends the process if there is only 1 link per item; memory grows with the number of links.
LIMITS = {"num_probes": (1, 2**20), "num_links": (2, 1024), "search_width": (1, 2**20)}
IVF, HNSW = {"num_probes": 16}, {"num_links": 32, "search_width": 128}
INDEXES: dict[str, IndexKind] = {
    "exact": IndexKind((*VECTORS, *SPARSE), _exact),
    "hamming": IndexKind(CODES, _exact),
    "faiss-flat": IndexKind(VECTORS, partial(_faiss, structure="flat")),
    "faiss-ivf": IndexKind(VECTORS, partial(_faiss, structure="ivf"), IVF),
    "faiss-hnsw": IndexKind(VECTORS, partial(_faiss, structure="hnsw"), HNSW),
    "faiss-binary-flat": IndexKind(CODES, partial(_faiss, structure="flat")),
    "faiss-binary-ivf": IndexKind(CODES, partial(_faiss, structure="ivf"), IVF),
    "faiss-binary-hnsw": IndexKind(CODES, partial(_faiss, structure="hnsw"), HNSW),
}


def build_index(name: str, similarity: str | None = None, num_labels: int | None = None, **settings: int) -> Index:
    """Build an empty index by name.

    Args:
        name: Key of ``INDEXES``.
        similarity: Similarity of `Embeddings`; by default the first that the index has.
        num_labels: For ``"jaccard"``, number of columns that are label probabilities; by default all. For the sparse
            similarities, number of labels that a row names.
        settings: ``num_probes`` of IVF, from 1; ``num_links``, from 2 to 1024, and ``search_width``, from 1, of HNSW.

    Raises:
        ValueError: If the name is unknown, the index does not have the similarity, or a setting is unknown or out of
            range.
        ImportError: If the index needs FAISS, which is not installed.

    Example:
        >>> import torch
        >>> from labelgraph.search import build_index
        >>> index = build_index("hamming")
        >>> index.add(torch.tensor([[7], [1]], dtype=torch.uint8))
        >>> index.search(torch.tensor([[0]], dtype=torch.uint8), k=1)
        (tensor([[1]], dtype=torch.int32), tensor([[1]]))
    """
    if name not in INDEXES:
        meant = did_you_mean(name, INDEXES) if isinstance(name, str) else ""
        raise ValueError(f"'index' must be one of {', '.join(INDEXES)} (got {name!r}){meant}")
    kind = INDEXES[name]
    similarity = similarity or kind.similarities[0]
    if similarity not in kind.similarities:
        fitting = ", ".join(other for other, each in INDEXES.items() if similarity in each.similarities)
        raise ValueError(f"'index' must be one of {fitting or 'none'} for {similarity!r} (got {name!r})")
    checked = {setting: _check_setting(name, setting, value) for setting, value in settings.items()}
    return kind.build(similarity, num_labels=num_labels, **{**kind.settings, **checked})


def _check_setting(index: str, setting: str, value: Any) -> int:
    known = INDEXES[index].settings
    if setting not in known:
        raise ValueError(f"settings of the index {index!r} must be among: {', '.join(known) or 'none'} "
                         f"(got {setting!r}){did_you_mean(setting, known)}")  # fmt: skip
    least, most = LIMITS[setting]
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if not least <= number <= most:
        kind = "a positive whole number" if least == 1 else f"a whole number of at least {least}"
        raise ValueError(f"'{setting}' must be {kind}, and at most {most} (got {value!r})")
    return number
