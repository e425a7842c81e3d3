"""The cases of search: what is compared finds the same, and recall is what it says."""

import numpy as np
import pytest
import torch
from matplotlib import image as pictures

from benchmarks.speed import search_speed
from benchmarks.speed.__main__ import table

pytest.importorskip("faiss")


@pytest.mark.parametrize(("case", "figures"), [(search_speed.hamming, 3), (search_speed.cosine, 1)])
def test_the_exact_cases_run_when_small(case, figures, monkeypatch):
    monkeypatch.setattr(search_speed, "pin", lambda threads: None)
    result = case(1, items=3_000, queries=7)
    assert len(result) == figures and all(each["ratio"]["median"] > 0 for each in result)
    assert "7 queries" in table(result)


def test_the_plain_search_finds_the_nearest_codes():
    rng = np.random.default_rng(0)
    query, database = (np.where(rng.random((size, 9)) < 0.5, -1, 1) for size in (45, 31))
    wanted = np.sort((query[:, None] != database).sum(2), axis=1)[:, :6]
    for kind in ("stable", "quicksort"):
        assert (search_speed.by_numpy(query, database, 6, kind) == wanted).all()


def test_searches_that_find_other_scores_are_told():
    search_speed.check_same(torch.ones(2, 2), torch.ones(2, 2) + 1e-6)
    for other in (torch.ones(2, 2) + 1e-3, torch.full((2, 2), torch.nan)):
        with pytest.raises(RuntimeError, match="the same scores"):
            search_speed.check_same(torch.ones(2, 2), other)


def test_recall_is_the_share_that_was_found_in_any_order():
    assert search_speed.recall(torch.tensor([[3, 1], [4, 5]]), torch.tensor([[1, 3], [5, 6]])) == 0.75


def test_looking_farther_finds_more_and_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(search_speed, "pin", lambda threads: None)
    monkeypatch.setattr(
        search_speed, "SETTINGS", {"faiss-ivf": ("num_probes", (1, 40)), "faiss-hnsw": ("search_width", (1, 200))}
    )
    figures = search_speed.measure(1, items=4_000, queries=30)
    recalls = {(each["index"], each["value"]): each[search_speed.RECALL] for each in figures}
    assert recalls["faiss-ivf", 1] < 0.9 < recalls["faiss-ivf", 40]
    assert recalls["faiss-hnsw", 1] < recalls["faiss-hnsw", 200] > 0.9
    assert f"{recalls['faiss-ivf', 1]:.3f}" in table(figures)
    search_speed.draw_recall(figures, tmp_path / "recall.png")
    assert pictures.imread(tmp_path / "recall.png").std() > 0.01


def test_items_have_clusters():
    """The nearest item is nearer than it would be among as many without clusters of the same spectrum."""
    query, items = search_speed.clustered(50, 4_000)
    apart = torch.randn(4_000, items.shape[1], generator=torch.Generator().manual_seed(1)) * items.std(0)
    nearest = [torch.cdist(query, each).amin(1).median() for each in (items, apart)]
    assert nearest[0] < 0.95 * nearest[1]
