"""Encoders by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.lazy import LazyTable
from labelgraph._core.reading import one_line, quoted

if TYPE_CHECKING:
    from labelgraph.encoders.encoder import Encoder

ENCODERS: LazyTable[type[Encoder]] = LazyTable({
    "bag-of-words": "labelgraph.encoders.bag_of_words:BagOfWords",
    "clip": "labelgraph.encoders.clip:Clip",
    "efficientnet-lite0": "labelgraph.encoders.efficientnet:EfficientNetLite0",
    "open-clip": "labelgraph.encoders.open_clip:OpenClip",
    "sentence-transformers": "labelgraph.encoders.sentence:SentenceEncoder",
})  # fmt: skip


def build_encoder(
    settings: str | Mapping[str, Any], device: str = "cpu", *, allow_download: bool = False, **options: Any
) -> Encoder:
    """Build an encoder from its settings, such as ``CrossModalData.encoders["text"]``.

    Args:
        settings: The name of an encoder, or a mapping with its name as ``encoder`` and its options.
        device: Device of the network, if the encoder has one.
        allow_download: Let the encoder download a missing model. This is an argument and not a setting, so that stored
            data and models cannot cause a download.
        options: Further settings, such as ``framing="drawing"``.

    Raises:
        ValueError: If the encoder is unknown, or does not accept the settings.
        ImportError: If the encoder needs a package that is not installed.

    Example:
        >>> from labelgraph import load_openclipart
        >>> from labelgraph.encoders import build_encoder
        >>> encoder = build_encoder(load_openclipart().encoders["text"])
        >>> [encoder.vocabulary[column] for column in encoder.encode(["a red flag"]).indices]
        ['flag', 'red']
        >>> build_encoder("efficientnet-lite0", framing="drawing")
        EfficientNetLite0(image, 1280 channels)
    """
    check_kind("settings", settings, (str, Mapping), "the name of an encoder, or a mapping with it as 'encoder'")
    values = {"encoder": settings} if isinstance(settings, str) else dict(settings)
    options = {**values, **options}
    name = options.pop("encoder", None)
    if "allow_download" in options:
        raise ValueError("'settings' must not have 'allow_download' (got it); it is an argument of build_encoder")
    if not isinstance(name, str) or name not in ENCODERS:
        near = difflib.get_close_matches(str(name), ENCODERS, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"'encoder' must be one of {', '.join(sorted(ENCODERS))} (got {quoted(name, 60)}){meant}")
    if allow_download:
        options["allow_download"] = True
    try:
        return ENCODERS[name].from_options(options, device)
    except (TypeError, AttributeError, KeyError, RecursionError) as error:
        got = f"{one_line(', '.join(map(str, options))) or 'none'}: {one_line(error)}"
        raise ValueError(f"'settings' must be those of {name!r} (got {got})") from error
