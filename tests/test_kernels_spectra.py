"""STFT, its inverse and masks between them, against float64, SciPy and PyTorch; framings and threads."""

from __future__ import annotations

import threading
import time
import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from unbraid.kernels import stretches
from unbraid.kernels.errors import KernelError
from unbraid.kernels.framing import FRAMINGS, frames_of
from unbraid.kernels.plan import plan_of
from unbraid.kernels.reference import spectra as reference
from unbraid.kernels.roundtrip import masked_roundtrip
from unbraid.kernels.spectra import istft, stft
from unbraid.kernels.threads import run_jobs, thread_count, use_threads
from unbraid.kernels.windows import WINDOWS, dual_window, window_of

#: Frame lengths that audio uses, at the CPU's own width, and one or two for each width that there is.
NAMED = [(n, None) for n in (441, 480, 512, 882, 960, 1024, 1920, 2048, 4096, 6144, 8192)]
WIDTHS = [(64, 4), (480, 4), (512, 8), (960, 8), (4096, 16), (8192, 16), (45, 1), (60, 1)]
#: Lengths for promises that are not about lengths: tiny, odd, without and with vectors.
SMALL = (2, 5, 45, 64)
NO_TORCH = "PyTorch is not installed, so stft and istft were not compared with torch.stft and torch.istft"


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def masks_for(X: Any, stems: int) -> Any:
    return np.random.default_rng(stems).random((stems, *X.shape), np.float32)


def error(got: Any, want: Any) -> float:
    """Return the greatest error relative to the greatest value."""
    return float(np.abs(got - want).max() / np.abs(want).max())


def weight(window: Any, frames: Any) -> Any:
    """Return for every sample the sum of the squares of the windows over it."""
    total = np.zeros(frames.samples)
    for k in range(frames.count):
        n = frames.start + k * frames.hop + np.arange(frames.n_fft)
        inside = (n >= 0) & (n < frames.samples)
        total[n[inside]] += window[inside] ** 2
    return total


