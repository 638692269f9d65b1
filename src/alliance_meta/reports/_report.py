"""`report()`: an analysis as one file that can be read, printed and handed on."""

from __future__ import annotations

import os
from pathlib import Path

from alliance_meta.datasets import Dataset
from alliance_meta.dependence import multilevel
from alliance_meta.effects import EffectSizes
from alliance_meta.errors import InputError, OutputError
from alliance_meta.pooling import pool
from alliance_meta.reports._assemble import assembled
from alliance_meta.reports._html import to_html
from alliance_meta.reports._kinds import Fit
from alliance_meta.reports._word import need_docx, to_docx
from alliance_meta.robustness import robust

__all__ = ["report"]


def report(
    fit_or_effects: Fit | EffectSizes,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    author: str | None = None,
    data: Dataset | None = None,
    replace: bool = False,
) -> Path:
    """Write a report of an analysis: method, results, figures, sensitivity, studies, R code and session.

    Parameters
    ----------
    fit_or_effects : PooledEffect, MetaRegression, Subgroups, Multilevel, Multivariate, RobustFit, LocationScale, \
PsychometricResult or EffectSizes
        Effects are pooled by the defaults of `pool()`; where some share a study, by a three-level model with
        cluster-robust standard errors (CR2), and the report says so.
    path : path
        Ends in ``.html`` for a page in one file, without scripts and with nothing loaded from elsewhere; in ``.docx``
        for Word, which needs the extra ``alliance-meta[word]``.
    title, author : str, optional
        By default the title names the model.
    data : Dataset, optional
        The data set the effects come from, for a section on its source, licence and deviations.
    replace : bool
        Overwrite a file that is there.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    InputError
        For another kind of result, or `data` that is no data set.
    OutputError
        For another ending, a file that is there already or cannot be written, or Word without python-docx.

    Notes
    -----
    Two reports of the same analysis differ in their date only. The hash in the session table is that which
    `snapshot.save` writes.

    Examples
    --------
    >>> import tempfile
    >>> import alliance_meta as am
    >>> fit = am.pool(am.effect_sizes(am.datasets.load("kolden2011")))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = report(fit, f"{folder}/congruence.html", author="A. Reader")
    ...     "A random-effects meta-analysis" in written.read_text(encoding="utf-8")
    True
    """
    target = _claimed(Path(path), replace=replace)
    if data is not None and not isinstance(data, Dataset):
        raise InputError(f"data must be a data set, as datasets.load() gives it, not {type(data).__name__}")
    fit, chosen = _fitted(fit_or_effects)
    document = assembled(fit, title=title, author=author, data=data, chosen=chosen)
    written = to_docx(document) if target.suffix.lower() == ".docx" else to_html(document).encode("utf-8", "replace")
    try:
        target.write_bytes(written)
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}. Choose another place.") from error
    return target


def _claimed(path: Path, *, replace: bool) -> Path:
    """Check that the report may be written there, before anything long is computed."""
    if path.suffix.lower() not in (".html", ".docx"):
        raise OutputError(f"{path} ends neither in .html nor in .docx, the two kinds of report")
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path} cannot be written: {'it is a folder' if path.is_dir() else 'its folder is missing'}")
    if path.exists() and not replace:
        raise OutputError(f"{path} is there already and is left alone; choose another name, or replace=True")
    if path.suffix.lower() == ".docx":
        need_docx()
    return path


def _fitted(given: Fit | EffectSizes) -> tuple[Fit, str]:
    """The fit to report, and why it is this one where only effects were given."""
    if isinstance(given, Fit):
        return given, ""
    if not isinstance(given, EffectSizes):
        raise InputError(
            "report() takes the result of pool(), meta_regression(), subgroups(), multilevel(), multivariate(), "
            f"robust(), location_scale() or psychometric(), or effects of effect_sizes(), not {type(given).__name__}"
        )
    several = given.shared_studies()
    if not several:
        return pool(given), "No model was asked for: the effects are pooled by the defaults of the program."
    studies = len({str(study) for study in given.table["study"]})
    why = f"{sum(several.values())} of the {given.k} effects share a study with others"
    fit = multilevel(given)
    if studies < 2:
        return fit, f"No model was asked for. {why}, so they are pooled by a three-level model."
    return robust(fit), (
        f"No model was asked for. {why}, so they are pooled by a three-level model (effects in studies), and tested "
        "with cluster-robust standard errors (CR2)."
    )
