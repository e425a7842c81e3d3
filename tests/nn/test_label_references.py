"""References of labels, against plain loops over items and labels."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.data import Data

from labelgraph.data import csr_tensor
from labelgraph.nn import LabelReferences


def unit(vector):
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector] if length else list(vector)


def plain_references(hidden, labels, names, edges, strength, half, neighbour_items=None):
    """Directions, weights and offsets by loops; hidden and labels are dictionaries by side."""
    num_labels, width = len(labels["image"][0]), len(hidden["image"][0])
    own = []
    for label in range(num_labels):
        total = [0.0] * width
        for side in ("image", "text"):
            for row, tags in zip(hidden[side], labels[side], strict=True):
                if tags[label]:
                    total = [a + b for a, b in zip(total, unit(row), strict=True)]
        own.append([a + b for a, b in zip(unit(total), unit(names[label]), strict=True)])
    directions = []
    for label in range(num_labels):
        incoming = [(source, weight) for source, target, weight in edges if target == label]
        scale = max(1.0, sum(weight for _, weight in incoming))
        borrowed = list(own[label])
        for source, weight in incoming:
            count = max(sum(row[label] for row in labels[side]) for side in labels)
            share = 1 if neighbour_items is None else neighbour_items / (neighbour_items + count)
            borrowed = [a + share * weight / scale * b for a, b in zip(borrowed, own[source], strict=True)]
        directions.append(unit(borrowed))
    counts = [max(sum(row[c] for row in labels[side]) for side in labels) for c in range(num_labels)]
    weights = [strength * half / (half + n) if any(d) else 0.0 for n, d in zip(counts, directions, strict=True)]
    offsets = []
    for side in ("image", "text"):
        cosines = np.array([[np.dot(unit(row), d) for d in directions] for row in hidden[side]])
        offsets.append(cosines.mean(0) + 2 * cosines.std(0))
    return np.array(directions), np.array(weights), np.array(offsets).T


@pytest.fixture
def items():
    rng = np.random.default_rng(0)
    hidden = {side: rng.normal(size=(size, 5)).clip(0).tolist() for side, size in (("image", 7), ("text", 6))}
    labels = {side: (rng.random((len(rows), 4)) < 0.4).astype(float).tolist() for side, rows in hidden.items()}
    for rows in labels.values():
        for row in rows:
            row[3] = 0.0  # A label without items.
    names = rng.normal(size=(4, 5)).clip(0).tolist()
    names[1] = [0.0] * 5  # A name without a known word.
    edges = [(0, 1, 0.9), (2, 1, 0.7), (0, 3, 0.5), (1, 0, 0.2)]
    return hidden, labels, names, edges


def graph_of(edges):
    return Data(
        edge_index=torch.tensor([[s for s, _, _ in edges], [t for _, t, _ in edges]]),
        edge_weight=torch.tensor([w for *_, w in edges], dtype=torch.float64),
        num_nodes=4,
    )


def batches_of(hidden, labels, size):
    for side in hidden:
        for rows, tags in zip(
            torch.tensor(hidden[side]).double().split(size), torch.tensor(labels[side]).split(size), strict=True
        ):
            yield side, rows, tags


@pytest.mark.parametrize(("size", "neighbour_items"), [(1, None), (3, None), (100, None), (3, 1.0), (3, 0.5)])
def test_references_follow_the_formula_in_batches_of_any_size(items, size, neighbour_items):
    hidden, labels, names, edges = items
    references = LabelReferences(4, 5, 3.0, 2.0, neighbour_items).double()
    references.fit(batches_of(hidden, labels, size), torch.tensor(names).double(), graph_of(edges))
    directions, weights, offsets = plain_references(hidden, labels, names, edges, 3.0, 2.0, neighbour_items)
    np.testing.assert_allclose(references.directions.numpy(), directions, atol=1e-12)
    np.testing.assert_allclose(references.weights.numpy(), weights, atol=1e-12)
    np.testing.assert_allclose(references.offsets.numpy(), offsets, atol=1e-7)
    query = torch.tensor(hidden["text"][:2]).double()
    expected = [[w * (np.dot(unit(row), d) - o) for w, d, o in zip(weights, directions, offsets[:, 1], strict=True)]
                for row in query.tolist()]  # fmt: skip
    np.testing.assert_allclose(references("text", query).numpy(), expected, atol=1e-6)


def test_whitened_references_solve_for_the_centred_means(items):
    hidden, labels, names, edges = items
    references = LabelReferences(4, 5, neighbour_items=1.0, shrinkage=0.3).double()
    references.fit(batches_of(hidden, labels, 3), torch.tensor(names).double(), graph_of(edges))
    rows = np.array([unit(row) for side in hidden for row in hidden[side]])
    tags = np.array([row for side in hidden for row in labels[side]])
    covariance = np.cov(rows.T, bias=True)
    precision = np.linalg.inv(covariance + 0.3 * np.trace(covariance) / 5 * np.eye(5))
    own = np.zeros((4, 5))
    for label in range(4):
        for vectors in (rows[tags[:, label] > 0], np.array([unit(names[label])] if any(names[label]) else [])):
            if len(vectors):
                own[label] += unit(precision @ (vectors.mean(0) - rows.mean(0)))
    count = [max(sum(row[label] for row in labels[side]) for side in labels) for label in range(4)]
    borrowed = own.copy()
    for source, target, weight in edges:
        total = max(1.0, sum(w for _, t, w in edges if t == target))
        borrowed[target] += own[source] * weight / total / (1 + count[target])
    np.testing.assert_allclose(references.directions.numpy(), [unit(row) for row in borrowed], atol=1e-10)


def test_whitened_references_find_a_label_behind_what_all_items_have_in_common():
    torch.manual_seed(0)
    labels = (torch.rand(400, 1) < 0.5).float()
    hidden = torch.randn(400, 6) * torch.tensor([0.1, 1, 1, 1, 1, 1]) + 0.3 * labels * torch.eye(6)[0]
    hidden += 10 * torch.eye(6)[5]

    def share_right(shrinkage):
        scores = LabelReferences(1, 6, shrinkage=shrinkage).fit([("image", hidden, labels)])("image", hidden)
        return ((scores > scores.median()) == (labels > 0)).float().mean()

    assert share_right(None) < 0.7 < 0.8 < share_right(0.01)


def test_whitening_of_equal_items_stays_finite():
    references = LabelReferences(2, 3, shrinkage=0.3)
    references.fit([("image", torch.ones(4, 3), torch.tensor([[1.0, 0.0]] * 4))], names=torch.eye(3)[:2])
    assert all(value.isfinite().all() for value in references.state_dict().values())


def test_scores_are_zero_before_the_fit_and_for_a_label_without_any_reference():
    references = LabelReferences(2, 3)
    assert not references("image", torch.rand(4, 3)).any()
    references.fit([("image", torch.eye(3), torch.tensor([[1.0, 0.0]] * 3))])
    scores = references("image", torch.rand(4, 3))
    assert scores[:, 0].any() and not scores[:, 1].any()


def test_the_weight_halves_at_the_number_of_items():
    references = LabelReferences(2, 3, strength=8.0, num_items=2.0)
    labels = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    references.fit([("image", torch.rand(2, 3), labels), ("text", torch.rand(2, 3), labels)])
    torch.testing.assert_close(references.weights, torch.tensor([4.0, 8.0 * 2 / 3]))


def test_a_label_without_items_takes_the_direction_of_its_neighbours():
    graph = Data(edge_index=torch.tensor([[0], [1]]), edge_weight=torch.tensor([0.5]), num_nodes=2)
    references = LabelReferences(2, 3)
    references.fit([("image", torch.eye(3)[:1], torch.tensor([[1.0, 0.0]]))], graph=graph)
    torch.testing.assert_close(references.directions, torch.eye(3)[[0, 0]])
    assert references.weights[1] == references.strength


def test_sparse_labels_give_the_references_of_dense_labels(items):
    hidden, labels, names, edges = items
    fitted = []
    for form in (torch.Tensor.clone, lambda each: csr_tensor(sp.csr_array(each.numpy()))):
        batches = [(side, rows, form(tags)) for side, rows, tags in batches_of(hidden, labels, 3)]
        fitted.append(LabelReferences(4, 5).double().fit(batches, torch.tensor(names).double(), graph_of(edges)))
    for name, value in fitted[0].state_dict().items():
        torch.testing.assert_close(fitted[1].state_dict()[name], value)
    query = torch.tensor(hidden["text"][:2]).double()
    some = torch.tensor([2, 0])
    torch.testing.assert_close(fitted[0]("text", query, some), fitted[0]("text", query)[:, some])


@pytest.mark.parametrize(("strength", "half"), [(0.7, 6.3), (0.9, 1.5), (20.0, 5.0)])
def test_labels_without_items_are_unseen_for_any_setting(strength, half):
    references = LabelReferences(60, 3, strength, half)
    references.fit([("image", torch.eye(3), torch.eye(3, 60))], names=torch.rand(60, 3))
    assert references.unseen.tolist() == [False] * 3 + [True] * 57


def test_references_are_fitted_in_float32_in_half_precision():
    torch.manual_seed(0)
    hidden, labels = torch.rand(3000, 4).bfloat16(), torch.zeros(3000, 2).bfloat16()
    labels[:, 0], labels[:700, 1] = 1, 1
    half, single = LabelReferences(2, 4).bfloat16(), LabelReferences(2, 4)
    for each in (half, single):
        each.fit([("image", hidden, labels)])
    for name, value in single.state_dict().items():
        torch.testing.assert_close(half.state_dict()[name].float(), value, rtol=0.01, atol=0.01)
