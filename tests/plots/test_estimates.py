"""The plot of any estimates with their intervals."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from alliance_meta.plots._estimates import estimates

FRAME = pd.DataFrame(
    {"term": ["year", "rater[$a_b$]"], "estimate": [0.012, -0.3], "ci_low": [-0.001, -0.5], "ci_high": [0.025, np.nan]}
)


def test_each_row_has_its_label_number_and_interval() -> None:
    _, ax = plt.subplots()
    assert estimates(FRAME, "Coefficient (Fisher's z)", ax=ax, lines=["A note"]) is ax
    texts = [text.get_text() for text in ax.texts]
    assert {"year", "rater[$a_b$]", "0.012 [−0.001, 0.025]"} <= set(texts)
    assert "A note" in texts
    points = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(np.asarray(points), [[0.012, 0.0], [-0.3, 1.0]])
    low, high = ax.get_xlim()
    assert low < -0.5
    assert high > 0.025
    plt.close("all")


@pytest.mark.parametrize(("size", "digits"), [(1.0, 3), (0.002, 4), (1e-6, 7)])
def test_small_coefficients_get_more_decimals(size: float, digits: int) -> None:
    ax = estimates(pd.DataFrame({"term": ["x"], "estimate": [size], "ci_low": [size / 2], "ci_high": [size]}), "b")
    assert any(text.get_text().startswith(f"{size:.{digits}f} [") for text in ax.texts)
    plt.close("all")
