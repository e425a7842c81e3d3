"""A searcher of items with many labels: queries, filters, changes, saving."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph._core.embeddings import Embeddings, score_blocks
from labelgraph._core.sparse_rows import pack_rows, top_rows
from labelgraph.inference import encode, encode_labels
from labelgraph.search import Searcher, build_index, exact_neighbours, nearest_neighbours
from labelgraph.search.gallery import gallery_items, shared_labels
from tests.methods.test_many_labels import many, trained


def rows_of(size, seed, num_labels=50, kept=6):
    generator = torch.Generator().manual_seed(seed)
    dense = torch.rand(size, num_labels, generator=generator).pow(6)
    return pack_rows(*top_rows(dense, kept), torch.randn(size, 4, generator=generator).sign() / 2)


def scores_of_all(asked, held):
    return torch.cat([block.clone() for _, block in score_blocks(asked, held)])


def checked_order(asked, held, all_scores, k):
    """Check the k nearest items against a sort of all scores, and return them."""
    order = all_scores.argsort(dim=1, descending=True, stable=True)[:, :k]
    scores, positions = nearest_neighbours(asked, held, k)
    assert torch.equal(positions, order)
    torch.testing.assert_close(scores, all_scores.gather(1, order))
    return order


@pytest.mark.parametrize("k", [1, 5, 40])
def test_the_exact_index_finds_the_highest_scores_of_all_items(k):
    asked, held = (Embeddings(rows_of(size, seed), "sparse-jaccard", 6) for size, seed in ((7, 0), (40, 1)))
    all_scores = scores_of_all(asked, held)
    order = checked_order(asked, held, all_scores, k)
    index = build_index("exact", "sparse-jaccard", num_labels=6)
    index.add(held.vectors[:30])
    index.search(asked.vectors, k)  # Lists that a later change makes obsolete.
    index.add(held.vectors[30:])
    assert torch.equal(index.search(asked.vectors, k)[1], order)
    among = torch.arange(0, 40, 3)
    found = index.search(asked.vectors, 3, among)[1]
    expected = among[all_scores[:, among].argsort(dim=1, descending=True, stable=True)[:, :3]]
    assert torch.equal(found, expected)
    index.remove(torch.arange(30, 40))
    assert torch.equal(index.search(asked.vectors, 3)[1], nearest_neighbours(asked, held[:30], 3)[1])


@pytest.mark.parametrize("size", [1, 4, 5])
@pytest.mark.parametrize("k", [1, 5, 40])
def test_few_queries_read_the_items_block_by_block(size, k, monkeypatch):
    monkeypatch.setattr(exact_neighbours, "ROWS", 7)
    asked, held = (Embeddings(rows_of(number, seed), "sparse-jaccard", 6) for number, seed in ((size, 0), (40, 1)))
    order = checked_order(asked, held, scores_of_all(asked, held), k)
    index = build_index("exact", "sparse-jaccard", num_labels=6)
    index.add(held.vectors)
    for _ in range(6):  # The later ones by inverted lists.
        assert torch.equal(index.search(asked.vectors, k)[1], order)


@pytest.fixture(scope="module")
def example():
    data = many()
    method = trained(data).method
    return data, method, Searcher(method).fit(data, rows=data.rows("validation"))


@pytest.mark.slow
def test_items_are_found_by_features_labels_and_likeness(example):
    data, method, searcher = example
    held_out = data.split("validation")
    image, text = encode(method, held_out)
    expected = nearest_neighbours(text, image, 3)[1]
    found = searcher.search(text=held_out.text, k=3)
    assert found.ids == [[held_out.ids[place] for place in row] for row in expected.tolist()]
    label = int(held_out.label_rows().sum(0).argmax())
    name = data.label_names[label]
    expected = nearest_neighbours(encode_labels(method)[label : label + 1], image, 5)[1][0]
    assert searcher.search(label=name, k=5).ids == [[held_out.ids[place] for place in expected.tolist()]]
    like = searcher.search(like=[held_out.ids[0]], k=100).ids[0]
    assert held_out.ids[0] not in like and len(like) == 99


@pytest.mark.slow
def test_filters_by_labels_and_by_ids(example):
    data, _, searcher = example
    held_out = data.split("validation")
    hot = held_out.label_rows()
    labels = hot.sum(0).argsort(descending=True)[[3, 9]].tolist()
    names = [data.label_names[label] for label in labels]
    found = searcher.search(text=held_out.text[:1], k=100, labels=names).ids[0]
    assert set(found) == {each for each, row in zip(held_out.ids, hot, strict=True) if row[labels].any()}
    some = found[:2]
    assert set(searcher.search(text=held_out.text[:1], k=9, labels=names, ids=[*some, "no id"]).ids[0]) == set(some)


@pytest.mark.slow
def test_a_saved_searcher_answers_as_before(example, tmp_path):
    data, _, searcher = example
    searcher.save(tmp_path / "index")
    again = Searcher.load(tmp_path / "index")
    query = {"text": data.text[:4], "k": 10, "labels": [data.label_names[0], data.label_names[2]]}
    assert again.search(**query).ids == searcher.search(**query).ids
    assert torch.equal(again.search(**query).scores, searcher.search(**query).scores)
    assert gallery_items(again) == gallery_items(searcher)


@pytest.mark.slow
def test_items_are_added_and_removed_with_their_labels(example):
    data, method, _ = example
    searcher = Searcher(method, label_names=data.label_names)
    searcher.add(["a", "b"], image=data.image[:2], labels=data.labels[:2])
    searcher.add(["c"], image=data.image[2:3])  # Without labels.
    searcher.remove(["a"])
    hot = sp.csr_array(data.labels[1:2])
    names = tuple(data.label_names[column] for column in sorted(hot.indices))
    assert [(item.id, item.labels) for item in gallery_items(searcher)] == [("b", names), ("c", ())]
    assert searcher.search(image=data.image[:1], within="pictures", labels=list(names)).ids == [["b"]]
    with pytest.raises(ValueError, match=r"'labels'.*\(1, 1100\).*\(1, 1099\)"):
        searcher.add(["d"], image=data.image[:1], labels=np.zeros((1, 1099)))


@pytest.mark.slow
def test_shared_labels_are_those_that_both_sides_name(example):
    data, method, searcher = example
    held_out = data.split("validation")
    (shared,) = shared_labels(searcher, [held_out.ids[0]], "pictures", text=held_out.text[:1])
    probabilities = [method.label_probabilities(side, getattr(held_out, side)[:1])[0] for side in ("text", "image")]
    best = (probabilities[0] * probabilities[1]).argmax().item()
    assert shared[0].name == data.label_names[best]
    assert (shared[0].query, shared[0].item) == pytest.approx([float(p[best]) for p in probabilities], rel=1e-4)


@pytest.mark.slow
def test_other_indexes_and_stores_are_refused(example, tmp_path):
    _, method, _ = example
    with pytest.raises(ValueError, match=r"'index' must be one of exact for 'sparse-jaccard' \(got 'faiss-flat'\)"):
        Searcher(method, "faiss-flat")
    pytest.importorskip("lancedb")
    with pytest.raises(ValueError, match=r"'store' must be left out.*lance:"):
        Searcher(method, store=f"lance:{tmp_path / 'store'}")
