"""Fades and overlapping segments: powers and sums that hold, signals that come back to the bit."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.kernels.crossfade import (
    Fade,
    SegmentCutter,
    SegmentOverlap,
    crossfade,
    fade_curves,
    segment_count,
    segment_window,
)
from unbraid.kernels.errors import KernelError
from unbraid.kernels.reference.crossfade import overlapped

SHAPES: tuple[Any, ...] = get_args(Fade)
#: Length and hop of segments, and samples of the signal.
GRIDS = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 300)).filter(lambda g: g[1] <= g[0])


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def blocks(x: Any, seed: int) -> list[Any]:
    """Cut ``x [channels, n]`` in blocks of random lengths, some of them 0."""
    random, at, found = np.random.default_rng(seed), 0, []
    while at < x.shape[-1]:
        n = int(random.integers(0, 60))
        found.append(np.ascontiguousarray(x[..., at : at + n]))
        at += n
    return found


def cut(x: Any, length: int, hop: int) -> Any:
    """Segments of a whole signal, from their definition."""
    count = segment_count(x.shape[1], length, hop)
    segments = np.zeros((count, x.shape[0], length), np.float32)
    for k in range(count):
        part = x[:, k * hop : k * hop + length]
        segments[k, :, : part.shape[1]] = part
    return segments


# Fades


@given(n=st.integers(0, 500), shape=st.sampled_from(SHAPES))
def test_a_fade_and_its_mirror_keep_amplitude_or_power(n: int, shape: Any) -> None:
    falling, rising = fade_curves(shape, n)
    np.testing.assert_allclose(falling, rising[::-1], rtol=1e-13, atol=1e-15)
    power = 1 if shape == "linear" else 2
    np.testing.assert_allclose(falling**power + rising**power, 1, rtol=1e-14)
    assert (np.diff(rising) > 0).all()


def test_root_hann_is_the_root_of_a_half_of_hann() -> None:
    from scipy.signal.windows import hann

    # SciPy's symmetric window of 2 n + 1 points has our points half way between its own.
    want = np.sqrt(hann(4 * 8 + 1)[1 : 2 * 8 : 2])
    np.testing.assert_allclose(fade_curves("root-hann", 8)[1], want, rtol=1e-12)


def test_equal_power_is_the_root_of_linear() -> None:
    np.testing.assert_allclose(fade_curves("equal-power", 9) ** 2, fade_curves("linear", 9), rtol=1e-14)


@given(n=st.integers(0, 200), shape=st.sampled_from(SHAPES), seed=st.integers(0, 99))
def test_a_crossfade_is_the_sum_of_both_under_their_curves(n: int, shape: Any, seed: int) -> None:
    tail, head = noise(2, n, seed=seed), noise(2, n, seed=seed + 1)
    falling, rising = fade_curves(shape, n)
    np.testing.assert_allclose(crossfade(tail, head, shape), falling * tail + rising * head, atol=1e-7)


@given(values=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=60))
def test_a_linear_fade_between_equal_pieces_changes_nothing(values: list[float]) -> None:
    x = np.array([values], np.float32)
    np.testing.assert_array_equal(crossfade(x, x.copy()), x)


def test_the_output_may_be_one_of_the_pieces() -> None:
    tail, head = noise(2, 50), noise(2, 50, seed=1)
    want = crossfade(tail, head, "root-hann")
    for which in (0, 1):
        pieces = [tail.copy(), head.copy()]
        assert crossfade(pieces[0], pieces[1], "root-hann", pieces[which]) is pieces[which]
        np.testing.assert_array_equal(pieces[which], want)


# Segments


@given(grid=GRIDS, seed=st.integers(0, 99))
def test_a_cutter_cuts_on_the_absolute_grid_whatever_the_blocks(grid: Any, seed: int) -> None:
    length, hop, n = grid
    x = noise(2, n, seed=seed)
    cutter, parts = SegmentCutter(2, length, hop), []
    for block in blocks(x, seed):
        parts.append(np.empty((cutter.completes(block.shape[1]), 2, length), np.float32))
        assert cutter.push(block, parts[-1]) is parts[-1]
    parts.append(cutter.finish())
    np.testing.assert_array_equal(np.concatenate(parts), cut(x, length, hop))
    assert cutter.finish().shape == (0, 2, length)


@given(
    grid=GRIDS,
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 99),
    scale=st.sampled_from([1.0, 1e-42, 1e38, 0.0]),
)
def test_a_signal_cut_and_put_together_comes_back_to_the_bit(
    grid: Any, shape: Any, seed: int, scale: float
) -> None:
    length, hop, n = grid
    x = (noise(2, n, seed=seed).astype(np.float64) * scale).astype(np.float32)
    overlap = SegmentOverlap(2, length, hop, shape)
    got = np.concatenate([overlap.push(cut(x, length, hop)), overlap.finish()], axis=1)
    np.testing.assert_array_equal(got[:, :n], x)
    assert not got[:, n:].any()


@given(grid=GRIDS, seed=st.integers(0, 99))
def test_segments_that_differ_are_averaged_by_weight(grid: Any, seed: int) -> None:
    length, hop, _ = grid
    window = np.random.default_rng(seed).uniform(0.01, 5, length)
    segments = noise(seed % 7 + 1, 2, length, seed=seed)
    overlap = SegmentOverlap(2, length, hop, window)
    got = np.concatenate([overlap.push(segments), overlap.finish()], axis=1)
    np.testing.assert_allclose(got, overlapped(segments, hop, window), atol=1e-7)


@given(grid=GRIDS, cuts=st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_how_segments_are_pushed_does_not_change_a_bit(grid: Any, cuts: list[int]) -> None:
    length, hop, _ = grid
    segments = noise(sum(cuts), 2, length, seed=4)
    whole, parts = SegmentOverlap(2, length, hop), SegmentOverlap(2, length, hop)
    pieces, at = [], 0
    for n in cuts:
        pieces.append(parts.push(segments[at : at + n]))
        assert pieces[-1].shape == (2, n * hop)
        at += n
    pieces.append(parts.finish())
    np.testing.assert_array_equal(
        np.concatenate(pieces, axis=1), np.concatenate([whole.push(segments), whole.finish()], axis=1)
    )


def test_a_stream_through_cutter_and_overlap_is_itself() -> None:
    x = noise(2, 5000, seed=9)
    cutter, overlap = SegmentCutter(2, 480, 360), SegmentOverlap(2, 480, 360, "root-hann")
    parts = [overlap.push(cutter.push(block)) for block in blocks(x, 3)]
    parts += [overlap.push(cutter.finish()), overlap.finish()]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1)[:, :5000], x)


def test_after_the_end_everything_starts_anew() -> None:
    cutter, overlap = SegmentCutter(1, 8, 6), SegmentOverlap(1, 8, 6)
    x, segments = noise(1, 20, seed=1), noise(0, 1, 8)
    for _ in range(2):
        segments = np.concatenate([cutter.push(x), cutter.finish()])
        got = np.concatenate([overlap.push(segments), overlap.finish()], axis=1)
        np.testing.assert_array_equal(got[:, :20], x)
    overlap.push(segments)
    overlap.reset()
    assert overlap.finish().shape == (1, 0)
    cutter.push(x[:, :5])
    cutter.reset()
    assert cutter.finish().shape == (0, 1, 8)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_sample_that_is_not_finite_spoils_itself_alone(bad: float) -> None:
    segments = noise(4, 1, 8, seed=2)
    overlap = SegmentOverlap(1, 8, 4)
    clean = np.concatenate([overlap.push(segments), overlap.finish()], axis=1)
    segments[1, 0, 5] = bad
    got = np.concatenate([overlap.push(segments), overlap.finish()], axis=1)
    assert not np.isfinite(got[0, 9])
    keep = np.arange(20) != 9
    np.testing.assert_array_equal(got[:, keep], clean[:, keep])


def test_a_window_rises_over_the_overlap_and_falls_as_it_rose() -> None:
    window = segment_window(10, 7, "root-hann")
    np.testing.assert_array_equal(window[3:7], 1)
    np.testing.assert_allclose(window, window[::-1])
    np.testing.assert_allclose(window[:3], np.sin(np.pi * np.array([1, 3, 5]) / 12))
    assert segment_window(4, 4).tolist() == [1, 1, 1, 1]
    assert segment_window(4, 1).tolist() == [0.25, 0.75, 0.75, 0.25]
    assert segment_window(1, 1).tolist() == [1]


@given(grid=GRIDS)
def test_the_count_is_the_least_that_covers_the_signal(grid: Any) -> None:
    length, hop, n = grid
    count = segment_count(n, length, hop)
    assert count == 0 if n == 0 else (count - 1) * hop + length >= n
    if count > 1:
        assert (count - 2) * hop + length < n


# Refusals


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: fade_curves("hann", 4), "shape must be one of linear, equal-power, root-hann, not 'hann'"),  # type: ignore[arg-type]
        (lambda: fade_curves("linear", -1), "n must be an integer of at least 0, not -1"),
        (lambda: segment_count(-1, 4, 2), "samples must be an integer of at least 0"),
        (lambda: segment_window(4, 5), "hop 5 and length 4 must be 1 <= hop <= length"),
        (lambda: segment_window(4, 0), "hop must be an integer of at least 1, not 0"),
        (lambda: SegmentCutter(0, 4, 2), "channels must be an integer of at least 1, not 0"),
        (lambda: SegmentCutter(1, 4.5, 2), "length must be an integer"),  # type: ignore[arg-type]
        (lambda: SegmentOverlap(1, 4, 5), "1 <= hop <= length"),
        (lambda: SegmentOverlap(True, 4, 2), "channels must be an integer"),
        (lambda: SegmentOverlap(1, 4, 2, "hann"), "shape must be one of"),  # type: ignore[arg-type]
        (lambda: SegmentOverlap(1, 4, 2, np.ones(5)), r"window must be float64 \[4\], not float64 \[5\]"),
        (lambda: SegmentOverlap(1, 4, 2, np.array([0, 1.0, 1, 1])), "above 1e-12 times its maximum"),
        (lambda: SegmentOverlap(1, 4, 2, np.array([np.nan, 1.0, 1, 1])), "window must be finite"),
        (lambda: SegmentOverlap(1, 4, 2, -np.ones(4)), "above 1e-12 times its maximum"),
    ],
)
def test_what_cannot_be_names_the_rule(call: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        call()


def test_arrays_that_do_not_fit_are_refused() -> None:
    x, overlap, cutter = noise(2, 8), SegmentOverlap(2, 4, 2), SegmentCutter(2, 4, 2)
    locked = noise(2, 8)
    locked.flags.writeable = False
    segments = noise(2, 2, 4)
    refused: list[tuple[Any, str]] = [
        (lambda: crossfade(x, noise(2, 7)), r"head must be float32 \[2, 8\], not float32 \[2, 7\]"),
        (lambda: crossfade(x.astype(float), x), "tail must be float32"),
        (lambda: crossfade(x[:, ::2], x[:, ::2]), "tail .* must be C-contiguous"),
        (lambda: crossfade(x, x, out=locked), "out .* must be writable"),
        (lambda: crossfade(x[:1], x[1:], out=x[:1]), "out must be tail, head, or share no memory"),
        (lambda: overlap.push(noise(2, 3, 4)), r"segments must be float32 \[any, 2, 4\]"),
        (lambda: overlap.push(segments, noise(2, 5)), r"out must be float32 \[2, 4\]"),
        (lambda: overlap.push(segments, segments[0]), "out must not share memory"),
        (lambda: overlap.finish(noise(2, 2)), r"out must be float32 \[2, 0\]"),
        (lambda: cutter.push(noise(3, 8)), r"block must be float32 \[2, any\]"),
        (lambda: cutter.push(segments[0], segments[:1]), "out must not share memory with block"),
        (lambda: cutter.push(x, noise(2, 2, 4)), r"out must be float32 \[3, 2, 4\]"),
    ]
    for call, says in refused:
        with pytest.raises(KernelError, match=says):
            call()
    np.testing.assert_array_equal(cutter.push(x), cut(x, 4, 2))  # nothing was taken before
