"""Small runs of the measurements of stores by several processes."""

import json
from pathlib import Path

import pytest

from benchmarks.stores.__main__ import main
from benchmarks.stores.many_processes import killed, simultaneous

pytestmark = pytest.mark.slow
pytest.importorskip("lancedb")


def test_writers_and_readers_lose_and_double_nothing(tmp_path):
    figures = simultaneous(f"lance:{tmp_path / 'store'}", writers=2, readers=1, batches=4)
    assert figures["items"] == figures["wanted"] == 401
    assert figures["doubled"] == figures["lost"] == figures["errors"] == 0 < figures["reads"]


@pytest.mark.parametrize("kind", ["lance", "milvus"])
def test_a_killed_process_leaves_whole_batches(tmp_path, kind):
    pytest.importorskip({"lance": "lancedb", "milvus": "milvus_lite"}[kind])
    moments = killed(f"{kind}:{tmp_path / 'store.db'}", moments=1)
    assert len(moments) == 1 and all(each["whole"] for each in moments)
    assert all(each["batches"] >= each["confirmed"] for each in moments)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is Linux's")
def test_a_store_is_filled_and_searched_in_its_own_processes(tmp_path):
    assert main(["large_vectors", "large_codes", "--scale", "0.002", "--report", str(tmp_path / "report.json")]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    vectors, codes = (report[f"large_{kind}"]["figures"] for kind in ("vectors", "codes"))
    assert vectors["items"] == vectors["fill"]["output"]["images"] == 2000 and codes["items"] == 10_000
    for figures in (vectors, codes):
        assert figures["disk_bytes"] > figures["raw_bytes"] > 0
        assert figures["search"]["peak_bytes"] > 0 < figures["search"]["output"]["median_seconds"]
