"""Label scores."""

import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from labelgraph.nn import cosine_scores


@pytest.mark.parametrize(("items", "labels"), [(5, 3), (1, 4), (4, 1)])
def test_against_scikit_learn(items, labels):
    torch.manual_seed(0)
    embedding, classifiers = torch.randn(items, 6).double(), torch.randn(labels, 6).double()
    expected = torch.from_numpy(cosine_similarity(embedding, classifiers))
    torch.testing.assert_close(cosine_scores(embedding, classifiers), expected, rtol=0, atol=2e-6)


def test_the_published_small_number_in_the_denominator():
    score = cosine_scores(torch.tensor([[1e-3]], dtype=torch.float64), torch.tensor([[1e-3]], dtype=torch.float64))
    assert score.item() == pytest.approx(0.5)


def test_zero_vectors_score_zero_with_finite_gradients():
    embedding, classifiers = torch.zeros(2, 3, requires_grad=True), torch.randn(4, 3)
    classifiers[1] = 0
    classifiers.requires_grad_()
    scores = cosine_scores(embedding, classifiers)
    assert not scores.any()
    scores.sum().backward()
    assert torch.isfinite(embedding.grad).all() and torch.isfinite(classifiers.grad).all()


def test_gradient():
    torch.manual_seed(0)
    inputs = tuple(torch.randn(n, 4, dtype=torch.float64, requires_grad=True) for n in (3, 2))
    assert torch.autograd.gradcheck(cosine_scores, inputs)
