"""Measures against closed forms and against the libraries called by hand; what has no number says why."""

from __future__ import annotations

import importlib.machinery
import json
import math
import shutil
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soxr

from unbraid.host import measures
from unbraid.host.contract.errors import MediaRequestError
from unbraid.host.measures import (
    MEASURES,
    Measured,
    best_lag,
    bsseval,
    compare,
    dnsmos,
    estoi,
    loudness,
    lsd,
    null_depth,
    pesq,
    sdr,
    si_sdr,
)
from unbraid.host.measures.distortion import SdrGauge
from unbraid.host.measures.lag import LagGauge
from unbraid.host.measures.log_spectral import LsdGauge
from unbraid.host.measures.scale_invariant import SiSdrGauge
from unbraid.host.measures.speech import Parts
from unbraid.kernels.errors import KernelError

if TYPE_CHECKING:
    from collections.abc import Callable

Array = npt.NDArray[np.float32]
RATE = 16_000


def noise(samples: int = 20_000, channels: int = 1, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (channels, samples)).astype(np.float32)


def apart(samples: int = 100_000, error: float = 0.1) -> tuple[Array, Array]:
    """A signal of ones at even samples, and an estimate whose error stands at the odd ones."""
    signal = np.zeros((1, samples), np.float32)
    signal[:, ::2] = 1
    estimate = signal.copy()
    estimate[:, 1::2] = error
    return signal, estimate


def talk(seconds: float, rate: int = RATE, seed: int = 2) -> Array:
    """Bursts of filtered noise with pauses, which measures of speech take for words."""
    n = round(seconds * rate)
    hiss = np.random.default_rng(seed).standard_normal(n + 8)
    voice = np.convolve(hiss, np.ones(9) / 9, mode="valid")
    words = np.clip(np.sin(2 * np.pi * 1.1 * np.arange(n) / rate + 1), 0, 1)
    return np.asarray(0.3 * voice * words, np.float32)[None]


def number(figure: Measured) -> float:
    assert figure.value is not None, figure.note
    return figure.value


# Ratios of signal to error


@pytest.mark.parametrize("level", [0.0, 10.0, 37.5])
def test_noise_at_a_known_level_is_measured_as_that_ratio(level: float) -> None:
    signal, hiss = noise(channels=2).astype(np.float64), noise(channels=2, seed=9).astype(np.float64)
    hiss -= (hiss * signal).sum(axis=1)[:, None] / (signal**2).sum(axis=1)[:, None] * signal
    hiss *= np.sqrt((signal**2).sum(axis=1) / (hiss**2).sum(axis=1) / 10 ** (level / 10))[:, None]
    reference, estimate = signal.astype(np.float32), (signal + hiss).astype(np.float32)
    assert number(sdr(reference, estimate)) == pytest.approx(level, abs=1e-4)
    assert number(si_sdr(reference, estimate)) == pytest.approx(level, abs=1e-4)
    assert number(null_depth(reference, estimate)["null_rms"]) == pytest.approx(-level, abs=1e-4)


@pytest.mark.parametrize("gain", [1.0, 4.0, -0.25])
@pytest.mark.parametrize("error", [1e-1, 1e-3, 1e-6])
def test_si_sdr_forgives_the_gain_and_sees_the_smallest_error(gain: float, error: float) -> None:
    signal, estimate = apart(error=error)
    want = -20 * math.log10(error)
    assert number(si_sdr(signal, np.float32(gain) * estimate)) == pytest.approx(want, abs=1e-3)


def test_sdr_does_not_forgive_the_gain() -> None:
    signal = noise()
    assert number(sdr(signal, np.float32(0.5) * signal)) == pytest.approx(20 * math.log10(2), abs=1e-6)


def test_sdr_sums_channels_and_si_sdr_averages_them() -> None:
    (signal, ten), (_, thirty) = apart(error=10**-0.5), apart(error=10**-1.5)
    both = np.concatenate([signal, signal]), np.concatenate([ten, thirty])
    assert number(si_sdr(*both)) == pytest.approx(20, abs=1e-4)
    assert number(sdr(*both)) == pytest.approx(10 * math.log10(2 / (0.1 + 0.001)), abs=1e-4)


