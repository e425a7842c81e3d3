"""Values of the first items of rankings, in parts."""

import pytest
import torch

from labelgraph.metrics import item_values, query_metrics
from labelgraph.train import peak_memory, reset_peak_memory


def drawn(num_queries, items, num_labels):
    generator = torch.Generator().manual_seed(0)
    query, database = (torch.randn(size, 8, generator=generator) for size in (num_queries, items))
    labels = [(torch.rand(size, num_labels, generator=generator) < 0.3).float() for size in (num_queries, items)]
    return query, database, *labels


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.float64])
@pytest.mark.parametrize("at_a_time", [1, 100, 2**20])
def test_values_of_the_first_items_do_not_depend_on_the_parts(dtype, at_a_time, monkeypatch):
    monkeypatch.setattr(item_values, "CACHED_LABELS", at_a_time)
    query, database, asked, held = drawn(7, 20, 5)
    order = torch.nn.functional.cosine_similarity(query[:, None], database, dim=2).argsort(dim=1, descending=True)
    both, either = (asked @ held.t()).double(), torch.maximum(asked[:, None], held).sum(2).double()
    jaccard, exact = both / either.clamp(min=1), ((both == either) & (both > 0)).double()
    got = query_metrics(query, database, asked.to(dtype), held.to(dtype), ["jaccard@6", "exact@20"])
    torch.testing.assert_close(got["jaccard@6"], jaccard.gather(1, order)[:, :6].mean(1), rtol=1e-12, atol=0)
    assert exact.any() and torch.equal(got["exact@20"], exact.sum(1) / 20)


def test_values_of_many_first_items_take_little_memory():
    case, cpu = drawn(100, 2000, 800), torch.device("cpu")
    reset_peak_memory(cpu)
    if (before := peak_memory(cpu)) is None:
        pytest.skip("the system does not tell")
    query_metrics(*case, ["jaccard@1000"])
    assert peak_memory(cpu) - before < 100 * 2**20  # The labels of all first items take 305 MiB.
