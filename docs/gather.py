"""Notebooks, reports and other pages of the repository, copied to ``docs/repository`` for a build."""

import contextlib
import io
import os
import re
import shutil
from pathlib import Path

PAGES = ["CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md"]
PATTERNS = [
    "notebooks/*.ipynb",
    "labelgraph/data/openclipart/*.md",
    "benchmarks/results/*.json",
    "benchmarks/results/*.png",
    "benchmarks/results/**/report.md",
    "benchmarks/results/**/plots/*.png",
    "benchmarks/configs/**/*.yaml",
    "benchmarks/tuning/space.yaml",
]
REPORTS = "benchmarks/results"
GRAPH_PAGE = "label-graph.html"
COMMANDS = ["data make", "data check", "train", "evaluate", "index", "search", "app", "label add", "push", "graph"]


def gather(docs: Path) -> None:
    """Copy the pages to ``docs/repository``, in the folders that they have in the repository.

    Files that have not changed keep their time, so that a second build does not read them again.

    Args:
        docs: The folder of the documentation.
    """
    root, copies = docs.parent, docs / "repository"
    sources = [root / page for page in PAGES] + [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]
    written = {copies / source.relative_to(root) for source in sources}
    for source in sources:
        _copy(source, copies / source.relative_to(root))
    written |= {_write(copies / REPORTS / "index.md", _reports(root)), _write(copies / "commands.md", _commands())}
    written.add(_graph_page(copies / GRAPH_PAGE))
    for path in copies.rglob("*"):
        if path.is_file() and path not in written:
            path.unlink()


def _copy(source: Path, target: Path) -> None:
    if not target.exists() or target.stat().st_mtime != source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _write(path: Path, text: str) -> Path:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return path


def _reports(root: Path) -> str:
    """Return a page that lists all reports."""
    reports = sorted(
        path.parent.relative_to(root / REPORTS).as_posix() for path in root.glob(f"{REPORTS}/**/report.md")
    )
    entries = "\n".join(f"{report} <{report}/report>" for report in reports)
    return f"# Reports of all runs\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"


def _commands() -> str:
    """Return a page with the help of every command."""
    from labelgraph.cli.main import main

    os.environ["COLUMNS"] = "92"
    parts = ["# Commands", "The help of every command, as `--help` prints it."]
    for command in COMMANDS:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            main([*command.split(), "--help"])
        parts.append(f"## labelgraph {command}\n\n```text\n{printed.getvalue().rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def _graph_page(path: Path) -> Path:
    """Write the page of the bundled set's label graph, which the gallery opens."""
    from labelgraph.cli.main import main

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        main(["graph", "openclipart", "--out", str(path)])
    return path


def rewrite_links(app: object, docname: str, source: list[str]) -> None:
    """Make the links between pages, which are right in the repository, right in the documentation.

    ``../notebooks/x.ipynb`` in a page of ``docs`` becomes ``repository/notebooks/x.ipynb``. In a copied page,
    ``docs/x.md`` becomes a link from the copy to the page. A link to the folder of results becomes one to their list.
    """
    text = source[0]
    if docname.startswith("repository/"):
        up = "../" * docname.count("/")
        text = re.sub(r"\]\((?:\.\./)*docs/", f"]({up}", text)
    else:
        text = text.replace("](../", "](repository/")
        text = text.replace(f"](repository/{REPORTS})", f"](repository/{REPORTS}/index.md)")
    source[0] = text
