"""Which loudspeaker each channel belongs to: by the published tables, through every format, bit for bit."""

from __future__ import annotations

import itertools
import shutil
import struct
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.audio import Layout
from unbraid.host.media.channels import MASK_TAG, by_count, by_mask, flac, for_file, vorbis
from unbraid.host.media.flac_blocks import read_blocks
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.open_input import open_input
from unbraid.host.media.writer import FileWriter, OutputForm

if TYPE_CHECKING:
    from unbraid.host import RenderReport
    from unbraid.host.media.channels import ChannelOrder
    from unbraid.host.registry import Registry

Samples = npt.NDArray[Any]
RATE = 48_000
LENGTH = 3000

needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="needs ffmpeg: apt-get install ffmpeg"
)

# The published tables, by the names of loudspeakers that the WAVE documents use

#: Microsoft, mmreg.h: SPEAKER_FRONT_LEFT is 0x1, and so on; channels stand in the order of these bits.
BITS = {
    "FL": 0x1,
    "FR": 0x2,
    "FC": 0x4,
    "LFE": 0x8,
    "BL": 0x10,
    "BR": 0x20,
    "FLC": 0x40,
    "FRC": 0x80,
    "BC": 0x100,
    "SL": 0x200,
    "SR": 0x400,
    "TC": 0x800,
    "TFL": 0x1000,
    "TFC": 0x2000,
    "TFR": 0x4000,
    "TBL": 0x8000,
    "TBC": 0x10000,
    "TBR": 0x20000,
}
#: RFC 9639, section 9.1.3, by the number of channels.
FLAC = {
    1: "FC",
    2: "FL FR",
    3: "FL FR FC",
    4: "FL FR BL BR",
    5: "FL FR FC BL BR",
    6: "FL FR FC LFE BL BR",
    7: "FL FR FC LFE BC SL SR",
    8: "FL FR FC LFE BL BR SL SR",
}
#: Vorbis I, section 4.3.9, by the number of channels.
VORBIS = {
    1: "FC",
    2: "FL FR",
    3: "FL FC FR",
    4: "FL FR BL BR",
    5: "FL FC FR BL BR",
    6: "FL FC FR BL BR LFE",
    7: "FL FC FR SL SR BC LFE",
    8: "FL FC FR SL SR BL BR LFE",
}
#: What each role of our layouts is in these names. In 5.1 the surround pair may stand behind or beside.
ROLES = {
    "mono": {"M": "FC"},
    "stereo": {"L": "FL", "R": "FR"},
    "5.1": {"L": "FL", "R": "FR", "C": "FC", "LFE": "LFE", "Ls": "BL", "Rs": "BR"},
    "7.1": {
        "L": "FL", "R": "FR", "C": "FC", "LFE": "LFE", "Lss": "SL", "Rss": "SR", "Lrs": "BL", "Rrs": "BR",
    },
}  # fmt: skip
_TOP = {"Ltf": "TFL", "Rtf": "TFR", "Ltr": "TBL", "Rtr": "TBR"}
ROLES |= {"5.1.4": ROLES["5.1"] | _TOP, "7.1.4": ROLES["7.1"] | _TOP}


def mask_of(speakers: str) -> int:
    return sum(BITS[name] for name in speakers.split())


def in_order_of_bits(speakers: str) -> list[str]:
    return sorted(speakers.split(), key=BITS.__getitem__)


def heard(order: ChannelOrder) -> list[str]:
    """Return the loudspeaker of each channel of a file, by what the order makes of it."""
    roles = ROLES[order.layout.name]
    take = order.take or tuple(range(order.layout.channels))
    found = [""] * len(take)
    for role, channel in zip(order.layout.roles, take, strict=True):
        found[channel] = roles[role]
    return found


FIVE, FIVE_SIDE, SEVEN = "FL FR FC LFE BL BR", "FL FR FC LFE SL SR", "FL FR FC LFE BL BR SL SR"
TOP = "TFL TFR TBL TBR"


