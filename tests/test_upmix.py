"""The upmix: what is known to be somewhere is found there, nothing is lost, it folds down to its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scene_rig import RATE, ambience, azimuth_of, level, panned, render, scene_of, voice

from unbraid import Graph, process
from unbraid.host.contract import GraphError, Layout, UnbraidError
from unbraid.host.contract.params import ParamsError, convert
from unbraid.plugins.upmix import UpmixParams, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]
SECONDS = 6.0
N = int(SECONDS * RATE)


def solo(azimuth: Array | float, ratio: float, seed: int = 0) -> Array:
    """A voice at an azimuth, so many dB above the ambience."""
    sound = voice(SECONDS, seed)
    return panned(sound, azimuth) + ambience(SECONDS, np.mean(sound**2) * 10 ** (-ratio / 10), seed + 50)


def errors(stream: Array, layout: Layout, truth: Array | float) -> Array:
    """How far the loudest object is from the truth, in degrees, where it sounds."""
    azimuth, power = azimuth_of(stream, layout)
    best = np.argmax(power, axis=0)
    at = np.arange(azimuth.shape[1])
    loud = power[best, at] > power.max() * 1e-3
    truth = np.broadcast_to(truth, N)[: len(at) * 480 : 480]
    return np.asarray(np.abs(azimuth[best, at] - truth)[loud])


@pytest.mark.parametrize("ratio", [10, 20, 60])
@pytest.mark.parametrize("azimuth", [-30, -17, 0, 8, 25])
def test_a_voice_that_stands_is_found_within_5_degrees(azimuth: float, ratio: float) -> None:
    found = errors(*scene_of({"voice1": solo(azimuth, ratio, seed=int(abs(azimuth)))}), azimuth)
    assert np.percentile(found, 99) <= 5
    assert np.sqrt(np.mean(found**2)) <= 3


@pytest.mark.parametrize("ratio", [10, 20])
@pytest.mark.parametrize("speed", [-9.0, 5.0])
def test_a_voice_that_moves_is_followed_within_6_degrees(speed: float, ratio: float) -> None:
    path = speed * (np.arange(N) / RATE - SECONDS / 2)
    found = errors(*scene_of({"steps": solo(path, ratio, seed=4)}), path)
    assert np.percentile(found, 95) <= 6
    assert np.sqrt(np.mean(found**2)) <= 3


def test_three_sounds_become_three_objects() -> None:
    seconds = np.arange(N) / RATE
    # Notes that change in their own time: where they sound together, they share no frequency.
    notes = [0.1 * np.sin(2 * np.pi * pitch * (1 + (seconds * rate).astype(int) % 3 / 4) * seconds)
             for pitch, rate in ((196.0, 1.5), (466.0, 2.0), (1109.0, 2.5))]  # fmt: skip
    sound = sum(panned(note, azimuth) for note, azimuth in zip(notes, (-24, 0, 24), strict=True))
    azimuth, power = azimuth_of(*scene_of({"band": np.asarray(sound)}))
    means = np.sort((azimuth * power).sum(axis=1) / power.sum(axis=1))
    assert np.abs(means - [-24, 0, 24]).max() <= 5


@pytest.mark.parametrize("to", ["5.1", "7.1.2", "7.1.4"])
@pytest.mark.parametrize("azimuth", [-20, 0])
def test_every_second_is_as_loud_on_loudspeakers_as_it_came(azimuth: float, to: str) -> None:
    mix = solo(azimuth, 10, seed=7)
    stream, layout = scene_of({"fx": mix})
    out = render(stream, layout, to)
    for begin in range(0, N, RATE):
        second = slice(begin, begin + RATE)
        assert abs(level(out[:, second]) - level(mix[:, second])) <= 0.5


def test_an_object_is_as_loud_as_the_voice_it_is() -> None:
    sound = voice(SECONDS, 3)
    mix = panned(sound, 12) + ambience(SECONDS, np.mean(sound**2) / 10, 5)
    stream, layout = scene_of({"in1": mix})
    assert layout.scene is not None
    objects = stream[list(layout.scene.object_rows)]
    assert abs(level(objects) - level(sound[None])) <= 0.5


@pytest.mark.parametrize("bed", ["5.1", "7.1", "7.1.2", "5.1.4", "7.1.4"])
@pytest.mark.parametrize("beds", ["shared", "stem"])
def test_the_fold_down_is_the_sum_of_the_stems(bed: str, beds: str) -> None:
    path = 20 * np.sin(2 * np.pi * np.arange(N) / RATE / 3)
    stems = {"music": solo(path, 6, 1), "effects": solo(-12, 15, 2)}
    stream, layout = scene_of(stems, bed=bed, beds=beds)
    mix = sum(np.asarray(stem, np.float32).astype(float) for stem in stems.values())
    assert level(render(stream, layout, "stereo") - mix) - level(np.asarray(mix)) <= -120


def test_the_fold_down_holds_for_clicks_clipping_and_out_of_phase_sound() -> None:
    mix = np.clip(4 * solo(0, 20), -1, 1)
    mix[:, ::7919] = 1
    mix[1, N // 2 :] = -mix[0, N // 2 :]
    stream, layout = scene_of({"odd": mix})
    assert level(render(stream, layout, "stereo") - mix.astype(np.float32)) - level(mix) <= -120


def test_ambience_alone_makes_no_object_and_channels_that_are_not_alike() -> None:
    stream, layout = scene_of({"rain": ambience(SECONDS, 0.01)})
    assert layout.scene is not None
    assert level(stream[list(layout.scene.object_rows)]) < level(stream[:10]) - 20
    heard = stream[[row for row in range(10) if row not in {2, 3}]]
    alike = np.corrcoef(heard) - np.eye(len(heard))
    assert np.abs(alike).max() <= 0.3


def test_ambience_around_a_voice_is_not_alike_in_any_two_sides() -> None:
    stream, _ = scene_of({"hall": solo(0, 10, 2)})
    alike = np.corrcoef(stream[4:10]) - np.eye(6)
    assert np.abs(alike).max() <= 0.3


@pytest.mark.parametrize("name", ["dialogue", "DX", "lead_vocals"])
def test_dialogue_stays_in_front(name: str) -> None:
    stream, layout = scene_of({name: solo(9, 20)})
    assert layout.scene is not None
    assert len(layout.scene.objects) == 1
    azimuth, _ = azimuth_of(stream, layout)
    assert not azimuth.any()
    assert level(stream[list(layout.scene.object_rows)]) > level(stream[:2])


def test_a_mono_stem_is_one_object_in_front_and_nothing_else() -> None:
    sound = voice(2.0)[None]
    stream, layout = scene_of({"take": sound})
    assert layout.scene is not None
    (row,) = layout.scene.object_rows
    assert np.array_equal(stream[row], sound[0].astype(np.float32))
    assert not stream[:row].any()
    assert not azimuth_of(stream, layout)[0].any()


def test_silence_stays_silent() -> None:
    stream, layout = scene_of({"a": np.zeros((2, RATE)), "b": np.zeros((1, RATE))})
    assert layout.scene is not None
    assert not stream[layout.scene.track_rows].any()


def test_silence_after_sound_falls_silent() -> None:
    mix = np.pad(solo(5, 10), ((0, 0), (0, 2 * RATE)))
    stream, layout = scene_of({"a": mix})
    assert layout.scene is not None
    assert level(stream[layout.scene.track_rows, -RATE:]) < -80


@pytest.mark.parametrize("rate", [44100, 88200, 96000])
def test_it_runs_at_the_rates_of_films_and_records(rate: int) -> None:
    mix = panned(voice(3.0, 1, rate), 14) + ambience(3.0, 1e-3, 2, rate)
    stream, layout = scene_of({"fx": mix}, rate)
    assert level(render(stream, layout, "stereo", rate) - mix.astype(np.float32)) - level(mix) <= -120
    azimuth, power = azimuth_of(stream, layout, rate // 100)
    assert abs((azimuth * power).sum() / power.sum() - 14) <= 2


def test_places_change_on_a_grid_of_10_ms_and_not_for_jitter() -> None:
    stream, layout = scene_of({"fx": solo(14, 10, 3)})
    assert layout.scene is not None
    for row in layout.scene.object_rows:
        moved = np.flatnonzero(np.diff(stream[row + 1])) + 1
        assert not (moved % 480).any()
        assert len(moved) <= SECONDS  # about one in a second, not a hundred


@pytest.mark.parametrize("block", [7, 480, 7680])
def test_blocks_of_any_length_give_the_same_bits(block: int) -> None:
    mix = solo(5, 10)[:, : RATE // 2].astype(np.float32)
    graph = Graph()
    graph.output("scene", graph.node("upmix", "upmix", graph.input("mix", "stereo")))
    whole = process(graph, mix, rate=RATE)["scene"]
    cut = process(graph, mix, rate=RATE, blocks=[block] * (len(mix[0]) // block + 1))["scene"]
    assert np.array_equal(cut, whole)


def test_names_tell_what_stems_are() -> None:
    said = {name: kind_of(name) for name in ("dx", "Film_MX", "sfx-2", "vocals", "drums", "reel1", "box")}
    assert said == {
        "dx": "dialogue",
        "Film_MX": "music",
        "sfx-2": "effects",
        "vocals": "music",
        "drums": "music",
        "reel1": "mixed",
        "box": "mixed",
    }


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"stems": ["a", "a"]}, "twice"),
        ({"stems": ["a b"]}, "letters, digits"),
        ({"stems": ["a", "b"], "kinds": ["music"]}, "one for each stem, 2, not 1"),
        ({"stems": [f"s{i}" for i in range(33)]}, "at most 32"),
        ({"objects": 4}, "3"),
        ({"bed": "9.1.6"}, "7.1.2"),
    ],
)
def test_parameters_that_cannot_be_say_why(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ParamsError, match=said):
        convert(UpmixParams, params)


def one_node(layout: str) -> Graph:
    graph = Graph()
    graph.output("scene", graph.node("upmix", "upmix", graph.input("mix", layout)))
    return graph


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (
            lambda: process(one_node("5.1"), np.zeros((6, 480), np.float32), rate=RATE),
            GraphError,
            "mono or stereo",
        ),
        (
            lambda: process(one_node("stereo"), np.zeros((2, 480), np.float32), rate=32000),
            UnbraidError,
            "44100, 48000, 88200, 96000",
        ),
        (
            lambda: process(one_node("stereo"), np.full((2, 480), np.nan, np.float32), rate=RATE),
            UnbraidError,
            "not finite|finite",
        ),
    ],
)
def test_input_that_cannot_be_upmixed_says_why(
    make: Callable[[], object], kind: type[UnbraidError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        make()


@pytest.mark.parametrize("use", ["adm", "loudspeakers"])
def test_channels_are_no_scene(use: str) -> None:
    graph = Graph()
    graph.output("out", graph.node("node", use, graph.input("mix", "stereo")))
    with pytest.raises(GraphError, match="takes a scene"):
        process(graph, np.zeros((2, 480), np.float32), rate=RATE)
