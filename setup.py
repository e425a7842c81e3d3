"""Project addresses, from one variable of the environment when a release is built; all else stands in setup.cfg."""

import os
import re
from pathlib import Path

from setuptools import setup


def with_addresses(readme: str, address: str) -> str:
    """Return the README with absolute links, because a package index has no other files of the repository."""
    readme = re.sub(r"(!\[[^]]*\]\()(?!https?://|#)", rf"\g<1>{address}/raw/main/", readme)
    return re.sub(r"((?<!!)\[[^]]*\]\()(?!https?://|#)", rf"\g<1>{address}/blob/main/", readme)


address = os.environ.get("LABELGRAPH_URL", "").rstrip("/")
links = {"Source": "", "Issues": "/issues", "Changelog": "/blob/main/CHANGELOG.md", "Documentation": "/tree/main/docs"}
given = {}
if address:
    readme = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    given = {"project_urls": {name: address + path for name, path in links.items()}}
    given["long_description"] = with_addresses(readme, address)
setup(**given)
