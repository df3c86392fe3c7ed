"""The classical vocals: they beat the simple masks they are made of, sum up, and fail for no input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from unbraid.host.models import ModelCard, ModelCardError, ModelFile, read_card
from unbraid.plugins import models
from unbraid.plugins.separators import center
from unbraid.plugins.separators.center_masks import changing_mask, likeness_mask, tonal_mask
from unbraid.plugins.separators.center_pitch import comb_mask, melody

if TYPE_CHECKING:
    from unbraid.plugins.separators.separator import Separator

    Array = npt.NDArray[Any]

RATE = 44100


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return read_card(Path(models.__file__).parent / "center.yaml")


@pytest.fixture(scope="module")
def model(card: ModelCard) -> Separator:
    return center.load(card, "cpu")


def clock(seconds: float) -> Array:
    return np.arange(round(seconds * RATE)) / RATE


def voice(seconds: float) -> Array:
    """Sung notes with vibrato and slides, a breath between them; in the centre."""
    t = clock(seconds)
    notes = np.array([220.0, 261.6, 329.6, 293.7, 246.9, 196.0])
    pitch = notes[(t / 0.7).astype(int) % len(notes)] * 2 ** (0.03 * np.sin(2 * np.pi * 5.5 * t))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = [np.exp(-(((k * 250 - 700) / 900) ** 2)) + 0.2 for k in range(1, 25)]
    sung = sum(a * np.sin(k * phase + k) for k, a in enumerate(formants, start=1))
    mono = sung * np.minimum(1, 8 * np.abs(np.sin(np.pi * t / 0.7)))
    return np.asarray(np.array([[0.05], [0.05]]) * mono)


def band(seconds: float) -> Array:
    """Held chords to the sides, a bass note and drums in the centre."""
    t, rng = clock(seconds), np.random.default_rng(5)
    left, right = ((130.8, 196.0, 392.0), (164.8, 523.3, 659.3))
    chords = np.stack(
        [
            sum(0.06 / k * np.sin(2 * np.pi * k * f * t + f) for f in side for k in range(1, 8))
            for side in (left, right)
        ]
    )
    chords = np.array([[1.0, 0.3], [0.3, 1.0]]) @ chords
    drums = 0.8 * rng.standard_normal(t.size) * np.exp(-60 * (t % 0.35))
    return np.asarray(chords + 0.1 * np.sin(2 * np.pi * 65.4 * t) + drums)


def sdr(wanted: Array, found: Array) -> float:
    return float(10 * np.log10(np.sum(wanted**2) / np.sum((wanted - found) ** 2)))


def db(part: Array, whole: Array) -> float:
    return float(
        10 * np.log10(np.sum(np.square(part, dtype=np.float64)) / np.sum(np.square(whole, dtype=np.float64)))
    )


def masked(mixture: Array, kind: str) -> Array:
    """The two masks everybody begins with: likeness of the channels, and medians (Fitzgerald 2010)."""
    from scipy.ndimage import median_filter
    from scipy.signal import istft, stft

    hz, _, X = stft(mixture, RATE, nperseg=4096, noverlap=3072)
    power = np.abs(X) ** 2
    if kind == "centre":
        mask = 2 * np.abs(X[0] * X[1].conj()) / (power.sum(0) + 1e-20)
    else:
        size = np.sqrt(power.mean(0))
        held, struck = median_filter(size, (1, 17)) ** 2, median_filter(size, (17, 1)) ** 2
        mask = struck / (held + struck + 1e-20)
    mask = mask * ((hz > 120) & (hz < 10_000))[:, None]
    return np.asarray(istft(X * mask, RATE, nperseg=4096, noverlap=3072)[1][:, : mixture.shape[1]])


# What comes out


def test_vocals_are_better_than_by_either_simple_mask(model: Separator) -> None:
    """As on real songs; here the stems are made."""
    sung, played = voice(4), band(4)
    mixture = sung + played
    vocals, accompaniment = model.separate(mixture.astype(np.float32)[None])[0]
    simple = [masked(mixture, kind) for kind in ("centre", "percussive")]
    assert sdr(sung, vocals) > 3 + max(sdr(sung, one) for one in simple)
    assert sdr(played, accompaniment) > 3 + max(sdr(played, mixture - one) for one in simple)


def test_stems_sum_to_the_mixture(model: Separator) -> None:
    mixture = (voice(2) + band(2)).astype(np.float32)
    assert np.abs(model.separate(mixture[None])[0].sum(axis=0) - mixture).max() < 1e-6


@pytest.mark.parametrize(
    ("sound", "most"),
    [
        (lambda t: np.array([[1.0], [0.0]]) * np.sin(2 * np.pi * 400 * t * (1 + 0.05 * np.sin(3 * t))), -8),
        (lambda t: np.array([[1.0], [-1.0]]) * np.sin(2 * np.pi * 400 * t * (1 + 0.05 * np.sin(3 * t))), -60),
        (lambda t: np.ones((2, 1)) * np.sin(2 * np.pi * 440 * t), -5),
        (lambda t: np.ones((2, 1)) * (t % 0.5 < 1 / RATE), -12),
        (lambda t: np.ones((2, 1)) * np.sin(2 * np.pi * 60 * t * (1 + 0.05 * np.sin(3 * t))), -60),
        (lambda t: np.ones((2, 1)) * np.sin(2 * np.pi * 14_000 * t), -60),
    ],
    ids=["one side", "out of phase", "held", "clicks", "low", "high"],
)
def test_what_no_voice_is_stays_out_of_the_vocals(model: Separator, sound: Any, most: float) -> None:
    mixture = 0.3 * sound(clock(6)).astype(np.float32)
    vocals = model.separate(mixture[None])[0, 0]
    assert db(vocals[:, RATE:-RATE], mixture[:, RATE:-RATE]) < most


def test_a_lone_voice_stays_whole(model: Separator) -> None:
    sung = voice(6).astype(np.float32)
    assert db(model.separate(sung[None])[0, 0], sung) > -3


# What goes in


@pytest.mark.parametrize("seconds", [4096 / RATE, 0.5, 3.0])
@pytest.mark.parametrize("kind", ["silence", "alike", "one side", "full scale", "impulse", "tiny"])
def test_no_input_makes_it_fail(model: Separator, seconds: float, kind: str) -> None:
    noise = np.random.default_rng(2).uniform(-1, 1, (2, round(seconds * RATE))).astype(np.float32)
    mixture = {
        "silence": 0 * noise,
        "alike": np.repeat(noise[:1], 2, axis=0),
        "one side": noise * np.array([[1], [0]], np.float32),
        "full scale": np.sign(noise),
        "impulse": (np.arange(noise.shape[1]) == 100) * np.ones((2, 1)),
        "tiny": noise * np.float32(1e-30),
    }[kind]
    found = model.separate(np.ascontiguousarray(mixture[None], dtype=np.float32))[0]
    assert np.isfinite(found).all()
    assert np.sum(np.square(found[0])) <= 1.1 * np.sum(np.square(mixture))
    if kind == "silence":
        assert not found.any()


def test_one_channel_counts_as_the_centre(card: ModelCard, model: Separator) -> None:
    mono = voice(2)[:1].astype(np.float32)
    alone = center.load(msgspec.structs.replace(card, layout="mono"), "cpu").separate(mono[None])[0]
    both = model.separate(np.repeat(mono, 2, axis=0)[None])[0]
    assert np.abs(alone - both[:, :1]).max() < 1e-6


def test_loudness_changes_nothing_else(model: Separator) -> None:
    mixture: npt.NDArray[np.float32] = (voice(2) + band(2)).astype(np.float32)[None]
    quiet = mixture * np.float32(1 / 64)
    assert np.abs(64 * model.separate(quiet) - model.separate(mixture)).max() < 1e-4


def test_segments_of_a_batch_do_not_meet(model: Separator) -> None:
    batch: npt.NDArray[np.float32] = np.stack([voice(1), 0 * voice(1), band(1)]).astype(np.float32)
    before = batch.copy()
    found = model.separate(batch)
    assert np.array_equal(batch, before)
    for k in range(3):
        assert np.array_equal(found[k], model.separate(batch[k : k + 1])[0])


# Its parts


def test_likeness_is_the_similarity_of_avendano_and_jot() -> None:
    left = np.full((5, 7), 1 + 0j, np.complex64)
    for angle, level in ((0.0, 1.0), (0.7, 0.5), (np.pi, 1.0), (0.0, 0.0)):
        similarity = 2 * level * np.cos(angle) / (1 + level**2)
        wanted = (1 + similarity) / (1 + similarity + 3 * (1 - similarity))
        found = likeness_mask(left, left * np.complex64(level * np.exp(1j * angle)), 3)
        assert np.abs(found - wanted).max() < 1e-5


def test_medians_are_those_of_numpy() -> None:
    magnitudes = np.random.default_rng(0).uniform(0, 1, (64, 40)).astype(np.float32)
    t, f = 30, 20
    along = np.median(magnitudes[t - 2 : t + 3, f])
    nine = magnitudes[t, f - 8 : f + 9 : 2]
    across = np.median([np.median(nine[k : k + 3]) for k in (0, 3, 6)])
    assert tonal_mask(magnitudes)[t, f] == pytest.approx(along**2 / (along**2 + across**2), rel=1e-5)
    few = np.pad(magnitudes[::8, f], 8, mode="edge")  # every eighth of 64 frames, and the ends again
    held = np.median(few[4 : 4 + 17])  # about frame 32, the fifth
    wanted = magnitudes[32, f] ** 2 / (magnitudes[32, f] ** 2 + (2 * held) ** 2)
    assert changing_mask(magnitudes, 2)[32, f] == pytest.approx(wanted, rel=1e-5)


def spectrum_of(pitch: Array, partials: Array, spacing: float = 10.0) -> npt.NDArray[np.float32]:
    bins = np.arange(400)[None, None] * spacing
    lines = np.exp(-(((bins - pitch[:, None, None] * partials[None, :, None]) / spacing) ** 2))
    return np.asarray(lines.sum(axis=1), np.float32)


@pytest.mark.parametrize(
    "partials", [np.arange(1, 11), np.arange(2, 11)], ids=["whole", "without a fundamental"]
)
def test_the_melody_is_the_pitch_that_was_sung(partials: Array) -> None:
    pitch = 300 * 2 ** (np.sin(np.arange(200) / 20) / 2)
    found = melody(spectrum_of(pitch, partials), 10.0, 80, 1000)
    assert np.abs(1200 * np.log2(found / pitch)).max() < 50


def test_the_melody_does_not_leap_for_a_moment() -> None:
    pitch = np.full(60, 300.0)
    magnitudes = spectrum_of(pitch, np.arange(1, 11))
    magnitudes[30] = 1.5 * spectrum_of(np.array([430.0]), np.arange(1, 9))[0]
    found = melody(magnitudes, 10.0, 80, 1000)
    assert np.abs(1200 * np.log2(found / pitch)).max() < 50


def test_the_comb_lets_partials_through() -> None:
    bins = np.arange(0, 2000, 10).astype(np.float32)
    mask = comb_mask(np.array([200.0], np.float32), bins, 10.0, 0.1)[0]
    assert mask[[20, 40, 60, 180]].tolist() == [1, 1, 1, 1]
    assert np.abs(mask[[10, 30, 50]] - 0.1).max() < 0.01


# The card


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": {"width": 3}}, "an architecture 'center' knows lowest, highest"),
        ({"options": {"between": 2.0}}, "Expected `float` <= 1.0"),
        ({"stems": ("voice",)}, "write stems: [vocals, accompaniment]"),
        ({"layout": "5.1"}, "5.1 has no centre; write layout: stereo"),
        ({"rate": 4000}, "4000 Hz is too low for its frames"),
        ({"files": (ModelFile("w.pth", "torch", "0" * 64, 1),)}, "write files: []"),
    ],
)
def test_a_card_that_cannot_be_is_told(card: ModelCard, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelCardError) as caught:
        center.geometry(msgspec.structs.replace(card, **changes))
    assert told in str(caught.value)


def test_the_card_states_what_is_assumed_without_it(card: ModelCard) -> None:
    assert card.options == msgspec.structs.asdict(center.CenterOptions())
    assert card.files == ()
    assert center.geometry(card).segment / card.rate == pytest.approx(20, abs=0.1)
