"""Refits cut into blocks, on one thread or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from alliance_meta.errors import InputError, UnknownNameError
from alliance_meta.stats._arrays import FloatArray, batch
from alliance_meta.stats.tau2 import ESTIMATORS, Tau2

__all__ = ["BLOCK", "Progress", "estimator_named", "in_blocks", "studies"]

BLOCK = 1000
"""Replicates that share a stream of random numbers and a call of the kernels; another number gives other results."""
Progress = Callable[[int], object]
"""Called, in the calling thread, with the number of replicates just finished."""
Part = TypeVar("Part")


def in_blocks(
    work: Callable[[int, slice], Part], total: int, workers: int, progress: Progress | None, each: int = 1
) -> list[Part]:
    """``work(number, slice)`` of each block, in order, on some threads; an interrupt drops the blocks not begun."""
    blocks = [slice(first, min(first + BLOCK, total)) for first in range(0, total, BLOCK)]
    if workers == 1 or len(blocks) < 2:
        return _collected(map(work, range(len(blocks)), blocks), blocks, progress, each)
    threads = ThreadPoolExecutor(workers)
    try:
        return _collected(threads.map(work, range(len(blocks)), blocks), blocks, progress, each)
    finally:
        threads.shutdown(cancel_futures=True)


def _collected(done: Iterator[Part], blocks: list[slice], progress: Progress | None, each: int) -> list[Part]:
    parts = []
    for block, part in zip(blocks, done, strict=True):
        if progress is not None:
            progress(each * (block.stop - block.start))
        parts.append(part)
    return parts


def studies(
    effect: npt.ArrayLike, variance: npt.ArrayLike, include: npt.ArrayLike | None
) -> tuple[FloatArray, FloatArray]:
    """Effects and variances of the one set, (k,), that resampling takes, without those left out."""
    y, v, used = batch(effect, variance, include)
    if y.ndim != 1:
        raise InputError(f"resampling takes one set of effects, of shape (k,); got shape {y.shape}")
    chosen = np.broadcast_to(used, y.shape) > 0.0
    if not chosen.any():
        return np.full(1, np.nan), np.full(1, np.nan)  # whose mean is as unknown
    return y[chosen], v[chosen]


def estimator_named(tau2_method: str) -> Callable[..., Tau2]:
    """The estimator of that name, or an `UnknownNameError`."""
    if tau2_method not in ESTIMATORS:
        raise UnknownNameError(f"unknown tau2_method {tau2_method!r}. Known: {', '.join(ESTIMATORS)}.")
    return ESTIMATORS[tau2_method]
