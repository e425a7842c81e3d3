"""Indexes by name, and what is said where FAISS is missing."""

import sys

import pytest

from labelgraph.search import INDEXES, build_index


def test_the_names():
    cosine, dot, hamming = (
        [name for name, kind in INDEXES.items() if each in kind.similarities] for each in ("cosine", "dot", "hamming")
    )
    assert cosine == dot == ["exact", "faiss-flat", "faiss-ivf", "faiss-hnsw"]
    assert hamming == ["hamming", "faiss-binary-flat", "faiss-binary-ivf", "faiss-binary-hnsw"]


@pytest.mark.parametrize(
    ("name", "asked", "similarity"),
    [("exact", None, "cosine"), ("exact", "dot", "dot"), ("hamming", None, "hamming")],
)
def test_built_in_indexes_are_empty_and_of_their_similarity(name, asked, similarity):
    index = build_index(name, asked)
    assert len(index) == 0 and index.similarity == similarity


@pytest.mark.parametrize("name", [name for name in INDEXES if name.startswith("faiss")])
def test_without_faiss_the_extra_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r'pip install "labelgraph\[index\]"'):
        build_index(name)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("annoy", {}, r"'index' must be one of exact, hamming, .* \(got 'annoy'\)"),
        ("exact", {"similarity": "hamming"}, r"one of hamming, faiss-binary-flat, .* for 'hamming' \(got 'exact'\)"),
        (
            "hamming",
            {"similarity": "dot"},
            r"one of exact, faiss-flat, faiss-ivf, faiss-hnsw for 'dot' \(got 'hamming'",
        ),
        ("exact", {"num_probes": 2}, r"of the index 'exact' must be among: none \(got 'num_probes'\)"),
        ("faiss-ivf", {"num_links": 2}, r"'faiss-ivf' must be among: num_probes \(got 'num_links'\)"),
        ("faiss-hnsw", {"num_links": 0}, r"'num_links' must be a positive whole number \(got 0\)"),
        ("faiss-hnsw", {"search_width": 1.5}, "'search_width' must be a positive whole number"),
    ],
)
def test_wrong_arguments_are_named(name, settings, message):
    with pytest.raises(ValueError, match=message):
        build_index(name, **settings)
