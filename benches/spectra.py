"""Transform, mask, transform back: 60 s of stereo against torch and against the fastest FFTs from Python."""

from __future__ import annotations

import importlib.util
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.kernels import masked_roundtrip, stft, use_threads
from unbraid.kernels.machine import aligned
from unbraid.kernels.roundtrip import function_roundtrip
from unbraid.kernels.streaming import MaskedStream

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE, SECONDS, CHANNELS = 48000, 60, 2
SIZES = (512, 1024, 2048, 4096)


def _noise(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def _masks(n_fft: int, *stems: int) -> Any:
    frames = 1 + SECONDS * RATE // (n_fft // 4)
    return np.random.default_rng(1).random((*stems, CHANNELS, frames, n_fft // 2 + 1), np.float32)


def _window(n_fft: int) -> Any:
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)


# torch


def _torch(n_fft: int) -> tuple[Any, Callable[[Any], Any], Callable[[Any, Any], Any]]:
    """Return torch's signal, its stft of it, and ``back(S, mask)``."""
    import torch

    torch.set_num_threads(1)
    x, window = torch.from_numpy(_noise(CHANNELS, SECONDS * RATE)), torch.from_numpy(_window(n_fft))
    hop, length = n_fft // 4, SECONDS * RATE

    def forward(x: Any) -> Any:
        return torch.stft(x, n_fft, hop, window=window, return_complex=True)

    def back(spectrum: Any, mask: Any) -> Any:
        return torch.istft(spectrum * mask, n_fft, hop, window=window, length=length)

    return x, forward, back


def _torch_roundtrip(n_fft: int, stems: int) -> Callable[[], object]:
    import torch

    x, forward, back = _torch(n_fft)
    masks = [torch.from_numpy(m.transpose(0, 2, 1)) for m in _masks(n_fft, stems)]

    def run() -> list[Any]:
        spectrum = forward(x)
        return [back(spectrum, mask) for mask in masks]

    return run


# The fastest real FFTs, each on frames cut by strides


def _scipy(n_fft: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    import scipy.fft

    return scipy.fft.rfft, partial(scipy.fft.irfft, n=n_fft)


def _ducc(n_fft: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    import ducc0

    def forward(frames: Any) -> Any:
        return ducc0.fft.r2c(frames, axes=[frames.ndim - 1])

    def back(spectra: Any) -> Any:
        return ducc0.fft.c2r(spectra, axes=[spectra.ndim - 1], lastsize=n_fft, inorm=2, forward=False)

    return forward, back


def _mkl(n_fft: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    import mkl_fft

    return mkl_fft.rfft, partial(mkl_fft.irfft, n=n_fft)


def _pyfftw(n_fft: int) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    import pyfftw

    def planned(shape: tuple[int, ...]) -> tuple[Any, Any]:
        real = pyfftw.empty_aligned((*shape, n_fft), "float32")
        spectra = pyfftw.empty_aligned((*shape, n_fft // 2 + 1), "complex64")
        flags = ("FFTW_MEASURE",)
        return (
            pyfftw.FFTW(real, spectra, flags=flags),
            pyfftw.FFTW(spectra, real, direction="FFTW_BACKWARD", flags=flags),
        )

    plans: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def both(shape: tuple[int, ...]) -> tuple[Any, Any]:
        if shape not in plans:
            plans[shape] = planned(shape)
        return plans[shape]

    return lambda x: both(x.shape[:-1])[0](x), lambda X: both(X.shape[:-1])[1](X)


# MKL exports FFTW's names too; pyfftw must find its own before.
PEERS = {"pyfftw": _pyfftw, "ducc0": _ducc, "mkl_fft": _mkl, "scipy": _scipy}


def _peer_roundtrip(peer: str, n_fft: int) -> Callable[[], object]:
    forward, back = PEERS[peer](n_fft)
    x, masks, window, hop = _noise(CHANNELS, SECONDS * RATE), _masks(n_fft)[:], _window(n_fft), n_fft // 4
    padded = np.pad(x, ((0, 0), (n_fft // 2, n_fft)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft, axis=1)[:, ::hop]
    count, dual = masks.shape[1], window / np.float32(1.5)
    out, chunk = np.empty_like(padded), 65536 // n_fft  # frames at once: few enough to stay in the cache

    def run() -> Any:
        out[:] = 0
        for first in range(0, count, chunk):
            last = min(first + chunk, count)
            spectra = forward(frames[:, first:last] * window)
            spectra *= masks[:, first:last]
            samples = back(spectra) * dual
            for k in range(4):  # frames that overlap go to different passes, each of which is one addition
                part = samples[:, k::4]
                start = (first + k) * hop
                view = out[:, start : start + part.shape[1] * n_fft]
                view += part.reshape(CHANNELS, -1)
        return out

    return run


def _installed(*names: str) -> tuple[str, ...]:
    modules = {"scipy": "scipy.fft"}
    return tuple(n for n in names if importlib.util.find_spec(modules.get(n, n).partition(".")[0]))


# Ours


def _one_thread(run: Callable[[], object]) -> Callable[[], object]:
    def alone() -> object:
        with use_threads(1):
            return run()

    return alone


def _ours(n_fft: int, stems: int = 0) -> Callable[[], object]:
    x, masks = _noise(CHANNELS, SECONDS * RATE), _masks(n_fft, *[stems][: bool(stems)])
    out = aligned((*masks.shape[:-3], *x.shape))
    return _one_thread(partial(masked_roundtrip, x, masks, n_fft, n_fft // 4, out=out))


def _ours_forward(n_fft: int) -> Callable[[], object]:
    x = _noise(CHANNELS, SECONDS * RATE)
    out = np.empty(_masks(n_fft).shape, np.complex64)
    return _one_thread(partial(stft, x, n_fft, n_fft // 4, out=out))


def _wiener(n_fft: int) -> tuple[int, Any]:
    """Return the address of a mask function, and what must stay alive: a Wiener gain, smoothed over time."""
    from numba import (  # type: ignore[attr-defined]
        carray,
        cfunc,
        njit,
        types,
    )

    values = CHANNELS * (n_fft // 2 + 1)

    @njit(error_model="numpy")
    def gains(real: Any, imaginary: Any, power: Any, noise: Any, masks: Any) -> None:
        for i in range(len(masks)):
            now = real[i] * real[i] + imaginary[i] * imaginary[i]
            power[i] = np.float32(0.9) * power[i] + np.float32(0.1) * now
            gain = (power[i] - noise[i]) / (power[i] + np.float32(1e-9))
            masks[i] = gain if gain > np.float32(0) else np.float32(0)  # noqa: FURB136 - this one is vectorised

    floats = types.CPointer(types.float32)  # type: ignore[no-untyped-call]

    @cfunc(types.int32(types.voidptr, floats, floats, types.int64))
    def wiener(state: Any, spectra: Any, masks: Any, _: Any) -> Any:
        memory, parts = carray(state, (2, values), np.float32), carray(spectra, (2, values))
        gains(parts[0], parts[1], memory[0], memory[1], carray(masks, (values,)))
        return 0

    return int(wiener.address or 0), wiener


def _ours_function(n_fft: int) -> Callable[[], object]:
    x = _noise(CHANNELS, SECONDS * RATE)
    address, kept = _wiener(n_fft)
    state, out = np.full((2, CHANNELS * (n_fft // 2 + 1)), n_fft / 8, np.float32), aligned(x.shape)

    def run(_kept: Any = kept) -> object:
        where = state.ctypes.data
        return function_roundtrip(x, address, n_fft, n_fft // 4, state=where, out=out)

    return run


# Contests


def _roundtrip(n_fft: int) -> Contest:
    peers = _installed(*PEERS)

    @contextmanager
    def prepare() -> Iterator[dict[str, Callable[[], object]]]:
        runs = {"torch": _torch_roundtrip(n_fft, 1)}
        runs |= {name: _peer_roundtrip(name, n_fft) for name in peers}
        runs |= {"unbraid": _ours(n_fft), "unbraid, mask by a function": _ours_function(n_fft)}
        yield runs

    names = ("torch", *peers, "unbraid", "unbraid, mask by a function")
    return Contest(f"round trip {n_fft}/{n_fft // 4}", "torch", names, prepare, turns=5)


def _forward(n_fft: int) -> Contest:
    @contextmanager
    def prepare() -> Iterator[dict[str, Callable[[], object]]]:
        x, forward, _ = _torch(n_fft)
        yield {"torch": lambda: forward(x), "unbraid": _ours_forward(n_fft)}

    return Contest(f"stft {n_fft}/{n_fft // 4}", "torch", ("torch", "unbraid"), prepare, turns=7)


@contextmanager
def _stems() -> Iterator[dict[str, Callable[[], object]]]:
    yield {"torch": _torch_roundtrip(2048, 4), "unbraid": _ours(2048, 4)}


@contextmanager
def _two() -> Iterator[dict[str, Callable[[], object]]]:
    x, masks = _noise(CHANNELS, SECONDS * RATE), _masks(2048)
    out = aligned(x.shape)

    def on(count: int) -> Callable[[], object]:
        def run() -> object:
            with use_threads(count):
                return masked_roundtrip(x, masks, 2048, 512, out=out)

        return run

    yield {"1 thread": on(1), "2 threads": on(2)}


def _hop(n_fft: int, hop: int) -> Contest:
    @contextmanager
    def prepare() -> Iterator[dict[str, Callable[[], object]]]:
        block = _noise(CHANNELS, hop)
        stream, out = MaskedStream(CHANNELS, n_fft, hop), np.empty_like(block)
        yield {"NumPy": _numpy_hop(n_fft, hop, block), "unbraid": lambda: stream.process(block, out)}

    title = f"one hop of a stream {n_fft}/{hop}, stereo"
    return Contest(title, "NumPy", ("NumPy", "unbraid"), prepare, turns=21, calls=300)


def _numpy_hop(n_fft: int, hop: int, block: Any) -> Callable[[], object]:
    """The same by hand: preallocated, one NumPy call a step."""
    window = np.sqrt(_window(n_fft))
    history, total = np.zeros((CHANNELS, n_fft), np.float32), np.zeros((CHANNELS, n_fft), np.float32)
    masks, out = np.ones((CHANNELS, n_fft // 2 + 1), np.float32), np.empty_like(block)

    def run() -> Any:
        history[:, :-hop] = history[:, hop:]
        history[:, -hop:] = block
        spectrum = np.fft.rfft(history * window)
        spectrum *= masks
        samples = np.fft.irfft(spectrum)
        samples *= window
        total[:] += samples
        out[:] = total[:, :hop]
        total[:, :-hop] = total[:, hop:]
        total[:, -hop:] = 0
        return out

    return run


CONTESTS = [
    *([_roundtrip(n) for n in SIZES] if _installed("torch") else []),
    *([_forward(n) for n in SIZES] if _installed("torch") else []),
    *([Contest("4 stems of one mixture, 2048/512", "torch", ("torch", "unbraid"), _stems, turns=5)]
      if _installed("torch") else []),
    Contest("threads, round trip 2048/512", "1 thread", ("1 thread", "2 threads"), _two),
    _hop(512, 128),
    _hop(960, 480),
]  # fmt: skip