def test_an_offset_is_an_error_in_si_sdr() -> None:
    signal = np.tile(np.array([[1, -1]], np.float32), 5000)
    assert number(si_sdr(signal, signal + np.float32(0.125))) == pytest.approx(20 * math.log10(8), abs=1e-6)


def test_an_equal_estimate_is_perfect() -> None:
    signal = noise(channels=2)
    assert sdr(signal, signal).value == math.inf
    assert si_sdr(signal, signal).value == si_sdr(signal, np.float32(0.5) * signal).value == math.inf
    assert {figure.value for figure in null_depth(signal, signal).values()} == {-math.inf}
    assert lsd(signal, signal).value == 0


def test_null_depth_tells_level_and_peak() -> None:
    signal = np.tile(np.array([[0.5, -0.5]], np.float32), 5000)
    estimate = signal.copy()
    estimate[0, 77] += 0.05
    found = null_depth(signal, estimate)
    assert number(found["null_peak"]) == pytest.approx(-20, abs=1e-5)
    assert number(found["null_rms"]) == pytest.approx(-20 - 10 * math.log10(10_000), abs=1e-5)


# Spectra, loudness, time


def test_lsd_is_the_distance_that_numpy_finds() -> None:
    reference, estimate = noise(9_000, 2), noise(9_000, 2, seed=5)
    window = np.hanning(2049)[:-1]

    def levels(x: Array) -> npt.NDArray[np.float64]:
        frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), 2048, axis=1)[:, ::512]
        power: npt.NDArray[np.float64] = (np.abs(np.fft.rfft(frames * window)) * 4 / 2048) ** 2
        return 10 * np.log10(np.maximum(power, 1e-10))

    want = np.sqrt(((levels(reference) - levels(estimate)) ** 2).mean(axis=2)).mean()
    assert number(lsd(reference, estimate)) == pytest.approx(want, abs=1e-3)


def test_lsd_hears_a_gain_and_no_polarity() -> None:
    signal = noise()
    assert number(lsd(signal, np.float32(0.25) * signal)) == pytest.approx(20 * math.log10(4), abs=1e-3)
    assert number(lsd(signal, -signal)) == pytest.approx(0, abs=1e-4)


def test_loudness_of_a_known_tone() -> None:
    """BS.1770-4: a sine of 997 Hz at full scale in one channel reads -3.01 LUFS."""
    tone = (0.1 * np.sin(2 * np.pi * 997 / 48_000 * np.arange(96_000))).astype(np.float32)[None]
    found = loudness(tone, np.float32(0.5) * tone, 48_000)
    assert number(found["loudness_reference"]) == pytest.approx(-23.01, abs=0.02)
    assert number(found["loudness_difference"]) == pytest.approx(-6.02, abs=0.01)
    assert number(found["true_peak_estimate"]) == pytest.approx(-26.02, abs=0.05)


@pytest.mark.parametrize("late", [0, 1, 480, 4800, -37, -4800])
def test_a_late_or_early_estimate_is_told_to_the_sample(late: int) -> None:
    whole = noise(120_000, 2)
    reference, estimate = whole[:, 5000:-5000], whole[:, 5000 - late : 115_000 - late]
    lag = best_lag(np.ascontiguousarray(reference), np.ascontiguousarray(estimate), 48_000)
    assert (lag.samples, lag.inverted) == (late, False)
    assert bool(lag.note) == bool(late)
    if late:
        assert f"{abs(late)} sample" in lag.note
        assert ("late" if late > 0 else "early") in lag.note


def test_what_a_lag_promises_is_what_moving_gives() -> None:
    whole = noise(100_000)
    estimate = whole + np.float32(0.1) * noise(100_000, seed=8)
    late = np.ascontiguousarray(estimate[:, :-300])
    reference = np.ascontiguousarray(whole[:, 300:])
    lag = best_lag(reference, late, 48_000)
    assert lag.samples == 300
    moved = sdr(np.ascontiguousarray(reference[:, :-300]), np.ascontiguousarray(late[:, 300:]))
    assert lag.sdr == pytest.approx(number(moved), abs=0.1)


