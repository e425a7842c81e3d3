"""Item similarity, residual adjacency and item branch against loops and formulas."""

from math import sqrt

import pytest
import torch

from labelgraph.nn import AttentionAdjacency, ItemBranch, ResidualAdjacency, complete_edges, fused_similarity, propagate


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
    """Signed image features, and bags of words, some without a word, or signed text features."""
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
def test_each_similarity_alone(name):
    image, text = case()
    weights = {"image_weight": 0.0, "text_weight": 0.0, "cross_weight": 0.0} | {name: 0.8}
    expected = slow(image, text, *weights.values())
    torch.testing.assert_close(fused_similarity(image, text, **weights), expected)
    assert expected.any()


def test_the_cross_similarity_has_images_in_rows():
    """The product is not symmetric: image similarities of a row, text similarities of a column."""
    image, text = case()
    fused = fused_similarity(image, text)
    assert not torch.allclose(fused, fused.t())
    assert torch.allclose(
        fused_similarity(image, text, cross_weight=0), fused_similarity(image, text, cross_weight=0).t()
    )


def test_texts_without_words_are_similar_to_no_text():
    image, text = case()
    assert not text[3].any() and not text[5].any() and text[0].any()
    by_text = fused_similarity(image, text, image_weight=0, text_weight=1, cross_weight=0, scale=1)
    assert torch.equal(by_text[3], torch.full((6,), -1.0).double()) and torch.equal(by_text[:, 3], by_text[3])
    assert by_text[0, 0] == 1


def test_zero_features_give_finite_similarities():
    fused = fused_similarity(torch.zeros(3, 4), torch.zeros(3, 5))
    torch.testing.assert_close(fused, torch.full((3, 3), 1.4 * (-0.5 - 0.2 + 0.3)))


def test_the_lengths_of_features_do_not_matter():
    image, text = case()
    scales = torch.linspace(0.1, 9, 6).double().unsqueeze(1)
    torch.testing.assert_close(fused_similarity(scales * image, text * scales), fused_similarity(image, text))


def case_item_branch(kind, size=5):
    torch.manual_seed(0)
    adjacency = AttentionAdjacency(4, 3) if kind == "attention" else ResidualAdjacency(5, 0.5)
    branch = ItemBranch(adjacency, 4, (7, 6), 3).double()
    return branch, torch.randn(size, 4).double(), torch.randn(size, size).double()


def listening(branch, x, similarity):
    """The matrix P of the formulas."""
    adjacency = branch.adjacency
    if isinstance(adjacency, ResidualAdjacency):
        return similarity + 0.5 * adjacency.weight[: len(x), : len(x)]
    scores = (x @ adjacency.query.weight.t()) @ (x @ adjacency.key.weight.t()).t() / 3**0.5
    return scores.exp() / scores.exp().sum(1, keepdim=True) + similarity


def slow_item_branch(branch, x, p):
    for conv in (branch.conv1, branch.conv2):
        mapped = x @ conv.weight
        arrived = torch.stack([sum(p[i, j] * mapped[j] for j in range(len(x))) for i in range(len(x))])
        x = torch.clamp(arrived + conv.bias, min=0)
    return x @ branch.linear.weight.t() + branch.linear.bias


@pytest.mark.parametrize("kind", ["attention", "residual"])
@pytest.mark.parametrize("size", [5, 3, 1])
def test_against_the_formula(kind, size):
    branch, x, similarity = case_item_branch(kind, size)
    p = listening(branch, x, similarity)
    assert size == 1 or ((p < 0).any() and not torch.allclose(p, p.t()))
    torch.testing.assert_close(branch(x, similarity), slow_item_branch(branch, x, p))


def test_an_item_without_neighbours_has_the_code_of_the_biases():
    branch, x, similarity = case_item_branch("residual")
    with torch.no_grad():
        branch.adjacency.weight[2] = 0
        branch.conv2.bias.uniform_(-1, 1)
    similarity[2] = 0
    hidden = torch.relu(branch.conv2.bias)
    torch.testing.assert_close(branch(x, similarity)[2], branch.linear(hidden))
    assert hidden.any()


def test_reordered_items_reorder_the_codes():
    branch, x, similarity = case_item_branch("attention")
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(branch(x[order], similarity[order][:, order]), branch(x, similarity)[order])


@pytest.mark.parametrize("kind", ["attention", "residual"])
def test_every_weight_has_a_gradient(kind):
    branch, x, similarity = case_item_branch(kind)
    branch(x, similarity).square().sum().backward()
    assert all(parameter.grad.any() and torch.isfinite(parameter.grad).all() for parameter in branch.parameters())
    assert branch.conv1.bias.shape == (7,) and branch.conv2.bias.shape == (6,)


def case_residual(size, num_items=6, **arguments):
    torch.manual_seed(0)
    adjacency = ResidualAdjacency(num_items, **arguments)
    return adjacency, torch.randn(size, 4), torch.randn(size, size)


def slow_residual(adjacency, similarity, gamma, y):
    """The features that item i receives: the sum over j of P_ij y_j."""
    out = torch.zeros_like(y)
    for i in range(len(y)):
        for j in range(len(y)):
            out[i] += (similarity[i, j] + gamma * adjacency.weight[i, j]) * y[j]
    return out


@pytest.mark.parametrize("size", [6, 4, 1])
@pytest.mark.parametrize("gamma", [0.0, 0.5, -2.0])
def test_against_loops_with_whole_and_smaller_batches(size, gamma):
    adjacency, x, similarity = case_residual(size, gamma=gamma)
    edge_index, weight = adjacency(x, similarity)
    assert torch.equal(edge_index, complete_edges(size))
    y = torch.randn(size, 3)
    torch.testing.assert_close(propagate(y, edge_index, weight), slow_residual(adjacency, similarity, gamma, y))


def test_the_default_factor_is_as_published():
    adjacency, x, _ = case_residual(6)
    _, weight = adjacency(x, torch.zeros(6, 6))
    torch.testing.assert_close(weight.view(6, 6), 0.45 * adjacency.weight.t())


def test_features_do_not_matter():
    adjacency, x, similarity = case_residual(5)
    assert torch.equal(adjacency(x, similarity)[1], adjacency(x + 1, similarity)[1])


def test_a_smaller_batch_trains_only_its_part_of_the_residual():
    adjacency, x, similarity = case_residual(4)
    adjacency(x, similarity.requires_grad_())[1].sum().backward()
    expected = torch.zeros(6, 6)
    expected[:4, :4] = 0.45
    torch.testing.assert_close(adjacency.weight.grad, expected)
    assert torch.equal(similarity.grad, torch.ones(4, 4))


def test_the_error_names_a_batch_that_is_too_large():
    adjacency, x, similarity = case_residual(7)
    with pytest.raises(ValueError, match=r"a batch must have at most 6 items, 'num_items' \(got 7\)"):
        adjacency(x, similarity)


def test_the_residual_is_initialised_kaiming_uniformly():
    torch.manual_seed(0)
    adjacency = ResidualAdjacency(100)
    bound = sqrt(6 / 100)  # kaiming_uniform_ of torch with its default arguments.
    assert bound * 0.99 < adjacency.weight.abs().max() <= bound
    assert adjacency.weight.std().item() == pytest.approx(bound / sqrt(3), rel=0.02)
    before = adjacency.weight.clone()
    adjacency.reset_parameters()
    assert not torch.equal(adjacency.weight, before)


def test_only_the_residual_is_saved():
    assert {name: tuple(value.shape) for name, value in case_residual(6)[0].state_dict().items()} == {"weight": (6, 6)}
