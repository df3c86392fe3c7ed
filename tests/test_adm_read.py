"""What `read_adm` promises: the scene that was written comes back, and what cannot be a scene is refused."""

from __future__ import annotations

import contextlib
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import adm_files
import numpy as np
import pytest
from adm_faults import place
from adm_files import FRAMES, RATE, Chunks, changed, swapped
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.adm.block_parser import nanoseconds
from unbraid.host.adm.chna import TrackUse, build_chna, parse_chna
from unbraid.host.adm.labels import bed_of
from unbraid.host.adm.parse import parse_axml
from unbraid.host.adm.reader import read_adm
from unbraid.host.contract.audio import NAMED_LAYOUTS
from unbraid.host.contract.errors import MediaError
from unbraid.host.contract.scene import BedShape, Content
from unbraid.host.scene.model import BED_LAYOUTS, Programme, Scene, SceneObject
from unbraid.host.scene.places import DOLBY, ITU, to_angles, to_room

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("adm")
    return {
        profile: adm_files.write(folder / f"{profile}.wav", adm_files.scene(), profile)
        for profile in ("bs2127", "dolby")
    }


def _in_room(places: NDArray[np.float32]) -> NDArray[np.float64]:
    return to_room(places[:, 0], places[:, 1], places[:, 2], DOLBY)


def _read(path: Path) -> Scene:
    return read_adm(path).scene


# what comes back


@pytest.mark.parametrize("profile", ["bs2127", "dolby"])
def test_the_profile_of_a_file_is_known_by_what_it_holds(good: dict[str, Path], profile: str) -> None:
    found = read_adm(good[profile])
    assert found.profile == profile
    assert found.warnings == ()


def test_programme_contents_beds_and_names_come_back(good: dict[str, Path]) -> None:
    found, wanted = _read(good["bs2127"]), adm_files.scene()
    assert found.programme == wanted.programme
    assert found.contents == wanted.contents
    assert found.beds == wanted.beds
    assert [(each.name, each.content) for each in found.objects] == [("Mover", 0), ("Voice", 1)]