def test_an_inverted_estimate_is_told() -> None:
    signal = noise()
    assert "inverted" in best_lag(signal, -signal, 48_000).note


def test_unlike_signals_have_no_lag() -> None:
    assert best_lag(noise(50_000), noise(50_000, seed=7), 48_000).note == ""
    assert best_lag(np.zeros((1, 9000), np.float32), noise(9000), 48_000).note == ""


@pytest.mark.parametrize("cut", [777, 50_000])
@pytest.mark.parametrize("make", [SdrGauge, SiSdrGauge, LsdGauge, LagGauge])
def test_the_cut_into_blocks_does_not_matter(make: Callable[..., Any], cut: int) -> None:
    reference, estimate = noise(70_000, 2), np.roll(noise(70_000, 2), 41, axis=1)
    whole, parts = make(8000, ("L", "R")), make(8000, ("L", "R"))
    whole.push(reference, estimate)
    for start in range(0, 70_000, cut):
        piece = slice(start, start + cut)
        parts.push(np.ascontiguousarray(reference[:, piece]), np.ascontiguousarray(estimate[:, piece]))
    for name, figure in whole.figures().items():
        assert parts.figures()[name].value == pytest.approx(figure.value, rel=1e-9)


# Speech


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_pesq_is_what_its_library_says(rate: int) -> None:
    library = pytest.importorskip("pesq", reason="pip install pesq")
    reference = talk(6, rate)
    estimate = reference + np.float32(0.01) * noise(reference.shape[1])
    found = number(pesq(np.concatenate([reference] * 2), np.concatenate([estimate] * 2), rate))
    mono = [
        soxr.resample(x[0].astype(np.float64), rate, 16_000, quality="VHQ") for x in (reference, estimate)
    ]
    assert found == pytest.approx(library.pesq(16_000, *mono, "wb"), abs=0.01)


