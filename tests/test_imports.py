"""Imports: leftwards only, and light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labelgraph

ORDER = ("data", "features", "graph", "nn", "losses", "methods", "retrieval", "train", "search", "report", "cli")
ROOT = Path(labelgraph.__file__).parent


def imported_layers(path):
    """The layers of labelgraph that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for module in modules:
            root, _, rest = module.partition(".")
            if root == "labelgraph" and rest.partition(".")[0] in ORDER:
                yield rest.partition(".")[0]


def test_every_folder_is_a_layer():
    assert {path.parent.name for path in ROOT.glob("*/__init__.py") if list(path.parent.glob("*.py"))} >= set(ORDER)


@pytest.mark.parametrize("layer", ORDER)
def test_a_layer_imports_only_those_before_it(layer):
    allowed = ORDER[: ORDER.index(layer) + 1]
    for path in (ROOT / layer).rglob("*.py"):
        later = sorted(set(imported_layers(path)) - set(allowed))
        assert not later, f"{path.relative_to(ROOT)} imports {', '.join(later)}"


HEAVY = (
    "lightning",
    "pytorch_lightning",
    "faiss",
    "matplotlib",
    "sklearn",
    "safetensors",
    "PIL",
    "pandas",
    "h5py",
    "pyarrow",
)


def test_an_import_is_light():
    """All layers but training, in a process of its own."""
    modules = ", ".join(["labelgraph", *(f"labelgraph.{layer}" for layer in ORDER if layer != "train")])
    code = f"import sys, {modules}; print(*sorted({{name.split('.')[0] for name in sys.modules}} & {set(HEAVY)}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert found == []
