"""Features from raw pictures and texts: encoders, extraction that goes on, and data sets from files."""

from labelgraph.features.bag_of_words import BagOfWords, words_of
from labelgraph.features.clip import Clip
from labelgraph.features.efficientnet import EfficientNetLite0
from labelgraph.features.encoder import Encoder
from labelgraph.features.extract import Extraction, Failure, extract
from labelgraph.features.from_files import data_from_files
from labelgraph.features.from_folder import data_from_folder
from labelgraph.features.from_table import data_from_table
from labelgraph.features.label_names import label_name_vectors
from labelgraph.features.open_clip import OpenClip
from labelgraph.features.pictures import open_picture
from labelgraph.features.registry import ENCODERS, build_encoder
from labelgraph.features.sentence import SentenceEncoder

__all__ = [
    "ENCODERS",
    "BagOfWords",
    "Clip",
    "EfficientNetLite0",
    "Encoder",
    "Extraction",
    "Failure",
    "OpenClip",
    "SentenceEncoder",
    "build_encoder",
    "data_from_files",
    "data_from_folder",
    "data_from_table",
    "extract",
    "label_name_vectors",
    "open_picture",
    "words_of",
]
