"""CLIP encoder of pictures or texts, with the package open_clip."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from labelgraph._core.devices import as_device
from labelgraph.encoders.clip import check_side, model_name
from labelgraph.encoders.encoder import Encoder, Item, check_text, import_package
from labelgraph.encoders.pictures import open_picture


class OpenClip(Encoder):
    """Unit vectors of a CLIP model of open_clip.

    Args:
        architecture: Name of the architecture in open_clip, such as ``"ViT-B-32"``.
        weights: A ``.safetensors`` file; or, with ``allow_download``, a tag such as ``"laion2b_s34b_b79k"``.
        side: ``"image"`` or ``"text"``. Texts over the length limit of the model are truncated.
        allow_download: Let open_clip download the weights of a tag; it uses the cache of the hub first.
        device: Device of the network.

    Raises:
        ValueError: If ``side`` or ``architecture`` is unknown, or ``weights`` is not a ``.safetensors`` file (others
            are pickles).
        FileNotFoundError: If ``weights`` is not a file and downloads are not allowed.
        ImportError: If open_clip is not installed.
    """

    name = "open-clip"

    def __init__(
        self, architecture: str, weights: str | Path, side: str, *, allow_download: bool = False, device: str = "cpu"
    ) -> None:
        self.architecture, self.weights, self.side = architecture, model_name(weights), check_side(side)
        self.device = as_device(device)
        open_clip = import_package("open_clip", "open-clip")
        config = open_clip.get_model_config(architecture)
        if config is None:
            raise ValueError(f"'architecture' must be one of 'open_clip.list_models()' (got {architecture!r})")
        if Path(self.weights).is_file() and Path(self.weights).suffix != ".safetensors":
            raise ValueError(f"'weights' must be a .safetensors file (got {self.weights}); convert it first")
        if not Path(self.weights).is_file() and not allow_download:
            raise FileNotFoundError(
                f"{self.weights}: no such weights; set 'allow_download=True' to download the weights of a tag"
            )
        self._channels = int(config["embed_dim"])
        network, _, self._transform = open_clip.create_model_and_transforms(architecture, pretrained=self.weights)
        self._network = network.eval().to(self.device)
        self._tokenizer = open_clip.get_tokenizer(architecture) if side == "text" else None

    @property
    def channels(self) -> int:
        """Dimension of the common embedding space."""
        return self._channels

    @property
    def options(self) -> dict[str, Any]:
        """Architecture, weights and side."""
        return {"architecture": self.architecture, "weights": self.weights, "side": self.side}

    def prepare(self, item: Item) -> Any:
        """Open a picture as the input of the network; a text stays as it is."""
        return check_text(item) if self.side == "text" else self._transform(open_picture(item))

    @torch.inference_mode()
    def embed(self, prepared: Sequence[Any]) -> np.ndarray:
        """Run the network."""
        if self._tokenizer is None:
            output = self._network.encode_image(torch.stack(list(prepared)).to(self.device))
        else:
            output = self._network.encode_text(self._tokenizer(list(prepared)).to(self.device))
        vectors: np.ndarray = normalize(output.float()).cpu().numpy()
        return vectors
