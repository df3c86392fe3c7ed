"""Films and their sound, in real files that ffmpeg makes here: bits, roles, times, an untouched picture."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from click.testing import CliRunner

from unbraid import MediaError
from unbraid.host.cli.remux import command
from unbraid.host.media.film import remux as remux_module
from unbraid.host.media.film.container import channel_order
from unbraid.host.media.film.ffmpeg import available, decode_command, open_track, probe
from unbraid.host.media.film.remux import remux

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(
    not available(), reason="ffmpeg and ffprobe are not installed: apt-get install ffmpeg"
)

RATE = 48_000
LENGTH = 48_001  # odd, so that nothing comes out right by rounding
Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


def ffmpeg(*words: str | Path) -> str:
    done = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(bits: int, channels: int = 2, length: int = LENGTH) -> Integers:
    random = np.random.default_rng(bits)
    made = random.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (length, channels))
    made[:4] = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, -1, 1])[:, None]
    return made


def wav(path: Path, data: Integers, bits: int, mask: int = 0) -> Path:
    """Write integer samples, with a channel mask if one is given; by hand, so that the masks are ours."""
    channels, width = data.shape[1], bits // 8
    raw = (data.astype("<i4") << (32 - bits)).view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()
    form = struct.pack(
        "<HHIIHH", 0xFFFE if mask else 1, channels, RATE, RATE * channels * width, channels * width, bits
    )
    if mask:
        form += struct.pack("<HHIH14s", 22, bits, mask, 1, bytes.fromhex("000000001000800000aa00389b71"))
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(raw)) + raw
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body + bytes(len(raw) % 2))
    return path


def film(
    path: Path, sounds: Sequence[Path] = (), *more: str | Path, rate: str = "25", seconds: float = 1
) -> Path:
    """Make a film of a test picture with these sounds; mpeg2video for MXF, mpeg4 elsewhere."""
    words: list[str | Path] = ["-f", "lavfi", "-i", f"testsrc=s=64x48:r={rate}:d={seconds}"]
    for sound in sounds:
        words += ["-i", sound]
    maps = [word for i in range(len(sounds) + 1) for word in ("-map", str(i))]
    picture = "mpeg2video" if path.suffix == ".mxf" else "mpeg4"
    ffmpeg(*words, *maps, "-c:v", picture, *more, f"file:{path}")
    return path


def read(
    path: str | Path, track: int | None = None, *, salvage: bool = False, block: int = 5000
) -> tuple[Floats, Any]:
    """Return a track's samples ``[channels, n]`` and its reader, closed."""
    with closing(open_track(path, track, salvage=salvage)) as reader:
        blocks = []
        while True:
            out = np.full((reader.layout.channels, block), np.nan, np.float32)
            count = reader.read(out)
            blocks.append(out[:, :count])
            if count < block:
                return np.concatenate(blocks, axis=1), reader


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def hashes(path: Path, *maps: str) -> list[str]:
    words = [word for entry in maps for word in ("-map", entry)]
    said = ffmpeg("-i", path, *words, "-c", "copy", "-f", "streamhash", "-hash", "sha256", "-")
    return [line.split("=")[1] for line in said.split()]


def one_line(error: BaseException, *parts: str) -> None:
    text = str(error)
    assert "\n" not in text
    for part in parts:
        assert part in text


# Bit for bit


@pytest.mark.parametrize(
    ("suffix", "codec", "bits", "encoding", "subtype"),
    [
        ("mov", ["pcm_s16le"], 16, "s16le", "PCM_16"),
        ("mov", ["pcm_s16be"], 16, "s16le", "PCM_16"),
        ("mov", ["pcm_s24le"], 24, "s24le", "PCM_24"),
        ("mov", ["pcm_s24be"], 24, "s24le", "PCM_24"),
        ("mov", ["pcm_f32le"], 24, "f32le", "FLOAT"),
        ("mov", ["alac"], 16, "s16le", "PCM_16"),
        ("mp4", ["alac", "-sample_fmt", "s32p"], 24, "s24le", "PCM_24"),
        ("mkv", ["flac"], 16, "s16le", "PCM_16"),
        ("mkv", ["flac"], 24, "s24le", "PCM_24"),
        ("mkv", ["pcm_s24le"], 24, "s24le", "PCM_24"),
        ("mkv", ["pcm_s32le"], 24, "s32le", "PCM_32"),
        ("mkv", ["pcm_f64le"], 24, "f64le", "FLOAT"),
        ("mkv", ["wavpack"], 16, "s16le", "PCM_16"),
        ("mxf", ["pcm_s24le"], 24, "s24le", "PCM_24"),
        ("mxf", ["pcm_s16le"], 16, "s16le", "PCM_16"),
    ],
)
def test_lossless_sound_comes_out_bit_for_bit(
    tmp_path: Path, suffix: str, codec: list[str], bits: int, encoding: str, subtype: str
) -> None:
    data = values(bits)
    if suffix == "mxf":
        data = data[:RATE]  # MXF holds whole frames of the picture
    sound = wav(tmp_path / "in.wav", data, bits)
    path = film(tmp_path / f"film.{suffix}", [sound], "-c:a", *codec)
    result, reader = read(path)
    np.testing.assert_array_equal(result.T.astype(np.float64) * 2 ** (bits - 1), data)
    assert (reader.encoding, reader.subtype, reader.rate) == (encoding, subtype, RATE)
    assert (reader.layout.name, reader.form, reader.warnings) == ("stereo", suffix.upper(), [])
    assert reader.length in {None, len(data)}