def test_the_masks_of_the_tables_are_the_numbers_that_people_know() -> None:
    known = {"FC": 0x4, "FL FR": 0x3, FIVE: 0x3F, FIVE_SIDE: 0x60F, SEVEN: 0x63F}
    assert {speakers: mask_of(speakers) for speakers in known} == known
    assert mask_of(f"{SEVEN} {TOP}") == 0x2D63F
    assert mask_of("FL FR BL BR") == 0x33
    assert mask_of("FL FR FC LFE BL BR FLC FRC") == 0xFF


@pytest.mark.parametrize(
    ("speakers", "layout"),
    [
        ("FC", "mono"),
        ("FL FR", "stereo"),
        (FIVE, "5.1"),
        (FIVE_SIDE, "5.1"),
        (SEVEN, "7.1"),
        (f"{FIVE} {TOP}", "5.1.4"),
        (f"{FIVE_SIDE} {TOP}", "5.1.4"),
        (f"{SEVEN} {TOP}", "7.1.4"),
    ],
)
def test_a_wave_mask_gives_each_channel_its_role(speakers: str, layout: str) -> None:
    order = by_mask(mask_of(speakers), len(speakers.split()))
    assert (order.layout.name, order.mask) == (layout, mask_of(speakers))
    expected = in_order_of_bits(speakers)
    if {"SL", "BL"} & set(expected) == {"SL"}:
        expected = [{"SL": "BL", "SR": "BR"}.get(name, name) for name in expected]
    assert heard(order) == expected


@pytest.mark.parametrize("channels", FLAC)
def test_a_flac_without_a_mask_has_the_order_of_rfc_9639(channels: int) -> None:
    order = flac(channels, {})
    if order.layout.name in ROLES:
        assert heard(order) == FLAC[channels].split()
    else:  # a layout that we have no name for keeps its channels as they stand
        assert (order.layout.name, order.take) == (f"discrete:{channels}", None)
        assert channels in {3, 4, 5, 7}


@pytest.mark.parametrize("channels", VORBIS)
def test_an_ogg_has_the_order_of_vorbis(channels: int) -> None:
    order = vorbis(channels)
    if order.layout.name in ROLES:
        assert heard(order) == VORBIS[channels].split()
    else:
        assert (order.layout.name, order.take) == (f"discrete:{channels}", None)
        assert channels in {3, 4, 5, 7}


@pytest.mark.parametrize("layout", ROLES)
def test_a_file_is_written_in_the_order_of_its_mask(layout: str) -> None:
    order = for_file(Layout.parse(layout))
    speakers = " ".join(ROLES[layout].values())
    assert order.mask == mask_of(speakers)
    assert heard(order) == in_order_of_bits(speakers)
    # What is given to the file and taken back is the same.
    give, take = order.give, order.take
    channels = list(range(order.layout.channels))
    stored = [channels[i] for i in give] if give else channels
    assert ([stored[i] for i in take] if take else stored) == channels


@pytest.mark.parametrize(
    ("layout", "wanted", "expected"),
    [
        ("5.1", 0x60F, 0x60F),  # the input's own way to say the same
        ("5.1", 0x3F, 0x3F),
        ("5.1", 0x63F, 0x3F),  # eight loudspeakers, six channels
        ("5.1", 0x33, 0x3F),
        ("7.1", 0xFF, 0x63F),  # eight loudspeakers, but others
        ("stereo", 0x600, 0x3),
        ("stereo", 0x3, 0x3),
        ("mono", 0x4, 0x4),
        ("mono", 0x1, 0x4),
        ("5.1.4", 0x2D60F, 0x2D60F),
        ("discrete:2", 0x600, 0x600),
        ("discrete:4", 0x33, 0x33),
        ("discrete:8", 0xFF, 0xFF),
        ("discrete:8", 0x63F, 0),  # a mask that would name them
        ("discrete:8", 0, 0),
        ("discrete:4", 0, 0),
        ("7.1.2", 0, 0),  # its heights stand where no bit is
        ("7.1.2", 0x63F | 0x5000, 0),
    ],
)
def test_an_input_mask_is_kept_where_it_means_the_same(layout: str, wanted: int, expected: int) -> None:
    order = for_file(Layout.parse(layout), wanted)
    assert (order.mask, order.layout.name) == (expected, layout)


