"""Labels without training items, placed among the trained labels by the vectors of their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.checks import check_features
from labelgraph._core.reading import reading
from labelgraph._core.similarity import unit_length
from labelgraph.encoders.word_vectors import SENTENCE, encode_label_names, label_name_vectors
from labelgraph.methods.model_folder import StoredGraph

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from labelgraph.methods.base import Method

NEAREST = 5  # Labels by which a label is placed.
REFERENCES = 5  # Trained labels whose names check that vectors come from the encoder of the label vectors.
LEAST_COSINE = 0.9  # Of the vectors of a reference; float16 and the case of letters change vectors a little.


@dataclass(frozen=True)
class LabelPlacement:
    """The place of a label among the trained labels of a method.

    Args:
        name: The label.
        nearest: The nearest trained labels, with the positive cosines of their names; empty if there are none.
        known: Whether the text encoder of the method knows a word of the label.

    Example:
        >>> from labelgraph.methods.label_placement import LabelPlacement
        >>> print(LabelPlacement("ladybug", (("insect", 0.71), ("bug", 0.69)), True))
        ladybug: not a trained label; nearest labels: insect .71, bug .69; also searched as a word of texts
    """

    name: str
    nearest: tuple[tuple[str, float], ...]
    known: bool = False

    @classmethod
    def of(cls, name: str, weights: Tensor, label_names: Sequence[str], known: bool = False) -> LabelPlacement:
        """Return the placement by weights of the labels (C,), of `placement_weights`."""
        order = weights.argsort(descending=True)[: int((weights > 0).sum())].tolist()
        return cls(name, tuple((label_names[label], float(weights[label])) for label in order), known)

    def __str__(self) -> str:
        parts = [f"{self.name}: not a trained label"]
        if self.nearest:
            shown = ", ".join(f"{name} {cosine:.2f}".replace(" 0.", " .") for name, cosine in self.nearest)
            parts.append(f"nearest labels: {shown}")
        if self.known:
            parts.append("also searched as a word of texts" if self.nearest else "searched as a word of texts")
        return "; ".join(parts)


def trained_labels(graph: Data | StoredGraph) -> Tensor:
    """Return which labels of a label graph have training items, bool, (C,); all of them, if the graph has no counts."""
    count = graph.get("count")
    if count is None or not int(graph.num_samples):
        return torch.ones(int(graph.num_nodes or 0), dtype=torch.bool)
    trained: Tensor = count.cpu() > 0
    return trained


def placing_edges(graph: Data | StoredGraph) -> Tensor:
    """Return which edges lead from a label with training items to a label without, bool, (E,)."""
    trained = trained_labels(graph)
    if trained.all():
        return torch.zeros(0, dtype=torch.bool)
    source, target = graph["edge_index"].cpu()
    return trained[source] & ~trained[target]


def graph_probabilities(probabilities: Tensor, graph: Data | StoredGraph) -> Tensor:
    r"""Give labels without training items the mean probability of their trained neighbours in the label graph.

    .. math:: p_i = \frac{\sum_j w_{ij} p_j}{\sum_j w_{ij}}

    over the edges :math:`j \to i` from labels :math:`j` with training items. All other labels, and labels without such
    edges, keep their probabilities.

    Args:
        probabilities: Probabilities of the labels, shape (N, C).
        graph: Label graph, such as a co-occurrence graph merged with a `labelgraph.graph.meaning_graph`.

    Returns:
        Shape (N, C).

    Example:
        >>> import torch
        >>> from labelgraph.graph import cooccurrence_graph, meaning_graph, merge_graphs
        >>> from labelgraph.methods.label_placement import graph_probabilities
        >>> names = ["cat", "car", "kitten"]  # No item is a kitten.
        >>> alike = meaning_graph(names, [[1.0, 0.0], [0.0, 1.0], [0.8, 0.6]])
        >>> graph = merge_graphs(cooccurrence_graph([[1, 0, 0], [0, 1, 0]], names), alike)
        >>> graph_probabilities(torch.tensor([[0.9, 0.2, 0.0]]), graph)  # (0.8 * 0.9 + 0.6 * 0.2) / 1.4
        tensor([[0.9000, 0.2000, 0.6000]])
    """
    trained, used = trained_labels(graph), placing_edges(graph)
    if not used.any():
        return probabilities
    source, target = graph["edge_index"].cpu()
    stored = graph.get("edge_weight")
    weight = torch.ones(int(used.sum())) if stored is None else stored.detach().cpu()[used]
    weight, device = weight.to(probabilities), probabilities.device
    source, target = source[used].to(device), target[used].to(device)
    total = probabilities.new_zeros(len(trained)).index_add(0, target, weight)
    sums = torch.zeros_like(probabilities).index_add(1, target, probabilities[:, source] * weight)
    return torch.where(total > 0, sums / total.clamp(min=torch.finfo(total.dtype).tiny), probabilities)


def placement_weights(method: Method, vectors: Tensor, k: int = NEAREST) -> Tensor:
    """Compute the cosines of names with their nearest trained labels; other entries and negative cosines are 0.

    Args:
        method: A method with label vectors.
        vectors: Vectors of the names, shape (N, F).
        k: Number of nearest labels.

    Returns:
        Shape (N, C), float32.
    """
    if method.label_vectors is None:
        raise ValueError("'method' must have label vectors (got none, because its training data have none)")
    cosine = unit_length(vectors.float()) @ method.label_vectors.float().t()
    cosine = cosine.clamp(0, 1).masked_fill(~trained_labels(label_graph(method)), 0)
    value, label = cosine.topk(min(k, cosine.shape[1]))
    return torch.zeros_like(cosine).scatter(1, label, value)


def name_vectors(method: Method, names: Sequence[str], vectors: Any = None) -> Tensor:
    """Return vectors of names in the space of the label vectors of a method, shape (N, F); zero for unknown words.

    Args:
        method: A method with label vectors.
        names: The names.
        vectors: A matrix (N, F); a ``.npy`` file with one; a file of word vectors, see
            `labelgraph.encoders.read_label_vectors`; a sentence encoder, or a function from a list of texts to a
            matrix; or ``"sentence"``, the packaged model, the default. With the last three, a label of the method
            keeps its vector.

    Raises:
        ValueError: If the vectors do not match the names, or differ from the label vectors for trained labels.
        FileNotFoundError: If the file does not exist.
        ImportError: If the sentence encoder is needed but not installed.
    """
    own = method.label_vectors
    if own is None:
        raise ValueError("'method' must have label vectors (got none, because its training data have none)")
    matrix = _given(names, vectors)
    if matrix is None:
        held = dict(zip(label_graph(method).label_names, own.float(), strict=True))
        others = [name for name in names if name not in held]
        encoded = _encoded_like(method, others, vectors) if others else own[:0].float()
        found = held | dict(zip(others, encoded, strict=True))
        return torch.stack([found[name] for name in names])
    if matrix.shape[1] != own.shape[1]:
        raise ValueError(f"'vectors' must have the width {own.shape[1]} of the label vectors (got {matrix.shape[1]})")
    return matrix


def _given(names: Sequence[str], vectors: Any) -> Tensor | None:
    """Return vectors that are given as a matrix, or None."""
    if isinstance(vectors, str | Path) and Path(vectors).suffix.lower() == ".npy":
        with reading(Path(vectors), "vectors of labels"):
            vectors = np.atleast_2d(np.load(vectors, allow_pickle=False))
    elif vectors is None or isinstance(vectors, str | Path) or callable(getattr(vectors, "encode", vectors)):
        return None
    matrix = check_features("vectors", vectors)
    dense: Tensor = matrix if isinstance(matrix, Tensor) else torch.from_numpy(matrix.toarray())
    if len(dense) != len(names):
        raise ValueError(f"'vectors' must have a row for each of {len(names)} labels (got {len(dense)})")
    return dense.float()


def _encoded_like(method: Method, names: Sequence[str], source: Any) -> Tensor:
    """Encode names, after a check that the source gives trained labels the vectors that the method has."""
    graph = label_graph(method)
    own = cast(Tensor, method.label_vectors)
    trained = (trained_labels(graph) & own.any(1)).nonzero().flatten()[:REFERENCES]
    references = [graph.label_names[label] for label in trained.tolist()]
    if source is None or isinstance(source, str | Path):
        matrix = label_name_vectors(source or SENTENCE, [*names, *references]).vectors
    else:
        matrix = encode_label_names([*names, *references], getattr(source, "encode", source))
    new, again = matrix[: len(names)], matrix[len(names) :]
    same = matrix.shape[1] == own.shape[1]
    if same and again.any():
        cosine = (unit_length(again) * own[trained].float()).sum(1)[again.any(1)]
        same = bool(cosine.mean() >= LEAST_COSINE)
    if not same:
        raise ValueError(
            f"'vectors' must come from the encoder of the label vectors, of width {own.shape[1]} (got other vectors of "
            f"{', '.join(references)}, of width {matrix.shape[1]})"
        )
    return new


def label_graph(method: Method) -> Any:
    """Return the label graph of a method with label vectors."""
    return method._graph
