import json
import random

import pytest
import torch

from benchmarks.fuzz.byte_mutations import damaged
from benchmarks.fuzz.checksums import digests, mutate_structure, repair
from benchmarks.fuzz.damaged_reads import BYTES, REPAIRED, reproduce
from benchmarks.fuzz.public_names import Searcher, load_method
from benchmarks.fuzz.sample_files import make_checkpoint, make_model, make_searcher

pytestmark = pytest.mark.slow  # Whole commands and processes.


@pytest.mark.parametrize("content", [b"", b"\0", b"some words", bytes(5000)])
def test_damage_is_another_content_and_the_same_for_the_same_seed(content):
    for seed in range(200):
        changed = damaged(content, random.Random(seed))
        assert changed != content
        assert changed == damaged(content, random.Random(seed))


@pytest.mark.parametrize("damage", [BYTES, REPAIRED])
def test_a_case_can_be_reproduced(tmp_path, damage):
    contents = []
    for name in ("once", "again"):
        file = reproduce("data-npz", damage, 3, 0, tmp_path / name)
        contents.append((tmp_path / name / "case" / file).read_bytes())
        assert contents[-1] != (tmp_path / name / "good" / file).read_bytes()
    assert contents[0] == contents[1]


def test_repaired_checksums_are_those_that_the_library_accepts(tmp_path):
    make_model(tmp_path)
    before, first = digests(tmp_path), load_method(tmp_path / "model").state_dict()
    (path,) = (tmp_path / "model").glob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="model"):
        load_method(tmp_path / "model")
    repair(tmp_path, before)
    second = load_method(tmp_path / "model").state_dict()
    assert sum(not torch.equal(first[key], second[key]) for key in first) == 1


def test_manifests_are_repaired(tmp_path):
    make_searcher(tmp_path)
    before = digests(tmp_path)
    path = tmp_path / "index" / "index.json"
    manifest = json.loads(path.read_bytes())
    manifest["entries"]["model"]["encoders"] = {}
    path.write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match="damaged"):
        Searcher.load(tmp_path / "index")
    repair(tmp_path, before)
    assert Searcher.load(tmp_path / "index").method.encoders == {}


def test_repaired_checkpoints_are_those_that_the_library_accepts(tmp_path):
    from labelgraph.train.checkpoint import SafetensorsCheckpointIO

    make_checkpoint(tmp_path)
    path = min(tmp_path.rglob("*.ckpt"))
    good = path.read_bytes()
    loaded = 0
    for seed in range(20):
        path.write_bytes(good)
        mutate_structure(path, random.Random(seed))
        try:
            SafetensorsCheckpointIO().load_checkpoint(path)
            loaded += 1
        except ValueError as error:
            assert "checksum" not in str(error)
    assert loaded
