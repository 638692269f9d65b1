"""Work cut into pieces: on several threads, with a progress bar, stopped cleanly, the same for any number of them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["available_workers", "in_pieces", "progress_bar"]

_SECONDS_BEFORE_A_BAR = 2.0


def available_workers() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def progress_bar(total: int, unit: str) -> tqdm[NoReturn]:
    """A bar, in a notebook or a terminal, that shows only if the work takes more than two seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # without ipywidgets a notebook gets a bar of text, of which tqdm warns at import
        from tqdm.auto import tqdm as chosen
    return chosen(total=total, unit=unit, delay=_SECONDS_BEFORE_A_BAR, leave=False)


def in_pieces(work: Callable[[slice], None], total: int, size: int, *, workers: int, unit: str) -> None:
    """Call ``work(slice)`` for consecutive slices of at most `size` out of `total`.

    Threads are enough, since numpy lets go of the interpreter while it computes. A bar appears after two seconds;
    an error or an interrupt in any piece drops those not begun and is raised.

    Parameters
    ----------
    work : callable
        Writes its piece of the result where no other piece does.
    total, size : int
    workers : int
    unit : str
        What is counted, for the bar.
    """
    pieces = [slice(first, min(first + size, total)) for first in range(0, total, size)]
    with progress_bar(total, unit) as bar:
        if workers == 1 or len(pieces) == 1:
            for piece in pieces:
                work(piece)
                bar.update(piece.stop - piece.start)
            return
        with ThreadPoolExecutor(workers) as threads:
            try:
                for piece, _ in zip(pieces, threads.map(work, pieces), strict=True):
                    bar.update(piece.stop - piece.start)
            except BaseException:
                threads.shutdown(cancel_futures=True)
                raise
