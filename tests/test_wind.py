"""The promises of the wind filter without weights, on signals made here."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from unbraid.host import open_stream, process
from unbraid.host.graph.graph import Graph

RATE = 48000

Signal = npt.NDArray[np.float32]


def db(ratio: Any) -> float:
    return float(20 * np.log10(ratio))


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def sdr(estimate: Any, reference: Any) -> float:
    return db(rms(reference) / (rms(np.asarray(estimate, np.float64) - reference) + 1e-30))


def wind(seconds: float, rate: int = RATE, seed: int = 0, channels: int = 1) -> Signal:
    """Noise falling as 1/f^2 in power above 80 Hz, in gusts of 20 dB every 1.7 s; RMS 0.1."""
    rng = np.random.default_rng(seed)
    n = int(seconds * rate)
    spectrum = np.fft.rfft(rng.standard_normal((channels, 2 * n)))
    hz = np.fft.rfftfreq(2 * n, 1 / rate)
    noise = np.fft.irfft(spectrum * (hz > 8) / np.sqrt(1 + (hz / 80) ** 2))[:, :n]
    noise *= 10 ** (0.5 * np.sin(2 * np.pi * np.arange(n) / rate / 1.7))
    return (0.1 * noise / rms(noise)).astype(np.float32)


def voice(seconds: float, rate: int = RATE) -> Signal:
    """Vowels of 0.35 s with pauses of 0.25 s: partials of a gliding 140 Hz; RMS 0.1."""
    t = np.arange(int(seconds * rate)) / rate
    turns = np.cumsum(140 + 15 * np.sin(2 * np.pi * 0.7 * t)) / rate
    partials = range(1, min(20, int(rate / 2 / 160)))
    weights = [1 / (1 + ((140 * k - 500) / 200) ** 2) + 0.02 for k in partials]
    tone = sum(w * np.sin(2 * np.pi * k * turns + k * k) for k, w in zip(partials, weights, strict=True))
    within = (t % 0.6) / 0.35
    tone = (tone * np.where(within < 1, np.sin(np.pi * np.minimum(within, 1)) ** 0.5, 0))[None]
    return (0.1 * tone / rms(tone)).astype(np.float32)


def bass_line(seconds: int = 6) -> Signal:
    """Plucked notes from 41 to 62 Hz, two a second, with partials falling as 1/k."""
    t = np.arange(RATE // 2) / RATE
    shape = np.exp(-2 * t) * np.minimum(1, t / 0.005)
    notes = [41.2, 55.0, 36.7, 49.0, 61.7, 41.2, 65.4, 46.2] * 2
    line = [shape * sum(np.sin(2 * np.pi * f * k * t) / k for k in range(1, 9)) for f in notes[: 2 * seconds]]
    return (0.2 * np.concatenate(line)[None]).astype(np.float32)


def dewind(x: Signal, rate: int = RATE, blocks: list[int] | None = None, **params: Any) -> dict[str, Signal]:
    graph = Graph()
    node = graph.node("filter", "wind", graph.input("mix", None), **{"model": "classical", **params})
    graph.output("clean", node["clean"])
    graph.output("wind", node["wind"])
    return process(graph, x, rate=rate, blocks=blocks)


def share(x: Signal, low: float, high: float, rate: int = RATE) -> float:
    """Return the RMS of what lies between two frequencies in Hz."""
    spectrum = np.fft.rfft(x)
    hz = np.fft.rfftfreq(x.shape[-1], 1 / rate)
    return rms(np.fft.irfft(spectrum * ((hz >= low) & (hz < high)), x.shape[-1]))


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_clean_and_wind_sum_to_the_input(channels: int) -> None:
    mix = np.repeat(voice(2), channels, axis=0) + wind(2, channels=channels)
    stems = dewind(mix)
    assert set(stems) == {"clean", "wind"}
    assert sdr(stems["clean"].astype(np.float64) + stems["wind"], mix) > 120


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_wind_alone_is_turned_down_by_ten_decibels(seed: int) -> None:
    gale = wind(6, seed=seed)
    clean = dewind(gale)["clean"]
    settled = slice(RATE, None)
    assert db(rms(clean[:, settled]) / rms(gale[:, settled])) < -10


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_voice_as_loud_as_the_wind_gains_five_decibels(seed: int) -> None:
    speech, gale = voice(6), wind(6, seed=seed)
    mix = speech + gale
    assert sdr(dewind(mix)["clean"], speech) > sdr(mix, speech) + 5


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_voice_well_above_the_wind_is_not_made_worse(seed: int) -> None:
    speech, breeze = voice(6), wind(6, seed=seed) * np.float32(10 ** (-10 / 20))
    mix = speech + breeze
    assert sdr(dewind(mix)["clean"], speech) > sdr(mix, speech)


def test_a_voice_without_wind_passes() -> None:
    speech = voice(5)
    assert sdr(dewind(speech)["clean"], speech) > 20


@pytest.mark.parametrize("hz", [35, 50, 80, 440])
def test_a_tone_passes(hz: float) -> None:
    tone = (0.5 * np.sin(2 * np.pi * hz * np.arange(3 * RATE) / RATE)[None]).astype(np.float32)
    assert sdr(dewind(tone)["clean"], tone) > 40


def test_a_bass_line_passes() -> None:
    line = bass_line()
    assert sdr(dewind(line)["clean"], line) > 30


def test_hiss_is_not_wind() -> None:
    hiss = (0.05 * np.random.default_rng(4).standard_normal((1, 3 * RATE))).astype(np.float32)
    assert sdr(dewind(hiss)["clean"], hiss) > 30


def test_each_channel_stands_alone() -> None:
    # Two channels share one transform, which leaks rounding errors between them, about -140 dB.
    both = np.concatenate([wind(4, seed=5), bass_line(4)])
    together = dewind(both)["clean"]
    for channel, alone in zip(together, both, strict=True):
        np.testing.assert_allclose(channel[None], dewind(alone[None].copy())["clean"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("blocks", [[1, 2, 3, 500, 511, 512, 513], [8192], [37], [512], [4096, 1]])
def test_block_cuts_do_not_change_a_bit(blocks: list[int]) -> None:
    mix = np.repeat(voice(1.2), 2, axis=0) + wind(1.2, seed=6, channels=2)
    n = mix.shape[1]
    cuts: list[int] = []
    k = 0
    while sum(cuts) < n:
        cuts.append(min(blocks[k % len(blocks)], n - sum(cuts)))
        k += 1
    whole, cut = dewind(mix), dewind(mix, blocks=cuts)
    assert rms(whole["wind"]) > 0.01
    assert all(np.array_equal(whole[name], cut[name]) for name in whole)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000])
def test_every_rate_gains(rate: int) -> None:
    speech, gale = voice(4, rate), wind(4, rate, seed=7)
    mix = speech + gale
    clean = dewind(mix, rate)["clean"]
    assert clean.shape == mix.shape
    assert sdr(clean, speech) > sdr(mix, speech) + 3


@pytest.mark.parametrize("limit", [0.0, 6.0, 20.0])
def test_no_bin_is_turned_down_by_more_than_the_limit(limit: float) -> None:
    # A band narrower than the mask's details would mix frames of opposite phase; so the whole band counts.
    gale = wind(4, seed=8)
    clean = dewind(gale, limit=limit)["clean"]
    for low, high in ((20, 60), (60, 200), (200, 1000)):
        drop = db(share(clean, low, high) / share(gale, low, high))
        assert drop > -limit - 0.5
    assert db(rms(clean) / rms(gale)) < max(-0.5 * limit, -8) + 0.01


def test_deeper_is_quieter() -> None:
    gale = wind(3, seed=9)
    levels = [rms(dewind(gale, limit=limit)["clean"]) for limit in (0, 6, 12, 24, 48)]
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("idle", [{"strength": 0.0}, {"limit": 0.0}])
def test_no_strength_and_no_limit_pass_everything(idle: dict[str, Any]) -> None:
    mix = voice(2) + wind(2, seed=10)
    stems = dewind(mix, **idle)
    assert sdr(stems["clean"], mix) > 120
    assert rms(stems["wind"]) < 1e-6 * rms(mix)


def test_silence_stays_silence() -> None:
    stems = dewind(np.zeros((2, RATE), np.float32))
    assert not stems["clean"].any()
    assert not stems["wind"].any()


def extremes() -> dict[str, Signal]:
    n = RATE
    square = np.sign(np.sin(2 * np.pi * 60 * np.arange(n) / RATE))
    click = np.zeros(n)
    click[n // 2] = 1
    burst = np.where(np.arange(n) < n // 2, 0, wind(1, seed=11)[0] * 100)
    return {
        "denormals": np.full(n, 1e-41),
        "tiny noise": 1e-30 * np.random.default_rng(1).standard_normal(n),
        "full-scale square": square,
        "dc": np.ones(n),
        "click": click,
        "gale after silence": burst,
        "far beyond full scale": 1e12 * wind(1, seed=12)[0],
    }


@pytest.mark.parametrize("name", extremes())
def test_extreme_input_gives_no_more_than_it_holds(name: str) -> None:
    x = extremes()[name][None].astype(np.float32)
    clean = dewind(x)["clean"]
    assert np.isfinite(clean).all()
    assert rms(clean) <= rms(x) * 1.001


def test_reset_forgets() -> None:
    gale = wind(1.5, seed=13)
    graph = Graph()
    node = graph.node("filter", "wind", graph.input("mix", "mono"))
    graph.output("clean", node["clean"])
    with open_stream(graph, rate=RATE) as stream:
        first = stream.process({"mix": gale})["clean"]
        stream.reset()
        assert np.array_equal(stream.process({"mix": gale})["clean"], first)
