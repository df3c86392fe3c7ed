"""Kernels against float64 references from outside: SciPy's STFT and filters, and plain NumPy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from unbraid.host.contract import Compiled
from unbraid.kernels import nodes
from unbraid.kernels.fifo import Fifo
from unbraid.kernels.pcm import first_non_finite, interleave, quantise
from unbraid.kernels.program import CompiledCallError, Program, call_once, node_signature
from unbraid.kernels.windows import dual_window, root_hann
from unbraid.plugins.filters import butterworth


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def cut(length: int, seed: int) -> list[int]:
    """Return random block lengths, some of them 0, that add up to ``length``."""
    random, left, blocks = np.random.default_rng(seed), length, []
    while left:
        blocks.append(min(left, int(random.integers(0, 700))))
        left -= blocks[-1]
    return blocks


def call(state: nodes.NodeState, ins: list[Any], outs: list[Any]) -> None:
    call_once(SimpleNamespace(address=state.function, state=state.address), ins, outs)


# Windows


@pytest.mark.parametrize(
    ("n_fft", "hop"), [(2048, 512), (2048, 1024), (960, 480), (882, 441), (1000, 300), (64, 7)]
)
def test_window_and_dual_add_up_to_one_at_every_sample(n_fft: int, hop: int) -> None:
    window = root_hann(n_fft)
    product = window * dual_window(window, hop)
    total = np.zeros(hop)
    for n in range(n_fft):
        total[n % hop] += product[n]
    np.testing.assert_allclose(total, 1, atol=1e-12)


def test_the_dual_of_half_overlapped_root_hann_is_itself() -> None:
    window = root_hann(512)
    np.testing.assert_allclose(dual_window(window, 256), window, atol=1e-12)


@pytest.mark.parametrize("hop", [0, 513, -1])
def test_a_hop_that_cannot_be_is_refused(hop: int) -> None:
    with pytest.raises(ValueError, match="hop must be 1 to n_fft = 512"):
        dual_window(root_hann(512), hop)


def test_a_window_that_leaves_a_sample_without_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller hop"):
        dual_window(root_hann(512), 512)


# Compiled nodes


def _stream(state: nodes.NodeState, x: Any, seed: int, channels: int | None = None) -> Any:
    out, at = np.empty((channels or x.shape[0], x.shape[1]), np.float32), 0
    for n in cut(x.shape[1], seed):
        piece = np.empty((out.shape[0], n), np.float32)
        call(state, [np.ascontiguousarray(x[:, at : at + n])], [piece])
        out[:, at : at + n] = piece
        at += n
    return out


@pytest.mark.parametrize("kind", ["highpass", "lowpass"])
@pytest.mark.parametrize("order", [1, 2, 4, 8])
@pytest.mark.parametrize(
    ("frequency", "rate"), [(80.0, 48000), (3000.0, 44100), (10.0, 192000), (7000.0, 16000)]
)
def test_butterworth_sections_are_scipy_s(kind: Any, order: int, frequency: float, rate: int) -> None:
    x = noise(2, 6000, seed=4)
    want = scipy.signal.sosfilt(
        scipy.signal.butter(order, frequency, kind, fs=rate, output="sos"), x.astype(float)
    )
    got = _stream(nodes.BiquadState(2, butterworth(kind, order, frequency, rate)), x, seed=5)
    np.testing.assert_allclose(got, want, atol=2e-7 * max(1.0, float(np.abs(want).max())))


def test_the_corner_lies_3_db_down() -> None:
    sections = butterworth("highpass", 4, 1000.0, 48000)
    sos = np.insert(sections, 3, 1.0, axis=1)
    _, response = scipy.signal.sosfreqz(sos, worN=[1000.0], fs=48000)
    assert 20 * np.log10(abs(response[0])) == pytest.approx(10 * np.log10(0.5), abs=1e-9)


def test_a_filter_s_silence_never_becomes_denormal() -> None:
    state = nodes.BiquadState(1, butterworth("lowpass", 2, 1000.0, 48000))
    _stream(state, np.pad(np.ones((1, 10), np.float32), ((0, 0), (0, 100000))), seed=1)
    assert np.all((state.memory == 0) | (np.abs(state.memory) > 1e-30))
    assert np.all(state.memory == 0)


@given(length=st.integers(1, 900), seed=st.integers(0, 99))
def test_delay_shifts_by_its_length_for_any_cut(length: int, seed: int) -> None:
    x = noise(2, 2000, seed=6)
    got = _stream(nodes.DelayState(2, length), x, seed)
    np.testing.assert_array_equal(got, np.pad(x, ((0, 0), (length, 0)))[:, :2000])


def test_mix_subtract_and_copy_do_what_numpy_does() -> None:
    a, b, c = noise(2, 500, seed=1), noise(2, 500, seed=2), noise(2, 500, seed=3)
    gains = np.array([0.3, -1.7, 0.9], np.float32)
    out = np.empty_like(a)
    call(nodes.MixState(2, gains), [a, b, c], [out])
    np.testing.assert_array_equal(out, gains[0] * a + gains[1] * b + gains[2] * c)
    call(nodes.SubtractState(2, 3), [a, b, c], [out])
    np.testing.assert_array_equal(out, a - b - c)
    call(nodes.CopyState([3, 0]), [a, b], [out])
    np.testing.assert_array_equal(out, np.stack([b[1], a[0]]))


def test_a_program_stops_at_the_row_that_fails_and_says_which() -> None:
    from numba import cfunc

    @cfunc(node_signature())
    def fail(state: Any, ins: Any, outs: Any, n: Any) -> Any:
        return -7

    x, out = noise(1, 4), np.zeros((1, 4), np.float32)
    state = nodes.MixState(1, np.ones(1, np.float32))
    good, bad = Compiled(state.function, state.address, state), Compiled(int(fail.address or 0), 0, fail)
    with pytest.raises(CompiledCallError) as caught:
        Program((compiled, [x], [out]) for compiled in (good, bad, good)).run(4)
    assert (caught.value.row, caught.value.code) == (1, -7)
    np.testing.assert_array_equal(out, x)


# PCM


@given(
    values=st.lists(st.floats(-1.5, 1.5, width=32), min_size=1, max_size=40),
    bits=st.sampled_from([16, 24, 32]),
)
def test_quantising_rounds_to_the_nearest_and_counts_what_does_not_fit(
    values: list[float], bits: int
) -> None:
    x = np.array([values], np.float32)
    got, clipped = quantise(x, bits)
    exact = np.rint(x[0].astype(np.float64) * 2.0 ** (bits - 1))
    low, high = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
    np.testing.assert_array_equal(got[:, 0] >> (32 - bits), np.clip(exact, low, high).astype(np.int64))
    assert clipped == np.count_nonzero((exact < low) | (exact > high))


def test_every_24_bit_value_survives_float32() -> None:
    values = np.arange(-(2**23), 2**23, 977, dtype=np.int64)
    got, clipped = quantise((values / 2.0**23).astype(np.float32)[None], 24)
    np.testing.assert_array_equal(got[:, 0] >> 8, values)
    assert clipped == 0


@given(
    at=st.integers(0, 299),
    channel=st.integers(0, 2),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_the_first_non_finite_sample_is_found(at: int, channel: int, bad: float) -> None:
    x = noise(3, 300) * np.float32(3e38)
    assert first_non_finite(x) == -1
    x[channel, at] = bad
    x[:, 299] = bad
    assert first_non_finite(x) == at


def test_interleaving_is_a_transpose() -> None:
    x = noise(3, 50)
    np.testing.assert_array_equal(interleave(x), x.T)


# FIFO


@given(sizes=st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 9000)), max_size=30))
def test_a_fifo_gives_back_what_it_got_in_order(sizes: list[tuple[int, int]]) -> None:
    fifo, given_out, pushed = Fifo(1), 0, 0
    for push, pull in sizes:
        fifo.push(np.arange(pushed, pushed + push, dtype=np.float32)[None])
        pushed += push
        out = np.empty((1, pull), np.float32)
        enough = pull <= pushed - given_out
        assert fifo.pull(out) == enough
        if enough:
            np.testing.assert_array_equal(out[0], np.arange(given_out, given_out + pull))
            given_out += pull
        assert len(fifo) == pushed - given_out
