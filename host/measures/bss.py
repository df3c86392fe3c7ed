"""BSSEval v4: what of a stem's error is filtering, what is the other stems, what is artefacts."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...kernels.arguments import check_array
from ...kernels.errors import KernelError
from .gauge import Figure
from .libraries import missing
from .measured import Measured, unmeasured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    import numpy.typing as npt

    from ..contract.processor import Array

    Stems: TypeAlias = Mapping[str, Array]

__all__ = ["BSSEVAL", "bsseval", "bsseval_memory", "unfit"]

BSSEVAL = (
    Figure("bss_sdr", "BSS SDR"),
    Figure("bss_isr", "ISR"),
    Figure("bss_sir", "SIR"),
    Figure("bss_sar", "SAR"),
)
_NAMES = tuple(figure.name for figure in BSSEVAL)
_FILTER = 512  # taps of museval's distortion filters
_ACCOMPANIED = {"vocals", "accompaniment"}


def bsseval(references: Stems, estimates: Stems, rate: int) -> dict[str, dict[str, Measured]]:
    """Return SDR, ISR, SIR and SAR of all stems of a track, dB, medians over windows of 1 s.

    By the library `museval` (Stöter, Liutkus and Ito, "The 2018 Signal Separation Evaluation Campaign",
    LVA/ICA 2018), which fits filters of 512 taps over the whole track. As there, a second in which a stem is
    silent counts for none, and where both ``vocals`` and ``accompaniment`` are among the stems, these two are
    measured against each other and the rest without ``accompaniment``. A stem that is silent in the reference
    is left out. A stem by itself has no SIR.

    It holds all stems in memory, many times over: see `bsseval_memory`.

    Args:
        references: by name of the stem, float32 ``[channels, samples]``, all of one shape.
        estimates: the same names and shapes.
        rate: Hz.

    Returns:
        by stem, the figures ``bss_sdr``, ``bss_isr``, ``bss_sir`` and ``bss_sar``.

    Raises:
        KernelError: the names differ, or an array is of another type or shape.

    Example:
        >>> s = np.ones((1, 800), np.float32)
        >>> bsseval({"a": s}, {"a": s}, 1000)["a"]["bss_sdr"].note
        'shorter than one window of 1 s'
    """
    if set(references) != set(estimates):
        raise KernelError(f"references of {sorted(references)} but estimates of {sorted(estimates)}")
    shape: tuple[int | str, ...] = ("channels", "samples")
    for name, signal in [*references.items(), *estimates.items()]:
        shape = check_array(name, signal, np.float32, shape).shape
    channels, samples = next(iter(references.values())).shape
    reason = missing(("museval",)) or unfit(len(references), channels, samples, rate)
    if reason:
        return {name: unmeasured(reason, *_NAMES) for name in references}
    found = {name: unmeasured("the reference is silent", *_NAMES) for name in references}
    heard = [name for name, signal in references.items() if signal.any()]
    if not set(heard) >= _ACCOMPANIED:
        return found | _evaluated(heard, references, estimates, rate)
    others = [name for name in heard if name != "accompaniment"]
    if len(others) > 1:
        found |= _evaluated(others, references, estimates, rate)
    return found | _evaluated(sorted(_ACCOMPANIED, reverse=True), references, estimates, rate)


def bsseval_memory(stems: int, channels: int, samples: int) -> int:
    """Return the bytes that museval takes about: signals and spectra in float64, and its equations.

    Example:
        >>> bsseval_memory(4, 2, 44100 * 240) // 10**6  # a song
        5515
    """
    spectrum = 1 << (samples + _FILTER - 1).bit_length()
    signals = stems * channels * samples * 8 * 2
    return signals + ((stems + 1) * channels + 4) * spectrum * 16 + 3 * 8 * (stems * channels * _FILTER) ** 2


def unfit(stems: int, channels: int, samples: int, rate: int) -> str:
    """Return why a track of this size cannot be measured: too short, or too long for the memory; or ""."""
    if samples < rate:
        return "shorter than one window of 1 s"
    needed, free = bsseval_memory(stems, channels, samples), _free_memory()
    if free is not None and needed > free:
        return f"needs about {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB are free; take an excerpt"
    return ""


def _free_memory() -> int | None:
    """Return the bytes that programs may still take, or None where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    words = lines.get("MemAvailable", "").split()
    return int(words[0]) * 1024 if words else None


def _evaluated(
    names: list[str], references: Stems, estimates: Stems, rate: int
) -> dict[str, dict[str, Measured]]:
    if not names:
        return {}
    silent = [name for name in names if not estimates[name].any()]
    if silent:
        which = f" of {silent[0]}" if len(names) > 1 else ""
        return {
            name: unmeasured(f"the estimate{which} is silent, which museval does not take", *_NAMES)
            for name in names
        }
    try:
        windows = _museval([references[name] for name in names], [estimates[name] for name in names], rate)
    except (ImportError, RuntimeError) as error:  # a library of its libraries will not load without ffmpeg
        reason = f"museval cannot be loaded: {' '.join(str(error).split())}"
    except (ValueError, AttributeError, np.linalg.LinAlgError, MemoryError) as error:
        # AttributeError: it looks for a name of older NumPy where its equations cannot be solved.
        reason = f"museval failed: {' '.join(str(error).split()) or type(error).__name__}"
    else:
        return {name: _medians(windows[:, k], alone=len(names) == 1) for k, name in enumerate(names)}
    return {name: unmeasured(reason, *_NAMES) for name in names}


def _museval(references: list[Array], estimates: list[Array], rate: int) -> npt.NDArray[np.float64]:
    """Return ``[4, stems, windows]``: SDR, ISR, SIR and SAR, as ``museval.evaluate`` does, but for a copy."""
    with warnings.catch_warnings():
        # It and what it imports warn of NumPy's and pandas' future, and of logarithms of 0; none is ours.
        warnings.simplefilter("ignore")
        from museval.metrics import bss_eval

        signals = (np.array([x.T for x in group], np.float64) for group in (references, estimates))
        found: Any = bss_eval(*signals, window=rate, hop=rate, compute_permutation=False)
    return np.array(found[:4])


def _medians(windows: npt.NDArray[np.float64], *, alone: bool) -> dict[str, Measured]:
    figures = {}
    for name, values in zip(_NAMES, windows, strict=True):
        heard = values[~np.isnan(values)]
        median = float(np.median(heard)) if heard.size else math.nan
        if alone and name == "bss_sir":
            figures[name] = Measured(None, "a stem by itself has no interference")
        elif math.isnan(median):
            figures[name] = Measured(None, "there is no second in which every stem sounds")
        else:
            figures[name] = Measured(median)
    return figures
