"""The classical denoiser's promises; for its controls see `test_kernels_gain_stream`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from unbraid.kernels import masked_roundtrip, stft
from unbraid.kernels.errors import KernelError
from unbraid.kernels.noise_gains import OmLsa, OmLsaSettings
from unbraid.kernels.reference import noise_gains as reference
from unbraid.plugins.denoising.classical_noise import frame_size, noise_rule

RATE = 48000
N_FFT, HOP = frame_size(RATE)

Signal = npt.NDArray[np.float32]


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def sdr(estimate: Signal, reference: Signal) -> float:
    return float(20 * np.log10(rms(reference) / rms(estimate.astype(np.float64) - reference)))


def hiss(seconds: float, level: float = 0.01, channels: int = 1, seed: int = 0) -> Signal:
    n = int(seconds * RATE)
    return (level * np.random.default_rng(seed).standard_normal((channels, n))).astype(np.float32)


def voice(seconds: float) -> Signal:
    """Pauses of 0.3 s and vowels of 0.3 s: partials of a gliding 140 Hz; RMS 0.1."""
    t = np.arange(int(seconds * RATE)) / RATE
    turns = np.cumsum(140 + 15 * np.sin(2 * np.pi * 0.7 * t)) / RATE
    tone = sum(np.sin(2 * np.pi * k * turns + k * k) / k for k in range(1, 25))
    within = ((t + 0.3) % 0.6) / 0.3
    tone = tone * np.where(within < 1, np.sin(np.pi * np.minimum(within, 1)) ** 0.5, 0)
    return (0.1 * tone / rms(tone))[None].astype(np.float32)


def spectra(x: Signal) -> npt.NDArray[np.complex64]:
    return stft(x, N_FFT, HOP, window="root_hann", framing="stream")


def denoise(x: Signal) -> Signal:
    gains = noise_rule(x.shape[0], RATE).process(spectra(x))
    return masked_roundtrip(x, gains, N_FFT, HOP, window="root_hann", framing="stream")


# What it does


@pytest.mark.parametrize("level", [1e-4, 0.01, 0.3])
def test_noise_alone_falls_by_more_than_twenty_decibels(level: float) -> None:
    noise = hiss(3, level)
    late = slice(RATE, None)
    assert rms(denoise(noise)[:, late]) < 0.1 * rms(noise[:, late])


@pytest.mark.parametrize("level", [0.1, 0.03])
def test_a_voice_in_noise_stands_out_by_five_decibels_more(level: float) -> None:
    speech = voice(5)
    mix = speech + hiss(5, level)
    assert sdr(denoise(mix), speech) > sdr(mix, speech) + 5


def test_a_voice_without_noise_passes() -> None:
    speech = voice(4)
    mix = speech + hiss(4, 1e-5)
    assert sdr(denoise(mix), speech) > 20


def test_the_output_is_at_most_thirty_milliseconds_late_at_every_rate() -> None:
    for rate in (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 88200, 96000, 192000):
        n_fft, hop = frame_size(rate)
        assert n_fft == 4 * hop
        assert 0.029 < n_fft / rate < 0.0312
        assert 210**20 % n_fft == 0  # no prime factor but those of the transform, 2, 3, 5 and 7


# What it does not mind


def disturbances() -> dict[str, Signal]:
    n = RATE
    t = np.arange(n) / RATE
    shapes = {
        "silence": np.zeros(n),
        "full scale": np.sign(np.sin(2 * np.pi * 100 * t)),
        "clipped noise": np.clip(100 * hiss(1, seed=3)[0], -1, 1),
        "dc": np.full(n, 0.9),
        "noise 40 dB above": hiss(1, 1.0, seed=4)[0],
        "noise 40 dB below": hiss(1, 1e-4, seed=5)[0],
        "denormals": np.full(n, 1e-41),
        "far beyond full scale": 1e12 * hiss(1, seed=6)[0],
        "a gap of NaN": np.full(n, np.nan),
    }
    return {name: shape.astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("name", disturbances())
def test_a_second_after_a_disturbance_noise_is_down_again(name: str) -> None:
    noise = hiss(5.5)
    noise[0, 2 * RATE : 3 * RATE] = disturbances()[name]
    gains = noise_rule(1, RATE).process(spectra(noise))
    assert np.isfinite(gains).all()
    assert gains.min() >= 0
    assert gains.max() <= 1
    after = gains[0, (4 * RATE + N_FFT) // HOP :]
    assert rms(after) < 0.1


@pytest.mark.parametrize("decibels", [-40, 40])
def test_noise_that_jumps_and_stays_is_followed_within_a_second(decibels: float) -> None:
    noise = hiss(5)
    noise[:, 2 * RATE :] *= np.float32(10 ** (decibels / 20))
    gains = noise_rule(1, RATE).process(spectra(noise))
    assert rms(gains[0, (3 * RATE + N_FFT) // HOP :]) < 0.1


def test_noise_that_is_known_stays_known_over_digital_silence() -> None:
    noise = hiss(4)
    noise[0, 2 * RATE : 3 * RATE] = 0
    gains = noise_rule(1, RATE).process(spectra(noise))
    first = (3 * RATE + N_FFT) // HOP
    assert rms(gains[0, first : first + 20]) < 0.1


# The kernel


def mixtures() -> Signal:
    return np.concatenate([voice(1.5) + hiss(1.5), hiss(1.5, 0.1, seed=1) * np.float32(1e-3)])


def test_gains_and_noise_are_those_of_the_float64_reference() -> None:
    X = spectra(mixtures())
    settings = OmLsaSettings(RATE / HOP)
    noise = np.empty(X.shape, np.float32)
    gains = OmLsa(2, X.shape[2], settings, wide=15).process(X, noise=noise)
    for channel in range(2):
        wanted, level = reference.om_lsa(X[channel], settings.values, 15)
        np.testing.assert_allclose(gains[channel], wanted, rtol=0, atol=3e-6)
        np.testing.assert_allclose(noise[channel], level, rtol=1e-6)


def test_company_does_not_change_a_bit() -> None:
    """Nor do cuts and reset: see `test_kernels_gain_stream`, for all rules."""
    X = spectra(mixtures())
    bins, settings = X.shape[2], OmLsaSettings(RATE / HOP)
    alone = OmLsa(1, bins, settings).process(np.ascontiguousarray(X[1:]))
    assert np.array_equal(alone[0], OmLsa(2, bins, settings).process(X)[1])


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(KernelError, match="floor must be a number"):
        OmLsaSettings(100, floor=0)
    with pytest.raises(KernelError, match="wide must be an integer"):
        OmLsa(1, 65, OmLsaSettings(100), wide=63)
    with pytest.raises(KernelError, match="spectra must be complex64"):
        OmLsa(1, 65, OmLsaSettings(100)).process(np.zeros((1, 3, 64), np.complex64))
