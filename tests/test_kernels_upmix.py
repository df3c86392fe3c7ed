"""Stems taken apart against the float64 reference; nothing is lost in the fold-down; any cut, same bits."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scene_rig import ambience, panned, voice

from unbraid.host.contract.audio import NAMED_LAYOUTS
from unbraid.kernels.errors import KernelError
from unbraid.kernels.panner import Panner
from unbraid.kernels.reference.upmix import pan, take_apart
from unbraid.kernels.scene_render import SceneRender
from unbraid.kernels.upmix import MonoUpmix, SideChannels, StemUpmix, spread_of
from unbraid.kernels.upmix_rule import UpmixRule

Array = np.ndarray[Any, np.dtype[np.float32]]
HOP, RAMP, SECONDS = 480, 250, 2.0
N = int(SECONDS * 100 * HOP)
BED = NAMED_LAYOUTS["7.1.2"]
SIDES = (4, 6, 8), (5, 7, 9)


@cache
def fold_down() -> Any:
    """What each channel of the bed adds to two loudspeakers, ``[channels, 2]``."""
    return Panner(("L", "R")).bed(BED).astype(np.float64)


def sides(*powers: float) -> SideChannels:
    return SideChannels(*SIDES, fold_down()[list(SIDES[0])], powers or (0.2, 0.2, 0.2))


@cache
def table() -> Array:
    azimuth = np.arange(-300, 301) / 10
    zero = np.zeros_like(azimuth)
    return Panner(("L", "R")).objects(np.stack([azimuth, zero, zero + 1, zero], 1))


def stem(**more: Any) -> StemUpmix:
    return StemUpmix(HOP, table(), len(BED), sides(), **{"ramp": RAMP, **more})


def run(node: StemUpmix | MonoUpmix, x: Array, cuts: tuple[int, ...] = (4800,)) -> tuple[Array, Array]:
    """Bed and objects of a signal, as long as it, their latency taken off."""
    x = np.pad(x, ((0, 0), (0, node.latency)))
    bed = np.zeros((len(BED), x.shape[1]), np.float32)
    objects = np.full((5 * node.objects, x.shape[1]), np.nan, np.float32)
    at, turn = 0, 0
    while at < x.shape[1]:
        piece = slice(at, at + cuts[turn % len(cuts)])
        some = np.ascontiguousarray(bed[:, piece]), np.ascontiguousarray(objects[:, piece])
        node.process(np.ascontiguousarray(x[:, piece]), *some)
        bed[:, piece], objects[:, piece] = some
        at, turn = piece.stop, turn + 1
    return bed[:, node.latency :], objects[:, node.latency :]


def power(x: Any) -> float:
    return float(np.square(x, dtype=np.float64).mean(axis=-1).sum())


def level(x: Any) -> float:
    return float(10 * np.log10(power(x) + 1e-30))


@cache
def scene(name: str) -> Array:
    """Stereo of two seconds whose parts are known."""
    first, second, third = (voice(SECONDS, seed) for seed in (0, 1, 2))
    seconds = np.arange(N) / (100 * HOP)
    made = {
        "dry": panned(first, 12),
        "at a loudspeaker": panned(first, 30) + ambience(SECONDS, 1e-3),
        "moving": panned(first, 20 * np.sin(2 * np.pi * seconds)) + ambience(SECONDS, 1e-3),
        "three": panned(first, 22) + panned(second, 0) + panned(third, -21) + ambience(SECONDS, 1e-4),
        "reverberant": panned(first, -8) + ambience(SECONDS, 0.01),
        "ambience": ambience(SECONDS, 0.01, 3),
        "out of phase": np.stack([first, -0.9 * first]) + panned(second, 5),
        "pauses": np.where(seconds % 1 < 0.4, panned(first, 15), 0),
    }
    return np.asarray(made[name], np.float32)


SCENES = ("dry", "at a loudspeaker", "moving", "three", "reverberant", "ambience", "out of phase", "pauses")


@cache
def taken(name: str) -> tuple[Array, Array]:
    return run(stem(), scene(name))


# The reference


@pytest.mark.parametrize("name", SCENES)
def test_objects_are_the_reference_s_to_minus_100_db(name: str) -> None:
    x = scene(name)
    want = take_apart(x.astype(np.float64), HOP, UpmixRule()).objects
    assert level(taken(name)[1][::5] - want) < level(x) - 100
    if name != "ambience":
        assert level(want) > level(x) - 20  # there is something to compare
        assert level(taken(name)[1][::5] - want) < level(want) - 100


@pytest.mark.parametrize(
    "rule",
    [
        UpmixRule(objects=1),
        UpmixRule(objects=2, lookahead=5, keep=0.7, quick=0.4, width=0.4, cells=48, apart=0.5),
        UpmixRule(bias=0.1, least=0.3, present=0.1, patience=5),
    ],
)
def test_every_rule_is_the_reference_s(rule: UpmixRule) -> None:
    x = scene("three")
    want = take_apart(x.astype(np.float64), HOP, rule).objects
    node = stem(rule=rule)
    assert node.objects == rule.objects
    assert level(run(node, x)[1][::5] - want) < level(want) - 100


@pytest.mark.parametrize("name", SCENES)
def test_an_object_is_said_to_be_within_a_degree_and_a_half_of_where_it_is_followed_to(name: str) -> None:
    found = take_apart(scene(name).astype(np.float64), HOP, UpmixRule())
    followed = -np.degrees(np.arctan(found.positions[1 : N // HOP + 1] * np.tan(np.radians(30))))
    said = taken(name)[1][1::5, ::HOP].T
    assert np.abs(said - followed).max() <= 1.5 + 0.05 + 1e-3  # places are tenths of a degree


@given(position=st.floats(-1, 1))
def test_a_pan_position_is_the_tangent_law_at_unit_power(position: float) -> None:
    left, right = pan(np.array(position))
    assert (right - left) / (right + left) == pytest.approx(position, abs=1e-12)
    assert left**2 + right**2 == pytest.approx(1)


# The fold-down


@pytest.mark.parametrize("name", SCENES)
def test_bed_and_objects_fold_down_to_the_stem(name: str) -> None:
    bed, objects = taken(name)
    from_objects = SceneRender([], 3, RAMP, ("L", "R")).process(np.ascontiguousarray(objects))
    fold = fold_down().T @ bed.astype(np.float64) + from_objects.astype(np.float64)
    assert level(fold - scene(name)) < level(scene(name)) - 120


def test_places_are_in_front_at_distance_1_on_a_grid_of_hops() -> None:
    for name in ("moving", "three"):
        _, objects = taken(name)
        azimuth, elevation, distance, extent = (objects[row::5] for row in (1, 2, 3, 4))
        assert np.abs(azimuth).max() <= 30
        np.testing.assert_allclose(azimuth * 10, np.round(azimuth * 10), atol=1e-4)
        moved = np.flatnonzero(np.diff(azimuth).any(axis=0)) + 1
        assert not (moved % HOP).any()
        assert not elevation.any()
        assert (distance == 1).all()
        assert not extent.any()
    assert np.diff(taken("moving")[1][1::5]).any()


def test_what_is_around_is_spread_by_its_powers_and_little_alike() -> None:
    x = np.random.default_rng(5).uniform(-0.3, 0.3, (2, 2 * N)).astype(np.float32)
    bed, objects = run(stem(), x)
    assert level(objects[::5]) < level(x) - 20
    heard = bed[[0, 1, 4, 5, 6, 7, 8, 9], 2 * HOP :]
    assert not bed[[2, 3]].any()  # neither the centre nor low frequencies
    alike = np.corrcoef(heard) - np.eye(len(heard))
    assert np.abs(alike).max() <= 0.3
    loud = np.square(heard, dtype=np.float64).mean(axis=1)
    assert np.abs(10 * np.log10(loud[2:] / (0.2 * power(x) / 2))).max() < 1.5
    assert loud.sum() == pytest.approx(power(x), rel=0.1)


def test_a_stem_is_added_to_what_is_in_the_bed() -> None:
    x = scene("three")[:, : 20 * HOP]
    node, bed, objects = (
        stem(),
        np.ones((len(BED), 20 * HOP), np.float32),
        np.empty((15, 20 * HOP), np.float32),
    )
    node.process(x.copy(), bed, objects)
    alone = np.zeros_like(bed)
    node.reset()
    node.process(x.copy(), alone, objects)
    assert alone.any()
    np.testing.assert_allclose(bed, alone + 1, atol=1e-6)


def test_a_pinned_object_stays_in_front_and_takes_what_is_there() -> None:
    sound = voice(SECONDS, 4)
    x = (panned(sound, 0) + ambience(SECONDS, 1e-4)).astype(np.float32)
    node = stem(pinned=True)
    assert node.objects == 1
    bed, objects = run(node, x)
    assert not objects[[1, 2, 4]].any()
    assert level(objects[0] - sound) < level(sound) - 15
    from_object = SceneRender([], 1, RAMP, ("L", "R")).process(np.ascontiguousarray(objects))
    fold = fold_down().T @ bed.astype(np.float64) + from_object.astype(np.float64)
    assert level(fold - x) < level(x) - 120


# Blocks, states, silence


@settings(max_examples=8)
@given(cuts=st.lists(st.integers(1, 3000), min_size=1, max_size=6), name=st.sampled_from(["three", "moving"]))
def test_any_cut_gives_the_same_bits(cuts: list[int], name: str) -> None:
    for mine, theirs in zip(run(stem(), scene(name), tuple(cuts)), taken(name), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_blocks_of_one_sample_and_of_none_give_the_same_bits() -> None:
    x = scene("three")[:, HOP * 30 : HOP * 34]
    whole = run(stem(), x, (1 << 20,))
    for mine, theirs in zip(run(stem(), x, (1, 0, 2)), whole, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_reset_is_like_fresh() -> None:
    node = stem()
    run(node, scene("moving"))
    node.reset()
    for mine, theirs in zip(run(node, scene("three")), taken("three"), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("pinned", [False, True])
def test_silence_gives_silence(pinned: bool) -> None:
    bed, objects = run(stem(pinned=pinned), np.zeros((2, N), np.float32))
    assert not bed.any()
    assert not objects[::5].any()
    assert np.isfinite(objects).all()
    assert not objects[1::5].any()


def test_the_quietest_and_one_channel_alone_are_finite() -> None:
    for x in (scene("three") * np.float32(1e-38), scene("three") * np.array([[1], [0]], np.float32)):
        bed, objects = run(stem(), np.ascontiguousarray(x[:, : 60 * HOP]))
        assert np.isfinite(bed).all()
        assert np.isfinite(objects).all()


# Spreading


@settings(max_examples=200)
@given(
    front=st.floats(0.1, 0.9),
    shares=st.lists(st.floats(0.1, 1), min_size=1, max_size=4),
    fold=st.lists(st.floats(0.5, 1), min_size=4, max_size=4),
)
def test_parts_have_their_powers_add_nothing_to_the_fold_down_and_are_equally_alike(
    front: float, shares: list[float], fold: list[float]
) -> None:
    powers = np.array(shares) / sum(shares) * (1 - front)
    count = len(powers)
    to_left = np.array(fold[:count])
    # Were they all alike, they would fold down to more than the ambience: so less alike will do.
    assume(np.sqrt(front) + to_left @ np.sqrt(powers) > 1.001)
    pairs = tuple(range(count)), tuple(range(count))
    around = spread_of(SideChannels(*pairs, np.stack([to_left, 0 * to_left], 1), tuple(powers.tolist())))
    assert around.shape == (count, count + 1)
    # The front keeps the ambience less what its sides add to the fold-down.
    parts = np.concatenate([np.eye(count + 1)[:1] - to_left @ around, around])
    covariance = parts @ parts.T  # of decorrelated copies of unit power
    np.testing.assert_allclose(np.diag(covariance), [front, *powers], rtol=1e-9)
    size = np.sqrt(np.diag(covariance))
    alike = (covariance / np.outer(size, size))[~np.eye(count + 1, dtype=bool)]
    np.testing.assert_allclose(alike, alike[0], atol=1e-9)
    np.testing.assert_allclose(to_left @ around[:, 1:] + parts[0, 1:], 0, atol=1e-9)


@pytest.mark.parametrize("name", ["three", "reverberant"])
def test_what_is_decorrelated_adds_nothing_to_the_fold_down_of_the_front(name: str) -> None:
    x = scene(name)
    bed, _ = run(StemUpmix(HOP, table(), len(BED), sides(1e-9, 1e-9, 1e-9), ramp=RAMP), x)
    more, _ = taken(name)
    np.testing.assert_allclose(fold_down().T @ more, fold_down().T @ bed, atol=2e-6)
    assert level(more[4:]) > level(bed[4:]) + 60


# A mono stem


@settings(max_examples=20)
@given(cuts=st.lists(st.integers(0, 9000), min_size=1, max_size=5).filter(any), lookahead=st.integers(0, 12))
def test_a_mono_stem_is_one_object_in_front_and_as_late_as_a_stereo_one(
    cuts: list[int], lookahead: int
) -> None:
    rule = UpmixRule(lookahead=lookahead)
    x, node = scene("dry")[:1, :20000], MonoUpmix(HOP, rule)
    assert (node.objects, node.latency) == (1, (lookahead + 4) * HOP - 1)
    bed, objects = run(node, x, tuple(cuts))
    np.testing.assert_array_equal(objects[0], x[0])
    np.testing.assert_array_equal(objects[1:], np.array([0, 0, 1, 0])[:, None] * np.ones(20000))
    assert not bed.any()
    node.reset()
    _, again = run(node, x)
    np.testing.assert_array_equal(again, objects)


def test_mono_and_stereo_stems_come_out_together() -> None:
    rule = UpmixRule(lookahead=7)
    assert MonoUpmix(HOP, rule).latency == stem(rule=rule).latency
    assert MonoUpmix(HOP).latency == stem().latency


# Arguments


def test_arrays_that_do_not_fit_are_refused() -> None:
    node, mono = stem(), MonoUpmix(HOP)
    x, bed, objects = (np.zeros((rows, 64), np.float32) for rows in (2, len(BED), 15))
    refused: list[tuple[Any, tuple[Any, ...], str]] = [
        (node, (x[:1], bed, objects), r"block must be float32 \[2, any\]"),
        (node, (x.astype(float), bed, objects), "block must be float32"),
        (node, (x, bed[:8], objects), r"bed must be float32 \[10, 64\]"),
        (node, (x, bed, objects[:10]), r"objects must be float32 \[15, 64\]"),
        (node, (x[:, :63].copy(), bed, objects), r"bed must be float32 \[10, 63\]"),
        (node, (np.zeros((2, 128), np.float32)[:, ::2], bed, objects), "C-contiguous"),
        (mono, (x, bed, objects[:5]), r"block must be float32 \[1, any\]"),
        (mono, (x[:1], bed, objects), r"objects must be float32 \[5, 64\]"),
    ]
    for which, arrays, says in refused:
        with pytest.raises(KernelError, match=says):
            which.process(*arrays)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"table": np.zeros((600, 2), np.float32)}, r"table must be float32 \[601, 2\]"),
        ({"ramp": 0}, "ramp must be an integer from 1 to 480"),
        ({"ramp": 481}, "ramp must be an integer from 1 to 480"),
        ({"rule": UpmixRule(objects=0)}, "objects must be an integer from 1 to 16"),
        ({"rule": UpmixRule(objects=17)}, "objects must be an integer from 1 to 16"),
        ({"sides": SideChannels((), (), np.zeros((0, 2)), ())}, "1 to 4 pairs"),
        ({"sides": SideChannels((4,), (5, 6), np.ones((1, 2)), (0.2,))}, "1 to 4 pairs"),
        ({"sides": SideChannels((4,), (5,), np.ones((2, 2)), (0.2,))}, "1 to 4 pairs"),
        ({"sides": SideChannels((4,), (10,), np.ones((1, 2)), (0.2,))}, "channel 10 .* 2 to 9"),
        ({"sides": SideChannels((-1,), (5,), np.ones((1, 2)), (0.2,))}, "channel -1 .* 2 to 9"),
        ({"sides": SideChannels((0,), (5,), np.ones((1, 2)), (0.2,))}, "channel 0 .* 2 to 9"),
        ({"sides": SideChannels((4,), (5,), np.ones((1, 2)), (1.0,))}, "leave some for the front"),
        ({"sides": SideChannels((4,), (5,), np.ones((1, 2)), (0.0,))}, "must be positive"),
        ({"sides": SideChannels((4,), (5,), np.full((1, 2), 0.1), (0.5,))}, "cannot sum up to"),
    ],
)
def test_a_stem_that_cannot_be_says_why(more: dict[str, Any], says: str) -> None:
    given = {"table": table(), "bed": len(BED), "sides": sides(), "ramp": RAMP, **more}
    with pytest.raises(KernelError, match=says):
        StemUpmix(HOP, given.pop("table"), given.pop("bed"), given.pop("sides"), **given)
