"""A rule's gains as a compiled node: the same as its parts one after another, and controls in their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels.band_gains import BandGains
from unbraid.kernels.band_levels import BandLevels
from unbraid.kernels.errors import KernelError
from unbraid.kernels.gain_stream import GainStream
from unbraid.kernels.neural import Network
from unbraid.kernels.neural_layers import Dense
from unbraid.kernels.neural_recurrent import MinGru
from unbraid.kernels.noise_gains import OmLsa, OmLsaSettings
from unbraid.kernels.noise_wind import WindGains, WindTables
from unbraid.kernels.streaming import StreamingStft

if TYPE_CHECKING:
    from collections.abc import Callable

    from unbraid.kernels.gain_rule import GainRule

EDGES = [1, 2, 4, 9, 20, 33]
BANDS = len(EDGES) - 1


def networks(channels: int, each: int) -> list[Network]:
    random = np.random.default_rng(5)

    def weight(*shape: int) -> Any:
        return random.normal(0, 0.3, shape)

    sizes = [min(each, channels - first) for first in range(0, channels, each)]
    memory = weight(6, 2 * BANDS), weight(6, 2 * BANDS), weight(6), weight(6)
    last = weight(2 * BANDS, 6), weight(2 * BANDS)
    return [
        Network(2 * BANDS, [MinGru(*memory), Dense(*last, activation="sigmoid")], size, block=4)
        for size in sizes
    ]


def band_rule(channels: int) -> BandGains:
    return BandGains(BandLevels(channels, EDGES, unit=20), networks(channels, 2), block=9)


#: Name to rule, n_fft, hop and lookahead.
RULES: dict[str, tuple[Callable[[int], GainRule], int, int, int]] = {
    "bands": (band_rule, 64, 16, 1),
    "noise": (lambda channels: OmLsa(channels, 65, OmLsaSettings(400), wide=4), 128, 40, 0),
    "wind": (lambda channels: WindGains(channels, WindTables(8000, 512), 128 / 8000), 512, 128, 2),
}


def sound(channels: int, samples: int, seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    loud = 10 ** random.uniform(-3, 0, (channels, samples // 50 + 1)).repeat(50, axis=1)[:, :samples]
    return (loud * random.standard_normal((channels, samples))).astype(np.float32)


def frame_by_frame(name: str, x: Any) -> Any:
    """The parts by themselves: transform, rule, overlap-add, a hop at a time."""
    make, n_fft, hop, lookahead = RULES[name]
    rule: Any = make(len(x))
    stream = StreamingStft(len(x), n_fft, hop, hop, lookahead=lookahead)
    out = np.empty_like(x)
    for first in range(0, x.shape[1], hop):
        X = stream.analyse(x[:, first : first + hop])
        if X.shape[1]:
            stream.synthesise(0, rule.process(np.ascontiguousarray(X)))
        stream.pull(0, out[:, first : first + hop])
    return out


def stream_of(name: str, channels: int, **call: Any) -> GainStream:
    make, n_fft, hop, lookahead = RULES[name]
    return GainStream(make(channels), n_fft, hop, lookahead=lookahead, **call)


def through(stream: GainStream, x: Any, cuts: list[int]) -> Any:
    out, at, k = np.empty_like(x), 0, 0
    while at < x.shape[1]:
        end = min(x.shape[1], at + cuts[k % len(cuts)])
        part = np.empty((len(x), end - at), np.float32)
        stream.process(np.ascontiguousarray(x[:, at:end]), part)
        out[:, at:end] = part
        at, k = end, k + 1
    return out


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_the_node_does_what_its_parts_do(name: str, channels: int) -> None:
    x = sound(channels, 3000)
    want = frame_by_frame(name, x)
    got = through(stream_of(name, channels), x, [3000])
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
    assert np.abs(want).max() > 0.01
    assert np.abs(want).mean() < 0.95 * np.abs(x).mean()  # it does take something off


@given(
    name=st.sampled_from(sorted(RULES)),
    channels=st.integers(1, 3),
    block=st.integers(1, 9),
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_cuts_and_blocks_do_not_change_a_bit(name: str, channels: int, block: int, cuts: list[int]) -> None:
    x = sound(channels, 2000, seed=3)
    want = through(stream_of(name, channels), x, [2000])
    np.testing.assert_array_equal(through(stream_of(name, channels, block=block), x, cuts), want)


@pytest.mark.parametrize("name", RULES)
def test_reset_forgets_the_signal_and_keeps_the_controls(name: str) -> None:
    x = sound(2, 1500)
    stream = stream_of(name, 2)
    stream.control(strength=0.6, limit=12)
    want = through(stream, x, [1500])
    stream.process(sound(2, 777, seed=9), np.empty((2, 777), np.float32))
    stream.control(strength=0.6, limit=12)
    stream.reset()
    np.testing.assert_array_equal(through(stream, x, [100]), want)


def fixed(gain: float) -> BandGains:
    """A rule that says the same of every frame: what the controls make of it is then known."""
    same = Network(2 * BANDS, [Dense(np.zeros((BANDS, 2 * BANDS)), np.full(BANDS, gain))])
    return BandGains(BandLevels(1, [0, *EDGES[1:]]), [same])


@given(
    gain=st.floats(0, 1),
    exponent=st.sampled_from((0.5, 1.0, 1.7)),
    limit=st.floats(0, 100),
    strength=st.floats(0, 1),
)
@settings(max_examples=60, deadline=None)
def test_gains_are_bent_limited_and_as_strong_as_asked(
    gain: float, exponent: float, limit: float, strength: float
) -> None:
    stream = GainStream(fixed(gain), 64, 16, exponent=exponent)
    stream.control(strength=strength, limit=limit)
    out = through(stream, np.ones((1, 400), np.float32), [400])
    want = 1 - strength * (1 - max(gain**exponent, 10 ** (-limit / 20)))
    np.testing.assert_allclose(out[0, 63:], want, atol=2e-6)


@pytest.mark.parametrize("lookahead", [0, 1, 3])
@pytest.mark.parametrize("at", [0, 200, 207, 208])
def test_a_change_counts_from_the_frame_whose_middle_it_finds(lookahead: int, at: int) -> None:
    """A frame k covers up to sample (k + 1) hop; with hop = n_fft / 2 two of them share each sample."""
    n_fft, hop, samples = 64, 32, 640
    stream = GainStream(fixed(0.0), n_fft, hop, lookahead=lookahead)
    stream.control(limit=0)
    before, behind = np.ones((1, at), np.float32), np.ones((1, samples - at), np.float32)
    stream.process(before, before)
    stream.control(limit=300)
    stream.process(behind, behind)
    got = np.concatenate([before, behind], axis=1)[0, stream.latency :]
    # The last frame that is untouched has its middle, (k + 1) hop - n_fft / 2, before the change.
    frames = [k for k in range(40) if (k + 1) * hop - n_fft // 2 < at]
    end = (max(frames) + 1) * hop if frames else 0
    assert (np.abs(got[: max(0, end - hop)] - 1) < 1e-5).all()  # both frames over these are untouched
    assert (np.abs(got[end:]) < 1e-5).all()  # none is
    assert (np.diff(got) < 1e-5).all()  # and between it falls without a step upwards


def test_a_change_with_every_sample_is_kept() -> None:
    """Many changes wait while a frame is under way; none is lost."""
    stream, steady = GainStream(fixed(0.0), 64, 16, lookahead=1), np.ones((1, 1), np.float32)
    out = []
    for sample in range(900):
        stream.control(strength=1 - sample / 900)
        one = np.empty((1, 1), np.float32)
        stream.process(steady, one)
        out.append(one[0, 0])
    got = np.array(out[stream.latency :])
    want = np.arange(len(got)) / 900
    assert np.abs(got - want)[32:].max() < 16 / 900  # frames stand for the samples around their middle


def test_what_cannot_be_is_refused_by_name() -> None:
    rule = band_rule(2)
    with pytest.raises(KernelError, match="takes 33 bins, a frame has 65"):
        GainStream(rule, 128, 32)
    with pytest.raises(KernelError, match="strength must be a number"):
        GainStream(rule, 64, 16).control(strength=1.1)
    with pytest.raises(KernelError, match="exponent must be a number"):
        GainStream(rule, 64, 16, exponent=0)
    with pytest.raises(KernelError, match="block must be an integer from 1 to 9, not 10"):
        GainStream(rule, 64, 16, block=10)  # it would write beyond the rule's memory
    with pytest.raises(KernelError, match="block must be float32"):
        GainStream(rule, 64, 16).process(np.ones((3, 10), np.float32), np.ones((3, 10), np.float32))
    with pytest.raises(KernelError, match="networks take 3 channels, the levels are of 2"):
        BandGains(BandLevels(2, EDGES), networks(3, 3))
    with pytest.raises(KernelError, match="5 bands need 10 and a multiple of 5"):
        BandGains(BandLevels(1, EDGES), [Network(10, [Dense(np.zeros((7, 10)))])])
    with pytest.raises(KernelError, match="10 frames, block is 9"):
        rule.process(np.zeros((2, 10, 33), np.complex64))
