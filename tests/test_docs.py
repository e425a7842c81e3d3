"""The code of the documentation runs as printed, page by page; the method that a page adds runs by the command."""

import re
import shlex
from pathlib import Path

import pytest

import labelgraph
from benchmarks import run as command
from labelgraph.cli.main import main
from labelgraph.data import save_npz
from labelgraph.methods import METHODS, load_method

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md") if "```python" in page.read_text("utf-8"))
OWN = {"add-a-method.md", "methods.md", "searching.md", "start.md"}  # These pages have tests of their own below.


def blocks(page, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text("utf-8"), flags=re.DOTALL)


def quick(code):
    """One or two epochs show as much as five, and the tests stay quick."""
    return code.replace("epochs=5", "epochs=2").replace('"epochs": 5', '"epochs": 2').replace("range(5)", "range(1)")


def run_page(page):
    """Run the Python of a page as one script, and return its names."""
    names = {}
    for block in blocks(page):
        exec(compile(quick(block), page, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Pages write into a folder of their own, and methods that a page adds are gone afterwards."""
    monkeypatch.chdir(tmp_path)
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(set(PAGES) - OWN))
def test_the_code_of_a_page_runs(page, capsys):
    run_page(page)


@pytest.mark.slow
def test_a_method_is_trained_saved_and_evaluated(capsys):
    run_page("methods.md")
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0.4


@pytest.mark.slow
def test_a_searcher_finds_pictures():
    assert [len(row) for row in run_page("searching.md")["results"].ids] == [5, 5, 5]


@pytest.mark.slow
def test_methods_are_added(tmp_path, capsys, make_data):
    run_page("add-a-method.md")
    assert {"sharp", "two-towers"} <= set(METHODS)
    save_npz(make_data(size=80), tmp_path / "small.npz")
    small = ["model.hidden_channels=8", "model.sharpness=5", "eval.baselines=[random]"]
    arguments = ["--dataset", "small.npz", "--out", "own", "--seeds", "0", "--epochs", "2", "--set", *small]
    assert command.main(["--method", "sharp", *arguments]) == 0
    assert "| sharp" in capsys.readouterr().out
    assert command.main(["--method", "sharp", "--list-settings"]) == 0
    assert "model.sharpness = 10.0" in capsys.readouterr().out
    assert load_method(tmp_path / "own" / "seed-0" / "model").config.sharpness == 5


@pytest.mark.slow
def test_the_start_leads_to_a_search(tmp_path, capsys):
    """The pictures are fewer than on the page, and the trainings short."""
    pictures, search = blocks("start.md")
    exec(compile(pictures.replace("len(data), 12", "len(data), 24"), "start.md", "exec"), {})
    lines = [line for block in blocks("start.md", "bash") for line in block.splitlines()]
    for line in lines:
        short = ["--epochs", "1", "--set", "model.hidden_channels=8"] if " train " in line else []
        assert main(shlex.split(line)[1:] + short) == 0, line
    exec(compile(search, "start.md", "exec"), {})
    assert len(re.findall(r"^\d\.\d{3} \d+\.png$", capsys.readouterr().out, flags=re.MULTILINE)) == 5
    assert {"results.png", "found.png", "my-index"} <= {path.name for path in tmp_path.iterdir()}


def test_the_api_page_lists_the_names_of_the_package_itself():
    listed = set(re.findall(r"`~labelgraph\.\w+\.(\w+)`", (DOCS / "api.md").read_text("utf-8")))
    assert listed == set(labelgraph.__all__) - {"__version__"}


def test_no_page_takes_the_name_of_a_page_that_sphinx_writes():
    assert not {"search", "genindex", "py-modindex"} & {page.stem for page in DOCS.glob("*.md")}


def anchors(page):
    """The anchors of a page's headings, as GitHub and MyST derive them."""
    headings = re.findall(r"^#+ (.+)$", (DOCS / page).read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_links_lead_to_headings(page):
    for target, anchor in re.findall(r"\]\(([\w-]*\.md)?#([^)]+)\)", (DOCS / page).read_text("utf-8")):
        assert anchor in anchors(target or page), f"{page}: {target}#{anchor}"
