"""A searcher on disk: round trips, damage, and saving that is killed."""

import json
import random
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from labelgraph._core.commit import write_version
from labelgraph._core.digests import sha256_json
from labelgraph._core.versions import Version, open_version
from labelgraph.data import CrossModalData
from labelgraph.graph import cooccurrence_graph
from labelgraph.methods import ALGCN, AGAHConfig, ALGCNConfig, build_method
from labelgraph.search import INDEXES, Searcher
from labelgraph.search import searcher_folder as saving
from labelgraph.search.searcher_folder import SEARCHER_FORMAT, open_saved
from tests.damage import damage

SIZE = 40


def make(index="exact", seed=0):
    torch.manual_seed(seed)
    if "hamming" in INDEXES[index].similarities:
        config = AGAHConfig(bits=16, hidden_channels=4, graph_channels=(4, 4), attention_channels=4)
        method = build_method("agah", 6, 5, config=config)
    else:
        graph = cooccurrence_graph(np.eye(3)[np.arange(9) % 3], ["cat", "été", "tree"])
        method = build_method("algcn", 6, 5, graph, ALGCNConfig(hidden_channels=4))
    data = CrossModalData(
        image=torch.randn(SIZE, 6),
        text=torch.randn(SIZE, 5),
        labels=np.eye(3)[(np.arange(SIZE) + seed) % 3],
        label_names=["cat", "été", "tree"],
        ids=[f"item {seed} {i}" for i in range(SIZE)],
    )
    return Searcher(method, index).fit(data)


def answers(searcher):
    """Neighbours both ways, with and without filters, exactly."""
    generator = torch.Generator().manual_seed(7)
    image, text = torch.randn(5, 6, generator=generator), torch.randn(5, 5, generator=generator)
    result = [
        searcher.search(image=image, k=7),
        searcher.search(text=text, k=SIZE),
        searcher.search(text=text, k=4, labels=["été"]),
        searcher.search(image=image, k=4, ids=["item 0 3", "item 0 4"]),
    ]
    return [(each.ids, each.scores.tolist()) for each in result]


@pytest.fixture(params=INDEXES)
def index(request):
    if request.param.startswith("faiss"):
        pytest.importorskip("faiss")
    return request.param


def test_a_round_trip_gives_equal_neighbours(tmp_path, index):
    searcher = make(index)
    searcher.save(tmp_path / "saved")
    again = Searcher.load(tmp_path / "saved")
    assert answers(again) == answers(searcher) and repr(again) == repr(searcher)
    # What was loaded can be changed and saved again, over what it came from.
    for each in (searcher, again):
        each.remove([f"item 0 {i}" for i in range(0, SIZE, 2)])
        each.add("item 0 0", torch.ones(6), torch.ones(5), [[0, 1, 0]])
    again.save(tmp_path / "saved")
    third = Searcher.load(tmp_path / "saved")
    assert answers(third) == answers(again)
    assert answers(third)[2:] == answers(searcher)[2:]


def test_the_files(tmp_path, index):
    make(index).save(tmp_path / "saved")
    names = {re.sub(r"-[0-9a-f]{16}", "", path.name) for path in (tmp_path / "saved").iterdir()}
    faiss = {"image.faiss", "text.faiss"} if index.startswith("faiss") and not index.endswith("flat") else set()
    arrays = {f"{side}.{name}.npy" for side in ("image", "text") for name in ("vectors", "labels")}
    assert names == {"index.json", ".lock", "items.json", "model-model.safetensors"} | arrays | faiss


def test_an_empty_searcher(tmp_path, index):
    searcher = make(index)
    searcher.remove([f"item 0 {i}" for i in range(SIZE)])
    searcher.save(tmp_path)
    again = Searcher.load(tmp_path)
    assert answers(again) == answers(searcher)
    again.add("new", image=torch.ones(6))
    assert again.search(text=torch.ones(5)).ids == [["new"]]


def test_settings_are_kept(tmp_path):
    pytest.importorskip("faiss")
    searcher = Searcher(make().method, "faiss-hnsw", num_links=5, search_width=9)
    searcher.save(tmp_path)
    assert Searcher.load(tmp_path).settings == {"num_links": 5, "search_width": 9}


