"""Banks of filters against SciPy, crossovers against their analogue responses, the same bits for any cut."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels.errors import KernelError
from unbraid.kernels.filterbank import FilterBank, FilterBankState, linkwitz_riley
from unbraid.kernels.nodes import BiquadState
from unbraid.kernels.program import Program, call_once
from unbraid.kernels.reference import filterbank as reference

RATE = 48000


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def bandpasses(bands: int, order: int = 2) -> tuple[list[Any], np.ndarray[Any, np.dtype[np.float64]]]:
    """Butterworth band-passes side by side, as SciPy's sections and as ours."""
    edges = np.geomspace(60, 16000, bands + 1)
    sections = [
        scipy.signal.butter(order, [low, high], "bandpass", fs=RATE, output="sos")
        for low, high in pairwise(edges)
    ]
    return sections, np.stack(sections)[:, :, [0, 1, 2, 4, 5]].copy()


def stream(bank: FilterBank, x: Any, seed: int) -> Any:
    """Filter in blocks of random lengths, some of them 0."""
    random, at, parts = np.random.default_rng(seed), 0, []
    while at < x.shape[1]:
        n = int(random.integers(0, 150))
        parts.append(bank.process(np.ascontiguousarray(x[:, at : at + n])))
        at += n
    return np.concatenate(parts, axis=2)


# Filtering


@given(
    channels=st.integers(1, 3),
    bands=st.integers(1, 12),
    order=st.integers(1, 3),
    n=st.integers(0, 300),
    seed=st.integers(0, 99),
)
@settings(max_examples=40)
def test_each_band_is_scipy_s_sosfilt(channels: int, bands: int, order: int, n: int, seed: int) -> None:
    sections, coefficients = bandpasses(bands, order)
    x = noise(channels, n, seed=seed)
    got = FilterBank(channels, coefficients).process(x)
    want = [scipy.signal.sosfilt(sos, x.astype(np.float64)) for sos in sections] if n else got
    np.testing.assert_allclose(got, want, atol=1e-7)


def test_each_band_is_the_difference_equation() -> None:
    _, coefficients = bandpasses(3)
    x = noise(2, 500)
    got = FilterBank(2, coefficients).process(x)
    for band in range(3):
        for channel in range(2):
            want = reference.filtered(x[channel], coefficients[band])
            np.testing.assert_allclose(got[band, channel], want, atol=1e-7)


def test_a_bank_has_the_bits_of_its_filters_one_by_one() -> None:
    _, coefficients = bandpasses(7, 3)
    x = noise(2, 1000, seed=1)
    got = FilterBank(2, coefficients).process(x)
    for band in range(7):
        alone, one = BiquadState(2, coefficients[band]), np.empty_like(x)
        call_once(SimpleNamespace(address=alone.function, state=alone.address), [x], [one])
        np.testing.assert_array_equal(got[band], one)


@given(channels=st.integers(1, 3), bands=st.integers(1, 9), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_any_cut_gives_the_same_bits(channels: int, bands: int, seed: int) -> None:
    _, coefficients = bandpasses(bands)
    x = noise(channels, 700, seed=seed) * np.float32(1e-29)  # where memory comes near its least, too
    x[:, 300:400] = 0
    whole = FilterBank(channels, coefficients).process(x)
    np.testing.assert_array_equal(stream(FilterBank(channels, coefficients), x, seed), whole)


def test_sample_by_sample_gives_the_same_bits() -> None:
    _, coefficients = bandpasses(5)
    x = noise(2, 200, seed=2)
    bank = FilterBank(2, coefficients)
    parts = [bank.process(x[:, i : i + 1].copy()) for i in range(200)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), FilterBank(2, coefficients).process(x))


def test_as_a_compiled_node_it_is_the_same_function() -> None:
    _, coefficients = bandpasses(4)
    x, out = noise(2, 333, seed=3), np.empty((8, 333), np.float32)
    state = FilterBankState(2, coefficients)
    Program([(SimpleNamespace(address=state.function, state=state.address), [x], [out])]).run(333)
    np.testing.assert_array_equal(out.reshape(4, 2, 333), FilterBank(2, coefficients).process(x))


