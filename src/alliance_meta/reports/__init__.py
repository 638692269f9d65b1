"""Whole HTML pages, each one self-contained file."""

from alliance_meta.reports._page import claim_page, render_report, write_report

__all__ = ["claim_page", "render_report", "write_report"]
