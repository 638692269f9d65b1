"""Every estimator of tau2 by its name, for a model that is already made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from alliance_meta.stats._projection import Model
from alliance_meta.stats.tau2._likelihood import highest_maximum
from alliance_meta.stats.tau2._moments import MOMENTS, weighted_moment
from alliance_meta.stats.tau2._paule_mandel import mean_of_q, median_of_q, tau2_where_q_equals
from alliance_meta.stats.tau2._record import Tau2, truncated

__all__ = ["tau2_of"]


def tau2_of(model: Model, method: str, q_weights: npt.ArrayLike | None = None) -> Tau2:
    """Tau2 of each model of a batch.

    Parameters
    ----------
    model : Model
        A batch (B, k).
    method : str
        A name in `ESTIMATORS`, ``"GENQ"`` or ``"EE"`` (tau2 = 0).
    q_weights : array_like, shape (k,) or (B, k), optional
        Weights of the generalised Q, for ``"GENQ"``.

    Returns
    -------
    Tau2
        Of shape (B,).

    Examples
    --------
    >>> model, _ = Model.of([[0.1, 0.3, 0.9]], [[0.02, 0.03, 0.05]], None)
    >>> print(*(tau2_of(model, name).estimate.round(3) for name in ("EE", "DL", "REML")))
    [0.] [0.111] [0.128]
    """
    shape = (len(model.y),)
    if method == "EE":
        return Tau2(np.zeros(shape), np.ones(shape, dtype=bool))
    if method == "GENQ":
        assert q_weights is not None  # noqa: S101 - the public functions ask for them
        return truncated(weighted_moment(model, np.broadcast_to(np.asarray(q_weights), model.y.shape)), model, shape)
    if method in ("REML", "ML"):
        return highest_maximum(model, shape, restricted=method == "REML")
    if method in MOMENTS:
        return truncated(MOMENTS[method](model), model, shape)
    target = median_of_q(model) if method == "PMM" else mean_of_q(model)
    return tau2_where_q_equals(model, target, shape)