@pytest.mark.parametrize("index", ["exact", "hamming", "faiss-ivf", "faiss-hnsw", "faiss-binary-hnsw"], indirect=True)
def test_200_damaged_folders_are_refused_or_give_the_right_neighbours(tmp_path, index):
    searcher = make(index)
    searcher.save(tmp_path)
    wanted, rng = answers(searcher), random.Random(0)
    paths = sorted(path for path in tmp_path.rglob("[!.]*") if path.is_file())
    refused = 0
    for case in range(200):
        path = paths[case % len(paths)]
        content = path.read_bytes()
        if rng.random() < 0.05:
            path.unlink()
        else:
            path.write_bytes(damage(content, rng))
        try:
            again = Searcher.load(tmp_path)
        except (ValueError, FileNotFoundError) as error:
            assert str(tmp_path) in str(error) and "\n" not in str(error), error
            refused += 1
        else:
            # Only white space of `index.json` may go unseen.
            assert answers(again) == wanted and path.name == "index.json", path
        path.write_bytes(content)
    assert refused > 190
    assert answers(Searcher.load(tmp_path)) == wanted


@pytest.mark.parametrize("index", ["exact", "faiss-ivf"], indirect=True)
def test_a_large_side_is_read_and_checked_when_it_is_first_used(tmp_path, index, monkeypatch):
    searcher = make(index)
    searcher.save(tmp_path)
    monkeypatch.setattr(saving, "LARGE", 0)
    assert answers(Searcher.load(tmp_path)) == answers(searcher)
    image = torch.ones(1, 6)
    for name in ("vectors", "labels"):
        (path,) = tmp_path.glob(f"text.{name}-*.npy")
        content = path.read_bytes()
        changed = bytearray(content)
        changed[-1] ^= 1
        path.write_bytes(bytes(changed))
        damaged = Searcher.load(tmp_path)
        assert damaged.search(image=image, within="pictures").ids == searcher.search(image=image, within="pictures").ids
        for _ in range(2):
            with pytest.raises(ValueError, match=rf"{path.name}: expected SHA-256 .* damaged") as error:
                damaged.search(image=image)
            assert "\n" not in str(error.value)
        path.write_bytes(content[:-1])
        with pytest.raises(ValueError, match=rf"{path.name}: expected .* bytes .* damaged"):
            Searcher.load(tmp_path)
        path.write_bytes(content)
    again = Searcher.load(tmp_path)
    make(index, seed=1).save(tmp_path)  # The files of the earlier version are deleted, and stay readable.
    assert answers(again) == answers(searcher)


def test_large_files_are_checked_before_the_searcher_is_read(tmp_path, monkeypatch):
    searcher = make()
    searcher.save(tmp_path)
    monkeypatch.setattr(saving, "LARGE", 0)
    checked, check_ahead = [], Version.check_ahead

    def watched(self, *names):
        checked.extend(names)
        check_ahead(self, *names)

    monkeypatch.setattr(Version, "check_ahead", watched)
    with open_saved(tmp_path, ["image"]) as version:
        assert sorted(checked) == ["image.labels.npy", "image.vectors.npy", "model/model.safetensors"]
        again = Searcher.read(version)
    assert answers(again) == answers(searcher)
    (path,) = tmp_path.glob("image.vectors-*.npy")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with open_saved(tmp_path, ["image"]) as version:
        damaged = Searcher.read(version)
    with pytest.raises(ValueError, match=r"image\.vectors.*: expected SHA-256 .* damaged"):
        damaged.search(image=torch.ones(1, 6), within="pictures")


