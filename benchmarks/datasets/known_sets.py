"""Published data sets with configurations: the folders of their files, and the pages that link them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelgraph.data import CrossModalData

# Folder in the root of the checkout; git ignores it.
ROOT = Path(__file__).parents[2] / "data"

SIX_FILES = ("train_img.mat", "train_txt.mat", "train_lab.mat", "test_img.mat", "test_txt.mat", "test_lab.mat")
LABEL_GRAPH_PAGE = "https://github.com/LivXue/GNN4CMR"
HASHING_PAGE = "https://github.com/jiangqy/DCMH-CVPR2017"


@dataclass(frozen=True)
class KnownSet:
    """A published data set.

    Args:
        name: Name for ``--dataset``, and of the folder under ``data/``.
        files: Files of the folder.
        source: Page that links the files with features.
        page: The official page, with the raw data.
        reader: Name of the function of `labelgraph.data` that reads the folder.
        split: Strategy of the papers, a key of ``SPLITS``; None if the files have splits.
    """

    name: str
    files: tuple[str, ...]
    source: str
    page: str
    reader: str
    split: str | None = None

    @property
    def folder(self) -> Path:
        """The folder of the files."""
        return ROOT / self.name


KNOWN_SETS = {
    known.name: known
    for known in (
        KnownSet("mirflickr", SIX_FILES, LABEL_GRAPH_PAGE, "http://press.liacs.nl/mirflickr/", "load_six_files"),
        KnownSet(
            "nus-wide-tc21",
            SIX_FILES,
            LABEL_GRAPH_PAGE,
            "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html",
            "load_six_files",
        ),
        KnownSet("ms-coco", SIX_FILES, LABEL_GRAPH_PAGE, "https://cocodataset.org", "load_six_files"),
        KnownSet(
            "nus-wide-tc10",
            ("nus-wide-tc10-xall-vgg.mat", "nus-wide-tc10-yall.mat", "nus-wide-tc10-lall.mat"),
            HASHING_PAGE,
            "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html",
            "load_hashing_files",
            "agah",
        ),
        KnownSet(
            "wikipedia",
            ("raw_features.mat", "trainset_txt_img_cat.list", "testset_txt_img_cat.list"),
            "http://www.svcl.ucsd.edu/projects/crossmodal/",
            "http://www.svcl.ucsd.edu/projects/crossmodal/",
            "load_wikipedia",
        ),
    )
}


def load_known(name: str) -> CrossModalData:
    """Load a known set from its folder.

    Raises:
        FileNotFoundError: If the folder is missing or empty, or a file is missing; the message lists the files and
            their source.
        ValueError: If a file cannot be read; the message also lists missing files.
    """
    from labelgraph.data import load_dataset

    known = KNOWN_SETS[name]
    if not known.folder.is_dir() or not any(known.folder.iterdir()):
        raise FileNotFoundError(
            f"{known.folder}: no files of the data set '{name}'; expected {', '.join(known.files)} from {known.source} "
            "(see benchmarks/README.md)"
        )
    try:
        return load_dataset(str(known.folder))
    except (FileNotFoundError, ValueError) as error:
        absent = [name for name in known.files if not (known.folder / name).is_file()]
        advice = f" (missing files of '{name}': {', '.join(absent)}, from {known.source})" if absent else ""
        raise type(error)(f"{error}{advice}") from error
