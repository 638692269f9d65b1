"""Formulas as MathML, which browsers draw themselves: the pages need no script and no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

__all__ = ["register", "to_mathml"]

_ALIGNED = re.compile(r"\\(begin|end)\{(align|equation|gather|split|eqnarray)\*?\}")


def to_mathml(latex: str, *, block: bool) -> str:
    """A formula of the LaTeX that docutils knows; environments that number lines become one that does not."""
    plain = _ALIGNED.sub(lambda found: f"\\{found[1]}{{aligned}}", latex)
    return str(latex2mathml.tex2mathml(plain, as_block=block))


def register(app: Sphinx) -> None:
    """Make ``html_math_renderer = "mathml"`` known."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def _inline(writer: Any, node: nodes.math) -> None:
    _draw(writer, node, block=False)


def _block(writer: Any, node: nodes.math_block) -> None:
    _draw(writer, node, block=True)


def _draw(writer: Any, node: nodes.Element, *, block: bool) -> None:
    try:
        drawn = to_mathml(node.astext(), block=block)
    except MathError as error:
        logging.getLogger(__name__).warning("formula %r: %s", node.astext(), error, location=node)
        drawn = f"<code>{writer.encode(node.astext())}</code>"
    writer.body.append(f'<div class="formula">{drawn}</div>' if block else drawn)
    raise nodes.SkipNode