def test_a_searcher_is_opened_without_pytorch(tmp_path):
    make().save(tmp_path)
    code = f"""
import sys
from pathlib import Path
from labelgraph.search.searcher_folder import open_saved
with open_saved(Path({str(tmp_path)!r}), ["image", "text"]) as version:
    print("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("index", ["exact", "faiss-hnsw"], indirect=True)
def test_files_of_another_save_are_refused(tmp_path, index):
    for seed in (0, 1):
        make(index, seed).save(tmp_path / str(seed))
    paths = sorted(path for path in (tmp_path / "0").iterdir() if path.name not in (".lock", "index.json"))
    assert len(paths) == 6 + 2 * (index != "exact")
    for path in paths:
        content, start = path.read_bytes(), re.sub(r"-[0-9a-f]{16}.*", "", path.name)
        path.write_bytes(next((tmp_path / "1").glob(f"{start}-*{path.suffix}")).read_bytes())
        with pytest.raises(ValueError, match=rf"{path.name}: expected .* damaged"):
            Searcher.load(tmp_path / "0")
        path.write_bytes(content)


def rewrite(folder, changes):
    """Save the same with other entries, or other ids and titles, as someone might by hand, checksums and all."""
    with open_version(folder, SEARCHER_FORMAT) as version:
        entries, files = dict(version.entries), {name: version.read(name) for name in version.files}
    items = json.loads(files["items.json"])
    for name, value in changes.items():
        if name in ("ids", "titles"):
            for side in items:
                items[side][name] = value
        else:
            entries[name] = value
    files["items.json"] = json.dumps(items).encode()
    with write_version(folder, SEARCHER_FORMAT, {k: v for k, v in entries.items() if v is not None}) as writer:
        for name, content in files.items():
            writer.write(name, content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"index": "best"}, "'index' must be one of"),
        ({"index": "hamming"}, "'index' must be one of exact, .* for 'cosine'"),
        ({"index": None}, "expected a searcher .*'index'"),
        ({"settings": {"num_probes": 3}}, "settings of the index 'exact'"),
        ({"settings": 3}, "expected a searcher"),
        ({"ids": ["a"]}, f"expected {SIZE} distinct ids .got 1"),
        ({"ids": ["a"] * SIZE}, f"expected {SIZE} distinct ids"),
        ({"ids": list(range(SIZE))}, f"expected {SIZE} distinct ids"),
        ({"ids": None}, "expected ids and titles of the images"),
        ({"titles": ["a"]}, f"expected {SIZE} titles .got 1"),
        ({"titles": [3] * SIZE}, f"expected {SIZE} titles"),
        ({"model": 3}, "expected the entry 'model'"),
        ({"settings": {"num_probes": [3]}}, "settings of the index 'exact'"),
        ({"label_names": 3}, "expected bool labels of the shape"),
        ({"label_names": ["cat"]}, "expected bool labels of the shape"),
    ],
)
def test_a_meaning_that_does_not_fit_is_refused(tmp_path, changes, message):
    make().save(tmp_path)
    rewrite(tmp_path, changes)
    with pytest.raises(ValueError, match=message) as error:
        Searcher.load(tmp_path)
    assert str(error.value).startswith(str(tmp_path)) and "\n" not in str(error.value)


def test_a_method_of_own_parts_cannot_be_saved_and_the_previous_stays(tmp_path):
    searcher = make()
    searcher.save(tmp_path)
    method = searcher.method
    own = ALGCN(method.image_projector, method.text_projector, method.label_branch, method.config)
    with pytest.raises(ValueError, match="'save_pretrained' needs a method built by 'from_config'"):
        Searcher(own).save(tmp_path)
    assert answers(Searcher.load(tmp_path)) == answers(searcher)
    assert len(list(tmp_path.iterdir())) == 8


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere/index\.json: no such labelgraph search index"):
        Searcher.load(tmp_path / "nowhere")


def test_a_searcher_that_is_saved_while_it_is_loaded_is_loaded_as_it_was(tmp_path, monkeypatch):
    """The version is replaced after its method was read, before its vectors are."""
    searchers = [make(seed=seed) for seed in (0, 1)]
    searchers[0].save(tmp_path)
    read, others = saving.read_method, [searchers[1]]

    def and_save(version):
        method = read(version)
        if others:
            others.pop().save(tmp_path)
        return method

    monkeypatch.setattr(saving, "read_method", and_save)
    assert answers(Searcher.load(tmp_path)) == answers(searchers[0]) and not others
    assert answers(Searcher.load(tmp_path)) == answers(searchers[1])


def test_a_file_outside_the_folder_is_not_read(tmp_path):
    make().save(tmp_path / "saved")
    path = tmp_path / "saved" / "index.json"
    whole = json.loads(path.read_text())
    whole["files"]["items.json"]["file"] = "../" + whole["files"]["items.json"]["file"]
    del whole["checksum"]
    path.write_text(json.dumps({**whole, "checksum": sha256_json(whole)}))
    with pytest.raises(ValueError, match=r"index\.json: expected a file of this folder for 'items\.json'"):
        Searcher.load(tmp_path / "saved")


def test_an_index_json_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(ValueError, match=r"index\.json: expected a labelgraph search index, or nothing"):
        make().save(tmp_path)
    assert (tmp_path / "index.json").read_text() == "{}"


def test_an_index_of_an_earlier_version_says_what_to_do_and_can_be_replaced(tmp_path):
    searcher = make()
    searcher.save(tmp_path)
    path = tmp_path / "index.json"
    whole = json.loads(path.read_text())
    path.write_text(json.dumps({**whole, "version": 2}))
    with pytest.raises(ValueError, match=r"index\.json: .*version 3 \(got 2\); .*`labelgraph index`$"):
        Searcher.load(tmp_path)
    searcher.save(tmp_path)
    assert answers(Searcher.load(tmp_path)) == answers(searcher)


@pytest.mark.slow
def test_of_two_processes_that_save_at_once_one_stays_whole(tmp_path):
    searchers, place = [make(seed=seed) for seed in (0, 1)], tmp_path / "place"
    for searcher, name in zip(searchers, "01", strict=True):
        searcher.save(tmp_path / name)
    code = "import sys; from labelgraph.search import Searcher; s = Searcher.load(sys.argv[1]); input(); "
    code += "[s.save(sys.argv[2]) for _ in range(20)]"
    savers = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / name), str(place)], stdin=subprocess.PIPE)
        for name in "01"
    ]
    for saver in savers:
        saver.stdin.write(b"\n")
        saver.stdin.flush()
    assert [saver.wait(120) for saver in savers] == [0, 0]
    assert answers(Searcher.load(place)) in [answers(searcher) for searcher in searchers]
    assert len(list(place.iterdir())) == 8


SAVE = """
import sys
from labelgraph.search import Searcher

