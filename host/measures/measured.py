"""One figure: a number, or why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Measured", "decibels", "ratio", "unmeasured"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measure gives.

    Attributes:
        value: the number; infinite where nothing is wrong at all (``inf`` for a ratio of signal to error,
            ``-inf`` for the level of an error); None where it cannot be measured. Never NaN.
        note: why there is no number, or what a reader must know of it; "" for neither.

    Example:
        >>> Measured(12.5).value, Measured(None, "the reference is silent").note
        (12.5, 'the reference is silent')
    """

    value: float | None
    note: str = ""

    def __post_init__(self) -> None:
        if self.value is not None and math.isnan(self.value):
            raise ValueError("a figure that is not a number must be None and say why")

    def as_data(self) -> dict[str, float | str | None]:
        """Return it as data that JSON can hold: infinite values are the texts "inf" and "-inf".

        Example:
            >>> Measured(math.inf).as_data()
            {'value': 'inf', 'note': ''}
        """
        value: float | str | None = self.value
        if isinstance(value, float) and math.isinf(value):
            value = "inf" if value > 0 else "-inf"
        return {"value": value, "note": self.note}


def unmeasured(note: str, *names: str) -> dict[str, Measured]:
    """Return figures of these names that all lack their number for one reason."""
    return dict.fromkeys(names, Measured(None, note))


def decibels(power: float) -> float:
    """Return ``10 log10(power)``, -inf for 0 and inf for infinity.

    Example:
        >>> decibels(100.0), decibels(0.0)
        (20.0, -inf)
    """
    return 10 * math.log10(power) if power > 0 else -math.inf


def ratio(signal: float, error: float) -> float:
    """Return ``10 log10(signal / error)`` of two energies, inf where there is no error.

    Example:
        >>> ratio(2.0, 0.02), ratio(1.0, 0.0)
        (20.0, inf)
    """
    return math.inf if error == 0 else decibels(signal) - decibels(error)
