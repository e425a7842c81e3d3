"""What a method embeds pairs as: vectors, or codes as packed bits."""

from __future__ import annotations

import torch
from torch import Tensor

from labelgraph.data import CrossModalData
from labelgraph.methods import Method
from labelgraph.retrieval import pack_bits


def embed(method: Method, image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """Embed a batch of images and one of texts; codes come packed."""
    embeddings = method.encode_image(image), method.encode_text(method.as_taken(text))
    if method.similarity == "hamming":
        return pack_bits(embeddings[0]), pack_bits(embeddings[1])
    return embeddings


@torch.inference_mode()
def encode(method: Method, data: CrossModalData, batch_size: int = 4096) -> tuple[Tensor, Tensor]:
    """Embed the images and the texts of a data set, block by block.

    Returns:
        Two tensors on the CPU: embeddings (N, H), or for a method whose ``similarity`` is ``hamming``
        the packed codes (N, ceil(bits / 8)).
    """
    device = next(method.parameters()).device
    blocks = []
    for start in range(0, len(data), batch_size):
        rows = slice(start, start + batch_size)
        image, text = embed(method, data.image[rows].to(device), data.text_rows(rows, dense=False).to(device))
        blocks.append((image.cpu(), text.cpu()))
    images, texts = zip(*blocks, strict=True)
    return torch.cat(images), torch.cat(texts)
