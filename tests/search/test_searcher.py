"""The searcher: fitting, adding, removing, filters, threads."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Thread

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode_side
from labelgraph.methods import AGAHConfig, ALGCNConfig, build_method
from labelgraph.search import INDEXES, Searcher


def build(similarity, seed=0):
    torch.manual_seed(seed)
    if similarity == "hamming":
        return build_method("agah", 12, 9, config=AGAHConfig(bits=16, hidden_channels=8, graph_channels=(4, 4)))
    graph = cooccurrence_graph(np.eye(5)[np.arange(20) % 5])
    return build_method("algcn", 12, 9, graph, ALGCNConfig(hidden_channels=8))


@pytest.fixture(params=INDEXES)
def index(request):
    if request.param.startswith("faiss"):
        pytest.importorskip("faiss")
    return request.param


@pytest.fixture
def method(index):
    return build(INDEXES[index].similarities[0])


@pytest.fixture
def data(make_data):
    data = make_data()
    return CrossModalData(
        image=data.image,
        text=data.text,
        labels=data.labels,
        label_names=list("abcde"),
        ids=[f"item {i}" for i in range(60)],
    )


@pytest.fixture
def searcher(method, index, data):
    return Searcher(method, index).fit(data)


def ranked(method, data, side):
    """The ids of the other side for each query, and their scores, by brute force: (Q, N)."""
    vectors = {each: encode_side(method, each, getattr(data, each)).vectors for each in ("image", "text")}
    query, other = vectors[side], vectors["text" if side == "image" else "image"]
    if method.similarity == "cosine":
        scores = torch.nn.functional.cosine_similarity(query[:, None], other, dim=-1)
    else:
        bits = [np.unpackbits(each.numpy(), axis=1).astype(int) for each in (query, other)]
        scores = torch.tensor([[int((code != each).sum()) for each in bits[1]] for code in bits[0]])
    return scores


def assert_nearest(result, scores, allowed, ids, k):
    """Each query has its k best scores among the allowed rows, under ids of such scores; ties may change places."""
    row_of = {each: row for row, each in enumerate(ids)}
    for row, each in enumerate(result.ids):
        rows = [row_of[one] for one in each]
        assert len(set(rows)) == len(rows) == min(k, len(allowed)) and set(rows) <= set(allowed)
        values = scores[row].to(result.scores.dtype)
        torch.testing.assert_close(result.scores[row], values[rows])
        best = values[allowed].sort(descending=result.scores.is_floating_point()).values[:k]
        torch.testing.assert_close(result.scores[row], best)


@pytest.mark.parametrize("side", ["image", "text"])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_neighbours_come_from_the_other_side(searcher, method, data, side, k):
    result = searcher.search(**{side: getattr(data, side)}, k=k)
    assert_nearest(result, ranked(method, data, side), list(range(60)), data.ids, k)
    assert result.scores.shape == (60, min(k, 60))


def test_exact_ties_keep_the_order_of_addition(data):
    searcher = Searcher(build("hamming")).fit(data)
    result = searcher.search(image=data.image, k=60)
    order = ranked(searcher.method, data, "image").sort(stable=True, dim=1).indices
    assert result.ids == [[data.ids[i] for i in row] for row in order.tolist()]


def test_a_single_query_is_a_batch_of_one(searcher, data):
    alone, batch = searcher.search(text=data.text[3], k=4), searcher.search(text=data.text[3:4], k=4)
    assert alone.ids == batch.ids and torch.equal(alone.scores, batch.scores) and len(alone.ids) == 1


@pytest.mark.parametrize("labels", [["b"], ["a", "e"]])
@pytest.mark.parametrize("ids", [None, [f"item {i}" for i in range(7, 50)], ["item 3", "unheld"], []])
def test_filters(searcher, method, data, labels, ids):
    columns = [data.label_names.index(name) for name in labels]
    allowed = [
        row
        for row in range(60)
        if data.labels[row, columns].any() and (ids is None or data.ids[row] in ids)
    ]  # fmt: skip
    result = searcher.search(image=data.image[:9], k=5, labels=labels, ids=ids)
    assert_nearest(result, ranked(method, data, "image"), allowed, data.ids, 5)


def test_filter_by_ids_alone(searcher, method, data):
    result = searcher.search(image=data.image[:9], k=3, ids=["item 8", "item 2", "item 2", "item 59", "item 30"])
    assert_nearest(result, ranked(method, data, "image"), [2, 8, 30, 59], data.ids, 3)


def test_adding_and_removing_is_fitting_what_is_left(searcher, method, index, data):
    searcher.remove(["item 0", "item 59", *(f"item {i}" for i in range(20, 40))])
    searcher.add(["item 0", "item 30"], data.image[[0, 30]], data.text[[0, 30]], data.labels[[0, 30]])
    rows = [*range(1, 20), *range(40, 59), 0, 30]
    left = data.select(rows)
    scores = ranked(method, left, "text")
    for labels in (None, ["c"]):
        result = searcher.search(text=left.text, k=6, labels=labels)
        allowed = [row for row in range(len(rows)) if labels is None or left.labels[row, 2]]
        assert_nearest(result, scores, allowed, left.ids, 6)
    assert repr(searcher) == f"Searcher({method.name}, {index}, 40 images, 40 texts, 5 labels)"


def test_a_searcher_grows_from_nothing(method, index, data):
    searcher = Searcher(method, index, data.label_names)
    assert searcher.search(image=data.image[:2]).ids == [[], []]
    searcher.add(data.ids[:30], text=data.text[:30], labels=data.labels[:30])
    searcher.add(data.ids[30], text=data.text[30])
    searcher.add(data.ids[:2], image=data.image[:2])
    first = data.select(range(31))
    assert_nearest(
        searcher.search(image=data.image[:31], k=4), ranked(method, first, "image"), list(range(31)), first.ids, 4
    )
    with_label = searcher.search(image=data.image[:2], k=60, labels=list("abcde"))
    assert {len(row) for row in with_label.ids} == {30}  # The last came without labels.
    assert sorted(searcher.search(text=data.text[5]).ids[0]) == ["item 0", "item 1"]
    searcher.remove("item 1")
    assert searcher.search(text=data.text[5]).ids == [["item 0"]]


def test_a_missing_side_is_left_out(method, index, data):
    present = torch.ones(60, 2, dtype=torch.bool)
    present[:10, 0] = present[50:, 1] = False
    part = CrossModalData(image=data.image, text=data.text, labels=data.labels, ids=data.ids, present=present)
    searcher = Searcher(method, index).fit(part)
    assert sorted(searcher.search(text=data.text[0], k=60).ids[0]) == sorted(data.ids[10:])
    assert sorted(searcher.search(image=data.image[0], k=60).ids[0]) == sorted(data.ids[:50])


def test_fitting_again_replaces_all(searcher, data):
    searcher.fit(data.select([4, 5]))
    assert sorted(searcher.search(image=data.image[0]).ids[0]) == ["item 4", "item 5"]


def test_some_rows_are_fitted_as_their_copy_is(method, index, data):
    data = CrossModalData(**{**vars(data), "present": torch.tensor([[1, 1], [0, 1], [1, 0]] * 20)})
    rows = torch.randperm(60, generator=torch.Generator().manual_seed(0))[:41]
    some, copied = Searcher(method, index).fit(data, rows=rows), Searcher(method, index).fit(data.select(rows))
    assert repr(some) == repr(copied)
    for query in ({"image": data.image[:5]}, {"text": data.text[:5]}):
        result, wanted = (each.search(**query, k=4, labels=["a", "c"]) for each in (some, copied))
        assert result.ids == wanted.ids and torch.equal(result.scores, wanted.scores)


@pytest.mark.parametrize("rows", [[60], [], [1, 1]])
def test_wrong_rows_are_refused(searcher, data, rows):
    with pytest.raises(ValueError, match="'rows'"):
        searcher.fit(data, rows=rows)


def test_sparse_texts(searcher, data):
    text = sp.csr_array(data.text.numpy())
    wanted = searcher.search(text=data.text[:5], k=3), searcher.search(image=data.image[:5], k=3)
    searcher.fit(CrossModalData(image=data.image, text=text, labels=data.labels, ids=data.ids))
    result = searcher.search(text=text[:5], k=3), searcher.search(image=data.image[:5], k=3)
    assert [each.ids for each in result] == [each.ids for each in wanted]


def test_batches_do_not_matter(method, index, data):
    small, large = (Searcher(method, index).fit(data, size).search(image=data.image, k=5) for size in (7, 4096))
    torch.testing.assert_close(small.scores, large.scores)


def test_ids_become_strings(method, data):
    searcher = Searcher(method)
    searcher.add([7, 8], text=data.text[:2])
    assert sorted(searcher.search(image=data.image[0]).ids[0]) == ["7", "8"]
    assert searcher.search(image=data.image[0], ids=[7]).ids == [["7"]]


def test_threads_find_what_one_finds(searcher, data):
    parts = [(side, start) for start in range(0, 60, 5) for side in ("image", "text")] * 4

    def search(part):
        side, start = part
        return searcher.search(**{side: getattr(data, side)[start : start + 5]}, k=7)

    alone = [search(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(search, parts))
    for one, other in zip(alone, together, strict=True):
        assert one.ids == other.ids and torch.equal(one.scores, other.scores)


def test_searches_while_others_write_see_whole_states(searcher, data):
    """Pairs come and go together: a search finds both or neither, and ids always belong to their vectors."""
    stop, errors = Event(), []
    whole = searcher.search(text=data.text[0], k=60)
    wanted = dict(zip(whole.ids[0], whole.scores[0].tolist(), strict=True))

    def read():
        while not stop.is_set():
            result = searcher.search(text=data.text[0], k=60)
            scores = dict(zip(result.ids[0], result.scores[0].tolist(), strict=True))
            wrong = [each for each, score in scores.items() if abs(wanted[each] - score) > 1e-5]
            if wrong or len(scores.keys() & {"item 1", "item 2"}) == 1:
                errors.append((wrong, scores))

    threads = [Thread(target=read, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        searcher.remove(["item 1", "item 2"])
        searcher.add(["item 2", "item 1"], data.image[[2, 1]], data.text[[2, 1]])
    stop.set()
    for thread in threads:
        thread.join(10)
    assert not errors and not any(thread.is_alive() for thread in threads)


def test_the_default_index_is_exact_and_fits_the_method():
    assert [Searcher(build(similarity)).index for similarity in ("cosine", "hamming")] == ["exact", "hamming"]


def test_a_method_is_put_into_evaluation_mode():
    method = build("cosine").train()
    Searcher(method)
    assert not method.training


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, d: s.search(), "one of 'image', 'text', .* must be given .got none"),
        (lambda s, d: s.search(image=d.image, text=d.text), "must be given .got image and text"),
        (lambda s, d: s.search(image=d.image, k=0), "'k' must be a whole number of at least 1 .got 0"),
        (lambda s, d: s.search(image=d.image, k=2.5), "'k' must be a whole number of at least 1 .got 2.5"),
        (lambda s, d: s.search(image=d.text), "'image' must have 12 features, as the method takes .got 9"),
        (lambda s, d: s.search(image=d.image, labels=["z"]), "'labels' must be one of a, b, c, d, e .got 'z'"),
        (lambda s, d: s.add(["x"]), "'image' or 'text' must be given"),
        (lambda s, d: s.add(["x", "y", "x"], d.image[:3]), "'ids' must be distinct .got 'x' twice"),
        (lambda s, d: s.add(["x", "y"], d.image[:3]), "'image' must have a row per id, 2 .got 3"),
        (lambda s, d: s.add(["x", "item 4"], d.image[:2]), "'ids' must be new among the images .got 'item 4'"),
        (lambda s, d: s.add(["x"], d.image[:1], labels=[[1, 0]]), r"'labels' must have the shape \(1, 5\)"),
        (lambda s, d: s.add(["x"], d.image[:1], labels=[[2, 0, 0, 0, 0]]), "'labels' must be 0 or 1"),
        (lambda s, d: s.remove(["item 1", "x"]), "'ids' must be ids of items .* .got 'x'"),
        (lambda s, d: Searcher(s.method, "faiss-binary-flat"), "'index' must be one of exact, .* for 'cosine'"),
        (lambda s, d: Searcher(s.method, "hamming"), "'index' must be one of exact, .* for 'cosine' .*got 'hamming'"),
        (lambda s, d: Searcher(s.method, "best"), "'index' must be one of exact, hamming"),
        (lambda s, d: Searcher(s.method, num_probes=3), "settings of the index 'exact'"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named_and_change_nothing(data, call, message):
    searcher = Searcher(build("cosine")).fit(data)
    with pytest.raises(ValueError, match=message):
        call(searcher, data)
    assert repr(searcher) == "Searcher(algcn, exact, 60 images, 60 texts, 5 labels)"


def test_repeated_ids_of_a_data_set_are_refused(data):
    with pytest.raises(ValueError, match=r"'ids' must be distinct .got 'same' twice"):
        Searcher(build("cosine")).fit(replace(data, ids=["same"] * 60))


def test_titles_go_with_their_items(method, index, data, tmp_path):
    titled = replace(data, titles=[f"title {i}" for i in range(60)])
    searcher = Searcher(method, index).fit(titled)
    searcher.remove(["item 3", "item 4"])
    searcher.add(["new", "newer"], image=data.image[:2], titles=["a new one", "a newer one"])
    searcher.add("untitled", image=data.image[2])
    searcher.save(tmp_path)
    for each in (searcher, Searcher.load(tmp_path)):
        result = each.search(text=data.text[:3], k=99)
        for ids, titles in zip(result.ids, result.titles, strict=True):
            shown = {"new": "a new one", "newer": "a newer one", "untitled": "untitled"}
            assert titles == [shown.get(name, name.replace("item", "title")) for name in ids] and len(ids) == 61
    with pytest.raises(ValueError, match=r"'titles' must have an entry per id, 1 \(got 2\)"):
        searcher.add("x", image=data.image[2], titles=["a", "b"])


def test_fitting_tells_how_far_it_is(method, index, data):
    steps = []
    Searcher(method, index).fit(data, batch_size=25, advance=steps.append)
    assert steps == [25, 25, 10, 25, 25, 10]


@pytest.mark.parametrize("kind", [None, "exact", "faiss-flat", "faiss-hnsw"])
def test_embeddings_of_products_are_searched_by_products(data, kind):
    if kind and kind.startswith("faiss"):
        pytest.importorskip("faiss")
    torch.manual_seed(0)
    graph = cooccurrence_graph(data.labels, data.label_names)
    method = build_method("expected-relevance", 12, 9, graph, score="expected_relevance").eval()
    result = Searcher(method, kind).fit(data).search(image=data.image, k=4)
    with torch.no_grad():
        products = method.encode_image(data.image) @ method.encode_text(data.text).t()
    torch.testing.assert_close(result.scores, products.topk(4).values)
    with pytest.raises(ValueError, match=r"'index' must be one of exact, faiss-flat.* for 'dot' \(got 'hamming'\)"):
        Searcher(method, "hamming")
