"""Scenes as data: places in two systems, motions, rules with a line for each breach, JSON there and back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.contract.audio import NAMED_LAYOUTS, Layout
from unbraid.host.contract.scene import BedShape, Content, ObjectShape, SceneShape
from unbraid.host.scene.document import from_json, to_json
from unbraid.host.scene.errors import SceneError
from unbraid.host.scene.model import BED_LAYOUTS, Programme, Scene, SceneObject
from unbraid.host.scene.motion import Motion, MotionRecorder
from unbraid.host.scene.places import DOLBY, ITU, to_angles, to_room

Array = np.ndarray[Any, Any]
CORNERS = pytest.mark.parametrize("corners", [ITU, DOLBY], ids=["itu", "dolby"])

# Places in two systems

#: Azimuth, elevation and distance, and x, y, z, by ear 2.1.0 (ITU-R BS.2127, section 10).
GOLDEN = [
    ((180, 30, 0.5), (0, -0.5, 0.5)),
    ((-45, -30, 1), (1, 0.645822, -1)),
    ((135, 0, 1), (-0.444444, -1, 0)),
    ((105, 15, 1), (-1, -0.885426, 0.414214)),
    ((150, 0, 1), (-0.263719, -1, 0)),
    ((120, 30, 0.5), (-0.358088, -0.5, 0.5)),
    ((150, 45, 0.5), (-0.088106, -0.334089, 0.5)),
    ((-75, -30, 0.5), (0.5, -0.066138, -0.5)),
    ((110, 54.579932, 1), (-0.5, -0.5, 1)),
    ((0, -54.579932, 1), (0, 0.5, -1)),
    ((-15, -30, 1), (0.5, 1, -1)),
    ((89.165736, 30, 1), (-1, -0.5, 1)),
]


@pytest.mark.parametrize(("angles", "room"), GOLDEN)
def test_places_are_those_of_ear_both_ways(angles: tuple[float, ...], room: tuple[float, ...]) -> None:
    np.testing.assert_allclose(to_room(angles[0], angles[1], angles[2]), room, atol=2e-6)
    azimuth, *rest = to_angles(room[0], room[1], room[2])
    assert abs((azimuth - angles[0] + 180) % 360 - 180) < 1e-3  # millionths of a room
    np.testing.assert_allclose(rest, angles[1:], atol=1e-3)


@CORNERS
@settings(max_examples=200)
@given(azimuth=st.floats(-180, 180), elevation=st.floats(-89, 89), distance=st.floats(0.01, 1))
def test_angles_come_back_from_the_room(
    corners: Any, azimuth: float, elevation: float, distance: float
) -> None:
    x, y, z = to_room(azimuth, elevation, distance, corners)
    assert max(abs(x), abs(y), abs(z)) <= distance * (1 + 1e-12)
    back, up, far = to_angles(x, y, z, corners)
    assert -180 <= back <= 180
    assert abs((back - azimuth + 180) % 360 - 180) < 1e-5
    np.testing.assert_allclose([up, far], [elevation, distance], atol=1e-6)


@CORNERS
@settings(max_examples=200)
@given(x=st.floats(-1, 1), y=st.floats(-1, 1), z=st.floats(-1, 1))
def test_places_of_the_room_come_back_from_angles(corners: Any, x: float, y: float, z: float) -> None:
    azimuth, elevation, distance = to_angles(x, y, z, corners)
    assert distance == pytest.approx(max(abs(x), abs(y), abs(z)), abs=1e-9)
    np.testing.assert_allclose(to_room(azimuth, elevation, distance, corners), [x, y, z], atol=1e-6)


@CORNERS
def test_every_corner_of_the_table_is_where_it_says(corners: Any) -> None:
    for azimuth, x, y in corners:
        np.testing.assert_allclose(to_room(azimuth, 0, 1, corners), [x, y, 0], atol=1e-9)
        np.testing.assert_allclose(to_room(azimuth, 30, 1, corners), [x, y, 1], atol=1e-9)
        found, up, far = to_angles(x, y, 0, corners)
        assert abs((found - azimuth + 180) % 360 - 180) < 1e-9
        assert (up, far) == (0, 1)


def test_sides_are_at_the_walls_in_dolby_s_room_and_ls_in_the_corner_in_the_itu_s() -> None:
    np.testing.assert_allclose(to_room([90, -90, 135, 180], 0, 1, DOLBY)[:2].T,
                               [[-1, 0], [1, 0], [-1, -1], [0, -1]], atol=1e-9)  # fmt: skip
    np.testing.assert_allclose(to_room([110, -110], 0, 1, ITU)[:2].T, [[-1, -1], [1, -1]], atol=1e-9)


@CORNERS
def test_right_is_as_left_and_below_as_above(corners: Any) -> None:
    azimuth, elevation = np.meshgrid(np.linspace(-179, 179, 40), np.linspace(-89, 89, 21))
    x, y, z = to_room(azimuth, elevation, 1, corners)
    assert x.shape == azimuth.shape
    np.testing.assert_allclose(to_room(-azimuth, elevation, 1, corners), [-x, y, z], atol=1e-9)
    np.testing.assert_allclose(to_room(azimuth, -elevation, 1, corners), [x, y, -z], atol=1e-9)


@CORNERS
def test_the_middle_and_the_line_through_it_have_no_azimuth(corners: Any) -> None:
    np.testing.assert_array_equal(
        to_angles(0, 0, [0, 1, -0.5], corners), [[0] * 3, [0, 90, -90], [0, 1, 0.5]]
    )
    np.testing.assert_allclose(to_room([0, 77], 90, 1, corners), [[0, 0], [0, 0], [1, 1]], atol=1e-9)
    assert not to_room(50, 20, 0, corners).any()


# Motions


def controls(places: Array, held: list[int]) -> Array:
    return np.ascontiguousarray(np.repeat(np.asarray(places, np.float32), held, axis=0).T)


@given(
    held=st.lists(st.integers(20, 50), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 70), min_size=1, max_size=8),
    seed=st.integers(0, 99),
)
def test_a_recorder_keeps_a_block_for_each_change_whatever_the_blocks(
    held: list[int], cuts: list[int], seed: int
) -> None:
    places = np.random.default_rng(seed).uniform(-90, 90, (len(held), 4)).astype(np.float32)
    whole, recorder, at = controls(places, held), MotionRecorder("Rain", 20), 0
    for n in [*cuts, whole.shape[1]]:
        recorder.push(whole[:, at : at + n])
        at += n
    motion = recorder.motion()
    starts = [sum(held[:k]) for k in range(len(held))]
    assert motion.start.tolist() == starts
    assert motion.ramp.tolist() == [0] + [20] * (len(held) - 1)
    assert motion.blocks == len(held)
    np.testing.assert_array_equal(motion.places, places)
    np.testing.assert_array_equal(motion.gain, 1)
    for sample in (*starts, *(start - 1 for start in starts[1:])):
        np.testing.assert_array_equal(motion.at(sample), whole[:, sample])


def test_a_place_that_stays_is_one_block_and_a_still_motion_is_that() -> None:
    recorder = MotionRecorder("Rain", 250)
    for _ in range(5):
        recorder.push(controls(np.array([[90, 30, 1, 20]]), [1000]))
    got, want = recorder.motion(), Motion.still([90, 30, 1, 20])
    for name in ("start", "ramp", "places", "gain"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
        assert getattr(got, name).dtype == getattr(want, name).dtype
    np.testing.assert_array_equal(Motion.still([0, 0, 1, 0], 0.5).gain, [0.5])


def test_the_second_place_may_come_at_any_time_and_the_next_only_after_the_move() -> None:
    places = np.array([[0, 0, 1, 0], [10, 0, 1, 0], [20, 0, 1, 0]])
    recorder = MotionRecorder("Rain", 30)
    recorder.push(controls(places, [1, 30, 10]))
    assert recorder.motion().start.tolist() == [0, 1, 31]
    with pytest.raises(
        SceneError, match=r"^object 'Rain': moves at sample 30, 29 samples after its last move"
    ):
        MotionRecorder("Rain", 30).push(controls(places, [1, 29, 10]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_place_that_is_none_is_refused_with_its_sample(bad: float) -> None:
    recorder = MotionRecorder("Rain", 30)
    recorder.push(controls(np.array([[0, 0, 1, 0]]), [100]))
    with pytest.raises(SceneError, match="object 'Rain': has no place at sample 105"):
        recorder.push(controls(np.array([[0, 0, 1, 0], [0, bad, 1, 0]]), [5, 5]))


def test_a_recorder_that_heard_nothing_has_no_motion() -> None:
    recorder = MotionRecorder("Rain", 30)
    recorder.push(np.zeros((4, 0), np.float32))
    with pytest.raises(ValueError, match="no sample"):
        recorder.motion()


# The model


def motion(
    starts: list[int], ramps: list[int], place: tuple[float, ...] = (0, 0, 1, 0), gain: float = 1
) -> Motion:
    count = len(starts)
    places = np.repeat(np.array([place], np.float32), count, axis=0)
    return Motion(np.array(starts), np.array(ramps), places, np.full(count, gain, np.float32))


GOOD = Scene(
    Programme("Night", 48000, 96000, 10, "en"),
    (Content("Voices", "dialogue", "en"), Content("Effects", "effects")),
    (BedShape("Bed", "7.1.2", 1),),
    (
        SceneObject("Rain", 1, motion([0, 48000], [0, 250])),
        SceneObject("Voice", 0, Motion.still([0, 0, 1, 0])),
    ),
)


def with_motion(moves: Motion) -> Scene:
    return replace(GOOD, objects=(SceneObject("Rain", 1, moves),))


def test_a_scene_that_breaks_no_rule_has_no_problem() -> None:
    assert list(GOOD.problems()) == []
    GOOD.check()
    assert GOOD.tracks == 12
    edges = motion([0, 1], [1, 95999], (-180, 90, 0, 360), 100)
    assert list(with_motion(edges).problems()) == []
    assert list(replace(GOOD, programme=Programme("", 1, 0), objects=GOOD.objects[1:]).problems()) == []


PROGRAMME = "the programme: rate, length and start must not be negative, and the rate not 0"
UNEVEN = "object 'Rain': start, ramp, places and gain must be arrays of one length, of at least 1"
RISE = "object 'Rain': the starts of its blocks must rise from sample 0"
LONG = "object 'Rain': at 1.000 s its move takes longer than its block"
STILL = Motion.still([0, 0, 1, 0])


@pytest.mark.parametrize(
    ("scene", "line"),
    [
        (replace(GOOD, programme=Programme("", 0, 96000)), PROGRAMME),
        (replace(GOOD, programme=Programme("", 48000, -1), objects=()), PROGRAMME),
        (replace(GOOD, programme=Programme("", 48000, 96000, -1)), PROGRAMME),
        (replace(GOOD, contents=(), beds=(), objects=()), "the programme has no content; give at least one"),
        (
            replace(GOOD, contents=(Content("A", "noise"), Content("B"))),  # type: ignore[arg-type]
            "content 'A': unknown kind 'noise'; one of dialogue, music, effects, mixed",
        ),
        (
            replace(GOOD, beds=(BedShape("Bed", "mono"),)),
            "bed 'Bed': unknown layout 'mono'; one of stereo, 5.1, 7.1, 7.1.2, 5.1.4, 7.1.4",
        ),
        (
            replace(GOOD, beds=(BedShape("Bed", "5.1", 2),)),
            "bed 'Bed': content 2 is not there; there are 2, from 0",
        ),
        (
            replace(GOOD, objects=(SceneObject("Rain", -1, STILL),)),
            "object 'Rain': content -1 is not there; there are 2, from 0",
        ),
        (with_motion(motion([], [])), UNEVEN),
        (with_motion(motion([0, 9], [0])), UNEVEN),
        (with_motion(replace(STILL, gain=np.ones(2, np.float32))), UNEVEN),
        (with_motion(replace(STILL, places=np.zeros((1, 3), np.float32))), UNEVEN),
        (with_motion(motion([1], [0])), RISE),
        (with_motion(motion([0, 5, 5], [0, 0, 0])), RISE),
        (
            with_motion(motion([0, 96000], [0, 0])),
            "object 'Rain': a block starts at sample 96000, past the end of the programme",
        ),
        (with_motion(motion([0, 48000, 48249], [0, 250, 0])), LONG),
        (with_motion(motion([0, 48000], [0, 48001])), LONG),
        (with_motion(motion([0, 48000], [0, -1])), LONG),
        (
            with_motion(motion([0], [0], (180.5, 0, 1, 0))),
            "object 'Rain': at 0.000 s azimuth 180.5 is outside of -180 to 180",
        ),
        (
            with_motion(motion([0], [0], (0, -91, 1, 0))),
            "object 'Rain': at 0.000 s elevation -91 is outside of -90 to 90",
        ),
        (
            with_motion(motion([0], [0], (0, 0, 1.5, 0))),
            "object 'Rain': at 0.000 s distance 1.5 is outside of 0 to 1",
        ),
        (
            with_motion(motion([0], [0], (0, 0, 1, np.nan))),
            "object 'Rain': at 0.000 s extent nan is outside of 0 to 360",
        ),
        (
            with_motion(motion([0], [0], gain=-0.5)),
            "object 'Rain': at 0.000 s its gain -0.5 is outside of 0 to 100",
        ),
        (
            with_motion(motion([0], [0], gain=np.nan)),
            "object 'Rain': at 0.000 s its gain nan is outside of 0 to 100",
        ),
    ],
)
def test_every_rule_that_is_broken_gives_its_line(scene: Scene, line: str) -> None:
    assert list(scene.problems()) == [line]
    with pytest.raises(SceneError) as caught:
        scene.check()
    assert caught.value.problems == (line,)
    assert str(caught.value) == line


def test_everything_that_is_wrong_is_told_at_once_and_no_more_than_fits() -> None:
    bad = replace(GOOD, beds=tuple(BedShape(f"bed {k}", "9.1", 7) for k in range(15)))
    with pytest.raises(SceneError) as caught:
        bad.check()
    assert len(caught.value.problems) == 30
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "... and 10 more"
    assert SceneError(["a name\nof two lines"]).problems == (r"a name\nof two lines",)
    assert caught.value.exit_code == 2


def test_a_scene_comes_back_from_its_shape_and_motions() -> None:
    shape = GOOD.shape("dolby")
    assert shape.profile == "dolby"
    again = Scene.of_shape(shape, [each.motion for each in GOOD.objects], 48000, 96000, 10)
    assert again.programme == GOOD.programme
    assert (again.contents, again.beds) == (GOOD.contents, GOOD.beds)
    for mine, theirs in zip(again.objects, GOOD.objects, strict=True):
        assert (mine.name, mine.content, mine.motion) == (theirs.name, theirs.content, theirs.motion)


# What a stream of a scene holds


def test_channels_of_a_scene_are_beds_then_each_object_with_its_place() -> None:
    shape = SceneShape(
        "Rain",
        (Content("All"),),
        (BedShape("A", "stereo"), BedShape("B", "5.1")),
        (ObjectShape("X"), ObjectShape("Y")),
    )
    layout = Layout.of_scene(shape)
    assert layout.name == str(layout) == str(shape) == "scene:stereo+5.1+2"
    assert layout.scene is shape
    assert layout.roles[:9] == (
        "bed1.L",
        "bed1.R",
        "bed2.L",
        "bed2.R",
        "bed2.C",
        "bed2.LFE",
        "bed2.Ls",
        "bed2.Rs",
        "object1",
    )
    assert layout.roles[9:14] == (
        "object1.azimuth",
        "object1.elevation",
        "object1.distance",
        "object1.extent",
        "object2",
    )
    assert layout.channels == len(set(layout.roles)) == 18
    assert (shape.bed_channels, list(shape.object_rows)) == (8, [8, 13])
    assert [layout.roles[row] for row in shape.track_rows] == [*layout.roles[:8], "object1", "object2"]
    assert shape.members == (*shape.beds, *shape.objects)


def test_a_scene_without_beds_or_without_objects_has_the_rest() -> None:
    contents = (Content("All"),)
    objects = SceneShape("", contents, (), (ObjectShape("X"),))
    assert (str(objects), list(objects.object_rows), objects.track_rows) == ("scene:1", [0], [0])
    beds = SceneShape("", contents, (BedShape("A", "stereo"),), ())
    assert (str(beds), list(beds.object_rows), beds.track_rows) == ("scene:stereo+0", [], [0, 1])


@pytest.mark.parametrize(("rate", "samples"), [(48000, 250), (96000, 500), (44100, 230), (192000, 1000)])
def test_a_move_takes_250_samples_at_48_khz_and_as_long_elsewhere(rate: int, samples: int) -> None:
    shape = SceneShape("", (Content("All"),), (), ())
    assert shape.ramp(rate) == samples
    assert replace(shape, move=0.0).ramp(rate) == 0


def test_scenes_that_differ_are_layouts_that_differ() -> None:
    shape = SceneShape("Rain", (Content("All"),), (BedShape("A", "stereo"),), (ObjectShape("X"),))
    assert Layout.of_scene(shape) == Layout.of_scene(replace(shape))
    assert Layout.of_scene(shape) != Layout.of_scene(replace(shape, profile="dolby"))
    assert Layout.parse("stereo").scene is None


def test_beds_are_every_named_layout_whose_channels_are_loudspeakers() -> None:
    assert (
        set(BED_LAYOUTS) == {"stereo", "5.1", "7.1", "7.1.2", "5.1.4", "7.1.4"} == {*NAMED_LAYOUTS} - {"mono"}
    )


# JSON

NAMES = st.text(max_size=12)
LENGTH = 10_000


def single(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, width=32)


@st.composite
def motions(draw: st.DrawFn) -> Motion:
    starts = [0, *sorted(draw(st.sets(st.integers(1, LENGTH - 1), max_size=4)))]
    held = np.diff([*starts, LENGTH])
    places = [
        [draw(single(-180, 180)), draw(single(-90, 90)), draw(single(0, 1)), draw(single(0, 360))]
        for _ in starts
    ]
    return Motion(
        np.array(starts, np.int64),
        np.array([draw(st.integers(0, int(most))) for most in held], np.int64),
        np.array(places, np.float32),
        np.array([draw(single(0, 100)) for _ in starts], np.float32),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    kinds: Any = st.sampled_from(["dialogue", "music", "effects", "mixed"])
    contents = tuple(draw(st.lists(st.builds(Content, NAMES, kinds, NAMES), min_size=1, max_size=3)))
    which = st.integers(0, len(contents) - 1)
    beds = draw(st.lists(st.builds(BedShape, NAMES, st.sampled_from(BED_LAYOUTS), which), max_size=3))
    objects = draw(st.lists(st.builds(SceneObject, NAMES, which, motions()), max_size=3))
    rate, start = draw(st.integers(1, 192_000)), draw(st.integers(0, 2**60))
    return Scene(
        Programme(draw(NAMES), rate, LENGTH, start, draw(NAMES)), contents, tuple(beds), tuple(objects)
    )


@settings(max_examples=60)
@given(scene=scenes())
def test_a_scene_comes_back_from_json_to_the_bit(scene: Scene) -> None:
    text = to_json(scene)
    again = from_json(text)
    assert (again.programme, again.contents, again.beds) == (scene.programme, scene.contents, scene.beds)
    assert len(again.objects) == len(scene.objects)
    for mine, theirs in zip(again.objects, scene.objects, strict=True):
        assert (mine.name, mine.content) == (theirs.name, theirs.content)
        for name in ("start", "ramp", "places", "gain"):
            got, want = getattr(mine.motion, name), getattr(theirs.motion, name)
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)
    assert to_json(again) == text
    assert from_json(text.encode()).programme == scene.programme
    json.loads(text)


def document(**more: Any) -> dict[str, Any]:
    return {
        "programme": {"name": "Night", "rate": 48000, "length": 96000},
        "contents": [{"name": "All"}],
        "beds": [{"name": "Bed", "layout": "5.1"}],
        "objects": [
            {"name": "Rain", "blocks": [{"azimuth": 30}, {"azimuth": 0.1, "start": 480, "ramp": 250}]}
        ],
        **more,
    }


def test_what_a_document_leaves_out_has_its_usual_value() -> None:
    scene = from_json(json.dumps(document()))
    assert scene.programme == Programme("Night", 48000, 96000, 0, "")
    assert (scene.contents, scene.beds) == ((Content("All", "mixed", ""),), (BedShape("Bed", "5.1", 0),))
    (rain,) = scene.objects
    assert (rain.motion.start.tolist(), rain.motion.ramp.tolist()) == ([0, 480], [0, 250])
    np.testing.assert_array_equal(rain.motion.places, np.array([[30, 0, 1, 0], [0.1, 0, 1, 0]], np.float32))
    again = json.loads(to_json(scene))
    assert again["objects"][0]["blocks"][1]["azimuth"] == 0.1  # not the float64 that is the float32
    assert again["unbraid_scene"] == 1
    bare = from_json(json.dumps({key: document()[key] for key in ("programme", "contents")}))
    assert (bare.beds, bare.objects) == ((), ())


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a document in which one value, by its dotted path, is another, or gone."""
    made: Any = document()
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    at = made
    for part in way:
        at = at[part]
    if value is None:
        del at[last]
    else:
        at[last] = value
    found: dict[str, Any] = made
    return found


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("unknown", 1, "unknown field `unknown`"),
        ("programme.title", "x", r"unknown field `title` - at `\$\.programme`"),
        ("contents.0.colour", "x", r"unknown field `colour` - at `\$\.contents\[0\]`"),
        ("objects.0.blocks.0.x", 1, r"unknown field `x` - at `\$\.objects\[0\]\.blocks\[0\]`"),
        ("programme", None, "missing required field `programme`"),
        ("contents", None, "missing required field `contents`"),
        ("programme.rate", None, r"missing required field `rate` - at `\$\.programme`"),
        ("objects.0.blocks.0.azimuth", None, "missing required field `azimuth`"),
        ("programme.rate", "48000", r"Expected `int`, got `str` - at `\$\.programme\.rate`"),
        ("programme.rate", 48000.5, r"Expected `int`, got `float` - at `\$\.programme\.rate`"),
        ("programme.rate", 0, r">= 1 - at `\$\.programme\.rate`"),
        ("programme.length", -1, r">= 0 - at `\$\.programme\.length`"),
        ("programme.length", 10**30, r"at `\$\.programme\.length`"),
        ("contents.0.kind", "noise", r"Invalid enum value 'noise' - at `\$\.contents\[0\]\.kind`"),
        ("beds.0.layout", 51, r"Expected `str`, got `int` - at `\$\.beds\[0\]\.layout`"),
        ("objects.0.blocks", [], "length >= 1"),
        ("objects.0.blocks.0.azimuth", "left", "Expected `float`, got `str`"),
        ("objects.0.blocks.1.start", -480, ">= 0"),
        ("objects.0.blocks.1.start", 10**30, r"blocks\[1\]\.start`"),
        ("objects.0.blocks.1.ramp", 2**63, r"blocks\[1\]\.ramp`"),
        ("unbraid_scene", 2, "unbraid_scene"),
        ("objects", {}, r"Expected `array`, got `object` - at `\$\.objects`"),
    ],
)
def test_a_document_of_another_form_is_refused_with_the_place(path: str, value: Any, says: str) -> None:
    with pytest.raises(SceneError, match=says) as caught:
        from_json(json.dumps(changed(path, value)))
    assert str(caught.value).startswith("scene: ")


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("beds.0.layout", "6.1", "bed 'Bed': unknown layout '6.1'"),
        ("beds.0.content", 1, "bed 'Bed': content 1 is not there"),
        ("contents", [], "the programme has no content"),
        ("objects.0.blocks.0.start", 1, "object 'Rain': the starts of its blocks must rise from sample 0"),
        ("objects.0.blocks.1.elevation", 100, "object 'Rain': at 0.010 s elevation 100 is outside"),
        ("objects.0.blocks.1.azimuth", 1e300, "object 'Rain': at 0.010 s azimuth inf is outside"),
        ("objects.0.blocks.1.gain", -1e300, "object 'Rain': at 0.010 s its gain -inf is outside"),
        ("objects.0.blocks.1.ramp", 2**63 - 1, "object 'Rain': at 0.010 s its move takes longer"),
    ],
)
def test_a_document_of_a_scene_that_cannot_be_is_refused_by_its_rule(
    path: str, value: Any, says: str
) -> None:
    with pytest.raises(SceneError, match=says):
        from_json(json.dumps(changed(path, value)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        '{"programme": 1}',
        b"\xff\xfe",
        b'{"unbraid_scene": "\xff"}',
        "[" * 5000,
        "\ud800",
    ],
)
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(SceneError, match=r"^scene: "):
        from_json(text)
