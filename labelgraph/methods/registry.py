"""Registry of the methods by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelgraph._core.argument_kinds import received
from labelgraph._core.checked_config import PositiveInt, check_value
from labelgraph._core.lazy import LazyTable
from labelgraph._core.manifest import FolderFormat
from labelgraph._core.names import check_name
from labelgraph._core.reading import refusing
from labelgraph.methods import configs

if TYPE_CHECKING:
    import torch
    from torch_geometric.data import Data

    from labelgraph._core.versions import Version
    from labelgraph.methods.base import Method

MODEL_FORMAT = FolderFormat("model.json", "labelgraph model", 3)
METHODS: LazyTable[type[Method]] = LazyTable({
    "algcn": "labelgraph.methods.algcn:ALGCN",
    "dagnn": "labelgraph.methods.dagnn:DAGNN",
    "p-gnn-con": "labelgraph.methods.gnn_con:PGNNCON",
    "i-gnn-con": "labelgraph.methods.gnn_con:IGNNCON",
    "agah": "labelgraph.methods.agah:AGAH",
    "expected-relevance": "labelgraph.methods.expected_relevance:ExpectedRelevance",
})  # fmt: skip
# Settings of the methods, which are available without PyTorch.
CONFIGS: Mapping[str, type] = {
    "algcn": configs.ALGCNConfig,
    "dagnn": configs.DAGNNConfig,
    "p-gnn-con": configs.PGNNCONConfig,
    "i-gnn-con": configs.IGNNCONConfig,
    "agah": configs.AGAHConfig,
    "expected-relevance": configs.ExpectedRelevanceConfig,
}


@dataclass(frozen=True)
class MethodFacts:
    """Properties of a method that are available before its class is imported.

    Args:
        Config: Class of its settings.
        generates: Whether the method generates missing sides, and is therefore trained in two stages.
    """

    Config: type
    generates: bool


def method_facts(name: str) -> MethodFacts:
    """Return the properties of a method. For the methods of this library, PyTorch is not imported.

    Raises:
        ValueError: If no method has this name.

    Example:
        >>> from labelgraph.methods.registry import method_facts
        >>> method_facts("dagnn").Config.__name__, method_facts("dagnn").generates
        ('DAGNNConfig', True)
    """
    check_name("method", name, sorted(METHODS))
    if METHODS.is_loaded(name):
        return MethodFacts(METHODS[name].Config, METHODS[name].generates)
    return MethodFacts(CONFIGS[name], "stage2" in CONFIGS[name].training)  # type: ignore[attr-defined]


def method_class(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        ValueError: If no method has this name.
    """
    check_name("method", name, sorted(METHODS))
    return METHODS[name]


def build_method(
    name: str,
    image_channels: int,
    text_channels: int,
    graph: Data | None = None,
    config: Any = None,
    **settings: Any,
) -> Method:
    """Build a method by name, with its published parts.

    Args:
        name: Key of ``METHODS``.
        image_channels: Size of the image features.
        text_channels: Size of the text features.
        graph: Label graph of the training items. A method that does not read labels needs no graph.
        config: Instance of the method's ``Config``. Defaults to the published settings.
        **settings: Single fields of the config to change.

    Raises:
        ValueError: If the method or a setting is unknown, a value is out of range, or ``config`` belongs to another
            method.

    Example:
        >>> from labelgraph.graph import cooccurrence_graph
        >>> from labelgraph.methods import build_method
        >>> method = build_method("algcn", 6, 5, cooccurrence_graph([[1, 1, 0], [0, 0, 1]]), alpha=0.3)
        >>> type(method).__name__, method.config.alpha
        ('ALGCN', 0.3)
    """
    cls = method_class(name)
    for argument, value in (("image_channels", image_channels), ("text_channels", text_channels)):
        check_value(argument, value, PositiveInt)
    return cls.from_config(method_config(cls, config, settings), image_channels, text_channels, graph)


def method_config(
    method: type[Method], config: Any = None, settings: Mapping[str, Any] | None = None, argument: str = "config"
) -> Any:
    """Return the config of a method with single settings changed. ``config`` defaults to the published settings.

    Messages call the config by the name of the ``argument``.

    Raises:
        ValueError: If ``config`` belongs to another method, or a setting is unknown or out of range.
    """
    if config is None:
        config = method.Config()
    elif type(config) is not method.Config:
        raise ValueError(
            f"'{argument}' must be a {method.Config.__name__} for {method.name!r} (got {received(config)})"
        )
    for setting in settings or {}:
        check_name("setting", setting, [field.name for field in fields(config)])
    return replace(config, **settings) if settings else config


def load_method(
    folder: str | Path, device: str | torch.device = "cpu", *, revision: str | None = None, token: str | None = None
) -> Method:
    """Load any saved method, in evaluation mode.

    Args:
        folder: Folder that `Method.save_pretrained` wrote, or ``hf://user/model`` for a model on the Hugging Face Hub.
            Nothing is downloaded without ``hf://``.
        device: Device of the parameters.
        revision: Branch, tag or commit of a model on the Hub. Defaults to its main branch.
        token: Access token of the Hub. Defaults to the one of ``hf auth login``, or of ``HF_TOKEN``.

    Raises:
        FileNotFoundError: If the folder or the repository has no model.
        ConnectionError: If the Hub cannot be reached, and the model is not in its cache.
        ImportError: If huggingface_hub is not installed, for a model on the Hub.
        ValueError: If the model is damaged, or has an unknown method or another format version, or the device is
            unknown or not there.
    """
    from labelgraph._core.devices import as_device
    from labelgraph._core.versions import open_version
    from labelgraph.methods.hub import local_folder

    device = as_device(device)
    with local_folder(folder, revision, token) as local, open_version(local, MODEL_FORMAT) as version:
        method = read_method(version)
    method._source = Path(folder)
    return method.to(device)


def read_method(version: Version) -> Method:
    """Read any method that `Method.write` added to a version of a folder.

    Raises:
        ValueError: If the model is damaged or its method is unknown.
    """
    name = version.entries.get("method")
    with refusing(version.folder / MODEL_FORMAT.manifest, "a method of this library"):
        cls = method_class(str(name))
    return cls.read(version)
