"""Image-text pairs with labels: the container, its files and those of others, and the bundled set."""

from labelgraph.data.card import DataCard, LabelFacts, SideFacts, data_card
from labelgraph.data.checks import check_encoders, check_features, check_multi_hot
from labelgraph.data.container import CrossModalData
from labelgraph.data.datasets import DATASETS, load_dataset, load_openclipart, load_thumbnails
from labelgraph.data.files import load_npz, save_npz
from labelgraph.data.folder import folder_writer, load_folder, save_folder
from labelgraph.data.formats import FORMATS, Format, load_path
from labelgraph.data.hashing_files import load_hashing_files
from labelgraph.data.hold_out import hold_out
from labelgraph.data.incomplete import drop_modalities, keep_complete
from labelgraph.data.sparse import csr_tensor
from labelgraph.data.label_counts import LabelCounts, count_labels, load_label_counts
from labelgraph.data.label_vectors import LabelVectors, encode_label_names, read_label_vectors
from labelgraph.data.mat_pictures import MatPictures
from labelgraph.data.matlab import mat_variables, mat_version, read_mat
from labelgraph.data.six_files import load_six_files
from labelgraph.data.sparsity import sparse_if_mostly_zero
from labelgraph.data.tables import Table, read_table
from labelgraph.data.wikipedia import WIKIPEDIA_LABELS, load_wikipedia

__all__ = [
    "DATASETS",
    "FORMATS",
    "WIKIPEDIA_LABELS",
from labelgraph.data.split_files import load_splits, read_splits, save_splits
from labelgraph.data.splits import PUBLISHED_SIZES, SPLITS, hold_out, make_splits

__all__ = [
    "DATASETS",
    "PUBLISHED_SIZES",
    "SPLITS",
    "CrossModalData",
    "Format",
    "LabelCounts",
    "LabelVectors",
    "MatPictures",
    "Table",
    "check_encoders",
    "check_features",
    "check_multi_hot",
    "csr_tensor",
    "count_labels",
    "DataCard",
    "LabelFacts",
    "SideFacts",
    "check_encoders",
    "check_features",
    "check_multi_hot",
    "data_card",
    "drop_modalities",
    "encode_label_names",
    "folder_writer",
    "hold_out",
    "keep_complete",
    "load_dataset",
    "load_folder",
    "load_hashing_files",
    "load_label_counts",
    "load_npz",
    "load_openclipart",
    "load_path",
    "load_six_files",
    "load_thumbnails",
    "load_wikipedia",
    "mat_variables",
    "mat_version",
    "read_label_vectors",
    "read_mat",
    "read_table",
    "save_folder",
    "save_npz",
    "sparse_if_mostly_zero",
    "load_splits",
    "load_thumbnails",
    "make_splits",
    "read_splits",
    "save_npz",
    "save_splits",
]
