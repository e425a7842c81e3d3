"""One searcher over every store: the results of a search by brute force, whatever is added, replaced and removed."""

import pickle

import numpy as np
import pytest
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode_side
from labelgraph.methods import AGAHConfig, ALGCNConfig, ExpectedRelevanceConfig, build_method
from labelgraph.search import Searcher
from labelgraph.search.gallery import gallery_items, shared_labels

LABELS = list("abcde")


def build(similarity, seed=0):
    torch.manual_seed(seed)
    graph = cooccurrence_graph(np.eye(5)[np.arange(20) % 5], LABELS)
    if similarity == "hamming":
        return build_method("agah", 12, 9, config=AGAHConfig(bits=20, hidden_channels=8, graph_channels=(4, 4)))
    if similarity == "cosine":
        return build_method("algcn", 12, 9, graph, ALGCNConfig(hidden_channels=8))
    return build_method("expected-relevance", 12, 9, graph, ExpectedRelevanceConfig())


@pytest.fixture(params=["cosine", "hamming", "jaccard"])
def method(request):
    return build(request.param)


def items(number=60, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(number, 5, generator=generator) < 0.4).long()
    labels[:, 0] |= labels.sum(1) == 0
    return CrossModalData(
        image=torch.randn(number, 12, generator=generator),
        text=torch.rand(number, 9, generator=generator),
        labels=labels,
        label_names=LABELS,
        ids=[f'it\'s "{i}" \\ é' for i in range(number)],
        titles=[f"title {i}" if i % 2 else f'it\'s "{i}" \\ é' for i in range(number)],
    )


def scores_of(method, query, other):
    if method.similarity == "hamming":
        bits = [np.unpackbits(each.numpy(), axis=1).astype(int) for each in (query, other)]
        return torch.tensor([[int((code != each).sum()) for each in bits[1]] for code in bits[0]])
    if method.similarity == "cosine":
        return torch.nn.functional.cosine_similarity(query[:, None], other, dim=-1)
    labels = method.similarity_labels or query.shape[1]
    p, q = query[:, None, :labels], other[None, :, :labels]
    both = (p * q).sum(-1)
    pair = (query[:, None, labels:] * other[None, :, labels:]).sum(-1).clamp(min=0) ** 3
    length = query[:, None, labels:].norm(dim=-1) ** 6
    return (both / (p.sum(-1) + q.sum(-1) - both) + pair) / (1 + length)


def assert_best(method, result, side, features, other, ids, k):
    """Each query has its k best scores, under ids of such scores; equal scores may change places."""
    query = encode_side(method, side, features).vectors
    held = encode_side(method, "text" if side == "image" else "image", other).vectors
    scores = scores_of(method, query, held).to(result.scores.dtype)
    row_of = {each: row for row, each in enumerate(ids)}
    best = scores.sort(dim=1, descending=method.similarity != "hamming").values[:, :k]
    torch.testing.assert_close(result.scores, best, rtol=1e-4, atol=1e-5)
    for row, each in enumerate(result.ids):
        rows = [row_of[one] for one in each]
        assert len(set(rows)) == min(k, len(ids))
        torch.testing.assert_close(scores[row][rows], best[row], rtol=1e-4, atol=1e-5)


def test_a_search_is_that_by_brute_force(method, store):
    data = items()
    searcher = Searcher(method, store=store).fit(data)
    assert (store is None) == (searcher.store is None) and "60 images, 60 texts, 5 labels" in repr(searcher)
    for side, other in (("image", "text"), ("text", "image")):
        for rows, k in ((slice(0, 1), 7), (slice(0, 9), 60), (slice(0, 20), 6)):
            asked = getattr(data, side)[rows]
            result = searcher.search(**{side: asked}, k=k)
            assert_best(method, result, side, asked, getattr(data, other), data.ids, k)
            title_of = dict(zip(data.ids, data.titles, strict=True))
            assert result.titles == [[title_of[each] for each in row] for row in result.ids]


