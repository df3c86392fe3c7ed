"""ESTOI: how much of the speech would be understood."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from .gauge import Figure, over_arrays
from .libraries import missing
from .speech import Parts, SpeechScores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..contract.processor import Array
    from .measured import Measured

__all__ = ["ESTOI", "estoi", "estoi_gauge"]

ESTOI = Figure("estoi", "ESTOI", "", 3)
_LOWEST = 8_000
_LONGEST, _LEAST = 60, 15  # its working memory is 3 MB a second
_SHORTEST = 0.5  # seconds; 30 frames of 12.8 ms and the window
_TOO_LITTLE = "less than 0.4 s of speech"


def estoi_gauge(rate: int, roles: Sequence[str]) -> SpeechScores:  # noqa: ARG001 - as every gauge is made
    """Return a gauge for `estoi`."""
    refusal = missing(("pystoi",))
    if rate < _LOWEST:
        refusal = refusal or f"ESTOI needs {_LOWEST} Hz, not {rate} Hz"
    return SpeechScores((ESTOI.name,), lambda: Parts(rate, rate, _LONGEST, _LEAST), _scorer(rate), refusal)


def _scorer(rate: int) -> Callable[[Array, Array], tuple[float, ...] | str]:
    def score(reference: Array, estimate: Array) -> tuple[float, ...] | str:
        try:
            from pystoi import stoi
        except ImportError as error:
            return f"pystoi cannot be loaded: {error}"
        if len(reference) < _SHORTEST * rate:
            return f"shorter than {_SHORTEST} s"
        with warnings.catch_warnings():
            # It warns of too little speech and then returns 1e-5, which looks like a figure and is none.
            warnings.simplefilter("error", RuntimeWarning)
            try:
                return (float(stoi(reference, estimate, rate, extended=True)),)
            except RuntimeWarning:
                return _TOO_LITTLE

    return score


def estoi(reference: Array, estimate: Array, rate: int) -> Measured:
    """Return ESTOI, 0 (nothing is understood) to 1, by the library `pystoi`.

    Jensen and Taal, "An algorithm for predicting the intelligibility of speech masked by modulated noise
    maskers", IEEE/ACM TASLP 24, 2016. Of the mean of the channels; the library brings it to 10 kHz. What is
    longer than 75 s is scored in parts of 60 s (the last one 15 to 75 s), and the mean is given.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.
        rate: Hz, at least 8,000.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> import numpy as np
        >>> estoi(np.zeros((1, 8000), np.float32), np.zeros((1, 8000), np.float32), 4000).value is None
        True
    """
    return over_arrays(estoi_gauge(rate, ()), reference, estimate)[ESTOI.name]