@given(mask=st.integers(0, (1 << 32) - 1), channels=st.integers(1, 32))
def test_a_mask_names_a_layout_or_stays_as_it_is_or_says_nothing(mask: int, channels: int) -> None:
    order = by_mask(mask, channels)
    assert order.layout.channels == channels
    assert sorted(order.take or range(channels)) == list(range(channels))
    assert order.mask in {0, mask}
    if order.mask == 0:
        assert order == by_count(channels)
    else:
        assert mask.bit_count() == channels
        again = for_file(order.layout, mask)
        assert (again.mask, again.take) == (mask, order.take)


@pytest.mark.parametrize(
    "text", ["", "0x", "nonsense", "-0x3F", "0x3F00000000", "0x3", "63.0", "9" * 5000, "0x3F" + "0" * 5000]
)
def test_a_mask_in_a_flac_that_cannot_be_says_nothing(text: str) -> None:
    assert flac(6, {MASK_TAG: text}) == by_count(6)


# Through files

Integers = npt.NDArray[np.int32]


def values(channels: int, bits: int = 24) -> Integers:
    """Return ``[LENGTH, channels]`` integers in the upper bits of int32; no two channels are alike."""
    random = np.random.default_rng(channels)
    made = random.integers(-(2 ** (bits - 2)), 2 ** (bits - 2), (LENGTH, channels))
    return (made << (32 - bits)).astype(np.int32)


def wave(path: Path, data: Integers, mask: int | None) -> Path:
    """Write a WAV of 24 bits by hand; extensible with this mask, plain when it is None."""
    channels = data.shape[1]
    align, raw = 3 * channels, data.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    tag = 1 if mask is None else 0xFFFE
    fmt = struct.pack("<HHIIHH", tag, channels, RATE, RATE * align, align, 24)
    if mask is not None:
        fmt += struct.pack("<HHI", 22, 24, mask) + bytes.fromhex("0100000000001000800000aa00389b71")
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(raw)) + raw
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body + b"\0" * (len(raw) % 2))
    return path


def stored(path: Path) -> tuple[int | None, Integers]:
    """Return the mask of a WAV of 24 bits, None where it is plain, and its samples as they stand."""
    data = path.read_bytes()
    at = data.index(b"fmt ") + 8
    tag, channels = struct.unpack_from("<HH", data, at)
    mask = struct.unpack_from("<I", data, at + 20)[0] if tag == 0xFFFE else None
    start = data.index(b"data") + 8
    size = int.from_bytes(data[start - 4 : start], "little")
    raw = np.frombuffer(data[start : start + size], np.uint8).reshape(-1, 3)
    wide = np.concatenate([np.zeros((len(raw), 1), np.uint8), raw], axis=1)
    return mask, wide.reshape(-1).view("<i4").reshape(-1, channels)


def unity() -> Graph:
    graph = Graph()
    graph.output("out", graph.node("level", "gain", graph.input("mix")))
    return graph


def parts(layout: str, names: tuple[str, ...]) -> Graph:
    """A graph with an output for each of these parts of a layout."""
    graph = Graph()
    node = graph.node("parts", "split", graph.input("mix"), layout=layout)
    for name in names:
        graph.output(name, node[name])
    return graph


def alone(report: RenderReport, name: str) -> Integers:
    (path,) = (output.path for output in report.outputs if output.name == name)
    found: Integers = soundfile.read(path, dtype="int32")[0]
    return found


