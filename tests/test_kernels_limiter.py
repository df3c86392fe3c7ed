"""The limiter against its float64 reference and meters; any cut, same bits; without need, bits stay."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_recordings import find, read

from unbraid.host.contract.compiled import Compiled
from unbraid.kernels.errors import KernelError
from unbraid.kernels.limiter import LEAST_LOOKAHEAD, LimiterState
from unbraid.kernels.program import call_once
from unbraid.kernels.reference import limiter as reference
from unbraid.kernels.reference.loudness import true_peak
from unbraid.kernels.true_peak import oversampling

RATE = 48000
Array = np.ndarray[Any, np.dtype[np.float32]]


def limiter(channels: int = 1, rate: int = RATE, **settings: Any) -> LimiterState:
    return LimiterState(channels, rate, **{"ceiling": -1.0, "lookahead": 240, "release": 0.08} | settings)


def run(
    state: LimiterState, x: Array, cuts: tuple[int, ...] = (1 << 30,), outputs: int | None = None
) -> Array:
    """Signals ``[signals, channels, n]`` through it, its latency taken off."""
    x = np.concatenate([x, np.zeros((*x.shape[:2], state.latency), np.float32)], axis=2)
    parts, at, turn = [], 0, 0
    while at < x.shape[2]:
        n = min(cuts[turn % len(cuts)], x.shape[2] - at)
        ins = [np.ascontiguousarray(signal[:, at : at + n]) for signal in x]
        outs = [np.full_like(ins[0], np.nan) for _ in range(len(x) if outputs is None else outputs)]
        call_once(Compiled(state.function, state.address, state), ins, outs)
        parts.append(np.stack(outs))
        at, turn = at + n, turn + 1
    return np.concatenate(parts, axis=2)[:, :, state.latency :]


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def level(magnitude: float) -> float:
    return 20 * math.log10(magnitude)


@given(
    seed=st.integers(0, 999),
    rate=st.sampled_from([8000, 44100, 96000, 192000, 384000]),
    ceiling=st.floats(-30, 0),
    lookahead=st.integers(LEAST_LOOKAHEAD, 300),
    release=st.floats(1e-4, 0.1),
)
@example(seed=84, rate=8000, ceiling=0.0, lookahead=24, release=0.0625)  # peaks before its first sample
@settings(max_examples=25)
def test_it_does_what_the_reference_does_however_it_is_cut(
    seed: int, rate: int, ceiling: float, lookahead: int, release: float
) -> None:
    random = np.random.default_rng(seed)
    signals, channels = int(random.integers(1, 4)), int(random.integers(1, 4))
    swell = np.repeat(10 ** random.uniform(-2, 0.5, 12), 200)
    x = (swell * noise(signals, channels, len(swell), seed=seed)).astype(np.float32)
    terms: dict[str, Any] = {"ceiling": ceiling, "lookahead": lookahead, "release": release}
    state = limiter(channels, rate, signals=signals, **terms)
    got = run(state, x)
    want = reference.limited(x.astype(np.float64), rate, oversampling(rate), **terms)
    assert np.abs(got - want).max() < 1e-5
    state.reset()
    cuts = tuple(map(int, [*random.choice([0, 1, 2, 15, 16, 17, 255, 256, 257, 700], 5), 3]))
    assert np.array_equal(run(state, x, cuts), got)


def programmes() -> dict[str, Array]:
    n, random = np.arange(16000), np.random.default_rng(5)
    quarter = 2 * np.sin(2 * np.pi * (n / 4 + 1 / 8))
    return {
        "noise": 2 * random.standard_normal(len(n)),
        "bursts": np.where(random.random(len(n)) < 0.001, 8, 0.1) * random.standard_normal(len(n)),
        "impulses": np.where(n % 997 == 5, 4.0, 0.01),
        "square": 2 * np.sign(np.sin(2 * np.pi * 440 / RATE * n)),
        "a quarter of the rate": quarter,
        "nearly": 2 * np.sin(2 * np.pi * 0.2503 * n),
        "20 kHz": 2 * np.sin(2 * np.pi * 20000 / RATE * n),
        "steps": np.where(n // 1500 % 2, 3, 0.2) * quarter,
    }


@pytest.mark.parametrize("name", programmes())
@pytest.mark.parametrize(("lookahead", "release"), [(24, 0.001), (24, 0.08), (240, 0.08)])
def test_peaks_keep_to_the_ceiling(name: str, lookahead: int, release: float) -> None:
    x = programmes()[name].astype(np.float32)[None, None]
    y = run(limiter(lookahead=lookahead, release=release), x)[0]
    assert level(np.abs(y).max()) <= -1
    assert -4.1 < level(true_peak(y.astype(np.float64), 8)) < -1 + 0.05  # of 0.1 dB that are promised


@pytest.mark.parametrize("name", ["german", "water"])
def test_recordings_keep_to_the_ceiling_and_are_themselves_below_it(name: str) -> None:
    x = read(find(name), "float32").T[None, :, : 3 * 44100]
    x = np.ascontiguousarray(x / np.abs(x).max())
    state = limiter(x.shape[1], 44100, ceiling=-6.0)
    y = run(state, x)
    assert level(true_peak(y[0].astype(np.float64), 8)) == pytest.approx(-6, abs=0.1)
    assert 5.9 < state.largest_reduction < 8
    louder = np.flatnonzero(np.abs(x[0]).max(axis=0) > 0.4)
    gap = slice(0, louder[0] - 300)
    assert np.array_equal(y[0, :, gap], x[0, :, gap])


def test_where_no_peak_is_too_high_every_bit_stays() -> None:
    x = 0.3 * noise(2, 3, 30000)  # between samples, at most 2.4 times the sum of two
    state = limiter(3, signals=2)
    assert np.array_equal(run(state, x, (500, 77)), x)
    assert state.largest_reduction == 0


def test_after_a_peak_the_gain_comes_back_to_1_and_every_bit_stays() -> None:
    x = 0.1 * noise(1, 1, 60000)
    x[0, 0, 1000] = 4
    y = run(limiter(release=0.02), x)
    changed = np.flatnonzero(x != y)
    assert changed[0] >= 999 - 240  # no sooner than a look-ahead before what rises from 999 on
    assert 1000 in changed
    assert changed[-1] < 1000 + 240 + 14 * 0.02 * RATE  # e^-14 is 1e-6
    assert np.array_equal(x[..., 20000:], y[..., 20000:])


def test_the_release_is_the_time_in_which_63_percent_of_the_reduction_goes() -> None:
    x = np.full((1, 1, 60000), 0.25, np.float32)
    x[0, 0, 5000] = 2
    lack = 1 - run(limiter(ceiling=-2.0, lookahead=48, release=0.1), x)[0, 0] / 0.25
    top = 1 - 10 ** (-2 / 20) / 2
    assert lack[4999] == pytest.approx(top, rel=0.01)
    assert lack[5000 + 4800 + 24] / top == pytest.approx(math.exp(-1), rel=0.02)


def test_all_channels_and_stems_get_one_gain_the_lfe_s_too() -> None:
    x = 0.1 * noise(2, 6, 4000)
    x[0, 3, 2000] = x[1, 3, 2000] = 1.5  # the LFE channel; neither stem alone exceeds by so much
    y = run(limiter(6, signals=2), x)
    gain = (y / x)[:, :, 1990:2010]
    assert np.ptp(gain, axis=(0, 1)).max() < 1e-6
    assert gain.min() == pytest.approx(10 ** (-1 / 20) / 3, rel=1e-4)
    assert level(np.abs(y.sum(axis=0)).max()) <= -1 + 1e-5


def test_an_output_that_nobody_wants_changes_nothing_in_the_others() -> None:
    x = noise(3, 2, 5000)
    whole = run(limiter(2, signals=3), x)
    assert np.array_equal(run(limiter(2, signals=3, outputs=[2, 0]), x, outputs=2), whole[[2, 0]])


def test_a_new_ceiling_counts_for_peaks_still_to_come() -> None:
    x, state = np.ones((1, 1, 4000), np.float32), limiter(release=0.001)
    call = Compiled(state.function, state.address, state)
    first, second = np.empty((1, 4000), np.float32), np.empty((1, 4000), np.float32)
    call_once(call, [x[0]], [first])
    state.change(ceiling=-6.0, release=0.001)
    call_once(call, [x[0]], [second])
    assert level(float(first[0, -1])) == pytest.approx(-1, abs=1e-4)
    assert level(float(second[0, state.latency])) == pytest.approx(-6, abs=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_not_finite_is_silence_to_the_gain_and_passes(bad: float) -> None:
    x = 2 * noise(1, 1, 5000)
    x[0, 0, 2000] = 0
    want = run(limiter(), x)
    x[0, 0, 2000] = bad
    got = run(limiter(), x)
    assert not np.isfinite(got[0, 0, 2000])
    got[0, 0, 2000] = 0
    assert np.array_equal(got, want)


def test_the_largest_floats_become_no_nan_and_are_forgotten() -> None:
    x = np.zeros((1, 1, 60000), np.float32)
    x[0, 0, 100:200] = 3.4e38 * np.sign(noise(100))
    x[0, 0, 200:] = 0.1
    y = run(limiter(release=0.01), x)
    assert np.isfinite(y).all()
    assert np.abs(y).max() <= 10 ** (-1 / 20)
    assert np.array_equal(y[0, 0, 20000:], x[0, 0, 20000:])


def test_the_longest_averages_hold_the_largest_reduction() -> None:
    x = np.full((1, 1, 300000), 1e6, np.float32)
    x[0, 0, :500] *= np.linspace(0, 1, 500, dtype=np.float32)
    y = run(limiter(lookahead=1 << 17), x)
    assert level(y[0, 0, 150000]) == pytest.approx(-1, abs=0.01)


def test_reset_forgets_everything() -> None:
    x, state = 3 * noise(2, 2, 4000), limiter(2, signals=2)
    first = run(state, x)
    state.reset()
    assert state.largest_reduction == 0
    assert np.array_equal(run(state, x), first)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"channels": 0}, "channels must be an integer from 1 to 1024"),
        ({"rate": 4000}, "rate must be an integer from 8000"),
        ({"lookahead": 10}, "lookahead must be an integer from 24"),
        ({"release": 0}, "release must be a number"),
        ({"ceiling": math.nan}, "ceiling must be a number"),
        ({"signals": 2, "outputs": [1, 1]}, "outputs must name each signal once"),
        ({"outputs": [1]}, "outputs must be an integer from 0 to 0"),
    ],
)
def test_a_limiter_that_cannot_be_names_the_rule(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(KernelError, match=says):
        limiter(**settings)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg")
def test_ffmpeg_reads_the_ceiling(tmp_path: Path) -> None:
    x = read(find("water"), "float32").T[None, :, : 5 * 44100]
    y = run(limiter(2, 44100, ceiling=-9.0), np.ascontiguousarray(x / np.abs(x).max()))[0]
    soundfile.write(tmp_path / "y.wav", y.T, 44100, "FLOAT")
    call = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(tmp_path / "y.wav"), "-af", "ebur128=peak=true"]
    done = subprocess.run([*call, "-f", "null", "-"], capture_output=True, text=True, check=True, timeout=120)
    found = re.search(r"Peak:\s+(-?[\d.]+)", done.stderr.rpartition("Summary:")[2])
    assert found is not None
    assert float(found[1]) == pytest.approx(-9, abs=0.1)