def test_reset_forgets_the_signal_and_the_place() -> None:
    _, coefficients = bandpasses(3)
    x = noise(1, 100, seed=4)
    bank = FilterBank(1, coefficients)
    first = bank.process(x)
    assert (bank.process(x) != first).any()
    bank.reset()
    np.testing.assert_array_equal(bank.process(x), first)


def test_the_output_goes_where_it_is_asked_to() -> None:
    _, coefficients = bandpasses(3)
    x, out = noise(2, 100), np.empty((3, 2, 100), np.float32)
    assert FilterBank(2, coefficients).process(x, out) is out
    np.testing.assert_array_equal(out, FilterBank(2, coefficients).process(x))


# Edges


def test_silence_is_silence() -> None:
    assert not FilterBank(2, bandpasses(8)[1]).process(np.zeros((2, 500), np.float32)).any()


def test_a_decay_ends_in_exact_silence_and_never_in_denormals() -> None:
    bank = FilterBank(1, bandpasses(8)[1])
    bank.process(noise(1, 1024))
    tail = bank.process(np.zeros((1, RATE), np.float32))
    assert not tail[:, :, -1000:].any()
    state = bank.state._memory
    assert not state.any()
    bank.process(np.full((1, 640), 1e-42, np.float32))
    assert not state.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_ends_at_the_next_64th_sample_and_stays_in_its_channel(bad: float) -> None:
    x = noise(2, 400)
    x[1, 200] = bad
    got = FilterBank(2, bandpasses(4)[1]).process(x)
    assert np.isfinite(got[:, 0]).all()
    spoilt = ~np.isfinite(got[:, 1])
    assert not spoilt[:, :200].any()
    assert spoilt[:, 200:256].all()
    assert not spoilt[:, 256:].any()
    anew = FilterBank(2, bandpasses(4)[1]).process(x[:, 256:].copy())
    np.testing.assert_array_equal(got[:, 1, 256:], anew[:, 1])


# Crossovers

CROSSOVERS = st.lists(st.integers(2, 2300), min_size=1, max_size=7, unique=True).map(
    lambda places: [10.0 * place for place in sorted(places)]
)
HZ = np.geomspace(1, 23999, 400)


@given(crossovers=CROSSOVERS, order=st.sampled_from([2, 4, 6, 8]))
@settings(max_examples=40)
def test_the_bands_sum_to_the_product_of_their_allpasses(crossovers: list[float], order: int) -> None:
    bank = linkwitz_riley(crossovers, RATE, order)
    assert bank.shape[0] == len(crossovers) + 1
    total = sum(reference.response(band, HZ, RATE) for band in bank)
    want = np.ones(len(HZ), complex)
    for frequency in crossovers:
        want *= reference.allpass_response(HZ, frequency, RATE, order)
    np.testing.assert_allclose(total, want, atol=1e-8)
    np.testing.assert_allclose(np.abs(total), 1, atol=1e-8)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("frequency", [30.0, 1000.0, 15000.0])
