"""Items to fill stores with: vectors in clusters, codes, labels, ids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from labelgraph._core.packed_bits import pack_bits
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import AGAHConfig, ALGCNConfig, Method, build_method
from labelgraph.search import Searcher
from labelgraph.search.blocks import Block
from labelgraph.search.stores.stored_sides import StoredSides

CHANNELS, BITS, LABELS, CLUSTERS = 128, 64, 24, 400
SIZE = StoredSides.block_rows or 1  # Items per block.
EXPECTED = 3.3  # Mean number of labels of an item.
NAMES = [f"label {number}" for number in range(LABELS)]


def method(codes: bool = False) -> Method:
    """Return a method whose embeddings have 128 channels or 64 bits; it is not trained, since stores only keep it."""
    torch.manual_seed(0)
    if codes:
        config = AGAHConfig(bits=BITS, hidden_channels=8, graph_channels=(8, 8))
        return build_method("agah", 16, 16, config=config)
    graph = cooccurrence_graph(np.eye(LABELS), NAMES)
    return build_method("algcn", 16, 16, graph, ALGCNConfig(hidden_channels=CHANNELS))


def labelled() -> Method:
    """Return a method that ranks by the expected Jaccard coefficient of label probabilities; it is not trained."""
    torch.manual_seed(0)
    hot = torch.rand(2000, LABELS) < EXPECTED / LABELS
    hot[:, 0] |= ~hot.any(1)
    return build_method("expected-relevance", 16, 16, cooccurrence_graph(hot.numpy().astype(int), NAMES))


def probable(number: int, seed: int = 0) -> Block:
    """Return items with label probabilities and random pair embeddings."""
    generator = torch.Generator().manual_seed(seed)
    width = labelled().encode_image(torch.zeros(1, 16)).shape[1]
    named = torch.rand(number, LABELS, generator=generator) < EXPECTED / LABELS
    likely = named * torch.rand(number, LABELS, generator=generator).sqrt()
    labels = (likely + 0.02 * torch.rand(number, LABELS, generator=generator)).clamp(0, 1)
    pair = torch.nn.functional.normalize(torch.randn(number, width - LABELS, generator=generator))
    present = torch.tensor([[True, False]]).expand(number, 2)
    ids = [f"item-{row}" for row in range(number)]
    return Block(ids, ids, named, present, {"image": torch.cat([labels, 0.8 * pair], 1)})


def vectors(number: int, seed: int, codes: bool = False) -> Tensor:
    """Return unit vectors around the centres of clusters, (N, 128), or the codes of their signs, (N, 8)."""
    generator = torch.Generator().manual_seed(seed)
    width = BITS if codes else CHANNELS
    centres = torch.randn(CLUSTERS, width, generator=torch.Generator().manual_seed(0))
    which = torch.randint(0, CLUSTERS, (number,), generator=generator)
    rows = centres[which] + 0.7 * torch.randn(number, width, generator=generator)
    return pack_bits(rows) if codes else torch.nn.functional.normalize(rows)


def blocks(number: int, codes: bool = False) -> Iterator[Block]:
    """Return items that have an image and a title each; one block is in memory at a time."""
    for start in range(0, number, SIZE):
        rows = min(SIZE, number - start)
        generator = torch.Generator().manual_seed(start)
        labels = torch.rand(rows, LABELS, generator=generator) < 3 / LABELS
        present = torch.tensor([[True, False]]).expand(rows, 2)
        ids = [f"item-{row}" for row in range(start, start + rows)]
        titles = [f"title of the item {row}" for row in range(start, start + rows)]
        yield Block(ids, titles, labels, present, {"image": vectors(rows, start + 1, codes)})


def fill(searcher: Searcher, number: int, codes: bool = False) -> Searcher:
    """Fill a searcher."""
    searcher._sides.fill(blocks(number, codes))
    return searcher
