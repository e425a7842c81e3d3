"""Data sets from shards of WebDataset, and from data sets of Hugging Face."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from labelgraph.encoders import data_from_folder, data_from_table, open_picture
from labelgraph.encoders.shard_tables import is_sharded, shard_columns
from tests.encoders.test_build_dataset import MeanColour

COLOURS = ["red", "lime", "blue"]


def picture(i):
    file = io.BytesIO()
    Image.new("RGB", (4, 4), COLOURS[i % 3]).save(file, "png")
    return file.getvalue()


def write_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def split_of(i):
    return "train" if i < 24 else "validation" if i < 27 else "test"


@pytest.fixture
def shards(tmp_path):
    """Thirty samples in two tar files; sample 4 has no picture, and the captions of the second file are in JSON."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for number in (0, 1):
        files = {}
        for i in range(15 * number, 15 * number + 15):
            entries = {"tags": [COLOURS[i % 3]], "split": split_of(i)}
            files |= {f"a/{i:02}.png": picture(i)} if i != 4 else {}
            if number:
                entries["caption"] = f"a {COLOURS[i % 3]} thing"
            else:
                files[f"a/{i:02}.txt"] = f"a {COLOURS[i % 3]} thing".encode()
            files[f"a/{i:02}.json"] = json.dumps(entries).encode()
        write_tar(folder / f"{number:04}.tar", files)
    return folder


@pytest.fixture
def plain(tmp_path):
    """The same samples as files with a table."""
    folder = tmp_path / "plain"
    folder.mkdir()
    lines = ["file,caption,tags,split"]
    for i in range(30):
        (folder / f"{i:02}.png").write_bytes(picture(i))
        file = "" if i == 4 else f"{i:02}.png"
        lines.append(f"{file},a {COLOURS[i % 3]} thing,{COLOURS[i % 3]},{split_of(i)}")
    (folder / "captions.csv").write_text("\n".join(lines))
    return folder


def make(source):
    return data_from_folder(source, image_encoder=MeanColour(), progress=False, min_tag_count=2)


def saved(folder, rows, names, batches=2):
    """Write rows as `datasets.Dataset.save_to_disk` does."""
    pa = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    table = pa.table({
        "image": pa.array([row["image"] for row in rows], pa.struct({"bytes": pa.binary(), "path": pa.string()})),
        "text": [row["text"] for row in rows],
        "labels": pa.array([row["labels"] for row in rows], pa.list_(pa.int64())),
    })  # fmt: skip
    files = []
    for number in range(batches):
        name = f"data-{number:05}-of-{batches:05}.arrow"
        part = table.slice(len(rows) * number // batches, len(rows) // batches)
        with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_stream(file, part.schema) as writer:
            writer.write_table(part, max_chunksize=4)
        files.append({"filename": name})
    kinds = {"names": names, "_type": "ClassLabel"}
    features = {"image": {"_type": "Image"}, "text": {"dtype": "string", "_type": "Value"},
                "labels": {"feature": kinds, "_type": "Sequence"}}  # fmt: skip
    (folder / "state.json").write_text(json.dumps({"_data_files": files, "_indices_files": None}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


@pytest.fixture
def hugging_face(tmp_path):
    rows = [
        {"image": {"bytes": picture(i), "path": f"{i}.png"}, "text": f"a {COLOURS[i % 3]} thing", "labels": [i % 3]}
        for i in range(30)
    ]
    folder = tmp_path / "saved"
    for split in ("train", "validation", "test"):
        saved(folder / split, [row for i, row in enumerate(rows) if split_of(i) == split], COLOURS, 3)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "validation", "test"]}))
    return folder


def test_shards_make_the_data_set_of_their_files(shards, plain):
    ours, theirs = make(shards), make(plain)
    assert np.array_equal(ours.image, theirs.image) and (ours.text != theirs.text).nnz == 0
    assert np.array_equal(ours.labels, theirs.labels) and np.array_equal(ours.present, theirs.present)
    assert ours.titles == theirs.titles and ours.encoders == theirs.encoders
    assert {k: v.tolist() for k, v in ours.splits.items()} == {k: v.tolist() for k, v in theirs.splits.items()}
    assert ours.ids[:2] == ("shards/0000.tar/a/00.png", "shards/0000.tar/a/01.png")
    assert open_picture(shards.parent / ours.ids[1]).getpixel((0, 0)) == (0, 255, 0)


