"""Image-text pairs with labels: the container, file formats, splits, a data card, and the bundled set."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph._core.checks import csr_tensor, sparse_if_mostly_zero
    from labelgraph._core.multi_hot import DENSE_LABELS
    from labelgraph._core.parts import Part
    from labelgraph.data.card import DataCard, data_card
    from labelgraph.data.card_facts import LabelFacts, SideFacts
    from labelgraph.data.formats.hashing_mat import MatPictures, load_hashing_files
    from labelgraph.data.formats.matlab import mat_variables, mat_version, read_mat
    from labelgraph.data.formats.npy_folder import folder_writer, load_folder, save_folder
    from labelgraph.data.formats.npz import load_npz, save_npz
    from labelgraph.data.formats.six_mat import load_six_files
    from labelgraph.data.formats.wikipedia import WIKIPEDIA_LABELS, load_wikipedia
    from labelgraph.data.label_counts import COUNT_BINS, LabelCounts, count_bins, count_labels, load_label_counts
    from labelgraph.data.label_noise import LabelNoise
    from labelgraph.data.load import (
        FORMATS,
        Format,
        load_dataset,
        load_openclipart,
        load_openclipart_keywords,
        load_path,
        load_thumbnails,
    )
    from labelgraph.data.merging import merge_parts
    from labelgraph.data.missing_labels import drop_labels, hold_out_labels
    from labelgraph.data.named_sets import DATASETS
    from labelgraph.data.pairs import CrossModalData, Pair, drop_modalities, keep_complete
    from labelgraph.data.splits.index_files import load_splits, read_splits, save_splits
    from labelgraph.data.splits.split_names import SPLITS
    from labelgraph.data.splits.strategies import PUBLISHED_SIZES, complete_splits, hold_out, make_splits

__all__ = [
    "COUNT_BINS",
    "DATASETS",
    "DENSE_LABELS",
    "FORMATS",
    "PUBLISHED_SIZES",
    "SPLITS",
    "WIKIPEDIA_LABELS",
    "CrossModalData",
    "DataCard",
    "Format",
    "LabelCounts",
    "LabelFacts",
    "LabelNoise",
    "MatPictures",
    "Pair",
    "Part",
    "SideFacts",
    "complete_splits",
    "count_bins",
    "count_labels",
    "csr_tensor",
    "data_card",
    "drop_labels",
    "drop_modalities",
    "folder_writer",
    "hold_out",
    "hold_out_labels",
    "keep_complete",
    "load_dataset",
    "load_folder",
    "load_hashing_files",
    "load_label_counts",
    "load_npz",
    "load_openclipart",
    "load_openclipart_keywords",
    "load_path",
    "load_six_files",
    "load_splits",
    "load_thumbnails",
    "load_wikipedia",
    "make_splits",
    "mat_variables",
    "mat_version",
    "merge_parts",
    "read_mat",
    "read_splits",
    "save_folder",
    "save_npz",
    "save_splits",
    "sparse_if_mostly_zero",
]

__getattr__, __dir__ = lazy_exports(__name__)
