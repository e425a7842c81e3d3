"""`labelgraph index` and `labelgraph search`: the neighbours are those of brute force, with their titles."""

import gc
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from labelgraph.cli.main import main
from labelgraph.cli.sheet import find_pictures
from labelgraph.data import load_npz, load_openclipart, load_openclipart_keywords, load_thumbnails, save_npz
from labelgraph.encoders import ENCODERS, BagOfWords, Encoder
from labelgraph.inference import encode
from labelgraph.methods import load_method
from labelgraph.search import Searcher
from tests.cli.small import SMALL


def searched(capsys, *arguments):
    assert main(["search", *map(str, arguments), "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return json.loads(printed.out)


def nearest(place, data, asker, rows, among, k):
    """Ids and cosines by brute force, for the rows of one side among the items of the other."""
    sides = [torch.nn.functional.normalize(side.vectors) for side in encode(load_method(place / "model"), data)]
    scores = sides[asker][rows] @ sides[1 - asker][among].t()
    best = scores.topk(k)
    return [[data.ids[among[i]] for i in row] for row in best.indices.tolist()], best.values.tolist()


def test_the_split_database_is_indexed(place, pairs, tmp_path, capsys):
    assert (
        main(["index", str(place / "model"), str(place / "data.npz"), "--out", str(tmp_path / "index"), "--json"]) == 0
    )
    summary = json.loads(capsys.readouterr().out)
    assert summary.pop("seconds") > 0
    assert summary == {
        "index": str(tmp_path / "index"), "kind": "exact", "settings": {}, "method": "algcn", "similarity": "cosine",
        "split": "database", "images": 40, "texts": 40, "labels": 5,
    }  # fmt: skip
    searcher = Searcher.load(tmp_path / "index")
    assert searcher.label_names == pairs.label_names
    assert searcher.search(image=pairs.image[:1], k=99).titles[0][0].startswith("title ")


@pytest.mark.parametrize(("side", "asker", "other"), [("text", 1, "image"), ("image", 0, "text")])
def test_items_are_searched_for_by_id(place, pairs, capsys, side, asker, other):
    rows = [7, 42, 7]
    names = [pairs.ids[row] for row in rows]
    options = ["--data", place / "data.npz", f"--{side}-id", *names, "-k", 4]
    output = searched(capsys, place / "index", *options)
    assert (output["from"], output["to"], output["similarity"]) == (side, other, "cosine")
    assert [(each["query"], each["title"]) for each in output["queries"]] == [(n, f"title {n[5:]}") for n in names]
    ids, scores = nearest(place, pairs, asker, rows, pairs.splits["database"].tolist(), 4)
    for query, wanted, values in zip(output["queries"], ids, scores, strict=True):
        assert [each["id"] for each in query["neighbours"]] == wanted
        assert [each["title"] for each in query["neighbours"]] == [f"title {each[5:]}" for each in wanted]
        assert [each["score"] for each in query["neighbours"]] == pytest.approx(values, abs=1e-6)
        assert [each["rank"] for each in query["neighbours"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_is_collected_as_before_once_an_index_is_open(place, tmp_path, monkeypatch, collecting):
    read, meanwhile = Searcher.read, []

    def watched(version):
        meanwhile.append(gc.isenabled())
        return read(version)

    monkeypatch.setattr(Searcher, "read", watched)
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(b"PK")
    (gc.enable if collecting else gc.disable)()
    try:
        for data in (place / "data.npz", damaged):
            main(["search", str(place / "index"), "--data", str(data), "--text-id", "item 3"])
            assert gc.isenabled() is collecting
    finally:
        gc.enable()
    assert meanwhile == [False]


@pytest.mark.parametrize("form", ["dense.npy", "one.npz", "named.npz", "sparse.npz"])
def test_rows_of_features_are_searched_for(place, pairs, tmp_path, capsys, form):
    path, rows = tmp_path / form, pairs.text_rows(slice(0, 3)).numpy()
    if form == "dense.npy":
        np.save(path, rows)
    elif form == "sparse.npz":
        sp.save_npz(path, sp.csr_matrix(rows))
    else:
        np.savez(path, **({"text": rows, "other": np.ones(3)} if form == "named.npz" else {"anything": rows}))
    output = searched(capsys, place / "index", "--texts", path, "-k", 2)
    ids, _ = nearest(place, pairs, 1, [0, 1, 2], pairs.splits["database"].tolist(), 2)
    assert [[each["id"] for each in query["neighbours"]] for query in output["queries"]] == ids
    assert [query["query"] for query in output["queries"]] == ["row 0", "row 1", "row 2"]


def test_filters(place, pairs, capsys):
    options = ["--data", place / "data.npz", "--text-id", "item-3", "-k", 60]
    output = searched(capsys, place / "index", *options, "--labels", "été", "dog")
    database = pairs.splits["database"].tolist()
    wanted = {pairs.ids[row] for row in database if pairs.labels[row, 1] or pairs.labels[row, 3]}
    assert {each["id"] for each in output["queries"][0]["neighbours"]} == wanted != set()
    some = sorted(wanted)[:2]
    output = searched(capsys, place / "index", *options, "--ids", *some, "item-999")
    assert sorted(each["id"] for each in output["queries"][0]["neighbours"]) == some
    assert main(["search", *map(str, [place / "index", *options]), "--ids", "item-999"]) == 0
    assert "none, because no item matches the filters" in capsys.readouterr().out


def test_the_table_has_titles_only_where_there_are_any(place, pairs, tmp_path, capsys):
    options = ["--data", str(place / "data.npz"), "--text-id", "item-3", "-k", "2"]
    assert main(["search", str(place / "index"), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "images for the text item-3 (title 3)"
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["rank", "id", "title", "cosine"]
    save_npz(replace(pairs, titles=()), tmp_path / "data.npz")
    assert main(["index", str(place / "model"), str(tmp_path / "data.npz"), "--out", str(tmp_path / "index")]) == 0
    capsys.readouterr()
    assert main(["search", str(tmp_path / "index"), "--data", str(tmp_path / "data.npz"), *options[2:]]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "images for the text item-3"
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["rank", "id", "cosine"]


def test_all_items_can_be_indexed(place, pairs, tmp_path, capsys):
    model, data = str(place / "model"), str(place / "data.npz")
    assert main(["index", model, data, "--out", str(tmp_path / "index")]) == 0
    rest = len(pairs) - len(pairs.splits["database"])
    assert f"{rest} items outside this split: --split all indexes" in capsys.readouterr().out
    assert main(["index", model, data, "--out", str(tmp_path / "index"), "--split", "all"]) == 0
    printed = capsys.readouterr().out
    assert f"Indexed {len(pairs)} images and {len(pairs)} texts" in printed and "outside" not in printed


def test_codes_and_indexes_by_name(place, pairs, tmp_path, capsys):
    options = ["--epochs", "1", "--quiet", *SMALL, "model.bits=16"]
    assert main(["train", str(place / "data.npz"), "--out", str(tmp_path / "model"), *options]) == 0
    assert main(["index", str(tmp_path / "model"), str(place / "data.npz"), "--out", str(tmp_path / "index")]) == 0
    assert "'hamming'" in capsys.readouterr().out
    query = ["--data", place / "data.npz", "--text-id", "item-3", "-k", 3]
    (output,) = searched(capsys, tmp_path / "index", *query)["queries"]
    distances = [each["score"] for each in output["neighbours"]]
    assert distances == sorted(distances) and all(isinstance(each, int) and 0 <= each <= 16 for each in distances)
    assert main(["search", *map(str, [tmp_path / "index", *query])]) == 0
    assert "Hamming distance" in capsys.readouterr().out
    pytest.importorskip("faiss")
    flat = ["--index", "faiss-hnsw", "--set", "num_links=5", "search_width=9"]
    assert main(["index", str(place / "model"), str(place / "data.npz"), "--out", str(tmp_path / "index"), *flat]) == 0
    assert Searcher.load(tmp_path / "index").settings == {"num_links": 5, "search_width": 9}


class Letters(Encoder):
    """Stands for an encoder: how often each letter a to i is in a text, or how often each byte 1 to 12 in a file."""

    name = "letters"
    options: ClassVar[dict] = {}

    def __init__(self, side, device="cpu"):
        self.side = side

    @property
    def settings(self):
        return {"encoder": self.name, "side": self.side}

    @property
    def channels(self):
        return 9 if self.side == "text" else 12

    def prepare(self, item):
        if self.side == "text":
            return [item.count(letter) for letter in "abcdefghi"]
        return [item.read_bytes().count(byte) for byte in range(1, 13)]

    def embed(self, prepared):
        return np.array(prepared, dtype=np.float32)


@pytest.fixture
def encoded(pairs, tmp_path, monkeypatch, capsys):
    """Data, a model and an index that keep encoders."""
    monkeypatch.setitem(ENCODERS, "letters", Letters)
    settings = {side: {"encoder": "letters", "side": side} for side in ("text", "image")}
    save_npz(replace(pairs, encoders=settings), tmp_path / "data.npz")
    train = ["train", str(tmp_path / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "1", "--quiet", *SMALL]
    assert main(train) == 0
    assert main(["index", str(tmp_path / "model"), str(tmp_path / "data.npz"), "--out", str(tmp_path / "index")]) == 0
    capsys.readouterr()
    return tmp_path


def ids_of(output):
    return [[each["id"] for each in query["neighbours"]] for query in output["queries"]]


@pytest.mark.parametrize("of", [["index"], ["model", "--data", "data.npz"]])
def test_words_and_pictures_are_encoded_as_the_data_were(encoded, monkeypatch, capsys, of):
    monkeypatch.chdir(encoded)
    searcher = Searcher.load(encoded / "index")
    output = searched(capsys, *of, "--text", "a big hedge", "die Geige", "-k", 3)
    assert ids_of(output) == searcher.search(text=Letters("text").encode(["a big hedge", "die Geige"]), k=3).ids
    assert [query["query"] for query in output["queries"]] == ["a big hedge", "die Geige"]
    (encoded / "picture.png").write_bytes(bytes([1, 2, 2, 12, 99]))
    output = searched(capsys, *of, "--image", "picture.png", "-k", 3)
    wanted = searcher.search(image=Letters("image").encode([encoded / "picture.png"]), k=3)
    assert ids_of(output) == wanted.ids and output["from"] == "image"
    assert main(["search", *of, "--image", "none.png"]) == 2
    assert "none.png: no such picture" in capsys.readouterr().err


def test_a_model_searches_all_items_of_data_without_a_database(place, pairs, capsys):
    options = ["--data", place / "bare.npz", "--text-id", "item-3", "-k", 60]
    output = searched(capsys, place / "model", *options)
    ids, scores = nearest(place, pairs, 1, [3], list(range(60)), 60)
    assert set(ids_of(output)[0]) == set(ids[0]) == set(pairs.ids)
    assert [each["score"] for each in output["queries"][0]["neighbours"]] == pytest.approx(scores[0], abs=1e-6)
    assert main(["search", str(place / "model"), "--text", "x"]) == 2
    assert "'--data' must be given with a model" in capsys.readouterr().err


WORDS = ["red", "blue", "house", "hill", "boat", "lamp", "road", "rain", "cup"]


@pytest.fixture
def worded(pairs, tmp_path, capsys):
    """A model that knows nine words, five of the labels not among them."""
    words = BagOfWords(WORDS)
    rng = np.random.default_rng(0)
    text = sp.csr_array((rng.random((60, 9)) < 0.4).astype(np.float32))
    save_npz(replace(pairs, text=text, encoders={"text": words.settings}), tmp_path / "data.npz")
    train = ["train", str(tmp_path / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "1", "--quiet", *SMALL]
    assert main(train) == 0
    capsys.readouterr()
    return ["search", str(tmp_path / "model"), "--data", str(tmp_path / "data.npz")]


def test_unknown_words_and_labels_are_noted(worded, pairs, capsys):
    assert main([*worded, "--text", "a red dog on the Sea", "blue hill", "--json"]) == 0
    printed = capsys.readouterr()
    ignored, labels = printed.err.splitlines()
    assert ignored.startswith("'a red dog on the Sea': ignored 'dog', 'the', 'sea', which the model does not know")
    assert (
        labels == "'a red dog on the Sea': 'dog', 'sea' are labels; --labels dog sea finds only items with one of them"
    )
    with_a_dog = {pairs.ids[i] for i in pairs.labels[:, 3].nonzero().flatten().tolist()}
    assert not set(ids_of(json.loads(printed.out))[0]) <= with_a_dog
    assert main([*worded, "--text", "a red dog", "--labels", "dog", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and "ignored 'dog'" in printed.err
    assert set(ids_of(json.loads(printed.out))[0]) <= with_a_dog


def test_a_text_without_a_known_word_does_not_stop_the_others(worded, capsys):
    assert main([*worded, "--text", "red", "dog at sea", "horse", "--json"]) == 1
    printed = capsys.readouterr()
    sea, house = printed.err.splitlines()
    assert sea.startswith(
        "error: '--text' must have a word that the model knows (got 'dog at sea'); 'dog' is a label: "
    )
    assert "(got 'horse'); did you mean 'house'?" in house and "--list-words" in house
    answer = json.loads(printed.out)
    assert [each["query"] for each in answer["queries"]] == ["red"]
    assert [each["query"] for each in answer["refused"]] == ["dog at sea", "horse"]
    assert main([*worded, "--text", "red"]) == 0
    alone = capsys.readouterr().out
    assert main([*worded, "--text", "zzz", "red"]) == 1
    assert capsys.readouterr().out == alone


def test_plurals_and_typing_errors_are_read_as_known_words(worded, capsys):
    assert main([*worded, "--text", "red boats", "hosue", "--json"]) == 0
    printed = capsys.readouterr()
    boats, house = printed.err.splitlines()
    assert "'red boats': read 'boats' as 'boat'" in boats and "'hosue': read 'hosue' as 'house'" in house
    assert main([*worded, "--text", "red boat", "house", "--json"]) == 0
    assert ids_of(json.loads(capsys.readouterr().out)) == ids_of(json.loads(printed.out))


def test_captions_are_searched_for_any_word(worded, capsys):
    pytest.importorskip("bm25s")
    assert main([*worded, "--text", "title", "zzz", "--lexical", "-k", "3"]) == 0
    printed = capsys.readouterr()
    title, zzz = printed.out.split("\n\nitems for the text 'zzz'")
    assert title.startswith("items for the text 'title'") and title.count("| title ") == 4  # The header, and 3 titles.
    assert zzz == ": none, because no caption has a word of it\n"
    assert "'zzz': only searched in the captions: 'zzz'" in printed.err


def test_what_shares_no_word_is_no_result(worded, tmp_path, capsys):
    """Neither in the table nor as JSON nor on the sheet; every item has another number in its title."""
    pytest.importorskip("bm25s")
    image_module = pytest.importorskip("PIL.Image")
    data = load_npz(worded[3])
    save_npz(replace(data, titles=[f"{'violin' if i % 30 == 1 else 'oboe'} {i}" for i in range(60)]), worded[3])
    ask = [*worded, "--text", "violin", "zzz", "--lexical", "--labels", *data.label_names]
    wanted = {data.ids[i] for i in data.rows("database").tolist() if i % 30 == 1}
    assert main([*ask, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [set(ids) for ids in ids_of(answer)] == [wanted, set()]
    assert all(each["score"] > 0 for each in answer["queries"][0]["neighbours"])
    assert main(ask) == 0
    printed = capsys.readouterr().out
    assert all(each in printed for each in wanted) and "oboe" not in printed
    assert printed.endswith("'zzz': none, because no caption has a word of it and matches the filters\n")
    for i in range(60):
        image_module.new("RGB", (64, 64), (4 * i, 255 - i, i)).save(tmp_path / data.ids[i], "PNG")
    assert main([*ask, "--sheet", str(tmp_path / "sheet.png"), "--pictures", str(tmp_path)]) == 0
    shown = colours(tmp_path / "sheet.png")[0]
    assert {i for i in range(60) if (4 * i, 255 - i, i) in shown} == {data.ids.index(each) for each in wanted}


def test_an_unknown_word_is_found_by_the_captions(worded, capsys):
    pytest.importorskip("bm25s")
    data = load_npz(worded[3])
    save_npz(replace(data, titles=[f"{'violin' if i % 30 == 1 else 'oboe'} {i}" for i in range(60)]), worded[3])
    wanted = {data.ids[i] for i in data.rows("database").tolist() if i % 30 == 1}
    assert main([*worded, "--text", "violin", "red", "red violin zzz", "--json"]) == 0
    printed = capsys.readouterr()
    alone, mixed, ignored = printed.err.splitlines()
    assert alone == "'violin': 'violin' is no known word: found by its captions"
    assert mixed == "'red violin zzz': 'violin' is no known word: found by its captions"
    assert ignored.startswith("'red violin zzz': ignored 'zzz'")
    answer = json.loads(printed.out)
    assert set(ids_of(answer)[0]) == wanted and set(ids_of(answer)[2][: len(wanted)]) == wanted
    assert [each["score"] for each in answer["queries"]] == ["reciprocal rank", "cosine", "reciprocal rank"]
    # Without the captions, a known word is searched as before, and an unknown word is refused.
    assert main([*worded, "--text", "violin", "red", "red violin zzz", "--no-lexical", "--json"]) == 1
    printed = capsys.readouterr()
    without = json.loads(printed.out)
    assert without["queries"][0] == answer["queries"][1] and "'violin', 'zzz'" in printed.err
    assert [each["query"] for each in without["refused"]] == ["violin"]
    assert main([*worded, "--text", "violin", "--in", "pictures"]) == 2


def test_no_text_with_a_known_word_is_an_error(worded, capsys):
    assert main([*worded, "--text", "zzz", "xxx"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("error: ") == printed.err.count("\n") == 2


def test_the_known_words_are_listed(worded, capsys):
    assert main([*worded, "--list-words"]) == 0
    assert capsys.readouterr().out.split() == sorted(WORDS)
    assert main([*worded, "--list-words", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"words": sorted(WORDS)}


@pytest.fixture
def probable(pairs, tmp_path, capsys):
    """A model that ranks by label probabilities and knows nine words, the labels not among them."""
    rng = np.random.default_rng(0)
    text = sp.csr_array((rng.random((60, 9)) < 0.4).astype(np.float32))
    save_npz(replace(pairs, text=text, encoders={"text": BagOfWords(WORDS).settings}), tmp_path / "data.npz")
    train = ["train", str(tmp_path / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "2", "--quiet"]
    assert main([*train, "--set", "model.hidden_channels=8", "train.device=cpu"]) == 0
    capsys.readouterr()
    return ["search", str(tmp_path / "model"), "--data", str(tmp_path / "data.npz")]


def test_labels_are_words_of_a_query(probable, capsys):
    """Also alone, and without a note; the score has its name in the heading."""
    model = load_method(probable[1])
    data = load_npz(probable[3])
    assert main([*probable, "--text", "Dog", "-k", "5", "--json"]) == 0
    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    searcher = Searcher(model).fit(data, rows=data.rows("database"))
    assert printed.err == "" and ids_of(answer) == searcher.search(label=["dog"], k=5).ids
    assert answer["score"] == "expected Jaccard"
    assert main([*probable, "--text", "red dog"]) == 0
    assert "| expected Jaccard |" in capsys.readouterr().out
    assert main([*probable, "--list-words"]) == 0
    assert {*WORDS, *data.label_names} == set(capsys.readouterr().out.splitlines())


def test_an_unknown_label_is_refused_by_the_name_of_the_option(probable, capsys):
    assert main([*probable, "--label", "zebra"]) == 2
    assert re.search(r"^error: '--label' must be one of .* \(got 'zebra'\)", capsys.readouterr().err)


def test_any_label_is_searched_for(probable, pairs, tmp_path, capsys):
    """A trained label by its probability; another label by the nearest names and as a word."""
    vectors = np.eye(5, 4, dtype=np.float32)
    np.savetxt(tmp_path / "words.txt", [], header="sky 1 0 0 0\ndog 0 0 0 1\nred 0 0 3 4", comments="")
    named = replace(load_npz(probable[3]), label_vectors=vectors)  # The fourth label is the dog.
    save_npz(named, tmp_path / "data.npz")
    assert main(["train", str(tmp_path / "data.npz"), "--out", str(tmp_path / "model"), "--epochs", "2", "--quiet",
                 "--set", "model.hidden_channels=8", "train.device=cpu"]) == 0  # fmt: skip
    capsys.readouterr()
    words = str(tmp_path / "words.txt")
    assert main([*probable, "--label", "dog", "red", "--vector", words, "-k", "3", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    searcher = Searcher(load_method(probable[1])).fit(named, rows=named.rows("database"))
    assert ids_of(answer) == searcher.search(label=["dog", "red"], vectors=words, k=3).ids
    assert answer["from"] == "label" and answer["placed"] == {"red": pytest.approx({"dog": 0.8, "a b": 0.6}, abs=1e-3)}
    assert main([*probable, "--label", "red", "--vector", words]) == 0
    assert "red: not a trained label; nearest labels: dog .80, a b .60; also" in capsys.readouterr().out
    assert main([*probable, "--text", "red", "--vector", words]) == 2
    assert "'--vector' needs --label" in capsys.readouterr().err


@pytest.mark.parametrize(("within", "to"), [("pictures", "image"), ("texts", "text"), ("both", "both")])
def test_either_side_or_both_are_searched(probable, capsys, within, to):
    data = load_npz(probable[3])
    assert main([*probable, "--text", "red boat", "--in", within, "-k", "4", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    searcher = Searcher(load_method(probable[1])).fit(data, rows=data.rows("database"))
    assert ids_of(answer) == searcher.search(text=["red boat"], k=4, within=within).ids and answer["to"] == to


@pytest.fixture
def pictured(place, pairs, tmp_path):
    """Data whose ids are paths of pictures, a colour each, below a folder."""
    image_module = pytest.importorskip("PIL.Image")
    (tmp_path / "in").mkdir()
    for row in range(60):
        image_module.new("RGB", (8, 8), (4 * row, 255 - row, row)).save(tmp_path / "in" / f"{row}.png")
    save_npz(replace(pairs, ids=[f"in/{row}.png" for row in range(60)]), tmp_path / "data.npz")
    return ["search", str(place / "model"), "--data", str(tmp_path / "data.npz")]


def colours(path):
    from PIL import Image

    with Image.open(path) as sheet:
        assert sheet.format == "PNG"
        return [tuple(colour) for _, colour in sheet.getcolors(1 << 20)], sheet.size


def test_a_sheet_shows_the_pictures_that_were_found(pictured, tmp_path, capsys):
    ask = ["--text-id", "in/3.png", "in/4.png", "-k", "3", "--sheet", str(tmp_path / "out" / "results.png"), "--json"]
    assert main([*pictured, *ask]) == 0
    shown, (width, height) = colours(tmp_path / "out" / "results.png")
    rows = [int(each[3:-4]) for query in ids_of(json.loads(capsys.readouterr().out)) for each in query]
    assert {(4 * row, 255 - row, row) for row in rows} <= set(shown)
    assert not {(4 * row, 255 - row, row) for row in range(60) if row not in rows} & set(shown)
    assert main([*pictured, "--image-id", "in/59.png", *ask[3:]]) == 0
    shown, other = colours(tmp_path / "out" / "results.png")
    assert (4 * 59, 255 - 59, 59) in shown and (other[0] > width) and 2 * other[1] == height


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--sheet", "results.jpg"], "'--sheet' must end in .png (got results.jpg)"),
        (["--sheet", "results.png", "--pictures", "elsewhere"], "ids that are paths of picture files within elsewhere"),
        (["--sheet", "results.png", "--ids", "none"], "'--sheet' needs a query with results"),
    ],
)
def test_a_sheet_that_cannot_be_is_refused(pictured, tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    assert main([*pictured, "--text-id", "in/3.png", *more]) == 2
    printed = capsys.readouterr()
    assert message in printed.err and printed.err.count("\n") == 1 and printed.out == ""
    assert not (tmp_path / "results.png").exists()


def test_the_bundled_set_has_its_own_thumbnails():
    data = load_openclipart()
    (picture,) = find_pictures(data, "openclipart", None, [data.ids[7]])
    assert picture.tobytes() == load_thumbnails([7])[0].tobytes()
    keywords = load_openclipart_keywords()
    (picture,) = find_pictures(keywords, "openclipart-keywords", None, [data.ids[7]])
    assert picture.tobytes() == load_thumbnails([7])[0].tobytes()
    with pytest.raises(ValueError, match="--data openclipart"):
        find_pictures(None, None, None, [data.ids[7]])


INDEX = ("index", "{place}/model", "{place}/data.npz", "--out", "{out}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["index", "{place}/mdl", "{place}/data.npz", "--out", "{out}"],
            "mdl: no such folder of a model; did you mean 'model'?",
        ),
        (["index", "{place}/model", "{place}/dat.npz", "--out", "{out}"], "did you mean '{place}/data.npz'?"),
        ([*INDEX, "--split", "tset"], "did you mean 'test'?"),
        ([*INDEX, "--index", "exat"], "did you mean 'exact'?"),
        ([*INDEX, "--index", "hamming"], "faiss-hnsw for 'cosine' (got 'hamming')"),
        ([*INDEX, "--index", "faiss-ivf", "--set", "num_prob=1"],
         "did you mean 'num_probes'?"),
        ([*INDEX, "--index", "faiss-ivf", "--set",
          "num_probes=x"], "'--set num_probes' must be a positive whole number (got 'x')"),
        (["index", "{place}/model", "{place}/data.npz", "--out", "{place}/data.npz"], "must be a folder"),
        (["search", "{place}/nowhere", "--text", "x"], "nowhere: no such folder of an index"),
        (["search", "{place}/data.npz", "--text", "x"], "expected a folder of an index or a model (got a file)"),
        (["search", "{place}/index", "--texts", "{place}"], "expected a file of features (got a folder)"),
        (["search", "{place}/index", "--text-id", "item-3"], "'--data' must be given"),
        (["search", "{place}/index", "--data", "{place}/data.npz", "--text-id", "itm-3"], "did you mean 'item-"),
        (["search", "{place}/index", "--data", "{place}/data.npz", "--image-id", "item-3", "--labels", "dgo"],
         "did you mean 'dog'?"),
        (["search", "{place}/index", "--data", "{place}/data.npz", "--image-id", "item-3", "-k", "0"], "'k' must be"),
        (["search", "{place}/index", "--texts", "{out}.npy"], "index.npy: no such file of features"),
        (["search", "{place}/index", "--images", "{wide}"], "'image' must have 12 features"),
        (["search", "{place}/index", "--images", "{flat}"], "a matrix of features, one row per query (got shape (3,))"),
        (["search", "{place}/index", "--images", "{junk}"], "junk.npy: expected a matrix of features"),
        (["search", "{place}/index", "--images", "{pickled}"], "pickled.npy: expected a matrix of features"),
        (["search", "{place}/index", "--text", "a dog"], "an encoder of texts (got none"),
        (["search", "{place}/index", "--image", "{wide}"], "an encoder of images (got none"),
    ],
)  # fmt: skip
def test_errors_are_one_line_and_leave_nothing(place, tmp_path, capsys, arguments, message):
    names = {"place": place, "out": tmp_path / "index"}
    names |= {name: tmp_path / f"{name}.npy" for name in ("wide", "flat", "junk", "pickled")}
    np.save(names["wide"], np.ones((2, 99)))
    np.save(names["flat"], np.ones(3))
    names["junk"].write_bytes(b"junk")
    np.save(names["pickled"], np.array([{}]), allow_pickle=True)
    assert main([each.format(**names) for each in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert message.format(**names) in printed.err
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "{model}", "{place}/data.npz"],
        ["index", "{model}", "{place}/data.npz", "--out", "{out}", "--quiet"],
        ["search", "{model}", "--data", "{place}/data.npz", "--text-id", "item-1"],
        ["search", "{index}", "--data", "{place}/data.npz", "--text-id", "item-1"],
    ],
)
def test_weights_that_overflow_are_one_line_with_the_folder(place, pairs, tmp_path, capsys, arguments):
    method = load_method(place / "model")
    searcher = Searcher(method).fit(pairs)
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.fill_(3e38)
    names = {"place": place, "out": tmp_path / "out", "model": tmp_path / "model", "index": tmp_path / "index"}
    method.save_pretrained(names["model"])
    searcher.save(names["index"])
    assert main([each.format(**names) for each in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert printed.err.startswith(f"error: {arguments[1].format(**names)}: '") and "must be finite" in printed.err
    assert not names["out"].exists()


@pytest.mark.slow
def test_killed_at_random_points_the_previous_or_the_new_index_is_there(tmp_path):
    command = [sys.executable, "-m", "tests.cli.kill_command", "index", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    states = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(states) == 12 and all(state["in the end"] == "new" for state in states)
    assert {"previous"} <= {state["then"] for state in states} <= {"previous", "new"}
