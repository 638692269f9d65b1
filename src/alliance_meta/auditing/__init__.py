"""The audit: what a table of studies gives away before anything is computed from it."""

from alliance_meta.auditing._record import Audit
from alliance_meta.auditing._run import audit

__all__ = ["Audit", "audit"]