def made(folder: Path, form: str, data: Integers, speakers: str) -> Path:
    """Write channels for these loudspeakers, in the order of WAVE, as a file of this kind."""
    channels = data.shape[1]
    if form == "wavex":
        return wave(folder / "in.wav", data, mask_of(speakers))
    if form == "wav":
        return wave(folder / "in.wav", data, None)
    if form == "flac":
        soundfile.write(folder / "in.flac", data, RATE, subtype="PCM_24")
        return folder / "in.flac"
    if form == "ogg":
        order = [speakers.split().index(name) for name in VORBIS[channels].split()]
        soundfile.write(folder / "in.ogg", data[:, order], RATE, format="OGG", subtype="VORBIS")
        return folder / "in.ogg"
    raw = data.astype("<i4").tobytes()
    named = {FIVE: "5.1", FIVE_SIDE: "5.1(side)", SEVEN: "7.1"}[speakers]
    path = folder / f"in.{form}"
    codec = ["-c:a", "alac" if form == "m4a" else "flac" if form == "mkv" else "pcm_s24le"]
    words = ["-f", "s32le", "-ar", str(RATE), "-ac", str(channels), "-channel_layout", named, "-i", "-"]
    command = ["ffmpeg", "-v", "error", *words, *codec, str(path)]
    done = subprocess.run(command, input=raw, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return path


CASES = [
    *itertools.product(["wavex", "flac", "ogg"], [FIVE, SEVEN]),
    ("wavex", FIVE_SIDE),
    ("wav", FIVE),
    *(
        pytest.param(form, speakers, marks=needs_ffmpeg)
        for form, speakers in itertools.product(["mkv", "mov"], [FIVE, FIVE_SIDE, SEVEN])
    ),
]


def tones(speakers: str) -> Integers:
    """A tone of its own for each channel, for codecs that change noise; LFE keeps only a low one."""
    t = np.arange(LENGTH) / RATE
    heights = [60 if name == "LFE" else 200 * k for k, name in enumerate(speakers.split(), 1)]
    waves = [0.3 * np.sin(2 * np.pi * height * t) for height in heights]
    return (np.stack(waves, axis=1) * 2**23).astype(np.int32) << 8


@pytest.mark.parametrize(("form", "speakers"), CASES)
def test_each_channel_gets_to_its_role_from_every_format(
    tmp_path: Path, registry: Registry, form: str, speakers: str
) -> None:
    channels = len(speakers.split())
    layout = {6: "5.1", 8: "7.1"}[channels]
    data = tones(speakers)
    source = made(tmp_path, form, data, speakers)
    roles, options = Layout.parse(layout).roles, RenderOptions(subtype="PCM_24")
    report = render(parts(layout, roles), source, tmp_path / "o", registry=registry, options=options)
    assert report.inputs["mix"].layout == layout
    for role in roles:
        speaker = ROLES[layout][role]
        if speaker not in speakers.split():
            speaker = {"BL": "SL", "BR": "SR"}[speaker]
        expected = data[:, speakers.split().index(speaker)]
        found = alone(report, role)
        if form == "ogg":
            alike = np.corrcoef(found, data.T)[0, 1:]
            assert alike.argmax() == speakers.split().index(speaker), role
            assert alike.max() > 0.95
        else:
            np.testing.assert_array_equal(found, expected, err_msg=role)


@pytest.mark.parametrize("form", ["wav", "flac"])
@pytest.mark.parametrize(
    ("speakers", "layout"), [(FIVE, "5.1"), (FIVE_SIDE, "5.1"), (SEVEN, "7.1"), (f"{SEVEN} {TOP}", "7.1.4")]
)
def test_what_comes_in_in_the_order_of_wave_goes_out_in_it_bit_for_bit(
    tmp_path: Path, registry: Registry, speakers: str, layout: str, form: Any
) -> None:
    data = values(len(speakers.split()))
    if form == "flac" and data.shape[1] > 8:
        form = "rf64"
    source = wave(tmp_path / "in.wav", data, mask_of(speakers))
    report = render(unity(), source, tmp_path / "o", registry=registry, options=RenderOptions(form=form))
    assert report.inputs["mix"].layout == report.outputs[0].layout == layout
    out = report.outputs[0].path
    np.testing.assert_array_equal(soundfile.read(out, dtype="int32")[0], data)
    with closing(open_input(out)) as again:
        assert (again.layout.name, again.metadata.mask) == (layout, mask_of(speakers))
    if form == "wav":
        mask, samples = stored(out)
        assert mask == mask_of(speakers)
        np.testing.assert_array_equal(samples, data)


@pytest.mark.parametrize("form", ["wav", "flac"])
@pytest.mark.parametrize(
    "speakers",
    ["FL FR BL BR", "FL FR FC LFE BL BR FLC FRC", "SL SR", "FL FR FC", "FL FR LFE", "TC TFL TFR TBL TBR BC"],
)
def test_a_mask_that_names_no_layout_of_ours_comes_out_as_it_went_in(
    tmp_path: Path, registry: Registry, speakers: str, form: Any
) -> None:
    channels, mask = len(speakers.split()), mask_of(speakers)
    data = values(channels)
    source = wave(tmp_path / "in.wav", data, mask)
    report = render(unity(), source, tmp_path / "o", registry=registry, options=RenderOptions(form=form))
    assert report.inputs["mix"].layout == report.outputs[0].layout == f"discrete:{channels}"
    out = report.outputs[0].path
    np.testing.assert_array_equal(soundfile.read(out, dtype="int32")[0], data)
    if form == "wav":
        assert stored(out)[0] == mask
    with closing(open_input(out)) as again:
        assert again.layout.name == f"discrete:{channels}"
        assert again.metadata.mask == mask


@pytest.mark.parametrize(
    ("mask", "channels", "layout"),
    [
        (0, 8, "discrete:8"),
        (0x3, 8, "discrete:8"),
        (0x63F, 6, "5.1"),
        (0xFF, 4, "discrete:4"),
        (0x4, 2, "stereo"),
    ],
)
def test_a_mask_of_another_number_of_channels_says_nothing(
    tmp_path: Path, mask: int, channels: int, layout: str
) -> None:
    with closing(open_input(wave(tmp_path / "in.wav", values(channels), mask))) as source:
        assert (source.layout.name, source.metadata.mask) == (layout, 0)


def test_eight_plain_channels_are_nobodys_and_stay_so(tmp_path: Path, registry: Registry) -> None:
    data = values(8)
    source = wave(tmp_path / "in.wav", data, None)
    report = render(unity(), source, tmp_path / "o", registry=registry)
    mask, samples = stored(report.outputs[0].path)
    assert (report.outputs[0].layout, mask) == ("discrete:8", 0)
    np.testing.assert_array_equal(samples, data)


# FLAC


@pytest.mark.parametrize("channels", [9, 64])
def test_more_than_8_channels_into_flac_are_refused_with_the_remedy(
    tmp_path: Path, registry: Registry, channels: int
) -> None:
    source = wave(tmp_path / "in.wav", values(channels), None)
    with pytest.raises(MediaError) as caught:
        render(unity(), source, tmp_path / "o", registry=registry, options=RenderOptions(form="flac"))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(str(tmp_path / "o" / "in.out.flac"))
    assert f"at most 8 channels, not {channels}" in text
    assert "choose WAV" in text
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]
    report = render(unity(), source, tmp_path / "o", registry=registry)  # the remedy works
    np.testing.assert_array_equal(stored(report.outputs[0].path)[1], values(channels))


