"""A document as one self-contained HTML page."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import jinja2

from alliance_meta.reports._content import Code, Document, Paragraph, Table, runs
from alliance_meta.reports._pictures import Picture, clean

__all__ = ["environment", "to_html"]


@cache
def environment() -> jinja2.Environment:
    """The templates; everything that goes into them is escaped."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("alliance_meta.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["clean"] = clean
    made.filters["runs"] = runs
    made.tests["paragraph"] = lambda block: isinstance(block, Paragraph)
    made.tests["table"] = lambda block: isinstance(block, Table)
    made.tests["picture"] = lambda block: isinstance(block, Picture)
    made.tests["code"] = lambda block: isinstance(block, Code)
    return made


def to_html(document: Document) -> str:
    """The page as text: no scripts, nothing loaded from elsewhere."""
    return environment().get_template("report.html").render(document=document, version=version("alliance-meta"))
