"""The similarity of a batch's items against loops."""

from math import sqrt

import pytest
import torch

from labelgraph.nn import fused_similarity


def dot(a, b):
    return sum(p * q for p, q in zip(a, b, strict=True))


def cosine(a, b):
    length = sqrt(dot(a, a)) * sqrt(dot(b, b))
    return dot(a, b) / length if length else 0.0


def slow(image, text, eta=0.5, beta=0.2, lam=0.3, mu=1.4):
    image, text = image.tolist(), text.tolist()
    size = range(len(image))
    by_image = [[2 * cosine(image[a], image[b]) - 1 for b in size] for a in size]
    signs = [[(cosine(text[a], text[b]) > 0) - (cosine(text[a], text[b]) < 0) for b in size] for a in size]
    by_text = [[2 * sign - 1 for sign in row] for row in signs]
    fused = [
        [mu * (eta * by_image[a][b] + beta * by_text[a][b] + lam * cosine(by_image[a], by_text[b])) for b in size]
        for a in size
    ]
    return torch.tensor(fused, dtype=torch.float64)


def case(size=6, signed=False):
    """Features of either sign and bags of words, some without a word, or texts of either sign."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(size, 4, generator=generator, dtype=torch.float64)
    if signed:
        return image, torch.randn(size, 3, generator=generator, dtype=torch.float64)
    text = (torch.rand(size, 7, generator=generator) < 0.3).double() * 2
    text[size // 2] = 0
    text[-1] = 0
    return image, text


@pytest.mark.parametrize("size", [6, 2, 1])
@pytest.mark.parametrize("signed", [False, True])
def test_against_loops(size, signed):
    image, text = case(size, signed)
    torch.testing.assert_close(fused_similarity(image, text), slow(image, text))


def test_weights():
    image, text = case()
    fused = fused_similarity(image, text, image_weight=0.7, text_weight=-0.4, cross_weight=1.3, scale=0.6)
    torch.testing.assert_close(fused, slow(image, text, 0.7, -0.4, 1.3, 0.6))


@pytest.mark.parametrize("name", ["image_weight", "text_weight", "cross_weight"])
def test_every_part_alone(name):
    image, text = case()
    weights = {"image_weight": 0.0, "text_weight": 0.0, "cross_weight": 0.0} | {name: 0.8}
    expected = slow(image, text, *weights.values())
    torch.testing.assert_close(fused_similarity(image, text, **weights), expected)
    assert expected.any()


def test_both_modalities_meet_with_images_in_rows():
    """It is directed: which images are like those of a, for the texts that are like that of b."""
    image, text = case()
    fused = fused_similarity(image, text)
    assert not torch.allclose(fused, fused.t())
    assert torch.allclose(
        fused_similarity(image, text, cross_weight=0), fused_similarity(image, text, cross_weight=0).t()
    )


def test_texts_without_words_are_like_none():
    image, text = case()
    assert not text[3].any() and not text[5].any() and text[0].any()
    by_text = fused_similarity(image, text, image_weight=0, text_weight=1, cross_weight=0, scale=1)
    assert torch.equal(by_text[3], torch.full((6,), -1.0).double()) and torch.equal(by_text[:, 3], by_text[3])
    assert by_text[0, 0] == 1


def test_nothing_at_all_is_finite():
    fused = fused_similarity(torch.zeros(3, 4), torch.zeros(3, 5))
    torch.testing.assert_close(fused, torch.full((3, 3), 1.4 * (-0.5 - 0.2 + 0.3)))


def test_the_lengths_of_features_do_not_matter():
    image, text = case()
    scales = torch.linspace(0.1, 9, 6).double().unsqueeze(1)
    torch.testing.assert_close(fused_similarity(scales * image, text * scales), fused_similarity(image, text))
