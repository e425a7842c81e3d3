"""Embeddings and packed codes of whole data sets."""

import pytest
import torch

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import AGAHConfig, ALGCNConfig, build_method
from labelgraph.retrieval import pack_bits
from labelgraph.train import encode


@pytest.mark.parametrize("batch_size", [1, 7, 4096])
def test_blocks_do_not_matter(make_data, batch_size):
    data = make_data()
    method = build_method("algcn", 12, 9, cooccurrence_graph(data.labels), ALGCNConfig(hidden_channels=8)).eval()
    image, text = encode(method, data, batch_size)
    torch.testing.assert_close(image, method.encode_image(data.image).detach())
    torch.testing.assert_close(text, method.encode_text(data.text).detach())
    assert not image.requires_grad


@pytest.mark.parametrize("bits", [5, 16])
def test_codes_come_packed(make_data, bits):
    data = make_data()
    method = build_method("agah", 12, 9, config=AGAHConfig(bits=bits, hidden_channels=8, graph_channels=(4, 4)))
    image, text = encode(method, data, 7)
    assert torch.equal(image, pack_bits(method.encode_image(data.image))) and image.dtype == torch.uint8
    assert torch.equal(text, pack_bits(method.encode_text(data.text))) and text.shape == (60, -(-bits // 8))
