"""Image-text pairs with labels: the container, its file format, and the bundled set."""

from labelgraph.data.checks import check_encoders, check_features, check_multi_hot
from labelgraph.data.container import CrossModalData
from labelgraph.data.datasets import DATASETS, load_dataset, load_openclipart, load_thumbnails
from labelgraph.data.files import load_npz, save_npz
from labelgraph.data.incomplete import drop_modalities, keep_complete
from labelgraph.data.sparse import csr_tensor

__all__ = [
    "DATASETS",
    "CrossModalData",
    "check_encoders",
    "check_features",
    "check_multi_hot",
    "csr_tensor",
    "drop_modalities",
    "keep_complete",
    "load_dataset",
    "load_npz",
    "load_openclipart",
    "load_thumbnails",
    "save_npz",
]
