"""Loss functions against loops and the cross-entropy of torch."""

from math import exp, log, sqrt

import pytest
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from labelgraph.data import csr_tensor
from labelgraph.losses import (
    adversarial_loss,
    balance_loss,
    classification_loss,
    contrastive_loss,
    decorrelation_loss,
    draw_labels,
    draw_negatives,
    info_nce_loss,
    joint_pairwise_loss,
    pairwise_loss,
    quantisation_loss,
    sampled_cross_entropy,
    similarity_loss,
    structure_loss,
)


def logits(size=5):
    return 3 * torch.randn(size, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("modality", [0, 1])
@pytest.mark.parametrize("size", [5, 1])
def test_against_cross_entropy_with_its_gradient(modality, size):
    ours, theirs = logits(size).requires_grad_(), logits(size).requires_grad_()
    loss = adversarial_loss(ours, modality)
    expected = F.cross_entropy(theirs, torch.full((size,), modality))
    assert loss.item() == pytest.approx(expected.item())
    loss.backward(), expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_class_1_is_an_image():
    sure = torch.tensor([[-4.0, 4.0]])
    assert adversarial_loss(sure, 1) < 0.001 and adversarial_loss(sure, 0) == pytest.approx(8, abs=0.001)


def test_the_loss_of_undecided_logits_is_log_2():
    for modality in (0, 1):
        assert adversarial_loss(torch.full((3, 2), -7.0), modality).item() == pytest.approx(log(2))


def test_extreme_logits_are_finite():
    extreme = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
    loss = adversarial_loss(extreme, 1)
    assert loss.item() == pytest.approx(1e4)
    loss.backward()
    assert torch.isfinite(extreme.grad).all()


@pytest.mark.parametrize(("size", "num_labels"), [(5, 3), (1, 4), (6, 1), (1, 1)])
def test_against_a_loop(size, num_labels):
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(size, num_labels, generator=generator, dtype=torch.float64) * 2 - 1
    labels = (torch.rand(size, num_labels, generator=generator) < 0.5).double()
    distances = [
        sqrt(sum((s - y) ** 2 for s, y in zip(row, target, strict=True)))
        for row, target in zip(scores.tolist(), labels.tolist(), strict=True)
    ]
    assert classification_loss(scores, labels).item() == pytest.approx(sum(distances) / size)


def test_perfect_scores_have_zero_loss_and_finite_gradients():
    scores = torch.tensor([[1.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = classification_loss(scores, scores.detach())
    loss.backward()
    assert loss == 0 and torch.isfinite(scores.grad).all()


def test_gradient():
    scores = torch.rand(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: classification_loss(s, torch.ones(4, 3).double()), scores)


def case(size=6, channels=4, num_labels=3):
    """Two items share no label with another item, one has no labels, and several share one or more labels."""
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
def test_against_a_loop_of_contrastive(size, temperature, intra_weight):
    arguments = (*case(size), temperature, intra_weight)
    assert contrastive_loss(*arguments).item() == pytest.approx(slow(*arguments))
    if size > 2:
        assert slow(*case(size), temperature, intra_weight + 1) != pytest.approx(slow(*arguments))


def test_the_defaults_are_as_published():
    assert contrastive_loss(*case()).item() == pytest.approx(slow(*case(), 0.22, 0.14))


def test_one_label_of_all_items():
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


def test_an_item_without_labels_remains_in_the_denominators():
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
    """The only term is the similarity of the item to itself minus its sharpened similarity."""
    image, text = torch.tensor([[3.0, 4.0]]).double(), torch.tensor([[2.0, 0.0]]).double()
    assert contrastive_loss(image, text, torch.ones(1, 2).double(), 0.5).item() == pytest.approx(2 * 0.06 * 0.6 / 0.5)


def test_symmetric_in_the_modalities_and_independent_of_lengths():
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


def test_gradient_of_contrastive():
    image, text, labels = case()
    inputs = (image.requires_grad_(), text.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: contrastive_loss(a, b, labels), inputs)


@pytest.mark.parametrize(("size", "bits"), [(1, 1), (1, 5), (7, 1), (6, 5)])
def test_each_loss_is_its_formula(size, bits):
    codes = torch.randn(size, bits, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows = codes.tolist()
    quantisation = sum((abs(c) - 1) ** 2 for row in rows for c in row) / (size * bits)
    balance = sum((sum(row[k] for row in rows) / size) ** 2 for k in range(bits)) / bits
    pairs = [(k, m) for k in range(bits) for m in range(bits) if k != m]
    decorrelation = sum((sum(row[k] * row[m] for row in rows) / size) ** 2 for k, m in pairs) / max(1, len(pairs))
    for loss, expected in (
        (quantisation_loss, quantisation),
        (balance_loss, balance),
        (decorrelation_loss, decorrelation),
    ):
        assert loss(codes).item() == pytest.approx(expected)


def test_balanced_uncorrelated_bits_have_zero_loss():
    codes = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert quantisation_loss(codes) == balance_loss(codes) == decorrelation_loss(codes) == 0


def case_pairwise(size=5, channels=4, num_labels=3):
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, channels, generator=generator, dtype=torch.float64) for _ in range(2))
    return left, right, (torch.rand(size, num_labels, generator=generator) < 0.5).double()


def slow_pairwise(left, right, labels):
    total = 0.0
    for a, y in zip(left.tolist(), labels.tolist(), strict=True):
        for b, z in zip(right.tolist(), labels.tolist(), strict=True):
            dot = sum(p * q for p, q in zip(a, b, strict=True))
            length = sqrt(sum(p * p for p in a)) * sqrt(sum(q * q for q in b))
            theta = dot / max(length, 1e-6) / 2
            total += log(1 + exp(theta)) - sum(p * q for p, q in zip(y, z, strict=True)) * theta
    return total / len(left) ** 2


@pytest.mark.parametrize(("size", "channels", "num_labels"), [(5, 4, 3), (1, 4, 3), (4, 1, 1)])
def test_against_a_loop_of_pairwise(size, channels, num_labels):
    arguments = case_pairwise(size, channels, num_labels)
    assert pairwise_loss(*arguments).item() == pytest.approx(slow_pairwise(*arguments))
    assert slow_pairwise(*arguments) != pytest.approx(log(2))


@pytest.mark.parametrize("size", [1, 5])
def test_the_joint_loss_is_the_sum_of_three(size):
    image, text, labels = case_pairwise(size)
    image[0] = 0
    both = [side.clone().requires_grad_() for side in (image, text)]
    apart = [side.clone().requires_grad_() for side in (image, text)]
    joint = joint_pairwise_loss(*both, labels)
    assert joint.item() == pytest.approx(
        slow_pairwise(image, image, labels) + slow_pairwise(image, text, labels) + slow_pairwise(text, text, labels)
    )
    joint.backward()
    sum(pairwise_loss(apart[i], apart[j], labels) for i, j in ((0, 0), (0, 1), (1, 1))).backward()
    for ours, expected in zip(both, apart, strict=True):
        torch.testing.assert_close(ours.grad, expected.grad)


def test_items_without_labels():
    left, right, labels = case_pairwise()
    assert pairwise_loss(left, right, 0 * labels).item() == pytest.approx(slow_pairwise(left, right, 0 * labels))


def test_zero_embeddings_are_finite():
    left, right, labels = case_pairwise()
    left[2], right[2], right[4] = 0, 0, 0
    left.requires_grad_(), right.requires_grad_()
    loss = pairwise_loss(left, right, labels)
    assert loss.item() == pytest.approx(slow_pairwise(left, right, labels))
    loss.backward()
    assert torch.isfinite(left.grad).all() and torch.isfinite(right.grad).all()
    assert pairwise_loss(0 * left, 0 * right, labels).item() == pytest.approx(log(2))


def test_gradient_of_pairwise():
    left, right, labels = case_pairwise()
    inputs = (left.requires_grad_(), right.requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: pairwise_loss(a, b, labels), inputs)


def case_similarity_loss(size=5, bits=4):
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, bits, generator=generator, dtype=torch.float64) for _ in range(2))
    return left, right, torch.randn(size, size, generator=generator, dtype=torch.float64)


def slow_similarity_loss(left, right, similarity):
    total = 0.0
    for a, row in zip(left.tolist(), similarity.tolist(), strict=True):
        for b, goal in zip(right.tolist(), row, strict=True):
            length = sqrt(sum(p * p for p in a)) * sqrt(sum(q * q for q in b))
            cosine = sum(p * q for p, q in zip(a, b, strict=True)) / length if length else 0.0
            total += (cosine - goal) ** 2
    return total / len(left) ** 2


@pytest.mark.parametrize(("size", "bits"), [(5, 4), (1, 4), (4, 1), (3, 7)])
def test_against_a_loop_of_similarity_loss(size, bits):
    arguments = case_similarity_loss(size, bits)
    assert similarity_loss(*arguments).item() == pytest.approx(slow_similarity_loss(*arguments))


def test_left_codes_are_in_rows():
    left, right, similarity = case_similarity_loss()
    turned = similarity_loss(left, right, similarity.t()).item()
    assert turned == pytest.approx(slow_similarity_loss(left, right, similarity.t()))
    assert turned != pytest.approx(slow_similarity_loss(left, right, similarity))
    assert similarity_loss(right, left, similarity.t()).item() == pytest.approx(
        slow_similarity_loss(left, right, similarity)
    )


def test_codes_of_the_given_similarity_have_zero_loss():
    codes = torch.tensor([[2.0, 0.0], [3.0, 4.0], [0.0, -1.0]])
    alike = torch.tensor([[1.0, 0.6, 0.0], [0.6, 1.0, -0.8], [0.0, -0.8, 1.0]])
    assert similarity_loss(codes, codes, alike).item() == pytest.approx(0, abs=1e-12)
    assert similarity_loss(codes, codes, alike + 3).item() == pytest.approx(9)


def test_zero_codes_are_finite():
    left, right, similarity = case_similarity_loss()
    left[2], right[2], right[4] = 0, 0, 0
    left.requires_grad_(), right.requires_grad_()
    loss = similarity_loss(left, right, similarity)
    assert loss.item() == pytest.approx(slow_similarity_loss(left, right, similarity))
    loss.backward()
    assert torch.isfinite(left.grad).all() and torch.isfinite(right.grad).all()


def test_gradient_of_similarity_loss():
    assert torch.autograd.gradcheck(
        similarity_loss, tuple(tensor.requires_grad_() for tensor in case_similarity_loss())
    )


def case_structure(num_layers, size):
    generator = torch.Generator().manual_seed(0)
    propagation, static = (torch.rand(size, size, generator=generator, dtype=torch.float64) for _ in range(2))
    return propagation, static, (torch.rand(num_layers, size, size, generator=generator) < 0.3).double()


def slow_structure(propagation, static, draws):
    size, total = len(static), 0.0
    for layer in draws.tolist():
        for j in range(size):
            for i in range(size):
                target = min(static[j][i].item() + layer[j][i], 0.5)
                total += (propagation[j][i].item() - target) ** 2 / size**2
    return total


@pytest.mark.parametrize(("num_layers", "size"), [(3, 4), (1, 4), (2, 1), (0, 4)])
def test_against_a_loop_of_structure(num_layers, size):
    arguments = case_structure(num_layers, size)
    assert structure_loss(*arguments).item() == pytest.approx(slow_structure(*arguments))


def test_gradient_of_structure():
    propagation, static, draws = case_structure(2, 3)
    assert torch.autograd.gradcheck(lambda p: structure_loss(p, static, draws), propagation.requires_grad_())


def test_no_layers_have_a_zero_gradient():
    propagation, static, draws = case_structure(0, 3)
    structure_loss(propagation.requires_grad_(), static, draws).backward()
    assert propagation.grad.tolist() == [[0.0] * 3] * 3


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_random_edges_have_the_given_rate(rate):
    torch.manual_seed(0)
    draws = draw_negatives(3, rate, torch.zeros(50, 50, dtype=torch.float64))
    assert draws.shape == (3, 50, 50) and draws.dtype == torch.float64
    assert set(draws.unique().tolist()) <= {0.0, 1.0}
    assert draws.mean().item() == pytest.approx(rate, abs=0.02)
    if 0 < rate < 1:
        assert not torch.equal(draws[0], draws[1])


def test_info_nce_against_a_loop():
    generator = torch.Generator().manual_seed(3)
    image, text = torch.randn(5, 4, generator=generator), torch.randn(5, 4, generator=generator)
    cosine = [[torch.cosine_similarity(a, b, dim=0).item() / 0.2 for b in text] for a in image]
    wanted = 0.0
    for i in range(5):
        row, column = cosine[i], [cosine[j][i] for j in range(5)]
        wanted -= (2 * cosine[i][i] - log(sum(map(exp, row))) - log(sum(map(exp, column)))) / 10
    assert info_nce_loss(image, text, 0.2).item() == pytest.approx(wanted, rel=1e-5)


def test_errors_of_info_nce_name_wrong_arguments():
    with pytest.raises(ValueError, match=r"'temperature'.*\(got 0\)"):
        info_nce_loss(torch.eye(2), torch.eye(2), 0)
    with pytest.raises(ValueError, match=r"'text'.*\(2, 2\).*\(3, 2\)"):
        info_nce_loss(torch.eye(2), torch.ones(3, 2))


@pytest.mark.parametrize("loss", ["contrastive", "similarity"])
def test_cosines_of_very_short_vectors(loss):
    """The squares of very small lengths are 0 in float32, but cosines do not depend on lengths."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(4, 3, generator=generator) for _ in range(2))
    labels = torch.eye(2).repeat(2, 1)
    call = {
        "contrastive": lambda a, b: contrastive_loss(a, b, labels),
        "similarity": lambda a, b: similarity_loss(a, b, labels @ labels.t()),
    }[loss]
    torch.testing.assert_close(call(1e-14 * left, 1e-30 * right), call(left, right))
    short, usual = (1e-14 * left).requires_grad_(), left.clone().requires_grad_()
    call(short, right).backward(), call(usual, right).backward()
    torch.testing.assert_close(1e-14 * short.grad, usual.grad)


def batch_of_labels(num_items=3, num_labels=40):
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(num_items, num_labels, generator=generator, dtype=torch.float64) < 0.1).double()
    return labels, torch.randn(num_items, num_labels, generator=generator, dtype=torch.float64)


def over_all_labels(scores, labels):
    return F.binary_cross_entropy_with_logits(scores, labels, reduction="sum") / len(scores)


@pytest.mark.parametrize("layout", [torch.strided, torch.sparse_csr])
@pytest.mark.parametrize("num_negatives", [40, 1000])
def test_with_all_labels_drawn_the_sampled_loss_is_the_loss_over_all_labels(layout, num_negatives):
    labels, scores = batch_of_labels()
    drawn = draw_labels(
        csr_tensor(sp.csr_array(labels.numpy())) if layout == torch.sparse_csr else labels, num_negatives
    )
    assert sorted(drawn.labels.tolist()) == list(range(40)) and (drawn.weights == 1).all()
    assert torch.equal(drawn.targets, labels[:, drawn.labels])
    loss = sampled_cross_entropy(scores[:, drawn.labels], drawn)
    assert loss.item() == pytest.approx(over_all_labels(scores, labels).item(), rel=1e-12)


@pytest.mark.parametrize("num_negatives", [1, 7, 13, 39])
def test_the_expectation_of_the_sampled_loss_and_gradient_is_that_over_all_labels(num_negatives):
    labels, scores = batch_of_labels()
    scores.requires_grad_()
    draws, losses, gradient = 4000, [], 0
    torch.manual_seed(num_negatives)
    for _ in range(draws):
        drawn = draw_labels(labels, num_negatives)
        loss = sampled_cross_entropy(scores[:, drawn.labels], drawn)
        losses.append(loss.item())
        gradient = gradient + torch.autograd.grad(loss, scores)[0] / draws
    expected = over_all_labels(scores, labels)
    deviation = torch.tensor(losses, dtype=torch.float64).std().item() / sqrt(draws)
    assert sum(losses) / draws == pytest.approx(expected.item(), abs=4 * deviation)
    of_all = torch.autograd.grad(expected, scores)[0]
    positive = labels.any(0)
    torch.testing.assert_close(gradient[:, positive], of_all[:, positive])  # Labels of the batch are always drawn.
    torch.testing.assert_close(gradient, of_all, atol=0.05, rtol=0.5)


def test_the_labels_of_the_batch_are_all_drawn_once():
    labels, _ = batch_of_labels(num_items=20)
    drawn = draw_labels(labels, 10)
    own = labels.any(0).nonzero().flatten()
    assert torch.equal(drawn.labels[: len(own)], own) and not torch.isin(drawn.labels[len(own) :], own).any()
    assert (drawn.weights[: len(own)] == 1).all() and (drawn.weights[len(own) :] == 4).all()


def test_every_label_of_many_is_drawn_equally_often():
    counts = torch.zeros(1000)
    torch.manual_seed(0)
    for _ in range(2000):
        counts += torch.bincount(draw_labels(torch.zeros(1, 1000), 130).labels, minlength=1000)
    assert (counts.mean().item(), counts.std().item()) == pytest.approx((260, 15), rel=0.2)


def test_the_number_of_negatives_must_be_positive():
    with pytest.raises(ValueError, match=r"'num_negatives'.*\(got 0\)"):
        draw_labels(torch.ones(1, 2), 0)


def test_sampled_cross_entropy_keeps_its_precision_under_autocast():
    generator = torch.Generator().manual_seed(0)
    labels, scores = torch.eye(8, 500), torch.randn(8, 500, generator=generator)
    drawn = draw_labels(labels, 500)
    expected = sampled_cross_entropy(scores, drawn)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(sampled_cross_entropy(scores, drawn), expected)