def test_the_length_of_pcm_in_quicktime_is_known_and_that_of_an_edited_track_is_not(tmp_path: Path) -> None:
    sound = wav(tmp_path / "in.wav", values(24), 24)
    path = film(tmp_path / "film.mov", [sound], "-c:a", "pcm_s24le")
    assert read(path)[1].length == LENGTH
    ffmpeg("-ss", "0.5123", "-i", path, "-map", "0", "-c", "copy", tmp_path / "cut.mov")
    result, reader = read(tmp_path / "cut.mov")
    assert reader.length is None
    assert 0.4 * RATE < result.shape[1] < LENGTH


def test_any_block_gives_the_same_samples(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", [wav(tmp_path / "in.wav", values(24), 24)], "-c:a", "flac")
    whole = read(path, block=LENGTH + 7)[0]
    np.testing.assert_array_equal(read(path, block=997)[0], whole)
    np.testing.assert_array_equal(read(path, block=LENGTH)[0], whole)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "aac"), ("mkv", "ac3"), ("mov", "aac"), ("mkv", "eac3")]
)
def test_lossy_sound_comes_as_float_at_its_own_level(tmp_path: Path, suffix: str, codec: str) -> None:
    time = np.arange(RATE) / RATE
    tone = np.round(np.sin(2 * np.pi * 1000 * time) * 10 ** (-45 / 20) * 2**23)
    sound = wav(tmp_path / "in.wav", np.stack([tone, tone], 1).astype(np.int64), 24)
    path = film(tmp_path / f"film.{suffix}", [sound], "-c:a", codec, "-b:a", "384k")
    result, reader = read(path)
    assert reader.subtype == "FLOAT"
    assert abs(result.shape[1] - RATE) < 4096
    middle = result[:, RATE // 4 : RATE // 2].astype(np.float64)
    level = 20 * np.log10(np.sqrt(2 * np.mean(middle**2, axis=1)))
    np.testing.assert_allclose(level, -45, atol=0.3)
    # ffmpeg's own encoder writes no range compression that could be heard here, so look at the call
    words = " ".join(decode_command(reader.container, reader.track))
    assert ("-drc_scale 0" in words) == (codec in {"ac3", "eac3"})


# Roles

#: One tone for each loudspeaker; the LFE's must be one that coders keep there.
TONES = {"FL": 400, "FR": 700, "FC": 1000, "LFE": 60, "BL": 1300, "BR": 1600, "SL": 1900, "SR": 2200}
#: What film calls them: with a side pair, the back pair is the rear; alone, either is the surround.
FIVE = {"L": "FL", "R": "FR", "C": "FC", "LFE": "LFE", "Ls": "BL", "Rs": "BR"}
SIDE = {**FIVE, "Ls": "SL", "Rs": "SR"}
SEVEN = {"L": "FL", "R": "FR", "C": "FC", "LFE": "LFE", "Lss": "SL", "Rss": "SR", "Lrs": "BL", "Rrs": "BR"}


def tones(path: Path, speakers: Sequence[str], mask: int) -> Path:
    time = np.arange(LENGTH) / RATE
    waves = [np.sin(2 * np.pi * TONES[name] * time) * 0.25 * 2**15 for name in speakers]
    return wav(path, np.round(np.stack(waves, 1)).astype(np.int64), 16, mask)


def heard(result: Floats) -> list[int]:
    """Return the loudest frequency of each channel, to 10 Hz."""
    window = result[:, 9600:28800] * np.hanning(19200)
    peaks = np.abs(np.fft.rfft(window, axis=1)).argmax(axis=1) * RATE / 19200
    return [round(peak / 10) * 10 for peak in peaks]


@pytest.mark.parametrize(
    ("suffix", "codec", "mask", "layout", "roles"),
    [
        ("mov", "pcm_s16le", 0x3F, "5.1", FIVE),
        ("mov", "pcm_s16le", 0x60F, "5.1", SIDE),
        ("mov", "pcm_s16le", 0x63F, "7.1", SEVEN),
        ("mov", "alac", 0x3F, "5.1", FIVE),
        ("mkv", "flac", 0x3F, "5.1", FIVE),
        ("mkv", "flac", 0x60F, "5.1", SIDE),
        ("mkv", "flac", 0x63F, "7.1", SEVEN),
        ("mp4", "aac", 0x3F, "5.1", FIVE),
        ("mp4", "aac", 0x63F, "7.1", SEVEN),
        ("mkv", "ac3", 0x60F, "5.1", SIDE),
        ("mkv", "pcm_s16le", 0x3F, "5.1", FIVE),
        ("mxf", "pcm_s16le", 0x3F, "5.1", FIVE),
    ],
)
def test_every_channel_has_its_role(
    tmp_path: Path, suffix: str, codec: str, mask: int, layout: str, roles: dict[str, str]
) -> None:
    speakers = [name for name, bit in zip(TONES, (0, 1, 2, 3, 4, 5, 9, 10), strict=True) if mask >> bit & 1]
    sound = tones(tmp_path / "in.wav", speakers, mask)
    result, reader = read(film(tmp_path / f"film.{suffix}", [sound], "-c:a", codec))
    assert reader.layout.name == layout
    assert dict(zip(reader.layout.roles, heard(result), strict=True)) == {
        role: TONES[speaker] for role, speaker in roles.items()
    }


def with_channel_atom(path: Path, body: bytes) -> None:
    """Put another `chan` atom into a film whose sound data stands before its `moov`."""
    data = bytearray(path.read_bytes())
    place = data.index(b"chan", data.index(b"moov")) - 4
    old = int.from_bytes(data[place : place + 4], "big")
    data[place : place + old] = struct.pack(">I4s", len(body) + 8, b"chan") + body
    grown = len(body) + 8 - old
    start, end = 0, len(data)
    while start < end:  # the sizes of the atoms around it
        size, kind = struct.unpack_from(">I4s", data, start)
        if not start < place < start + size:
            start += size
            continue
        data[start : start + 4] = (size + grown).to_bytes(4, "big")
        end = start + size + grown
        start += {b"stsd": 16, b"sowt": 36}.get(kind, 8)
        if start >= place:
            break
    path.write_bytes(data)


LABELS = {"FL": 1, "FR": 2, "FC": 3, "LFE": 4, "BL": 5, "BR": 6}


@pytest.mark.parametrize(
    ("order", "tag"),
    [
        (["FL", "FC", "FR", "BL", "BR", "LFE"], 0),  # film order, by labels
        (["FL", "FR", "FC", "LFE", "BL", "BR"], 0),
        (["FL", "FR", "BL", "BR", "FC", "LFE"], 122),  # MPEG 5.1 B, C and D
        (["FL", "FC", "FR", "BL", "BR", "LFE"], 123),
        (["FC", "FL", "FR", "BL", "BR", "LFE"], 124),
    ],
)
def test_quicktime_may_order_its_channels_as_it_likes(tmp_path: Path, order: list[str], tag: int) -> None:
    """ffprobe 5.1 calls all of these 5.1(side), or nothing; their samples stand in the file's order."""
    path = film(tmp_path / "film.mov", [tones(tmp_path / "in.wav", order, 0x3F)], "-c:a", "pcm_s16le")
    labels = b"".join(struct.pack(">I16x", LABELS[name]) for name in order) if tag == 0 else b""
    with_channel_atom(
        path, struct.pack(">IIII", 0, tag << 16 | (6 if tag else 0), 0, len(labels) // 20) + labels
    )
    result, reader = read(path)
    assert reader.layout.name == "5.1"
    assert dict(zip(reader.layout.roles, heard(result), strict=True)) == {
        role: TONES[speaker] for role, speaker in FIVE.items()
    }


@pytest.mark.parametrize(
    ("writer", "first"), [("Lavf59.27.100", "rear"), ("Lavf61.1.100", "side"), ("Logic", "side")]
)
def test_seven_one_in_quicktime_is_apples_unless_an_old_ffmpeg_wrote_it(
    tmp_path: Path, writer: str, first: str
) -> None:
    order = [
        "FL",
        "FR",
        "FC",
        "LFE",
        *(("BL", "BR", "SL", "SR") if first == "rear" else ("SL", "SR", "BL", "BR")),
    ]
    path = film(tmp_path / "film.mov", [tones(tmp_path / "in.wav", order, 0x63F)], "-c:a", "pcm_s16le")
    with_channel_atom(path, struct.pack(">IIII", 0, 128 << 16 | 8, 0, 0))
    data = path.read_bytes()
    place = data.index(b"Lavf", data.index(b"moov"))
    end = data.index(b"\0", place) if b"\0" in data[place:] else len(data)
    path.write_bytes(data[:place] + writer.encode().ljust(end - place)[: end - place] + data[end:])
    result, reader = read(path)
    assert dict(zip(reader.layout.roles, heard(result), strict=True)) == {
        role: TONES[speaker] for role, speaker in SEVEN.items()
    }


def test_a_quicktime_layout_that_is_not_known_gives_no_roles(tmp_path: Path) -> None:
    path = film(
        tmp_path / "film.mov", [tones(tmp_path / "in.wav", list(FIVE.values()), 0x3F)], "-c:a", "pcm_s16le"
    )
    with_channel_atom(path, struct.pack(">IIII", 0, 147 << 16 | 6, 0, 0))  # discrete, in order
    assert read(path)[1].layout.name == "discrete:6"


def test_channels_that_nobody_named_have_no_roles(tmp_path: Path) -> None:
    sound = wav(tmp_path / "in.wav", values(16, 8), 16)
    _, reader = read(film(tmp_path / "film.mkv", [sound], "-c:a", "pcm_s16le"))
    assert reader.layout.name == "discrete:8"


@pytest.mark.parametrize(
    ("layout", "channels", "codec", "name", "take"),
    [
        ("5.1", 6, "aac", "5.1", None),
        ("5.1(side)", 6, "ac3", "5.1", None),
        ("7.1", 8, "pcm_s24le", "7.1", (0, 1, 2, 3, 6, 7, 4, 5)),
        ("5.1.4", 10, "pcm_s24le", "5.1.4", None),
        ("10 channels (FL+FR+FC+LFE+BL+BR+TFL+TFR+TBL+TBR)", 10, "flac", "5.1.4", None),
        ("7.1.4", 12, "pcm_s24le", "7.1.4", (0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 10, 11)),
        # an order of the file's own: L C R Ls Rs LFE
        ("6 channels (FL+FC+FR+BL+BR+LFE)", 6, "pcm_s24le", "5.1", (0, 2, 1, 5, 3, 4)),
        ("8 channels (FL+FR+FC+LFE+SL+SR+BL+BR)", 8, "pcm_s24le", "7.1", tuple(range(8))),
        ("", 6, "pcm_s24le", "5.1", None),
        ("", 6, "aac", "discrete:6", None),
        ("", 8, "pcm_s24le", "discrete:8", None),
        ("7.1(wide)", 8, "aac", "discrete:8", None),
        ("quad", 4, "pcm_s24le", "discrete:4", None),
        ("ambisonic 1", 4, "opus", "discrete:4", None),
        ("5.1", 8, "aac", "discrete:8", None),
        ("", 2, "aac", "stereo", None),
        ("mono", 1, "aac", "mono", None),
    ],
)
def test_names_of_layouts(
    layout: str, channels: int, codec: str, name: str, take: tuple[int, ...] | None
) -> None:
    order = channel_order(layout, channels, codec)
    assert order.layout.name == name
    assert (order.take or tuple(range(channels))) == (take or tuple(range(channels)))


def test_a_change_of_channels_in_the_middle_is_an_error_and_never_a_mix(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=r=48000:d=1", "-ac", "2", "-c:a", "ac3", tmp_path / "two.ac3")
    ffmpeg("-f", "lavfi", "-i", "sine=r=48000:d=1", "-ac", "6", "-c:a", "ac3", tmp_path / "six.ac3")
    both = tmp_path / "both.ac3"
    both.write_bytes((tmp_path / "two.ac3").read_bytes() + (tmp_path / "six.ac3").read_bytes())
    with pytest.raises(MediaError, match=r"both\.ac3") as caught:
        read(both)
    # what ffprobe finds first is the part with six
    one_line(caught.value, "states 6 channels", "begins with 2", "WAV")
    long = tmp_path / "long.ac3"
    long.write_bytes((tmp_path / "two.ac3").read_bytes() * 400 + (tmp_path / "six.ac3").read_bytes())
    with pytest.raises(MediaError) as caught:
        read(long)
    one_line(caught.value, "after sample", "on the fly", "--salvage")
    result, reader = read(long, salvage=True)
    assert reader.layout.name == "stereo"
    assert 400 * RATE <= result.shape[1] <= 400 * (RATE + 1536)  # the part in stereo
    assert len(reader.warnings) == 1


# Which track


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two tracks with languages, neither of them the default."""
    sounds = [wav(tmp_path / f"{i}.wav", values(bits), bits) for i, bits in enumerate((16, 24))]
    more = "-c:a:0 pcm_s16le -c:a:1 flac -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu"
    return film(
        tmp_path / "two.mkv",
        sounds,
        *more.split(),
        "-disposition:a",
        "0",
        "-metadata:s:a:1",
        "title=Director speaks",
    )


def test_a_track_is_chosen_by_its_number(two: Path) -> None:
    reader: Any = None
    for number, bits in ((1, 16), (2, 24)):
        result, reader = read(two, number)
        np.testing.assert_array_equal(result.T.astype(np.float64) * 2 ** (bits - 1), values(bits))
        assert reader.track.number == number
    assert reader.metadata.tags["language"] == "deu"
    assert reader.metadata.tags["title"] == "Director speaks"


def test_what_could_be_meant_twice_is_asked_for(two: Path) -> None:
    with pytest.raises(MediaError) as caught:
        open_track(two)
    one_line(
        caught.value, "2 audio tracks", "--track N", "1: eng pcm_s16le", "2: deu flac stereo Director speaks"
    )


def test_the_one_default_track_is_taken(two: Path, tmp_path: Path) -> None:
    ffmpeg("-i", two, "-map", "0", "-c", "copy", "-disposition:a:1", "default", tmp_path / "default.mkv")
    assert [track.default for track in probe(tmp_path / "default.mkv").audio] == [False, True]
    assert read(tmp_path / "default.mkv")[1].track.number == 2
    ffmpeg("-i", two, "-map", "0", "-c", "copy", "-disposition:a", "default", tmp_path / "both.mkv")
    with pytest.raises(MediaError, match="--track N"):
        open_track(tmp_path / "both.mkv")


@pytest.mark.parametrize("number", [0, -1, 3])
def test_a_track_that_is_not_there(two: Path, number: int) -> None:
    with pytest.raises(MediaError) as caught:
        open_track(two, number)
    one_line(caught.value, str(two), f"no audio track {number}", "--track 1 to 2", "deu")


# Time


@pytest.mark.parametrize(
    ("suffix", "rate", "start", "frame_rate", "samples"),
    [
        ("mov", "25", "10:00:00:00", Fraction(25), 36000 * RATE),
        ("mkv", "25", "10:00:00:12", Fraction(25), 36000 * RATE + 12 * 1920),
        ("mxf", "25", "10:00:00:00", Fraction(25), 36000 * RATE),
        ("mov", "30000/1001", "01:00:00;00", Fraction(30000, 1001), 172_799_827),  # 107892 * 1601.6
        ("mp4", "30000/1001", "00:01:00;02", Fraction(30000, 1001), 2_882_880),  # 1800 * 1601.6
        ("mkv", "24000/1001", "01:00:00:00", Fraction(24000, 1001), 86400 * 2002),
    ],
)
def test_timecode_places_the_sound_in_time(
    tmp_path: Path, suffix: str, rate: str, start: str, frame_rate: Fraction, samples: int
) -> None:
    sound = wav(tmp_path / "in.wav", values(16), 16)
    codec = {"mp4": "alac", "mkv": "flac"}.get(suffix, "pcm_s16le")
    path = film(tmp_path / f"film.{suffix}", [sound], "-c:a", codec, "-timecode", start, rate=rate)
    container = probe(path)
    assert (container.frame_rate, container.timecode) == (frame_rate, start)
    metadata = read(path)[1].metadata
    assert metadata.timecode is not None
    assert metadata.bext is not None
    assert (metadata.timecode.start, Fraction(metadata.timecode.frame_rate)) == (start, frame_rate)
    assert metadata.bext.time_reference == samples


def test_a_sound_that_begins_late_has_a_later_place(tmp_path: Path) -> None:
    sound = wav(tmp_path / "in.wav", values(16), 16)
    early = film(tmp_path / "film.mov", [sound], "-c:a", "pcm_s16le", "-timecode", "10:00:00:00")
    late = tmp_path / "late.mov"
    ffmpeg("-i", early, "-itsoffset", "0.25", "-i", early, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    reader = read(late)[1]
    assert reader.track.start == Fraction(1, 4)
    assert reader.metadata.bext.time_reference == 36000 * RATE + RATE // 4


def test_a_timecode_that_the_frame_rate_does_not_have_is_a_warning(tmp_path: Path) -> None:
    sound = wav(tmp_path / "in.wav", values(16), 16)
    path = film(tmp_path / "film.mkv", [sound], "-c:a", "flac", "-metadata", "timecode=10:00:00:29")
    reader = read(path)[1]
    assert reader.metadata.bext is None
    assert reader.metadata.timecode.start == "10:00:00:29"
    one_line(MediaError(*reader.warnings), "10:00:00:29", "frame rate")


def test_a_film_without_timecode_has_a_frame_rate_and_tags_in_lower_case(tmp_path: Path) -> None:
    sound = wav(tmp_path / "in.wav", values(16), 16)
    path = film(tmp_path / "film.mkv", [sound], "-c:a", "flac", "-metadata", "ARTIST=Someone")
    metadata = read(path)[1].metadata
    assert (metadata.bext, metadata.timecode.start, metadata.timecode.frame_rate) == (None, "", "25/1")
    assert metadata.tags == {"artist": "Someone"}


def test_the_time_reference_of_a_broadcast_wave_is_kept(tmp_path: Path) -> None:
    sound = wav(tmp_path / "in.wav", values(24), 24)
    more = ["-metadata", "time_reference=123456789", "-metadata", "originator=Recorder"]
    ffmpeg("-i", sound, "-c", "copy", "-write_bext", "1", *more, tmp_path / "bext.wav")
    bext = read(tmp_path / "bext.wav")[1].metadata.bext
    assert (bext.time_reference, bext.originator) == (123456789, "Recorder")


# What is wrong


def test_what_is_not_a_film_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.mov").write_text("this is a letter, not a film\n" * 50)
    (tmp_path / "empty.mov").write_bytes(b"")
    (tmp_path / "list.mov").write_text("ffconcat version 1.0\nfile /etc/hostname\n")
    (tmp_path / "folder.mov").mkdir()
    os.mkfifo(tmp_path / "pipe.mov")
    for name, part in [
        ("text.mov", "not a sound or film"),
        ("empty.mov", "0 bytes"),
        ("list.mov", ""),
        ("folder.mov", "folder"),
        ("pipe.mov", "pipe"),
        ("missing.mov", "No such file"),
        ("nul\0.mov", "NUL"),
    ]:
        with pytest.raises(MediaError) as caught:
            open_track(tmp_path / name)
        one_line(caught.value, name.partition("\0")[0], part, ";" if "\0" not in name else "")


def test_a_film_without_sound(tmp_path: Path) -> None:
    path = film(tmp_path / "silent.mov")
    for number in (None, 1):
        with pytest.raises(MediaError) as caught:
            open_track(path, number)
        one_line(caught.value, str(path), "no sound", "choose")


@pytest.mark.parametrize(
    "name", ["concat:a|b.mov", "-y.mov", "http:x.mov", "pipe:0", "a b'c\".mov", "ü%d.mov"]
)
def test_a_name_is_only_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    data = values(16)
    path = film(tmp_path / "film.mov", [wav(tmp_path / "in.wav", data, 16)], "-c:a", "pcm_s16le")
    monkeypatch.chdir(tmp_path)
    path.rename(name)
    np.testing.assert_array_equal(read(name)[0].T * 2.0**15, data)


def test_without_ffmpeg_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "film.mov", [wav(tmp_path / "in.wav", values(16), 16)], "-c:a", "pcm_s16le")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not available()
    for call in (lambda: open_track(path), lambda: remux(path, tmp_path / "in.wav", tmp_path / "o.mov")):
        with pytest.raises(MediaError) as caught:
            call()
        one_line(caught.value, str(path), "apt-get install ffmpeg", "WAV")


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mov", "pcm_s16le"), ("mov", "alac"), ("mkv", "flac"), ("mxf", "pcm_s16le")]
)
def test_a_film_cut_short_says_how_much_is_missing(tmp_path: Path, suffix: str, codec: str) -> None:
    data = values(16)
    more = ["-movflags", "+faststart"] if suffix == "mov" else []
    path = film(tmp_path / f"film.{suffix}", [wav(tmp_path / "in.wav", data, 16)], "-c:a", codec, *more)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 6 // 10])
    with pytest.raises(MediaError) as caught:
        read(path)
    one_line(caught.value, str(path), "missing", "copy or export it again", "--salvage")
    declared, held, missing = map(
        int, re.findall(r"(\d+) samples but ends after (\d+): (\d+)", str(caught.value))[0]
    )
    assert abs(declared - LENGTH) <= RATE // 1000
    assert missing == declared - held
    result, reader = read(path, salvage=True)
    assert 0 < result.shape[1] < LENGTH
    np.testing.assert_array_equal(result.T * 2.0**15, data[: result.shape[1]])
    assert len(reader.warnings) >= 1
    assert "missing" in reader.warnings[0]


def test_damage_in_the_middle_is_an_error_and_salvage_takes_the_rest(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", [wav(tmp_path / "in.wav", values(16), 16)], "-c:a", "flac")
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 2000] = bytes(2000)
    path.write_bytes(whole)
    with pytest.raises(MediaError) as caught:
        read(path)
    one_line(caught.value, str(path), "ffmpeg", "--salvage")
    result, reader = read(path, salvage=True)
    assert result.shape[1] > RATE // 2
    assert reader.warnings


# The child


def test_a_reader_closed_early_leaves_no_process(tmp_path: Path) -> None:
    path = film(
        tmp_path / "film.mov",
        [wav(tmp_path / "in.wav", values(24, length=RATE * 20), 24)],
        "-c:a",
        "pcm_s24le",
    )
    reader = open_track(path)
    reader.read(np.empty((2, 10), np.float32))
    child = reader._data._process  # type: ignore[attr-defined]
    assert child.poll() is None  # it waits for us to take the rest
    reader.close()
    assert child.returncode is not None
    assert not Path(f"/proc/{child.pid}").exists()


def test_what_ffmpeg_says_never_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that fills its error output before it gives a sample: a pipe of 64 KiB would block it."""
    path = film(tmp_path / "film.mkv", [wav(tmp_path / "in.wav", values(16), 16)], "-c:a", "flac")
    probe_program = shutil.which("ffprobe")
    folder = tmp_path / "bin"
    folder.mkdir()
    program = shutil.which("ffmpeg")
    (folder / "ffmpeg").write_text(f"#!/bin/sh\nseq 1 200000 >&2\nexec '{program}' \"$@\"\n")
    (folder / "ffmpeg").chmod(0o755)
    (folder / "ffprobe").symlink_to(str(probe_program))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    result, reader = read(path, salvage=True)
    assert result.shape == (2, LENGTH)
    one_line(MediaError(*reader.warnings), "1: 2")


# Remux


def rich(path: Path, *more: str | Path, rate: str = "25", timecode: str = "10:00:00:00") -> Path:
    """Make a film with two languages, chapters, subtitles, a title and a timecode."""
    folder = path.parent
    (folder / "chapters.txt").write_text(
        ";FFMETADATA1\ntitle=Feature\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n"
        "[CHAPTER]\nTIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=two\n"
    )
    (folder / "words.srt").write_text(
        "1\n00:00:00,100 --> 00:00:00,400\nYes\n\n2\n00:00:00,600 --> 00:00:00,900\nNo\n"
    )
    sounds = [wav(folder / f"old{i}.wav", values(16 + 8 * i), 16 + 8 * i) for i in range(2)]
    codecs = {".mp4": "aac", ".mkv": "flac"}.get(path.suffix, "pcm_s24le")
    words: list[str | Path] = ["-f", "lavfi", "-i", f"testsrc=s=64x48:r={rate}:d=1"]
    words += ["-i", sounds[0], "-i", sounds[1], "-i", folder / "chapters.txt", "-i", folder / "words.srt"]
    words += ["-map", "0", "-map", "1", "-map", "2"]
    if path.suffix != ".mxf":
        words += ["-map", "4", "-map_chapters", "3", "-c:s", "srt" if path.suffix == ".mkv" else "mov_text"]
        words += ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger"]
    words += ["-map_metadata", "3", "-timecode", timecode, "-c:a", codecs]
    ffmpeg(*words, "-c:v", "mpeg2video" if path.suffix == ".mxf" else "mpeg4", *more, path)
    return path


@pytest.mark.parametrize("suffix", ["mov", "mkv", "mxf", "mp4"])
def test_a_new_track_comes_after_the_others_and_everything_else_stays(tmp_path: Path, suffix: str) -> None:
    source = rich(tmp_path / f"film.{suffix}")
    before = source.read_bytes()
    data = values(24, length=RATE if suffix == "mxf" else LENGTH + 5)
    sound = wav(tmp_path / "new.wav", data, 24)
    output = tmp_path / f"out.{suffix}"
    codec = "alac" if suffix == "mp4" else None
    report = remux(source, sound, output, language="fra", title="Neu", codec=codec)
    assert source.read_bytes() == before
    assert (report.track, report.replaced, report.lossless, report.start) == (3, False, True, 0.0)
    old, new = probe(source), probe(output)
    subtitles = [] if suffix == "mxf" else ["0:s"]
    maps = ["0:v", "0:a:0", "0:a:1", *subtitles]
    assert hashes(output, *maps) == hashes(source, *maps)
    if suffix == "mov":  # the timecode track, and the chapters' own
        assert sorted(hashes(output, "0:d")) == sorted(hashes(source, "0:d"))
    result, reader = read(output, 3)
    np.testing.assert_array_equal(result.T.astype(np.float64) * 2**23, data)
    assert reader.track.start == old.audio[0].start
    assert new.chapters == old.chapters
    assert len(new.chapters) == (0 if suffix == "mxf" else 2)
    assert (new.timecode, new.frame_rate) == ("10:00:00:00", Fraction(25))
    if suffix != "mxf":
        assert [track.language for track in new.audio] == ["eng", "ger", "fra"]
        assert new.tags["title"] == "Feature"
        assert new.audio[2].title == "Neu"
    assert not any(".partial" in name for name in names(tmp_path))


def test_a_track_is_replaced_in_its_place_with_its_language(tmp_path: Path) -> None:
    source = rich(tmp_path / "film.mov")
    data = values(16)
    report = remux(source, wav(tmp_path / "new.wav", data, 16), tmp_path / "out.mov", replace=1)
    assert (report.track, report.replaced, report.codec, report.warnings) == (1, True, "pcm_s16le", ())
    new = probe(tmp_path / "out.mov")
    assert [track.language for track in new.audio] == ["eng", "ger"]
    assert [stream.kind for stream in new.streams][:4] == ["video", "audio", "audio", "subtitle"]
    np.testing.assert_array_equal(read(tmp_path / "out.mov", 1)[0].T * 2.0**15, data)
    assert hashes(tmp_path / "out.mov", "0:v", "0:a:1", "0:s") == hashes(source, "0:v", "0:a:1", "0:s")


@pytest.mark.parametrize("suffix", ["mov", "mp4"])
def test_a_drop_frame_timecode_survives(tmp_path: Path, suffix: str) -> None:
    """A plain copy by ffmpeg 5.1 forgets that labels are dropped: 01:00:00;00 becomes 00:59:56:12."""
    source = rich(tmp_path / f"film.{suffix}", rate="30000/1001", timecode="01:00:00;00")
    remux(source, wav(tmp_path / "new.wav", values(16), 16), tmp_path / f"out.{suffix}")
    assert probe(tmp_path / f"out.{suffix}").timecode == "01:00:00;00"


@pytest.mark.parametrize(("suffix", "codec"), [("mov", "pcm_s16le"), ("mkv", "flac"), ("mp4", "aac")])
def test_the_new_track_begins_with_the_one_it_replaces(tmp_path: Path, suffix: str, codec: str) -> None:
    late = tmp_path / f"late.{suffix}"
    click = np.zeros((LENGTH, 2), np.int64)
    click[12000:12008] = 2**14
    sound = wav(tmp_path / "in.wav", click, 16)
    film(tmp_path / f"film.{suffix}", [sound], "-c:a", codec)
    words: list[str | Path] = [
        "-i",
        tmp_path / f"film.{suffix}",
        "-itsoffset",
        "0.2501",
        "-i",
        sound,
        "-map",
        "0:v",
        "-map",
        "1:a",
    ]
    ffmpeg(*words, "-c:v", "copy", "-c:a", codec, late)
    decoded, reader = read(late)
    soundfile.write(tmp_path / "processed.wav", decoded.T, RATE, reader.subtype)
    report = remux(late, tmp_path / "processed.wav", tmp_path / f"out.{suffix}", replace=1)

    def place(path: Path) -> float:
        result, reader = read(path)
        return float(reader.track.start) + int(np.abs(result[0]).argmax()) / RATE

    old, new = place(late), place(tmp_path / f"out.{suffix}")
    assert abs(old - (0.2501 + 0.25)) < 0.0015  # the test's own film is as meant
    # Quicktime places to a sample, Matroska to a millisecond; AAC smears a click a little.
    assert abs(new - old) < {"mov": 1.5 / RATE, "mkv": 0.001, "mp4": 8 / RATE}[suffix]
    assert any("later than the picture" in line for line in report.warnings)
    assert hashes(tmp_path / f"out.{suffix}", "0:v") == hashes(late, "0:v")


def test_a_sound_shorter_or_longer_than_the_film_cuts_nothing(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mov", [wav(tmp_path / "in.wav", values(16), 16)], "-c:a", "pcm_s16le")
    for length, word in ((RATE // 2, "earlier"), (RATE * 2, "later")):
        data = values(24, length=length)
        report = remux(source, wav(tmp_path / "new.wav", data, 24), tmp_path / "out.mov", overwrite=True)
        assert [word in line for line in report.warnings] == [True]
        assert hashes(tmp_path / "out.mov", "0:v") == hashes(source, "0:v")
        np.testing.assert_array_equal(read(tmp_path / "out.mov", 2)[0].T.astype(np.float64) * 2**23, data)


@pytest.mark.parametrize(("suffix", "codec"), [("mov", "pcm_s16le"), ("mkv", "flac"), ("mp4", "aac")])
@pytest.mark.parametrize(("mask", "roles"), [(0x3F, FIVE), (0x60F, SIDE), (0x63F, SEVEN)])
def test_roles_survive_a_remux(
    tmp_path: Path, suffix: str, codec: str, mask: int, roles: dict[str, str]
) -> None:
    source = film(tmp_path / f"film.{suffix}", [wav(tmp_path / "in.wav", values(16), 16)], "-c:a", codec)
    speakers = [name for name, bit in zip(TONES, (0, 1, 2, 3, 4, 5, 9, 10), strict=True) if mask >> bit & 1]
    report = remux(source, tones(tmp_path / "new.wav", speakers, mask), tmp_path / f"out.{suffix}")
    assert report.codec == codec
    result, reader = read(tmp_path / f"out.{suffix}", 2)
    assert dict(zip(reader.layout.roles, heard(result), strict=True)) == {
        role: TONES[speaker] for role, speaker in roles.items()
    }


def test_mp4_says_that_its_sound_is_lossy(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", [wav(tmp_path / "in.wav", values(16), 16)], "-c:a", "aac")
    report = remux(source, tmp_path / "in.wav", tmp_path / "out.mp4")
    assert (report.codec, report.lossless) == ("aac", False)
    assert "lossy" in report.warnings[0]
    assert "MP4" in report.warnings[0]


def test_mxf_ends_sound_and_picture_together_and_says_so(tmp_path: Path) -> None:
    old = wav(tmp_path / "in.wav", values(16, length=RATE), 16)
    source = film(tmp_path / "film.mxf", [old], "-c:a", "pcm_s16le")
    for length, word in ((RATE // 2 + 1, "silence was added"), (RATE * 2, "its end was cut")):
        data = values(24, length=length)
        report = remux(source, wav(tmp_path / "new.wav", data, 24), tmp_path / "out.mxf", overwrite=True)
        assert [word in line for line in report.warnings] == [True]
        assert hashes(tmp_path / "out.mxf", "0:v") == hashes(source, "0:v")
        wanted = np.concatenate([data, np.zeros((RATE, 2), np.int64)])[:RATE]
        np.testing.assert_array_equal(read(tmp_path / "out.mxf", 2)[0].T.astype(np.float64) * 2**23, wanted)


def test_float_sound_stays_float_where_the_container_can_and_says_so_where_it_cannot(tmp_path: Path) -> None:
    data = np.random.default_rng(1).uniform(-2, 2, (LENGTH, 2)).astype(np.float32)
    soundfile.write(tmp_path / "new.wav", data, RATE, "FLOAT")
    old = wav(tmp_path / "in.wav", values(16), 16)
    report = remux(
        film(tmp_path / "film.mov", [old], "-c:a", "pcm_s16le"), tmp_path / "new.wav", tmp_path / "o.mov"
    )
    assert (report.codec, report.lossless) == ("pcm_f32le", True)
    np.testing.assert_array_equal(read(tmp_path / "o.mov", 2)[0].T, data)
    report = remux(
        film(tmp_path / "film.mxf", [old], "-c:a", "pcm_s16le"), tmp_path / "new.wav", tmp_path / "o.mxf"
    )
    assert (report.codec, report.lossless) == ("pcm_s24le", False)
    assert "rounds" in report.warnings[0]


def test_what_is_refused_leaves_everything_as_it_was(tmp_path: Path) -> None:
    sound = wav(tmp_path / "new.wav", values(16), 16)
    source = film(tmp_path / "film.mov", [sound], "-c:a", "pcm_s16le")
    silent = wav(tmp_path / "other.wav", values(16), 16)
    (tmp_path / "taken.mov").write_bytes(b"mine")
    (tmp_path / "link.mov").symlink_to(source)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    cases: list[tuple[Path, Path, str, dict[str, Any], str]] = [
        (source, sound, "taken.mov", {}, "exists already"),
        (source, sound, "film.mov", {"overwrite": True}, "is an input"),
        (source, sound, "link.mov", {"overwrite": True}, "is an input"),
        (source, sound, "new.wav", {"overwrite": True}, "is an input"),
        (source, sound, "o.mkv", {}, "another container"),
        (source, sound, "o.avi", {}, ".mov"),
        (source, sound, "o.mov", {"replace": 2}, "no audio track 2"),
        (source, sound, "o.mov", {"replace": 0}, "no audio track 0"),
        (source, sound, "o.mov", {"codec": "nope"}, "nope"),
        (source, sound, "o.mov", {"codec": "-y"}, "-encoders"),
        (source, sound, "o.mov", {"language": "a=b"}, "language"),
        (source, sound, "o.mov", {"codec": "libopus"}, "--codec"),
        (source, sound, "no/o.mov", {}, "No such file"),
        (silent, sound, "o.mov", {}, "another container"),
        (source, tmp_path / "missing.wav", "o.mov", {}, "missing.wav"),
        (tmp_path / "taken.mov", sound, "o.mov", {}, "not a sound or film"),
    ]
    for first, second, name, more, part in cases:
        with pytest.raises(MediaError) as caught:
            remux(first, second, tmp_path / name, **more)
        one_line(caught.value, part)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before, (name, more)


def test_a_copy_that_differs_is_never_given_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = wav(tmp_path / "new.wav", values(16), 16)
    source = film(tmp_path / "film.mov", [sound], "-c:a", "pcm_s16le")
    real = remux_module._command
    spoiled = {
        "did not come through ffmpeg unchanged": ["-c:v", "mpeg4", "-b:v", "20k"],
        "does not decode to the samples": ["-filter:a:1", "volume=0.99"],
        "moved by": ["-bsf:a:1", "setts=ts=TS+9600"],
    }
    for part, words in spoiled.items():

        def command(plan: Any, partial: Path, words: list[str] = words) -> list[str]:
            whole = real(plan, partial)
            return [*whole[:-1], *words, whole[-1]]

        monkeypatch.setattr(remux_module, "_command", command)
        with pytest.raises(MediaError, match=part):
            remux(source, sound, tmp_path / "out.mov")
        assert names(tmp_path) == ["film.mov", "new.wav"]


def test_attachments_and_their_bytes_survive(tmp_path: Path) -> None:
    (tmp_path / "font.ttf").write_bytes(b"not really a font" * 20)
    source = rich(
        tmp_path / "film.mkv", "-attach", tmp_path / "font.ttf", "-metadata:s:t", "mimetype=font/ttf"
    )
    remux(source, wav(tmp_path / "new.wav", values(16), 16), tmp_path / "out.mkv")
    ffmpeg(
        "-dump_attachment:t:0",
        tmp_path / "dumped.ttf",
        "-i",
        tmp_path / "out.mkv",
        "-t",
        "0",
        "-f",
        "null",
        "-",
    )
    assert (tmp_path / "dumped.ttf").read_bytes() == (tmp_path / "font.ttf").read_bytes()


def test_the_command(tmp_path: Path) -> None:
    sound = wav(tmp_path / "new.wav", values(16), 16)
    source = film(tmp_path / "film.mov", [sound], "-c:a", "pcm_s16le")
    out = tmp_path / "out.mov"
    words = [str(source), str(sound), "-o", str(out), "--replace", "1", "--language", "deu"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    assert f"{out}  audio track 1 replaced: pcm_s16le, lossless" in done.output
    done = CliRunner().invoke(command, [*words, "--overwrite", "--json"])
    data = json.loads(done.output)
    assert (data["track"], data["replaced"], data["lossless"], data["warnings"]) == (1, True, True, [])
    assert data["copied"] == [{"kind": "video", "sha256": hashes(source, "0:v")[0]}]
    assert probe(out).audio[0].language == "ger"  # as QuickTime names it
    done = CliRunner().invoke(command, words)
    assert isinstance(done.exception, MediaError)


def test_a_language_that_the_container_has_no_code_for_is_a_warning(tmp_path: Path) -> None:
    sound = wav(tmp_path / "new.wav", values(16), 16)
    source = film(tmp_path / "film.mov", [sound], "-c:a", "pcm_s16le")
    report = remux(source, sound, tmp_path / "out.mov", language="gsw")
    assert ["'gsw'" in line for line in report.warnings] == [True]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_remux_that_is_told_to_end_leaves_nothing_behind(tmp_path: Path, number: int) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=8", "-c:v", "rawvideo"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=300:duration=8", "-c:a", "pcm_s24le"]
    film, sound = tmp_path / "film.mov", tmp_path / "sound.wav"
    for target, what in ((film, [*picture[:4], *tone[:4], *picture[4:], *tone[4:]]), (sound, tone)):
        subprocess.run(["ffmpeg", "-v", "error", *what, str(target)], check=True)
    main = "from unbraid.host.cli import main; main()"
    out = tmp_path / "new.mov"
    ours = subprocess.Popen([sys.executable, "-c", main, "remux", str(film), str(sound), "-o", str(out)])
    until = time.monotonic() + 20
    while not list(tmp_path.glob(".unbraid-*")) and ours.poll() is None:
        assert time.monotonic() < until, "nothing is being written"
        time.sleep(0.005)
    ours.send_signal(number)
    assert ours.wait(20) in {130, 0}  # 0: it was done before it heard
    assert not list(tmp_path.glob(".unbraid-*"))
    assert out.exists() == (ours.returncode == 0)
