"""Arguments of the wrong kind, at every public entry point: one line names the argument, and what came."""

# The types of the arguments are wrong on purpose.
# mypy: disable-error-code="arg-type, call-arg, list-item"

from pathlib import Path

import numpy as np
import pytest
import torch

from labelgraph import build_method, cooccurrence_graph, load_dataset, load_method
from labelgraph._core.argument_kinds import as_path, check_kind, received
from labelgraph.data import (
    CrossModalData,
    drop_labels,
    drop_modalities,
    hold_out_labels,
    keep_complete,
    load_folder,
    load_npz,
    save_folder,
    save_npz,
)
from labelgraph.encoders import (
    BagOfWords,
    Clip,
    build_encoder,
    data_from_files,
    data_from_folder,
    read_label_vectors,
    read_table,
    words_of,
)
from labelgraph.inference import encode, encode_side, fit_calibrations, label_probabilities
from labelgraph.methods import METHODS, ALGCNConfig
from labelgraph.metrics import (
    evaluate,
    evaluate_labels,
    evaluate_protocol,
    evaluate_short_queries,
    label_query_precision,
    label_report,
    ndcg_at,
    propensities,
    propensity_scored,
)
from labelgraph.report import contact_sheet
from labelgraph.search import Searcher
from labelgraph.train import TrainConfig, fit, published_settings, train_method
from tests.cli.small import small_data

DATA = small_data()
GRAPH = cooccurrence_graph(DATA.labels, DATA.label_names)
METHOD = build_method("algcn", 12, 9, GRAPH, hidden_channels=8, num_layers=1).eval()
SEARCHER = Searcher(METHOD).fit(DATA)
EYE = np.eye(3)


def test_values_are_described_by_their_type_unless_they_are_short():
    assert [received(value) for value in ("x", 5, None, [1], EYE)] == ["'x'", "5", "None", "list", "ndarray"]
    assert len(received("x" * 1000)) <= 60
    assert as_path("folder", "a") == as_path("folder", Path("a")) == Path("a")
    check_kind("data", 5, (int, str), "a number")
    with pytest.raises(ValueError, match=r"^'data' must be a text \(got 5\)$"):
        check_kind("data", 5, str, "a text")


