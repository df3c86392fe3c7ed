"""A minute of stereo into four stems by the multichannel Wiener filter, against norbert."""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.kernels.multichannel import multichannel_wiener
from unbraid.kernels.threads import use_threads

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEMS, CHANNELS, BINS = 4, 2, 2049
FRAMES = 60 * 44100 // 1024 + 2  # a minute at 44.1 kHz, 4096 samples a frame, 1024 apart

NORBERT, PRECISE = "norbert, complex64", "norbert, complex128"
WHOLE, WINDOWS = "unbraid, one thread, one window", "unbraid, one thread, windows of 512 frames"


def _stems() -> Any:
    """Sources that come and go, each from its own direction and a little from everywhere."""
    random = np.random.default_rng(0)
    shape = (STEMS, CHANNELS, FRAMES, BINS)
    stems = random.standard_normal(shape, np.float32) + 1j * random.standard_normal(shape, np.float32)
    stems *= 0.3
    stems += stems[:, ::-1] * np.linspace(-3, 3, STEMS)[:, None, None, None]
    stems *= random.gamma(0.3, 10, (STEMS, 1, FRAMES, 1))
    return stems.astype(np.complex64)


def _norbert(mixture: Any, magnitudes: Any, kind: type) -> Callable[[], object]:
    """Return norbert at work on arrays laid out for it; it scales its mixture in place, so that is a copy."""
    import norbert

    x: Any = np.ascontiguousarray(mixture.transpose(1, 2, 0)).astype(kind)
    v = np.ascontiguousarray(magnitudes.transpose(2, 3, 1, 0))
    return lambda: norbert.wiener(v, x.copy(), iterations=1)


def _alone(mixture: Any, magnitudes: Any, window: int) -> object:
    with use_threads(1):
        return multichannel_wiener(mixture, magnitudes, window=window)


@contextmanager
def _opened() -> Iterator[dict[str, Callable[[], object]]]:
    stems = _stems()
    mixture, magnitudes = stems.sum(axis=0), np.abs(stems)
    yield {
        NORBERT: _norbert(mixture, magnitudes, np.complex64),
        PRECISE: _norbert(mixture, magnitudes, np.complex128),
        WHOLE: lambda: _alone(mixture, magnitudes, FRAMES),
        WINDOWS: lambda: _alone(mixture, magnitudes, 512),
    }


TITLE = "multichannel Wiener filter, 4 stems, 4096/1024"
_CONTEST = Contest(TITLE, NORBERT, (NORBERT, PRECISE, WHOLE, WINDOWS), _opened, turns=5)

CONTESTS = [_CONTEST] if importlib.util.find_spec("norbert") else []
