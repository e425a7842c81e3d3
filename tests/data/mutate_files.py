"""Damage the files of every reader in many ways; each reader in a process of its own, with little memory.

Prints a JSON object: by reader, how often a file was refused and read, the growth of memory in MiB, and what went
wrong. A crash shows as the signal that ended the process.
"""

import json
import os
import random
import resource
import shutil
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import scipy.sparse as sp
import torch
from scipy.io import savemat

from labelgraph import data as readers
from labelgraph import encoders
from tests.data.mat_files import save73

COUNT = 300
ROOM = 2 << 30
RANDOM = np.random.default_rng(0)
LABELS = np.eye(4, dtype=np.uint8)[np.arange(12) % 4]
NAMES = ["sky", "night_sky", "cat", "dog"]
SAVERS = {"5": savemat, "5 packed": lambda path, arrays: savemat(path, arrays, do_compression=True), "7.3": save73}
ODD = (
    np.zeros((0, 3)), np.full((12, 4), np.nan), np.ones((12, 4)) * 1j, np.array([["text"] * 4] * 12), np.float64(3.0),
    np.ones((12, 4), np.int8) * 7, np.ones((2, 3, 4)), np.full((12, 4), np.inf), np.full((12, 4), 1e308),
    np.ones((12, 1)),
)  # fmt: skip
CELL = np.array([["text", 1.0], [2.0, "a"]], dtype=object)


def some(*shape):
    return RANDOM.random(shape)


def six(folder):
    for number, (split, size) in enumerate((("train", 12), ("test", 12))):
        for side, array in (("img", some(size, 5)), ("txt", some(size, 6)), ("lab", LABELS)):
            save = list(SAVERS.values())[(number + len(side) + ord(side[0])) % 3]
            save(folder / f"{split}_{side}.mat", {f"{split}_{side}": array})


def hashing(folder):
    for (part, array), save in zip(
        (("FAll", some(12, 5)), ("YAll", LABELS), ("LAll", LABELS)), SAVERS.values(), strict=True
    ):
        save(folder / f"mirflickr25k-{part.lower()}.mat", {part: array})


def coco(folder):
    save73(folder / "COCO.mat", {"XAll": some(12, 5), "LAll": LABELS, "YAll": LABELS})
    with h5py.File(folder / "COCO.mat", "a") as file:
        struct = file.create_group("param")
        struct["indexQuery"], struct["indexDatabase"] = [[1.0, 2.0, 3.0]], np.arange(4.0, 13.0)[:, None]


def wikipedia(folder):
    arrays = {f"{side}_{half}": some(10, 6) for side in "IT" for half in ("tr", "te")}
    savemat(folder / "raw_features.mat", arrays)
    for half in ("train", "test"):
        lines = "".join(f"{half}text{i}\tpicture{i}\t{i + 1}\n" for i in range(10))
        (folder / f"{half}set_txt_img_cat.list").write_text(lines)


def container():
    splits = {"train": range(8), "test": range(8, 12)}
    return readers.CrossModalData(torch.rand(12, 5), sp.csr_array(LABELS * 1.5), LABELS, NAMES, splits)


def own_folder(folder):
    readers.save_folder(container(), folder / "own")


def csv_table(folder):
    (folder / "items.csv").write_text("file,caption,tags,split\n" + "a.jpg,a red cat,cat;red,train\n" * 9 + ",b,,\n")


def parquet_table(folder):
    columns = {"file": ["a.jpg"] * 9, "caption": ["a cat", None, "b"] * 3, "tags": [["a", "b"], [], None] * 3}
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "items.parquet")


def text_vectors(folder):
    lines = [f"{word} {' '.join(f'{x:.4f}' for x in some(6))}" for word in ("the", "sky", "Night", "cat", "dog")]
    (folder / "words.txt").write_text("5 6\n" + "\n".join(lines) + "\n")


def binary_vectors(folder):
    entries = [f"{w} ".encode() + some(6).astype("<f4").tobytes() for w in ("the", "sky", "night", "cat", "dog")]
    (folder / "words.bin").write_bytes(b"5 6\n" + b"\n".join(entries))


def pictures(folder):
    save73(folder / "iall.mat", {"IAll": RANDOM.integers(0, 256, (6, 4, 3, 9)).astype(np.uint8)})


