"""The package's description, citation file and version agree, and its links work outside the repository."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

import labelgraph

ROOT = Path(__file__).parents[1]
ADDRESS = "https://example.org/labelgraph"


@pytest.fixture
def built(monkeypatch):
    """What setup.py passes on, with and without an address."""

    def build(address):
        given = {}
        monkeypatch.setenv("LABELGRAPH_URL", address)
        monkeypatch.setattr("setuptools.setup", given.update)
        runpy.run_path(str(ROOT / "setup.py"))
        return given

    return build


def test_a_release_has_absolute_links(built):
    given = built(ADDRESS + "/")
    targets = re.findall(r"\]\(([^)]+)\)", given["long_description"])
    readme = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert len(targets) == len(readme) > 10
    for before, after in zip(readme, targets, strict=True):
        kind = "raw" if before.endswith(".png") else "blob"
        assert after == (before if before.startswith("https://") else f"{ADDRESS}/{kind}/main/{before}")
    assert given["project_urls"]["Source"] == ADDRESS


def test_without_an_address_no_links_are_invented(built):
    assert built("") == {}


def test_the_citation_file_has_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == labelgraph.__version__
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
