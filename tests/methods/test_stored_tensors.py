"""Tensors of safetensors files against the library that writes them."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from labelgraph.methods.stored_tensors import DTYPES, tensors_of

PATH = Path("model.safetensors")


def drawn(dtype):
    values = torch.randint(0, 2, (3, 5), generator=torch.Generator().manual_seed(0))
    return (values if dtype == torch.bool else values * 7).to(dtype)


def test_every_type_and_shape_is_that_of_the_library():
    tensors = {str(dtype): drawn(dtype) for dtype in DTYPES.values()}
    tensors |= {"scalar": torch.tensor(2.5), "empty": torch.empty(0, 4), "deep": torch.rand(2, 3, 4), "": torch.ones(1)}
    content = save(tensors, {"format": "pt"})
    found, expected = tensors_of(bytearray(content), PATH), load(content)
    assert found.keys() == expected.keys() == tensors.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)
        assert found[name].untyped_storage().nbytes() == tensor.nbytes  # Each is saved and sent without the others.


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return bytearray(len(text).to_bytes(8, "little") + text + data)


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "content",
    [
        bytearray(),
        bytearray(b"\xff" * 8),
        bytearray(b"\xff" * 100),
        file_of(b"{"),
        file_of([]),
        file_of({"a": 1}),
        file_of({"a": {}}),
        file_of({"a": entry()}),
        file_of({"a": entry()}, bytes(7)),
        file_of({"a": entry()}, bytes(9)),
        file_of({"a": entry(), "b": entry()}, bytes(8)),
        file_of({"a": entry(), "b": entry(offsets=(4, 12))}, bytes(12)),
        file_of({"a": entry(), "b": entry(offsets=(12, 20))}, bytes(20)),
        file_of({"a": entry(shape=(3,))}, bytes(8)),
        file_of({"a": entry(shape=(-1, -2))}, bytes(8)),
        file_of({"a": entry(shape=(2.0,))}, bytes(8)),
        file_of({"a": entry(shape=(2**60, 2**60))}, bytes(8)),
        file_of({"a": entry(shape=(True, 2))}, bytes(8)),
        file_of({"a": entry(offsets=(-8, 0))}, bytes(8)),
        file_of({"a": entry(offsets=(0, 8, 16))}, bytes(8)),
        file_of({"a": entry(offsets="08")}, bytes(8)),
        file_of({"a": entry(dtype="F7")}, bytes(8)),
        file_of({"a": entry(dtype=["F32"])}, bytes(8)),
    ],
    ids=str,
)
def test_other_content_is_refused_as_by_the_library(content):
    with pytest.raises(Exception, match=r"."):
        load(bytes(content))
    with pytest.raises(Exception, match=r"."):
        tensors_of(content, PATH)
