"""The promises of the simulated wind, and of the overloaded microphone."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from unbraid.plugins.denoising.recipe.gusts import RATE, overload, simulate_wind, wind_filter


def test_a_seed_is_a_wind_and_another_seed_another() -> None:
    assert np.array_equal(simulate_wind(9000, 3), simulate_wind(9000, 3))
    assert not np.array_equal(simulate_wind(9000, 3), simulate_wind(9000, 4))


@pytest.mark.parametrize("samples", [1, 100, 48000])
def test_wind_has_the_length_and_the_level_it_says(samples: int) -> None:
    wind = simulate_wind(samples, 5)
    assert wind.shape == (samples,)
    assert wind.dtype == np.float32
    assert np.sqrt(np.mean(np.square(wind, dtype=np.float64))) == pytest.approx(0.1, rel=1e-5)


def test_filters_are_stable_at_every_speed_and_their_line_spectral_frequencies_are_the_papers() -> None:
    for filter_ in wind_filter(np.linspace(0, 25, 101)):
        assert np.abs(np.roots(filter_)).max() < 1
    # 6 m/s: the sum with the filter's own mirror has its roots at w1, w3 and w5.
    a = np.append(wind_filter(6.0), 0)
    angles = np.angle(np.roots(a + a[::-1]))
    published = np.polyval([-2.63412e-06, 9.50240e-05, -6.99199e-04, 1.06850e-02, -9.66851e-04], 6)
    assert angles[angles > 0].min() == pytest.approx(published, rel=1e-3)


@pytest.mark.parametrize("speed", [3, 6, 12])
def test_wind_falls_with_frequency(speed: float) -> None:
    hz, power = scipy.signal.welch(simulate_wind(10 * RATE, 1, speed=speed), RATE, nperseg=8192)
    levels = [10 * np.log10(power[(hz >= low) & (hz < 2 * low)].mean()) for low in (100, 400, 1600, 6400)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] - levels[-1] > 12


def test_faster_wind_reaches_higher() -> None:
    def centroid(speed: float) -> float:
        hz, power = scipy.signal.welch(simulate_wind(10 * RATE, 2, speed=speed, rumble=0), RATE, nperseg=4096)
        return float((hz * power).sum() / power.sum())

    assert centroid(3) < centroid(7) < centroid(14)


def test_rumble_lifts_what_lies_below_speech() -> None:
    def low_share(rumble: float) -> float:
        hz, power = scipy.signal.welch(
            simulate_wind(10 * RATE, 2, speed=6, rumble=rumble), RATE, nperseg=8192
        )
        return float(power[hz < 60].sum() / power.sum())

    assert low_share(12) > 2 * low_share(0)


def test_gusts_come_and_go() -> None:
    def spread(gustiness: float) -> float:
        level = (
            np.square(simulate_wind(20 * RATE, 7, speed=5, gustiness=gustiness))
            .reshape(-1, RATE // 2)
            .mean(axis=1)
        )
        return float(np.std(10 * np.log10(level)))

    assert spread(8) > spread(1) + 2


@pytest.mark.parametrize("hardness", [0.0, 0.5, 1.0])
def test_an_overloaded_microphone_holds_its_peaks_and_a_quiet_one_its_signal(hardness: float) -> None:
    wind = simulate_wind(2 * RATE, 8, speed=6)
    loud, quiet = overload(wind, 15, hardness=hardness), overload(wind, -20, hardness=1.0, corner=0.01)
    assert np.abs(loud).max() < 0.3 * np.abs(wind).max()
    # Of hard saturation at 20 dB below its point, nothing is left.
    assert np.abs(quiet - wind).max() < 1e-3 * np.abs(wind).max()


def test_overload_of_silence_is_silence_and_of_channels_channels() -> None:
    assert not overload(np.zeros(1000, np.float32), 12).any()
    assert overload(np.ones((2, 1000), np.float32), 12).shape == (2, 1000)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="samples must be at least 1"):
        simulate_wind(0, 1)
    with pytest.raises(ValueError, match="gustiness must be at least 1"):
        simulate_wind(100, 1, gustiness=0.5)
