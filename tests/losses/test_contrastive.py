"""The contrastive loss against a loop."""

from math import exp, log, sqrt

import pytest
import torch

from labelgraph.losses import contrastive_loss


def case(size=6, channels=4, num_labels=3):
    """Two items are of labels that no other has, one has none, several share one or more."""
    generator = torch.Generator().manual_seed(0)
    image, text = (torch.randn(size, channels, generator=generator, dtype=torch.float64) for _ in range(2))
    labels = (torch.rand(size, num_labels, generator=generator) < 0.5).double()
    if size > 4:
        labels = torch.cat([labels, torch.zeros(size, 1)], 1)
        labels[1], labels[4] = 0, torch.tensor([0.0] * num_labels + [1.0])
    return image, text, labels


def cosine(a, b):
    length = sqrt(sum(p * p for p in a)) * sqrt(sum(q * q for q in b))
    return sum(p * q for p, q in zip(a, b, strict=True)) / length


def term(left, right, labels, temperature, itself):
    """The mean log-likelihood of one direction."""
    size, total = range(len(left)), 0.0
    for i in size:
        similarity = [cosine(left[i], right[k]) / temperature for k in size]
        denominator = log(sum(exp(1.06 * s) for s in similarity))
        partners = [
            j for j in size if (itself or j != i) and any(p and q for p, q in zip(labels[i], labels[j], strict=True))
        ]
        for j in partners:
            total += (similarity[j] - denominator) / len(partners)
    return total / len(left)


def slow(image, text, labels, temperature=0.22, intra_weight=0.14):
    v, t, y = image.tolist(), text.tolist(), labels.tolist()
    inter = term(v, t, y, temperature, True) + term(t, v, y, temperature, True)
    intra = term(v, v, y, temperature, False) + term(t, t, y, temperature, False)
    return -inter - intra_weight * intra


@pytest.mark.parametrize("size", [6, 5, 2, 1])
@pytest.mark.parametrize(("temperature", "intra_weight"), [(0.22, 0.14), (0.5, 0.0), (1.3, 2.0)])
def test_against_a_loop(size, temperature, intra_weight):
    arguments = (*case(size), temperature, intra_weight)
    assert contrastive_loss(*arguments).item() == pytest.approx(slow(*arguments))
    if size > 2:
        assert slow(*case(size), temperature, intra_weight + 1) != pytest.approx(slow(*arguments))


def test_the_defaults_are_as_published():
    assert contrastive_loss(*case()).item() == pytest.approx(slow(*case(), 0.22, 0.14))


def test_one_label_that_all_share():
    image, text, _ = case()
    labels = torch.ones(6, 1).double()
    assert contrastive_loss(image, text, labels).item() == pytest.approx(slow(image, text, labels))


def test_sharing_two_labels_counts_as_sharing_one():
    image, text, _ = case()
    labels = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 0, 1], [0, 0, 1], [0, 1, 1], [1, 1, 1]]).double()
    assert ((labels @ labels.t()).unique() > 1).any()
    assert contrastive_loss(image, text, labels).item() == pytest.approx(slow(image, text, labels))


def test_items_without_partners_add_nothing_within_a_modality():
    image, text, _ = case()
    labels = torch.eye(6).double()
    without = contrastive_loss(image, text, labels, intra_weight=0.0)
    assert contrastive_loss(image, text, labels, intra_weight=5.0).item() == without.item()
    assert without.item() == pytest.approx(slow(image, text, labels, intra_weight=0.0))


def test_an_item_without_labels_still_stands_in_the_denominators():
    image, text, labels = case()
    rest = [0, 2, 3, 4, 5]
    loss = contrastive_loss(image, text, labels)
    assert not labels[1].any()
    assert loss.item() != pytest.approx(5 / 6 * contrastive_loss(image[rest], text[rest], labels[rest]).item())
    assert loss.item() == pytest.approx(slow(image, text, labels))


def test_no_labels_at_all():
    image, text, labels = case()
    image.requires_grad_()
    loss = contrastive_loss(image, text, 0 * labels)
    loss.backward()
    assert loss == 0 and torch.isfinite(image.grad).all()


def test_one_item():
    """Its only term is the similarity to itself, less its sharpened similarity."""
    image, text = torch.tensor([[3.0, 4.0]]).double(), torch.tensor([[2.0, 0.0]]).double()
    assert contrastive_loss(image, text, torch.ones(1, 2).double(), 0.5).item() == pytest.approx(2 * 0.06 * 0.6 / 0.5)


def test_symmetric_in_the_modalities_and_free_of_lengths():
    image, text, labels = case()
    loss = contrastive_loss(image, text, labels).item()
    assert contrastive_loss(text, image, labels).item() == pytest.approx(loss)
    scales = torch.linspace(0.1, 9, 6).double().unsqueeze(1)
    assert contrastive_loss(scales * image, text / scales, labels).item() == pytest.approx(loss)


def test_zero_embeddings_and_small_temperatures_are_finite():
    image, text, labels = case()
    image[2], text[2], text[4] = 0, 0, 0
    image.requires_grad_(), text.requires_grad_()
    for temperature in (0.22, 1e-4):
        loss = contrastive_loss(image, text, labels, temperature)
        gradients = torch.autograd.grad(loss, (image, text))
        assert torch.isfinite(loss) and all(torch.isfinite(gradient).all() for gradient in gradients)


def test_gradient():
    image, text, labels = case()
    inputs = (image.requires_grad_(), text.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: contrastive_loss(a, b, labels), inputs)