CALLS = [
    # Data.
    (lambda: DATA["x"], ("'index'", "whole numbers", "'x'")),
    (lambda: DATA[None], ("'index'", "None")),
    (lambda: DATA[np.arange(60) < 3], ("'index'", "bool", "nonzero")),
    (lambda: DATA.to("gpu"), ("'device'", "cuda", "'gpu'")),
    (lambda: DATA.to(None), ("'device'", "None")),
    (lambda: DATA.with_splits({"train": "abc"}), ("'train'", "'abc'")),
    (lambda: CrossModalData(EYE, EYE, None), ("'labels'", "None")),
    (lambda: CrossModalData(EYE, EYE, EYE, label_names=5), ("'label_names'", "list of texts", "5")),
    (lambda: CrossModalData(EYE, EYE, EYE, ids=5), ("'ids'", "list of texts", "5")),
    (lambda: load_dataset(None), ("'name'", "path", "None")),
    (lambda: load_npz(5), ("'path'", "5")),
    (lambda: load_folder(None), ("'path'", "None")),
    (lambda: save_npz(None, "x.npz"), ("'data'", "CrossModalData", "None")),
    (lambda: save_npz(DATA, None), ("'path'", "None")),
    (lambda: save_folder(EYE, "x"), ("'data'", "ndarray")),
    (lambda: drop_modalities(DATA, "x"), ("'share'", "[0, 1]", "'x'")),
    (lambda: drop_modalities(DATA, seed="x"), ("'seed'", "'x'")),
    (lambda: keep_complete(DATA.with_splits({})), ("'train'", "none")),
    (lambda: drop_labels(None), ("'data'", "None")),
    (lambda: hold_out_labels(DATA, 1.5), ("'labels'", "1.5")),
    # Methods and training.
    (lambda: build_method(None, 12, 9, GRAPH), ("'method'", "algcn", "None")),
    (lambda: build_method("algcn", "12", 9, GRAPH), ("'image_channels'", "'12'")),
    (lambda: build_method("algcn", 12, None, GRAPH), ("'text_channels'", "None")),
    (lambda: build_method("algcn", 12, 9, DATA), ("'graph'", "label graph", "CrossModalData")),
    (lambda: build_method("algcn", 12, 9, GRAPH, {"alpha": 1}), ("'config'", "ALGCNConfig", "dict")),
    (lambda: load_method(None), ("'folder'", "None")),
    (lambda: load_method("nowhere", device="gpu"), ("'device'", "'gpu'")),
    (lambda: METHOD.save_pretrained(5), ("'folder'", "5")),
    (lambda: train_method("algcn", DATA, epochs=2), ("'epochs'", "train={'epochs': 2}")),
    (lambda: train_method("algcn", DATA, alpha=0.2), ("'alpha'", "model={'alpha': 0.2}")),
    (lambda: train_method("algcn", DATA, epohcs=2), ("'epohcs'", "label_vectors", "batch_size", "mean 'epochs'")),
    (lambda: train_method("algcn", DATA, seeed=2), ("'seeed'", "mean 'seed'")),
    (lambda: train_method("algcn", DATA, model={"training": 1}), ("'model'", "'training'")),
    (lambda: train_method("algcn", DATA, model=TrainConfig()), ("'model'", "ALGCNConfig", "TrainConfig")),
    (lambda: train_method("algcn", DATA, seed="x"), ("'seed'", "'x'")),
    (lambda: train_method("algcn", DATA, callbacks=[5]), ("'callbacks'", "5")),
    (lambda: train_method("algcn", DATA, stages=5), ("'stages'", "5")),
    (lambda: train_method("algcn", DATA, label_vectors="x"), ("'label_vectors'", "'x'")),
    (lambda: train_method("algcn", "openclipart"), ("'data'", "load_dataset", "'openclipart'")),
    (lambda: train_method(5, DATA), ("'method'", "algcn", "5")),
    (lambda: fit(None, DATA, TrainConfig(), "x"), ("'method'", "None")),
    (lambda: fit(METHOD, DATA, {"epochs": 2}, "x"), ("'config'", "TrainConfig", "dict")),
    (lambda: fit(METHOD, DATA, TrainConfig(device="cpu"), None), ("'folder'", "None")),
    (lambda: fit(METHOD, DATA, TrainConfig(device="cpu"), "x", trainer_options=5), ("'trainer_options'", "5")),
    (lambda: TrainConfig(epocs=3), ("'epocs'", "mean 'epochs'")),
    (lambda: ALGCNConfig(alhpa=3), ("'alhpa'", "mean 'alpha'")),
    (lambda: published_settings("algnc"), ("'method'", "mean 'algcn'")),
    # Search.
    (lambda: Searcher("algcn"), ("'method'", "'algcn'")),
    (lambda: Searcher(METHOD).fit("openclipart"), ("'data'", "'openclipart'")),
    (lambda: Searcher(METHOD).fit(DATA, batch_size="x"), ("'batch_size'", "'x'")),
    (lambda: Searcher.load(None), ("'folder'", "None")),
    (lambda: SEARCHER.save(None), ("'folder'", "None")),
    (lambda: SEARCHER.search(text=5), ("'text'", "texts, or features", "5")),
    (lambda: SEARCHER.search(text=["a dog", 5]), ("'text'", "5 at 1")),
    (lambda: SEARCHER.search(image=[None, "a.png"]), ("'image'", "picture files", "None at 0")),
    (lambda: SEARCHER.search(text=DATA.text, within=5), ("'within'", "pictures", "5")),
    (lambda: SEARCHER.search(text=DATA.text, k=None), ("'k'", "None")),
    # Metrics and scores.
    (lambda: evaluate(None, EYE, EYE, EYE), ("'query'", "None")),
    (lambda: evaluate(EYE, EYE, EYE, "x"), ("'database_labels'", "'x'")),
    (lambda: evaluate(EYE, EYE, EYE, EYE, metrics=5), ("'metrics'", "5")),
    (lambda: evaluate(EYE, EYE, EYE, EYE, block_size="x"), ("'block_size'", "'x'")),
    (lambda: evaluate_protocol(METHOD, None), ("'data'", "None")),
    (lambda: evaluate_protocol("algcn", DATA), ("'method'", "'algcn'")),
    (lambda: evaluate_protocol(METHOD, DATA, None), ("'protocol'", "None")),
    (lambda: evaluate_labels(None, DATA), ("'method'", "None")),
    (lambda: evaluate_short_queries(METHOD, EYE), ("'data'", "ndarray")),
    (lambda: label_query_precision(EYE, EYE, EYE, "x"), ("'counts'", "'x'")),
    (lambda: label_report(EYE, EYE, [1, 1, 1], "x"), ("'num_items'", "'x'")),
    (lambda: ndcg_at(EYE, 2), ("'ks'", "list", "2")),
    (lambda: propensities([1, 2], "x"), ("'num_items'", "'x'")),
    (lambda: propensity_scored(EYE, EYE, [1, 1, 1], "x"), ("'ks'", "'x'")),
    (lambda: propensity_scored(EYE, EYE, None), ("'propensity'", "None")),
    (lambda: encode(METHOD, DATA.image), ("'data'", "Tensor")),
    (lambda: encode(None, DATA), ("'method'", "None")),
    (lambda: encode_side(METHOD, None, DATA.image), ("'side'", "None")),
    (lambda: encode_side(METHOD, "image", DATA.image, rows=[[0.5]]), ("'rows'", "float")),
    (lambda: label_probabilities(METHOD, DATA, 5), ("'calibrations'", "5")),
    (lambda: fit_calibrations(METHOD, None), ("'data'", "None")),
    # Encoders and sheets.
    (lambda: build_encoder(5), ("'settings'", "5")),
    (lambda: build_encoder("efficientnet-lite0", "gpu"), ("'device'", "'gpu'")),
    (lambda: build_encoder("efficientnet-lite0").encode([5]), ("'item'", "path", "5")),
    (lambda: BagOfWords(5), ("'vocabulary'", "5")),
    (lambda: BagOfWords(["cat"]).encode(None), ("'items'", "None")),
    (lambda: Clip(5, "text"), ("'model'", "5")),
    (lambda: words_of(None), ("'text'", "None")),
    (lambda: read_table(None), ("'path'", "None")),
    (lambda: read_label_vectors(None, ["a"]), ("'path'", "None")),
    (lambda: data_from_folder(5), ("'path'", "5")),
    (lambda: data_from_files("a.png", ["x"], [["y"]]), ("'images'", "'a.png'")),
    (lambda: data_from_files(["a.png"], "x", [["y"]]), ("'captions'", "'x'")),
    (lambda: contact_sheet([5], ["a"]), ("'pictures'", "5")),
    (lambda: contact_sheet(None, ["a"]), ("'pictures'", "None")),
]


@pytest.mark.parametrize(("call", "facts"), CALLS)
def test_an_argument_of_the_wrong_kind_is_one_line_that_names_it(call, facts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert all(fact in str(caught.value) for fact in facts), str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_row_number_out_of_range_is_named():
    with pytest.raises(IndexError, match=r"'index' must be a row number of 60 items \(got 60\)"):
        DATA[60]
    assert list(DATA)[-1].id == DATA[-60 + 59].id


def test_rows_and_label_vectors_may_be_numpy_or_lists():
    wanted = encode_side(METHOD, "image", DATA, rows=torch.tensor([3, 1])).vectors
    for rows in ([3, 1], np.array([3, 1])):
        assert torch.equal(encode_side(METHOD, "image", DATA, rows=rows).vectors, wanted)
    assert published_settings("dagnn") == published_settings(METHODS["dagnn"])