@st.composite
def cases(draw: Any, windows: tuple[str, ...] = (*WINDOWS, "array")) -> Any:
    """A signal, a frame length, a hop and a window, by name or, for "array", as an array."""
    n_fft = draw(st.sampled_from(SMALL))
    hop, samples = draw(st.integers(1, n_fft)), draw(st.integers(1, 5 * n_fft))
    window: Any = draw(st.sampled_from(windows))
    if window == "array":
        window = np.random.default_rng(n_fft).uniform(0.2, 1, n_fft)
        window[: draw(st.integers(0, n_fft // 2))] = 0
    x = noise(draw(st.integers(1, 3)), samples, seed=samples)
    return SimpleNamespace(x=x, samples=samples, n_fft=n_fft, hop=hop, window=window)


# Values


@pytest.mark.parametrize(("n_fft", "width"), [*NAMED, *WIDTHS])
def test_every_length_and_width_is_the_definition_to_six_digits(n_fft: int, width: int | None) -> None:
    assert width is None or plan_of(n_fft, width).width == width
    x, hop, window = noise(3, 3 * n_fft + 57), n_fft // 4, window_of("hann", n_fft)
    frames = frames_of("centered", x.shape[1], n_fft, hop, window)
    X = stft(x, n_fft, hop, width=width)
    assert error(X, reference.stft(x, window, frames)) < 1e-6
    assert error(istft(X, n_fft, hop, length=x.shape[1], width=width), x) < 1e-6
    masks = masks_for(X, 3)
    got = masked_roundtrip(x, masks, n_fft, hop, width=width)
    want = reference.masked_roundtrip(x, masks, window, frames)
    assert np.abs(got - want).max() < 1e-6 * np.abs(x).max()
    np.testing.assert_array_equal(masked_roundtrip(x, masks[0], n_fft, hop, width=width), got[0])
    for c in (slice(0, 2), slice(2, 3)):  # a pair, or a channel without partner, has its bits alone too
        few = x[c].copy()
        np.testing.assert_array_equal(stft(few, n_fft, hop, width=width), X[c])
        one = masked_roundtrip(few, masks[:1, c].copy(), n_fft, hop, width=width)
        np.testing.assert_array_equal(one, got[:1, c])


@given(case=cases(), framing=st.sampled_from(FRAMINGS), stems=st.integers(1, 3))
@settings(max_examples=120)
def test_any_hop_window_and_framing_is_the_definition(case: Any, framing: Any, stems: int) -> None:
    n_fft, hop, window = case.n_fft, case.hop, window_of(case.window, case.n_fft)
    assume(case.samples >= {"inside": n_fft, "centered": n_fft // 2 + 1}.get(framing, 1))
    frames = frames_of(framing, case.samples, n_fft, hop, window)
    assume(frames.count > 0)  # framing "scipy" of a sample that no frame has weight on
    call: Any = {"n_fft": n_fft, "hop": hop, "window": case.window, "framing": framing}
    X = stft(case.x, **call)
    want = reference.stft(case.x, window, frames)
    np.testing.assert_allclose(X, want, rtol=0, atol=1e-6 * np.abs(window).sum())
    masks, full = masks_for(X, stems), np.bincount(np.arange(n_fft) % hop, window**2)
    if min(full.min(), weight(window, frames).min()) > 0.05 * full.max():
        got = masked_roundtrip(case.x, masks, **call)
        wanted = reference.masked_roundtrip(case.x, masks, window, frames)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
        np.testing.assert_allclose(istft(X, **call, length=case.samples), case.x, rtol=0, atol=1e-5)
    elif min(full.min(), weight(window, frames).min()) < 1e-12 * full.max():
        with pytest.raises(KernelError, match=r"lies in no frame with weight|leaves samples without weight"):
            masked_roundtrip(case.x, masks, **call)


@given(case=cases())
@settings(max_examples=80)
def test_scipy_frames_and_values_are_those_of_short_time_fft(case: Any) -> None:
    n_fft, hop, window = case.n_fft, case.hop, window_of(case.window, case.n_fft)
    # SciPy takes nothing shorter, and keeps a last frame that has its weight behind the signal.
    assume(case.samples >= n_fft - n_fft // 2 and window[: n_fft // 2].any())
    peer = scipy.signal.ShortTimeFFT(window, hop, fs=1, phase_shift=None)
    frames = frames_of("scipy", case.samples, n_fft, hop, window)
    assert frames.start == peer.p_min * hop - n_fft // 2
    assert frames.count == peer.p_max(case.samples) - peer.p_min
    X = stft(case.x, n_fft, hop, window, framing="scipy")
    want = peer.stft(case.x.astype(np.float64)).transpose(0, 2, 1)
    np.testing.assert_allclose(X, want, rtol=0, atol=1e-6 * window.sum())


@given(case=cases(("hann", "hamming", "boxcar")), framing=st.sampled_from(FRAMINGS[:3]), whole=st.booleans())
@settings(max_examples=120)
def test_frames_values_and_lengths_are_pytorch_s(case: Any, framing: Any, whole: bool) -> None:
    torch: Any = pytest.importorskip("torch", reason=NO_TORCH)
    n_fft, hop, window = case.n_fft, case.hop, torch.from_numpy(window_of(case.window, case.n_fft).copy())
    assume(case.samples >= {"inside": n_fft, "centered": n_fft // 2 + 1}.get(framing, 1))
    pad = {
        "center": framing != "inside",
        "pad_mode": "constant" if framing == "centered-zeros" else "reflect",
    }
    peer = torch.stft(
        torch.from_numpy(case.x).double(), n_fft, hop, window=window, return_complex=True, **pad
    )
    X = stft(case.x, n_fft, hop, case.window, framing=framing)
    np.testing.assert_allclose(X, peer.numpy().transpose(0, 2, 1), rtol=0, atol=1e-6 * n_fft)
    length, center = case.samples if whole else None, pad["center"]
    end = X.shape[1] * hop - hop + n_fft - (n_fft // 2 if center else 0)
    assume(whole or end > n_fft // 2)  # a frame alone is whole nowhere
    try:
        y = torch.istft(
            peer, n_fft, hop, window=window, center=center, length=min(length, end) if whole else None
        )
    except RuntimeError:  # samples without weight
        y = None
    # Where the signal goes on behind the last frame PyTorch appends zeros. And it takes a pair of window and
    # hop that cannot reconstruct if the signal is too short for that to be seen.
    if y is None or (whole and length > end) or (case.window == "hann" and hop == n_fft):
        with pytest.raises(KernelError, match="weight"):
            istft(X, n_fft, hop, case.window, framing=framing, length=length)
        return
    got = istft(X, n_fft, hop, case.window, framing=framing, length=length)
    assert got.shape == y.shape
    np.testing.assert_allclose(got, y, rtol=0, atol=3e-4)  # ends with hardly any weight magnify rounding


@given(case=cases(("boxcar",)))
def test_stream_frames_go_on_until_every_sample_lies_in_as_many_as_any_other(case: Any) -> None:
    frames = frames_of("stream", case.samples, case.n_fft, case.hop, np.ones(case.n_fft))
    first, last = frames.start, frames.start + (frames.count - 1) * frames.hop
    assert first == case.hop - case.n_fft
    assert last <= case.samples - 1 < last + case.hop  # another frame would begin behind the signal
    X = stft(case.x, case.n_fft, case.hop, framing="stream")
    whole = case.n_fft - case.hop
    assert istft(X, case.n_fft, case.hop, "boxcar", framing="stream").shape[1] >= case.samples
    assert frames.count * case.hop - whole >= case.samples


def test_a_length_that_implies_other_frames_is_refused_and_any_other_may_be_asked_for() -> None:
    x = noise(1, 300)
    X = stft(x, 64, 16)
    assert istft(X, 64, 16).shape == (1, 288)
    for length in (288, 303):
        y = istft(X, 64, 16, length=length)
        np.testing.assert_allclose(y[:, : min(length, 300)], x[:, : min(length, 300)], atol=1e-6)
    for length in (287, 304):
        with pytest.raises(KernelError, match=rf"X has 19 frames, but {length} samples have"):
            istft(X, 64, 16, length=length)


def test_a_signal_just_long_enough_to_be_mirrored_comes_back_at_its_natural_length_too() -> None:
    x = noise(1, 40)
    y = istft(stft(x, 64, 30), 64, 30)
    np.testing.assert_allclose(y, x[:, :30], rtol=0, atol=1e-6)


# Windows that cannot


@pytest.mark.parametrize(
    ("window", "n_fft", "hop"), [("hann", 64, 64), ("root_hann", 64, 64), ("hann", 2, 2), ("hann", 45, 45)]
)
def test_a_window_that_leaves_samples_without_weight_cannot_reconstruct(
    window: Any, n_fft: int, hop: int
) -> None:
    rule = f"a window of {n_fft} samples with hop {hop} leaves samples without weight"
    x = noise(1, 200)
    X = stft(x, n_fft, hop, window)
    for call in (
        lambda: dual_window(window_of(window, n_fft), hop),
        lambda: istft(X, n_fft, hop, window, length=200),
        lambda: masked_roundtrip(x, np.ones(X.shape, np.float32), n_fft, hop, window),
    ):
        with pytest.raises(KernelError, match=rule):
            call()


def test_an_end_without_weight_is_named_by_its_sample() -> None:
    x = noise(1, 330)
    X = stft(x, 64, 16, framing="inside")
    with pytest.raises(KernelError, match="sample 0 of 330 lies in no frame with weight"):
        istft(X, 64, 16, framing="inside", length=330)
    X = stft(x, 64, 16, "boxcar", framing="inside")
    with pytest.raises(KernelError, match="sample 320 of 330 lies in no frame with weight"):
        istft(X, 64, 16, "boxcar", framing="inside", length=330)
    np.testing.assert_allclose(istft(X, 64, 16, "boxcar", framing="inside"), x[:, :320], atol=1e-6)


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_a_window_may_have_any_scale(scale: float) -> None:
    x, window = noise(1, 300), scale * window_of("hamming", 64)
    X = stft(x, 64, 16, window)
    np.testing.assert_allclose(istft(X, 64, 16, window, length=300), x, rtol=0, atol=1e-6)
    np.testing.assert_allclose(X, scale * stft(x, 64, 16, "hamming"), rtol=0, atol=1e-5 * scale)


# Refusals


@pytest.fixture
def good() -> Any:
    """Arguments that fit, for 64 samples a frame and a hop of 16."""
    x = noise(2, 300)
    X = stft(x, 64, 16)
    locked = np.zeros((2, 300), np.float32)
    locked.flags.writeable = False
    shared = np.zeros(X.size, np.complex64)
    return SimpleNamespace(x=x, X=X, masks=masks_for(X, 1)[0], locked=locked, shared=shared)


def spoilt(window: float) -> Any:
    values = np.ones(64)
    values[5] = window
    return values


REFUSALS: list[tuple[Any, str]] = [
    (lambda a: stft(a.x.astype(np.float64)), r"x must be float32 \[channels, samples\], not float64"),
    (lambda a: stft(a.x.astype(np.int16)), "x must be float32 .* not int16"),
    (lambda a: stft(a.x.astype(np.complex64)), "x must be float32 .* not complex64"),
    (lambda a: stft(a.x.astype(">f4")), "x must be float32 .* not >f4"),
    (lambda a: stft(a.x.tolist()), "x must be float32 .* not list"),
    (lambda _: stft(None), "x must be float32 .* not NoneType"),  # type: ignore[call-overload]
    (lambda a: stft(a.x[0]), r"x must be float32 \[channels, samples\], not float32 \[300\]"),
    (lambda a: stft(a.x[None]), r"not float32 \[1, 2, 300\]"),
    (lambda a: stft(a.x[:, :0]), r"x must be .* not float32 \[2, 0\]"),
    (lambda a: stft(a.x[:0]), r"x must be .* not float32 \[0, 300\]"),
    (lambda a: stft(a.x[:, ::2]), "x .* must be C-contiguous; use numpy.ascontiguousarray"),
    (lambda a: stft(np.asfortranarray(a.x)), "x .* must be C-contiguous"),
    (lambda a: stft(a.x, 22, 16), r"n_fft: length 22 is not 2\^a 3\^b 5\^c 7\^d"),
    (lambda a: stft(a.x, 11, 1), r"n_fft: length 11 is not"),
    (lambda a: stft(a.x, 2**21, 1), r"n_fft: length 2097152 is not .* to 1048576"),
    (lambda a: stft(a.x, 0), "n_fft must be an integer of at least 2, not 0"),
    (lambda a: stft(a.x, 1), "n_fft must be an integer of at least 2, not 1"),
    (lambda a: stft(a.x, -4), "n_fft must be an integer of at least 2, not -4"),
    (lambda a: stft(a.x, 64.0, 16), "n_fft must be an integer of at least 2, not 64.0"),  # type: ignore[call-overload]
    (lambda a: stft(a.x, "64", 16), "n_fft must be an integer"),  # type: ignore[call-overload]
    (lambda a: stft(a.x, [64], 16), "n_fft must be an integer"),  # type: ignore[call-overload]
    (lambda a: stft(a.x, 64, 0), "hop must be 1 to n_fft = 64, an integer, not 0"),
    (lambda a: stft(a.x, 64, 65), "hop must be 1 to n_fft = 64, an integer, not 65"),
    (lambda a: stft(a.x, 64, 16.5), "hop must be 1 to n_fft = 64, an integer, not 16.5"),  # type: ignore[call-overload]
    (lambda a: istft(a.X, 64, 0, framing="stream"), "hop must be 1 to n_fft = 64, an integer, not 0"),
    (lambda a: istft(a.X, 64, "16"), "hop must be 1 to n_fft"),  # type: ignore[call-overload]
    (lambda a: masked_roundtrip(a.x, a.masks, 64, None), "hop must be 1 to n_fft"),  # type: ignore[call-overload]
    *[
        (lambda a, w=w: stft(a.x, 64, 16, width=w), "width must be one of 16, 8, 4, 1, not ")
        for w in (3, 0, -1, 32, "8")
    ],
    (lambda a: stft(a.x, 64, 16, "triangle"), "window 'triangle' is unknown; there are hann, .*, boxcar"),
    (lambda a: stft(a.x, 64, 16, None), "window must be real .* not object"),  # type: ignore[call-overload]
    (lambda a: stft(a.x, 64, 16, np.ones(63)), r"window must be real \[n_fft = 64\], not float64 \[63\]"),
    (lambda a: stft(a.x, 64, 16, np.ones((1, 64))), r"window must be real .* not float64 \[1, 64\]"),
    (lambda a: stft(a.x, 64, 16, np.ones(64) + 0j), "window must be real .* not complex128"),
    (lambda a: stft(a.x, 64, 16, spoilt(np.nan)), "window holds NaN or infinity"),
    (lambda a: stft(a.x, 64, 16, spoilt(np.inf)), "window holds NaN or infinity"),
    (lambda a: stft(a.x, 64, 16, spoilt(1e300)), r"window holds weights beyond 1e\+12"),
    (lambda a: istft(a.X, 64, 16, np.full(64, 1e-50)), "window holds no weight above 1e-12"),
    (lambda a: istft(a.X, 64, 16, np.zeros(64)), "leaves samples without weight"),
    (lambda a: stft(a.x, 64, 16, np.zeros(64), framing="scipy"), "the window is zero everywhere"),
    (
        lambda a: stft(a.x, 64, 16, framing="reflect"),  # type: ignore[call-overload]
        "framing 'reflect' is unknown; there are centered, .*, s",
    ),
    (lambda a: stft(a.x, 64, 16, framing=["inside"]), "framing .* is unknown"),  # type: ignore[call-overload]
    (lambda a: istft(a.X, 64, 16, framing=None), "framing None is unknown"),  # type: ignore[call-overload]
    (lambda a: stft(a.x[:1, :32].copy(), 64, 16), "32 samples are too few to be mirrored by n_fft // 2 = 32"),
    (
        lambda a: stft(a.x[:1, :63].copy(), 64, 16, framing="inside"),
        "framing 'inside' needs n_fft = 64 samples",
    ),
    (lambda a: stft(a.x, 64, 16, out=a.X.astype(np.complex128)), "out must be complex64 .* not complex128"),
    (lambda a: stft(a.x, 64, 16, out=a.X[:, 1:]), r"out must be complex64 \[2, 19, 33\], not"),
    (lambda a: stft(a.x, 64, 16, out=np.asfortranarray(a.X)), "out .* must be C-contiguous"),
    (
        lambda a: stft(
            a.shared[:300].view(np.float32).reshape(2, 300), 64, 16, out=a.shared.reshape(a.X.shape)
        ),
        "out must not share memory with x",
    ),
    (lambda a: istft(a.X.real.copy(), 64, 16), r"X must be complex64 \[channels, frames, 33\], not float32"),
    (lambda a: istft(a.X.astype(np.complex128), 64, 16), "X must be complex64 .* not complex128"),
    (lambda a: istft(a.X, 32, 16), r"X must be complex64 \[channels, frames, 17\], not"),
    (lambda a: istft(a.X[:, :0], 64, 16), r"X must be .* not complex64 \[2, 0, 33\]"),
    (lambda a: istft(a.X[:, ::2], 64, 16), "X .* must be C-contiguous"),
    (lambda a: istft(a.X, 64, 16, length=0), "length must be an integer of at least 1, not 0"),
    (lambda a: istft(a.X, 64, 16, length=300.0), "length must be an integer of at least 1, not 300.0"),  # type: ignore[call-overload]
    (lambda a: istft(a.X, 64, 16, framing="scipy"), "framing 'scipy' needs length="),
    (
        lambda a: istft(a.X[:, :3].copy(), 64, 16, framing="stream"),
        "3 frames with hop 16 hold no whole sample",
    ),
    (lambda a: istft(a.X, 64, 16, length=300, out=a.locked), "out .* must be writable"),
    (lambda a: istft(a.X, 64, 16, out=a.x), r"out must be float32 \[2, 288\], not float32 \[2, 300\]"),
    (
        lambda a: istft(a.X, 64, 16, out=a.X.view(np.float32).ravel()[:576].reshape(2, 288)),
        "out must not share memory with X",
    ),
    (lambda a: masked_roundtrip(a.x.astype(np.float64), a.masks, 64, 16), "x must be float32"),
    (lambda a: masked_roundtrip(a.x, a.masks[0], 64, 16), r"masks must be float32 \[2, 19, 33\], not"),
    (lambda a: masked_roundtrip(a.x, a.masks[:, 1:].copy(), 64, 16), r"masks must be float32 \[2, 19, 33\]"),
    (lambda a: masked_roundtrip(a.x, a.masks[:1], 64, 16), r"masks must be float32 \[2, 19, 33\]"),
    (lambda a: masked_roundtrip(a.x, a.masks[None, ..., 1:], 64, 16), r"masks .* \[stems, 2, 19, 33\]"),
    (lambda a: masked_roundtrip(a.x, a.masks[None][:0], 64, 16), r"masks .* not float32 \[0, 2, 19, 33\]"),
    (lambda a: masked_roundtrip(a.x, a.masks.astype(float), 64, 16), "masks must be float32 .* not float64"),
    (lambda a: masked_roundtrip(a.x, a.masks + 0j, 64, 16), "masks must be float32 .* not complex64"),
    (lambda a: masked_roundtrip(a.x, a.masks > 0.5, 64, 16), "masks must be float32 .* not bool"),
    (lambda a: masked_roundtrip(a.x, a.masks.tolist(), 64, 16), "masks must be float32 .* not list"),
    (lambda a: masked_roundtrip(a.x, np.asfortranarray(a.masks), 64, 16), "masks .* must be C-contiguous"),
    (lambda a: masked_roundtrip(a.x, a.masks, 64, 16, out=a.locked), "out .* must be writable"),
    (lambda a: masked_roundtrip(a.x, a.masks, 64, 16, out=a.x), "out shares memory with an input"),
    (
        lambda a: masked_roundtrip(a.x, a.masks, 64, 16, out=a.masks.ravel()[:600].reshape(2, 300)),
        "out shares memory with an input",
    ),
    (lambda a: masked_roundtrip(a.x, a.masks, 64, 16, out=a.x[None]), r"out must be float32 \[2, 300\], not"),
    (lambda a: masked_roundtrip(a.x, a.masks[None], 64, 16, out=a.x), r"out must be float32 \[1, 2, 300\]"),
]


@pytest.mark.parametrize(("call", "says"), REFUSALS)
def test_what_cannot_be_is_refused_by_name_and_rule(good: Any, call: Any, says: str) -> None:
    before = [good.x.copy(), good.X.copy(), good.masks.copy()]
    with pytest.raises(KernelError, match=says):
        call(good)
    for array, was in zip((good.x, good.X, good.masks), before, strict=True):
        np.testing.assert_array_equal(array, was)


def test_inputs_may_be_read_only_and_stay_as_they_are(good: Any) -> None:
    held = [good.x, good.X, good.masks]
    before = [array.copy() for array in held]
    for array in held:
        array.flags.writeable = False
    X, y = np.empty_like(good.X), np.empty_like(good.x)
    assert stft(good.x, np.int64(64), np.int32(16), out=X) is X  # type: ignore[call-overload]
    assert istft(good.X, 64, 16, length=300, out=y) is y
    assert masked_roundtrip(good.x, good.masks, 64, 16, out=y) is y
    for array, was in zip(held, before, strict=True):
        np.testing.assert_array_equal(array, was)
    np.testing.assert_array_equal(X, good.X)


def test_imaginary_parts_that_no_real_signal_has_are_ignored(good: Any) -> None:
    want = istft(good.X, 64, 16)
    good.X.imag[..., [0, -1]] = np.nan
    np.testing.assert_array_equal(istft(good.X, 64, 16), want)


# Threads


@pytest.mark.parametrize(("channels", "stems"), [(1, 1), (2, 3), (3, 2)])
@pytest.mark.parametrize(("hop", "framing"), [(16, "centered"), (63, "stream"), (37, "scipy")])
def test_any_number_of_threads_gives_the_same_bits(channels: int, stems: int, hop: int, framing: Any) -> None:
    x = noise(channels, 40_000)
    found = []
    for threads in (1, 2, 3, 7):
        with use_threads(threads):
            assert (stretches._cuts(x.shape[1], 64) > 1) == (threads > 1)
            X = stft(x, 64, hop, "hamming", framing=framing)
            y = masked_roundtrip(x, masks_for(X, stems), 64, hop, "hamming", framing=framing)
            found.append((X, y, istft(X, 64, hop, "hamming", framing=framing, length=40_000)))
    for arrays in zip(*found, strict=True):
        for array in arrays[1:]:
            np.testing.assert_array_equal(array, arrays[0])


def test_every_job_runs_once_and_a_kernel_inside_one_has_one_thread() -> None:
    done, counts, threads = [], set(), set()
    barrier = threading.Barrier(3)

    def start() -> Any:
        barrier.wait(10)  # all three have begun before any job is done
        threads.add(threading.get_ident())

        def run(job: int) -> None:
            done.append(job)
            counts.add(thread_count())
            with use_threads(8):
                run_jobs(2, lambda: lambda _: counts.add(thread_count()))

        return run

    with use_threads(3):
        run_jobs(50, start)
        assert thread_count() == 3
    assert sorted(done) == list(range(50))
    assert counts == {1}
    assert len(threads) == 3


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_failure_is_raised_when_all_threads_have_stopped(threads: int) -> None:
    before, done = set(threading.enumerate()), []

    def run(job: int) -> None:
        if job == 5:
            raise ZeroDivisionError("job 5")
        time.sleep(0.001)
        done.append(job)

    with use_threads(threads), pytest.raises(ZeroDivisionError, match="job 5"):
        run_jobs(400, lambda: run)
    assert set(threading.enumerate()) == before
    assert 5 not in done
    assert len(done) < 100  # the others saw it, and began no more jobs
    assert thread_count() >= 1  # this thread is no longer taken for a worker
    with use_threads(3):
        assert thread_count() == 3


def test_work_is_done_by_fewer_threads_where_no_more_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, begin = [], threading.Thread.start

    def refuse(self: threading.Thread) -> None:
        begun.append(self)
        if len(begun) > 1:
            raise RuntimeError("can't start new thread")
        begin(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    done: list[int] = []
    with use_threads(4):
        run_jobs(20, lambda: done.append)
    assert sorted(done) == list(range(20))
    assert len(begun) == 2


def test_an_interrupt_waits_for_threads_that_still_use_the_caller_s_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, main, join = set(threading.enumerate()), threading.get_ident(), threading.Thread.join
    taken, release, ended = threading.Event(), threading.Event(), []

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        if not release.is_set():
            release.set()
            raise KeyboardInterrupt
        join(self, timeout)

    def run(job: int) -> None:
        if threading.get_ident() == main:
            taken.wait(10)
            return
        taken.set()
        release.wait(10)
        ended.append(job)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with use_threads(2), pytest.raises(KeyboardInterrupt):
        run_jobs(2, lambda: run)
    assert len(ended) == 1
    assert set(threading.enumerate()) == before


def test_the_environment_sets_threads_and_use_threads_overrides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNBRAID_THREADS", "5")
    assert thread_count() == 5
    with use_threads(2):
        assert thread_count() == 2
    assert thread_count() == 5
    for bad in ("0", "-1", "2.5", "", "two", " 3"):
        monkeypatch.setenv("UNBRAID_THREADS", bad)
        with pytest.raises(KernelError, match=f"UNBRAID_THREADS='{bad}' must be a positive integer"):
            stft(noise(1, 300), 64, 16)
    monkeypatch.delenv("UNBRAID_THREADS")
    assert thread_count() >= 1


@pytest.mark.parametrize("bad", [0, -1, 1.5, "2", None, True])
def test_threads_are_a_count(bad: Any) -> None:
    with pytest.raises(KernelError, match="threads must be an integer of at least 1, not"), use_threads(bad):
        pass


# Silence, denormals, NaN, leaks, memory


@pytest.mark.parametrize(("n_fft", "width"), [(45, 1), (64, 4), (512, 8)])
def test_silence_stays_exact_zeros_and_denormals_stay_small(n_fft: int, width: int) -> None:
    x = np.zeros((3, 5 * n_fft), np.float32)
    X = stft(x, n_fft, n_fft // 4, width=width)
    masks = masks_for(X, 2)
    assert not X.any()
    assert not istft(X, n_fft, n_fft // 4, width=width).any()
    assert not masked_roundtrip(x, masks, n_fft, n_fft // 4, width=width).any()
    x[:] = 1e-40 * noise(*x.shape)
    for y in (
        stft(x, n_fft, n_fft // 4, width=width),
        masked_roundtrip(x, masks, n_fft, n_fft // 4, width=width),
    ):
        assert np.isfinite(y).all()
        assert np.abs(y).max() < 1e-40 * n_fft


@pytest.mark.parametrize(("n_fft", "hop"), [(64, 16), (45, 10)])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_spoils_the_frames_that_hold_it_of_its_pair_alone(
    n_fft: int, hop: int, framing: Any, bad: float
) -> None:
    samples, at = n_fft + 35 * hop, 13
    x, frames = noise(4, samples), frames_of(framing, samples, n_fft, hop, window_of("hamming", n_fft))
    call: Any = {"n_fft": n_fft, "hop": hop, "window": "hamming", "framing": framing}
    X = stft(x, **call)
    masks = masks_for(X, 2)
    y = masked_roundtrip(x, masks, **call)
    x[1, at] = bad
    holds, touched = np.zeros(frames.count, bool), np.zeros(samples, bool)
    for k in range(frames.count):
        n = frames.start + k * hop + np.arange(n_fft)
        holds[k] = at in (np.abs(n) if frames.mirrored else n)
        touched[n[holds[k] & (n >= 0) & (n < samples)]] = True
    bad_X, bad_y = stft(x, **call), masked_roundtrip(x, masks, **call)
    assert not np.isfinite(bad_X[1, holds]).any()
    assert not np.isfinite(bad_y[:, 1, touched]).any()
    np.testing.assert_array_equal(bad_X[:, ~holds], X[:, ~holds])
    np.testing.assert_array_equal(bad_X[2:], X[2:])
    np.testing.assert_array_equal(bad_y[..., ~touched], y[..., ~touched])
    np.testing.assert_array_equal(bad_y[:, 2:], y[:, 2:])


@pytest.mark.parametrize("n_fft", [n for n, _ in NAMED])
def test_a_silent_channel_beside_a_loud_one_gets_less_than_a_135th_decibel_of_it(n_fft: int) -> None:
    x = noise(2, 4 * n_fft)
    x[1] = 0
    X = stft(x, n_fft, n_fft // 4)
    assert np.abs(X[1]).max() < 10 ** (-135 / 20) * np.abs(X[0]).max()
    y = masked_roundtrip(x, masks_for(X, 1)[0], n_fft, n_fft // 4)
    assert np.abs(y[1]).max() < 10 ** (-135 / 20) * np.abs(y[0]).max()


def test_a_roundtrip_needs_less_than_4_mib_beside_its_output() -> None:
    x = noise(2, 20 * 48_000)
    masks, out = np.ones((2, 1 + x.shape[1] // 512, 1025), np.float32), np.empty_like(x)
    masked_roundtrip(x[:, :9000].copy(), masks[:, :18].copy())  # kernels are loaded, tables made
    tracemalloc.start()
    try:
        masked_roundtrip(x, masks, out=out)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20
    np.testing.assert_allclose(out, x, rtol=0, atol=1e-6)
