"""Items to fill stores with: vectors in clusters, codes, labels, ids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import AGAHConfig, ALGCNConfig, Method, build_method
from labelgraph.search import Searcher
from labelgraph.search.blocks import Block
from labelgraph.search.stores.stored_sides import StoredSides

CHANNELS, BITS, LABELS, CLUSTERS = 128, 64, 24, 400
NAMES = [f"label {number}" for number in range(LABELS)]


def method(codes: bool = False) -> Method:
    """Return a method whose embeddings have 128 channels or 64 bits; it is not trained, since stores only keep it."""
    torch.manual_seed(0)
    if codes:
        config = AGAHConfig(bits=BITS, hidden_channels=8, graph_channels=(8, 8))
        return build_method("agah", 16, 16, config=config)
    graph = cooccurrence_graph(np.eye(LABELS), NAMES)
    return build_method("algcn", 16, 16, graph, ALGCNConfig(hidden_channels=CHANNELS))


def vectors(number: int, seed: int, codes: bool = False) -> Tensor:
    """Return unit vectors around the centres of clusters, (N, 128), or packed codes, (N, 8)."""
    generator = torch.Generator().manual_seed(seed)
    if codes:
        return torch.randint(0, 256, (number, BITS // 8), dtype=torch.uint8, generator=generator)
    centres = torch.randn(CLUSTERS, CHANNELS, generator=torch.Generator().manual_seed(0))
    which = torch.randint(0, CLUSTERS, (number,), generator=generator)
    return torch.nn.functional.normalize(centres[which] + 0.7 * torch.randn(number, CHANNELS, generator=generator))


def blocks(number: int, codes: bool = False, size: int = StoredSides.block_rows or 1) -> Iterator[Block]:
    """Return items that have an image and a title each; one block is in memory at a time."""
    for start in range(0, number, size):
        rows = min(size, number - start)
        generator = torch.Generator().manual_seed(start)
        labels = torch.rand(rows, LABELS, generator=generator) < 3 / LABELS
        present = torch.tensor([[True, False]]).expand(rows, 2)
        ids = [f"item-{row}" for row in range(start, start + rows)]
        titles = [f"title of the item {row}" for row in range(start, start + rows)]
        yield Block(ids, titles, labels, present, {"image": vectors(rows, start + 1, codes)})


def fill(searcher: Searcher, number: int, codes: bool = False) -> Searcher:
    """Fill a searcher."""
    searcher._sides.fill(blocks(number, codes, number if searcher.store is None else StoredSides.block_rows or 1))
    return searcher
