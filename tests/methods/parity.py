"""Fixtures computed from the published definitions, and the tolerances of the comparison."""

from typing import Any

import numpy as np
import torch

TOLERANCE: dict[torch.dtype, dict[str, Any]] = {
    torch.float32: {"rtol": 1e-4, "atol": 1e-6},
    torch.float64: {"rtol": 1e-5, "atol": 1e-6},
}


def read_figures(path):
    """Load the arrays of a fixture as tensors."""
    with np.load(path, allow_pickle=False) as file:
        return {key: torch.from_numpy(np.asarray(file[key])) for key in file.files}


def copy_parameters(model, figures, names):
    """Load the parameters of the fixture into a model, by pairs of names in both."""
    with torch.no_grad():
        for ours, theirs in names.items():
            model.get_parameter(ours).copy_(figures[f"param/{theirs}"])


def assert_gradients(model, figures, names, dtype):
    """Check that all gradients equal the gradients of the fixture, and that no other parameter is trained."""
    for ours, theirs in names.items():
        expected = figures[f"grad/{theirs}"].to(dtype)
        torch.testing.assert_close(
            model.get_parameter(ours).grad, expected, **TOLERANCE[dtype], msg=lambda text, ours=ours: f"{ours}: {text}"
        )
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == set(names)
