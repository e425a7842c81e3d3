"""The label-graph methods with many labels, against their dense form and on data with many labels."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn import functional as F

from labelgraph.data import CrossModalData, csr_tensor
from labelgraph.graph import KNN, BinaryAdjacency, cooccurrence_graph, meaning_graph, merge_graphs
from labelgraph.inference import encode, encode_labels, highest_label_scores
from labelgraph.methods import build_method, load_method, method_class
from labelgraph.metrics import evaluate_labels, label_report, mean_average_precision
from labelgraph.nn import AdaptiveAdjacency, EdgeAdjacency, SampledLabelBranch, StaticAdjacency
from labelgraph.train import train_method
from tests.methods.test_many_labels import many

NAMES = ("algcn", "dagnn", "p-gnn-con")
# How far above chance. The losses of the first two learn little of many labels in so few steps, in the dense form too.
LEARNED = {"algcn": 1.1, "dagnn": 1.1, "p-gnn-con": 2.5}


def both_forms(name, **settings):
    """A method of five labels that all occur together, and the same with sampled labels and one weight for an edge."""
    graph = cooccurrence_graph(np.concatenate([np.ones((2, 5)), np.eye(5)]))
    torch.manual_seed(0)
    dense = build_method(name, 32, 18, graph, hidden_channels=8, num_layers=2, drawn_labels=5, **settings)
    if name == "algcn":
        assert isinstance(dense.label_branch.adjacency, AdaptiveAdjacency)
    torch.manual_seed(0)
    parts = method_class(name).parts(dense.config, 32, 18, graph)
    branch = parts["label_branch"]
    edges = StaticAdjacency(BinaryAdjacency()(graph))
    if name == "algcn":
        edges = EdgeAdjacency(BinaryAdjacency(keep_candidates=True)(graph))
        edges.residual.data = dense.label_branch.adjacency.residual.data[tuple(edges.edge_index)]
    parts["label_branch"] = SampledLabelBranch(branch.embedding, edges, branch.encoder, 5)
    sparse = method_class(name)(**parts, config=dense.config)
    shared = {key: value for key, value in dense.state_dict().items() if "adjacency" not in key}
    sparse.load_state_dict(shared, strict=False)
    return dense, sparse


@pytest.mark.parametrize("settings", [{}, {"bits": 6}, {"zero_hop": True}], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_with_all_labels_drawn_losses_and_gradients_are_those_of_the_dense_form(name, settings):
    dense, sparse = both_forms(name, **settings)
    assert sparse.takes_sparse_labels and not dense.takes_sparse_labels
    image, text = torch.rand(6, 32), torch.rand(6, 18)
    labels = (torch.rand(6, 5) < 0.4).float()
    terms = []
    for method, given in ((dense, labels), (sparse, csr_tensor(sp.csr_array(labels.numpy())))):
        method.config = type(method.config)(**{**vars(method.config), **no_random_edges(name)})
        torch.manual_seed(1)
        terms.append(method.loss_terms(method(image, text), given))
        method.total_loss(terms[-1]).backward()
    assert terms[0].keys() == terms[1].keys()
    for key in terms[0]:
        torch.testing.assert_close(terms[1][key], terms[0][key], msg=key)
    expected = {key: each.grad for key, each in dense.named_parameters() if each.grad is not None}
    for key, each in sparse.named_parameters():
        if key.endswith("residual"):
            torch.testing.assert_close(each.grad, expected[key][tuple(sparse.label_branch.adjacency.edge_index)])
        elif key in expected:
            torch.testing.assert_close(each.grad.to_dense(), expected[key], msg=key)


def no_random_edges(name):
    return {"negative_rate": 0.0} if name == "algcn" else {}


def test_the_loss_over_drawn_labels_is_near_the_loss_over_all():
    torch.manual_seed(0)
    data = many(size=40)
    graph = cooccurrence_graph(data.labels)
    method = build_method("algcn", 24, 20, graph, hidden_channels=16, drawn_labels=200, sampled_neighbors=20).eval()
    outputs = method(data.image, data.text)
    given = csr_tensor(data.labels)
    with torch.no_grad():
        drawn = torch.stack([method.loss_terms(outputs, given)["classification"] for _ in range(200)])
        hot = data.label_rows()
        exact = sum((method.label_scores(side, getattr(data, side)) - hot).norm(dim=1).mean() for side in
                    ("image", "text"))  # fmt: skip
    torch.testing.assert_close(drawn.mean(), exact, rtol=0.01, atol=0)
    assert drawn.std() > 0


def test_the_label_graph_keeps_the_heaviest_edges():
    graph = cooccurrence_graph(many(size=60).labels)
    method = build_method("algcn", 24, 20, graph, hidden_channels=4, kept_neighbors=2, threshold=0.5)
    adjacency = method.label_branch.adjacency
    kept = KNN(2)(graph)
    assert torch.equal(method._graph.edge_index, kept.edge_index) and kept.num_edges < graph.num_edges
    loops = torch.arange(1100).expand(2, -1)
    assert torch.equal(adjacency.edge_index, torch.cat([kept.edge_index, loops], 1))
    expected = F.pad(0.5 * (kept.edge_weight >= 0.5).float(), (0, 1100), value=1.0)
    assert torch.equal(adjacency.static, expected) and (expected == 0).any()
    static = build_method("dagnn", 24, 20, graph, hidden_channels=4, kept_neighbors=2, threshold=0.5).label_branch
    assert static.adjacency.edge_index.shape[1] == (expected > 0).sum()


@pytest.mark.parametrize("edges", ["meaning", "merged"])
def test_similar_names_are_edges_of_many_labels_too(edges, tmp_path):
    data = many(size=60)
    names, vectors = data.label_names, data.label_vectors.float()
    graph = cooccurrence_graph(data.labels, names, x=vectors)
    method = build_method("algcn", 24, 20, graph, hidden_channels=4, edges=edges, num_neighbors=3, kept_neighbors=4)
    alike = meaning_graph(names, vectors, 3)
    expected = alike if edges == "meaning" else KNN(4)(merge_graphs(graph, alike))
    assert torch.equal(method._graph.edge_index, expected.edge_index)
    method.save_pretrained(tmp_path)
    loaded = load_method(tmp_path)
    for one, other in zip(method.eval().label_branch(), loaded.label_branch(), strict=True):
        assert torch.equal(one, other)


def test_similar_names_have_no_counts_for_the_embeddings_of_many_labels():
    data = many(size=60)
    graph = cooccurrence_graph(data.labels, data.label_names, x=data.label_vectors.float())
    settings = {"edges": "meaning", "hidden_channels": 4}
    with pytest.raises(ValueError, match=r"'label_embedding' must be 'given'.*'meaning'.*1,024.*'pmi-svd'"):
        build_method("dagnn", 24, 20, graph, **settings)
    assert build_method("dagnn", 24, 20, graph, **settings, label_embedding="given").takes_sparse_labels


def test_only_the_labels_of_the_data_are_ranked():
    """A method may have more labels than the data, which are its first ones."""
    data = many(size=20)
    method = build_method("algcn", 24, 20, cooccurrence_graph(data.labels), hidden_channels=4).eval()
    fewer = CrossModalData(data.image, data.text, data.labels[:, :1090])
    for side, highest in highest_label_scores(method, fewer).items():
        scores = method.label_scores(side, getattr(data, side)).detach()[:, :1090]
        assert highest.shape == (20, 1090)
        assert torch.equal(
            torch.from_numpy(highest.toarray() > 0).nonzero()[:, 1].view(20, 32), scores.topk(32).indices.sort().values
        )
    more = CrossModalData(data.image, data.text, sp.hstack([data.labels, data.labels[:, :5]], "csr"))
    with pytest.raises(ValueError, match=r"'data'.*1,100 labels.*\(got 1,105\)"):
        highest_label_scores(method, more)


@pytest.mark.parametrize("settings", [{"adjacency": "metric"}, {"adjacency": "attention"}, {"conv": "gat"}])
def test_settings_that_weigh_all_pairs_take_10_000_labels(settings):
    values = {"adjacency": "static", "conv": "gcn", **settings}
    with pytest.raises(ValueError, match=rf"at most 10,000 labels.*adjacency='{values['adjacency']}'.*conv="
                       rf"'{values['conv']}'.*10,001.*'expected-relevance'"):  # fmt: skip
        build_method("algcn", 4, 3, cooccurrence_graph(sp.csr_array((2, 10_001))), **values)
    graph = cooccurrence_graph(sp.csr_array((2, 1_100)))
    assert not build_method("algcn", 4, 3, graph, hidden_channels=4, **values).takes_sparse_labels


def test_one_hot_embeddings_are_for_10_000_labels():
    graph = cooccurrence_graph(sp.csr_array((2, 100_000)))
    with pytest.raises(ValueError, match=r"'label_embedding'.*10,000 labels \(got 'one-hot' for 100,000"):
        build_method("dagnn", 4, 3, graph, label_embedding="one-hot")


def test_i_gnn_con_says_for_how_many_labels_it_is():
    with pytest.raises(ValueError, match=r"at most 10,000 labels for adjacency='metric'.*10,001"):
        build_method("i-gnn-con", 32, 16, cooccurrence_graph(sp.csr_array((2, 10_001))))


@pytest.fixture(scope="module", params=NAMES)
def example(request):
    data = many(600)
    steps = {"epochs": 12, "patience": 0, "lr": 3e-3, "batch_size": 100}
    model = {"hidden_channels": 32, "num_layers": 2}
    return data, train_method(request.param, data, model=model, train=steps, progress=False, unseen_labels=True)


@pytest.mark.slow
def test_a_training_with_many_labels_learns_and_is_saved(example, tmp_path):
    data, result = example
    method, held_out = result.method, data.split("validation")
    assert method.takes_sparse_labels and method.similarity == "cosine"
    hot = held_out.label_rows()
    chance = (hot @ hot.t() > 0).float().mean()
    assert result.result.best_map > LEARNED[method.name] * chance
    method.save_pretrained(tmp_path)
    again = load_method(tmp_path)
    for one, other in zip(encode(again, held_out), encode(method, held_out), strict=True):
        assert torch.equal(one.vectors, other.vectors)
    assert torch.equal(again.label_queries(), method.label_queries())


@pytest.mark.slow
def test_classifiers_are_queries_and_rank_the_labels(example):
    data, result = example
    method, held_out = result.method, data.split("validation")
    queries, image = encode_labels(method), encode(method, held_out)[0]
    hot = held_out.label_rows()
    relevant = hot.t().contiguous() > 0
    asked = relevant.sum(1) >= 5
    found = mean_average_precision(queries[asked], image, relevance=relevant[asked])
    assert found > 1.1 * hot.mean(0)[asked].mean()
    scores = {side: method.label_scores(side, getattr(held_out, side)).detach() for side in ("image", "text")}
    for side, sparse in highest_label_scores(method, held_out).items():
        value, label = scores[side].topk(32)
        place = torch.from_numpy(sparse.toarray())
        torch.testing.assert_close(place.gather(1, label), value - value.min() + 1)
        assert (place > 0).sum() == 32 * len(place)
    reports = evaluate_labels(method, data.with_splits({**data.splits, "test": data.splits["validation"]}))
    assert reports["text"].average_precision == pytest.approx(label_report(place, held_out.labels).average_precision)


def test_without_hops_there_is_no_structure_to_learn():
    graph = cooccurrence_graph(many(size=20).labels)
    method = build_method("algcn", 24, 20, graph, hidden_channels=4, num_layers=0)
    terms = method.loss_terms(method(torch.rand(3, 24), torch.rand(3, 20)), csr_tensor(many(size=3).labels))
    assert terms["structure"] == 0 and torch.isfinite(method.total_loss(terms))