@st.composite
def _scenes(draw: st.DrawFn, profile: str) -> Scene:
    rate = draw(st.sampled_from([48_000, 96_000]))
    ramp = 250 * rate // 48_000
    length = draw(st.integers(6 * ramp, 12 * ramp))
    angle = st.integers(-180_000, 179_999).map(lambda value: float(np.float32(value / 1000)))
    height = st.integers(-90, 90).map(float)
    extent = st.sampled_from([0.0, 18.0, 90.0, 180.0])
    objects = []
    for number in range(draw(st.integers(0, 3))):
        moves = sorted(draw(st.sets(st.integers(1, length // ramp - 2), max_size=3)))
        places = [
            (start, draw(angle), draw(height), 1.0, draw(extent))
            for start in (0, *(ramp * at for at in moves))
        ]
        motion = adm_files.motion(*places, ramp=ramp)
        # A place that does not change makes no block.
        kept = np.append(True, (np.diff(motion.places, axis=0) != 0).any(axis=1))
        motion = adm_files.motion(
            *[place for place, keep in zip(places, kept, strict=True) if keep], ramp=ramp
        )
        objects.append(SceneObject(f"Object {number} <&>", 0, motion))
    layouts = ["stereo", "5.1", "7.1", "7.1.2"] if profile == "dolby" else list(BED_LAYOUTS)
    beds = (BedShape("Bed", draw(st.sampled_from(layouts)), 0),)
    contents = (Content("All", draw(st.sampled_from(["music", "effects", "dialogue"]))),)
    return Scene(Programme("Night", rate, length), contents, beds, tuple(objects))


@pytest.mark.parametrize("profile", ["bs2127", "dolby"])
@settings(max_examples=15)
@given(data=st.data())
def test_any_scene_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, profile: str, data: st.DataObject
) -> None:
    wanted = data.draw(_scenes(profile))
    path = adm_files.write(tmp_path_factory.mktemp("any") / "any.wav", wanted, profile)
    found = _read(path)
    assert [bed.layout for bed in found.beds] == [bed.layout for bed in wanted.beds]
    assert (found.programme.rate, found.programme.length) == (wanted.programme.rate, wanted.programme.length)
    for one, other in zip(found.objects, wanted.objects, strict=True):
        assert one.name == other.name
        assert one.motion.start.tolist() == other.motion.start.tolist()
        assert one.motion.ramp.tolist() == other.motion.ramp.tolist()
        if profile == "bs2127":
            assert np.array_equal(one.motion.places, other.motion.places)
        else:  # the file tells places in a room with six decimals, and angles come from those
            read, told = (_in_room(each.motion.places) for each in (one, other))
            assert np.abs(read - told).max() < 2e-6
            assert np.allclose(one.motion.places[:, 3], other.motion.places[:, 3], atol=2e-4)


def test_the_sound_comes_in_the_order_of_the_scenes_tracks(good: dict[str, Path], tmp_path: Path) -> None:
    """A file whose channels stand in any order gives the same scene and the same sound."""

    def turned(chunks: Chunks) -> None:
        uses = parse_chna(chunks[b"chna"])
        count = len(uses)
        uses = [TrackUse(count + 1 - use.track, use.uid, use.format, use.pack) for use in uses]
        chunks[b"chna"] = build_chna(uses)
        frames = np.frombuffer(chunks[b"data"], np.uint8).reshape(-1, count, 3)
        chunks[b"data"] = frames[:, ::-1].tobytes()
        # The bed names its channels in another order, too.
        refs = re.findall(
            r"<audioChannelFormatIDRef>AC_0001100[1-4]</audioChannelFormatIDRef>\n", chunks.text
        )
        chunks.text = chunks.text.replace("".join(refs[:4]), "".join(reversed(refs[:4])), 1)

    found = read_adm(changed(good["bs2127"], tmp_path / "turned.wav", turned))
    assert found.tracks == tuple(reversed(range(12)))
    with found.open() as source:
        block = np.concatenate(list(source.blocks(1000)), axis=1)
    assert np.array_equal(block, adm_files.steps(12, FRAMES))


def test_a_channel_mask_does_not_reorder_what_chna_has_named(good: dict[str, Path], tmp_path: Path) -> None:
    told = Scene(Programme("Night", RATE, 480), (Content("Music"),), (BedShape("Bed", "7.1"),), ())
    plain = adm_files.write(tmp_path / "plain.wav", told)

    def masked(chunks: Chunks) -> None:
        pcm = bytes.fromhex("0100000000001000800000aa00389b71")
        head = struct.pack("<H", 0xFFFE) + chunks[b"fmt "][2:16]
        chunks[b"fmt "] = head + struct.pack("<HHI", 22, 24, 0x63F) + pcm

    found = read_adm(changed(plain, tmp_path / "masked.wav", masked))
    with found.open() as source:
        assert np.array_equal(next(source.blocks(480)), adm_files.steps(8, 480))


@given(st.sampled_from(BED_LAYOUTS), st.randoms(use_true_random=False))
def test_a_bed_is_known_by_its_labels_in_any_order(layout: str, random: object) -> None:
    from unbraid.kernels.loudspeakers import loudspeakers

    labels = [speaker.label for speaker in loudspeakers(NAMED_LAYOUTS[layout])]
    mixed = sorted(labels, key=lambda _: random.random())  # type: ignore[attr-defined]
    found = bed_of(mixed)
    assert found is not None
    assert found[0] == layout
    assert [mixed[at] for at in found[1]] == labels


# when gains move


_FIRST = '<jumpPosition interpolationLength="0">1</jumpPosition>'


@pytest.mark.parametrize(
    ("said", "ramp"),
    [
        ('<jumpPosition interpolationLength="0.010000">1</jumpPosition>', 480),
        ('<jumpPosition interpolationLength="0">1</jumpPosition>', 0),
        ("<jumpPosition>1</jumpPosition>", 0),
        ("<jumpPosition>0</jumpPosition>", FRAMES // 4),
        ('<jumpPosition interpolationLength="0.01">0</jumpPosition>', FRAMES // 4),
        ("", FRAMES // 4),
    ],
)
def test_a_block_moves_as_long_as_bs2076_says(
    good: dict[str, Path], tmp_path: Path, said: str, ramp: int
) -> None:
    """Without a jump for the whole block, with one at once, or within the interpolation's length."""
    later = '<jumpPosition interpolationLength="0.005208">1</jumpPosition>'
    found = _read(changed(good["bs2127"], tmp_path / "moves.wav", swapped(later, said)))
    assert found.objects[0].motion.ramp.tolist() == [0, ramp, 250]


def test_an_object_is_silent_where_it_has_no_block(good: dict[str, Path], tmp_path: Path) -> None:
    gap = swapped('duration="00:00:00.25000"', 'duration="00:00:00.12500"')
    found = _read(changed(good["bs2127"], tmp_path / "gap.wav", gap)).objects[0].motion
    assert found.start.tolist() == [0, 6000, 12000, 24000]
    assert found.gain.tolist() == [1, 0, 1, 1]
    assert found.ramp.tolist() == [0, 0, 0, 250]


def test_blocks_count_from_the_start_of_their_object(good: dict[str, Path], tmp_path: Path) -> None:
    def late(chunks: Chunks) -> None:
        name = 'audioObjectName="Voice" start="00:00:00.'
        swapped(name + "00000", name + "50000")(chunks)
        whole = 'rtime="00:00:00.00000" duration="00:00:01.00000"'
        swapped(whole, 'rtime="00:00:00.00000" duration="00:00:00.25000"')(chunks)

    found = _read(changed(good["bs2127"], tmp_path / "late.wav", late)).objects[1].motion
    assert found.start.tolist() == [0, 24000, 36000]
    assert found.gain.tolist() == [0, 1, 0]


def test_gains_of_blocks_and_of_objects_multiply(good: dict[str, Path], tmp_path: Path) -> None:
    def gains(chunks: Chunks) -> None:
        swapped(
            "</audioTrackUIDRef>\n</audioObject>", "</audioTrackUIDRef>\n<gain>0.5</gain></audioObject>", 3
        )(chunks)
        swapped("<gain>0.5</gain></audioObject>", "</audioObject>")(chunks)  # not the bed's
        later = '<jumpPosition interpolationLength="0.005208">1</jumpPosition>'
        swapped(later, f'<gain gainUnit="dB">-20</gain>{later}')(chunks)

    found = _read(changed(good["bs2127"], tmp_path / "gains.wav", gains))
    assert found.objects[0].motion.gain == pytest.approx([0.5, 0.05, 0.5])


def test_a_room_of_a_generic_file_has_itu_corners(good: dict[str, Path], tmp_path: Path) -> None:
    polar = '<position coordinate="azimuth">-60</position>\n<position coordinate="elevation">15</position>\n'
    room = (
        '<cartesian>1</cartesian><position coordinate="X">1</position><position coordinate="Y">-1</position>'
    )

    def change(chunks: Chunks) -> None:
        swapped(polar + '<position coordinate="distance">1</position>', room)(chunks)
        for name in ("width", "height"):
            swapped(f"<{name}>30</{name}>", "")(chunks)

    found = _read(changed(good["bs2127"], tmp_path / "room.wav", change))
    assert found.objects[0].motion.places[1, :3] == pytest.approx([-110, 0, 1])
    assert to_angles(1, -1, 0, ITU) == pytest.approx([-110, 0, 1])


# what is refused, and where


_SPEAKERS = 'typeLabel="0001" typeDefinition="DirectSpeakers"'
_REFUSED: list[tuple[str, Callable[[Chunks], None], str]] = [
    ("HOA", swapped(_SPEAKERS, 'typeLabel="0004" typeDefinition="HOA"', 1), "AP_00011001.*HOA"),
    ("matrix", swapped(_SPEAKERS, 'typeLabel="0002" typeDefinition="Matrix"', 1), "AP_00011001.*Matrix"),
    ("binaural", swapped(_SPEAKERS, 'typeLabel="0005"', 1), "AP_00011001.*Binaural"),
    (
        "nested objects",
        swapped("</audioObject>", "<audioObjectIDRef>AO_1002</audioObjectIDRef></audioObject>"),
        "AO_1001.*holds other audioObjects",
    ),
    (
        "nested packs",
        swapped("</audioPackFormat>", "<audioPackFormatIDRef>AP_1</audioPackFormatIDRef></audioPackFormat>"),
        "AP_00011001.*holds other packs",
    ),
    (
        "complementary objects",
        swapped(
            "</audioObject>",
            "<audioComplementaryObjectIDRef>AO_1002</audioComplementaryObjectIDRef></audioObject>",
        ),
        "AO_1001.*choose",
    ),
    (
        "a profile that nobody knows",
        swapped(
            "<audioProgramme ",
            '<profileList><profile profileName="Moon">9</profile></profileList><audioProgramme ',
        ),
        "profile 'Moon 9'",
    ),
    ("a shared definition", swapped("AP_00011001</", "AP_00010003</"), "AP_00010003 is not in the file"),
    ("labels of no layout", swapped(">M+030<", ">M+060<"), r"AO_1001.*M\+060"),
    ("no label", swapped("<speakerLabel>M+030</speakerLabel>", ""), "AC_00011001.*speakerLabel"),
    ("a number that is none", swapped('"azimuth">-60<', '"azimuth">left<'), "azimuth of 'left'.*number"),
    ("not a number", swapped('"azimuth">-60<', '"azimuth">nan<'), "azimuth of 'nan'"),
    ("a number beyond numbers", swapped('"azimuth">-60<', '"azimuth">1e39<'), "azimuth of '1e39'"),
    ("an angle that is none", swapped('"azimuth">-60<', '"azimuth">-260<'), "'Mover'.*0.250 s.*-260"),
    ("half a place", swapped('<position coordinate="azimuth">-60</position>', ""), "AC_00031001.*not whole"),
    ("a time that is none", swapped('rtime="00:00:00.25000"', 'rtime="soon"'), "rtime of 'soon'"),
    (
        "blocks over each other",
        swapped('duration="00:00:00.25000"', 'duration="00:00:00.25003"'),
        "AC_00031001.*ends after the next",
    ),
    ("no document", lambda chunks: chunks.drop(b"axml"), "no axml chunk"),
    ("no tracks", lambda chunks: chunks.drop(b"chna"), "chna chunk is missing"),
    ("XML that breaks off", swapped("</ebuCoreMain>", ""), "axml chunk, line"),
    ("another document", swapped("audioFormatExtended", "audioFormat", 2), "no audioFormatExtended"),
    (
        "a document type",
        swapped('encoding="UTF-8"?>', 'encoding="UTF-8"?><!DOCTYPE a [<!ENTITY b "c">]>'),
        "document type or entities",
    ),
    (
        "a track beyond the file's",
        lambda chunks: chunks.__setitem__(b"chna", chunks[b"chna"].replace(b"\x0c\0ATU", b"\x0d\0ATU")),
        "ATU_0000000c.*track 13, but there are 12",
    ),
    ("two objects of one id", swapped("AO_1003", "AO_1002", -1), "AO_1002.*another element has this id"),
    (
        "a content that is nowhere",
        swapped("<audioContentIDRef>ACO_1002", "<audioContentIDRef>ACO_1009"),
        "APR_1001.*ACO_1009, which is not there",
    ),
    ("a UID that is nowhere", swapped("ATU_0000000c</audioTrackUIDRef>", "ATU_00000099</audioTrackUIDRef>"),
     "AO_1003.*ATU_00000099"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), [row[1:] for row in _REFUSED], ids=[row[0] for row in _REFUSED])
def test_what_cannot_be_a_scene_is_refused_with_its_place(
    good: dict[str, Path], tmp_path: Path, change: Callable[[Chunks], None], said: str
) -> None:
    path = changed(good["bs2127"], tmp_path / "odd.wav", change)
    with pytest.raises(MediaError, match=said) as caught:
        read_adm(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            swapped(
                "<audioProgramme ",
                '<audioProgramme audioProgrammeID="APR_1002" audioProgrammeName="Other"/><audioProgramme ',
            ),
            "2 programmes; APR_1001 is read, not APR_1002",
        ),
        (swapped("2076-2", "2076-9"), "ITU-R_BS.2076-9"),
        (swapped("</jumpPosition>", "</jumpPosition><diffuse>1</diffuse>"), "AC_00031001.*diffuse"),
        (swapped("<height>30</height>", "<height>3</height>"), "width and height differ"),
        (swapped("<audioObjectIDRef>AO_1003</audioObjectIDRef>", ""), "AO_1003"),
        (swapped("ATU_0000000c</audioTrackUIDRef>", "ATU_00000000</audioTrackUIDRef>"), "AO_1003.*silent"),
        (place("distance", "0.5"), "AC_00031001.*distance is kept"),
        (place("distance", "2"), "AC_00031001.*distance is more than 1"),
        (swapped("<height>30</height>", "<height>30</height><depth>1</depth>"), "AC_00031001.*depth"),
    ],
)
def test_what_a_scene_does_not_hold_is_told(
    good: dict[str, Path], tmp_path: Path, change: Callable[[Chunks], None], said: str
) -> None:
    warnings = read_adm(changed(good["bs2127"], tmp_path / "told.wav", change)).warnings
    assert len(warnings) == 1
    assert re.search(said, warnings[0])


def test_what_is_no_file_of_sound_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("not a sound")
    for path in (text, tmp_path, tmp_path / "missing.wav", Path("nul\0.wav")):
        with pytest.raises(MediaError):
            read_adm(path)


@settings(max_examples=60)
@given(st.integers(0, 1 << 30), st.binary(min_size=1, max_size=12))
def test_whatever_stands_in_a_file_it_is_read_or_refused(
    good: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, where: int, what: bytes
) -> None:
    data = bytearray(good["bs2127"].read_bytes())
    sound = data.index(b"data") + 8
    at = where % (len(data) - FRAMES * 36)
    at += 0 if at < sound else FRAMES * 36
    data[at : at + len(what)] = what
    path = tmp_path_factory.mktemp("any") / "any.wav"
    path.write_bytes(data)
    tracks = 0
    with contextlib.suppress(MediaError):
        tracks = _read(path).tracks
    assert tracks >= 0


# chunks and text of any size


def test_an_axml_chunk_of_any_length_is_read(good: dict[str, Path], tmp_path: Path) -> None:
    """Longer than what other metadata may be, and with its size in ds64."""
    chunks = Chunks.of(good["bs2127"])
    text = chunks[b"axml"].replace(b"<audioContent ", b" " * (65 << 20) + b"<audioContent ", 1)
    rest = [(name, body) for name, body in chunks.chunks if name not in {b"axml", b"JUNK"}]
    unsaid = b"\xff" * 4
    sizes = struct.pack("<QQQI4sQ", 0, len(chunks[b"data"]), FRAMES, 1, b"axml", len(text))
    body = b"ds64" + struct.pack("<I", len(sizes)) + sizes
    for name, data in rest:
        size = unsaid if name == b"data" else struct.pack("<I", len(data))
        body += name + size + data + bytes(len(data) % 2)
    body += b"axml" + unsaid + text + bytes(len(text) % 2)
    body = body[:8] + struct.pack("<Q", 4 + len(body)) + body[16:]
    path = tmp_path / "long.wav"
    path.write_bytes(b"BW64" + unsaid + b"WAVE" + body)
    assert [each.name for each in _read(path).objects] == ["Mover", "Voice"]


def test_zero_bytes_behind_the_text_are_told_and_passed_over(good: dict[str, Path], tmp_path: Path) -> None:
    def padded(chunks: Chunks) -> None:
        chunks[b"axml"] += bytes(1001)

    (warning,) = read_adm(changed(good["bs2127"], tmp_path / "padded.wav", padded)).warnings
    assert "1001 zero bytes" in warning


def test_names_with_prefixes_are_the_same_names(good: dict[str, Path], tmp_path: Path) -> None:
    def prefixed(chunks: Chunks) -> None:
        text = re.sub(r"<(/?)([a-zA-Z])", r"<\1ebu:\2", chunks.text)
        chunks.text = text.replace("xmlns=", "xmlns:ebu=").replace("<?ebu:xml", "<?xml")

    found = _read(changed(good["dolby"], tmp_path / "prefixed.wav", prefixed))
    wanted = _read(good["dolby"])
    for one, other in zip(found.objects, wanted.objects, strict=True):
        assert np.array_equal(one.motion.places, other.motion.places)


def test_memory_grows_by_little_for_each_block() -> None:
    block = (
        '<audioBlockFormat audioBlockFormatID="AB_00031001_{:08x}" rtime="{}" duration="00:00:00.01000">'
        '<position coordinate="azimuth">30.125</position><position coordinate="elevation">0</position>'
        "</audioBlockFormat>"
    )
    times = [f"00:{at // 6000:02}:{at // 100 % 60:02}.{at % 100:02}000" for at in range(20_000)]
    pieces = [block.format(at + 1, time).encode() for at, time in enumerate(times)]
    head = b'<audioFormatExtended><audioChannelFormat audioChannelFormatID="AC_00031001">'
    tail = b"</audioChannelFormat></audioFormatExtended>"
    nanoseconds.cache_clear()
    tracemalloc.start()
    try:
        document = parse_axml("long", [head, *pieces, tail])
        nanoseconds.cache_clear()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(document.channels[0].blocks) == 20_000
    assert not document.faults
    assert held < 20_000 * 70 + (1 << 18)


@given(st.integers(0, 99 * 3600 * 100_000))
def test_times_of_five_decimals_are_exact(ticks: int) -> None:
    from unbraid.host.adm.timing import parse_time, time_text

    text = time_text(ticks)
    exact = parse_time(text)
    assert exact is not None
    assert nanoseconds(text) == ticks * 10_000 == exact * 1_000_000_000


@pytest.mark.parametrize("text", ["", "1.5", "00:61:00.00000", "00:00:61.00000", "0:0:0", "00:00:00.١٢٣٤٥"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert nanoseconds(text) is None
