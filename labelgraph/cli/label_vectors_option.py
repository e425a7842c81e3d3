"""What labels start from, where `--label-vectors` gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labelgraph.cli.common import note
from labelgraph.encoders import label_name_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor


def label_vectors(source: str | None, config: Any, label_names: Sequence[str], quiet: bool) -> Tensor | None:
    """Embeddings of the label names, where they are asked for; names without any are told.

    Args:
        source: What `label_name_vectors` takes.
        config: Of the method, whose ``label_embedding`` is ``given`` for such embeddings.
        label_names: Of the data.
        quiet: Tell nothing.

    Raises:
        ValueError: If there is a source and no such setting, or the reverse, or the source cannot be read.
        FileNotFoundError: If there is no such file.
        ImportError: If the sentence encoder is asked for and not installed.
    """
    kind = getattr(config, "label_embedding", None)
    if (kind == "given") != (source is not None):
        raise ValueError(
            "'--label-vectors' and model.label_embedding=given need each other (got one alone: 'model.label_embedding' "
            f"is {kind!r})"
        )
    if source is None:
        return None
    vectors, missing = label_name_vectors(source, label_names)
    if missing and not quiet:
        listed = ", ".join(map(repr, missing[:10])) + (", ..." if len(missing) > 10 else "")
        note(f"{source} has no vectors of {len(missing)} of {len(label_names)} labels, which are zero then: {listed}")
    return vectors
