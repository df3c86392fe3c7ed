"""DNSMOS: what listeners would say of the estimate alone, by a network that heard many of their votes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ..models import onnx_runtime
from .gauge import Figure, over_arrays
from .libraries import missing
from .speech import Parts, SpeechScores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.processor import Array
    from .measured import Measured

__all__ = ["DNSMOS", "DNSMOS_LIBRARIES", "DNSMOS_REMEDY", "dnsmos", "dnsmos_gauge"]

DNSMOS = (
    Figure("dnsmos_overall", "OVRL", "MOS"),
    Figure("dnsmos_signal", "SIG", "MOS"),
    Figure("dnsmos_background", "BAK", "MOS"),
    Figure("dnsmos_p808", "P.808", "MOS"),
)
DNSMOS_LIBRARIES = ("speechmos", "onnxruntime", "librosa", "requests")
DNSMOS_REMEDY = f"pip install {' '.join(DNSMOS_LIBRARIES)}"
_KEYS = ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")
_RATE = 16_000
_LONGEST, _LEAST = 600, 60


def dnsmos_gauge(rate: int, roles: Sequence[str]) -> SpeechScores:  # noqa: ARG001 - as every gauge is made
    """Return a gauge for `dnsmos`."""
    refusal = missing(DNSMOS_LIBRARIES, DNSMOS_REMEDY)
    if rate < _RATE:
        refusal = refusal or f"DNSMOS needs {_RATE} Hz, not {rate} Hz"
    names = tuple(figure.name for figure in DNSMOS)
    return SpeechScores(names, lambda: Parts(rate, _RATE, _LONGEST, _LEAST), _score, refusal)


def _score(reference: Array, estimate: Array) -> tuple[float, ...] | str:  # noqa: ARG001 - it needs none
    if len(estimate) < _RATE:
        return "shorter than 1 s"
    try:
        onnx_runtime()  # before speechmos imports it
        network: Any = import_module("speechmos.dnsmos")
        # It takes no sample beyond full scale, which a resampler's overshoot may be.
        found = network.run(np.clip(estimate, -1, 1), _RATE)
    except ImportError as error:  # librosa loads its parts at first use
        return f"speechmos cannot be loaded: {error}"
    return tuple(float(found[key]) for key in _KEYS)


def dnsmos(estimate: Array, rate: int) -> dict[str, Measured]:
    """Return the four figures of DNSMOS P.835 and P.808, 1 (bad) to 5, of the estimate alone.

    Reddy, Gopal and Cutler, "DNSMOS P.835", ICASSP 2022, by the library `speechmos`, which brings the
    networks and needs onnxruntime and librosa. Of the mean of the channels, at 16 kHz, samples beyond full
    scale held; windows of 9 s, one every second, of which shorter sounds are repeated to fill one.

    Args:
        estimate: float32 ``[channels, samples]``, C-contiguous.
        rate: Hz, at least 16,000.

    Raises:
        KernelError: the array is of another type or shape, or holds a sample that is not finite.

    Example:
        >>> dnsmos(np.zeros((1, 8000), np.float32), 8000)["dnsmos_overall"].value is None
        True
    """
    return over_arrays(dnsmos_gauge(rate, ()), estimate, estimate)
