"""Sounds whose gains move: straight lines, the same bits however they are cut, places that arrive in time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.contract.audio import NAMED_LAYOUTS
from unbraid.kernels.errors import KernelError
from unbraid.kernels.moving import MovingMix
from unbraid.kernels.panner import Panner
from unbraid.kernels.scene_render import OBJECT_ROWS, SceneRender, changes

Array = np.ndarray[Any, np.dtype[np.float32]]
STEREO = ("L", "R")
#: For each sound its moves, one after the other: samples after the end of the last, and the ramp.
MOVES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5)
CUTS = st.lists(st.integers(0, 90), min_size=1, max_size=6)


def noise(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def pieces(n: int, cuts: list[int]) -> list[slice]:
    """Cut ``n`` samples, some pieces of none, the last as long as it takes."""
    edges = [0, *np.minimum(np.cumsum(cuts), n).tolist(), n]
    return [slice(begin, end) for begin, end in pairwise(edges)]


class Plan:
    """Moves of some sounds, with gains of noise."""

    def __init__(self, moves: list[list[tuple[int, int]]], speakers: int, seed: int) -> None:
        random, self.sounds, self.speakers = np.random.default_rng(seed), len(moves), speakers
        self.steps: list[tuple[int, int, int, Array]] = []
        for sound, each in enumerate(moves):
            end = 0
            for gap, ramp in each:
                gains = random.uniform(-1, 1, speakers).astype(np.float32) * (random.random(speakers) < 0.7)
                self.steps.append((end + gap, ramp, sound, gains.astype(np.float32)))
                end += gap + ramp
        self.steps.sort(key=lambda step: step[0])

    def mixed(self, x: Array, cuts: list[int], *, late: bool) -> Array:
        """What the kernel makes of it, told of every move at once or in the block that holds it."""
        mix = MovingMix(self.sounds, self.speakers)
        out, left = np.zeros((self.speakers, x.shape[1]), np.float32), list(self.steps)
        for piece in pieces(x.shape[1], cuts):
            while left and (not late or left[0][0] < piece.stop):
                at, ramp, sound, gains = left.pop(0)
                mix.move(sound, at=at, ramp=ramp, gains=gains)
            mix.add(x[:, piece], out[:, piece])
        return out

    def plain(self, x: Array) -> Any:
        """The same in float64, sample by sample."""
        out = np.zeros((self.speakers, x.shape[1]))
        for sound in range(self.sounds):
            before, gains = np.zeros(self.speakers), np.zeros((self.speakers, x.shape[1]))
            for at, ramp, whose, after in self.steps:
                if whose != sound:
                    continue
                for i in range(at, x.shape[1]):
                    share = 1.0 if i >= at + ramp else (i - at) / ramp
                    gains[:, i] = before + share * (after - before)
                before = after.astype(float)
            out += gains * x[sound]
        return out


# Gains that move


@settings(max_examples=60)
@given(
    moves=st.lists(MOVES, min_size=1, max_size=4),
    speakers=st.integers(1, 5),
    cuts=CUTS,
    late=st.booleans(),
    seed=st.integers(0, 99),
)
def test_it_is_a_sum_under_straight_lines_whatever_the_blocks(
    moves: list[list[tuple[int, int]]], speakers: int, cuts: list[int], late: bool, seed: int
) -> None:
    plan, x = Plan(moves, speakers, seed), noise(len(moves), 300, seed=seed)
    whole = plan.mixed(x, [300], late=False)
    np.testing.assert_allclose(whole, plan.plain(x), atol=2e-6)
    np.testing.assert_array_equal(plan.mixed(x, cuts, late=late), whole)


def test_a_line_of_a_minute_is_straight_to_its_end() -> None:
    n = 60 * 48000
    mix, out = MovingMix(1, 1), np.zeros((1, n + 2), np.float32)
    mix.move(0, at=0, ramp=n, gains=np.ones(1, np.float32))
    mix.add(np.ones((1, n + 2), np.float32), out)
    np.testing.assert_allclose(out[0], np.minimum(np.arange(n + 2) / n, 1), atol=1e-6)


def test_it_adds_to_what_is_there_and_a_sound_that_was_not_moved_is_not_heard() -> None:
    mix, out = MovingMix(2, 2), np.ones((2, 8), np.float32)
    mix.move(1, at=4, ramp=0, gains=np.array([0.5, 0], np.float32))
    mix.add(np.ones((2, 8), np.float32), out)
    np.testing.assert_array_equal(out, [[1] * 4 + [1.5] * 4, [1] * 8])


def test_no_sound_is_silence() -> None:
    out = np.zeros((2, 8), np.float32)
    MovingMix(0, 2).add(np.zeros((0, 8), np.float32), out)
    assert not out.any()


def test_reset_is_the_state_before_the_first_sample() -> None:
    mix, x = MovingMix(1, 1), noise(1, 50)
    once = np.zeros((1, 50), np.float32)
    mix.move(0, at=3, ramp=20, gains=np.ones(1, np.float32))
    mix.add(x, once)
    mix.reset()
    silent, again = np.zeros((1, 50), np.float32), np.zeros((1, 50), np.float32)
    mix.add(x, silent)
    assert not silent.any()
    mix.reset()
    mix.move(0, at=3, ramp=20, gains=np.ones(1, np.float32))
    mix.add(x, again)
    np.testing.assert_array_equal(again, once)


def test_gains_that_were_given_may_change_afterwards() -> None:
    mix, gains, out = MovingMix(1, 2), np.ones(2, np.float32), np.zeros((2, 4), np.float32)
    mix.move(0, at=0, ramp=0, gains=gains)
    gains[:] = 7
    mix.add(np.ones((1, 4), np.float32), out)
    np.testing.assert_array_equal(out, 1)


@pytest.mark.parametrize(
    ("at", "ramp", "says"),
    [
        (9, 0, "sound 0 cannot move at 9 for 0: it is at 10"),
        (-1, 0, "cannot move at -1"),
        (24, 0, "cannot move at 24"),  # the last move is from 15 to 25
        (25, -1, "cannot move at 25 for -1"),
    ],
)
def test_a_move_into_the_past_or_into_another_is_refused(at: int, ramp: int, says: str) -> None:
    mix, gains = MovingMix(2, 1), np.ones(1, np.float32)
    mix.add(np.ones((2, 10), np.float32), np.zeros((1, 10), np.float32))
    with pytest.raises(KernelError, match="sound 1 cannot move at 9 for 0: it is at 10"):
        mix.move(1, at=9, ramp=0, gains=gains)
    mix.move(0, at=15, ramp=10, gains=gains)
    with pytest.raises(KernelError, match=says):
        mix.move(0, at=at, ramp=ramp, gains=gains)
    mix.move(0, at=25, ramp=0, gains=gains)


def test_arrays_that_do_not_fit_are_refused_and_none_is_heard() -> None:
    mix, x, out = MovingMix(2, 3), np.ones((2, 8), np.float32), np.zeros((3, 8), np.float32)
    locked = np.zeros((3, 8), np.float32)
    locked.flags.writeable = False
    refused: list[tuple[Any, Any, str]] = [
        (x[:1], out, r"block must be float32 \[2, 8\]"),
        (x.astype(float), out, "block must be float32"),
        (x[0], out, "block must be float32"),
        (np.ones((2, 16), np.float32)[:, ::2], out, "samples side by side"),
        (x, out[:2], r"out must be float32 \[3, 8\]"),
        (x, out[:, :7], r"out must be float32 \[3, 8\]"),
        (x, np.asfortranarray(out), "samples side by side"),
        (x, locked, "out must be writable"),
    ]
    for block, target, says in refused:
        with pytest.raises(KernelError, match=says):
            mix.add(block, target)
    for gains in (np.ones(2, np.float32), np.ones(3), np.ones((1, 3), np.float32)):
        with pytest.raises(KernelError, match=r"gains must be float32 \[3\]"):
            mix.move(0, at=0, ramp=0, gains=gains)  # type: ignore[arg-type]
    mix.move(0, at=0, ramp=0, gains=np.ones(3, np.float32))  # nothing was taken before
    assert not out.any()


@pytest.mark.parametrize(("sounds", "speakers"), [(-1, 2), (1, 0), (1.0, 2), (True, 2)])
def test_a_mix_of_no_count_is_refused(sounds: Any, speakers: Any) -> None:
    with pytest.raises(KernelError, match="must be an integer"):
        MovingMix(sounds, speakers)


# Scenes

Places = list[tuple[int, tuple[float, float, float, float]]]
PLACE = st.tuples(
    st.floats(-180, 180, width=32),
    st.floats(-90, 90, width=32),
    st.sampled_from([1.0, 0.5]),
    st.sampled_from([0.0, 0.0, 5.0, 45.0]),
)
#: Samples until the next place, and the place.
PLACES = st.lists(st.tuples(st.integers(40, 120), PLACE), min_size=1, max_size=4)


def stream(beds: Array, objects: list[tuple[Array, Places]]) -> Array:
    """Return a scene's stream: rows of beds, then sound and controls of each object."""
    n, rows = beds.shape[1], [*beds]
    for sound, places in objects:
        controls, at = np.empty((OBJECT_ROWS - 1, n), np.float32), 0
        for number, (held, place) in enumerate(places):
            controls[:, at : n if number == len(places) - 1 else at + held] = np.array(place)[:, None]
            at += held
        rows += [sound, *controls]
    return np.ascontiguousarray(rows, np.float32)


