"""`gosh()`: the model in every subset of the studies, and which study tells the subsets apart."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from alliance_meta import _checks
from alliance_meta._parallel import available_workers, in_pieces
from alliance_meta.bias._conditions import dependent
from alliance_meta.effects import EffectSizes, given_effects
from alliance_meta.errors import InputError
from alliance_meta.results import TAU2_METHODS, Tau2Method
from alliance_meta.results.sensitivity._gosh import Gosh
from alliance_meta.stats import gosh as kernel
from alliance_meta.stats._arrays import FloatArray
from alliance_meta.stats.subset_contrasts import Peaks, contrast, density_peaks

__all__ = ["gosh"]

_ALL_UP_TO = 22
_SAMPLE = 1_000_000
_MOST = 1 << 25
_QUICK = ("DL", "EE")
_QUICK_AT_ONCE = 8 * kernel.BLOCK
_NUMBERS_AT_ONCE = 100_000
_FEWEST_FOR_PEAKS = 100


def gosh(
    effects: EffectSizes,
    *,
    tau2_method: Tau2Method | str = "REML",
    subsets: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    chunk_size: int | None = None,
) -> Gosh:
    """Pool every subset of the studies: the graphical display of study heterogeneity.

    Where the studies share one effect, or true effects that scatter about one mean, the estimates of the subsets form
    one cluster; an outlying study or two kinds of studies can split them.

    Parameters
    ----------
    effects : EffectSizes
        Three or more effects, taken as independent.
    tau2_method : {"REML", "ML", "DL", "DL2", "HE", "CA2", "HS", "HSk", "SJ", "PM", "PMM", "EB", "EE"}
        Estimator of the between-study variance; ``"EE"``, equal effects, is Olkin's original. ``"DL"`` and ``"EE"``
        take a hundredth of the time of the others.
    subsets : int, optional
        How many subsets, at most 33,554,432: random ones if there are more than that, else all. Without it all with up
        to 22 effects, and a million of more.
    seed : int
        Of the random subsets.
    workers : int, optional
        Threads; all processors without it, but one for all subsets by ``"DL"`` or ``"EE"``, whose pieces are too short
        to share. The numbers do not depend on it.
    chunk_size : int, optional
        Subsets computed together; memory grows with it, the numbers do not depend on it.

    Returns
    -------
    Gosh

    Raises
    ------
    UnknownNameError
        For an unknown method.
    InputError
        If `effects` is not an `EffectSizes` or has less than three, or a number of subsets, workers or a chunk is not a
        whole number above 0.

    Notes
    -----
    The subsets are those of one study or more, 2^k - 1 of them, as in metafor. A random one takes each study with
    probability 1/2, again if it is empty, so that all subsets have the same chance, and the same one may come twice.

    References
    ----------
    Olkin, I., Dahabreh, I. J., & Trikalinos, T. A. (2012). Research Synthesis Methods, 3, 214-223.

    Examples
    --------
    >>> import alliance_meta as am
    >>> effects = am.effect_sizes(am.datasets.load("kolden2011"), measure="ZCOR")
    >>> found = gosh(effects, tau2_method="DL")
    >>> found.estimate.size
    65535
    >>> found.to_frame().nlargest(1, "estimate_share")[["study", "estimate_share"]].round(2).values.tolist()
    [['Hansen et al., 1968', 0.38]]
    """
    given_effects(effects, "gosh")
    method = _checks.known_name("tau2_method", tau2_method, tuple(name for name in TAU2_METHODS if name != "GENQ"))
    k = effects.k
    if k < 3:
        raise InputError(f"gosh() needs three or more effects, whose subsets can differ; there are {k}")
    every, count = _how_many(k, subsets)
    for name, number, least in (("seed", seed, 0), ("workers", workers, 1), ("chunk_size", chunk_size, 1)):
        if number is not None:
            _whole(name, number, least)
    packed = kernel.all_subsets(k) if every else kernel.random_subsets(k, count, seed)
    if every and method in _QUICK:
        numbers, sizes = _blocks(effects, method, chunk_size, workers or 1)
    else:
        numbers, sizes = _rows(effects, method, packed, chunk_size, workers or available_workers())
    return _result(effects, method, packed, numbers, sizes, every, seed)


def _whole(name: str, number: object, least: int, most: int | None = None) -> None:
    if not isinstance(number, int | np.integer) or isinstance(number, bool) or not least <= number <= (most or number):
        limits = f"from {least} to {most:,}" if most else f"of {least} or more"
        raise InputError(f"{name} must be a whole number {limits}, not {number!r}")


def _how_many(k: int, subsets: int | None) -> tuple[bool, int]:
    """Whether all subsets are fitted, and how many."""
    possible = 2**k - 1
    if subsets is None:
        return (True, possible) if k <= _ALL_UP_TO else (False, _SAMPLE)
    _whole("subsets", subsets, 1, _MOST)
    return (True, possible) if subsets >= possible else (False, subsets)


def _blocks(
    effects: EffectSizes, method: str, chunk_size: int | None, threads: int
) -> tuple[FloatArray, npt.NDArray[np.uint16]]:
    """All subsets by the quick methods: estimate, tau2, I2, Q of each, and its number of effects."""
    tables = kernel.subset_tables(effects.effect, effects.variance, every=True)
    block, total = tables.low.k.size, 1 << effects.k
    numbers, sizes = np.empty((4, total)), np.empty(total, dtype=np.uint16)

    def work(piece: slice) -> None:
        for first in range(piece.start, piece.stop, block):
            fits = kernel.block_fits(tables, first // block, method)
            for row, values in zip(numbers, fits, strict=False):
                row[first : first + block] = values
            sizes[first : first + block] = fits.k

    at_once = max(1, (chunk_size or _QUICK_AT_ONCE) // block) * block
    in_pieces(work, total, at_once, workers=threads, unit="subset")
    return numbers[:, 1:], sizes[1:]


def _rows(
    effects: EffectSizes, method: str, packed: npt.NDArray[np.uint8], chunk_size: int | None, threads: int
) -> tuple[FloatArray, npt.NDArray[np.uint16]]:
    """Any subsets: the same numbers."""
    tables = kernel.subset_tables(effects.effect, effects.variance, every=False)
    numbers, sizes = np.empty((4, len(packed))), np.empty(len(packed), dtype=np.uint16)

    def work(piece: slice) -> None:
        fits = kernel.packed_fits(tables, packed[piece], method)
        numbers[:, piece], sizes[piece] = np.stack(fits[:4]), fits.k

    at_once = chunk_size or (kernel.BLOCK if method in _QUICK else max(1, _NUMBERS_AT_ONCE // effects.k))
    in_pieces(work, len(packed), at_once, workers=threads, unit="subset")
    return numbers, sizes


def _result(
    effects: EffectSizes,
    method: Tau2Method,
    packed: npt.NDArray[np.uint8],
    numbers: FloatArray,
    sizes: npt.NDArray[np.uint16],
    every: bool,
    seed: int,
) -> Gosh:
    estimate, tau2, i2, q_statistic = numbers
    used = (sizes > 1) & np.isfinite(estimate) & np.isfinite(i2)
    told = None if every else packed
    by_estimate, by_i2 = (contrast(values, told, effects.k, used) for values in (estimate, i2))
    enough = np.count_nonzero(used) >= _FEWEST_FOR_PEAKS
    peaks = density_peaks(estimate[used]) if enough else Peaks(np.empty(0), np.empty(0))
    for array in (estimate, tau2, i2, q_statistic, sizes, packed, *peaks, *by_estimate, *by_i2):
        array.setflags(write=False)
    return Gosh(
        estimate=estimate,
        tau2=tau2,
        i2=i2,
        q_statistic=q_statistic,
        k=sizes,
        packed=packed,
        labels=_labels(effects),
        exhaustive=every,
        tau2_method=method,
        seed=seed,
        peak_estimates=peaks.at,
        peak_shares=peaks.share,
        _by_estimate=by_estimate,
        _by_i2=by_i2,
        effects=effects,
        cautions=dependent(effects),
        notes=_notes(estimate, method),
    )


def _labels(effects: EffectSizes) -> tuple[str, ...]:
    """The effects' labels, numbered where they repeat."""
    counted, seen, labels = Counter(effects.labels), Counter[str](), []
    for label in effects.labels:
        seen[label] += 1
        labels.append(f"{label} [{seen[label]}]" if counted[label] > 1 else label)
    return tuple(labels)


def _notes(estimate: FloatArray, method: str) -> tuple[str, ...]:
    lost = int(np.count_nonzero(np.isnan(estimate)))
    return (f"In {lost:,} subsets {method} did not reach its solution; they are NaN and left out.",) if lost else ()