def test_a_tar_file_is_a_source(shards):
    data = data_from_table(shards / "0001.tar", image_encoder=MeanColour(), progress=False, min_tag_count=2)
    assert len(data) == 15 and data.ids[0] == "0001.tar/a/15.png"


def test_names_in_a_tar_file_are_paths_within_it(tmp_path):
    outside = tmp_path / "outside.png"
    Image.new("RGB", (4, 4), "white").save(outside)
    files = {"./00.png": picture(0), "a//01.png": picture(1), str(outside): picture(2)}
    write_tar(tmp_path / "shard.tar", files)
    columns = shard_columns(tmp_path / "shard.tar")
    assert [open_picture(tmp_path / file).getpixel((0, 0)) for file in columns["file"]] == [
        (255, 0, 0), (0, 255, 0), (0, 0, 255),
    ]  # fmt: skip


def test_a_table_beside_a_tar_file_is_read(plain):
    write_tar(plain / "backup.tar", {"00.png": picture(1)})
    assert len(make(plain)) == 30


def test_a_number_without_a_class_is_no_tag(tmp_path):
    rows = [{"image": {"bytes": picture(i), "path": ""}, "text": "red", "labels": [i - 1]} for i in range(4)]
    saved(tmp_path / "saved", rows, COLOURS)
    columns = shard_columns(tmp_path / "saved")
    assert [list(tags) for tags in columns["labels"]] == [[None], ["red"], ["lime"], ["blue"]]


def test_a_set_of_hugging_face_is_a_source(hugging_face, plain):
    ours, theirs = make(hugging_face), make(plain)
    assert np.delete(ours.image, 4, 0).tolist() == np.delete(theirs.image, 4, 0).tolist()
    assert ours.label_names == theirs.label_names and np.array_equal(ours.labels, theirs.labels)
    assert {k: v.tolist() for k, v in ours.splits.items()} == {k: v.tolist() for k, v in theirs.splits.items()}
    assert ours.ids[9] == "saved/train/data-00001-of-00003.arrow/image/1"
    assert make(hugging_face / "train").ids[9] == "train/data-00001-of-00003.arrow/image/1"


def test_what_is_sharded(shards, plain, hugging_face, tmp_path):
    assert is_sharded(shards) and is_sharded(shards / "0000.tar")
    assert is_sharded(hugging_face) and is_sharded(hugging_face / "train")
    assert not any(map(is_sharded, (plain, plain / "captions.csv", tmp_path, tmp_path / "none")))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"junk", "broken.tar: expected a tar file"), (b"", "broken.tar: expected a tar file")],
)
def test_a_damaged_tar_file_is_named(tmp_path, content, message):
    (tmp_path / "broken.tar").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        shard_columns(tmp_path / "broken.tar")


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff"])
def test_damaged_json_is_named(tmp_path, content):
    write_tar(tmp_path / "x.tar", {"1.png": picture(0), "1.json": content})
    with pytest.raises(ValueError, match=r"x.tar/1.json: expected .*JSON"):
        shard_columns(tmp_path / "x.tar")


def test_damaged_sets_of_hugging_face_are_named(hugging_face):
    train = hugging_face / "train"
    (train / "data-00001-of-00003.arrow").write_bytes(b"junk")
    with pytest.raises(ValueError, match=r"data-00001-of-00003.arrow: expected an Arrow stream"):
        shard_columns(hugging_face)
    (train / "state.json").write_text(json.dumps({"_data_files": [], "_indices_files": [{"filename": "x"}]}))
    with pytest.raises(ValueError, match="flatten_indices"):
        shard_columns(hugging_face)
    (train / "state.json").write_text("[]")
    with pytest.raises(ValueError, match=r"state.json"):
        shard_columns(hugging_face)


def test_a_picture_that_a_shard_lacks_is_not_found(shards, hugging_face):
    for path in (shards / "0000.tar/a/99.png", hugging_face / "train/data-00000-of-00003.arrow/image/99"):
        with pytest.raises(FileNotFoundError, match="no such picture"):
            open_picture(path)
