"""The public names, as the file beside this one lists them."""

import importlib
import inspect
import json
import pkgutil
from pathlib import Path

import pytest

import labelgraph

PUBLIC = json.loads(Path(__file__).with_name("public_api.json").read_text(encoding="utf-8"))


def current():
    packages = ["labelgraph"] + [f"labelgraph.{m.name}" for m in pkgutil.iter_modules(labelgraph.__path__) if m.ispkg]
    modules = {name: importlib.import_module(name) for name in packages}
    return {name: sorted(module.__all__) for name, module in modules.items() if hasattr(module, "__all__")}


def test_the_public_names_are_those_listed():
    """To change them on purpose, change public_api.json too, and the change log."""
    assert current() == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_explained(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for each in PUBLIC[name]:
        value = getattr(module, each)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{name}.{each} has no docstring"


def test_names_that_are_loaded_when_asked_for_are_all_listed():
    assert set(PUBLIC["labelgraph"]) | {each.name for each in pkgutil.iter_modules(labelgraph.__path__)} >= {
        name for name in dir(labelgraph) if not name.startswith("_")
    }
    with pytest.raises(AttributeError, match="module 'labelgraph' has no attribute 'cooccurence_graph'"):
        labelgraph.cooccurence_graph  # noqa: B018


@pytest.mark.parametrize("name", PUBLIC)
def test_a_package_shows_its_names_and_modules_and_no_helpers(name):
    module = importlib.import_module(name)
    modules = {each.name for each in pkgutil.iter_modules(module.__path__) if not each.name.startswith("_")}
    shown = {each for each in dir(module) if not each.startswith("__")}
    assert shown == (set(PUBLIC[name]) | modules) - {"__version__"}
    assert all(inspect.ismodule(getattr(module, each)) for each in modules)  # No export hides its module.
