"""Levels of a minute of stereo: the meter against pyloudnorm and ffmpeg, the limiter against its like.

ffmpeg is a process that reads raw samples from a file; what that alone takes is shown too. Of the
limiters, only ffmpeg's loudnorm and ours know peaks between samples.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.host.contract import Compiled
from unbraid.kernels.limiter import LimiterState
from unbraid.kernels.loudness import LoudnessMeter
from unbraid.kernels.program import Program

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, SECONDS, CEILING = 48000, 60, -6.0
READING = "ffmpeg, reading alone"
EBUR128, PYLOUDNORM, METER = "ffmpeg ebur128", "pyloudnorm, no true peak", "unbraid, loudness and true peak"
ALIMITER, LOUDNORM = "ffmpeg alimiter, sample peaks", "ffmpeg loudnorm"
PEDALBOARD, LIMITER = "pedalboard Limiter, sample peaks", "unbraid limiter"


def _programme() -> Any:
    """Noise whose level moves by 20 dB; a fifth of a second in ten exceeds the ceiling."""
    random, n = np.random.default_rng(0), RATE * SECONDS
    level = np.interp(
        np.arange(n), np.arange(0, n + RATE, RATE // 2), random.uniform(-1.3, -0.3, 2 * SECONDS + 2)
    )
    return (0.5 * 10**level * random.standard_normal((2, n))).astype(np.float32)


def _ffmpeg(folder: Path, x: Any, chain: str) -> Callable[[], object]:
    path = folder / "x.f32"
    if not path.exists():
        path.write_bytes(x.T.tobytes())
    source = ["-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", str(path)]
    call = ["ffmpeg", "-v", "error", "-nostdin", *source, "-af", chain, "-f", "null", "-"]
    return lambda: subprocess.run(call, check=True)


def _pyloudnorm(x: Any) -> Callable[[], object]:
    import pyloudnorm

    meter: Any = pyloudnorm.Meter(RATE)
    samples = x.T.astype(np.float64)
    return lambda: meter.integrated_loudness(samples)


def _measured(x: Any) -> Callable[[], object]:
    meter = LoudnessMeter(("L", "R"), RATE)

    def run() -> tuple[float, float, float]:
        meter.reset()
        meter.push(x)
        return meter.integrated, meter.range, meter.true_peak

    return run


def _limited(x: Any) -> Callable[[], object]:
    state, out = LimiterState(2, RATE, ceiling=CEILING, lookahead=240, release=0.08), np.empty_like(x)
    program = Program([(Compiled(state.function, state.address, state), [x], [out])])

    def run() -> Any:
        program.run(x.shape[1])
        return state, out  # which the program knows by address alone

    return run


def _pedalboard(x: Any) -> Callable[[], object]:
    from importlib import import_module

    pedalboard: Any = import_module("pedalboard")
    board = pedalboard.Pedalboard([pedalboard.Limiter(threshold_db=CEILING, release_ms=80)])
    return lambda: board.process(x, RATE)


@contextmanager
def _meters() -> Iterator[dict[str, Callable[[], object]]]:
    x = _programme()
    with tempfile.TemporaryDirectory() as folder:
        yield {
            EBUR128: _ffmpeg(Path(folder), x, "ebur128=peak=true:framelog=verbose"),
            READING: _ffmpeg(Path(folder), x, "anull"),
            **{name: _pyloudnorm(x) for name in METERS if name == PYLOUDNORM},
            METER: _measured(x),
        }


@contextmanager
def _limiters() -> Iterator[dict[str, Callable[[], object]]]:
    x = _programme()
    ceiling = 10 ** (CEILING / 20)
    with tempfile.TemporaryDirectory() as folder:
        yield {
            ALIMITER: _ffmpeg(Path(folder), x, f"alimiter=limit={ceiling}:attack=5:release=80:level=false"),
            LOUDNORM: _ffmpeg(Path(folder), x, f"loudnorm=I=-23:TP={CEILING}:LRA=20"),
            READING: _ffmpeg(Path(folder), x, "anull"),
            **{name: _pedalboard(x) for name in LIMITERS if name == PEDALBOARD},
            LIMITER: _limited(x),
        }


METERS = (EBUR128, READING, *([PYLOUDNORM] if importlib.util.find_spec("pyloudnorm") else []), METER)
LIMITERS = (
    ALIMITER,
    LOUDNORM,
    READING,
    *([PEDALBOARD] if importlib.util.find_spec("pedalboard") else []),
    LIMITER,
)
_MINUTE = f"{SECONDS} s of stereo at 48 kHz"
CONTESTS = (
    [
        Contest(f"meter: {_MINUTE}", EBUR128, METERS, _meters, turns=7),
        Contest(f"limiter: {_MINUTE}", ALIMITER, LIMITERS, _limiters, turns=7),
    ]
    if shutil.which("ffmpeg")
    else []
)
