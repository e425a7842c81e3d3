"""Damage to the structure of files of arrays, with right checksums: .npy, .npz, safetensors, MATLAB, HDF5, Parquet."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
from scipy.io import savemat

from benchmarks.fuzz.byte_mutations import damaged
from benchmarks.fuzz.tree_mutations import mutate_tree

ODD_ARRAYS = (
    np.zeros((0, 3)), np.full((12, 4), np.nan), np.ones((12, 4)) * 1j, np.array([["text"] * 4] * 12), np.float64(3.0),
    np.ones((12, 4), np.int8) * 7, np.ones((2, 3, 4)), np.full((12, 4), np.inf), np.full((12, 4), 1e308),
    np.ones((12, 1)), np.array([b"\xff"] * 12), np.array(["1"] * 12), np.arange(12), np.array(["a\0", "\ud800"]),
    np.zeros(12, "datetime64[s]"), np.array([(1, 2.0)], dtype="i4,f4"), np.ones((12, 4), ">f4"),
    np.full((12, 4), -1, np.int64), np.full(13, 1 << 62), np.array("[" * 5000), np.array('{"a": NaN}'),
)  # fmt: skip
CELL = np.array([["text", 1.0], [2.0, "a"]], dtype=object)
HEADERS = (
    "{'descr': 'f8', 'fortran_order': False, 'shape': (",
    "{",
    "[" * 300,
    "{'descr': '|O', 'shape': 1}",
    "\0",
    "1 if 1 else (",
)
COPIES = 400
BOMBS = 0.02  # Share of the archives that repeat a large member: they may take all the time that a read has.
SPARE = 2 << 21  # Zeros that deflate to little.


def mutate_npy(content: bytes, rng: random.Random) -> bytes:
    """An array with another header, other numbers, or another array altogether."""
    action = rng.choice(("odd", "header", "numbers", "numbers", "text"))
    if action == "odd":
        file = io.BytesIO()
        np.save(file, rng.choice(ODD_ARRAYS))
        return file.getvalue()
    size = 10 + struct.unpack("<H", content[8:10])[0]
    header, numbers = content[10:size].decode("latin-1"), content[size:]
    if action == "numbers":
        return content[:size] + damaged(numbers, rng)
    if action == "text":
        header = rng.choice(HEADERS)
    else:
        old = rng.choice(("'shape': (", "False", "'<", "True", ", "))
        new = rng.choice(("'shape': (9999999, ", "True", "'>", "'|", "None", "1e9, ", "-1, ", "2**70, "))
        header = header.replace(old, new, 1)
    return content[:8] + struct.pack("<H", len(header)) + header.encode("latin-1") + numbers


def mutate_npz(content: bytes, rng: random.Random) -> bytes:
    """An archive with a member changed, renamed, lost or repeated; its checksums are right."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    place = rng.randrange(len(members))
    name, data = members[place]
    action = rng.choice(("npy", "npy", "npy", "bytes", "rename", "swap", "drop", "repeat", "foreign"))
    action = "bomb" if rng.random() < BOMBS else action
    if action == "npy":
        members[place] = name, mutate_npy(data, rng)
    elif action == "bytes":
        members[place] = name, damaged(data, rng)
    elif action == "rename":
        members[place] = (
            rng.choice(("../x.npy", "/etc/x.npy", "split/.npy", "split/\n.npy", "X" + name, name[:-4])),
            data,
        )
    elif action == "swap":
        members[place] = name, rng.choice(members)[1]
    elif action == "drop":
        del members[place]
    elif action == "foreign":
        members.append((rng.choice(("split/x.npy", "present.npy", "encoders.npy")), mutate_npy(data, rng)))
    elif action == "bomb":
        file = io.BytesIO()
        np.save(file, np.zeros(SPARE, np.int64))
        members.append(("split/spare.npy", file.getvalue()))
    else:
        members.append(members[place])
    return _archive(members, COPIES if action == "bomb" else 0)


def mutate_safetensors(content: bytes, rng: random.Random) -> bytes:
    """Tensors with another header, or other numbers behind the same one."""
    size = 8 + struct.unpack("<Q", content[:8])[0]
    if rng.random() < 0.4:
        return content[:size] + damaged(content[size:], rng)
    header = json.dumps(mutate_tree(json.loads(content[8:size]), rng)).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + content[size:]


def mutate_mat5(path: Path, rng: random.Random) -> None:
    """A variable with bytes changed and deflated again, or another variable of the same name."""
    content = path.read_bytes()
    if rng.random() < 0.3:
        key = rng.choice((path.stem, "FAll", "LAll", "I_tr", "inp", "adj", "nums"))
        savemat(path, {key: rng.choice(({"a": 1}, CELL, *ODD_ARRAYS[:13]))}, do_compression=rng.random() < 0.5)
        return
    elements, place = [], 128
    while place + 8 <= len(content):
        kind, length = struct.unpack("<II", content[place : place + 8])
        elements.append((kind, content[place + 8 : place + 8 + length]))
        place += 8 + length
    number = rng.randrange(len(elements))
    kind, data = elements[number]
    inner = zlib.decompress(data) if kind == 15 else data
    changed = _change_tags(inner, rng) if rng.random() < 0.5 else damaged(inner, rng)
    elements[number] = kind, zlib.compress(changed) if kind == 15 else changed
    path.write_bytes(content[:128] + b"".join(struct.pack("<II", kind, len(data)) + data for kind, data in elements))


