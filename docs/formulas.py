"""Formulas as MathML, which browsers draw themselves: the site then needs no script and no network for them."""

import re

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.logging import getLogger
from sphinx.writers.html5 import HTML5Translator

logger = getLogger(__name__)

# LaTeX that docutils does not know, or sets in another way, and what means the same.
REWRITES = {
    r"\\(big|Big|bigg|Bigg)(?=[(\[])": r"\\\1l",
    r"\\(big|Big|bigg|Bigg)(?=[)\]])": r"\\\1r",
    r"\\dots\b": r"\\ldots",
    r"(\\(?:hat|bar|tilde)\{\w\})(?=[_^])": r"{\1}",
}


def write_formula(writer: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula; one that docutils cannot read is a warning, and stays LaTeX."""
    block = isinstance(node, nodes.math_block)
    latex = node.astext()
    for known, meant in REWRITES.items():
        latex = re.sub(known, meant, latex)
    try:
        formula = tex2mathml(latex, as_block=block)
    except MathError as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        formula = writer.encode(node.astext())
    formula = formula.replace("<mo>‖", '<mo stretchy="false">‖')  # Otherwise the first bar of a norm grows.
    writer.body.append(f'<div class="formula">{formula}</div>' if block else formula)
    raise nodes.SkipNode
