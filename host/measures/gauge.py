"""What measures as the signals go by: blocks in, figures out, in memory that does not grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...kernels.arguments import check_array
from ...kernels.errors import KernelError
from ...kernels.pcm import first_non_finite

if TYPE_CHECKING:
    from ..contract.processor import Array
    from .measured import Measured

__all__ = ["BLOCK", "Figure", "Gauge", "over_arrays"]

#: Samples that are pushed at a time.
BLOCK = 32768


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a measure gives.

    Attributes:
        name: in Python, JSON and CSV.
        title: at the head of a column.
        unit: "dB", "LUFS", ...; "" for a pure number.
        digits: after the decimal point, where it is shown to people.
    """

    name: str
    title: str
    unit: str = "dB"
    digits: int = 2


class Gauge(Protocol):
    """Measures an estimate against a reference, both pushed block by block, sample beside sample."""

    def push(self, reference: Array, estimate: Array) -> None:
        """Take the next samples of both, float32 ``[channels, n]``."""

    def figures(self) -> dict[str, Measured]:
        """Return what was found in everything pushed; called once, after the last block."""
        ...


def over_arrays(gauge: Gauge, reference: Array, estimate: Array) -> dict[str, Measured]:
    """Return a gauge's figures of two whole signals.

    Args:
        gauge: fresh.
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.
    """
    check_array("reference", reference, np.float32, ("channels", "samples"))
    check_array("estimate", estimate, np.float32, reference.shape)
    for name, signal in (("reference", reference), ("estimate", estimate)):
        bad = first_non_finite(signal)
        if bad >= 0:
            raise KernelError(f"sample {bad} of {name} is not a finite number; repair it before measuring")
    for start in range(0, reference.shape[1], BLOCK):
        piece = slice(start, start + BLOCK)
        gauge.push(np.ascontiguousarray(reference[:, piece]), np.ascontiguousarray(estimate[:, piece]))
    return gauge.figures()
