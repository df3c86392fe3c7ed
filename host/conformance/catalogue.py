"""Every check, in the order in which they run: what later ones build on comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    arrays,
    automation,
    building,
    compiled_form,
    cuts,
    extremes,
    found_out,
    layouts,
    lightness,
    manners,
    parameters,
    rates,
    repeatable,
    state,
    steadiness,
    sums,
    terms,
    timing,
)

if TYPE_CHECKING:
    from .check import Check
    from .finding import Level

__all__ = ["CHECKS", "checks_at"]

CHECKS: tuple[Check, ...] = (
    *building.CHECKS,
    *lightness.CHECKS,
    *repeatable.CHECKS,
    *arrays.CHECKS,
    *extremes.EARLY,
    *cuts.CHECKS,
    *timing.CHECKS,
    *state.CHECKS,
    *terms.CHECKS,
    *sums.CHECKS,
    *extremes.CHECKS,
    *layouts.CHECKS,
    *rates.CHECKS,
    *parameters.CHECKS,
    *automation.CHECKS,
    *compiled_form.CHECKS,
    *found_out.CHECKS,
    *steadiness.CHECKS,
    *manners.CHECKS,
)


def checks_at(level: Level) -> tuple[Check, ...]:
    """Return the checks of a level and of those below it."""
    return tuple(check for check in CHECKS if check.level <= level)
