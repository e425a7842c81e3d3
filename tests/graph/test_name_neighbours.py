"""Nearest names among many, in blocks."""

import math

import pytest
import torch

from labelgraph._core.multi_hot import DENSE_LABELS
from labelgraph._core.similarity import unit_length
from labelgraph.graph import meaning_graph, name_neighbours

SIZE = DENSE_LABELS + 77


def vectors(size=SIZE, channels=12):
    """Vectors in groups, so that some neighbours are near, with a label without a vector and two labels of one."""
    generator = torch.Generator().manual_seed(4)
    centres = torch.randn(size // 8 + 1, channels, generator=generator)
    matrix = centres.repeat_interleave(8, 0)[:size] + 0.3 * torch.randn(size, channels, generator=generator)
    matrix[5], matrix[900] = 0, matrix[3]
    return matrix


@pytest.mark.parametrize("block", [2**23, 5000])
@pytest.mark.parametrize(("k", "threshold"), [(1, 0.0), (10, 0.0), (10, 0.9)])
def test_many_labels_have_the_neighbours_of_a_full_matrix(monkeypatch, block, k, threshold):
    monkeypatch.setattr(name_neighbours, "BLOCK_COSINES", block)
    unit = unit_length(vectors().double())
    cosine = (unit @ unit.t()).clamp(max=1).fill_diagonal_(-torch.inf)
    weight, source = cosine.topk(k)
    expected = {
        (int(s), t): float(w) for t in range(SIZE) for s, w in zip(source[t], weight[t], strict=True)
        if w > 0 and w >= threshold
    }  # fmt: skip
    edges = name_neighbours.nearest_names(unit, k, threshold)
    found = {(s, t): w for s, t, w in zip(*(part.tolist() for part in edges), strict=True)}
    assert found == pytest.approx(expected, abs=1e-12) and 5 not in {end for edge in found for end in edge}


def test_more_neighbours_than_labels_are_all_labels():
    matrix = vectors().abs() + 0.1
    graph = meaning_graph([f"label {i}" for i in range(SIZE)], matrix, k=2 * SIZE)
    assert graph.num_edges == SIZE * (SIZE - 1)


@pytest.mark.parametrize(("near", "far"), [(1, 2), (2, 1)])
def test_neighbours_that_float32_confuses_are_told_apart(near, far):
    base = torch.randn(SIZE, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    base[0, :], base[0, 0] = 0, 1
    for label, angle in ((near, 0.1), (far, 0.1 + 1e-8)):
        base[label, :] = 0
        base[label, :2] = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
    source, target, _ = name_neighbours.nearest_names(unit_length(base), 1, 0.0)
    assert source[target == 0].tolist() == [near]


def test_clusters_find_most_neighbours_and_all_clusters_find_all():
    pytest.importorskip("faiss")
    matrix = vectors(3000)
    names = [f"label {i}" for i in range(3000)]
    exact, few, every = (meaning_graph(names, matrix, probes=probes) for probes in (None, 8, 10_000))
    edges = [dict(zip(map(tuple, g.edge_index.T.tolist()), g.edge_weight.tolist(), strict=True)) for g in (exact, few)]
    found = edges[0].keys() & edges[1].keys()
    assert 0.8 < len(found) / len(edges[0]) < 1
    assert all(edges[0][edge] == pytest.approx(edges[1][edge]) for edge in found)
    assert torch.equal(every.edge_index, exact.edge_index)


def test_wrong_probes_are_refused():
    with pytest.raises(ValueError, match=r"'probes' must be .* \(got 0\)"):
        meaning_graph(["a", "b"], [[1.0], [1.0]], probes=0)


def test_the_vectors_of_candidates_stay_within_a_block(monkeypatch):
    """With many neighbours they are more than the cosines of a block of labels."""
    monkeypatch.setattr(name_neighbours, "BLOCK_COSINES", 2**18)
    unit, sizes, einsum = unit_length(vectors(channels=40).double()), [], torch.einsum

    def seen(equation, one, other):
        sizes.append(other.numel())
        return einsum(equation, one, other)

    monkeypatch.setattr(torch, "einsum", seen)
    name_neighbours.nearest_names(unit, 500, 0.0)
    assert max(sizes) <= 2**18