def index_folder(folder):
    (folder / "rows").mkdir()
    np.save(folder / "rows" / "train.npy", np.arange(8))
    np.save(folder / "rows" / "validation.npy", np.array(["8", "9"]))
    (folder / "rows" / "test.txt").write_text("10\n11\n")


def index_json(folder):
    readers.save_splits(container().splits, container(), folder / "rows.json", seed=0)


def index_npz(folder):
    np.savez(folder / "rows.npz", train=np.arange(8), test=np.array(["8", "9"]))


READERS = {
    "six_files": (six, readers.load_six_files),
    "hashing_files": (hashing, readers.load_hashing_files),
    "coco": (coco, readers.load_hashing_files),
    "wikipedia": (wikipedia, readers.load_wikipedia),
    "folder": (own_folder, lambda folder: readers.load_folder(folder / "own")),
    "folder_read_whole": (own_folder, lambda folder: readers.load_folder(folder / "own", memory_map=False)),
    "npz": (
        lambda folder: readers.save_npz(container(), folder / "a.npz"),
        lambda folder: readers.load_npz(folder / "a.npz"),
    ),
    "csv": (csv_table, lambda folder: encoders.read_table(folder / "items.csv", split="split")),
    "parquet": (parquet_table, lambda folder: encoders.read_table(folder / "items.parquet")),
    "text_vectors": (text_vectors, lambda folder: encoders.read_label_vectors(folder / "words.txt", NAMES)),
    "binary_vectors": (binary_vectors, lambda folder: encoders.read_label_vectors(folder / "words.bin", NAMES)),
    "mat_vectors": (
        lambda folder: savemat(folder / "inp.mat", {"inp": some(4, 6)}),
        lambda folder: encoders.read_label_vectors(folder / "inp.mat", NAMES),
    ),
    "label_counts": (
        lambda folder: savemat(folder / "adj.mat", {"adj": np.zeros((4, 4)), "nums": np.full((1, 4), 3)}),
        lambda folder: readers.load_label_counts(folder, LABELS),
    ),
    "index_folder": (index_folder, lambda folder: readers.read_splits(folder / "rows", container())),
    "index_json": (index_json, lambda folder: readers.read_splits(folder / "rows.json", container())),
    "index_npz": (index_npz, lambda folder: readers.read_splits(folder / "rows.npz", container())),
    "pictures": (pictures, lambda folder: next(readers.MatPictures(folder / "iall.mat").blocks(4))),
}  # fmt: skip


def damage_bytes(path, chance):
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 1, 3, 8])):
        place = chance.randrange(len(content))
        content[place] = chance.choice([0, 255, content[place] ^ (1 << chance.randrange(8)), chance.randrange(256)])
    path.write_bytes(content)


def cut(path, chance):
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])


def grow_numbers(path, chance):
    """A run of bytes that stands for a huge number, wherever it falls; mostly into a header."""
    content = bytearray(path.read_bytes())
    place = chance.randrange(min(len(content), 400))
    content[place : place + 4] = chance.choice([b"\xff\xff\xff\x7f", b"\x00\x00\x00\x7f", b"9999", b"\xff\xff\xff\xff"])
    path.write_bytes(content)


def swap_contents(path, chance):
    others = [b"", b"\x80\x04K\x01.", b"{}", b"[[[" * 999, b"\n\n", b"MATLAB 5.0 MAT-file", b"PK\x03\x04"]
    path.write_bytes(chance.choice(others))


def remove(path, chance):
    path.unlink()


def odd_array(path, chance):
    """Another array under the same key, or the same under another key."""
    array, key = chance.choice([*ODD, CELL]), chance.choice([path.stem, "FAll", "other", "I_tr", "inp", "adj", "IAll"])
    if path.suffix == ".npy":
        np.save(path, array, allow_pickle=True)
    elif path.suffix == ".npz":
        with np.load(path) as file:
            arrays = dict(file)
        np.savez(path, **{**arrays, chance.choice(["image", "text", "labels", "split/train"]): array})
    elif path.suffix == ".mat" and chance.random() < 0.5:
        savemat(path, {key: {"a": 1} if chance.random() < 0.2 else array})
    elif path.suffix == ".mat":
        odd_hdf5(path, key, chance)
    else:
        damage_bytes(path, chance)


