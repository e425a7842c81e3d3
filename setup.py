"""Project addresses, from one variable of the environment when a release is built; all else stands in setup.cfg."""

import os

from setuptools import setup

address = os.environ.get("LABELGRAPH_URL", "").rstrip("/")
links = {"Source": "", "Issues": "/issues", "Changelog": "/blob/main/CHANGELOG.md", "Documentation": "/tree/main/docs"}
setup(project_urls={name: address + path for name, path in links.items()} if address else {})
