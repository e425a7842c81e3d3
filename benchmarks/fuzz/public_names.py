"""The names of the library that the fuzz tests use; a renamed one is changed here alone."""

from benchmarks.run import main as run_command
from labelgraph import CrossModalData, build_method, cooccurrence_graph, load_method
from labelgraph.__main__ import main as labelgraph_command
from labelgraph.data import (
    MatPictures,
    load_folder,
    load_hashing_files,
    load_label_counts,
    load_npz,
    load_six_files,
    load_splits,
    load_wikipedia,
    read_splits,
    save_folder,
    save_npz,
    save_splits,
)
from labelgraph.encoders import BagOfWords, build_encoder, open_picture, read_label_vectors, read_table
from labelgraph.report import markdown_table, read_results
from labelgraph.search import Searcher
from labelgraph.train import TrainConfig, fit

# What `python -m` runs.
COMMAND, RUN = "labelgraph", "benchmarks.run"

__all__ = [
    "COMMAND",
    "RUN",
    "BagOfWords",
    "CrossModalData",
    "MatPictures",
    "Searcher",
    "TrainConfig",
    "build_encoder",
    "build_method",
    "cooccurrence_graph",
    "fit",
    "labelgraph_command",
    "load_folder",
    "load_hashing_files",
    "load_label_counts",
    "load_method",
    "load_npz",
    "load_six_files",
    "load_splits",
    "load_wikipedia",
    "markdown_table",
    "open_picture",
    "read_label_vectors",
    "read_results",
    "read_splits",
    "read_table",
    "run_command",
    "save_folder",
    "save_npz",
    "save_splits",
]