def odd_hdf5(path, key, chance):
    """Datasets without numbers of their own, of a huge shape, in other files, of other types."""
    with h5py.File(path, "w", userblock_size=512) as file:
        kind = chance.randrange(6)
        if kind == 0:
            file.create_dataset(key, (1 << 20, 1 << 20), chunks=(64, 64), compression="gzip", dtype="f8")
        elif kind == 1:
            file.create_dataset(key, (1 << 40,), dtype="f8", external=[(str(path) + ".raw", 0, h5py.h5f.UNLIMITED)])
        elif kind == 2:
            file[key] = h5py.ExternalLink(chance.choice(["/etc/hostname", "nothing.mat"]), "/x")
        elif kind == 3:
            file.create_dataset(key, data=np.array([file.ref] * 4), dtype=h5py.ref_dtype)
        elif kind == 4:
            group = file.create_group(key)
            group.attrs["MATLAB_sparse"] = np.uint64(chance.choice([1 << 50, 12]))
            group["jc"], group["ir"], group["data"] = [0, 9, 1], [1 << 40], [1.0]
        else:
            file.create_dataset(key, data=chance.choice(["text", np.float64(1), np.zeros((3, 0))]))


DAMAGES = (damage_bytes, damage_bytes, cut, grow_numbers, grow_numbers, swap_contents, remove, odd_array, odd_array)


def is_right(result):
    """Whether what was read holds together."""
    if isinstance(result, readers.CrossModalData):
        text = result.text if isinstance(result.text, torch.Tensor) else torch.from_numpy(result.text.data)
        return bool(torch.isfinite(result.image).all() and torch.isfinite(text).all()) and len(result) == len(
            result.image
        )
    if isinstance(result, encoders.LabelVectors):
        return len(result.vectors) == len(NAMES) and bool(torch.isfinite(result.vectors).all())
    if isinstance(result, encoders.Table):
        return result.labels.shape == (len(result), len(result.label_names)) and len(result.captions) == len(result)
    if isinstance(result, dict):
        return all(len(set(index.tolist()) & set(range(12))) == len(index) > 0 for index in result.values())
    return len(result if isinstance(result, np.ndarray) else result.count) > 0


def run(build, read, folder):
    """The outcomes of all damages of one reader's files."""
    outcome = {"refused": 0, "read": 0, "wrong": []}
    good, bad = folder / "good", folder / "bad"
    good.mkdir()
    build(good)
    shutil.copytree(good, bad)
    assert is_right(read(good))
    files = sorted(path.relative_to(good) for path in good.rglob("*") if path.is_file() and path.stat().st_size)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(COUNT):
        chance = random.Random(seed)
        change, file = chance.choice(DAMAGES), chance.choice(files)
        change(bad / file, chance)
        try:
            right = is_right(read(bad))
        except (ValueError, FileNotFoundError) as error:
            outcome["refused"] += 1
            if str(bad) not in str(error):
                outcome["wrong"].append(f"{seed} {change.__name__} {file}: no file named: {error}")
        except BaseException as error:
            outcome["wrong"].append(f"{seed} {change.__name__} {file}: {type(error).__name__}: {error}"[:400])
        else:
            outcome["read"] += 1
            if not right:
                outcome["wrong"].append(f"{seed} {change.__name__} {file}: read wrongly")
        shutil.copyfile(good / file, bad / file)
    outcome["grown"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return outcome


def apart(name, folder):
    """One reader in a process of its own."""
    answer = folder / "outcome.json"
    child = os.fork()
    if child == 0:
        pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
        limit = pages * resource.getpagesize() + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        try:
            answer.write_text(json.dumps(run(*READERS[name], folder)))
        except BaseException:
            traceback.print_exc()
        os._exit(0 if answer.exists() else 1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(answer.read_text()) if status == 0 else {"wrong": [f"the process ended with {status}"]}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    outcomes = {}
    for reader in sys.argv[1:] or READERS:
        with tempfile.TemporaryDirectory() as place:
            outcomes[reader] = apart(reader, Path(place))
    print(json.dumps(outcomes))
