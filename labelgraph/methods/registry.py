"""Methods by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch_geometric.data import Data

from labelgraph.methods.agah import AGAH
from labelgraph.methods.algcn import ALGCN
from labelgraph.methods.base import Method
from labelgraph.methods.dagnn import DAGNN
from labelgraph.methods.expected_relevance import ExpectedRelevance
from labelgraph.methods.gnn_con import IGNNCON, PGNNCON
from labelgraph.methods.model_folder import read_meaning

CONFIGS = Path(__file__).parent / "configs"
METHODS: dict[str, type[Method]] = {
    method.name: method for method in (ALGCN, DAGNN, PGNNCON, IGNNCON, AGAH, ExpectedRelevance)
}


def method_class(name: str) -> type[Method]:
    """The class of a method.

    Raises:
        ValueError: If there is no method of that name.
    """
    if name not in METHODS:
        raise ValueError(f"'method' must be one of {', '.join(sorted(METHODS))} (got {name!r})")
    return METHODS[name]


def build_method(
    name: str, image_channels: int, text_channels: int, graph: Data | None = None, config: Any = None
) -> Method:
    """Build a method by name, with its published parts.

    Args:
        name: Key of ``METHODS``.
        image_channels: Size of the image features.
        text_channels: Size of the text features.
        graph: Label graph, counted on the training items; one without labels needs none.
        config: Instance of the method's ``Config``; its defaults if not given.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import build_method
        >>> type(build_method("algcn", 6, 5, cooccurrence_graph([[1, 1, 0], [0, 0, 1]]))).__name__
        'ALGCN'
    """
    method = method_class(name)
    return method.from_config(config or method.Config(), image_channels, text_channels, graph)


def published_settings(name: str) -> list[Path]:
    """The YAML file of the settings that a method was published with; none for a method of your own.

    Example:
        >>> from labelgraph.methods import published_settings
        >>> [path.name for path in published_settings("algcn")]
        ['algcn.yaml']
    """
    method_class(name)
    path = CONFIGS / f"{name}.yaml"
    return [path] if path.is_file() else []


def load_method(folder: str | Path) -> Method:
    """Read a saved method of any kind, in evaluation mode.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If it is damaged, of an unknown method or of another version.
    """
    meaning = read_meaning(Path(folder))
    return method_class(str(meaning.get("method"))).from_pretrained(folder)
