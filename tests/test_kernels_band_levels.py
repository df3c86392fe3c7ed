"""Levels of bands and masks of gains: what the formulas say, for any cut, and safe from broken frames."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels.band_levels import BandLevels
from unbraid.kernels.errors import KernelError

EDGES = [0, 1, 3, 4, 9, 17]


def spectra(channels: int, frames: int, seed: int = 0, scale: float = 1.0) -> Any:
    random = np.random.default_rng(seed)
    parts = random.normal(0, scale, (channels, frames, 17, 2)) * 10 ** random.uniform(
        -4, 1, (channels, frames, 17, 1)
    )
    return parts.astype(np.float32).view(np.complex64)[..., 0]


def levels_of(X: Any, scale: float, floor: float, keep: float, start: float) -> Any:
    """In float64, from the definition."""
    power = np.abs(X.astype(np.complex128)) ** 2
    bands = np.stack([power[..., a:b].sum(axis=-1) for a, b in itertools.pairwise(EDGES)], axis=-1)
    level = 10 * np.log10(bands * scale + floor)
    mean, above = np.full(level[:, 0].shape, start), []
    for frame in range(level.shape[1]):
        mean = keep * mean + (1 - keep) * level[:, frame]
        above.append(level[:, frame] - mean)
    return np.stack(above, axis=1), level


@given(
    channels=st.integers(1, 3),
    keep=st.floats(0, 1),
    floor=st.sampled_from((1e-12, 1e-3)),
    scale=st.sampled_from((1.0, 1e-5)),
    cuts=st.lists(st.integers(0, 7), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_levels_are_decibels_and_their_means_follow_whatever_the_cut(
    channels: int, keep: float, floor: float, scale: float, cuts: list[int]
) -> None:
    X = spectra(channels, 20)
    want_above, want = levels_of(X, scale, floor, keep, -40.0)
    whole = BandLevels(channels, EDGES, scale=scale, floor=floor, keep=keep, start=-40, shift=60, unit=25)
    heard = whole.levels(X)
    np.testing.assert_allclose(heard[..., 0::2], want_above / 25, atol=2e-6)
    np.testing.assert_allclose(heard[..., 1::2], (want + 60) / 25, atol=2e-6)
    whole.reset()
    ends = [*np.cumsum(cuts).tolist(), 20]
    parts, at = [], 0
    for end in ends:
        parts.append(whole.levels(X[:, at : max(at, min(end, 20))]))
        at = max(at, min(end, 20))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), heard)


@pytest.mark.parametrize("heads", [1, 2, 3])
def test_masks_are_the_gains_of_their_bands_or_the_mean_of_two_heads(heads: int) -> None:
    gains = np.random.default_rng(1).uniform(0, 1, (2, 4, 5 * heads)).astype(np.float32)
    made = BandLevels(2, EDGES).masks(gains)
    stays = gains[..., ::heads].astype(np.float64)
    if heads > 1:  # the mean of what the first says and of what the second leaves
        stays = (stays + 1 - gains[..., 1::heads]) / 2
    np.testing.assert_allclose(made, np.repeat(stays, np.diff(EDGES), axis=2), atol=1e-6)


def test_bins_below_the_first_band_are_left_alone() -> None:
    made = BandLevels(1, [2, 4]).masks(np.zeros((1, 1, 1), np.float32))
    np.testing.assert_allclose(made, [[[1, 1, 0, 0]]], atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38])
def test_a_broken_bin_is_as_loud_as_can_be_in_its_band_and_channel_alone(bad: float) -> None:
    X = spectra(2, 6)
    fine = BandLevels(2, EDGES, most=1e6).levels(X)
    X[0, 2, 3] = bad
    heard = BandLevels(2, EDGES, most=1e6)
    made = heard.levels(X)
    assert np.isfinite(made).all()
    assert made[0, 2, 5] == pytest.approx(60)  # 10 log10 of the most
    np.testing.assert_array_equal(made[1], fine[1])
    np.testing.assert_array_equal(np.delete(made[0], [4, 5], axis=1), np.delete(fine[0], [4, 5], axis=1))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: BandLevels(0, EDGES), "channels must be an integer from 1"),
        (lambda: BandLevels(1, [3]), "edges must rise"),
        (lambda: BandLevels(1, [0, 2, 2]), "edges must rise"),
        (lambda: BandLevels(1, EDGES, keep=1.5), "keep must be"),
        (lambda: BandLevels(1, EDGES).levels(spectra(2, 3)), r"spectra must be complex64 \[channels = 1"),
        (lambda: BandLevels(1, EDGES).levels(spectra(1, 3)[..., ::-1]), "side by side"),
        (lambda: BandLevels(1, EDGES).masks(np.ones((1, 2, 7), np.float32)), "no multiple of 5 bands"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        call()
