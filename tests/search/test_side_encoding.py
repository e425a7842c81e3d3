"""Embeddings of one side, whatever the features come as."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import AGAHConfig, ALGCNConfig, build_method
from labelgraph.search.encoding import encode_side
from labelgraph.train import encode


@pytest.fixture
def method(make_data):
    return build_method("algcn", 12, 9, cooccurrence_graph(make_data().labels), ALGCNConfig(hidden_channels=8)).eval()


@pytest.mark.parametrize("batch_size", [1, 7, 4096])
def test_it_embeds_as_training_does(method, make_data, batch_size):
    data = make_data()
    for side, wanted in zip(("image", "text"), encode(method, data), strict=True):
        embedded = encode_side(method, side, getattr(data, side), batch_size)
        torch.testing.assert_close(embedded, wanted)
        assert not embedded.requires_grad


def test_codes_come_packed(make_data):
    data = make_data()
    method = build_method("agah", 12, 9, config=AGAHConfig(bits=20, hidden_channels=8, graph_channels=(4, 4))).eval()
    for side, wanted in zip(("image", "text"), encode(method, data), strict=True):
        assert torch.equal(encode_side(method, side, getattr(data, side), 7), wanted)


def test_features_come_in_any_form(method, make_data):
    text = make_data().text
    wanted = encode_side(method, "text", text)
    for each in (text.numpy(), text.double(), text.tolist(), sp.csr_array(text.numpy()), sp.coo_matrix(text.numpy())):
        torch.testing.assert_close(encode_side(method, "text", each), wanted)
    for each in (text[3], text[3].numpy(), text[3].tolist()):
        torch.testing.assert_close(encode_side(method, "text", each), wanted[3:4])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (torch.ones(2, 9), r"'image' must have 12 features, as the method takes \(got 9\)"),
        (torch.full((1, 12), torch.nan), "'image' must be finite"),
        (torch.ones(0, 12), "'image' must be a non-empty matrix"),
        (torch.ones(1, 2, 12), "'image' must be a non-empty matrix"),
        (np.array([["a"]]), "'image' must be a matrix of numbers"),
    ],
)
def test_wrong_features_are_named(method, features, message):
    with pytest.raises(ValueError, match=message):
        encode_side(method, "image", features)