def rendered(render: SceneRender, block: Array, cuts: list[int]) -> Array:
    parts = [render.process(np.ascontiguousarray(block[:, piece])) for piece in pieces(block.shape[1], cuts)]
    return np.concatenate(parts, axis=1)


@settings(max_examples=40)
@given(
    layout=st.sampled_from(["stereo", "5.1", "7.1.4"]),
    objects=st.lists(PLACES, max_size=3),
    cuts=CUTS,
    seed=st.integers(0, 99),
)
def test_a_scene_is_what_its_parts_are_panned_to_whatever_the_blocks(
    layout: str, objects: list[Places], cuts: list[int], seed: int
) -> None:
    n, ramp, panner = 400, 40, Panner(NAMED_LAYOUTS[layout])
    beds, sounds = noise(2 + 6, n, seed=seed), noise(len(objects), n, seed=seed + 1)
    block = stream(beds, list(zip(sounds, objects, strict=True)))
    roles = [STEREO, NAMED_LAYOUTS["5.1"]]
    whole = rendered(SceneRender(roles, len(objects), ramp, panner.roles), block, [n])
    want = np.concatenate([panner.bed(each) for each in roles]).T.astype(float) @ beds
    for sound, places in zip(sounds, objects, strict=True):
        at, before = 0, panner.objects([places[0][1]])[0].astype(float)
        for number, (held, place) in enumerate(places):
            after = panner.objects([place])[0].astype(float)
            end = n if number == len(places) - 1 else min(at + held, n)
            share = np.minimum(np.arange(end - at) / ramp, 1)
            want[:, at:end] += (before[:, None] + share * (after - before)[:, None]) * sound[at:end]
            at, before = end, after
    np.testing.assert_allclose(whole, want, atol=1e-5)
    again = SceneRender(roles, len(objects), ramp, panner.roles)
    np.testing.assert_array_equal(rendered(again, block, cuts), whole)
    again.reset()
    np.testing.assert_array_equal(rendered(again, block, cuts[::-1]), whole)