def test_two_bands_have_linkwitz_and_riley_s_responses(order: int, frequency: float) -> None:
    low, high = linkwitz_riley([frequency], RATE, order)
    np.testing.assert_allclose(
        reference.response(low, HZ, RATE), reference.low_response(HZ, frequency, RATE, order), atol=1e-9
    )
    np.testing.assert_allclose(
        reference.response(high, HZ, RATE), reference.high_response(HZ, frequency, RATE, order), atol=1e-9
    )
    at = np.array([frequency])
    for band in (low, high):
        decibels = 20 * np.log10(np.abs(reference.response(band, at, RATE)))
        np.testing.assert_allclose(decibels, -20 * np.log10(2), atol=1e-6)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_a_low_pass_is_a_butterworth_twice(order: int) -> None:
    low = linkwitz_riley([500.0], RATE, order)[0]
    sos = scipy.signal.butter(order // 2, 500, fs=RATE, output="sos")
    _, want = scipy.signal.sosfreqz(sos, HZ, fs=RATE)
    np.testing.assert_allclose(reference.response(low, HZ, RATE), want**2, atol=1e-9)


@pytest.mark.parametrize("bands", range(2, 9))
def test_a_signal_taken_apart_sums_to_itself_through_an_allpass(bands: int) -> None:
    coefficients = linkwitz_riley(np.geomspace(100, 10000, bands - 1).tolist(), RATE)
    impulse = np.zeros((1, 1 << 14), np.float32)
    impulse[0, 0] = 1
    parts = FilterBank(1, coefficients).process(impulse)
    np.testing.assert_allclose(np.abs(np.fft.rfft(parts[:, 0].sum(axis=0))), 1, atol=1e-4)
    passing = np.abs(np.fft.rfft(parts[:, 0])).argmax(axis=1)
    assert (np.diff(passing) > 0).all()


def test_eight_bands_need_ten_sections() -> None:
    # Three splits of two sections, and an allpass for each of the other four.
    assert linkwitz_riley(np.geomspace(100, 10000, 7).tolist(), RATE).shape == (8, 10, 5)


# Refusals

SECTION = np.array([[[1.0, 0, 0, 0, 0]]])


@pytest.mark.parametrize(
    ("channels", "coefficients", "says"),
    [
        (0, SECTION, "channels must be an integer of at least 1, not 0"),
        (1.5, SECTION, "channels must be an integer"),
        (1, SECTION[0], r"coefficients must be float64 \[bands, sections, 5\]"),
        (1, SECTION.astype(np.float32), "coefficients must be float64"),
        (1, SECTION[:0], "coefficients must be float64"),
        (1, np.zeros((1, 1, 6)), "coefficients must be float64"),
        (1, SECTION.tolist(), "coefficients must be .*not list"),
        (1, np.array([[[1.0, 0, 0, 0, 1.0]]]), r"band 0, section 0 must be finite with \|a2\| < 1"),
        (1, np.array([[[1.0, 0, 0, 0, 0], [1, 0, 0, -2, 0.9]]]), r"band 0, section 1 .* \(stable\)"),
        (1, np.array([[[np.nan, 0, 0, 0, 0]]]), "must be finite"),
    ],
)
def test_a_bank_that_cannot_be_names_the_rule(channels: Any, coefficients: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        FilterBank(channels, coefficients)


@pytest.mark.parametrize(
    ("crossovers", "rate", "order", "says"),
    [
        ([], RATE, 4, "crossovers must be 1 to 7 rising frequencies between 0 and rate / 2 = 24000.0 Hz"),
        ([100.0 * k for k in range(1, 9)], RATE, 4, "crossovers must be 1 to 7"),
        ([200, 100], RATE, 4, "rising frequencies"),
        ([100, 100], RATE, 4, "rising frequencies"),
        ([0], RATE, 4, "between 0 and rate / 2"),
        ([24000], RATE, 4, "between 0 and rate / 2"),
        ([np.nan], RATE, 4, "crossovers must be a finite number"),
        (["1k"], RATE, 4, "crossovers must be a finite number, not '1k'"),
        ([100], 0, 4, "rate must be a positive number of Hz"),
        ([100], RATE, 3, "order must be 2, 4, 6 or 8, not 3"),
    ],
)
def test_a_crossover_that_cannot_be_names_the_rule(crossovers: Any, rate: Any, order: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        linkwitz_riley(crossovers, rate, order)


def test_arrays_that_do_not_fit_are_refused_and_not_filtered() -> None:
    bank, x = FilterBank(2, bandpasses(3)[1]), noise(2, 50)
    locked = np.zeros((3, 2, 50), np.float32)
    locked.flags.writeable = False
    room = np.zeros((3, 2, 50), np.float32)
    refused: list[tuple[Any, str]] = [
        (lambda: bank.process(x[:1]), r"x must be float32 \[2, any\], not float32 \[1, 50\]"),
        (lambda: bank.process(x.astype(float)), "x must be float32"),
        (lambda: bank.process(x[:, ::2]), "x .* must be C-contiguous"),
        (lambda: bank.process(x, locked), "out .* must be writable"),
        (lambda: bank.process(x, room[:2]), r"out must be float32 \[3, 2, 50\]"),
        (lambda: bank.process(room[1], room), "out must not share memory with x"),
    ]
    for call, says in refused:
        with pytest.raises(KernelError, match=says):
            call()
    np.testing.assert_array_equal(bank.process(x), FilterBank(2, bandpasses(3)[1]).process(x))
