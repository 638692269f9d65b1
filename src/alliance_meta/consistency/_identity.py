"""What an identity between printed numbers is, and how it is held against them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from alliance_meta.consistency._record import IdentityCheck
from alliance_meta.consistency._rounded import Range, Rounded
from alliance_meta.consistency._vocabulary import Printed

__all__ = ["Identity", "Reading", "examine", "impossible", "named"]

_OTHER_LEVELS = (0.90, 0.99)
_SIGNED = ("estimate", "r", "d")


class Reading(NamedTuple):
    """One way to read an identity.

    Attributes
    ----------
    name : str
        What sets it apart from the other readings; empty where there is but one.
    held : Range
        What the printed number may have been before rounding.
    allowed : Range
        What the other numbers allow it to have been.
    """

    name: str
    held: Range
    allowed: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One relation that printed numbers must obey.

    Attributes
    ----------
    name, about : str
    target : tuple of str
        What is held against the rest.
    needs : tuple of tuple of str
        Sets of other quantities, any one of which is enough; the first that is printed is used.
    read : callable
        The readings; none where these numbers leave none.
    helps : tuple of str
        Quantities that are used too where they are printed.
    unless : str
        What would excuse numbers that do not fit.
    compared : str
        What is compared, where that is not the target itself.
    no_reading : str
        Why there may be no reading.
    """

    name: str
    about: str
    target: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    read: Callable[[Printed], Iterable[Reading]] = field(repr=False)
    helps: tuple[str, ...] = ()
    unless: str = ""
    compared: str = ""
    no_reading: str = "the printed numbers leave nothing to compare"

    def lacks(self, printed: Printed) -> str:
        """Which numbers are not printed; empty if all are."""
        own = [name for name in self.target if not printed.has(name)]
        rest = min(([name for name in needs if not printed.has(name)] for needs in self.needs), key=len)
        absent = [*own, *rest]
        return f"not printed: {', '.join(absent)}" if absent else ""

    def others(self, printed: Printed) -> tuple[str, ...]:
        """The quantities that the target is held against."""
        used = next(needs for needs in self.needs if printed.has(*needs))
        return (*used, *(name for name in self.helps if printed.has(name) and name not in (*used, *self.target)))


def named(*parts: str) -> str:
    """The name of a reading that is one of several in more than one way."""
    return ", ".join(filter(None, parts))


def examine(identity: Identity, printed: Printed) -> IdentityCheck | str:
    """Hold an identity against what is printed, or say why that cannot be done."""
    lacks = identity.lacks(printed)
    if lacks:
        return lacks
    readings = tuple(identity.read(printed))
    if not readings:
        return identity.no_reading
    fitting = [one for one in readings if not one.held.gap(one.allowed)]
    shown = fitting[0] if fitting else min(readings, key=lambda one: one.held.gap(one.allowed))
    others = identity.others(printed)
    usual = bool(fitting) and not fitting[0].name  # the reading that needs no name
    names = [] if usual else [one.name for one in fitting]
    return IdentityCheck(
        identity=identity.name,
        about=identity.about,
        quantities=(*identity.target, *others),
        verdict="consistent" if fitting else "inconsistent",
        reading=tuple(dict.fromkeys(names)),
        readings=len(readings),
        printed=printed.words(*identity.target),
        against=printed.words(*others),
        printed_low=shown.held.low,
        printed_high=shown.held.high,
        allowed_low=shown.allowed.low,
        allowed_high=shown.allowed.high,
        compared=identity.compared,
        nearest="" if fitting else shown.name,
        hint="" if fitting else " ".join(_hints(identity, printed)),
        unless=identity.unless,
    )


def impossible(printed: Printed, name: str, held: Rounded, limits: Range) -> IdentityCheck:
    """The finding that a printed number lies outside what its quantity can be."""
    return IdentityCheck(
        identity="possible",
        about="a number that its quantity can be",
        quantities=(name,),
        verdict="inconsistent",
        reading=(),
        readings=1,
        printed=f"{printed.symbol(name)} {held.text}",
        against="",
        printed_low=held.range.low,
        printed_high=held.range.high,
        allowed_low=limits.low,
        allowed_high=limits.high,
        compared="",
        nearest="",
        hint="",
        unless="",
    )


def _fits(identity: Identity, printed: Printed) -> bool:
    return any(not one.held.gap(one.allowed) for one in identity.read(printed))


def _hints(identity: Identity, printed: Printed) -> Iterator[str]:
    """What small slip would explain numbers that do not fit."""
    if _fits(identity, replace(printed, cut=True)):
        yield "It fits if decimals were cut off instead of rounded."
    used = (*identity.target, *identity.others(printed))
    if "ci_low" in used and not printed.has("level"):
        for level in _OTHER_LEVELS:
            exact = Range(level, level)
            numbers = {**printed.numbers, "level": Rounded(f"= {level:g}", level, exact, exact)}
            if _fits(identity, replace(printed, numbers=numbers)):
                yield f"It fits a {level:.0%} interval."
    for name in identity.target:
        if name in _SIGNED and _fits(
            identity, replace(printed, numbers={**printed.numbers, name: _turned(printed, name)})
        ):
            yield "It fits with the other sign."


def _turned(printed: Printed, name: str) -> Rounded:
    held = printed.numbers[name]
    span, cut = (Range(-one.high, -one.low) for one in (held.range, held.cut))
    return Rounded(held.text, -held.value, span, cut)
