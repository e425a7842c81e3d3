"""Image-text pairs with labels: the container, its files and those of others, splits, a card, and the bundled set."""

from labelgraph.data.card import DataCard, data_card
from labelgraph.data.card_facts import LabelFacts, SideFacts
from labelgraph.data.checks import check_encoders, check_features, check_multi_hot
from labelgraph.data.container import CrossModalData
from labelgraph.data.datasets import DATASETS, load_dataset, load_openclipart, load_thumbnails
from labelgraph.data.files import load_npz, save_npz
from labelgraph.data.folder import folder_writer, load_folder, save_folder
from labelgraph.data.formats import FORMATS, Format, load_path
from labelgraph.data.hashing_files import load_hashing_files
from labelgraph.data.hold_out import hold_out
from labelgraph.data.incomplete import drop_modalities, keep_complete
from labelgraph.data.label_counts import LabelCounts, count_labels, load_label_counts
from labelgraph.data.label_vectors import LabelVectors, encode_label_names, read_label_vectors
from labelgraph.data.mat_pictures import MatPictures
from labelgraph.data.matlab import mat_variables, mat_version, read_mat
from labelgraph.data.six_files import load_six_files
from labelgraph.data.sparse import csr_tensor, sparse_if_mostly_zero
from labelgraph.data.split_files import load_splits, read_splits, save_splits
from labelgraph.data.splits import PUBLISHED_SIZES, SPLITS, complete_splits, make_splits
from labelgraph.data.table_columns import column_names
from labelgraph.data.tables import Table, read_table
from labelgraph.data.wikipedia import WIKIPEDIA_LABELS, load_wikipedia

__all__ = [
    "DATASETS",
    "FORMATS",
    "PUBLISHED_SIZES",
    "SPLITS",
    "WIKIPEDIA_LABELS",
    "CrossModalData",
    "DataCard",
    "Format",
    "LabelCounts",
    "LabelFacts",
    "LabelVectors",
    "MatPictures",
    "SideFacts",
    "Table",
    "check_encoders",
    "check_features",
    "check_multi_hot",
    "column_names",
    "complete_splits",
    "count_labels",
    "csr_tensor",
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
    "load_splits",
    "load_thumbnails",
    "load_wikipedia",
    "make_splits",
    "mat_variables",
    "mat_version",
    "read_label_vectors",
    "read_mat",
    "read_splits",
    "read_table",
    "save_folder",
    "save_npz",
    "save_splits",
    "sparse_if_mostly_zero",
]