@pytest.mark.parametrize(
    "chosen", [{"labels": ["b", "d"]}, {"ids": [0, 7, 7, 31, 59]}, {"labels": ["c"], "ids": range(30)}]
)
def test_filters_keep_items_with_a_label_and_an_id(method, store, chosen):
    data = items()
    searcher = Searcher(method, store=store).fit(data)
    rows = [
        row for row in range(60)
        if ("labels" not in chosen or any(data.labels[row, LABELS.index(name)] for name in chosen["labels"]))
        and ("ids" not in chosen or row in chosen["ids"])
    ]  # fmt: skip
    asked = dict(chosen)
    if "ids" in chosen:
        asked["ids"] = [*(data.ids[row] for row in chosen["ids"]), "no such id"]
    result = searcher.search(image=data.image[:4], k=5, **asked)
    left = data.select(rows)
    assert_best(method, result, "image", data.image[:4], left.text, left.ids, 5)
    assert searcher.search(image=data.image[:1], ids=[]).ids == [[]]
    assert searcher.search(image=data.image[:1], labels=[]).ids == [[]]


def test_items_are_added_replaced_and_removed(method, store):
    data, later = items(), items(seed=1)
    searcher = Searcher(method, label_names=LABELS, store=store)
    assert searcher.search(image=data.image[:2]).ids == [[], []]
    searcher.add(data.ids[:40], data.image[:40], data.text[:40], data.labels[:40], titles=data.titles[:40])
    searcher.add(data.ids[40:], data.image[40:], data.text[40:], data.labels[40:])
    searcher.upsert(data.ids[:10], later.image[:10], later.text[:10], later.labels[:10])
    searcher.remove(data.ids[55:])
    text = torch.cat([later.text[:10], data.text[10:55]])
    result = searcher.search(image=data.image[:5], k=60)
    assert_best(method, result, "image", data.image[:5], text, data.ids[:55], 60)
    own = later.labels[:10, 2].bool()
    found = searcher.search(image=data.image[:1], k=60, labels=["c"], ids=data.ids[:10]).ids[0]
    assert sorted(found) == sorted(each for each, has in zip(data.ids[:10], own, strict=True) if has)
    with pytest.raises(ValueError, match=r"'ids' must be new.*image.*3"):
        searcher.add(["new", data.ids[3]], image=data.image[:2])
    with pytest.raises(ValueError, match=r"'ids'.*'new'"):
        searcher.remove(["new"])
    with pytest.raises(ValueError, match="'labels'"):
        searcher.upsert(["new"], image=data.image[:1], labels=[[1, 0]])
    assert "55 images, 55 texts" in repr(searcher)


def test_sides_are_added_one_by_one(method, store):
    data = items()
    searcher = Searcher(method, label_names=LABELS, store=store)
    searcher.add(data.ids[:20], image=data.image[:20], labels=data.labels[:20])
    assert searcher.search(image=data.image[:1]).ids == [[]]
    searcher.add(data.ids[10:30], text=data.text[10:30], labels=data.labels[10:30])
    assert_best(method, searcher.search(image=data.image[:2], k=60), "image", data.image[:2], data.text[10:30],
                data.ids[10:30], 60)  # fmt: skip
    assert_best(method, searcher.search(text=data.text[:2], k=60), "text", data.text[:2], data.image[:20],
                data.ids[:20], 60)  # fmt: skip
    sides = {each.id: each.sides for each in gallery_items(searcher)}
    assert all("image" in each for each in list(sides.values())[:20])  # Before those with only a text.
    kinds = [("image",)] * 10 + [("image", "text")] * 10 + [("text",)] * 10
    assert sides == dict(zip(data.ids[:30], kinds, strict=True))
    names = {each.id: each.labels for each in gallery_items(searcher)}
    wanted = {each: tuple(LABELS[c] for c in row.nonzero().flatten().tolist())
              for each, row in zip(data.ids[:30], data.labels, strict=False)}  # fmt: skip
    assert names == wanted
    assert data.ids[3] not in searcher.search(like=data.ids[3], k=60).ids[0]
    with pytest.raises(ValueError, match="'like'"):
        searcher.search(like=[data.ids[3], data.ids[29]])


