"""Embeddings of label names."""

import gzip
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from labelgraph.encoders import encode_label_names, read_label_vectors
from labelgraph.graph import cooccurrence_graph
from labelgraph.nn import LabelEmbedding

WORDS = {"the": [9, 9, 9], "night": [1, 0, 0], "Sky": [0, 2, 0], "sky": [0, 4, 0], "CAR": [0, 0, 8], "Car": [5, 5, 5]}


def as_text(words, header=False):
    lines = [f"{len(words)} {len(next(iter(words.values())))}"] if header else []
    return "\n".join([*lines, *(f"{word} {' '.join(map(str, row))}" for word, row in words.items())]).encode() + b"\n"


def as_binary(words, between=b"\n"):
    head = f"{len(words)} {len(next(iter(words.values())))}\n".encode()
    return head + between.join(w.encode() + b" " + np.array(row, "<f4").tobytes() for w, row in words.items())


FILES = {
    "glove.txt": as_text(WORDS),
    "word2vec.txt": as_text(WORDS, header=True),
    "fast.vec": as_text(WORDS, header=True).replace(b"\n", b" \n"),
    "google.bin": as_binary(WORDS, between=b""),
    "lines.bin": as_binary(WORDS),
    "glove.txt.gz": gzip.compress(as_text(WORDS)),
    "google.bin.gz": gzip.compress(as_binary(WORDS)),
}


@pytest.mark.parametrize("name", FILES)
def test_names_are_looked_up_word_by_word(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    with pytest.warns(UserWarning, match=rf"{name}: no word vectors for 1 label names, set to zero: unheard"):
        result = read_label_vectors(tmp_path / name, ["Night-Sky", "sky", "car", "unheard", "night_unheard", "the the"])
    assert result.vectors.dtype == torch.float32 and result.missing == ("unheard",)
    # The word as it is goes before the first with other capitals.
    assert result.vectors.tolist() == [[0.5, 2, 0], [0, 4, 0], [0, 0, 8], [0, 0, 0], [1, 0, 0], [9, 9, 9]]


def test_vectors_are_the_x_of_a_graph(tmp_path):
    savemat(tmp_path / "inp.mat", {"inp": np.eye(3, 5)})
    vectors = read_label_vectors(tmp_path / "inp.mat", ["a", "b", "c"]).vectors
    graph = cooccurrence_graph([[1, 1, 0], [0, 1, 1]], x=vectors)
    assert torch.equal(LabelEmbedding(graph, "given")(), torch.eye(3, 5))
    with pytest.raises(ValueError, match=r"inp\.mat: 'inp' must have the shape \(2, any\) \(got \(3, 5\)\)"):
        read_label_vectors(tmp_path / "inp.mat", ["a", "b"])


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=6),
    suffix=st.sampled_from([".txt", ".vec", ".bin"]),
)
def test_any_numbers_come_back(tmp_path_factory, rows, suffix):
    words = {f"word{i}": row for i, row in enumerate(rows)}
    path = tmp_path_factory.mktemp("words") / f"a{suffix}"
    path.write_bytes(as_binary(words) if suffix == ".bin" else as_text(words))
    np.testing.assert_array_equal(read_label_vectors(path, list(words)).vectors, np.array(rows, np.float32))


@pytest.mark.parametrize("suffix", [".txt", ".bin"])
def test_a_large_file_is_streamed(tmp_path, suffix):
    words = {f"word{i}": [float(i)] * 50 for i in range(20_000)}
    path = tmp_path / f"a{suffix}"
    path.write_bytes((as_binary if suffix == ".bin" else as_text)(words))
    assert path.stat().st_size > 4_000_000
    tracemalloc.start()
    vectors = read_label_vectors(path, ["word 19999", "word19999"][1:]).vectors
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert vectors[0, 0] == 19_999
    # A block and the block that follows it, whatever the file.
    assert peak < 3_500_000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", as_text({"cow": [1, 2]}), r"expected vectors of the label names \(got none of sky\)"),
        ("a.txt", b"", r"expected vectors of the label names"),
        ("a.txt", b"the 1 2\nsky 1\n", r"line 2 with 1 numbers for 'sky', not 2"),
        ("a.txt", b"the 1 2\nsky 1 x\n", r"could not convert"),
        ("a.txt", b"sky 1 nan\n", r"expected finite vectors"),
        ("a.txt", b"x" * (1 << 21), r"line 1 of 1048576 bytes or more"),
        ("a.bin", as_binary(WORDS)[:-1], r"5 of 6 words"),
        ("a.bin", b"\xba\x16\x4f\x2f" + bytes(99), r"no first line of two whole numbers, as word2vec has it"),
        ("a.bin", b"3 999999\nsky ", r"vectors of 999999 numbers"),
        ("a.bin", b"999999999999 3\nsky ", r"0 of 999999999999 words"),
        ("a.bin", b"2 3\n" + b"x" * 9999, r"no word within 4096 bytes"),
        ("a.txt.gz", gzip.compress(as_text(WORDS))[:-9], r"expected word vectors"),
        ("a.txt.gz", b"sky 1 2", r"expected word vectors"),
        ("a.pkl", b"", r"expected an ending \.mat"),
    ],
)
def test_errors_name_the_file(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_label_vectors(tmp_path / name, ["sky"])
    assert str(error.value).startswith(str(tmp_path / name))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.txt: no such file of word vectors"):
        read_label_vectors(tmp_path / "a.txt", ["sky"])


def test_a_sentence_encoder_reads_the_template():
    read = []

    def encode(texts):
        read.extend(texts)
        return torch.ones(len(texts), 4, dtype=torch.float64, requires_grad=True)

    assert encode_label_names(["night_sky", "cat"], encode, "a photo of a {}").dtype == torch.float32
    assert read == ["a photo of a night sky", "a photo of a cat"]


@pytest.mark.parametrize(
    ("encode", "template", "message"),
    [
        (lambda texts: np.ones((3, 2)), "{}", r"'encode' must give the shape \(2, F\) \(got \(3, 2\)\)"),
        (lambda texts: np.full((2, 2), np.nan), "{}", r"'encode': expected finite vectors"),
        (lambda texts: np.ones((2, 2)), "a photo", r"'template' must have a \{\} for the name"),
    ],
)
def test_a_wrong_encoder_is_told(encode, template, message):
    with pytest.raises(ValueError, match=message):
        encode_label_names(["a", "b"], encode, template)
