"""Music from effects by classical means: tones to one, noise and blows to the other; better than medians."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from unbraid.host import Graph, process
from unbraid.host.models import ModelCard, ModelCardError, ModelFile, read_card
from unbraid.kernels.spectra import stft
from unbraid.plugins import models
from unbraid.plugins.separators import tonal
from unbraid.plugins.separators.tonal_coherence import coherence

if TYPE_CHECKING:
    from unbraid.plugins.separators.separator import Separator

    Array = npt.NDArray[np.float32]

RATE = 44100


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return read_card(Path(models.__file__).parent / "music-effects.yaml")


@pytest.fixture(scope="module")
def model(card: ModelCard) -> Separator:
    return tonal.load(card, "cpu")


def chords(seconds: float) -> Array:
    """Decaying notes of eight partials, a new chord each 0.8 s, more on one side or the other."""
    t = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros((2, t.size))
    for k in range(int(seconds / 0.8) + 1):
        since = np.clip(t - 0.8 * k, 0, None)
        level = 0.1 * np.exp(-2 * since) * np.minimum(1, 100 * since) * (since < 1.6)
        for j, note in enumerate((48, 55, 64, 71)):
            pitch = 440 * 2 ** ((note + 5 * k % 7 - 69) / 12)
            tone = sum(np.sin(2 * np.pi * n * pitch * since + n * j) / n for n in range(1, 9))
            out += np.array([[0.3 + 0.4 * (j % 2)], [0.7 - 0.4 * (j % 2)]]) * level * tone
    return out.astype(np.float32)


def blows_and_rain(seconds: float) -> Array:
    """Rain that comes and goes, and a door every 0.6 s."""
    rng, n = np.random.default_rng(3), round(seconds * RATE)
    t = np.arange(n) / RATE
    rain = 0.02 * rng.standard_normal((2, n)) * (1 + 0.7 * np.sin(2 * np.pi * 0.4 * t))
    door = 0.3 * rng.standard_normal(n) * np.exp(-35 * (t % 0.6))
    return (rain + np.array([[0.9], [0.4]]) * door).astype(np.float32)


def sdr(wanted: Array, found: Array) -> float:
    return float(
        10 * np.log10(np.sum(wanted**2, dtype=np.float64) / np.sum((wanted - found) ** 2, dtype=np.float64))
    )


def db(part: Array, whole: Array) -> float:
    return float(10 * np.log10(np.mean(np.square(part, dtype=np.float64)) / np.mean(whole**2)))


def by_medians(mixture: Array) -> Array:
    """D. Fitzgerald (DAFx 2010): 17 frames against 31 bins, soft, by scipy in float64."""
    from scipy.ndimage import median_filter
    from scipy.signal import istft, stft

    _, _, X = stft(mixture, RATE, nperseg=4096, noverlap=3072)
    held = median_filter(np.abs(X), (1, 1, 17)) ** 2
    struck = median_filter(np.abs(X), (1, 31, 1)) ** 2
    made = istft(X * held / (held + struck + 1e-20), RATE, nperseg=4096, noverlap=3072)[1]
    return np.asarray(made[:, : mixture.shape[1]], np.float32)


# What comes out


def test_both_stems_are_better_than_by_medians(model: Separator) -> None:
    music, effects = chords(2), blows_and_rain(2)
    mixture = music + effects
    found, rest = model.separate(mixture[None])[0]
    simple = by_medians(mixture)
    assert sdr(music, found) > sdr(music, simple) + 1
    assert sdr(effects, rest) > sdr(effects, mixture - simple) + 1


T = np.arange(4 * RATE) / RATE
ALONE = {
    "a held note": ("music", -0.5, np.sin(2 * np.pi * 440 * T)),
    "a high one": ("music", -1.5, np.sin(2 * np.pi * 3000 * T)),
    "a violin's vibrato": ("music", -1.5, np.sin(2 * np.pi * 440 * T - 0.6 * np.cos(2 * np.pi * 6 * T))),
    "white noise": ("effects", -1.5, np.random.default_rng(1).standard_normal(T.size) / 4),
    "clicks": ("effects", -0.5, (np.arange(T.size) % 22050 == 0).astype(float)),
    "a door": ("effects", -2.0, np.random.default_rng(2).standard_normal(T.size) * np.exp(-30 * (T % 1)) / 4),
}


@pytest.mark.parametrize("sound", ALONE)
def test_tones_are_music_and_noise_and_blows_are_effects(model: Separator, sound: str) -> None:
    """Of what is heard alone, no more is lost to the other stem than these dB say."""
    stem, least, mono = ALONE[sound]
    mixture = np.repeat(mono[None].astype(np.float32), 2, axis=0)
    found = dict(zip(("music", "effects"), model.separate(mixture[None])[0], strict=True))
    inner = slice(RATE // 2, -RATE // 2)
    assert db(found[stem][:, inner], mixture[:, inner]) > least


def test_stems_sum_to_the_mixture(model: Separator) -> None:
    mixture = chords(2) + blows_and_rain(2)
    assert np.abs(model.separate(mixture[None])[0].sum(axis=0) - mixture).max() < 1e-7


def test_the_image_of_neither_stem_moves(model: Separator) -> None:
    mono = (chords(2) + blows_and_rain(2))[:1]
    both = model.separate(np.concatenate([mono, -0.25 * mono])[None].astype(np.float32))[0]
    assert np.abs(both[:, 1] + 0.25 * both[:, 0]).max() < 1e-6


def test_loudness_changes_nothing_else(model: Separator) -> None:
    mixture = (chords(2) + blows_and_rain(2))[None]
    quiet = (mixture / 1024).astype(np.float32)
    assert np.abs(1024 * model.separate(quiet) - model.separate(mixture)).max() < 1e-5


@pytest.mark.parametrize(("channels", "rate"), [(1, 48000), (2, 44100), (6, 96_000)])
def test_any_layout_and_any_rate_are_taken_by_the_node(channels: int, rate: int) -> None:
    graph = Graph()
    node = graph.node("tones", "model", graph.input("mix"), model="music-effects", segment=1.0)
    graph.output("music", node["music"])
    graph.output("effects", node["effects"])
    rng, t = np.random.default_rng(channels), np.arange(60_000) / rate
    tones = [np.sin(2 * np.pi * hz * t) for hz in rng.uniform(100, 15_000, 5)]
    x = (rng.uniform(-0.1, 0.1, (channels, 5)) @ np.stack(tones)).astype(np.float32)
    made = process(graph, x, rate=rate)
    inner = slice(10_000, -10_000)
    assert np.abs(made["music"] + made["effects"] - x)[:, inner].max() < 1e-4
    assert sdr(x[:, inner], made["music"][:, inner]) > 10


@pytest.mark.parametrize("seconds", [4096 / RATE, 1.0])
@pytest.mark.parametrize("kind", ["silence", "full scale", "impulse", "tiny", "constant"])
def test_no_input_makes_it_fail(model: Separator, seconds: float, kind: str) -> None:
    noise = np.random.default_rng(2).uniform(-1, 1, (2, round(seconds * RATE)))
    mixture = {
        "silence": 0 * noise,
        "full scale": np.sign(noise),
        "impulse": (np.arange(noise.shape[1]) == 100) * np.ones((2, 1)),
        "tiny": noise * 1e-30,
        "constant": np.ones_like(noise),
    }[kind]
    found = model.separate(mixture[None].astype(np.float32))[0]
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 2 * np.abs(mixture).max() + 1e-30


def test_segments_of_a_batch_do_not_meet(model: Separator) -> None:
    batch = np.stack([chords(1), 0 * chords(1), blows_and_rain(1)])
    before = batch.copy()
    found = model.separate(batch)
    assert np.array_equal(batch, before)
    for k in range(3):
        assert np.array_equal(found[k], model.separate(batch[k : k + 1])[0])


# The coherence


def sums(X: npt.NDArray[Any], t: int, f: int) -> tuple[float, float]:
    """Numerator and denominator as the docstring defines them, term by term."""
    _, frames, bins = X.shape
    cross, power = 0j, 0.0
    for a in range(t - 4, t + 4):
        for b in range(f - 1, f + 2):
            if 0 <= a < frames and 0 <= b < bins:
                here, there = X[:, a, b], X[:, a + 1, b] if a + 1 < frames else 0 * X[:, a, b]
                cross += np.sum(there * here.conj())
                power += np.sum(np.abs(there) ** 2 + np.abs(here) ** 2) / 2
    return abs(cross), power


def test_the_coherence_is_its_definition_in_float64() -> None:
    rng = np.random.default_rng(4)
    X: npt.NDArray[Any] = (rng.standard_normal((2, 50, 12)) + 1j * rng.standard_normal((2, 50, 12))).astype(
        np.complex64
    )
    own, around = coherence(X)
    X = X.astype(np.complex128)
    for t, f in ((0, 0), (25, 6), (49, 11)):
        above, below = sums(X, t, f)
        assert own[t, f] == pytest.approx(above / below, rel=1e-5)
        near = [(a, b) for a in range(t - 16, t + 16) for b in range(f - 2, f + 3)]
        pairs = np.array([sums(X, a, b) for a, b in near if 0 <= a < 50 and 0 <= b < 12])
        assert around[t, f] == pytest.approx(pairs[:, 0].sum() / pairs[:, 1].sum(), rel=1e-5)


def test_the_coherence_of_a_tone_is_one_at_any_frequency_and_that_of_noise_is_not() -> None:
    for hz in (300.0, 441.3, 5000.7):
        tone = np.sin(2 * np.pi * hz * T[: 2 * RATE])[None].astype(np.float32)
        own, _ = coherence(stft(tone, 4096, 1024))
        assert own[20:60, round(hz * 4096 / RATE)].min() > 0.999
    noise = np.random.default_rng(5).standard_normal((1, 2 * RATE)).astype(np.float32)
    own, around = coherence(stft(noise, 4096, 1024))
    assert own.mean() < 0.8
    assert around[20:60, 10:-10].max() < 0.8


# The card


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"options": {"width": 3}}, "an architecture 'tonal' knows own, around"),
        ({"options": {"fall": -1.0}}, "Expected `float` >= 0.0"),
        ({"stems": ("music",)}, "write stems: [music, effects]"),
        ({"rate": 8000}, "8000 Hz is too low for its frames"),
        ({"files": (ModelFile("w.pth", "torch", "0" * 64, 1),)}, "write files: []"),
    ],
)
def test_a_card_that_cannot_be_is_told(card: ModelCard, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ModelCardError) as caught:
        tonal.geometry(msgspec.structs.replace(card, **changes))
    assert told in str(caught.value)


def test_the_card_states_what_is_assumed_without_it(card: ModelCard) -> None:
    assumed = msgspec.structs.asdict(tonal.TonalOptions())
    assert card.options == {**assumed, "per_channel": True}
    assert card.files == ()
    assert tonal.geometry(card).segment / card.rate == pytest.approx(6, abs=0.1)