def mutate_mat73(path: Path, rng: random.Random) -> None:
    """A dataset with another type, shape, attribute or chunk; links and references; numbers in other files."""
    with h5py.File(path, "r+") as file:
        key = rng.choice(list(file))
        action, old = rng.randrange(9), file[key]
        if action == 0 and isinstance(old, h5py.Dataset) and old.chunks:
            offset = old.id.get_chunk_info(0).chunk_offset
            old.id.write_direct_chunk(offset, zlib.compress(rng.randbytes(rng.choice((8, 64, 100_000)))))
            return
        if action in (1, 2):
            odd = rng.choice(
                (np.bytes_("double"), np.bytes_("cell"), "\ud83d", 3.5, np.bytes_(b"\xff"), h5py.Empty("f4"))
            )
            old.attrs[rng.choice(("MATLAB_class", "MATLAB_empty", "MATLAB_sparse"))] = odd
            return
        del file[key]
        _odd_dataset(file, key, path, action, rng)


def _odd_dataset(file: h5py.File, key: str, path: Path, action: int, rng: random.Random) -> None:
    if action == 3:
        file.create_dataset(key, (1 << 20, 1 << 20), chunks=(64, 64), compression="gzip", dtype="f8")
    elif action == 4:
        file.create_dataset(key, (1 << 40,), dtype="f8", external=[(f"{path}.raw", 0, h5py.h5f.UNLIMITED)])
    elif action == 5:
        file[key] = h5py.ExternalLink(rng.choice(("/etc/hostname", "nothing.mat", path.name)), "/x")
    elif action == 6:
        file.create_dataset(key, data=np.array([file.ref] * 4), dtype=h5py.ref_dtype)
    elif action == 7:
        group = file.create_group(key)
        group.attrs["MATLAB_sparse"] = np.uint64(rng.choice((1 << 50, 12, (1 << 64) - 1)))
        group["jc"], group["ir"], group["data"] = rng.choice(([0, 9, 1], [0, 1, 1])), [1 << 40], [1.0]
    else:
        array = rng.choice([each for each in ODD_ARRAYS if each.dtype.kind in "iuf"])
        dataset = file.create_dataset(key, data=rng.choice(("text", array)))
        dataset.attrs["MATLAB_class"] = np.bytes_("double")


def mutate_parquet(path: Path, rng: random.Random) -> None:
    """A footer or pages that have no checksum with bytes changed, or a column of another type."""
    import pyarrow
    import pyarrow.parquet as pq

    table = pq.read_table(path, use_threads=False)
    if rng.random() < 0.4:
        column, size = rng.randrange(table.num_columns), table.num_rows
        odd = (
            pyarrow.nulls(size), pyarrow.array([float("nan")] * size), pyarrow.array([b"\xff"] * size),
            pyarrow.array([[None, "a"]] * size), pyarrow.array([{"a": 1}] * size),
            pyarrow.array([0] * size), pyarrow.array(["a\nb"] * size), pyarrow.array([10**18] * size),
        )  # fmt: skip
        pq.write_table(table.set_column(column, table.column_names[column], rng.choice(odd)), path)
        return
    pq.write_table(table, path, compression=rng.choice(("NONE", "SNAPPY")))
    content = path.read_bytes()
    footer = len(content) - 8 - struct.unpack("<I", content[-8:-4])[0]
    if rng.random() < 0.5:
        changed = damaged(content[footer:-8], rng)
        path.write_bytes(content[:footer] + changed + struct.pack("<I", len(changed)) + b"PAR1")
    else:
        path.write_bytes(b"PAR1" + damaged(content[4:footer], rng) + content[footer:])


def _archive(members: list[tuple[str, bytes]], copies: int) -> bytes:
    """A zip, whose last member has some entries more in the directory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    content = file.getvalue()
    if not copies:
        return content
    start = struct.unpack("<I", content[-6:-2])[0]
    directory = content[start:-22]
    last = directory[directory.rindex(b"PK\x01\x02") :]
    directory += last * copies
    count = len(members) + copies
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), start, 0)
    return content[:start] + directory + end


def _change_tags(content: bytes, rng: random.Random) -> bytes:
    """One of the first words of 4 bytes is another number: kinds, lengths, flags and sizes of a variable."""
    place = 4 * rng.randrange(max(min(len(content) // 4, 24), 1))
    number = rng.choice(
        (0, 1, 5, 6, 9, 14, 15, 18, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20, rng.randrange(256), 0x0806, 0x0205)
    )
    return content[:place] + struct.pack("<I", number) + content[place + 4 :]
