"""CLIP by open_clip, with a stand-in of its interface: the package needs torchvision."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
from PIL import Image

from labelgraph.encoders import OpenClip, build_encoder


class Network(torch.nn.Module):
    def encode_image(self, image):
        return image.mean((2, 3)) @ torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])

    def encode_text(self, tokens):
        return tokens.double()


@pytest.fixture
def created(monkeypatch):
    """What the stand-in was asked to make."""
    asked = []

    def create(architecture, pretrained):
        asked.append((architecture, pretrained))
        transform = lambda picture: torch.tensor(np.asarray(picture)).permute(2, 0, 1).float()  # noqa: E731
        return Network().train(), None, transform

    module = SimpleNamespace(
        get_model_config=lambda name: {"embed_dim": 2} if name == "Tiny" else None,
        create_model_and_transforms=create,
        get_tokenizer=lambda name: lambda texts: torch.tensor([[len(text), text.count("a")] for text in texts]),
    )
    monkeypatch.setitem(sys.modules, "open_clip", module)
    return asked


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"")
    return path


def test_pictures(created, weights, tmp_path):
    Image.new("RGB", (2, 2), (30, 40, 9)).save(tmp_path / "a.png")
    encoder = OpenClip("Tiny", weights, "image")
    result = encoder.encode([tmp_path / "a.png"])
    assert result.dtype == np.float32 and encoder.channels == 2
    np.testing.assert_allclose(result, [[0.6, 0.8]], atol=1e-6)
    assert created == [("Tiny", str(weights.resolve()))] and not encoder._network.training


def test_texts_and_settings(created, weights):
    encoder = build_encoder(OpenClip("Tiny", weights, "text").settings)
    result = encoder.encode(["aaab", "bbb"])
    assert result.dtype == np.float32 and encoder.side == "text"
    np.testing.assert_allclose(result, [[0.8, 0.6], [1, 0]], atol=1e-6)


def test_what_is_not_there_is_not_downloaded(created):
    with pytest.raises(FileNotFoundError, match=r"openai: no such weights; .*'allow_download=True'"):
        OpenClip("Tiny", "openai", "text")
    assert created == []
    OpenClip("Tiny", "openai", "text", allow_download=True)
    assert created == [("Tiny", "openai")]


def test_wrong_arguments_are_refused(created, weights):
    with pytest.raises(ValueError, match=r"'architecture' must be one of .*\(got 'Huge'\)"):
        OpenClip("Huge", weights, "text")
    with pytest.raises(ValueError, match="'side' must be one of image, text"):
        OpenClip("Tiny", weights, "sound")


def test_files_that_may_be_pickles_are_refused(created, tmp_path):
    (tmp_path / "weights.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"'weights' must be a \.safetensors file .*weights\.pt"):
        OpenClip("Tiny", tmp_path / "weights.pt", "text")