def test_the_first_place_is_there_at_once_and_the_next_after_the_ramp() -> None:
    places: Places = [(100, (30, 0, 1, 0)), (300, (-30, 0, 1, 0))]
    block = stream(np.zeros((0, 400), np.float32), [(np.ones(400, np.float32), places)])
    out = SceneRender([], 1, 50, STEREO).process(block)
    np.testing.assert_allclose(out[:, :101], [[1] * 101, [0] * 101], atol=1e-6)
    np.testing.assert_allclose(out[:, 125], [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(out[:, 150:], [[0] * 250, [1] * 250], atol=1e-6)


def test_many_places_in_one_block_and_in_many_give_the_same_bits() -> None:
    # On the edges of faces, where many gains are nothing but rounding errors, and anywhere.
    turn = np.arange(-180, 180, 3)
    height = np.tile([0, 30, 0, 10, 30, 90], 20)
    extent = np.tile([0, 0, 0, 25, 0], 24)
    places: Places = [
        (16, tuple(place)) for place in np.stack([turn, height, turn * 0 + 1, extent], 1).tolist()
    ]
    n = 16 * len(places)
    block = stream(np.zeros((0, n), np.float32), [(noise(n), places)])
    for layout in ("5.1", "7.1.2", "5.1.4"):
        whole, cut = (SceneRender([], 1, 16, NAMED_LAYOUTS[layout]) for _ in range(2))
        np.testing.assert_array_equal(rendered(cut, block, [16] * len(places)), rendered(whole, block, [n]))


def test_a_place_that_is_given_again_is_no_move() -> None:
    places: Places = [(100, (30, 0, 1, 0)), (100, (30, 0, 1, 0)), (100, (30, 10, 1, 0))]
    controls = stream(np.zeros((0, 300), np.float32), [(noise(300), places)])[1:]
    nowhere = np.full(4, np.nan, np.float32)
    assert changes(controls, nowhere) == [0, 200]
    assert changes(controls, controls[:, 0]) == [200]
    assert changes(controls[:, :0], nowhere) == []


def test_an_object_that_moves_before_a_move_has_ended_is_refused() -> None:
    places: Places = [(50, (0, 0, 1, 0)), (29, (10, 0, 1, 0)), (50, (20, 0, 1, 0))]
    block = stream(np.zeros((0, 200), np.float32), [(noise(200), places)])
    with pytest.raises(KernelError, match="sound 0 cannot move at 79 for 30"):
        SceneRender([], 1, 30, STEREO).process(block)
    SceneRender([], 1, 29, STEREO).process(block)


def test_an_output_that_is_given_is_written_over() -> None:
    block = stream(noise(2, 64), [(noise(64), [(1, (0, 0, 1, 0))])])
    want = SceneRender([STEREO], 1, 4, STEREO).process(block)
    out = np.full((2, 64), np.nan, np.float32)
    assert SceneRender([STEREO], 1, 4, STEREO).process(block, out) is out
    np.testing.assert_array_equal(out, want)


def test_a_scene_of_beds_that_are_the_loudspeakers_is_passed_on_to_the_bit() -> None:
    x = noise(12, 100)
    roles = NAMED_LAYOUTS["7.1.4"]
    np.testing.assert_array_equal(SceneRender([roles], 0, 10, roles).process(x), x)


def test_blocks_and_ramps_that_do_not_fit_are_refused() -> None:
    render = SceneRender([STEREO], 1, 4, STEREO)
    refused: list[tuple[Any, Any, str]] = [
        (noise(6, 8), None, r"block must be float32 \[7, 8\]"),
        (noise(7, 8).astype(float), None, "block must be float32"),
        (noise(7, 16)[:, ::2], None, "side by side"),
        (noise(7, 8), noise(2, 7), r"out must be float32 \[2, 8\]"),
        (noise(7, 8), noise(2, 16)[:, ::2], "C-contiguous"),
    ]
    for block, out, says in refused:
        with pytest.raises(KernelError, match=says):
            render.process(block, out)
    with pytest.raises(KernelError, match="ramp must be an integer"):
        SceneRender([], 1, -1, STEREO)
    with pytest.raises(KernelError, match="no loudspeaker"):
        SceneRender([("1",)], 1, 4, STEREO)
