"""The closed table of identities."""

from __future__ import annotations

import pandas as pd

from alliance_meta.consistency import _metrics, _of_heterogeneity, _of_tests
from alliance_meta.consistency._identity import Identity

__all__ = ["IDENTITIES", "identities"]

IDENTITIES: tuple[Identity, ...] = (*_metrics.IDENTITIES, *_of_tests.IDENTITIES, *_of_heterogeneity.IDENTITIES)


def identities() -> pd.DataFrame:
    """The identities that `check` knows: identity, about, needs, unless.

    `unless` says what would excuse numbers that do not fit.

    Examples
    --------
    >>> identities().set_index("identity").loc["i2_and_q", "about"]
    'I² = max(0, (Q − df) / Q)'
    """
    rows = [
        {
            "identity": one.name,
            "about": one.about,
            "needs": " or ".join(", ".join((*one.target, *needs)) for needs in one.needs),
            "unless": one.unless,
        }
        for one in IDENTITIES
    ]
    return pd.DataFrame(rows, columns=["identity", "about", "needs", "unless"])