def test_8_channels_of_no_roles_in_flac_are_not_taken_for_7_1(tmp_path: Path, registry: Registry) -> None:
    """RFC 9639, section 8.6.2: a mask of 0 says that channels belong to no loudspeaker."""
    data = values(8)
    source = wave(tmp_path / "in.wav", data, None)
    options = RenderOptions(form="flac")
    first = render(unity(), source, tmp_path / "o", registry=registry, options=options)
    path = first.outputs[0].path
    with path.open("rb") as file:
        blocks = read_blocks(file)
    assert blocks is not None
    assert int(blocks.comments[MASK_TAG], 16) == 0
    second = render(unity(), path, tmp_path / "p", registry=registry)
    assert second.inputs["mix"].layout == second.outputs[0].layout == "discrete:8"
    np.testing.assert_array_equal(stored(second.outputs[0].path)[1], data)
    assert MASK_TAG not in second.inputs["mix"].metadata.tags


@pytest.mark.parametrize("layout", ["mono", "stereo", "discrete:3", "5.1", "7.1", "discrete:8"])
@pytest.mark.parametrize("form", ["wav", "bw64", "flac"])
def test_a_layout_comes_back_from_a_file_of_ours(tmp_path: Path, layout: str, form: str) -> None:
    shape = Layout.parse(layout)
    sound = (values(shape.channels).T / 2.0**31).astype(np.float32)
    path = tmp_path / f"a.{form}"
    writer = FileWriter(path, OutputForm(RATE, shape, LENGTH, "PCM_24", form, metadata=Metadata()))
    writer.write(sound)
    writer.finish()
    writer.commit()
    with closing(open_input(path)) as source:
        assert source.layout == shape
        block = np.empty(sound.shape, np.float32)
        assert source.read(block) == LENGTH
    np.testing.assert_array_equal(block, sound)
