"""`ExpectedRelevance` with many labels, against its dense form."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from labelgraph._core.embeddings import score_blocks
from labelgraph.data import CrossModalData, csr_tensor
from labelgraph.graph import cooccurrence_graph
from labelgraph.inference import encode, encode_labels, held_out_scores, label_probabilities, relevance_encoder
from labelgraph.methods import ExpectedRelevance, ExpectedRelevanceConfig, load_method
from labelgraph.metrics import evaluate_labels, label_report, mean_average_precision
from labelgraph.nn import LabelReferences, LabelTable
from labelgraph.train import train_method


def both_forms(data, **settings):
    """The method with a linear layer, and with a table of the same weights, for few labels."""
    config = ExpectedRelevanceConfig(hidden_channels=8, dropout=0.0, word_dropout=0.0, kept_labels=5, **settings)
    graph = cooccurrence_graph(data.labels, data.label_names)
    torch.manual_seed(0)
    dense = ExpectedRelevance.from_config(config, 12, 9, graph).eval()
    parts = ExpectedRelevance.parts(config, 12, 9, graph)
    references = parts.get("references")
    table = LabelTable(5, 8)
    sparse = ExpectedRelevance(**{**parts, "classifier": table, "config": config}).eval()
    sparse.projectors.load_state_dict(dense.projectors.state_dict())
    table.weight.data.copy_(dense.classifier.weight)
    table.bias.data.copy_(dense.classifier.bias.unsqueeze(1))
    if isinstance(references, LabelReferences):
        batches = [("image", torch.randn(9, 8), torch.eye(9, 5))]
        for each in (dense.references, references):
            each.fit(batches)
    sparse._graph, sparse._channels = dense._graph, dense._channels
    return dense, sparse


def scores_of(method, data):
    return torch.cat([block.clone() for _, block in score_blocks(*encode(method, data))])


@pytest.mark.parametrize(
    "settings",
    [{}, {"borrowing": 0.0}, {"pair_strength": 0.0}]
    + [{"score": score} for score in ("expected_relevance", "expected_shared", "expected_cosine")],
)
def test_with_all_labels_kept_scores_are_those_of_the_dense_form(make_data, settings):
    data = make_data()
    dense, sparse = both_forms(data, **settings)
    assert sparse.similarity == f"sparse-{dense.similarity}"
    torch.testing.assert_close(scores_of(sparse, data), scores_of(dense, data))


def test_with_all_labels_drawn_losses_and_gradients_are_those_of_the_dense_form(make_data):
    data = make_data()
    dense, sparse = both_forms(data, drawn_labels=5)
    sparse_labels = csr_tensor(sp.csr_array(data.labels.numpy()))
    terms = [
        method.loss_terms(method(data.image, data.text), labels)
        for method, labels in ((dense, data.labels), (sparse, sparse_labels))
    ]
    assert terms[0].keys() == terms[1].keys()
    for name in terms[0]:
        torch.testing.assert_close(terms[1][name], terms[0][name])
    for method, each in zip((dense, sparse), terms, strict=True):
        method.total_loss(each).backward()
    torch.testing.assert_close(sparse.classifier.weight.grad.to_dense(), dense.classifier.weight.grad)
    left, right = (method.projectors["image"].parameters() for method in (dense, sparse))
    for one, other in zip(left, right, strict=True):
        torch.testing.assert_close(other.grad, one.grad)


def many(size=300, num_labels=1100, seed=0):
    """Items with 3 of many labels, whose features follow from vectors of the labels; few items have a rare label."""
    generator = np.random.default_rng(seed)
    share = 1 / (np.arange(num_labels) + 3.0)
    chosen = [generator.choice(num_labels, 3, False, share / share.sum()) for _ in range(size)]
    hot = sp.csr_array((np.ones(3 * size, "f"), (np.repeat(np.arange(size), 3), np.concatenate(chosen))),
                       shape=(size, num_labels))  # fmt: skip
    vectors = generator.normal(size=(num_labels, 16)).astype("f")
    image, text = (hot @ vectors @ generator.normal(size=(16, width)).astype("f") for width in (24, 20))
    splits = {"train": range(size * 2 // 3), "validation": range(size * 2 // 3, size)}
    return CrossModalData(image, text, hot, splits=splits, label_vectors=vectors)


def trained(data, **settings):
    steps = {"epochs": 12, "patience": 0}
    model = {"hidden_channels": 32, **settings}
    return train_method("expected-relevance", data, model=model, train=steps, progress=False)


@pytest.fixture(scope="module")
def example():
    data = many()
    return data, trained(data)


@pytest.mark.slow
def test_a_training_with_many_labels_learns_and_is_saved(example, tmp_path):
    data, result = example
    method, held_out = result.method, data.split("validation")
    assert isinstance(method.classifier, LabelTable) and method.similarity == "sparse-jaccard"
    image, text = encode(method, held_out)
    assert image.vectors.shape == (100, 2 * 32 + 32)
    hot = held_out.label_rows()
    chance = (hot @ hot.t() > 0).float().mean()
    assert result.result.best_map > 2 * chance
    for side, embeddings in (("image", image), ("text", text)):
        named = embeddings.vectors[:, :32].long()
        assert hot.gather(1, named).sum() / hot.sum() > 5 * 32 / 1100, side
    method.save_pretrained(tmp_path)
    again = load_method(tmp_path)
    assert torch.equal(encode(again, held_out)[0].vectors, image.vectors)


@pytest.mark.slow
def test_each_label_is_a_query_that_finds_its_items(example):
    data, result = example
    held_out = data.split("validation")
    queries, image = encode_labels(result.method), encode(result.method, held_out)[0]
    assert len(queries) == 1100
    relevant = held_out.label_rows().t().contiguous() > 0
    asked = relevant.any(1)
    assert mean_average_precision(queries[asked], image, relevance=relevant[asked]) > 5 * relevant[asked].float().mean()


@pytest.mark.slow
def test_the_calibration_is_one_line_for_all_labels(example):
    _, result = example
    slopes = [result.method.calibrations[side].slope for side in ("image", "text")]
    assert [each.shape for each in slopes] == [(1,), (1,)] and all(0 < each < 10 and each != 1 for each in slopes)


def test_few_labels_and_codes_have_a_linear_classifier(make_data):
    data = many(size=12)
    graph = cooccurrence_graph(data.labels, data.label_names)
    for number, bits, kind in ((1100, None, LabelTable), (1100, 16, nn.Linear)):
        config = ExpectedRelevanceConfig(hidden_channels=4, bits=bits)
        method = ExpectedRelevance.from_config(config, 24, 20, graph)
        assert type(method.classifier) is kind and method.classifier.out_features == number
        assert method.takes_sparse_labels == (kind is LabelTable)
    few = ExpectedRelevance.from_config(config, 12, 9, cooccurrence_graph(make_data().labels))
    assert type(few.classifier) is nn.Linear and not few.takes_sparse_labels


@pytest.mark.slow
def test_the_most_probable_labels_are_evaluated_as_label_classifiers(example):
    data, result = example
    held_out = data.split("validation")
    dense = {side: result.method.label_probabilities(side, getattr(held_out, side)) for side in ("image", "text")}
    for side, sparse in label_probabilities(result.method, held_out).items():
        value, label = dense[side].detach().topk(32)
        cut = torch.zeros_like(dense[side]).scatter(1, label, value)
        torch.testing.assert_close(torch.from_numpy(sparse.toarray()), cut)
    reports = evaluate_labels(result.method, data.with_splits({**data.splits, "test": data.splits["validation"]}))
    expected = label_report(cut, held_out.labels).average_precision
    assert reports["text"].average_precision == pytest.approx(expected, abs=1e-6)


def untrained(number=1100):
    graph = cooccurrence_graph(sp.eye_array(number, format="csr"))
    return ExpectedRelevance.from_config(ExpectedRelevanceConfig(hidden_channels=4), 24, 20, graph).eval()


def test_probabilities_have_a_column_for_every_label_of_the_method():
    """An added label is the last one, and the data do not have it."""
    method, data = untrained(), many(size=12, num_labels=1098)
    with torch.no_grad():
        method.classifier.bias[-1] = 9
    for side, sparse in label_probabilities(method, data).items():
        assert sparse.shape == (12, 1100), side
        assert (sparse[:, [1099]].toarray() > 0.9).all()
    with_test = data.with_splits({**data.splits, "test": data.splits["validation"]})
    assert len(evaluate_labels(method, with_test)["text"].per_label) == 1098


def test_label_queries_name_their_label_in_half_precision():
    rows = untrained().bfloat16().label_queries()
    assert rows[:, 0].tolist() == [*range(1100)]


def test_calibration_scores_are_drawn_alike_and_leave_the_random_numbers():
    method, data = untrained(6000), many(size=12, num_labels=6000)
    first = held_out_scores(method, data)
    state = torch.random.get_rng_state()
    again = held_out_scores(method, data)
    assert all(torch.equal(one, other) for one, other in zip(first["text"], again["text"], strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_relevance_encoder_of_many_labels_is_refused():
    with pytest.raises(ValueError, match=r"'method' must have at most 1,024 labels.*'expected-relevance'"):
        relevance_encoder(untrained(), many(size=12))


def test_a_linear_classifier_of_many_labels_is_refused_in_one_line(tmp_path):
    method = untrained()
    weight = method.classifier.weight.detach()
    method.classifier = nn.Linear(4, 1100)
    method.classifier.weight.data.copy_(weight)
    method.save_pretrained(tmp_path)
    with pytest.raises(
        ValueError, match=r"'classifier.bias' must have the shape \(1100, 1\).*\(1100,\).*train"
    ) as error:
        load_method(tmp_path)
    assert "\n" not in str(error.value) and "safetensors" in str(error.value)
