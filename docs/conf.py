"""Sphinx settings of the documentation: ``sphinx-build -W --keep-going docs build/docs``."""

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from formulas import write_formula
from gather import GRAPH_PAGE, gather, rewrite_links

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
nb_render_markdown_format = "myst"  # Tables that a notebook prints as Markdown are tables.
html_math_renderer = "mathml"  # In formulas.py.
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
html_extra_path = [f"repository/{GRAPH_PAGE}"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}  # Dark or light, as the browser asks; without it, the console has an error.
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


def _constants(package: str) -> dict[str, str]:
    """Return the public names of a package that are no classes or functions, with what they hold."""
    module = importlib.import_module(package)
    values = {name: getattr(module, name) for name in module.__all__}
    plain = {
        name: value for name, value in values.items() if not inspect.isclass(value) and not inspect.isroutine(value)
    }
    return {name: _content(value) for name, value in plain.items()}


def _content(value: object) -> str:
    if isinstance(value, Mapping):
        return "A table with the keys " + ", ".join(f"``{key}``" for key in value) + "."
    if isinstance(value, tuple | list):
        return "The values " + ", ".join(f"``{each}``" for each in value) + "."
    return "A type: ``" + str(value).replace("collections.abc.", "") + "``."


_packages = [f"labelgraph.{info.name}" for info in pkgutil.iter_modules(labelgraph.__path__) if info.ispkg]
_public = [package for package in _packages if hasattr(importlib.import_module(package), "__all__")]
autosummary_context = {"constants": {package: _constants(package) for package in _public}}


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
    "networkx": "https://networkx.org/documentation/stable/",
    "lightning": "https://lightning.ai/docs/pytorch/stable/",
}
with ThreadPoolExecutor() as _pool:  # Together: each one waits for the network.
    _reached = list(_pool.map(_reachable, _projects.values()))
intersphinx_mapping = {
    name: (address, None) for (name, address), there in zip(_projects.items(), _reached, strict=True) if there
}


# Where other projects document a class that Python names by the module that defines it.
PLACES = {
    "torch.nn.modules.module.Module": "torch.nn.Module",
    "torch.nn.modules.linear.Linear": "torch.nn.Linear",
    "torch.optim.optimizer.Optimizer": "torch.optim.Optimizer",
    "torch.utils.data.dataloader.DataLoader": "torch.utils.data.DataLoader",
    "torch_geometric.data.data.Data": "torch_geometric.data.Data",
    "networkx.classes.digraph.DiGraph": "networkx.DiGraph",
    "scipy.sparse._csr.csr_array": "scipy.sparse.csr_array",
    "Tensor": "torch.Tensor",
    "Data": "torch_geometric.data.Data",
    "nn.Module": "torch.nn.Module",
    "Path": "pathlib.Path",
    "sp.csr_array": "scipy.sparse.csr_array",
}


def _name_as_documented(app: Sphinx, doctree: nodes.document) -> None:
    """Let a type of another project lead to the place where that project documents it."""
    for link in doctree.findall(pending_xref):
        if link.get("refdomain") == "py":
            link["reftarget"] = PLACES.get(link["reftarget"], link["reftarget"])


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
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
    app.connect("source-read", rewrite_links)
    app.connect("doctree-read", _link_names)
    app.connect("doctree-read", _name_as_documented)
    app.connect("missing-reference", _by_last_part)
