"""Reports: an analysis as one file, and the page of all findings; each self-contained."""

from alliance_meta.reports._page import claim_page, render_report, write_report
from alliance_meta.reports._report import report

__all__ = ["claim_page", "render_report", "report", "write_report"]