@pytest.mark.parametrize("change", ["add", "upsert"])
def test_a_side_that_is_kept_keeps_its_title_and_labels(store, change):
    data, method = items(2), build("cosine")
    searcher = Searcher(method, label_names=LABELS, store=store)
    searcher.add(["x"], text=data.text[:1], titles=["a red cat"], labels=[[0, 1, 0, 1, 0]])
    getattr(searcher, change)(["x"], image=data.image[:1])
    assert searcher.search(image=data.image[:1]).titles == [["a red cat"]]
    assert searcher.search(image=data.image[:1], labels=["d"]).ids == [["x"]]
    searcher.upsert(["x"], image=data.image[1:], text=data.text[1:])
    assert searcher.search(image=data.image[:1]).titles == [["x"]]
    assert searcher.search(image=data.image[:1], labels=["d"]).ids == [[]]


def test_missing_sides_of_a_data_set_are_not_results(method, store):
    data = items()
    present = torch.ones(60, 2, dtype=torch.bool)
    present[:10, 1], present[50:, 0] = False, False
    data = CrossModalData(data.image, data.text, data.labels, data.label_names, present=present, ids=data.ids)
    searcher = Searcher(method, store=store).fit(data, rows=torch.arange(5, 60))
    assert sorted(searcher.search(image=data.image[0], k=60).ids[0]) == sorted(data.ids[10:])
    assert sorted(searcher.search(text=data.text[0], k=60, labels=LABELS).ids[0]) == sorted(data.ids[5:50])


def test_both_sides_and_captions_are_searched_alike(database):
    pytest.importorskip("bm25s")
    data, method = items(), build("jaccard")
    results = []
    for searcher in (Searcher(method).fit(data), Searcher(method, store=database).fit(data)):
        result = searcher.search(image=data.image[:3], k=5, within="both")
        shared = shared_labels(searcher, result.ids[0], "both", image=data.image[:1])
        captions = [[sorted(each) for each in searcher._sides["text"].captioned(["title 7", "no words"], 60, *chosen)]
                    for chosen in ((None, None), ([1], None), (None, data.ids[:8]))]  # fmt: skip
        words = searcher._sides["text"].caption_words(["title", "words"])
        titles = searcher._sides["text"].titles_of(data.ids[:8])
        results.append(
            (result, [[(each.name, round(each.item, 4)) for each in one] for one in shared], captions, words, titles)
        )
    (first, *others), (second, *same) = results
    torch.testing.assert_close(first.scores, second.scores, rtol=1e-4, atol=1e-5)
    assert others == same and others[2] == ["title"]
    assert others[3] == dict(zip(data.ids[:8], data.titles[:8], strict=True))


def test_a_store_is_opened_again_and_by_a_copy(method, database):
    data = items()
    first = Searcher(method, store=database).fit(data)
    second, third = Searcher.open(database), pickle.loads(pickle.dumps(first))
    assert second.label_names == first.label_names and second.index == first.index and second.store == database
    wanted = first.search(image=data.image[:3], k=5)
    for other in (second, third):
        result = other.search(image=data.image[:3], k=5)
        assert result.ids == wanted.ids and result.scores.equal(wanted.scores)
    second.remove(data.ids[:1])
    second.add(["new"], text=data.text[:1], titles=["a title"])
    assert data.ids[0] not in first.search(image=data.image[0], k=60).ids[0]
    found = third.search(image=data.image[0], k=60)
    assert found.titles[0][found.ids[0].index("new")] == "a title"
    assert "59 images, 60 texts" in repr(first)


def test_fit_replaces_a_store(method, database):
    Searcher(method, store=database).fit(items())
    other, data = build("hamming" if method.similarity != "hamming" else "cosine", seed=1), items(30, seed=2)
    old = Searcher.open(database)
    with pytest.raises(ValueError, match="another model"):
        Searcher(other, store=database, label_names=LABELS).add(["a"], image=data.image[:1])
    new = Searcher(other, store=database).fit(data)
    assert_best(other, new.search(image=data.image[:2], k=4), "image", data.image[:2], data.text, data.ids, 4)
    with pytest.raises(ValueError, match="another model"):
        old.search(image=data.image[:1])
    assert Searcher.open(database).search(image=data.image[:2], k=4).ids == new.search(image=data.image[:2], k=4).ids


