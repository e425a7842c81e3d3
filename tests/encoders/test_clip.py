"""CLIP by transformers, tiny and random."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("PIL")
import transformers
from PIL import Image

from labelgraph.encoders import Clip, build_encoder

WORDS = ["a", "red", "bird", "blue"]
ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def save_tokenizer(folder):
    """Whole words by merges of their letters, as CLIP's byte pairs do."""
    merges, vocabulary = [], [*ALPHABET, *(letter + "</w>" for letter in ALPHABET)]
    for word in WORDS:
        pieces = [*word[:-1], word[-1] + "</w>"]
        while len(pieces) > 1:
            merges.append(f"{pieces[0]} {pieces[1]}")
            pieces[:2] = [pieces[0] + pieces[1]]
            vocabulary.append(pieces[0])
    vocabulary = [*dict.fromkeys(vocabulary), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *dict.fromkeys(merges)]))
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 6
    tokenizer.save_pretrained(folder)
    return len(vocabulary)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    words = save_tokenizer(folder)
    small = {"hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 1, "num_attention_heads": 2}
    special = {"bos_token_id": words - 2, "eos_token_id": words - 1, "pad_token_id": words - 1}
    text = {**small, **special, "vocab_size": words, "max_position_embeddings": 6}
    vision = {**small, "image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    transformers.CLIPModel(config).eval().save_pretrained(folder)
    size = {"crop_size": {"height": 32, "width": 32}, "size": {"shortest_edge": 32}}
    transformers.CLIPImageProcessor(**size).save_pretrained(folder)
    return folder


def whole(model):
    return transformers.CLIPModel.from_pretrained(model).eval()


def test_texts_are_what_the_whole_model_gives(model):
    texts = ["a red bird", "a bird", "blue"]
    encoder = Clip(model, "text")
    result = encoder.encode(texts)
    assert (encoder.side, encoder.channels, result.shape, result.dtype) == ("text", 12, (3, 12), np.float32)
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-5)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(model)
    for text, row in zip(texts, result, strict=True):
        with torch.inference_mode():
            image = torch.zeros(1, 3, 32, 32)
            alone = whole(model)(pixel_values=image, **tokenizer(text, return_tensors="pt")).text_embeds[0]
        np.testing.assert_allclose(row, alone / alone.norm(), atol=1e-5)


def test_long_texts_are_cut(model):
    encoder = Clip(model, "text")
    assert np.allclose(encoder.encode(["a red bird blue a a a a a"]), encoder.encode(["a red bird blue"]), atol=1e-5)


def test_pictures_are_what_the_whole_model_gives(model, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    encoder = Clip(model, "image")
    result = encoder.encode([tmp_path / "a.png", tmp_path / "a.png"])
    assert (encoder.side, encoder.channels, result.shape, result.dtype) == ("image", 12, (2, 12), np.float32)
    mean, deviation = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    values = torch.tensor((pixels / 255 - mean) / deviation, dtype=torch.float32).permute(2, 0, 1)[None]
    with torch.inference_mode():
        tokens = torch.tensor([[0]])
        alone = whole(model)(pixel_values=values, input_ids=tokens).image_embeds[0]
    np.testing.assert_allclose(result[1], alone / alone.norm(), atol=1e-4)


def test_settings_build_it_again_from_elsewhere(model, monkeypatch, tmp_path):
    monkeypatch.chdir(model.parent)
    encoder = Clip(model.name, "text")
    monkeypatch.chdir(tmp_path)
    again = build_encoder(encoder.settings)
    assert Path(again.settings["model"]) == model.resolve()
    assert np.array_equal(again.encode(["a red bird"]), encoder.encode(["a red bird"]))


def test_what_is_not_there_is_not_downloaded(model):
    with pytest.raises(FileNotFoundError, match=r"nobody/nothing: no such model .*'allow_download=True'"):
        Clip("nobody/nothing", "text")
    with pytest.raises(ValueError, match=r"'side' must be one of image, text \(got 'sound'\)"):
        Clip(model, "sound")


def test_pickled_weights_are_refused(model, tmp_path):
    for path in model.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.save(whole(model).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="no such model"):
        Clip(tmp_path, "text")
