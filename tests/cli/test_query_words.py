"""What a model reads in a text query: hints on unknown words."""

import pytest
import torch

from labelgraph.cli.query_words import read_text
from labelgraph.encoders import BagOfWords
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import build_method

WORDS = ["house", "theme", "tree", "width"]


@pytest.fixture
def method():
    graph = cooccurrence_graph(torch.eye(2), ["cat", "dog"])
    method = build_method("algcn", 3, len(WORDS), graph, hidden_channels=4)
    method.encoders = {"text": BagOfWords(WORDS).settings}
    return method


@pytest.mark.parametrize(
    ("text", "unknown", "hint"),
    [
        ("house with a tree", ["with"], ""),
        ("house for them", ["for", "them"], ""),
        ("house widht", [], ""),
        ("house wodth", ["wodth"], "'width'"),
    ],
)
def test_words_that_name_nothing_have_no_near_words(method, text, unknown, hint):
    read = read_text(method, text, ["cat", "dog"], [], [])
    assert read.unknown == unknown and (hint in read.near if hint else not read.near)
