"""What a meta-analysis can show before it is done."""

from __future__ import annotations

from alliance_meta.planning._power import new_studies_needed, power, studies_needed

__all__ = ["new_studies_needed", "power", "studies_needed"]
