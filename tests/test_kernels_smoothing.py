"""Averages, minima and noise floors against SciPy, float64 and a noise estimator from outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from unbraid.kernels.arguments import check_count, check_number, check_output
from unbraid.kernels.errors import KernelError
from unbraid.kernels.reference import smoothing as reference
from unbraid.kernels.smoothing import (
    MinimumStatistics,
    MinimumTracker,
    RecursiveAverage,
    smooth_gains,
    suppress_musical_noise,
)

Floats = np.ndarray[Any, np.dtype[np.float32]]


def powers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).exponential(1, shape).astype(np.float32)


def cuts(frames: int, seed: int, longest: int = 6) -> list[slice]:
    """Return random slices, some of them empty, that cover the frames."""
    random, at, slices = np.random.default_rng(seed), 0, []
    while at < frames:
        n = int(random.integers(0, longest))
        slices.append(slice(at, min(at + n, frames)))
        at += n
    return slices


def in_pieces(node: Any, x: Floats, seed: int, longest: int = 6) -> Floats:
    """Feed a fresh node piece by piece, every other piece into an output of our own."""
    node.reset()
    out = np.full_like(x, -1)
    for k, part in enumerate(cuts(x.shape[1], seed, longest)):
        piece = np.ascontiguousarray(x[:, part])
        out[:, part] = node.process(piece, np.empty_like(piece)) if k % 2 else node.process(piece)
    return out


# Recursive average


@pytest.mark.parametrize("seconds", [0.003, 0.1, 30.0])
def test_equal_times_make_scipy_s_one_pole_filter(seconds: float) -> None:
    x = powers(2, 300, 17)
    got = RecursiveAverage(2, 17, 93.75, seconds, seconds).process(x)
    a = np.exp(-1 / (seconds * 93.75))
    want = scipy.signal.lfilter([1 - a], [1, -a], x.astype(np.float64), axis=1)
    np.testing.assert_allclose(got, want, rtol=2e-7)


def test_after_its_time_constant_a_step_has_covered_63_percent() -> None:
    x = np.concatenate([np.ones((1, 200, 1), np.float32), np.zeros((1, 200, 1), np.float32)], axis=1)
    got = RecursiveAverage(1, 1, 100, attack=0.2, release=0.5).process(x)[0, :, 0]
    assert got[19] == pytest.approx(1 - np.exp(-1), rel=1e-6)
    assert got[200 + 49] == pytest.approx(got[199] * np.exp(-1), rel=1e-6)


@given(
    seed=st.integers(0, 999),
    bins=st.integers(1, 70),
    initial=st.sampled_from([0.0, 2.5, None]),
    times=st.sampled_from([(0.0, 0.0), (0.0, 0.1), (0.02, 0.5), (1.0, 0.0)]),
)
def test_rise_and_fall_are_those_of_the_definition_for_any_cut(
    seed: int, bins: int, initial: float | None, times: tuple[float, float]
) -> None:
    x = powers(2, 20, bins, seed=seed)
    node = RecursiveAverage(2, bins, 50, *times, initial=initial)
    whole = node.process(x)
    rise, fall = (np.exp(-1 / (50 * s)) if s else 0.0 for s in times)
    np.testing.assert_allclose(whole, reference.recursive_average(x, rise, fall, initial), rtol=2e-7)
    np.testing.assert_array_equal(in_pieces(node, x, seed), whole)


def test_an_average_that_fades_becomes_zero_not_denormal() -> None:
    node = RecursiveAverage(1, 9, 100, 0.0, 0.05)
    got = node.process(np.concatenate([powers(1, 1, 9), np.zeros((1, 500, 9), np.float32)], axis=1))
    assert np.all((got == 0) | (got > 1e-31))
    assert np.all(node._state == 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_leaves_the_average_where_it_was(bad: float) -> None:
    x = powers(1, 10, 33)
    x[0, 4, 5], x[0, 0, 6] = bad, bad
    got = RecursiveAverage(1, 33, 50, 0.1, 0.2).process(x)
    assert got[0, 4, 5] == got[0, 3, 5]
    assert got[0, 0, 6] == 0
    skipped = RecursiveAverage(1, 1, 50, 0.1, 0.2).process(np.delete(x[:, :, 5:6], 4, axis=1))
    np.testing.assert_array_equal(np.delete(got[:, :, 5:6], 4, axis=1), skipped)
    started = RecursiveAverage(1, 33, 50, 0.1, 0.2, initial=None).process(x)
    assert np.isnan(started[0, 0, 6])
    assert started[0, 1, 6] == x[0, 1, 6]
    assert np.count_nonzero(np.isnan(started)) == 1


# Sliding minimum


@given(
    seed=st.integers(0, 999), frames=st.integers(0, 40), bins=st.integers(1, 70), length=st.integers(1, 12)
)
def test_minima_are_exact_for_any_window_and_any_cut(seed: int, frames: int, bins: int, length: int) -> None:
    x = powers(2, frames, bins, seed=seed)
    node = MinimumTracker(2, bins, length)
    whole = node.process(x)
    if frames:
        np.testing.assert_array_equal(whole, reference.minimum(x, length))
    np.testing.assert_array_equal(in_pieces(node, x, seed, longest=2 * length), whole)


def test_minima_are_scipy_s() -> None:
    x = powers(1, 500, 12)
    got = MinimumTracker(1, 12, 96).process(x)
    want = scipy.ndimage.minimum_filter1d(x, 96, axis=1, origin=47, mode="constant", cval=np.inf)
    np.testing.assert_array_equal(got, want)


def test_what_is_not_finite_is_never_the_minimum() -> None:
    x = np.array([3, np.nan, -np.inf, np.inf, np.nan, np.nan, 1e-45, 5, 6, 0], np.float32).reshape(1, -1, 1)
    got = MinimumTracker(1, 1, 3).process(x).ravel()
    want = [3, 3, 3, np.inf, np.inf, np.inf, 1e-45, 1e-45, 1e-45, 0]
    np.testing.assert_array_equal(got, np.array(want, np.float32))


# Minimum statistics


def golden_power() -> Floats:
    t, k = np.mgrid[0:320, 0:9]
    uniform = (np.sin(12.9898 * (t + 1) + 78.233 * k) * 43758.5453) % 1.0
    x: Floats = (-np.log(1 - uniform) * (1 + k)).astype(np.float32)
    x[120:150, 2:5] *= 50
    x[200:] *= 4
    return x


#: Bins 0, 3 and 8 after some frames, by VOICEBOX's `estnoisem` (its Python port pyvoicebox-sap 0.1.1), its
#: rounded time constants replaced by those that are exact for 16 ms.
GOLDEN = {
    0: [2.54709, 2.17822, 32.5797],
    5: [1.75432, 4.39373, 17.678],
    11: [1.12557, 4.39373, 11.5961],
    13: [1.12557, 4.39373, 11.5961],
    60: [0.71149, 2.61945, 8.45217],
    119: [0.660093, 3.45658, 6.71621],
    149: [0.78617, 3.66183, 6.71621],
    199: [1.08089, 3.76274, 8.33479],
    230: [1.18786, 3.80402, 8.84509],
    319: [3.72105, 12.3483, 34.8295],
}


def test_noise_floors_are_those_of_voicebox() -> None:
    got = MinimumStatistics(1, 9, 62.5).process(golden_power()[None])[0]
    for frame, values in GOLDEN.items():
        np.testing.assert_allclose(got[frame, [0, 3, 8]], values, rtol=1e-5)


@pytest.mark.parametrize(
    ("rate", "window", "parts", "length"),
    [(62.5, 1.536, 8, 12), (93.75, 1.536, 8, 18), (40.0, 0.5, 3, 7), (25.0, 0.3, 8, 4), (200.0, 3.0, 1, 600)],
)
def test_noise_floors_are_martin_s_at_any_rate_and_window(
    rate: float, window: float, parts: int, length: int
) -> None:
    x = powers(2, 420, 33, seed=3) * np.linspace(1, 40, 33, dtype=np.float32)
    x[0, 100:160, 5:20] *= 100
    x[1, 250:] *= 5
    node = MinimumStatistics(2, 33, rate, window=window, sub_windows=parts)
    kept = node.window_frames // length
    assert node.window_frames == kept * length
    assert abs(node.window_frames / rate - window) <= 0.5 * max(length, kept) / rate
    got = node.process(x)
    for c in range(2):
        want = reference.minimum_statistics(x[c], rate, kept, length)
        np.testing.assert_allclose(got[c], want, rtol=1e-6)


@given(seed=st.integers(0, 999), bins=st.integers(1, 140))
def test_noise_floors_do_not_depend_on_the_cut(seed: int, bins: int) -> None:
    x = powers(2, 70, bins, seed=seed)
    node = MinimumStatistics(2, bins, 62.5, window=0.4, sub_windows=3)
    whole = node.process(x)
    np.testing.assert_array_equal(in_pieces(node, x, seed, longest=12), whole)


@pytest.mark.parametrize("level", [1e-12, 1.0, 1e12])
def test_stationary_noise_is_found_without_bias_at_any_level(level: float) -> None:
    x = powers(1, 700, 257, seed=8) * np.float32(level)
    got = MinimumStatistics(1, 257, 62.5).process(x)[0, 200:]
    assert got.mean() / level == pytest.approx(1, abs=0.1)


def test_speech_that_comes_and_goes_hardly_moves_the_floor_and_louder_noise_does() -> None:
    x = powers(1, 900, 129, seed=9)
    for start in range(200, 500, 60):
        x[0, start : start + 30, 20:60] *= 300
    x[0, 600:] *= 4
    got = MinimumStatistics(1, 129, 62.5).process(x)[0]
    assert got[200:500, 20:60].mean() < 2
    assert got[600 + 2 * 96 :].mean() == pytest.approx(4, rel=0.15)


def test_digital_silence_is_a_floor_of_zero_and_what_follows_is_found() -> None:
    node = MinimumStatistics(1, 33, 62.5)
    assert np.all(node.process(np.zeros((1, 300, 33), np.float32)) == 0)
    got = node.process(powers(1, 400, 33))
    assert np.all(np.isfinite(got))
    assert got[0, 200:].mean() == pytest.approx(1, abs=0.15)


def test_a_floor_that_fades_away_never_becomes_denormal() -> None:
    node, frame = MinimumStatistics(1, 33, 62.5), np.zeros((1, 1, 33), np.float32)
    node.process(powers(1, 50, 33))
    for _ in range(1500):
        node.process(frame)
        state = np.concatenate([node._state[:, :1], node._state[:, 8:]], axis=1)
        assert np.all((state == 0) | (np.abs(state) > 1e-61))
    assert np.all(node.process(frame) == 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_power_that_is_not_finite_does_not_poison_the_floor(bad: float) -> None:
    x = powers(1, 500, 33, seed=4)
    clean = MinimumStatistics(1, 33, 62.5).process(x)
    x[0, 0, 3], x[0, 150, 4], x[0, 151] = bad, bad, bad
    got = MinimumStatistics(1, 33, 62.5).process(x)
    assert np.all(np.isfinite(got))
    np.testing.assert_allclose(got[0, 300:].mean(), clean[0, 300:].mean(), rtol=0.05)


def test_a_reset_node_is_like_a_fresh_one() -> None:
    x = powers(1, 150, 9)
    average = RecursiveAverage(1, 9, 50, 0.1, 1, initial=None)
    for node in (average, MinimumTracker(1, 9, 40), MinimumStatistics(1, 9, 62.5)):
        first = node.process(x)
        assert not np.array_equal(node.process(x), first)
        node.reset()
        np.testing.assert_array_equal(node.process(x), first)


# Over frequency


@given(seed=st.integers(0, 999), bins=st.integers(1, 90), half=st.integers(0, 100), triangle=st.booleans())
def test_smoothing_is_a_weighted_mean_of_the_bins_that_exist(
    seed: int, bins: int, half: int, triangle: bool
) -> None:
    gains = powers(2, 3, bins, seed=seed)
    offsets = np.arange(-half, half + 1)
    weights = half + 1.0 - np.abs(offsets) if triangle else np.ones(2 * half + 1)
    got = smooth_gains(gains, half, weights="triangle" if triangle else "rectangle")
    np.testing.assert_allclose(got, reference.smooth_gains(gains, weights), rtol=3e-6)
    for t in range(3):
        one = smooth_gains(
            np.ascontiguousarray(gains[:, t : t + 1]), half, weights="triangle" if triangle else "rectangle"
        )
        np.testing.assert_array_equal(one, got[:, t : t + 1])


def test_away_from_the_ends_smoothing_is_scipy_s() -> None:
    gains = powers(1, 2, 300)
    want = scipy.ndimage.uniform_filter1d(gains.astype(np.float64), 21, axis=2)
    np.testing.assert_allclose(smooth_gains(gains, 10)[:, :, 10:-10], want[:, :, 10:-10], rtol=3e-6)


@pytest.mark.parametrize("weights", ["rectangle", "triangle"])
@pytest.mark.parametrize("half", [0, 1, 10, 4000])
def test_a_constant_stays_a_constant_to_the_ends(weights: str, half: int) -> None:
    got = smooth_gains(np.ones((1, 1, 513), np.float32), half, weights=weights)
    np.testing.assert_array_equal(got, np.float32(1))


def test_nan_reaches_as_far_as_the_weights() -> None:
    gains = np.ones((1, 2, 40), np.float32)
    gains[0, 0, 20] = np.nan
    got = smooth_gains(gains, 3)
    assert np.flatnonzero(np.isnan(got[0, 0])).tolist() == list(range(17, 24))
    assert np.all(got[0, 1] == 1)


def test_esch_s_and_vary_s_window_grows_as_less_power_is_left() -> None:
    # Of 41 bins one keeps its power, so zeta = 1 / 41 and N = 2 round(10 (1 - 1 / 41 / 0.4)) + 1 = 19.
    gains = np.zeros((1, 4, 41), np.float32)
    power = np.ones_like(gains)
    gains[0, 0, 20] = 1
    # Eight keep theirs: zeta = 8 / 41, N = 2 round(5.12) + 1 = 11. Seventeen: above the threshold.
    gains[0, 1, ::5][:8] = 1
    gains[0, 2, ::2][:17] = 1
    power[0, 3] = 0
    gains[0, 3, 7] = 0.3
    got = suppress_musical_noise(gains, power)
    np.testing.assert_allclose(got[0, 0], [1 / 19 if 11 <= k <= 29 else 0 for k in range(41)], atol=1e-8)
    np.testing.assert_allclose(got[0, 1, 20], gains[0, 1, 15:26].sum() / 11, rtol=1e-6)
    np.testing.assert_array_equal(got[0, 2:], gains[0, 2:])


@given(seed=st.integers(0, 999), bins=st.integers(1, 200), level=st.floats(0.01, 1), half=st.integers(0, 30))
def test_musical_noise_suppression_is_that_of_the_paper(
    seed: int, bins: int, level: float, half: int
) -> None:
    rng = np.random.default_rng(seed)
    gains, power = (level * rng.uniform(0, 1, (2, 3, bins))).astype(np.float32), powers(2, 3, bins, seed=seed)
    got = suppress_musical_noise(gains, power, threshold=0.5, half_width=half)
    want = reference.suppress_musical_noise(gains, power, 0.5, half)
    np.testing.assert_allclose(got, want, rtol=3e-6)


def test_a_frame_with_nan_keeps_its_gains() -> None:
    gains, power = np.full((1, 2, 9), 0.1, np.float32), np.ones((1, 2, 9), np.float32)
    gains[0, :, 4] = 0.5
    power[0, 1, 2] = np.nan
    got = suppress_musical_noise(gains, power)
    assert got[0, 0, 4] < 0.5
    np.testing.assert_array_equal(got[0, 1], gains[0, 1])


# Arguments

P: Any = np.ones((2, 3, 5), np.float32)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: RecursiveAverage(0, 5, 50, 1, 1), "channels must be an integer from 1 to 65536, not 0"),
        (lambda: RecursiveAverage(1, 5.0, 50, 1, 1), "bins must be an integer"),  # type: ignore[arg-type]
        (lambda: RecursiveAverage(1, True, 50, 1, 1), "bins must be an integer"),
        (lambda: RecursiveAverage(1, 5, 0, 1, 1), "frame_rate must be a number"),
        (lambda: RecursiveAverage(1, 5, 50, -1, 1), "attack must be a number from 0 to 1e"),
        (lambda: RecursiveAverage(1, 5, 50, 1, np.nan), "release must be a number"),
        (lambda: RecursiveAverage(1, 5, 50, 1, 1, initial=np.inf), "initial must be a number"),
        (lambda: MinimumTracker(1, 5, 0), "length must be an integer from 1"),
        (lambda: MinimumTracker(1, 5, "3"), "length must be an integer"),  # type: ignore[arg-type]
        (lambda: MinimumStatistics(1, 5, 0.5), "frame_rate must be a number from 1 to 10000"),
        (lambda: MinimumStatistics(1, 5, 50, window=0), "window must be a number"),
        (lambda: MinimumStatistics(1, 5, 50, sub_windows=0), "sub_windows must be an integer from 1 to 100"),
        (lambda: smooth_gains(P.astype(np.float64), 1), "gains must be float32"),
        (
            lambda: smooth_gains(P[0], 1),
            r"gains must be float32 \[channels, any, bins\], not float32 \[3, 5\]",
        ),
        (lambda: smooth_gains(P, -1), "half_width must be an integer from 0 to 4000"),
        (lambda: smooth_gains(P, 4001), "half_width must be"),
        (
            lambda: smooth_gains(P, 1, weights="hann"),
            "weights must be one of rectangle, triangle, not 'hann'",
        ),
        (lambda: smooth_gains(P, 1, out=P), "out shares memory with an input"),
        (lambda: suppress_musical_noise(P, P[:1]), r"power must be float32 \[2, 3, 5\]"),
        (lambda: suppress_musical_noise(P, P, threshold=0), "threshold must be a number"),
        (lambda: suppress_musical_noise(P, P, half_width=1.5), "half_width must be"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_worked_on_is_refused(call: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        call()


@pytest.mark.parametrize(
    "node",
    [RecursiveAverage(2, 5, 50, 0.1, 0.2), MinimumTracker(2, 5, 4), MinimumStatistics(2, 5, 50)],
    ids=lambda node: type(node).__name__,
)
def test_streams_refuse_arrays_that_do_not_fit_and_take_no_frames(node: Any) -> None:
    for bad in (P[:1], P[:, :, :4].copy(), P[:, :, ::-1], P.astype(np.float64), P[0], None, P.astype(">f4")):
        with pytest.raises(KernelError, match="power"):
            node.process(bad)
    read_only = np.empty_like(P)
    read_only.flags.writeable = False
    for bad in (P, P.astype(np.float64), np.empty((2, 4, 5), np.float32), read_only, [1]):
        with pytest.raises(KernelError, match="out"):
            node.process(P, bad)
    out = np.empty_like(P)
    assert node.process(P, out) is out
    assert node.process(P[:, :0].copy()).shape == (2, 0, 5)


def test_checks_return_what_they_let_through() -> None:
    assert (check_number("x", np.float32(0.5), 0, 1), check_count("n", np.int64(3), 1, 4)) == (0.5, 3)
    out = np.empty((2, 3), np.float32)
    assert check_output("out", out, (2, 3), P) is out
    assert check_output("out", None, (2, 3)).shape == (2, 3)
