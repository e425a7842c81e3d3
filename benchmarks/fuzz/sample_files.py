"""Small undamaged files of every kind that the library reads."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.sparse as sp
import torch
from PIL import Image
from scipy.io import savemat

from benchmarks.fuzz.public_names import (
    BagOfWords,
    CrossModalData,
    Searcher,
    TrainConfig,
    build_method,
    cooccurrence_graph,
    fit,
    run_command,
    save_folder,
    save_npz,
    save_splits,
)

NAMES = ["sky", "night_sky", "cat", "dog"]
LABELS = np.eye(4, dtype=np.uint8)[np.arange(12) % 4]
WORDS = ("the", "sky", "Night", "cat", "dog")
METHOD = "expected-relevance"
SMALL = [
    "--method",
    METHOD,
    "--epochs",
    "2",
    "--set",
    "train.patience=0",
    "train.checkpoint_every=1",
    "train.device=cpu",
]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Numbers in [0, 1), the same for the same seed."""
    return np.random.default_rng(seed).random(shape)


def pairs(size: int = 40, seed: int = 0, sparse: bool = True, scale: float = 1.0) -> CrossModalData:
    """Pairs whose images and texts follow their labels, with splits, ids, titles and an encoder."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(size, 4, generator=generator) < 0.3).float()
    labels[torch.arange(size), torch.arange(size) % 4] = 1
    image, text = (scale * (labels @ torch.randn(4, width, generator=generator)) for width in (6, 5))
    rows = torch.randperm(size, generator=generator)
    train, validation, test = rows[: size // 2], rows[size // 2 : 3 * size // 4], rows[3 * size // 4 :]
    splits = {"train": train, "validation": validation, "test": test, "query": test, "database": train}
    words = BagOfWords(["bird", "blue", "cat", "red", "sky"])
    return CrossModalData(
        image, sp.csr_array(text.relu().numpy()) if sparse else text, labels, NAMES, splits,
        [f"item {row}" for row in range(size)], [f"title {row}" for row in range(size)],
        encoders={"text": words.settings},
    )  # fmt: skip


def method(data: CrossModalData, seed: int = 0, name: str = METHOD) -> Any:
    """A method with weights that are drawn."""
    torch.manual_seed(seed)
    built = build_method(
        name, data.image_channels, data.text_channels, cooccurrence_graph(data.labels, data.label_names)
    )
    built.encoders = data.encoders
    return built


def save73(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays as MATLAB 7.3 does: 512 bytes before the HDF5, axes the other way round, a class at each."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            dataset = file.create_dataset(name, data=array.T, compression="gzip" if array.size > 8 else None)
            dataset.attrs["MATLAB_class"] = np.bytes_({"float64": "double"}.get(array.dtype.name, array.dtype.name))
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 HDF5 schema 1.00 .")


def make_npz(folder: Path) -> None:
    """A data file."""
    save_npz(pairs(), folder / "data.npz")


def make_folder(folder: Path) -> None:
    """A data folder."""
    save_folder(pairs(), folder / "own")


def make_table(folder: Path, separator: str = ",") -> None:
    """A table of items as text."""
    lines = ["file,caption,tags,split", *("a.jpg,a red cat,cat;red,train",) * 9, "c.jpg,a dog,dog,test", ",b,dog,"]
    name = "items.csv" if separator == "," else "items.tsv"
    (folder / name).write_text("\n".join(lines).replace(",", separator) + "\n")


def make_parquet(folder: Path) -> None:
    """A table of items, with a checksum at each page."""
    import pyarrow
    import pyarrow.parquet as pq

    columns = {"file": ["a.jpg"] * 9, "caption": ["a cat", None, "b"] * 3, "tags": [["a", "b"], [], None] * 3}
    pq.write_table(pyarrow.table(columns), folder / "items.parquet", write_page_checksum=True)


def make_hashing5(folder: Path) -> None:
    """A hashing set of MATLAB 5, one file deflated, one sparse, one plain."""
    savemat(folder / "set-fall.mat", {"FAll": numbers(12, 5)}, do_compression=True)
    savemat(folder / "set-yall.mat", {"YAll": sp.csc_array(LABELS * 1.0)}, do_compression=True)
    savemat(folder / "set-lall.mat", {"LAll": LABELS})


def make_hashing73(folder: Path) -> None:
    """A hashing set of MATLAB 7.3 with splits."""
    save73(folder / "COCO.mat", {"XAll": numbers(12, 5), "LAll": LABELS, "YAll": LABELS})
    with h5py.File(folder / "COCO.mat", "a") as file:
        struct = file.create_group("param")
        struct["indexQuery"], struct["indexDatabase"] = [[1.0, 2.0, 3.0]], np.arange(4.0, 13.0)[:, None]


def make_six(folder: Path) -> None:
    """Six files, of MATLAB 5 and 7.3."""
    for split in ("train", "test"):
        for side, array in (("img", numbers(12, 5)), ("txt", numbers(12, 6)), ("lab", LABELS)):
            path, arrays = folder / f"{split}_{side}.mat", {f"{split}_{side}": array}
            save73(path, arrays) if side == "txt" else savemat(path, arrays, do_compression=side == "img")


def make_wikipedia(folder: Path) -> None:
    """The Wikipedia set as published, with its lists."""
    savemat(folder / "raw_features.mat", {f"{side}_{half}": numbers(10, 6) for side in "IT" for half in ("tr", "te")})
    for half in ("train", "test"):
        lines = "".join(f"{half}{i}\tpicture{i}\t{i + 1}\n" for i in range(10))
        (folder / f"{half}set_txt_img_cat.list").write_text(lines)


def make_word_text(folder: Path) -> None:
    """Word vectors as text, plain and compressed."""
    lines = [f"{word} {' '.join(f'{x:.4f}' for x in row)}" for word, row in zip(WORDS, numbers(5, 6), strict=True)]
    content = ("5 6\n" + "\n".join(lines) + "\n").encode()
    (folder / "words.txt").write_bytes(content)
    (folder / "words.txt.gz").write_bytes(gzip.compress(content, mtime=0))


def make_word_bin(folder: Path) -> None:
    """Binary word vectors."""
    rows = numbers(5, 6).astype("<f4")
    entries = [f"{word} ".encode() + row.tobytes() for word, row in zip(WORDS, rows, strict=True)]
    (folder / "words.bin").write_bytes(b"5 6\n" + b"\n".join(entries))


def make_index_folder(folder: Path) -> None:
    """Split index files."""
    (folder / "rows").mkdir()
    np.save(folder / "rows" / "train.npy", np.arange(8))
    np.save(folder / "rows" / "validation.npy", np.array(["item 8", "item 9"]))
    (folder / "rows" / "test.txt").write_text("10\n11\n")


def make_splits(folder: Path) -> None:
    """Splits as JSON, those of ours and others."""
    save_splits(pairs().splits, pairs(), folder / "rows.json", seed=0)


def make_index_npz(folder: Path) -> None:
    """Splits as an archive."""
    np.savez_compressed(folder / "rows.npz", train=np.arange(8), test=np.array(["item 8", "item 9"]))


def make_model(folder: Path) -> None:
    """A model."""
    method(pairs()).save_pretrained(folder / "model")


def make_searcher(folder: Path, index: str | None = None) -> None:
    """A searcher."""
    Searcher(method(pairs()), index).fit(pairs()).save(folder / "index")


def train(folder: Path, epochs: int) -> list[Any]:
    """Train for some epochs from whatever checkpoint is there; gives the weights and what `fit` told."""
    data = pairs(sparse=False)
    trained = method(data)
    config = TrainConfig(epochs=epochs, patience=0, checkpoint_every=1, device="cpu")
    fitted = fit(trained, data, config, folder / "training", progress=False, keep_checkpoints=True)
    return [trained.state_dict(), fitted.best_epoch, fitted.best_map]


def make_checkpoint(folder: Path) -> None:
    """A training after its first epoch."""
    train(folder, 1)


def run_arguments(folder: Path) -> list[str]:
    """Arguments of a run with one seed and no baselines."""
    return [
        "--dataset",
        str(folder / "data.npz"),
        "--seeds",
        "0",
        "--out",
        str(folder / "run"),
        *SMALL,
        "eval.baselines=[]",
    ]


def make_run(folder: Path) -> None:
    """A run folder, and the data of the run."""
    save_npz(pairs(), folder / "data.npz")
    if run_command(run_arguments(folder)):
        raise ValueError("the run of the undamaged files failed")


def make_png(folder: Path) -> None:
    """A picture with a palette of chunks."""
    pixels = (numbers(9, 11, 3) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "picture.png", dpi=(72, 72))


def make_jpeg(folder: Path) -> None:
    """A picture with EXIF data."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray((numbers(16, 24, 3) * 255).astype(np.uint8)).save(folder / "picture.jpg", exif=exif)
