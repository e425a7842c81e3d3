"""`labelgraph data make`: from pictures with captions and tags to a data file, that trains and answers."""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("efficientnet_lite_pytorch")
from PIL import Image

from labelgraph.cli.main import main
from labelgraph.data import load_dataset
from labelgraph.encoders import ENCODERS, EfficientNetLite0
from tests.cli.small import SMALL


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve red and blue pictures, one of them damaged."""
    place = tmp_path_factory.mktemp("pictures")
    lines = ["file,caption,tags,split"]
    for i in range(12):
        colour = ("red", "blue")[i % 2]
        Image.new("RGB", (20, 16), colour).save(place / f"{i}.png")
        lines.append(f"{i}.png,a {colour} picture,{colour};plain,{'test' if i > 9 else 'val' if i > 7 else 'train'}")
    (place / "3.png").write_bytes(b"junk")
    (place / "captions.csv").write_text("\n".join(lines))
    return place


def make(*arguments):
    return main(["data", "make", *map(str, arguments)])


SMALL_COUNTS = ("--min-tag-count", "2", "--min-word-count", "2")


@pytest.fixture(scope="module")
def summary(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "mine.npz"
    assert make(folder, "--out", out, *SMALL_COUNTS, "--missing", "mark", "--quiet") == 0
    return out


def test_the_features_are_those_of_the_encoders(folder, summary):
    data = load_dataset(summary)
    assert data.label_names == ("plain", "blue", "red") or data.label_names == ("plain", "red", "blue")
    assert data.ids[:2] == ("0.png", "1.png") and data.titles[0] == "a red picture"
    np.testing.assert_allclose(data.image[[5]], EfficientNetLite0().encode([folder / "5.png"]), atol=1e-5)
    assert data.encoders["text"]["vocabulary"] == ["blue", "picture", "red"]
    assert data.present[3].tolist() == [False, True] and data.present.sum() == 23
    assert {name: len(index) for name, index in data.splits.items()} == {
        "train": 8, "validation": 2, "test": 2, "query": 2, "database": 10,
    }  # fmt: skip
    assert [path.name for path in summary.parent.iterdir()] == ["mine.npz"]


def test_what_is_left_out_is_told_a_line_each(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 319)  # Pillow would warn of each picture, 20 x 16.
    header, *rows = (folder / "captions.csv").read_text().splitlines()
    odd = [",a red picture,plain,train", ",,plain,train"]
    (tmp_path / "items.csv").write_text("\n".join([header, *(f"{folder}/{row}" for row in rows), *odd]))
    assert (
        make(tmp_path / "items.csv", "--out", tmp_path / "mine.npz", *SMALL_COUNTS, "--missing", "drop", "--quiet") == 0
    )
    empty, incomplete, *others, broken = capsys.readouterr().err.splitlines()
    assert others == []
    assert empty.endswith("items.csv: 1 row left out, with no picture and no caption: 13")
    assert incomplete == "1 of 13 items are left out: 1 without a picture"
    assert broken.startswith("left out: ") and "3.png: expected a picture" in broken


def test_items_that_lack_a_side_are_kept_for_the_search(folder, tmp_path, capsys):
    assert make(folder, "--out", tmp_path / "mine.npz", *SMALL_COUNTS, "--quiet") == 0
    printed = capsys.readouterr().err.splitlines()
    assert printed[-1].startswith("without its picture: ") and "3.png: expected a picture" in printed[-1]
    assert printed[-2].startswith("1 item is in no split")
    data = load_dataset(tmp_path / "mine.npz")
    assert data.present[3].tolist() == [False, True] and len(data) == 12
    assert all(3 not in index.tolist() for index in data.splits.values())


@pytest.mark.slow
def test_what_cannot_be_read_is_listed(folder, tmp_path, capsys):
    assert make(folder, "--out", tmp_path / "mine", *SMALL_COUNTS, "--missing", "drop", "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["items"], summary["images"], summary["texts"]) == (11, 11, 11)
    assert [each["item"] for each in summary["failures"]] == [str(folder / "3.png")]
    assert "expected a picture that can be read" in summary["failures"][0]["reason"]
    assert len(load_dataset(tmp_path / "mine")) == 11
    assert make(folder, "--out", tmp_path / "mine", *SMALL_COUNTS, "--missing", "drop") == 0
    printed = capsys.readouterr()
    assert "left out: " in printed.err and "3.png: expected a picture" in printed.err
    assert "labelgraph train" in printed.out


def test_a_killed_one_goes_on_and_another_does_not(folder, tmp_path, monkeypatch, capsys):
    seen = []
    embed = EfficientNetLite0.embed

    def stop(self, prepared):
        if seen:
            raise KeyboardInterrupt
        seen.extend(prepared)
        return embed(self, prepared)

    options = (
        folder, "--out", tmp_path / "mine.npz", *SMALL_COUNTS, "--missing", "drop", "--batch-size", "4", "--quiet"
    )  # fmt: skip
    monkeypatch.setattr(EfficientNetLite0, "embed", stop)
    assert make(*options) == 130
    assert not (tmp_path / "mine.npz").exists() and (tmp_path / "mine.npz.making").is_dir()
    asked = []
    monkeypatch.setattr(EfficientNetLite0, "embed", lambda self, batch: asked.append(len(batch)) or embed(self, batch))
    assert make(*options) == 0
    assert asked == [4, 4] and len(load_dataset(tmp_path / "mine.npz")) == 11
    assert not (tmp_path / "mine.npz.making").exists()


def test_one_that_is_stopped_while_it_deletes_the_kept_features_goes_on(folder, tmp_path, monkeypatch):
    remove = shutil.rmtree

    def stop(place, **_):
        (place / "image.npy.json").unlink()  # In the order of the file system, which may be any.
        raise KeyboardInterrupt

    options = (folder, "--out", tmp_path / "mine.npz", *SMALL_COUNTS, "--quiet")
    monkeypatch.setattr(shutil, "rmtree", stop)
    assert make(*options) == 130
    monkeypatch.setattr(shutil, "rmtree", remove)
    assert make(*options) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npz"]


@pytest.mark.slow
def test_what_was_made_trains_and_is_searched_by_a_sentence_and_a_picture(folder, summary, tmp_path, capsys):
    how = [*SMALL, "--method", "dagnn", "--epochs", "2", "--quiet"]
    assert main(["train", str(summary), "--out", str(tmp_path / "model"), *how]) == 0
    capsys.readouterr()
    search = ["search", tmp_path / "model", "--data", summary, "-k", "3", "--json", "--pictures", folder]
    assert main(list(map(str, [*search, "--text", "red picture", "--sheet", tmp_path / "results.png"]))) == 0
    (query,) = json.loads(capsys.readouterr().out)["queries"]
    assert len(query["neighbours"]) == 3 and "3.png" not in {each["id"] for each in query["neighbours"]}
    with Image.open(tmp_path / "results.png") as sheet:
        pixels = np.asarray(sheet)
        assert sheet.width > 3 * 128 and {(255, 0, 0), (0, 0, 255)} & set(map(tuple, pixels.reshape(-1, 3).tolist()))
    assert main(list(map(str, [*search, "--image", folder / "1.png", "--sheet", tmp_path / "texts.png"]))) == 0
    with Image.open(tmp_path / "texts.png") as texts:
        assert texts.width > sheet.width  # One more, the picture that was asked for.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}/none"], "none: no such table of items"),
        (["{empty}"], "expected a folder with captions.csv or metadata.csv"),
        (["{folder}", "--image-encoder", "efficientnet"], "did you mean 'efficientnet-lite0'?"),
        (["{folder}", "--image-encoder", "bag-of-words"], "'--image-encoder' must be one of clip, efficientnet-lite0"),
        (["{folder}", "--set", "framing=drawing"], "'--set' must have keys such as image.framing"),
        (["{folder}", "--set", "image.framing=square"], "'framing' must be one of center, drawing (got 'square')"),
        (["{folder}", "--set", "image.framing=["], "'--set' must have a value in YAML for 'image.framing' (got '[')"),
        (["{folder}", "--set", "text.words=3"], "'--set' has no text settings for bag-of-words (got 'text.words')"),
        (["{folder}", "--columns", "capton=words"], "did you mean 'caption'?"),
        (["{folder}", "--columns", "caption=words"], "expected one column 'words' (got file, caption, tags, split)"),
        (["{folder}", "--min-tag-count", "99"], "lower --min-tag-count"),
    ],
)
def test_errors_are_one_line(folder, tmp_path, arguments, message, capsys):
    (tmp_path / "empty").mkdir()
    options = [each.format(folder=folder, empty=tmp_path / "empty") for each in arguments]
    assert make(*options, "--out", tmp_path / "mine.npz", "--quiet") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert not (tmp_path / "mine.npz").exists()


def test_the_help_names_all_encoders(capsys):
    with pytest.raises(SystemExit):
        make("--help")
    shown = capsys.readouterr().out
    assert all(name in shown for name in ENCODERS)


@pytest.mark.slow
def test_parts_are_made_and_merged(folder, tmp_path, capsys):
    command = (folder, "--out", tmp_path / "mine", *SMALL_COUNTS, "--missing", "mark", "--quiet")
    for number in (1, 2):
        assert make(*command, "--part", f"{number}/2") == 0
    assert "labelgraph data merge PARTS" in capsys.readouterr().out
    parts = [str(tmp_path / f"mine.part-{number}-of-2") for number in (2, 1)]
    assert main(["data", "merge", parts[0], "--out", str(tmp_path / "mine")]) == 2
    assert "got no part 1" in capsys.readouterr().err
    assert main(["data", "merge", *parts, "--out", str(tmp_path / "mine"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["splits"] == {
        "train": 8, "validation": 2, "test": 2, "query": 2, "database": 10,
    }  # fmt: skip
    assert make(*command[:2], tmp_path / "whole", *command[3:]) == 0
    whole, merged = (load_dataset(tmp_path / name) for name in ("whole", "mine"))
    assert whole.ids == merged.ids and whole.label_names == merged.label_names
    np.testing.assert_allclose(whole.image, merged.image, atol=1e-5)
    with pytest.raises(SystemExit):
        make(*command, "--part", "3/2")
    assert "argument --part: 'part' must be from 1/2 to 2/2 (got 3/2)" in capsys.readouterr().err


def test_tags_with_several_separators_are_read(folder, tmp_path, capsys):
    content = (folder / "captions.csv").read_text().replace("red;plain", "red|plain")
    (tmp_path / "items.csv").write_text("\n".join(
        f"{folder}/{row}" if i else row for i, row in enumerate(content.splitlines())
    ))  # fmt: skip
    arguments = (tmp_path / "items.csv", "--out", tmp_path / "mine.npz", *SMALL_COUNTS, "--quiet")
    assert make(*arguments) == 2
    assert "';' in 6 rows and '|' in 6 rows; set --separator" in capsys.readouterr().err
    assert make(*arguments, "--separator", ";", "--separator", "|") == 0
    assert set(load_dataset(tmp_path / "mine.npz").label_names) == {"plain", "blue", "red"}
