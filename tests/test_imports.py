"""Imports: leftwards only, and light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import labelgraph

ORDER = (
    "_core", "data", "encoders", "graph", "nn", "losses", "probability", "methods", "inference", "metrics", "train",
    "search", "report", "cli",
)  # fmt: skip
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


def files_of(layer):
    """The modules of a layer, which is a folder or a single module."""
    return sorted((ROOT / layer).rglob("*.py")) or [ROOT / f"{layer}.py"]


def test_every_folder_and_module_is_a_layer():
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    modules = {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__", "version"}
    assert folders | modules == set(ORDER)


@pytest.mark.parametrize("layer", ORDER)
def test_a_layer_imports_only_those_before_it(layer):
    allowed = ORDER[: ORDER.index(layer) + 1]
    for path in files_of(layer):
        later = sorted(set(imported_layers(path)) - set(allowed))
        assert not later, f"{path.relative_to(ROOT)} imports {', '.join(later)}"


def test_no_two_files_share_a_name():
    names = [path.name for path in ROOT.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]
    names += [path.name for path in (ROOT.parent / "benchmarks").rglob("*.py")]
    repeated = {name for name in names if names.count(name) > 1} - {"__init__.py", "__main__.py"}
    assert repeated == set()


def test_no_two_test_files_share_a_name():
    """Pytest refuses to collect two, because folders of tests are no packages."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert {name for name in names if names.count(name) > 1} == set()


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


@pytest.mark.slow
def test_an_import_is_light():
    """The public names of all layers but training add nothing heavy to what PyG loads, in a process of its own."""
    layers = [layer for layer in ORDER if layer not in ("_core", "train", "cli")]
    code = f"""
import sys, torch_geometric, importlib
before = set(sys.modules)
for name in {layers}:
    layer = importlib.import_module(f"labelgraph.{{name}}")
    [getattr(layer, each) for each in getattr(layer, "__all__", ())]
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}} & {set(HEAVY)}))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == []


def test_importing_packages_and_reading_settings_needs_no_pytorch():
    """So that the command answers at once."""
    packages = ", ".join(f"labelgraph.{layer}" for layer in ORDER if (ROOT / layer).is_dir())
    code = f"""
import sys, {packages}
from labelgraph.methods.registry import METHODS, method_facts
from labelgraph.train import published_settings
print(len([published_settings(method_facts(name)) for name in METHODS]))
print(*sorted({{name.split(".")[0] for name in sys.modules}} & {{*{HEAVY}, "torch", "numpy", "scipy", "networkx"}}))
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["6"]
