"""Masks and gains against float64, hand-worked papers, and promises about sums, extremes and cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels import masks
from unbraid.kernels.errors import KernelError
from unbraid.kernels.machine.cache import load_object
from unbraid.kernels.masks import (
    DecisionDirected,
    over_subtraction,
    posterior_wiener_gain,
    ratio_masks,
    subtraction_gain,
    wiener_gain,
)
from unbraid.kernels.reference import masks as reference

Floats = np.ndarray[Any, np.dtype[np.float32]]

#: Numbers of stems on either side of where one kernel hands over to another.
STEMS = (4, 9)


def powers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).exponential(1, shape).astype(np.float32)


def estimates(shape: tuple[int, ...], decades: tuple[float, float], kind: str, seed: int) -> Any:
    """Return magnitudes or spectra from 10^low to 10^high, a quarter of them zero."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(*decades, shape) * (rng.uniform(size=shape) > 0.25)
    if kind == "real":
        return (size * rng.choice([-1, 1], shape)).astype(np.float32)
    return (size * np.exp(2j * np.pi * rng.uniform(size=shape))).astype(np.complex64)


# Ratio masks


@settings(max_examples=60)
@given(
    stems=st.sampled_from(STEMS),
    frames=st.integers(0, 3),
    bins=st.integers(1, 700),
    exponent=st.sampled_from([1.0, 2.0, 1.5, 0.01, 100.0]),
    decades=st.sampled_from([(-3.0, 3.0), (-0.1, 0.1), (-45.0, -37.0), (37.0, 38.2), (-44.0, 38.0)]),
    kind=st.sampled_from(["real", "complex"]),
    seed=st.integers(0, 999),
)
def test_ratio_masks_are_the_shares_and_add_up_to_one_in_any_order(
    stems: int, frames: int, bins: int, exponent: float, decades: tuple[float, float], kind: str, seed: int
) -> None:
    x = estimates((stems, 2, frames, bins), decades, kind, seed)
    got = ratio_masks(x, exponent)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, reference.ratio_masks(x, exponent), rtol=0, atol=stems * 2.0**-23)
    for order in (slice(None), slice(None, None, -1)):
        np.testing.assert_array_equal(np.add.reduce(got[order], axis=0), np.float32(1))
    np.testing.assert_array_equal(got * 2.0**24 % 1, 0)
    silent = np.all(x == 0, axis=0)
    assert np.all(got[(x == 0) & ~silent] == 0), "a stem that is not there got a share"
    assert np.all(got >= 0)


@pytest.mark.parametrize("stems", STEMS)
@pytest.mark.parametrize("exponent", [1.0, 2.0, 0.7])
@pytest.mark.parametrize("kind", [np.float32, np.complex64])
def test_silence_is_shared_equally(stems: int, exponent: float, kind: Any) -> None:
    got = ratio_masks(np.zeros((stems, 1, 2, 700), kind), exponent)
    np.testing.assert_allclose(got, 1 / stems, rtol=0, atol=stems * 2.0**-24)
    np.testing.assert_array_equal(np.add.reduce(got, axis=0), np.float32(1))


