"""Check that the outputs of a plugin with a residual sum to its input, through the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .check import FINITE, Check, NotApplicableError, PromiseBrokenError
from .finding import Level
from .graphs import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array
    from .subject import Subject

__all__ = ["CHECKS", "sums"]

_ERROR = 1e-6  # of the peak: the rounding of a few float32 additions


def sums(subject: Subject) -> str:
    """Render all outputs, and null each residual and what it is without against the first input."""
    residuals = subject.card.residuals_of(subject.params)
    if not residuals:
        raise NotApplicableError("it has no residual")
    whole = next(iter(subject.programme.ports.values()))
    made = run(subject, subject.programme)
    for name, data in made.items():
        if data.shape != whole.shape:
            raise PromiseBrokenError(
                f"output {name!r} is {list(data.shape)}, the input {list(whole.shape)}",
                "give every output the layout of the first input, or leave out the residual",
            )
    worst = max(
        _miss([made[name], *(made[part] for part in parts)], whole) for name, parts in residuals.items()
    )
    return f"outputs sum to the input within {worst:.1e}"


def _miss(parts: Sequence[Array], whole: Array) -> float:
    """Return by how much a sum misses its whole; more than rounding is a broken promise."""
    rest = np.abs(sum(data.astype(np.float64) for data in parts) - whole)
    worst, peak = float(rest.max()), float(np.abs(whole).max())
    loudest = max(float(np.abs(data).max()) for data in parts)
    if worst > _ERROR * max(peak, loudest):
        raise PromiseBrokenError(
            f"the outputs miss their input by up to {worst:.3g}, first at sample "
            f"{int((rest > _ERROR * max(peak, loudest)).any(axis=0).argmax())}",
            "leave the residual to the host: do not write it in process()",
        )
    return worst


CHECKS = (Check("sums", "outputs and residual sum to the input", Level.STANDARD, sums, FINITE),)
