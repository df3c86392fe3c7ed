"""Bands of hearing: scales by published values, weights by their definition, sums by matrix products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from unbraid.kernels.bands import BARK, ERB, MEL_HTK, MEL_SLANEY, Bands, Scale, erb_width
from unbraid.kernels.errors import KernelError
from unbraid.kernels.reference.bands import erb_widths, triangles

SCALES = {"erb": ERB, "slaney": MEL_SLANEY, "htk": MEL_HTK, "bark": BARK}
#: Upper edges of the critical bands 1 to 24 in Hz (Zwicker, JASA 33, 1961).
ZWICKER = [
    *(100, 200, 300, 400, 510, 630, 770, 920, 1080, 1270, 1480, 1720),
    *(2000, 2320, 2700, 3150, 3700, 4400, 5300, 6400, 7700, 9500, 12000, 15500),
]
#: librosa.mel_frequencies(n_mels=40), from its documentation.
LIBROSA_MEL_40 = [
    *(0.0, 85.317, 170.635, 255.952, 341.269, 426.586, 511.904, 597.221, 682.538, 767.855, 853.173, 938.49),
    *(1024.856, 1119.114, 1222.042, 1334.436, 1457.167, 1591.187, 1737.532, 1897.337, 2071.84, 2262.393),
    *(2470.47, 2697.686, 2945.799, 3216.731, 3512.582, 3835.643, 4188.417, 4573.636, 4994.285, 5453.621),
    *(5955.205, 6502.92, 7101.009, 7754.107, 8467.272, 9246.028, 10096.408, 11025.0),
]
#: df_state.erb_widths() of DeepFilterNet's own configuration: 48 kHz, 960, 32 bands of at least 2 bins.
DEEPFILTERNET = [
    *(2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5, 5, 7),
    *(7, 8, 10, 12, 13, 15, 18, 20, 24, 28, 31, 37, 42, 50, 56, 67),
]
#: ERB-rate with the constants of DeepFilterNet's libDF, which differ from the paper's in the fourth digit.
LIBDF = Scale(
    "libDF",
    lambda hz: 9.265 * np.log1p(np.asarray(hz) / (24.7 * 9.265)),
    lambda erb: 24.7 * 9.265 * np.expm1(np.asarray(erb) / 9.265),
)


def spectra(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.complex64]]:
    random = np.random.default_rng(seed)
    return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(np.complex64)


def powers_of(x: Any) -> Any:
    return (x.real.astype(np.float64) ** 2 + x.imag.astype(np.float64) ** 2).astype(np.float32)


# Scales


@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_a_scale_rises_and_comes_back(scale: Scale) -> None:
    hz = np.linspace(0, 24000, 4801)
    units = scale.from_hz(hz)
    assert (np.diff(units) > 0).all()
    np.testing.assert_allclose(scale.to_hz(units), hz, atol=1e-8)


def test_erb_is_glasberg_and_moore_s() -> None:
    np.testing.assert_allclose(erb_width([0, 1000, 4000]), [24.7, 132.6, 456.5], atol=0.05)
    np.testing.assert_allclose(ERB.from_hz([0, 100, 1000, 4000]), [0, 3.37, 15.62, 27.11], atol=0.01)


def test_mel_of_slaney_is_librosa_s() -> None:
    np.testing.assert_allclose(
        MEL_SLANEY.from_hz([60, 110, 220, 440, 11025]), [0.9, 1.65, 3.3, 6.6, 49.91059448015905]
    )
    np.testing.assert_allclose(
        MEL_SLANEY.to_hz([1, 2, 3, 4, 5]), [66.667, 133.333, 200, 266.667, 333.333], 1e-5
    )
    centres = MEL_SLANEY.to_hz(np.linspace(0, float(MEL_SLANEY.from_hz(11025)), 40))
    np.testing.assert_allclose(centres, LIBROSA_MEL_40, atol=6e-4)


def test_mel_of_htk_puts_1000_hz_at_1000() -> None:
    np.testing.assert_allclose(MEL_HTK.from_hz([0, 700, 1000]), [0, 2595 * np.log10(2), 1000], atol=0.02)


def test_bark_is_within_a_twentieth_of_the_critical_bands_where_traunmueller_says_so() -> None:
    numbers = np.arange(1, 25)
    error = np.abs(BARK.from_hz(ZWICKER) - numbers)
    trusted = (np.array(ZWICKER) >= 200) & (np.array(ZWICKER) <= 6700)
    assert error[trusted].max() < 0.055
    assert error.max() < 0.15


# Layouts

LAYOUTS = st.tuples(
    st.sampled_from(sorted(SCALES)),
    st.sampled_from([8000, 16000, 44100, 48000]),
    st.integers(2, 700),
    st.integers(1, 40),
)


def layout(draw: tuple[str, int, int, int], **more: float) -> Bands:
    scale, rate, n_fft, bands = draw
    assume(bands <= n_fft // 2)
    try:
        return Bands.triangular(SCALES[scale], rate, n_fft, bands, **more)
    except KernelError:
        assume(condition=False)
        raise


@given(draw=LAYOUTS)
def test_triangles_stand_on_their_neighbours_centres_and_leave_no_band_empty(draw: Any) -> None:
    bands = layout(draw)
    hz = np.arange(bands.bins) * draw[1] / draw[2]
    np.testing.assert_allclose(bands.matrix(), triangles(bands.centres, hz), atol=1e-6)
    np.testing.assert_allclose(bands.widths, bands.matrix().sum(axis=0))
    assert (bands.widths > 0).all()
    assert (np.diff(bands.centres) * draw[2] / draw[1] > 1 - 1e-9).all()


@given(draw=LAYOUTS)
def test_every_bin_has_weights_that_sum_to_one(draw: Any) -> None:
    np.testing.assert_allclose(layout(draw).matrix().sum(axis=1), 1, rtol=1e-15)


def test_centres_are_even_on_the_scale_between_the_ends_given() -> None:
    bands = Bands.triangular(ERB, 48000, 4096, 20, low=50, high=16000)
    steps = np.diff(ERB.from_hz(bands.centres))
    np.testing.assert_allclose(bands.centres[[0, -1]], [50, 16000])
    np.testing.assert_allclose(steps, steps[0])


def test_inner_triangles_are_librosa_s_mel_filters() -> None:
    # librosa.filters.mel(sr=22050, n_fft=2048) begins with the row [0, 0.016, ...]: 128 filters between
    # 130 points, each triangle scaled by two over its width in Hz.
    bands = Bands.triangular(MEL_SLANEY, 22050, 2048, 130)
    scaled = bands.matrix()[:, 1] * 2 / (bands.centres[2] - bands.centres[0])
    assert scaled[0] == 0
    assert round(scaled[1], 3) == 0.016


def test_rectangles_are_deepfilternet_s() -> None:
    bands = Bands.rectangular(ERB, 48000, 960, 32, minimum=2)
    assert bands.widths.tolist() == DEEPFILTERNET
    assert erb_widths(48000, 960, 32, 2) == DEEPFILTERNET


@given(
    rate=st.sampled_from([8000, 16000, 24000, 48000]),
    n_fft=st.integers(20, 1500),
    bands=st.integers(1, 40),
    minimum=st.integers(1, 4),
)
def test_rectangles_widen_as_deepfilternet_widens_them(
    rate: int, n_fft: int, bands: int, minimum: int
) -> None:
    want = erb_widths(rate, n_fft, bands, minimum)
    if want[-1] < minimum:
        with pytest.raises(KernelError, match="do not fit"):
            Bands.rectangular(LIBDF, rate, n_fft, bands, minimum=minimum)
    else:
        got = Bands.rectangular(LIBDF, rate, n_fft, bands, minimum=minimum)
        assert got.widths.tolist() == want
        assert set(np.unique(got.matrix())) <= {0.0, 1.0}


# Energies and gains


@given(draw=LAYOUTS, channels=st.integers(1, 3), frames=st.integers(0, 3), rectangular=st.booleans())
def test_energies_are_the_weights_matrix_product(
    draw: Any, channels: int, frames: int, rectangular: bool
) -> None:
    bands = layout(draw)
    if frames == 1:
        bands = layout(draw, low=0.03 * draw[1], high=0.4 * draw[1])
    if rectangular:
        bands = Bands.rectangular(SCALES[draw[0]], draw[1], draw[2], max(1, draw[3] // 4))
    x = spectra(channels, frames, bands.bins)
    want = powers_of(x).astype(np.float64) @ bands.matrix()
    np.testing.assert_allclose(bands.energies(x), want, rtol=2e-6)
    np.testing.assert_allclose(bands.energies(powers_of(x)), want, rtol=2e-6)


@given(draw=LAYOUTS, seed=st.integers(0, 99))
def test_gains_of_bins_are_the_weights_times_the_bands_gains(draw: Any, seed: int) -> None:
    bands = layout(draw, low=0.03 * draw[1], high=0.4 * draw[1])
    gains = np.random.default_rng(seed).uniform(0, 1, (2, 3, bands.bands)).astype(np.float32)
    np.testing.assert_allclose(bands.interpolate(gains), gains @ bands.matrix().T, rtol=1e-6, atol=1e-7)


@given(draw=LAYOUTS, gain=st.floats(-1e6, 1e6, width=32))
def test_equal_gains_of_bands_are_exactly_the_gains_of_all_bins(draw: Any, gain: float) -> None:
    bands = layout(draw)
    got = bands.interpolate(np.full((1, 2, bands.bands), gain, np.float32))
    assert (got == np.float32(gain)).all()


def test_a_step_of_rectangles_is_exact() -> None:
    bands = Bands.rectangular(ERB, 48000, 960, 32, minimum=2)
    gains = np.random.default_rng(1).uniform(0, 1, (2, 3, 32)).astype(np.float32)
    np.testing.assert_array_equal(bands.interpolate(gains), np.repeat(gains, DEEPFILTERNET, axis=2))


def test_a_frame_has_the_same_bits_alone_and_among_others() -> None:
    bands = Bands.triangular(BARK, 44100, 882, 21)
    x, gains = (
        spectra(2, 5, bands.bins),
        np.random.default_rng(2).uniform(0, 1, (2, 5, 21)).astype(np.float32),
    )
    energies, spread = bands.energies(x), bands.interpolate(gains)
    for c in range(2):
        for t in range(5):
            alone = x[c : c + 1, t : t + 1].copy()
            np.testing.assert_array_equal(bands.energies(alone)[0, 0], energies[c, t])
            alone_gains = gains[c : c + 1, t : t + 1].copy()
            np.testing.assert_array_equal(bands.interpolate(alone_gains)[0, 0], spread[c, t])


def test_outputs_go_where_they_are_asked_to() -> None:
    bands = Bands.triangular(ERB, 48000, 512, 12)
    x, gains = spectra(1, 2, 257), np.ones((1, 2, 12), np.float32)
    energies, spread = np.empty((1, 2, 12), np.float32), np.empty((1, 2, 257), np.float32)
    assert bands.energies(x, energies) is energies
    assert bands.interpolate(gains, spread) is spread
    np.testing.assert_array_equal(energies, bands.energies(x))
    np.testing.assert_array_equal(spread, 1)


def test_silence_has_no_energy_and_denormals_add_up() -> None:
    bands = Bands.triangular(ERB, 48000, 512, 12)
    assert not bands.energies(np.zeros((1, 1, 257), np.complex64)).any()
    tiny = np.full((1, 1, 257), 1e-42, np.float32)
    np.testing.assert_allclose(bands.energies(tiny).sum(), 257e-42, rtol=0.01)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("at", [0, 3, 100, 256])
def test_a_bin_that_is_not_finite_spoils_the_bands_on_its_two_sides_alone(bad: float, at: int) -> None:
    bands = Bands.triangular(ERB, 48000, 512, 12)
    x = np.ones((1, 1, 257), np.float32)
    good = bands.energies(x)[0, 0]
    x[0, 0, at] = bad
    got = bands.energies(x)[0, 0]
    touched = bands.matrix()[at] > 0
    assert not np.isfinite(got[touched]).any()
    beyond = np.searchsorted(bands.centres, at * 48000 / 512, side="right")
    allowed = touched | (np.arange(12) == beyond)
    np.testing.assert_array_equal(got[~allowed], good[~allowed])


def test_a_gain_that_is_nan_spoils_the_bins_in_reach_alone() -> None:
    bands = Bands.triangular(ERB, 48000, 512, 12)
    gains = np.ones((1, 1, 12), np.float32)
    gains[0, 0, 5] = np.nan
    got, hz = bands.interpolate(gains)[0, 0], np.arange(257) * 48000 / 512
    reach = (hz >= bands.centres[4]) & (hz < bands.centres[6])
    np.testing.assert_array_equal(np.isnan(got), reach)


# Refusals


@pytest.mark.parametrize(
    ("arguments", "more", "says"),
    [
        ((ERB, 48000, 512, 0), {}, "bands must be an integer of at least 1, not 0"),
        ((ERB, 48000, 512, 2.5), {}, "bands must be an integer"),
        ((ERB, 48000, 512, True), {}, "bands must be an integer"),
        ((ERB, 48000, 1, 1), {}, "n_fft must be an integer of at least 2, not 1"),
        ((ERB, 0, 512, 8), {}, "rate must be a positive number of Hz, not 0"),
        ((ERB, float("nan"), 512, 8), {}, "rate must be a finite number"),
        ((ERB, "48k", 512, 8), {}, "rate must be a finite number, not '48k'"),
        ((ERB, 48000, 512, 8), {"low": -1}, "low -1 and high 24000.0 must be 0 <= low < high"),
        ((ERB, 48000, 512, 8), {"low": 500, "high": 400}, "must be 0 <= low < high"),
        ((ERB, 48000, 512, 8), {"high": 24001}, "<= rate / 2 = 24000.0"),
        ((ERB, 48000, 512, 8), {"minimum": 0.5}, "minimum must be at least 1 bin, not 0.5"),
        (
            (ERB, 48000, 512, 300),
            {},
            "bands = 300 do not fit into n_fft = 512.*fewer bands or a longer frame",
        ),
    ],
)
def test_a_layout_that_cannot_be_names_the_rule(arguments: Any, more: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        Bands.triangular(*arguments, **more)


def test_rectangles_that_cannot_be_name_the_rule() -> None:
    with pytest.raises(KernelError, match=r"do not fit.*of 257 bins"):
        Bands.rectangular(ERB, 48000, 512, 200, minimum=2)
    with pytest.raises(KernelError, match="n_fft must be an integer"):
        Bands.rectangular(ERB, 48000, 512.0, 20)  # type: ignore[arg-type]


GOOD = np.zeros((2, 3, 257), np.complex64)


@pytest.mark.parametrize(
    ("spectrum", "says"),
    [
        (GOOD.astype(np.complex128), "spectrum must be complex64"),
        (GOOD.real.astype(np.float64), "spectrum must be complex64"),
        (GOOD[:, :, :200], "spectrum must be complex64"),
        (GOOD[0], "spectrum must be complex64"),
        (np.zeros((2, 3, 514), np.complex64)[:, :, ::2], "must be C-contiguous"),
        ([[[0.0] * 257]], "spectrum must be .*not (list|NoneType)"),
        (None, "spectrum must be .*not (list|NoneType)"),
    ],
)
def test_spectra_that_do_not_fit_are_refused(spectrum: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        Bands.triangular(ERB, 48000, 512, 12).energies(spectrum)


def test_outputs_and_gains_that_do_not_fit_are_refused() -> None:
    bands = Bands.triangular(ERB, 48000, 512, 12)
    locked = np.zeros((2, 3, 12), np.float32)
    locked.flags.writeable = False
    with pytest.raises(KernelError, match=r"out .*must be writable"):
        bands.energies(GOOD, locked)
    with pytest.raises(KernelError, match=r"out must be float32 \[2, 3, 12\]"):
        bands.energies(GOOD, np.zeros((2, 3, 13), np.float32))
    with pytest.raises(KernelError, match=r"gains must be float32 \[any, any, 12\]"):
        bands.interpolate(np.zeros((2, 3, 12)))  # type: ignore[arg-type]
    square = Bands.rectangular(ERB, 48000, 24, 13)
    shared = np.zeros((1, 1, 13), np.float32)
    with pytest.raises(KernelError, match="out must not share memory"):
        square.energies(shared, shared)
    with pytest.raises(KernelError, match="out must not share memory"):
        square.interpolate(shared, shared)
