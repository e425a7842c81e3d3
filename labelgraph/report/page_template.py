"""Filling of the HTML templates in the folder ``page``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources

FOLDER = "page"


def fill_template(template: str, files: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """Replace each ``{{name}}`` of a template by a file of the folder or by a text; neither is searched for names.

    Args:
        template: File of the template.
        files: Files by name.
        texts: Texts by name, safe at their place in the page.
    """
    folder = resources.files("labelgraph.report") / FOLDER
    parts = {name: (folder / file).read_text(encoding="utf-8") for name, file in files.items()} | dict(texts)
    page = (folder / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)
