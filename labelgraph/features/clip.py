"""CLIP by transformers, of pictures or of texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from labelgraph.features.encoder import Encoder, check_text, import_package
from labelgraph.features.pictures import open_picture

SIDES = ("image", "text")


class Clip(Encoder):
    """Unit vectors of a CLIP model of transformers; only the half of its side is loaded.

    Args:
        model: A folder that ``save_pretrained`` wrote, or the name of a model in the cache of the hub. Its
            weights must be safetensors.
        side: ``"image"`` or ``"text"``. Longer texts than the model takes are cut.
        allow_download: Ask the hub for what is not in the cache. It is not among the settings: who builds the
            encoder from these works offline.
        device: Of the network.

    Raises:
        ValueError: If there is no such side.
        FileNotFoundError: If the model is not there.
        ImportError: If transformers is not installed.
    """

    name = "clip"

    def __init__(self, model: str | Path, side: str, *, allow_download: bool = False, device: str = "cpu") -> None:
        self.model, self.side = model_name(model), check_side(side)
        self.device = torch.device(device)
        transformers = import_package("transformers", "clip")
        where = {"local_files_only": not allow_download}
        if side == "image":
            kind = transformers.CLIPVisionModelWithProjection
            # Named in transformers 5: its default scales otherwise, wherever torchvision happens to be installed.
            processor = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
        else:
            kind, processor = transformers.CLIPTextModelWithProjection, transformers.AutoTokenizer
        try:
            self._processor = processor.from_pretrained(self.model, **where)
            self._network = kind.from_pretrained(self.model, use_safetensors=True, **where).eval().to(self.device)
        except OSError as error:
            raise FileNotFoundError(f"{self.model}: no such CLIP model here ({error}){HINT}") from error

    @property
    def channels(self) -> int:
        """Size of the common space."""
        return int(self._network.config.projection_dim)

    @property
    def options(self) -> dict[str, Any]:
        """Model and side."""
        return {"model": self.model, "side": self.side}

    def prepare(self, item: str | Path) -> Any:
        """Open a picture as the input of the network; a text stays as it is."""
        if self.side == "text":
            return check_text(item)
        return self._processor(images=open_picture(item), return_tensors="np")["pixel_values"][0]

    @torch.inference_mode()
    def embed(self, prepared: Sequence[Any]) -> np.ndarray:
        """Run the network."""
        if self.side == "image":
            inputs = torch.from_numpy(np.stack(prepared)).to(self.device)
            found = self._network(pixel_values=inputs).image_embeds
        else:
            limit = self._network.config.max_position_embeddings
            tokens = self._processor(
                list(prepared), padding=True, truncation=True, max_length=limit, return_tensors="pt"
            )
            found = self._network(**tokens.to(self.device)).text_embeds
        vectors: np.ndarray = normalize(found.float()).cpu().numpy()
        return vectors


HINT = "; 'allow_download=True' asks the hub for it"


def model_name(model: str | Path) -> str:
    """A folder by its whole path, so that settings hold in another working directory; a name as it is."""
    return str(Path(model).resolve()) if Path(model).exists() else str(model)


def check_side(side: str) -> str:
    """Check the side of an encoder that has both.

    Raises:
        ValueError: If there is no such side.
    """
    if side not in SIDES:
        raise ValueError(f"'side' must be one of {', '.join(SIDES)} (got {side!r})")
    return side