searchers = [Searcher.load(each) for each in sys.argv[1:3]]
print("ready", flush=True)
while True:
    for searcher in searchers:
        searcher.save(sys.argv[3])
"""


@pytest.mark.slow
def test_loading_while_another_process_saves_gives_one_of_both(tmp_path):
    searchers, folders = [make(seed=seed) for seed in (0, 1)], [str(tmp_path / name) for name in ("0", "1", "both")]
    for searcher, folder in zip(searchers, folders[:2], strict=True):
        searcher.save(folder)
    searchers[0].save(folders[2])
    wanted, result = [answers(searcher) for searcher in searchers], []
    command = [sys.executable, "-c", SAVE, *folders]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as saver:
        try:
            assert saver.stdout.readline() == "ready\n"
            result = [wanted.index(answers(Searcher.load(folders[2]))) for _ in range(25)]
        finally:
            saver.kill()
    assert set(result) == {0, 1}


KILL = """
import os, random, signal, sys, time
from labelgraph.search import Searcher

folder, rng = sys.argv[3], random.Random(0)
searchers = [Searcher.load(each) for each in sys.argv[1:3]]
started = time.perf_counter()
for searcher in searchers[::-1]:
    searcher.save(folder)
taken = time.perf_counter() - started
for _ in range(40):
    child = os.fork()
    if not child:
        while True:
            for searcher in searchers[::-1]:
                searcher.save(folder)
    time.sleep(rng.random() * 3 * taken)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(Searcher.load(folder).search(image=[0.5] * 6, k=1000), flush=True)
"""


@pytest.mark.slow
def test_killed_at_random_moments_one_of_both_is_there(tmp_path):
    searchers, folders = [make(seed=seed) for seed in (0, 1)], [str(tmp_path / name) for name in ("0", "1", "both")]
    for searcher, folder in zip(searchers, folders[:2], strict=True):
        searcher.save(folder)
    done = subprocess.run([sys.executable, "-c", KILL, *folders], capture_output=True, text=True, check=True)
    result = re.findall(r"Neighbours\(.*?\]\]\)\)", done.stdout, flags=re.DOTALL)
    assert len(result) == 40
    assert set(result) == {repr(searcher.search(image=[0.5] * 6, k=1000)) for searcher in searchers}
    searchers[0].save(folders[2])
    assert len(list((tmp_path / "both").iterdir())) == 8
