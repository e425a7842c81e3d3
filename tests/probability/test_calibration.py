"""Calibration against other optimisers and against known random lines."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from labelgraph.probability import Calibration, platt_scaling, temperature_scaling


def drawn(size, slope, intercept, seed=0):
    """Random scores, and labels whose probability is the sigmoid of a line for each label."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(size, len(slope), generator=generator)
    logits = scores * torch.tensor(slope) + torch.tensor(intercept)
    return scores, (torch.rand(logits.shape, generator=generator) < logits.sigmoid()).float()


def test_the_fit_recovers_random_lines():
    slope, intercept = [0.5, 2.0, 4.0], [0.0, -3.0, 1.0]
    result = platt_scaling(*drawn(30_000, slope, intercept), shrinkage=1e-3)
    torch.testing.assert_close(result[0], torch.tensor(slope), atol=0.15, rtol=0)
    torch.testing.assert_close(result[1], torch.tensor(intercept), atol=0.15, rtol=0)


def test_lines_with_little_shrinkage_equal_logistic_regressions():
    scores, labels = drawn(300, [1.0, 3.0], [-1.0, 0.5])
    slope, intercept = platt_scaling(scores, labels, shrinkage=1e-9)
    for label in range(2):
        model = LogisticRegression(C=np.inf, tol=1e-10).fit(scores[:, label : label + 1], labels[:, label])
        assert slope[label].item() == pytest.approx(model.coef_.item(), abs=1e-3)
        assert intercept[label].item() == pytest.approx(model.intercept_.item(), abs=1e-3)


def test_shrunk_lines_equal_another_optimiser():
    scores, labels = drawn(50, [1.0, 3.0], [-1.0, 0.5])
    pooled = LogisticRegression(C=np.inf, tol=1e-10).fit(scores.reshape(-1, 1), labels.flatten())
    a, b = pooled.coef_.item(), pooled.intercept_.item()
    slope, intercept = platt_scaling(scores, labels, shrinkage=2.0)
    for label in range(2):
        x, y = (a * scores[:, label] + b).double().numpy(), labels[:, label].double().numpy()

        def loss(line, x=x, y=y):
            logits = line[0] * x + line[1]
            return np.logaddexp(0, logits).sum() - (y * logits).sum() + (line[0] - 1) ** 2 + line[1] ** 2

        alpha, beta = minimize(loss, [1.0, 0.0], tol=1e-12).x
        assert slope[label].item() == pytest.approx(alpha * a, abs=2e-3)
        assert intercept[label].item() == pytest.approx(alpha * b + beta, abs=2e-3)


def test_much_shrinkage_gives_the_same_line_for_all_labels():
    slope, intercept = platt_scaling(*drawn(200, [1.0, 3.0, 2.0], [-1.0, 0.5, 0.0]), shrinkage=1e9)
    torch.testing.assert_close(slope, slope[:1].expand(3))
    torch.testing.assert_close(intercept, intercept[:1].expand(3))


def test_labels_of_no_item_or_all_items_have_finite_lines():
    scores, _ = drawn(20, [1.0, 1.0, 1.0], [0.0, 0.0, 0.0])
    labels = torch.stack([torch.zeros(20), torch.ones(20), (scores[:, 2] > 0).float()], 1)  # Label 2 is separable.
    slope, intercept = platt_scaling(scores, labels, shrinkage=1.0)
    probabilities = (slope * scores + intercept).sigmoid()
    assert torch.isfinite(probabilities).all()
    assert probabilities[:, 0].mean() < 0.2 < 0.8 < probabilities[:, 1].mean()


@pytest.mark.parametrize("temperature", [0.25, 1.0, 6.0])
def test_the_fit_recovers_a_random_temperature(temperature):
    scores, labels = drawn(20_000, [1 / temperature] * 2, [0.0, 0.0])
    assert temperature_scaling(scores, labels).item() == pytest.approx(temperature, rel=0.1)


def test_a_calibration_is_the_identity_before_it_is_fitted():
    scores, labels = drawn(200, [3.0, 0.5], [-2.0, 1.0])
    calibration = Calibration(2)
    assert torch.equal(calibration(scores), scores)
    calibration.fit(scores, labels)
    slope, intercept = platt_scaling(scores, labels)
    torch.testing.assert_close(calibration(scores), slope * scores + intercept)
    again = Calibration(2)
    again.load_state_dict(calibration.state_dict())
    assert torch.equal(again(scores), calibration(scores)) and not list(calibration.parameters())
    calibration.fit(scores, labels, "temperature")
    torch.testing.assert_close(calibration(scores), scores / temperature_scaling(scores, labels))
    assert torch.equal(calibration.fit(scores, labels, "none")(scores), scores)


def test_the_fit_works_without_gradients():
    scores, labels = drawn(50, [3.0], [-2.0])
    with torch.no_grad():
        slope, _ = platt_scaling(scores, labels)
    assert torch.equal(slope, platt_scaling(scores, labels)[0]) and not slope.requires_grad


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: platt_scaling(torch.zeros(2, 3), torch.zeros(2, 2)), r"shape \(N, C\).*\(2, 3\) and \(2, 2\)"),
        (lambda: temperature_scaling(torch.zeros(0, 3), torch.zeros(0, 3)), "N at least 1"),
        (lambda: platt_scaling(torch.zeros(2, 3), torch.zeros(2, 3), 0.0), "'shrinkage' must be positive"),
        (lambda: Calibration(3).fit(torch.zeros(2, 3), torch.zeros(2, 3), "isotonic"), "'kind' must be one of none, "),
    ],
)
def test_errors_name_wrong_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("fit", [temperature_scaling, platt_scaling])
def test_errors_name_invalid_scores_and_labels(fit):
    with pytest.raises(ValueError, match=r"'scores' must be finite"):
        fit(torch.tensor([[0.5], [float("nan")]]), torch.tensor([[1.0], [0.0]]))
    with pytest.raises(ValueError, match=r"'labels' must be 0 or 1"):
        fit(torch.tensor([[0.5], [0.1]]), torch.tensor([[1.0], [2.0]]))
