"""Encoders by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelgraph._core.lazy import LazyTable

if TYPE_CHECKING:
    from labelgraph.encoders.encoder import Encoder

ENCODERS: LazyTable[type[Encoder]] = LazyTable({
    "bag-of-words": "labelgraph.encoders.bag_of_words:BagOfWords",
    "clip": "labelgraph.encoders.clip:Clip",
    "efficientnet-lite0": "labelgraph.encoders.efficientnet:EfficientNetLite0",
    "open-clip": "labelgraph.encoders.open_clip:OpenClip",
    "sentence-transformers": "labelgraph.encoders.sentence:SentenceEncoder",
})  # fmt: skip


def build_encoder(settings: Mapping[str, Any], device: str = "cpu") -> Encoder:
    """Build an encoder from its settings, such as ``CrossModalData.encoders["text"]``.

    Args:
        settings: The name of the ``encoder``, and what it takes.
        device: Of its network, if it has one.

    Raises:
        ValueError: If there is no such encoder, or it does not take these settings.
        ImportError: If it needs a package that is not installed.

    Example:
        >>> from labelgraph import load_openclipart
        >>> from labelgraph.encoders import build_encoder
        >>> encoder = build_encoder(load_openclipart().encoders["text"])
        >>> [encoder.vocabulary[column] for column in encoder.encode(["a red flag"]).indices]
        ['flag', 'red']
    """
    options = dict(settings)
    name = options.pop("encoder", None)
    if name not in ENCODERS:
        near = difflib.get_close_matches(str(name), ENCODERS, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"'encoder' must be one of {', '.join(sorted(ENCODERS))} (got {name!r}){meant}")
    try:
        return ENCODERS[name].from_options(options, device)
    except TypeError as error:
        raise ValueError(
            f"'settings' must be those of {name!r} (got {', '.join(options) or 'none'}: {error})"
        ) from error