def test_long_speech_is_scored_in_parts_that_the_library_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has room for 50 utterances and none to spare: 25 s of short words end the process."""
    library = pytest.importorskip("pesq", reason="pip install pesq")
    taken: list[int] = []

    def score(rate: int, reference: Array, estimate: Array, mode: str) -> float:
        taken.append(len(reference))
        return float(len(taken))

    monkeypatch.setattr(library, "pesq", score)
    speech = talk(100)
    found = pesq(speech, speech, RATE)
    assert max(taken) < 19 * RATE
    assert sum(taken) == speech.shape[1]
    assert found.value == np.mean(range(1, len(taken) + 1))
    assert found.note == f"mean of {len(taken)} of {len(taken)} parts"


def test_parts_lose_no_sample() -> None:
    parts, signal = Parts(8000, 8000, 2, 1), noise(50_000)
    given: list[Array] = []
    for start in range(0, 50_000, 3000):
        parts.push(signal[:, start : start + 3000])
        while parts.ready():
            given.append(parts.take())
    parts.finish()
    given.append(parts.take())
    np.testing.assert_array_equal(np.concatenate(given), signal[0])
    assert [len(part) for part in given[:-1]] == [16_000] * (len(given) - 1)
    assert 8000 <= len(given[-1]) < 24_000


@pytest.mark.parametrize("rate", [10_000, 16_000])
def test_estoi_is_what_its_library_says(rate: int) -> None:
    library = pytest.importorskip("pystoi", reason="pip install pystoi")
    reference = talk(4, rate)
    estimate = reference + np.float32(0.1) * noise(reference.shape[1])
    want = library.stoi(reference[0], estimate[0], rate, extended=True)
    assert number(estoi(reference, estimate, rate)) == pytest.approx(want, abs=1e-6)
    assert 0.1 < want < 0.99


SILENCE = np.zeros((1, 3 * RATE), np.float32)
WORDS = talk(3)
REASONS = {
    "silent reference": (SILENCE, WORDS, RATE, "the reference is silent", "the reference is silent"),
    "silent estimate": (WORDS, SILENCE, RATE, "the estimate is silent", "the estimate is silent"),
    "short": (WORDS[:, :3000], WORDS[:, :3000], RATE, "shorter than 0.25 s", "shorter than 0.5 s"),
    "low rate": (WORDS, WORDS, 7000, "PESQ needs 16000 Hz, not 7000 Hz", "ESTOI needs 8000 Hz"),
}


@pytest.mark.parametrize("case", REASONS)
def test_speech_that_cannot_be_scored_says_why(case: str) -> None:
    pytest.importorskip("pesq", reason="pip install pesq")
    pytest.importorskip("pystoi", reason="pip install pystoi")
    reference, estimate, rate, of_pesq, of_estoi = REASONS[case]
    reference, estimate = np.ascontiguousarray(reference), np.ascontiguousarray(estimate)
    for found, reason in (
        (pesq(reference, estimate, rate), of_pesq),
        (estoi(reference, estimate, rate), of_estoi),
    ):
        assert found.value is None
        assert reason in found.note


def test_estoi_of_too_few_words_is_no_number() -> None:
    pytest.importorskip("pystoi", reason="pip install pystoi")
    word = np.zeros((1, 2 * RATE), np.float32)
    word[:, RATE : RATE + 1600] = noise(1600)
    assert estoi(word, word, RATE) == Measured(None, "less than 0.4 s of speech")


def test_pesq_without_words_is_no_number() -> None:
    pytest.importorskip("pesq", reason="pip install pesq")
    knock = np.zeros((1, 2 * RATE), np.float32)
    knock[:, 9000:10_600] = noise(1600)  # too short for a word
    assert pesq(knock, knock, RATE) == Measured(None, "no speech was found")


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **parts: Any) -> None:
    module = ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    for key, value in parts.items():
        setattr(module, key, value)
    monkeypatch.setitem(sys.modules, name, module)


def test_dnsmos_gives_the_network_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Array, int]] = []

    def run(sample: Array, rate: int) -> dict[str, float]:
        seen.append((sample, rate))
        return {"ovrl_mos": 3.0, "sig_mos": 3.5, "bak_mos": 4.0, "p808_mos": 2.5}

    network = ModuleType("speechmos.dnsmos")
    network.run = run  # type: ignore[attr-defined]
    for name in ("onnxruntime", "librosa", "requests"):
        stand_in(monkeypatch, name)
    stand_in(monkeypatch, "speechmos", dnsmos=network)
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", network)
    found = dnsmos(3 * talk(2, 32_000), 32_000)
    assert {name: figure.value for name, figure in found.items()} == {
        "dnsmos_overall": 3.0,
        "dnsmos_signal": 3.5,
        "dnsmos_background": 4.0,
        "dnsmos_p808": 2.5,
    }
    ((sample, rate),) = seen
    assert (rate, sample.shape, sample.dtype.name) == (16_000, (32_000,), "float32")
    assert np.abs(sample).max() <= 1
    assert dnsmos(talk(0.5), RATE)["dnsmos_signal"] == Measured(None, "shorter than 1 s")


# All stems of a track


def stems(count: int = 2, channels: int = 1) -> tuple[dict[str, Array], dict[str, Array]]:
    """3.5 s of noise for each stem at 4 kHz, and estimates that hear a little of the others, late."""
    names = ["vocals", "drums", "bass"][:count]
    references = {name: noise(14_000, channels, seed=30 + k) for k, name in enumerate(names)}
    mixture = np.sum(list(references.values()), axis=0)
    bleed = np.float32(0.1) * np.roll(mixture, 3, axis=1)
    hiss = np.float32(0.02) * noise(14_000, channels, seed=40)
    return references, {name: signal + bleed + hiss for name, signal in references.items()}


def museval() -> Any:
    if shutil.which("ffmpeg") is None:
        pytest.skip("museval does not load without ffmpeg: apt-get install ffmpeg")
    return pytest.importorskip("museval", reason="pip install museval")


def museval_by_hand(references: list[Array], estimates: list[Array], rate: int) -> npt.NDArray[np.float64]:
    library = museval()
    signals = (np.stack([x.T.astype(np.float64) for x in group]) for group in (references, estimates))
    medians: npt.NDArray[np.float64] = np.nanmedian(library.evaluate(*signals, win=rate, hop=rate), axis=2)
    return medians


def values(found: dict[str, Measured]) -> list[float | None]:
    return [found[name].value for name in ("bss_sdr", "bss_isr", "bss_sir", "bss_sar")]


@pytest.mark.parametrize(("count", "channels"), [(2, 1), (1, 2)])
def test_bsseval_is_what_museval_says(count: int, channels: int) -> None:
    references, estimates = stems(count, channels)
    want = museval_by_hand(list(references.values()), list(estimates.values()), 4000)
    found = bsseval(references, estimates, 4000)
    for k, name in enumerate(references):
        rows = [row for row in range(4) if count > 1 or row != 2]  # one stem has no SIR
        assert [values(found[name])[row] for row in rows] == pytest.approx(want[rows, k].tolist(), abs=1e-6)
    assert 5 < want[0, 0] < 25


def test_vocals_and_accompaniment_are_measured_against_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    library = museval()

    def bss_eval(references: Array, estimates: Array, **_: object) -> npt.NDArray[np.float64]:
        """Give each stem the number of those that it was measured with."""
        return np.full((5, len(references), 3), float(len(references)))

    monkeypatch.setattr(library.metrics, "bss_eval", bss_eval)
    references, estimates = stems(3)
    for group in (references, estimates):
        group["accompaniment"] = group["drums"] + group["bass"]
    found = bsseval(references, estimates, 4000)
    counts = {name: figures["bss_sir"].value for name, figures in found.items()}
    assert counts == {"vocals": 2, "accompaniment": 2, "drums": 3, "bass": 3}


def test_seconds_in_which_a_stem_is_silent_do_not_count() -> None:
    references, estimates = stems()
    references["drums"][:, :4000] = 0
    want = museval_by_hand(list(references.values()), list(estimates.values()), 4000)
    found = bsseval(references, estimates, 4000)["vocals"]
    assert values(found) == pytest.approx(want[:, 0].tolist(), abs=1e-6)


def test_a_silent_reference_is_left_out() -> None:
    museval()
    references, estimates = stems()
    references["drums"][:] = 0
    found = bsseval(references, estimates, 4000)
    assert found["drums"]["bss_sdr"] == Measured(None, "the reference is silent")
    alone = bsseval({"vocals": references["vocals"]}, {"vocals": estimates["vocals"]}, 4000)
    assert found["vocals"] == alone["vocals"]


def test_a_silent_estimate_is_named() -> None:
    museval()
    references, estimates = stems()
    estimates["drums"][:] = 0
    assert "the estimate of drums is silent" in bsseval(references, estimates, 4000)["vocals"]["bss_sar"].note


def test_a_stem_by_itself_has_no_interference() -> None:
    museval()
    found = bsseval(*stems(1), 4000)["vocals"]
    assert found["bss_sir"] == Measured(None, "a stem by itself has no interference")


def test_bsseval_refuses_what_the_memory_cannot_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    museval()
    monkeypatch.setattr("unbraid.host.measures.bss._free_memory", lambda: 10**6)
    references, estimates = stems()
    assert "GB of memory" in bsseval(references, estimates, 4000)["drums"]["bss_sdr"].note


def test_museval_that_will_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    museval()

    def load(*_: object) -> None:
        raise RuntimeError("ffmpeg or ffprobe could not be found!")

    monkeypatch.setattr("unbraid.host.measures.bss._museval", load)
    note = bsseval(*stems(), 4000)["drums"]["bss_sdr"].note
    assert note == "museval cannot be loaded: ffmpeg or ffprobe could not be found!"


# What there is, and what is not installed


@pytest.mark.parametrize(
    ("library", "measure", "figure"),
    [("museval", "bsseval", "bss_sdr"), ("pesq", "pesq", "pesq"), ("pystoi", "estoi", "estoi")],
)
def test_without_a_library_its_measure_says_so_and_the_others_work(
    library: str, measure: str, figure: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    signal = talk(1)
    found = compare(signal, signal, RATE, [measure, "sdr"])
    assert found[figure] == Measured(None, "not installed: pip install 'unbraid[eval]'")
    assert found["sdr"].value == math.inf


def test_dnsmos_is_asked_for_by_default_only_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speechmos", None)
    signal = noise(1000)
    assert "dnsmos_signal" not in compare(signal, signal, 7000)
    note = compare(signal, signal, RATE, ["dnsmos"])["dnsmos_signal"].note
    assert note == "not installed: pip install speechmos onnxruntime librosa requests"


def test_a_library_that_is_there_but_broken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "pesq")
    assert "pesq cannot be loaded" in pesq(talk(1), talk(1), RATE).note


def test_an_unknown_measure_is_refused_and_the_nearest_offered() -> None:
    with pytest.raises(MediaRequestError, match="no measure 'sisdr'; did you mean 'si-sdr'"):
        compare(noise(), noise(), RATE, ["sisdr"])


SILENT = np.zeros((2, 4000), np.float32)


@pytest.mark.parametrize(
    "figure",
    ["sdr", "si_sdr", "null_rms", "null_peak", "loudness_reference", "loudness_difference", "bss_sdr"],
)
def test_against_a_silent_reference_there_is_no_number(figure: str) -> None:
    found = compare(SILENT, noise(4000, 2), 8000, ["sdr", "si-sdr", "null", "loudness", "bsseval"])
    assert found[figure].value is None
    assert found[figure].note


def test_a_silent_estimate_has_an_sdr_of_0_and_no_si_sdr() -> None:
    assert sdr(noise(4000, 2), SILENT).value == 0
    assert si_sdr(noise(4000, 2), SILENT) == Measured(None, "the estimate is silent in channel 1")


def test_channels_that_are_silent_in_the_reference_are_left_out_of_si_sdr_and_told() -> None:
    signal, estimate = apart()
    reference = np.concatenate([signal, 0 * signal])
    found = si_sdr(reference, np.concatenate([estimate, estimate]))
    assert number(found) == pytest.approx(20, abs=1e-4)
    assert found.note == "without 1 of 2 channels, silent in the reference"


def test_what_is_too_short_says_so() -> None:
    found = compare(noise(100), noise(100), 8000, ["lsd", "loudness", "bsseval"])
    assert found["lsd"] == Measured(None, "shorter than one window of 2048 samples")
    assert "shorter than 0.4 s" in found["loudness_estimate"].note
    assert found["bss_sdr"].value is None


@pytest.mark.parametrize(
    ("reference", "estimate"),
    [
        (noise(100), noise(101)),
        (noise(100), noise(100, 2)),
        (noise(100).astype(np.float64), noise(100)),
        (noise(100, 2)[:, ::2], noise(50, 2)),
        (noise(100)[0], noise(100)[0]),
        (noise(100), np.full((1, 100), np.nan, np.float32)),
    ],
    ids=["length", "channels", "type", "order", "axes", "nan"],
)
def test_arrays_that_do_not_fit_are_refused(reference: Any, estimate: Any) -> None:
    with pytest.raises(KernelError, match=r"reference|estimate"):
        sdr(reference, estimate)


def test_figures_are_never_nan_and_always_json() -> None:
    with pytest.raises(ValueError, match="say why"):
        Measured(math.nan)
    for value, text in ((math.inf, '"inf"'), (-math.inf, '"-inf"'), (None, "null"), (1.5, "1.5")):
        assert f'"value": {text}' in json.dumps(Measured(value).as_data(), allow_nan=False)


def test_every_measure_gives_the_figures_it_names() -> None:
    signal = talk(2)
    for name, measure in MEASURES.items():
        found = compare(signal, signal, RATE, [name])
        assert set(found) == {figure.name for figure in measure.figures} | {"lag"}


def test_everything_shown_is_there() -> None:
    assert set(measures._HOME) == set(measures.__all__)
    for name in measures.__all__:
        assert getattr(measures, name).__class__ is not ModuleType
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = measures.nothing
