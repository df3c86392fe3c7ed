"""From places to loudspeakers: unit power, no jumps, left as right, and the gains of another renderer.

The table is from ear 2.1.0 (ITU-R BS.2127, the renderer of its authors); 7.1.2 was described to it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.contract.audio import NAMED_LAYOUTS
from unbraid.kernels.errors import KernelError
from unbraid.kernels.loudspeakers import loudspeakers
from unbraid.kernels.panner import Panner
from unbraid.kernels.point_source import PointSource, directions
from unbraid.kernels.spread import Spread

Gains = np.ndarray[Any, np.dtype[np.float32]]
AROUND = ("5.1", "7.1", "7.1.2", "5.1.4", "7.1.4")
LAYOUTS = ("stereo", *AROUND)
#: What ITU-R BS.2051 calls them, or would.
SYSTEMS = {
    "0+2+0": "stereo",
    "0+5+0": "5.1",
    "0+7+0": "7.1",
    "2+7+0": "7.1.2",
    "4+5+0": "5.1.4",
    "4+7+0": "7.1.4",
}
AZIMUTH, ELEVATION, EXTENT = st.floats(-180, 180), st.floats(-90, 90), st.floats(0, 360)

#: System; azimuth, elevation, extent (width and height); loudspeakers and their gains, all others 0.
GOLDEN = """
0+2+0  -10.1166  -3.8872  0  M+030 0.46680 M-030 0.88436
0+2+0  124.3926  -6.5938  0  M+030 0.67621 M-030 0.20674
0+2+0  156.9855 -39.0214  0  M+030 0.57052 M-030 0.41773
0+2+0   25.9703  28.3482  0  M+030 0.99642 M-030 0.08449
0+2+0   99.4315  55.7711  0  M+030 0.70983 M-030 0.32371
0+2+0  -75.0000   0.0000  0  M-030 0.82584
0+2+0 -180.0000  90.0000  0  M+030 0.59460 M-030 0.59460
0+2+0 -135.0000   0.0000 30  M+030 0.40706 M-030 0.91340
0+2+0  120.0000  30.0000 30  M+030 0.96933 M-030 0.24574
0+5+0    4.6326   5.0628  0  M+030 0.18526 M+000 0.98269
0+5+0 -129.8276   3.1673  0  M+110 0.36524 M-110 0.93091
0+5+0   59.4491 -52.8020  0  M+030 0.77572 M-030 0.17196 M+000 0.17196 M+110 0.55637 M-110 0.17196
0+5+0 -153.8534  29.6473  0  M+110 0.57171 M-110 0.82046
0+5+0 -159.6781  58.6759  0  M+030 0.01171 M-030 0.01171 M+000 0.01171 M+110 0.60794 M-110 0.79372
0+5+0  -75.0000   0.0000  0  M-030 0.62997 M-110 0.77662
0+5+0 -180.0000  90.0000  0  M+030 0.44721 M-030 0.44721 M+000 0.44721 M+110 0.44721 M-110 0.44721
0+5+0  -90.0000   0.0000 30  M-030 0.37118 M+110 0.00022 M-110 0.92856
0+5+0  120.0000  60.0000 30  M+030 0.22311 M-030 0.17124 M+000 0.17124 M+110 0.86702 M-110 0.37397
0+7+0  -16.7563  -9.9630  0  M-030 0.78291 M+000 0.62213
0+7+0 -140.2014  -2.5019  0  M+135 0.09066 M-135 0.99588
0+7+0   21.0748 -28.8250  0  M+030 0.91818 M+000 0.39615
0+7+0   76.5065  15.3297  0  M+030 0.30619 M+090 0.95197
0+7+0  -26.4213  58.4935  0  M+030 0.22459 M-030 0.80861 M+000 0.30652 M+090 0.22459 M-090 0.22459 \
M+135 0.22459 M-135 0.22459
0+7+0  -75.0000   0.0000  0  M-030 0.34372 M-090 0.93907
0+7+0 -180.0000  90.0000  0  M+030 0.37796 M-030 0.37796 M+000 0.37796 M+090 0.37796 M-090 0.37796 \
M+135 0.37796 M-135 0.37796
0+7+0 -180.0000   0.0000 30  M+135 0.70711 M-135 0.70711
0+7+0  135.0000  30.0000 30  M+030 0.02730 M-030 0.02730 M+000 0.02730 M+090 0.18061 M-090 0.02730 \
M+135 0.97500 M-135 0.11738
2+7+0  149.6735  18.0883  0  M+135 0.96739 M-135 0.25331
2+7+0  172.4640  41.3980  0  M+030 0.02282 M-030 0.02282 M+000 0.02282 M+135 0.79012 M-135 0.61082 \
U+090 0.02282 U-090 0.02282
2+7+0  -10.3503  17.6317  0  M+030 0.12454 M-030 0.49708 M+000 0.82180 M+135 0.12454 M-135 0.12454 \
U+090 0.12454 U-090 0.12454
2+7+0 -150.0000  30.0000 30  M+030 0.01981 M-030 0.01981 M+000 0.01981 M-090 0.00148 M+135 0.28267 \
M-135 0.95782 U+090 0.01981 U-090 0.03340
4+5+0  -47.3573  11.0774  0  M-030 0.86371 M-110 0.29012 U-030 0.39067 U-110 0.13123
4+5+0 -171.1692   9.6716  0  M+110 0.66038 M-110 0.73954 U+110 0.08677 U-110 0.09718
4+5+0  108.3141 -46.5798  0  M+030 0.17035 M-030 0.14613 M+000 0.14613 M+110 0.95232 M-110 0.14613
4+5+0  -21.9743  28.0525  0  M+000 0.13082 U+030 0.10301 U-030 0.98604
4+5+0   33.4149  68.9424  0  U+030 0.77070 U-030 0.35929 U+110 0.38449 U-110 0.35929
4+5+0  -75.0000   0.0000  0  M-030 0.62997 M-110 0.77662
4+5+0 -180.0000  90.0000  0  U+030 0.50000 U-030 0.50000 U+110 0.50000 U-110 0.50000
4+5+0  -15.0000   0.0000 30  M+030 0.00628 M-030 0.62255 M+000 0.74752 M-110 0.00450 U+030 0.02822 \
U-030 0.22976 U-110 0.00055
4+5+0  105.0000  60.0000 30  M+110 0.00152 M-110 0.00066 U+030 0.34937 U-030 0.22286 U+110 0.85214 \
U-110 0.31958
4+7+0   11.4332   9.5536  0  M+000 0.91979 U+045 0.39233 U-045 0.00767
4+7+0  161.6936  -3.2437  0  M+135 0.89342 M-135 0.44922
4+7+0  149.3278 -62.6332  0  M+030 0.22812 M-030 0.22812 M+000 0.22812 M+090 0.22812 M-090 0.22812 \
M+135 0.77724 M-135 0.36837
4+7+0   23.2049  21.3157  0  M+000 0.52503 U+045 0.84717 U-045 0.08149
4+7+0 -121.3810  56.4656  0  U+045 0.22965 U-045 0.38347 U+135 0.22965 U-135 0.86457
4+7+0  -75.0000   0.0000  0  M-030 0.34372 M-090 0.93907
4+7+0 -180.0000  90.0000  0  U+045 0.50000 U-045 0.50000 U+135 0.50000 U-135 0.50000
4+7+0 -135.0000   0.0000 30  M-090 0.15215 M+135 0.07949 M-135 0.96289 U+135 0.01237 U-135 0.20790
4+7+0  -45.0000  30.0000 30  M-030 0.13794 M+000 0.05292 M-090 0.10317 U+045 0.08087 U-045 0.97655 \
U+135 0.02946 U-135 0.08039
"""


def gains(layout: str, *place: float) -> Gains:
    """Gains of one place: azimuth, elevation, then extent where it has one."""
    azimuth, elevation, extent = (*place, 0.0)[:3]
    (found,) = Panner(NAMED_LAYOUTS[layout]).objects([[azimuth, elevation, 1, extent]])
    return np.asarray(found)


def mirrored(layout: str) -> list[int]:
    """For each channel, the one on the other side."""
    roles = NAMED_LAYOUTS[layout]
    other = {"L": "R", "R": "L"}
    return [roles.index(role if role == "LFE" else other.get(role[0], role[0]) + role[1:]) for role in roles]


# What another renderer says


@pytest.mark.parametrize("row", [row for row in GOLDEN.splitlines() if row])
def test_gains_are_those_of_ear(row: str) -> None:
    system, azimuth, elevation, extent, *pairs = row.split()
    layout = SYSTEMS[system]
    heard = dict(zip(pairs[::2], map(float, pairs[1::2]), strict=True))
    labels = [speaker.label for speaker in loudspeakers(NAMED_LAYOUTS[layout])]
    assert heard.keys() <= set(labels)
    got = gains(layout, float(azimuth), float(elevation), float(extent))
    np.testing.assert_allclose(got, [heard.get(label, 0) for label in labels], atol=1e-4)


# Power and continuity


@settings(max_examples=100)
@given(layout=st.sampled_from(AROUND), azimuth=AZIMUTH, elevation=ELEVATION, extent=st.just(0.0) | EXTENT)
def test_every_place_has_unit_power_and_no_gain_below_0(
    layout: str, azimuth: float, elevation: float, extent: float
) -> None:
    got = gains(layout, azimuth, elevation, extent).astype(float)
    assert (got**2).sum() == pytest.approx(1, abs=1e-6)
    assert got.min() >= 0


@settings(max_examples=60)
@given(azimuth=AZIMUTH, elevation=ELEVATION)
def test_two_loudspeakers_lose_at_most_3_db_of_what_is_behind(azimuth: float, elevation: float) -> None:
    power = float((gains("stereo", azimuth, elevation).astype(float) ** 2).sum())
    assert 0.5 - 1e-6 <= power <= 1 + 1e-6


@settings(max_examples=60)
@given(
    layout=st.sampled_from(LAYOUTS),
    azimuth=AZIMUTH,
    elevation=ELEVATION,
    extent=st.sampled_from([0.0, 3.0, 30.0, 180.0]),
    heading=st.floats(0, 2 * np.pi),
)
def test_a_step_of_a_hundredth_of_a_degree_is_none_of_the_gains(
    layout: str, azimuth: float, elevation: float, extent: float, heading: float
) -> None:
    here = directions(azimuth, elevation)
    side = directions(azimuth + 90, 0)
    step = np.radians(0.01) * (np.cos(heading) * side + np.sin(heading) * np.cross(side, here))
    x, y, z = (here + step) / np.linalg.norm(here + step)
    there = np.degrees([np.arctan2(-x, y), np.arcsin(np.clip(z, -1, 1))])
    moved = gains(layout, float(there[0]), float(there[1]), extent) - gains(
        layout, azimuth, elevation, extent
    )
    assert np.abs(moved).max() < 0.002


@settings(max_examples=60)
@given(layout=st.sampled_from(AROUND), azimuth=AZIMUTH, elevation=ELEVATION, extent=st.floats(0, 359.9))
def test_a_sound_that_grows_does_not_jump(
    layout: str, azimuth: float, elevation: float, extent: float
) -> None:
    powers = [gains(layout, azimuth, elevation, extent + more).astype(float) ** 2 for more in (0, 0.1)]
    assert np.abs(powers[1] - powers[0]).max() < 0.02


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_walk_around_and_over_the_listener_has_no_jump(layout: str) -> None:
    degrees = np.arange(0, 360, 0.1)
    still = np.zeros_like(degrees)
    over = np.where(degrees <= 180, 90 - degrees, degrees - 270)
    walks = [np.stack([degrees, still + up], 1) for up in (-89, -45, -30, 0, 15, 30, 60, 89)]
    walks += [np.stack([np.where(degrees <= 180, side, side + 180), over], 1) for side in (0, 45, 110, -90)]
    for walk in walks:
        places = np.concatenate([walk, still[:, None] + 1, still[:, None]], 1)
        got = Panner(NAMED_LAYOUTS[layout]).objects(places).astype(float)
        assert np.abs(got - np.roll(got, 1, axis=0)).max() < 0.02


@settings(max_examples=60)
@given(layout=st.sampled_from(LAYOUTS), azimuth=AZIMUTH, elevation=ELEVATION, extent=st.just(0.0) | EXTENT)
def test_right_is_as_left(layout: str, azimuth: float, elevation: float, extent: float) -> None:
    left, right = gains(layout, azimuth, elevation, extent), gains(layout, -azimuth, elevation, extent)
    np.testing.assert_allclose(right, left[mirrored(layout)], atol=2e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_turn_more_is_the_same_place_and_a_pole_has_no_azimuth(layout: str) -> None:
    for azimuth, elevation in ((30.0, 0.0), (-100.0, 20.0), (180.0, -40.0)):
        np.testing.assert_allclose(
            gains(layout, azimuth + 360, elevation), gains(layout, azimuth, elevation), atol=1e-6
        )
    for pole in (-90.0, 90.0):
        for azimuth in (-170.0, 20.0, 110.0):
            np.testing.assert_allclose(gains(layout, azimuth, pole), gains(layout, 0.0, pole), atol=1e-6)


@given(distance=st.floats(0, 1))
def test_the_distance_changes_nothing(distance: float) -> None:
    panner = Panner(NAMED_LAYOUTS["7.1.4"])
    near, far = panner.objects(np.array([[77, 13, distance, 20], [77, 13, 1, 20]]))
    np.testing.assert_array_equal(near, far)


# Where loudspeakers are, and between them


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_direction_of_a_loudspeaker_is_that_loudspeaker_alone(layout: str) -> None:
    speakers = loudspeakers(NAMED_LAYOUTS[layout])
    for at, speaker in enumerate(speakers):
        if not speaker.low:
            alone = np.eye(len(speakers))[at]
            np.testing.assert_allclose(gains(layout, speaker.azimuth, speaker.elevation), alone, atol=1e-6)


@pytest.mark.parametrize(
    ("layout", "height", "azimuths"),
    [
        ("5.1", 0, [0, 30, 110, 250, 330, 360]),
        ("7.1", 0, [0, 30, 90, 135, 225, 270, 330, 360]),
        ("5.1.4", 0, [0, 30, 110, 250, 330, 360]),
        ("7.1.4", 0, [0, 30, 90, 135, 225, 270, 330, 360]),
    ],
)
def test_the_tangent_law_holds_between_neighbours(layout: str, height: float, azimuths: list[float]) -> None:
    speakers = enumerate(loudspeakers(NAMED_LAYOUTS[layout]))
    found = {speaker.azimuth % 360: at for at, speaker in speakers if speaker.elevation == height}
    for right, left in pairwise(azimuths):
        for azimuth in np.linspace(right, left, 7):
            got = gains(layout, float(azimuth), height).astype(float)
            to_left, to_right = got[found[left % 360]], got[found[right % 360]]
            middle, half = (left + right) / 2, (left - right) / 2
            law = np.tan(np.radians(azimuth - middle)) / np.tan(np.radians(half))
            assert (to_left - to_right) / (to_left + to_right) == pytest.approx(law, abs=1e-5)
            assert to_left**2 + to_right**2 == pytest.approx(1, abs=1e-6)


@given(azimuth=st.floats(-30, 30))
def test_between_two_loudspeakers_alone_there_is_a_phantom_centre_in_between(azimuth: float) -> None:
    # L C R by the tangent law, then C to both sides at -3 dB and all at unit power (BS.2127, 6.1.2.4).
    side = np.tan(np.radians(abs(azimuth) - 15)) / np.tan(np.radians(15))
    near, centre = (1 + side) / 2, (1 - side) / 2
    size = np.hypot(near, centre)
    pair = np.array([near / size + centre / size / np.sqrt(3), centre / size / np.sqrt(3)])
    pair /= np.linalg.norm(pair)
    want = pair if azimuth >= 0 else pair[::-1]
    np.testing.assert_allclose(gains("stereo", azimuth, 0), want, atol=1e-6)


@pytest.mark.parametrize(
    ("azimuth", "want"),
    [
        (0, [0.5**0.5, 0.5**0.5]),
        (30, [1, 0]),
        (-30, [0, 1]),
        (110, [0.5**0.5, 0]),
        (-110, [0, 0.5**0.5]),
        (180, [0.5, 0.5]),
    ],
)
def test_two_loudspeakers_are_a_downmix_of_five(azimuth: float, want: list[float]) -> None:
    np.testing.assert_allclose(gains("stereo", azimuth, 0), want, atol=1e-6)


@pytest.mark.parametrize(
    ("layout", "labels"),
    [
        ("stereo", "M+030 M-030"),
        ("5.1", "M+030 M-030 M+000 LFE1 M+110 M-110"),
        ("7.1", "M+030 M-030 M+000 LFE1 M+090 M-090 M+135 M-135"),
        ("7.1.2", "M+030 M-030 M+000 LFE1 M+090 M-090 M+135 M-135 U+090 U-090"),
        ("5.1.4", "M+030 M-030 M+000 LFE1 M+110 M-110 U+030 U-030 U+110 U-110"),
        ("7.1.4", "M+030 M-030 M+000 LFE1 M+090 M-090 M+135 M-135 U+045 U-045 U+135 U-135"),
    ],
)
def test_loudspeakers_have_the_labels_of_bs_2051_and_stand_where_these_say(layout: str, labels: str) -> None:
    speakers = loudspeakers(NAMED_LAYOUTS[layout])
    assert [speaker.label for speaker in speakers] == labels.split()
    for speaker in speakers:
        if speaker.label == "LFE1":
            assert speaker.low
        else:
            layer, azimuth = speaker.label[0], float(speaker.label[1:])
            assert (speaker.azimuth, speaker.elevation) == (azimuth, {"M": 0, "U": 30}[layer])
            assert not speaker.low


@pytest.mark.parametrize("role", ["1", "", "X", "Ctf", "tf", "Lxx"])
def test_a_channel_that_is_no_loudspeaker_s_is_refused(role: str) -> None:
    with pytest.raises(KernelError, match=f"the channel {role!r} is no loudspeaker's"):
        Panner(("L", role))


# Extent


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sound_of_no_extent_is_a_point_and_one_all_around_has_no_direction(layout: str) -> None:
    for azimuth, elevation in ((0.0, 0.0), (75.0, -20.0), (-160.0, 50.0)):
        np.testing.assert_allclose(
            gains(layout, azimuth, elevation, 360), gains(layout, 0, 0, 360), atol=1e-6
        )
        narrow = gains(layout, azimuth, elevation, 1e-9)
        np.testing.assert_allclose(narrow, gains(layout, azimuth, elevation), atol=1e-4)


@pytest.mark.parametrize("layout", AROUND)
def test_a_wider_sound_reaches_more_loudspeakers_and_leaves_its_own(layout: str) -> None:
    centre = NAMED_LAYOUTS[layout].index("C")
    own = [float(gains(layout, 0, 0, extent)[centre]) for extent in (0, 20, 60, 120, 240, 360)]
    assert all(wider < narrower for narrower, wider in pairwise(own))
    heard = [int((gains(layout, 0, 0, extent) > 1e-6).sum()) for extent in (0, 20, 360)]
    assert heard == [1, heard[1], len(NAMED_LAYOUTS[layout]) - 1]
    assert 1 < heard[1] <= heard[2]


def test_a_cap_has_points_and_gains_of_any_panner() -> None:
    def thirds(azimuth: Any, elevation: Any) -> Any:
        """Up or down, by halves of the sphere."""
        up = np.asarray(elevation) > 0
        return np.stack([up, ~up], 1).astype(float)

    spread = Spread(thirds)
    azimuth, elevation = np.zeros(3), np.array([90.0, 60.0, 0.0])
    got = spread.gains(azimuth, elevation, np.array([120.0, 0.0, 360.0]))
    np.testing.assert_allclose(got[0], [1, 0], atol=1e-12)  # the cap ends 30 - 10 degrees above the horizon
    np.testing.assert_array_equal(got[1], [1, 0])
    assert got[2].min() > 0.6


# Beds


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bed_of_the_same_layout_stays_as_it_is(layout: str) -> None:
    roles = NAMED_LAYOUTS[layout]
    np.testing.assert_array_equal(Panner(roles).bed(roles), np.eye(len(roles)))


@pytest.mark.parametrize("bed", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bed_channel_goes_to_its_own_loudspeaker_else_to_those_around_its_place(
    layout: str, bed: str
) -> None:
    ours = [speaker.label for speaker in loudspeakers(NAMED_LAYOUTS[layout])]
    got = Panner(NAMED_LAYOUTS[layout]).bed(NAMED_LAYOUTS[bed])
    assert got.shape == (len(NAMED_LAYOUTS[bed]), len(ours))
    for row, channel in zip(got, loudspeakers(NAMED_LAYOUTS[bed]), strict=True):
        if channel.label in ours:
            np.testing.assert_array_equal(row, np.eye(len(ours))[ours.index(channel.label)])
        elif channel.low:
            assert not row.any()
        else:
            np.testing.assert_array_equal(row, gains(layout, channel.azimuth, channel.elevation))
        if "LFE1" in ours and not channel.low:
            assert row[ours.index("LFE1")] == 0


def test_an_object_is_never_heard_from_the_channel_for_low_frequencies() -> None:
    places = [[45, -30, 1, 0], [45, -30, 1, 40], [0, 0, 1, 360]]
    assert not Panner(NAMED_LAYOUTS["5.1"]).objects(places)[:, 3].any()


# Any loudspeakers


@settings(max_examples=50)
@given(azimuth=AZIMUTH, elevation=ELEVATION)
def test_loudspeakers_that_no_layout_has_are_panned_among_as_well(azimuth: float, elevation: float) -> None:
    square = PointSource([(45, 0), (-45, 0), (135, 0), (-135, 0), (0, 90)])
    up, level = square.gains([azimuth, azimuth], [elevation, 0])
    assert (up**2).sum() == pytest.approx(1)
    assert up.min() >= 0
    # Loudspeakers a quarter of a turn apart: a direction's coordinates along two of them.
    corners = directions(np.array([45, -45, 135, -135]), np.zeros(4))
    np.testing.assert_allclose(level[:4], np.maximum(corners @ directions(azimuth, 0), 0), atol=1e-6)
    assert level[4] < 1e-6


def test_five_loudspeakers_in_one_plane_beside_each_other_are_refused_with_a_remedy() -> None:
    turn = np.radians([0, 72, 144, 216, 288])
    x, y, z = np.sin(0.3) * np.sin(turn), np.full(5, np.cos(0.3)), np.sin(0.3) * np.cos(turn)
    ring = [
        (float(around), float(up))
        for around, up in zip(np.degrees(np.arctan2(-x, y)), np.degrees(np.arcsin(z)), strict=True)
    ]
    with pytest.raises(ValueError, match="has 5 corners; move a loudspeaker by a degree"):
        PointSource([*ring, (90, 0), (-90, 0), (180, 0)])
