"""Cross statistics of a stereo pair against their papers' formulas, and what silence and NaN do to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.kernels import stereo
from unbraid.kernels.errors import KernelError
from unbraid.kernels.reference import stereo as reference
from unbraid.kernels.stereo import CrossPowers, CrossStatistics, DirectAmbient

CUES: dict[str, Callable[..., Any]] = {
    "balance": stereo.balance,
    "panning": stereo.panning,
    "coherence": stereo.coherence,
    "level_difference": stereo.level_difference,
    "phase_difference": stereo.phase_difference,
    "ambience_gain": stereo.ambience_gain,
}


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.complex64]]:
    random = np.random.default_rng(seed)
    return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(np.complex64)


def powers(p11: float, p22: float, p12: complex) -> CrossPowers:
    one, two = np.full((1, 1), float(p11)), np.full((1, 1), float(p22))
    return CrossPowers(one, two, np.full((1, 1), complex(p12)))


def one(cue: Any) -> float:
    return float(cue[0, 0])


#: A pair with something in common: powers and a coherence below one.
PAIRS = st.tuples(
    st.floats(1e-12, 1e6), st.floats(1e-12, 1e6), st.floats(0.001, 0.999), st.floats(-np.pi, np.pi)
)


def pair(draw: tuple[float, float, float, float]) -> tuple[float, float, complex]:
    p11, p22, share, angle = draw
    return p11, p22, complex(share * np.sqrt(p11 * p22) * np.exp(1j * angle))


# Averages


@given(
    frames=st.integers(0, 12),
    bins=st.integers(1, 70),
    forgetting=st.floats(0, 0.999),
    seed=st.integers(0, 99),
)
def test_averages_are_the_papers_recursion(frames: int, bins: int, forgetting: float, seed: int) -> None:
    x = noise(2, frames, bins, seed=seed)
    got = CrossStatistics(bins, forgetting).push(x)
    for mine, theirs in zip(got, reference.averages(x, forgetting), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-13)


@given(cuts=st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_any_cut_gives_the_same_bits(cuts: list[int]) -> None:
    frames = sum(cuts)
    x = noise(2, frames, 33, seed=3)
    whole = CrossStatistics(33, 0.9).push(x)
    statistics, at = CrossStatistics(33, 0.9), 0
    for n in cuts:
        part = statistics.push(np.ascontiguousarray(x[:, at : at + n]))
        for mine, theirs in zip(part, whole, strict=True):
            np.testing.assert_array_equal(mine, theirs[at : at + n])
        at += n


def test_reset_forgets() -> None:
    x = noise(2, 5, 8)
    statistics = CrossStatistics(8, 0.8)
    first = statistics.push(x)
    statistics.reset()
    for mine, theirs in zip(statistics.push(x), first, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_forgetting_factor_falls_to_1_over_e_in_its_time() -> None:
    factor = stereo.forgetting_factor(0.5, rate=48000, hop=240)
    assert factor**100 == pytest.approx(1 / np.e)


# Cues


@given(draw=PAIRS)
def test_coherence_and_panning_are_avendano_and_jot_s(draw: Any) -> None:
    p11, p22, p12 = pair(draw)
    got = powers(p11, p22, p12)
    assert one(stereo.coherence(got)) == pytest.approx(reference.coherence(p11, p22, p12) ** 2, rel=1e-6)
    assert one(stereo.panning(got)) == pytest.approx(
        reference.panning_index(p11, p22, p12), rel=1e-6, abs=1e-7
    )


# His formulas lose digits where one channel is much louder: their oracle is for pairs of similar level.
@given(p11=st.floats(0.1, 10), p22=st.floats(0.1, 10), share=st.floats(0.01, 0.99))
def test_direct_and_ambient_are_faller_s(p11: float, p22: float, share: float) -> None:
    p11, p22, p12 = pair((p11, p22, share, 1.0))
    shared, factor, alone = reference.faller(p11, p22, p12)
    got = stereo.direct_ambient(powers(p11, p22, p12))
    scale = 1e-6 * max(p11, p22)
    np.testing.assert_allclose(got.direct.ravel(), [shared, factor**2 * shared], rtol=1e-5, atol=scale)
    np.testing.assert_allclose(one(got.ambient), alone, rtol=1e-5, atol=scale)
    np.testing.assert_allclose(got.direct.ravel() + one(got.ambient), [p11, p22], rtol=1e-6)


@given(x=st.floats(-1e20, 1e20), y=st.floats(-1e20, 1e20))
def test_the_phase_is_that_of_left_against_right(x: float, y: float) -> None:
    got = one(stereo.phase_difference(powers(1, 1, complex(x, y))))
    if abs(x) > 1e-300 or abs(y) > 1e-300:
        turns = (got - np.angle(complex(x, y))) / (2 * np.pi)
        assert abs(turns - round(turns)) * 2 * np.pi < 3e-7
    assert -np.float32(np.pi) <= got <= np.float32(np.pi)


@given(draw=PAIRS)
def test_every_cue_keeps_within_its_bounds(draw: Any) -> None:
    got = powers(*pair(draw))
    assert 0 <= one(stereo.coherence(got)) <= 1
    assert -1 <= one(stereo.panning(got)) <= 1
    assert -1 <= one(stereo.balance(got)) <= 1
    assert -120 <= one(stereo.level_difference(got)) <= 120
    assert 0 <= one(stereo.ambience_gain(got)) <= 1


@pytest.mark.parametrize("angle", np.linspace(0, np.pi / 2, 9))
def test_a_source_panned_by_sine_and_cosine_is_found_where_it_stands(angle: float) -> None:
    source = noise(1, 40, 16, seed=5)
    x = np.concatenate([np.cos(angle) * source, np.sin(angle) * source]).astype(np.complex64)
    last = CrossStatistics(16, 0.9).push(x)
    position = -np.cos(2 * angle)
    np.testing.assert_allclose(stereo.balance(last), position, atol=1e-6)
    index = np.sign(position) * (1 - np.sin(2 * angle)) if abs(position) > 1e-9 else 0
    np.testing.assert_allclose(stereo.panning(last), index, atol=1e-6)
    if 0 < angle < np.pi / 2:
        np.testing.assert_allclose(stereo.coherence(last), 1, atol=1e-6)
        np.testing.assert_allclose(stereo.level_difference(last), -20 * np.log10(np.tan(angle)), atol=1e-4)
    ambient = stereo.direct_ambient(last).ambient
    assert (ambient < 1e-12 + 1e-6 * (last.p11 + last.p22)).all()


def test_left_earlier_than_right_has_positive_phase() -> None:
    source = noise(1, 30, 16, seed=6)
    x = np.concatenate([source * np.exp(0.5j), source * np.exp(-0.25j)]).astype(np.complex64)
    last = CrossStatistics(16, 0.9).push(x)
    np.testing.assert_allclose(stereo.phase_difference(last), 0.75, atol=1e-5)
    np.testing.assert_allclose(stereo.coherence(last), 1, atol=1e-5)


def test_channels_that_share_nothing_are_ambience() -> None:
    every = CrossStatistics(64, 0.99).push(noise(2, 3000, 64, seed=7))
    last = CrossPowers(every.p11[-1:], every.p22[-1:], every.p12[-1:])
    assert stereo.coherence(last).mean() < 0.02
    split = stereo.direct_ambient(last)
    assert split.direct.mean() < 0.25 * split.ambient.mean()
    assert stereo.ambience_gain(last).mean() > 0.7


def test_the_ambience_gain_is_a_step_by_hyperbolic_tangent() -> None:
    root = np.linspace(0, 1, 11)
    got = stereo.ambience_gain(
        CrossPowers(np.ones((1, 11)), np.ones((1, 11)), root[None].astype(np.complex128)),
        threshold=0.4,
        slope=3,
        lowest=0.1,
        highest=0.9,
    )
    np.testing.assert_allclose(got[0], 0.4 * np.tanh(3 * np.pi * (0.4 - root)) + 0.5, atol=1e-6)


# Edges


def test_silence_gives_defined_values() -> None:
    last = CrossStatistics(4, 0.9).push(np.zeros((2, 3, 4), np.complex64))
    for name in ("balance", "panning", "coherence", "level_difference", "phase_difference"):
        np.testing.assert_array_equal(CUES[name](last), 0, err_msg=name)
    split = stereo.direct_ambient(last)
    assert not split.direct.any()
    assert not split.ambient.any()
    assert np.isfinite(stereo.ambience_gain(last)).all()


@pytest.mark.parametrize(("side", "position", "level"), [(0, -1, 120), (1, 1, -120)])
def test_one_silent_channel_gives_defined_values(side: int, position: float, level: float) -> None:
    x = np.zeros((2, 2, 4), np.complex64)
    x[side] = 1 + 1j
    last = CrossStatistics(4, 0.5).push(x)
    np.testing.assert_array_equal(stereo.balance(last), position)
    np.testing.assert_array_equal(stereo.panning(last), position)
    np.testing.assert_array_equal(stereo.level_difference(last), level)
    np.testing.assert_array_equal(stereo.coherence(last), 0)
    np.testing.assert_array_equal(stereo.phase_difference(last), 0)
    split = stereo.direct_ambient(last)
    np.testing.assert_array_equal(split.ambient, 0)
    np.testing.assert_allclose(split.direct[side], last[side])
    assert not split.direct[1 - side].any()


def test_averages_die_away_to_exactly_nothing() -> None:
    statistics = CrossStatistics(4, 0.5)
    statistics.push(np.full((2, 1, 4), 1e6 + 1e6j, np.complex64))
    last = statistics.push(np.zeros((2, 200, 4), np.complex64))
    for array in last:
        assert not array[-1].any()
        assert (np.abs(array[array != 0]) > 1e-31).all()


def test_denormals_are_silence() -> None:
    last = CrossStatistics(4, 0.5).push(np.full((2, 3, 4), 1e-42, np.complex64))
    for array in last:
        assert not array.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bin_that_is_not_finite_spoils_itself_alone_and_for_one_frame(bad: float) -> None:
    x = noise(2, 6, 5, seed=8)
    x[0, 2, 3] = bad
    got = CrossStatistics(5, 0.9).push(x)
    spoilt = np.zeros((6, 5), bool)
    spoilt[2, 3] = True
    np.testing.assert_array_equal(np.isfinite(got.p11), ~spoilt)
    np.testing.assert_array_equal(np.isfinite(got.p12), ~spoilt)
    assert np.isfinite(got.p22).all()
    for name in ("coherence", "phase_difference", "ambience_gain", "panning"):
        np.testing.assert_array_equal(np.isnan(CUES[name](got)), spoilt, err_msg=name)
    np.testing.assert_array_equal(np.isnan(stereo.direct_ambient(got).ambient), spoilt)
    anew = CrossStatistics(5, 0.9).push(np.ascontiguousarray(x[:, 3:]))
    np.testing.assert_array_equal(got.p11[3:, 3], anew.p11[:, 3])


# Arguments


def test_outputs_go_where_they_are_asked_to() -> None:
    x = noise(2, 3, 5)
    room = CrossPowers(np.empty((3, 5)), np.empty((3, 5)), np.empty((3, 5), np.complex128))
    got = CrossStatistics(5, 0.9).push(x, room)
    assert got is room
    out = np.empty((3, 5), np.float32)
    for name, cue in CUES.items():
        want = cue(got)
        assert cue(got, out) is out, name
        np.testing.assert_array_equal(out, want, err_msg=name)
    split = DirectAmbient(np.empty((2, 3, 5), np.float32), np.empty((3, 5), np.float32))
    assert stereo.direct_ambient(got, split) is split


@pytest.mark.parametrize(
    ("bins", "forgetting", "says"),
    [
        (0, 0.5, "bins must be an integer of at least 1, not 0"),
        (4.0, 0.5, "bins must be an integer"),
        (4, 1.0, "forgetting must be 0 to below 1, not 1.0"),
        (4, -0.1, "forgetting must be 0 to below 1"),
        (4, np.nan, "forgetting must be a finite number"),
        (4, "0.9", "forgetting must be a finite number"),
    ],
)
def test_statistics_that_cannot_be_name_the_rule(bins: Any, forgetting: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        CrossStatistics(bins, forgetting)


@pytest.mark.parametrize(
    ("spectra", "says"),
    [
        (np.zeros((2, 3, 6), np.complex64), r"spectra must be complex64 \[2, any, 5\]"),
        (np.zeros((3, 3, 5), np.complex64), "spectra must be complex64"),
        (np.zeros((2, 3, 5), np.complex128), "spectra must be complex64"),
        (np.zeros((2, 3, 10), np.complex64)[:, :, ::2], "C-contiguous"),
        (None, "spectra must be .*not NoneType"),
    ],
)
def test_spectra_that_do_not_fit_are_refused(spectra: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        CrossStatistics(5, 0.9).push(spectra)


def test_arrays_that_do_not_fit_are_refused() -> None:
    good = CrossStatistics(5, 0.9).push(noise(2, 3, 5))
    with pytest.raises(KernelError, match="powers must be CrossPowers, not tuple"):
        stereo.balance(tuple(good))  # type: ignore[arg-type]
    with pytest.raises(KernelError, match=r"powers\.p22 must be float64 \[3, 5\]"):
        stereo.balance(good._replace(p22=np.zeros((3, 4))))
    with pytest.raises(KernelError, match=r"powers\.p12 must be complex128"):
        stereo.balance(good._replace(p12=np.zeros((3, 5), np.complex64)))
    with pytest.raises(KernelError, match=r"out must be float32 \[3, 5\]"):
        stereo.balance(good, np.zeros((3, 5)))  # type: ignore[arg-type]
    locked = np.zeros((3, 5))
    locked.flags.writeable = False
    with pytest.raises(KernelError, match=r"out\.p11 .*must be writable"):
        CrossStatistics(5, 0.9).push(noise(2, 3, 5), good._replace(p11=locked))
    with pytest.raises(KernelError, match="share no memory"):
        CrossStatistics(5, 0.9).push(noise(2, 3, 5), good._replace(p22=good.p11))
    with pytest.raises(KernelError, match="share no memory"):
        stereo.balance(good, good.p11.view(np.float32).reshape(-1)[:15].reshape(3, 5))


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"threshold": 1.5}, "threshold 1.5 must be 0 to 1"),
        ({"slope": 0}, "slope 0 above 0"),
        ({"lowest": 0.5, "highest": 0.4}, "0 <= lowest <= highest"),
        ({"slope": np.inf}, "slope must be a finite number"),
    ],
)
def test_a_gain_curve_that_cannot_be_names_the_rule(bad: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        stereo.ambience_gain(powers(1, 1, 0), **bad)


def test_a_forgetting_time_that_cannot_be_names_the_rule() -> None:
    with pytest.raises(KernelError, match="time must be positive, not 0"):
        stereo.forgetting_factor(0, 48000, 480)
    with pytest.raises(KernelError, match="hop must be a finite number"):
        stereo.forgetting_factor(1, 48000, None)  # type: ignore[arg-type]
