"""The compiled wind estimate against its reference, and what several microphones add. See `test_wind` too."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from unbraid.kernels import masked_roundtrip, stft
from unbraid.kernels.errors import KernelError
from unbraid.kernels.noise_wind import WindGains, WindTables, wind_settings
from unbraid.kernels.reference.noise_wind import wind_gains
from unbraid.plugins.denoising.classical_wind import wind_rule
from unbraid.plugins.denoising.recipe.gusts import simulate_wind

RATE, N_FFT, HOP = 48000, 2048, 512

Signal = npt.NDArray[np.float32]


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def sdr(estimate: Signal, reference: Signal) -> float:
    return float(20 * np.log10(rms(reference) / rms(estimate.astype(np.float64) - reference)))


def voice(seconds: float) -> Signal:
    """Pauses of 0.25 s and vowels of 0.35 s: partials of a gliding 140 Hz; RMS 0.1."""
    t = np.arange(int(seconds * RATE)) / RATE
    turns = np.cumsum(140 + 15 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    tone = sum(
        (1 / (1 + ((140 * k - 500) / 200) ** 2) + 0.02) * np.sin(2 * np.pi * k * turns + k * k)
        for k in range(1, 20)
    )
    within = ((t + 0.35) % 0.6) / 0.35
    tone = tone * np.where(within < 1, np.sin(np.pi * np.minimum(within, 1)) ** 0.5, 0)
    return (0.1 * tone / rms(tone)).astype(np.float32)


def winds(seconds: float, channels: int, seed: int = 0) -> Signal:
    n = int(seconds * RATE)
    return np.stack([simulate_wind(n, seed + c, speed=6, gustiness=4) for c in range(channels)])


def spectra(x: Signal) -> npt.NDArray[np.complex64]:
    return stft(x, N_FFT, HOP, window="root_hann", framing="stream")


def dewind(x: Signal) -> Signal:
    gains = wind_rule(x.shape[0], RATE).process(spectra(x))
    return masked_roundtrip(x, gains, N_FFT, HOP, window="root_hann", framing="stream")


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_gains_and_evidence_are_those_of_the_float64_reference(channels: int) -> None:
    X = spectra(winds(2, channels) + voice(2))
    tables, hop = WindTables(RATE, N_FFT), HOP / RATE
    evidence = np.empty(X.shape[:2], np.float32)
    gains = WindGains(channels, tables, hop).process(X, evidence=evidence)
    wanted, sure = wind_gains(X, tables, wind_settings(hop))
    assert sure.max() > 0.9
    np.testing.assert_allclose(evidence, sure, rtol=0, atol=1e-6)
    np.testing.assert_allclose(gains, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("seed", [10, 20, 30])
def test_a_second_microphone_brings_the_voice_out_further(seed: int) -> None:
    speech = voice(5)
    mix = winds(5, 2, seed) + np.stack([speech, np.roll(speech, 3)])
    alone, together = dewind(mix[:1].copy())[0], dewind(mix)[0]
    assert sdr(together, speech) > sdr(alone, speech)


@pytest.mark.parametrize("beside", ["itself", "nothing", "a voice without wind"])
def test_a_second_channel_that_tells_nothing_changes_nothing(beside: str) -> None:
    mix = winds(3, 1, 40)[0] + voice(3)
    other = {"itself": mix, "nothing": np.zeros_like(mix), "a voice without wind": np.roll(voice(3), 3)}[
        beside
    ]
    alone, together = dewind(mix[None].copy())[0], dewind(np.stack([mix, other]))[0]
    assert rms(together - alone) < 1e-4 * rms(alone)


def test_a_broken_frame_passes_and_is_over() -> None:
    X = spectra(winds(3, 1, 50))
    whole = wind_rule(1, RATE).process(X)
    broken = X.copy()
    broken[:, 100:103] = np.nan
    gains = wind_rule(1, RATE).process(broken)
    assert np.isfinite(gains).all()
    assert 0 <= gains.min() <= gains.max() <= 1
    assert rms(gains[:, 200:] - whole[:, 200:]) < 0.05


def test_frames_that_cannot_tell_wind_are_refused() -> None:
    with pytest.raises(KernelError, match="do not tell wind"):
        WindTables(48000, 64)
    with pytest.raises(KernelError, match="strength must be a number"):
        wind_settings(0.01, 5)
