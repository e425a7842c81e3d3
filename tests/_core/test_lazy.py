"""Names that are imported when they are first used."""

import importlib
import sys

import pytest

from labelgraph._core.lazy import LazyTable, lazy_exports


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, one of which has a name that the package exports."""
    folder = tmp_path / "lazy_sample"
    folder.mkdir()
    (folder / "one.py").write_text("VALUE = object()\n")
    (folder / "two.py").write_text("")
    (folder / "__init__.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "from labelgraph._core.lazy import lazy_exports\n"
        "if TYPE_CHECKING:\n    from lazy_sample.one import VALUE\n"
        "__all__ = ['VALUE']\n__getattr__, __dir__ = lazy_exports(__name__)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("lazy_sample")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_sample"]:
        del sys.modules[name]


def test_a_name_is_imported_when_it_is_used(package):
    assert "lazy_sample.one" not in sys.modules
    value = package.VALUE
    assert value is sys.modules["lazy_sample.one"].VALUE and vars(package)["VALUE"] is value


def test_modules_are_attributes(package):
    assert "lazy_sample.two" not in sys.modules
    assert package.two is sys.modules["lazy_sample.two"]


def test_only_names_and_modules_are_shown(package):
    assert [name for name in dir(package) if not name.startswith("__")] == ["VALUE", "one", "two"]


def test_the_error_on_an_unknown_name_suggests_the_nearest(package):
    with pytest.raises(AttributeError, match=r"'lazy_sample' has no attribute 'VALEU'.*'VALUE'"):
        package.VALEU  # noqa: B018
    assert not hasattr(package, "TYPE_CHECKER") and not hasattr(package, "_private")


def test_a_package_without_typed_imports_exports_only_its_modules():
    load, _ = lazy_exports("labelgraph.cli")
    with pytest.raises(AttributeError, match=r"'labelgraph\.cli' has no attribute 'nothing'"):
        load("nothing")


def test_classes_are_imported_when_they_are_read():
    table = LazyTable({"decimal": "decimal:Decimal", "wrong": "no_such_module:Any"})
    assert len(table) == 2 and not table.is_loaded("decimal")
    assert table["decimal"].__name__ == "Decimal" and table.is_loaded("decimal")
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        table["wrong"]
    with pytest.raises(KeyError):
        table["unknown"]


def test_classes_are_added_copied_and_replaced():
    table = LazyTable({"decimal": "decimal:Decimal"})
    table["own"] = int
    assert dict(table) == {"decimal": table["decimal"], "own": int}
    del table["own"]
    table.update(decimal=float)
    assert dict(table.items()) == {"decimal": float}
