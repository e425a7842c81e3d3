"""CLIP encoder of pictures or texts, with the package transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from labelgraph._core.argument_kinds import check_kind
from labelgraph._core.devices import as_device
from labelgraph._core.names import SIDES
from labelgraph.encoders.encoder import Encoder, Item, check_text, import_package
from labelgraph.encoders.pictures import open_picture


class Clip(Encoder):
    """Unit vectors of a CLIP model of transformers; only the network of one side is kept in memory.

    Args:
        model: A folder that ``save_pretrained`` wrote, or the name of a model in the cache of the hub. The
            weights must be in safetensors format.
        side: ``"image"`` or ``"text"``. Texts over the length limit of the model are truncated.
        allow_download: Download missing files from the hub. This option is not part of the settings, so that building
            the encoder from its settings works offline.
        device: Device of the network.

    Raises:
        ValueError: If ``side`` is unknown.
        FileNotFoundError: If the model is not found.
        ImportError: If transformers is not installed.
    """

    name = "clip"

    def __init__(self, model: str | Path, side: str, *, allow_download: bool = False, device: str = "cpu") -> None:
        self.model, self.side = model_name(model), check_side(side)
        self.device = as_device(device)
        transformers = import_package("transformers", "clip")
        where = {"local_files_only": not allow_download}
        if side == "image":
            # In transformers 5, the default class scales differently if torchvision is installed.
            processor = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
        else:
            processor = transformers.AutoTokenizer
        try:
            with no_bar():
                self._processor = processor.from_pretrained(self.model, **where)
                # Load both sides: classes of one side do not always find the size of the common space.
                whole = transformers.CLIPModel.from_pretrained(self.model, use_safetensors=True, **where)
        except OSError as error:
            raise not_here(self.model, error) from error
        if side == "image":
            network, projection = whole.vision_model, whole.visual_projection
        else:
            network, projection = whole.text_model, whole.text_projection
        self._network, self._projection = network.eval().to(self.device), projection.eval().to(self.device)

    @property
    def channels(self) -> int:
        """Dimension of the common embedding space."""
        return int(self._projection.out_features)

    @property
    def options(self) -> dict[str, Any]:
        """Model and side."""
        return {"model": self.model, "side": self.side}

    def prepare(self, item: Item) -> Any:
        """Open a picture as the input of the network; a text stays as it is."""
        if self.side == "text":
            return check_text(item)
        return self._processor(images=open_picture(item), return_tensors="np")["pixel_values"][0]

    @torch.inference_mode()
    def embed(self, prepared: Sequence[Any]) -> np.ndarray:
        """Run the network."""
        if self.side == "image":
            inputs = torch.from_numpy(np.stack(prepared)).to(self.device)
            output = self._network(pixel_values=inputs)
        else:
            limit = self._network.config.max_position_embeddings
            tokens = self._processor(
                list(prepared), padding=True, truncation=True, max_length=limit, return_tensors="pt"
            )
            output = self._network(**tokens.to(self.device))
        vectors: np.ndarray = normalize(self._projection(output.pooler_output).float()).cpu().numpy()
        return vectors


@contextmanager
def no_bar() -> Iterator[None]:
    """Hide the progress bar of transformers while a model loads."""
    logging = import_package("transformers.utils.logging", "clip")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def not_here(model: str, error: OSError) -> FileNotFoundError:
    """The error for a model that cannot be loaded."""
    reason = str(error).partition("\n")[0]
    return FileNotFoundError(
        f"{model}: no such model on this machine ({reason}); set 'allow_download=True' to download it"
    )


def model_name(model: str | Path) -> str:
    """The absolute path of a folder, so that settings work in any working directory; a name is unchanged."""
    check_kind("model", model, (str, Path), "a folder or the name of a model")
    return str(Path(model).resolve()) if Path(model).exists() else str(model)


def check_side(side: str) -> str:
    """Check the side of an encoder for both sides.

    Raises:
        ValueError: If ``side`` is unknown.
    """
    if side not in SIDES:
        raise ValueError(f"'side' must be one of {', '.join(SIDES)} (got {side!r})")
    return side
