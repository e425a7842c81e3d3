"""Sphinx settings of the documentation: ``sphinx-build -W --keep-going docs build/docs``."""

import re
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from gather import gather, rewrite_links

import labelgraph

project = "labelgraph"
author = "The labelgraph developers"
copyright = author
version = release = labelgraph.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_templates", "images"]
templates_path = ["_templates"]

# Pages: Markdown, with the outputs that the notebooks were committed with.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
nb_execution_mode = "off"
mathjax_path = "https://cdn.jsdelivr.net/npm/mathjax@3/es5/tex-mml-chtml.js"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# API: every name of `__all__`, described by its docstring.
default_role = "py:obj"
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
autodoc_default_options = {"exclude-members": "training"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Shapes"]

OBJECTS = {"class", "function", "exception", "data"}  # What a name without a dot may lead to.

html_theme = "pydata_sphinx_theme"
html_title = "labelgraph"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "logo": {"text": "labelgraph"},
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version", "theme-version"],
}
html_sidebars = {page: [] for page in ("index", "install", "start", "results")}


def _reachable(address: str) -> bool:
    try:
        with urlopen(f"{address}objects.inv", timeout=5):
            return True
    except (URLError, OSError):
        return False


# Links to other projects need their inventories from the network. Without a network, these names are plain text.
_projects = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "torch": "https://docs.pytorch.org/docs/stable/",
    "torch_geometric": "https://pytorch-geometric.readthedocs.io/en/latest/",
    "lightning": "https://lightning.ai/docs/pytorch/stable/",
}
intersphinx_mapping = {name: (address, None) for name, address in _projects.items() if _reachable(address)}


def _link_names(app: Sphinx, doctree: nodes.document) -> None:
    """Let `Name` on a page of this folder lead to the API reference, as it does in a docstring."""
    if not app.env.docname.startswith(("api", "repository")):
        for literal in list(doctree.findall(nodes.literal)):
            name = literal.astext().removesuffix("()")
            if re.fullmatch(r"[A-Za-z_][\w.]*", name) and not isinstance(literal.parent, nodes.reference | nodes.title):
                attributes = {"refdomain": "py", "reftype": "obj", "reftarget": name, "refdoc": app.env.docname}
                link = pending_xref("", refexplicit=True, refwarn=False, **attributes)
                literal.replace_self(link)
                link += literal


def _by_last_part(app: Sphinx, env: object, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """Resolve `Name` to the one public function, class or table with this name, in any part of the package."""
    target = node.get("reftarget", "").strip("~.")
    if node.get("refdomain") != "py" or not target:
        return None
    domain = app.env.domains.python_domain
    found = domain.find_obj(app.env, "", "", target, None, 1)
    if "." not in target:
        found = [(name, entry) for name, entry in found if entry.objtype in OBJECTS]
    names = {entry.node_id: name for name, entry in found}
    if len(names) != 1:
        return None
    (name,) = names.values()
    return domain.resolve_xref(app.env, node["refdoc"], app.builder, "obj", name, node, content)


def setup(app: Sphinx) -> None:
    """Copy the pages of the repository that are not in this folder, and connect the links between them."""
    gather(Path(__file__).parent)
    app.connect("source-read", rewrite_links)
    app.connect("doctree-read", _link_names)
    app.connect("missing-reference", _by_last_part)
