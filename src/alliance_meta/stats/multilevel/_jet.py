"""Numbers that carry their first and second derivatives with respect to a few parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alliance_meta.stats._arrays import FloatArray

__all__ = ["Jet"]


@dataclass(frozen=True, slots=True)
class Jet:
    """A value (...), its gradient (L, ...) and its matrix of second derivatives (L, L, ...)."""

    value: FloatArray
    first: FloatArray
    second: FloatArray

    @classmethod
    def parameter(cls, value: float, number: int, count: int) -> Jet:
        """The parameter with this number, out of `count`, at a value."""
        first = np.zeros(count)
        first[number] = 1.0
        return cls(np.asarray(value), first, np.zeros((count, count)))

    def __add__(self, other: Jet) -> Jet:
        return Jet(self.value + other.value, self.first + other.first, self.second + other.second)

    def __sub__(self, other: Jet) -> Jet:
        return Jet(self.value - other.value, self.first - other.first, self.second - other.second)

    def __mul__(self, other: Jet) -> Jet:
        crossed = self.first[:, None] * other.first[None, :]
        return Jet(
            self.value * other.value,
            self.first * other.value + self.value * other.first,
            self.second * other.value + crossed + np.swapaxes(crossed, 0, 1) + self.value * other.second,
        )

    def of(self, value: FloatArray, slope: FloatArray, curvature: FloatArray) -> Jet:
        """A function of this number, by its value and derivatives here."""
        crossed = self.first[:, None] * self.first[None, :]
        return Jet(value, slope * self.first, curvature * crossed + slope * self.second)

    def log1p(self) -> Jet:
        """The logarithm of 1 + this."""
        inverse = 1.0 / (1.0 + self.value)
        return self.of(np.log1p(self.value), inverse, -(inverse**2))

    def inverse_of_1_plus(self) -> Jet:
        """1 / (1 + this)."""
        inverse = 1.0 / (1.0 + self.value)
        return self.of(inverse, -(inverse**2), 2.0 * inverse**3)

    def total(self) -> Jet:
        """The sum over the last axis."""
        return Jet(*(np.add.reduce(part, axis=-1) for part in (self.value, self.first, self.second)))
