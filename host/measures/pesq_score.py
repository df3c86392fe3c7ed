"""PESQ: what listeners of a wide-band telephone would say of the estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .gauge import Figure, over_arrays
from .libraries import missing
from .speech import Parts, SpeechScores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array
    from .measured import Measured

__all__ = ["PESQ", "pesq", "pesq_gauge"]

PESQ = Figure("pesq", "PESQ", "MOS", 2)
_RATE = 16_000
# The library has room for 50 utterances and writes past it without a look. One takes 0.38 s with its pause
# (46 and 51 of its steps of 4 ms), so that no more than 47 fit into the longest part, 18 s.
_LONGEST, _LEAST = 15, 3


def pesq_gauge(rate: int, roles: Sequence[str]) -> SpeechScores:  # noqa: ARG001 - as every gauge is made
    """Return a gauge for `pesq`."""
    refusal = missing(("pesq",))
    if rate < _RATE:
        refusal = refusal or f"wide-band PESQ needs {_RATE} Hz, not {rate} Hz"
    return SpeechScores((PESQ.name,), lambda: Parts(rate, _RATE, _LONGEST, _LEAST), _score, refusal)


def _score(reference: Array, estimate: Array) -> tuple[float, ...] | str:
    try:
        from pesq import BufferTooShortError, NoUtterancesError, PesqError
        from pesq import pesq as score
    except ImportError as error:
        return f"pesq cannot be loaded: {error}"
    if len(reference) < _RATE // 4:
        return "shorter than 0.25 s"
    try:
        return (float(score(_RATE, reference, estimate, "wb")),)
    except BufferTooShortError:
        return "shorter than 0.25 s"
    except NoUtterancesError:
        return "no speech was found"
    except PesqError as error:
        return f"pesq failed: {error}"


def pesq(reference: Array, estimate: Array, rate: int) -> Measured:
    """Return wide-band PESQ, 1.04 (bad) to 4.64 (the same), MOS-LQO of ITU-T P.862.2, by the library `pesq`.

    Of the mean of the channels, at 16 kHz. The measure is made for 8 to 12 s of speech: what is longer than
    18 s is scored in parts of 15 s (the last one 3 to 18 s), and the mean of those with speech is given.

    Args:
        reference: float32 ``[channels, samples]``, C-contiguous.
        estimate: of the same shape.
        rate: Hz, at least 16,000.

    Raises:
        KernelError: an array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> import numpy as np
        >>> pesq(np.zeros((1, 8000), np.float32), np.zeros((1, 8000), np.float32), 8000).value is None
        True
    """
    return over_arrays(pesq_gauge(rate, ()), reference, estimate)[PESQ.name]
