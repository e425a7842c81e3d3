"""Features from raw pictures and texts: encoders, resumable extraction, and data sets from files."""

from typing import TYPE_CHECKING

from labelgraph._core.lazy import lazy_exports

if TYPE_CHECKING:
    from labelgraph.encoders.bag_of_words import BagOfWords
    from labelgraph.encoders.build_dataset import data_from_files
    from labelgraph.encoders.build_from_table import data_from_folder, data_from_table
    from labelgraph.encoders.clip import Clip
    from labelgraph.encoders.efficientnet import EfficientNetLite0
    from labelgraph.encoders.encoder import Encoder
    from labelgraph.encoders.extraction import Extraction, Failure, extract
    from labelgraph.encoders.item_tables import Table, read_table
    from labelgraph.encoders.named_encoders import ENCODERS, build_encoder
    from labelgraph.encoders.open_clip import OpenClip
    from labelgraph.encoders.pictures import open_picture
    from labelgraph.encoders.sentence import SentenceEncoder
    from labelgraph.encoders.table_columns import guess_columns
    from labelgraph.encoders.table_files import column_names
    from labelgraph.encoders.word_vectors import (
        LabelVectors,
        encode_label_names,
        label_name_vectors,
        read_label_vectors,
    )
    from labelgraph.encoders.words import words_of

__all__ = [
    "ENCODERS",
    "BagOfWords",
    "Clip",
    "EfficientNetLite0",
    "Encoder",
    "Extraction",
    "Failure",
    "LabelVectors",
    "OpenClip",
    "SentenceEncoder",
    "Table",
    "build_encoder",
    "column_names",
    "data_from_files",
    "data_from_folder",
    "data_from_table",
    "encode_label_names",
    "extract",
    "guess_columns",
    "label_name_vectors",
    "open_picture",
    "read_label_vectors",
    "read_table",
    "words_of",
]

__getattr__, __dir__ = lazy_exports(__name__)
