"""A small run of the measurement of rare labels, and its measure on scores that are known."""

import json

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from benchmarks.scale.rare_tags import average_precision, main
from labelgraph.data import CrossModalData


class Known:
    """Scores that are right for images, and reversed for texts."""

    def __init__(self, labels):
        self.labels = torch.from_numpy(labels)

    def label_scores(self, side, features, labels):
        return self.labels[:, labels] * (1 if side == "image" else -1)


def test_the_measure_is_the_mean_of_both_sides_by_count():
    test = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]])
    train = np.array([[1.0, 0, 1]] * 4)
    labels = sp.csr_array(np.concatenate([train, test]))
    data = CrossModalData(np.ones((8, 2)), np.ones((8, 2)), labels, splits={"train": range(4), "test": range(4, 8)})
    # Reversed scores put the one item of a label last of four: 1 and 1/4. The third label has no test item.
    assert average_precision(Known(test), data) == {"0": 0.625, "3-5": 0.625, "all": 0.625}
    chance = np.mean([average_precision(None, data, seed)["all"] for seed in range(300)])
    assert chance == pytest.approx(np.mean([1, 1 / 2, 1 / 3, 1 / 4]), abs=0.05)


@pytest.mark.slow
def test_references_help_rare_labels(tmp_path, capsys):
    options = ["--labels", "1500", "--items", "2000", "--epochs", "1", "--channels", "32", "--seeds", "0"]
    assert main([*options, "--report", str(tmp_path / "report.json")]) == 0
    assert "seed 0, similar names" in capsys.readouterr().out
    (results,) = json.loads((tmp_path / "report.json").read_text())["seeds"].values()
    alone, items, names = (results[name] for name in ("no graph", "own items", "similar names"))
    assert items["1-2"] > alone["1-2"] + 0.1 and names["0"] > items["0"] + 0.1
    assert alone["40+"] > results["chance"]["40+"] + 0.1