@pytest.mark.parametrize("value", [np.float32(1e-45), np.float32(1e-38), np.float32(3.4e38)])
@pytest.mark.parametrize("exponent", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("stems", STEMS)
def test_denormal_and_huge_estimates_are_shared_like_any_other(
    value: Any, exponent: float, stems: int
) -> None:
    x: Any = np.full((stems, 1, 1, 33), value)
    np.testing.assert_allclose(ratio_masks(x, exponent), 1 / stems, rtol=0, atol=stems * 2.0**-23)
    np.testing.assert_allclose(ratio_masks(x * np.complex64(1), exponent), 1 / stems, atol=stems * 2.0**-23)


@pytest.mark.parametrize("stems", [1, 2, 8])
def test_any_number_of_stems_adds_up(stems: int) -> None:
    x = estimates((stems, 1, 3, 300), (-3, 3), "real", 2)
    got = ratio_masks(x)
    np.testing.assert_allclose(got, reference.ratio_masks(x, 1), rtol=0, atol=stems * 2.0**-23)
    np.testing.assert_array_equal(np.add.reduce(got, axis=0), np.float32(1))


def test_hand_worked_shares() -> None:
    x = np.array([3, 4, 0, 1], np.float32).reshape(4, 1, 1, 1)
    assert ratio_masks(x).ravel().tolist() == [0.375, 0.5, 0, 0.125]
    np.testing.assert_allclose(ratio_masks(x, 2).ravel(), [9 / 26, 16 / 26, 0, 1 / 26], atol=2e-7)
    np.testing.assert_allclose(ratio_masks(x, 0.5).ravel(), np.sqrt([3, 4, 0, 1]) / (3 + 3**0.5), atol=2e-7)
    spectra = np.array([3 + 4j, 5j, 0, -10], np.complex64).reshape(4, 1, 1, 1)
    np.testing.assert_allclose(ratio_masks(spectra).ravel(), [0.25, 0.25, 0, 0.5], atol=2e-7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("exponent", [1.0, 2.0, 1.5])
@pytest.mark.parametrize("kind", [np.float32, np.complex64])
@pytest.mark.parametrize("stems", STEMS)
def test_a_bin_that_is_not_finite_is_nan_in_all_masks_and_nowhere_else(
    bad: float, exponent: float, kind: Any, stems: int
) -> None:
    x = estimates((stems, 1, 2, 600), (-1, 1), "real" if kind == np.float32 else "complex", 5)
    want = ratio_masks(x, exponent)
    x[1, 0, 1, 17] = bad
    want[:, 0, 1, 17] = np.nan
    np.testing.assert_array_equal(ratio_masks(x, exponent), want)


@given(seed=st.integers(0, 99), exponent=st.sampled_from([1.0, 2.0, 1.5]))
def test_masks_do_not_depend_on_how_frames_are_cut_nor_on_where_arrays_begin(
    seed: int, exponent: float
) -> None:
    x = estimates((4, 1, 6, 257), (-3, 3), "real", seed)
    whole = ratio_masks(x, exponent)
    for t in range(6):
        at = np.empty(4 * 257 + 1, np.float32)[1:].reshape(4, 1, 1, 257)
        ratio_masks(np.ascontiguousarray(x[:, :, t : t + 1]), exponent, out=at)
        np.testing.assert_array_equal(at, whole[:, :, t : t + 1])


@pytest.mark.parametrize("exponent", [1.0, 2.0, 1.5])
@pytest.mark.parametrize("kind", ["real", "complex"])
def test_many_stems_get_the_same_bits_as_few(exponent: float, kind: str) -> None:
    x = estimates((4, 1, 2, 700), (-2, 2), kind, 3)
    more: Any = np.concatenate([x, np.zeros((5, 1, 2, 700), x.dtype)])
    loud = np.any(x != 0, axis=0)
    np.testing.assert_array_equal(ratio_masks(more, exponent)[:4, loud], ratio_masks(x, exponent)[:, loud])


@pytest.mark.parametrize("power", [0, 1, 2])
@pytest.mark.parametrize("parts", [1, 2])
def test_no_exponent_calls_a_library(power: int, parts: int) -> None:
    kernel = masks._ratio(4, power, parts)
    kernel.warm_up()
    code = load_object(kernel.name)
    if code is None:
        pytest.skip("no cache to look into")
    assert b"\0pow\0" not in code
    assert b"\0powf\0" not in code


def test_masked_stems_add_up_to_the_mixture() -> None:
    stems = estimates((4, 2, 5, 513), (-3, 0), "complex", 9)
    mixture = stems.sum(axis=0)
    parts = ratio_masks(stems, 2) * mixture
    np.testing.assert_allclose(parts.sum(axis=0), mixture, atol=3e-7 * np.abs(mixture).max())


@pytest.mark.parametrize(
    ("x", "exponent", "out", "says"),
    [
        ([[1.0]], 1.0, None, "estimates must be .* of float32 or complex64, not list"),
        (np.ones((2, 1, 1, 4)), 1.0, None, "estimates must be .* of float32 or complex64, not float64"),
        (
            np.ones((1, 1, 4), np.float32),
            1.0,
            None,
            r"estimates must be float32 \[stems, channels, any, bins\]",
        ),
        (np.ones((0, 1, 1, 4), np.float32), 1.0, None, "estimates must be"),
        (np.ones((2, 0, 1, 4), np.float32), 1.0, None, "estimates must be"),
        (np.ones((2, 1, 1, 0), np.complex64), 1.0, None, "estimates must be"),
        (np.ones((1025, 1, 1, 1), np.float32), 1.0, None, "number of stems must be .* 1 to 1024, not 1025"),
        (np.ones((2, 1, 4, 8), np.float32)[..., ::2], 1.0, None, "must be C-contiguous"),
        (np.ones((2, 1, 1, 4), ">f4"), 1.0, None, "estimates must be"),
        (np.ones((2, 1, 1, 4), np.float32), 0.0, None, "exponent must be a number from 0.01 to 100, not 0.0"),
        (np.ones((2, 1, 1, 4), np.float32), -1, None, "exponent must be"),
        (np.ones((2, 1, 1, 4), np.float32), np.nan, None, "exponent must be"),
        (np.ones((2, 1, 1, 4), np.float32), np.inf, None, "exponent must be"),
        (np.ones((2, 1, 1, 4), np.float32), "2", None, "exponent must be"),
        (np.ones((2, 1, 1, 4), np.float32), True, None, "exponent must be"),
        (np.ones((2, 1, 1, 4), np.float32), 1.0, np.empty((2, 1, 1, 5), np.float32), "out must be"),
        (np.ones((2, 1, 1, 4), np.float32), 1.0, np.empty((2, 1, 1, 4)), "out must be"),
        (np.ones((2, 1, 1, 4), np.float32), 1.0, np.empty((2, 1, 4, 1), np.float32).T, "out must be"),
        (np.ones((2, 1, 1, 4), np.float32), 1.0, [], "out must be"),
    ],
)
def test_ratio_masks_refuse_what_they_cannot_work_on(x: Any, exponent: Any, out: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        ratio_masks(x, exponent, out=out)


def test_an_output_that_cannot_be_written_is_refused() -> None:
    x, out = np.ones((2, 1, 1, 4), np.float32), np.empty((2, 1, 1, 4), np.float32)
    out.flags.writeable = False
    with pytest.raises(KernelError, match=r"out .* must be writable"):
        ratio_masks(x, out=out)
    with pytest.raises(KernelError, match="out shares memory with an input"):
        ratio_masks(x, out=x)


# Wiener gains


@given(seed=st.integers(0, 999), floor=st.sampled_from([0.0, 0.1, 1.0]), bins=st.integers(1, 70))
def test_wiener_gains_are_those_of_the_definition(seed: int, floor: float, bins: int) -> None:
    xi = (10.0 ** np.random.default_rng(seed).uniform(-20, 20, (2, 3, bins))).astype(np.float32)
    np.testing.assert_allclose(
        wiener_gain(xi, floor=floor), reference.wiener_gain(xi, floor), rtol=2e-7, atol=0
    )
    power, noise = powers(2, 3, bins, seed=seed), powers(2, 3, bins, seed=seed + 1)
    np.testing.assert_allclose(
        posterior_wiener_gain(power, noise, floor=floor),
        reference.posterior_wiener_gain(power, noise, floor),
        rtol=2e-7,
        atol=1e-15,
    )


def test_extreme_snrs_have_the_gains_one_expects() -> None:
    xi = np.array([[[0, -3, 1e-45, 3e38, np.inf, -np.inf, np.nan]]], np.float32)
    want = np.array([[[0, 0, 1e-45, 1, 1, 0, np.nan]]], np.float32)
    np.testing.assert_array_equal(wiener_gain(xi), want)
    power = np.array([[[0, 1, 0, 1, np.nan, 1, np.inf, 3e38]]], np.float32)
    noise = np.array([[[0, 0, 1, 1, 1, np.nan, 1, 1e-45]]], np.float32)
    got = posterior_wiener_gain(power, noise, floor=0.5)
    np.testing.assert_array_equal(got, [[[0.5, 1, 0.5, 0.5, np.nan, np.nan, 1, 1]]])


# Decision-directed SNR


def cuts(frames: int, seed: int) -> list[slice]:
    random, at, slices = np.random.default_rng(seed), 0, []
    while at < frames:
        n = int(random.integers(0, 6))
        slices.append(slice(at, min(at + n, frames)))
        at += n
    return slices


def test_the_first_frames_worked_by_hand() -> None:
    # gamma = 1, 100, 100 and w = 0.98: xi = 0.98; then 0.98 (0.98/1.98)^2 + 0.02 99; then likewise.
    power, prior = np.array([[[1], [100], [100]]], np.float32), np.empty((1, 3, 1), np.float32)
    gains = DecisionDirected(1, 1).process(power, np.ones((1, 1, 1), np.float32), prior=prior)
    np.testing.assert_allclose(prior.ravel(), [0.98, 2.2200755, 48.563215], rtol=1e-6)
    np.testing.assert_allclose(gains.ravel(), [0.494949, 0.689449, 0.979823], rtol=2e-6)


@given(seed=st.integers(0, 999), stays=st.booleans(), bins=st.integers(1, 70))
def test_decision_directed_gains_are_ephraim_s_and_malah_s_for_any_cut(
    seed: int, stays: bool, bins: int
) -> None:
    power = powers(2, 12, bins, seed=seed) * 4
    noise = powers(2, 1 if stays else 12, bins, seed=seed + 1)
    want_prior, want = reference.decision_directed(power, noise, 0.95, 0.01, 0.05)
    rule = DecisionDirected(2, bins, weight=0.95, prior_floor=0.01, gain_floor=0.05)
    whole, prior = np.empty_like(power), np.empty_like(power)
    rule.process(power, noise, whole, prior=prior)
    np.testing.assert_allclose(whole, want, rtol=3e-7)
    np.testing.assert_allclose(prior, want_prior, rtol=3e-7)
    rule.reset()
    for part in cuts(12, seed):
        piece = noise if stays else np.ascontiguousarray(noise[:, part])
        got = rule.process(np.ascontiguousarray(power[:, part]), piece)
        np.testing.assert_array_equal(got, whole[:, part])


def test_silence_after_sound_ends_at_zero() -> None:
    rule = DecisionDirected(1, 40, prior_floor=0.0)
    noise = np.full((1, 1, 40), 1e-3, np.float32)
    rule.process(np.full((1, 3, 40), 1e3, np.float32), noise)
    gains = rule.process(np.zeros((1, 500, 40), np.float32), noise)
    assert np.all(gains[:, -1] == 0)
    assert np.all(rule._past == 0)


def test_a_broken_frame_spoils_its_own_bin_alone() -> None:
    power, noise = powers(1, 9, 33) * 3, np.ones((1, 1, 33), np.float32)
    clean = DecisionDirected(1, 33).process(power, noise)
    power[0, 4, 7], power[0, 5, 8] = np.nan, np.inf
    got = DecisionDirected(1, 33).process(power, noise)
    assert np.isnan(got[0, 4, 7])
    assert got[0, 5, 8] == 1
    assert np.count_nonzero(~np.isfinite(got)) == 1
    others = np.arange(33)[(np.arange(33) != 7) & (np.arange(33) != 8)]
    np.testing.assert_array_equal(got[:, :, others], clean[:, :, others])


# Spectral subtraction


def test_berouti_s_factors_at_the_corners_of_his_line() -> None:
    noise = np.ones((1, 1, 100), np.float32)
    snrs = np.array([-20, -5, 0, 5, 10, 20, 40.0])
    power = (10 ** (snrs / 10)).astype(np.float32)[None, :, None] * np.ones((1, 1, 100), np.float32)
    got = over_subtraction(power, noise)
    np.testing.assert_allclose(got, [[4.75, 4.75, 4, 3.25, 2.5, 1, 1]], rtol=1e-6)
    # A frame without noise, one without anything, one without signal, and one with NaN.
    power = np.array([[[1], [0], [0], [np.nan]]], np.float32)
    noise = np.array([[[0], [0], [1], [1]]], np.float32)
    np.testing.assert_array_equal(
        over_subtraction(power, noise), np.array([[1, 1, 4.75, np.nan]], np.float32)
    )


@given(seed=st.integers(0, 999), stays=st.booleans(), bins=st.integers(1, 200), each=st.booleans())
def test_subtraction_is_berouti_s(seed: int, stays: bool, bins: int, each: bool) -> None:
    power, noise = powers(2, 5, bins, seed=seed) * 3, powers(2, 1 if stays else 5, bins, seed=seed + 1)
    factors = over_subtraction(power, noise, at_0_db=5)
    np.testing.assert_allclose(factors, reference.over_subtraction(power, noise, 5), rtol=2e-7)
    factor = factors if each else 2.5
    got = subtraction_gain(power, noise, factor, floor=0.03)
    want = reference.subtraction_gain(power, noise, factor, 0.03)
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)
    assert got.max() <= 1


def test_subtraction_at_the_extremes() -> None:
    power = np.array([[[0, 0, 1, 1e-45, np.inf, np.nan, 1, 1, 1]]], np.float32)
    noise = np.array([[[0, 1, 0, 1, 1, 1, np.nan, 3e38, np.inf]]], np.float32)
    got = subtraction_gain(power, noise, 100.0, floor=0.0)
    np.testing.assert_array_equal(got, [[[1, 0, 1, 0, 1, np.nan, np.nan, 0, 0]]])


# Arguments of gains

P: Any = np.ones((2, 3, 5), np.float32)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: wiener_gain(P.astype(float)), "prior_snr must be float32"),
        (
            lambda: wiener_gain(P[0]),
            r"prior_snr must be float32 \[channels, any, bins\], not float32 \[3, 5\]",
        ),
        (lambda: wiener_gain(P, floor=1.5), "floor must be a number from 0 to 1, not 1.5"),
        (lambda: wiener_gain(P, out=P), "out shares memory"),
        (lambda: posterior_wiener_gain(P, P[:, :2].copy()), "noise must be float32"),
        (lambda: posterior_wiener_gain(P, P[:1]), "noise must be float32"),
        (lambda: posterior_wiener_gain(P, P, floor=-0.1), "floor must be"),
        (lambda: posterior_wiener_gain(P, P, out=np.empty((2, 3, 6), np.float32)), "out must be"),
        (lambda: DecisionDirected(0, 5), "channels must be an integer from 1"),
        (lambda: DecisionDirected(1, 2.5), "bins must be an integer"),  # type: ignore[arg-type]
        (lambda: DecisionDirected(1, 5, weight=1.1), "weight must be a number from 0 to 1"),
        (lambda: DecisionDirected(1, 5, prior_floor=-1), "prior_floor must be"),
        (lambda: DecisionDirected(1, 5, gain_floor=np.nan), "gain_floor must be"),
        (lambda: DecisionDirected(1, 5).process(P, P), "power must be float32"),
        (lambda: DecisionDirected(2, 5).process(P, P[:, :1, :4].copy()), "noise must be float32"),
        (lambda: DecisionDirected(2, 5).process(P, P, P.copy(), prior=P), "prior shares memory"),
        (lambda: over_subtraction(P, P, at_0_db=0.5), "at_0_db must be a number from 1 to 100"),
        (lambda: over_subtraction(P, P, out=np.empty((2, 4), np.float32)), r"out must be float32 \[2, 3\]"),
        (lambda: subtraction_gain(P, P, -1.0), "factor must be a number from 0 to 100"),
        (lambda: subtraction_gain(P, P, np.ones((2, 4), np.float32)), "factor must be float32"),
        (lambda: subtraction_gain(P, P, 1.0, floor=2), "floor must be"),
    ],
)
def test_gains_refuse_what_they_cannot_work_on(call: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        call()


def test_no_frames_give_no_frames() -> None:
    none = np.empty((2, 0, 5), np.float32)
    assert ratio_masks(np.empty((3, 2, 0, 5), np.float32)).shape == (3, 2, 0, 5)
    assert wiener_gain(none).shape == (2, 0, 5)
    assert posterior_wiener_gain(none, P[:, :1].copy()).shape == (2, 0, 5)
    assert DecisionDirected(2, 5).process(none, none).shape == (2, 0, 5)
    assert over_subtraction(none, none).shape == (2, 0)
    assert subtraction_gain(none, none).shape == (2, 0, 5)
