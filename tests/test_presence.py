"""Vocals are turned down where nobody seems to sing, slowly, and nowhere else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from unbraid.plugins.separators.presence import absence

Array = npt.NDArray[np.float32]
RATE = 43.0  # frames a second


def plane(*parts: tuple[float, float]) -> Array:
    """One channel and eight bins; each part is (seconds, value)."""
    rows = np.concatenate([np.full(round(seconds * RATE), value) for seconds, value in parts])
    return np.broadcast_to(rows[None, :, None], (1, rows.size, 8)).astype(np.float32)


def test_a_voice_throughout_is_left_alone_however_quiet_the_recording() -> None:
    share = plane((10, 0.8))
    for level in (1e-20, 1.0, 1e6):
        assert absence(share, np.full_like(share, level), RATE, 30.0).max() == 0


def test_instruments_alone_are_turned_down_by_as_much_as_is_allowed() -> None:
    share = plane((10, 0.05))
    for most in (0.0, 12.0, 30.0):
        assert absence(share, np.ones_like(share), RATE, most) == pytest.approx(most)


def test_a_voice_is_left_alone_a_second_before_it_begins_and_after_it_ends() -> None:
    fall = absence(plane((10, 0.05), (2, 0.9), (10, 0.05)), plane((22, 1.0)), RATE, 30.0)
    near = slice(round(9 * RATE), round(13 * RATE))
    assert fall[near].max() < 0.1
    assert fall[: round(5 * RATE)].min() > 29
    assert fall[-round(5 * RATE) :].min() > 29


def test_it_changes_slowly() -> None:
    fall = absence(plane((5, 0.05), (2, 0.9), (5, 0.05)), plane((12, 1.0)), RATE, 30.0)
    assert np.abs(np.diff(fall)).max() < 30 / (0.2 * RATE)


def test_a_short_word_is_a_voice() -> None:
    fall = absence(plane((5, 0.02), (0.3, 0.95), (5, 0.02)), plane((10.3, 1.0)), RATE, 30.0)
    assert fall[round(4.9 * RATE) : round(5.4 * RATE)].max() < 3


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_few_frames_and_silence_give_as_many_finite_numbers(frames: int) -> None:
    silent = np.zeros((2, frames, 16), np.float32)
    fall = absence(silent, silent, RATE, 30.0)
    assert fall.shape == (frames,)
    assert np.isfinite(fall).all()
    assert ((fall >= 0) & (fall <= 30)).all()