def test_a_failed_fit_keeps_the_store(method, database, monkeypatch):
    data = items()
    wanted = Searcher(method, store=database).fit(data).search(image=data.image[:2], k=5).ids
    searcher = Searcher(method, store=database)
    searcher._sides.__class__.block_rows, usual = 8, searcher._sides.__class__.block_rows
    calls = []

    def advance(size):
        calls.append(size)
        if len(calls) > 4:
            raise RuntimeError("enough")

    try:
        with pytest.raises(RuntimeError, match=r"^enough$"):
            searcher.fit(data, advance=advance)
    finally:
        searcher._sides.__class__.block_rows = usual
    assert Searcher.open(database).search(image=data.image[:2], k=5).ids == wanted


def test_a_part_that_finds_the_store_just_created_is_added(database, monkeypatch):
    data, method = items(), build("cosine")
    first, second = (Searcher(method, label_names=LABELS, store=database) for _ in range(2))
    engine, answers = second._sides.engine, [None, None]  # As before the first has created the store.
    model_key = engine.model_key
    monkeypatch.setattr(engine, "model_key", lambda: answers.pop() if answers else model_key())
    first.add(data.ids[:30], data.image[:30], data.text[:30], data.labels[:30])
    second.add(data.ids[30:], data.image[30:], data.text[30:], data.labels[30:])
    assert not answers and "60 images, 60 texts" in repr(first)
    found = second.search(image=data.image[:2], k=60)
    assert_best(method, found, "image", data.image[:2], data.text, data.ids, 60)


def test_an_item_that_was_just_removed_is_named(database, monkeypatch):
    searcher = Searcher(build("cosine"), store=database).fit(items(10))
    monkeypatch.setattr(type(searcher._sides["image"]), "__contains__", lambda side, each: True)
    with pytest.raises(ValueError, match=r"'like'.*'gone'"):
        searcher.search(like="gone")


@pytest.mark.slow
def test_an_index_of_lists_finds_most_of_the_nearest(database):
    method = build("jaccard")
    data = items(11_000 if database.startswith("lance") else 1_000)  # LanceDB gets no index for fewer than 10,000.
    exact = Searcher(method).fit(data).search(image=data.image[:40], k=10)
    searcher = Searcher(method, "ivf", store=database, num_probes=40).fit(data)
    result = searcher.search(image=data.image[:40], k=10)
    recall = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(exact.ids, result.ids, strict=True)])
    assert recall >= 0.95
    best = Searcher(method).fit(data).search(image=data.image[:3], k=10, labels=["b"])
    for each in (searcher, Searcher.open(database)):  # A filter is exact: it needs all lists of the index.
        chosen = each.search(image=data.image[:3], k=10, labels=["b"])
        torch.testing.assert_close(chosen.scores, best.scores, rtol=1e-4, atol=1e-5)
    assert len(searcher.search(image=data.image[:1], k=len(data)).ids[0]) == len(data)


def test_errors_say_what_to_do(tmp_path, method, database):
    place = database.rpartition("/")[0] + "/none.db"
    with pytest.raises(FileNotFoundError, match=r"none\.db: no such store"):
        Searcher.open(place)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(ValueError, match=r"'index'.*exact, ivf.*faiss-flat"):
        Searcher(method, "faiss-flat", store=database)
    with pytest.raises(ValueError, match=r"'num_probes'.*0"):
        Searcher(method, "ivf", store=database, num_probes=0)
    with pytest.raises(ValueError, match="num_links"):
        Searcher(method, "ivf", store=database, num_links=8)
    searcher = Searcher(method, store=database).fit(items(10))
    with pytest.raises(ValueError, match="'save'"):
        searcher.save(tmp_path / "saved")
    with pytest.raises(ValueError, match=r"'image'|features"):
        searcher.search(image=torch.ones(1, 3))
