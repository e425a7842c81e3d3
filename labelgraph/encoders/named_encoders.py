"""Encoders by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from labelgraph.encoders.bag_of_words import BagOfWords
from labelgraph.encoders.clip import Clip
from labelgraph.encoders.efficientnet import EfficientNetLite0
from labelgraph.encoders.encoder import Encoder
from labelgraph.encoders.open_clip import OpenClip
from labelgraph.encoders.sentence import SentenceEncoder

ENCODERS: dict[str, type[Encoder]] = {
    encoder.name: encoder for encoder in (BagOfWords, Clip, EfficientNetLite0, OpenClip, SentenceEncoder)
}


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
