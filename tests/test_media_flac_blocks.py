"""FLAC metadata: read as other programs wrote it, written so that they read it, and no audio moved."""

from __future__ import annotations

import io
import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.host.media.flac_blocks import MOST_ROOM, carried, read_blocks, room_for, write_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from unbraid.host.media.flac_blocks import FlacBlocks

RATE = 48_000
BEXT = bytes(range(256)) * 2 + bytes(90) + b"A=PCM"  # 607 bytes: odd, so it needs padding
CHUNKS = {b"bext": BEXT, b"iXML": b"<BWFXML/>", b"LIST": b"adtl", b"cue ": bytes(28)}
TAGS = {"title": "Wind", "description": "Küste, 風", "time_reference": "172800000"}


def tool(name: str) -> str:
    """Return the path of a program; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def noise(samples: int = 5000, channels: int = 2) -> npt.NDArray[np.int32]:
    """Return samples of 24 bits in the upper part of 32."""
    return np.random.default_rng(5).integers(-(2**23), 2**23, (samples, channels), np.int32) << 8


def flac(path: Path, room: int = 0, data: npt.NDArray[np.int32] | None = None, bits: int = 24) -> Path:
    """Write a FLAC file as the host does, with room for metadata."""
    data = noise() if data is None else data
    with soundfile.SoundFile(path, "w", RATE, data.shape[1], f"PCM_{bits}", format="FLAC") as file:
        if room:
            file.comment = "x" * room
        file.write(data)
    return path


def read(path: Path) -> FlacBlocks:
    with path.open("rb") as file:
        found = read_blocks(file)
    assert found is not None
    return found


def block(kind: int, body: bytes, *, last: bool = False, size: int | None = None) -> bytes:
    """Return a block as RFC 9639, section 8.1 lays it out; ``size`` may lie."""
    length = len(body) if size is None else size
    return bytes([kind | (0x80 if last else 0)]) + length.to_bytes(3, "big") + body


def entry(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


#: 44100 Hz, 2 channels, 16 bits, 1 sample: the example of RFC 9639, appendix D.1.
INFO = bytes.fromhex("1000100000000f00000f0ac442f0000000013e84b41807dc690307587a3dad1a2e0f")


def blocks_of(data: bytes) -> list[tuple[int, bytes]]:
    """Walk the blocks of a sound file, kind and body, and check that exactly the last has the flag."""
    found, place, last = [], 4, False
    while not last:
        last, size = data[place] >= 0x80, int.from_bytes(data[place + 1 : place + 4], "big")
        found.append((data[place] & 0x7F, data[place + 4 : place + 4 + size]))
        place += 4 + size
    assert data[place] == 0xFF  # a frame begins: RFC 9639, section 9.1
    assert data[place + 1] & 0xFE == 0xF8
    return found


# Reading what others wrote


def test_the_example_of_the_standard() -> None:
    found = read_blocks(io.BytesIO(b"fLaC" + block(0, INFO, last=True)))
    assert found is not None
    assert (found.rate, found.channels, found.bits, found.length) == (44_100, 2, 16, 1)
    assert found.md5.hex() == "3e84b41807dc690307587a3dad1a2e0f"
    assert (found.vendor, found.comments, found.chunks) == ("", {}, {})


@pytest.mark.parametrize(("channels", "bits"), [(1, 16), (2, 24), (8, 24)])
def test_a_file_of_libsndfile(tmp_path: Path, channels: int, bits: int) -> None:
    found = read(flac(tmp_path / "a.flac", 7, noise(321, channels), bits))
    assert (found.rate, found.channels, found.bits, found.length) == (RATE, channels, bits, 321)
    assert found.vendor.startswith("reference libFLAC")
    assert found.comments == {"comment": "x" * 7}


def test_a_file_of_ffmpeg(tmp_path: Path) -> None:
    source, target = flac(tmp_path / "a.flac"), tmp_path / "b.flac"
    named = [f"-metadata=TITLE={TAGS['title']}", f"-metadata=time_reference={TAGS['time_reference']}"]
    options = [part for option in named for part in option.split("=", 1)]
    run(tool("ffmpeg"), "-v", "error", "-i", source, *options, "-ar", "44100", target)
    found = read(target)
    assert (found.rate, found.channels, found.bits) == (44_100, 2, 24)
    assert found.vendor.startswith("Lavf")
    assert found.comments["title"] == TAGS["title"]
    assert found.comments["time_reference"] == TAGS["time_reference"]


def test_a_file_of_sox(tmp_path: Path) -> None:
    source, target = flac(tmp_path / "a.flac", data=noise(channels=1)), tmp_path / "b.flac"
    run(tool("sox"), source, "--comment", "Artist=One", "--add-comment", "ARTIST=Two", "-b", "16", target)
    found = read(target)
    assert (found.channels, found.bits, found.length) == (1, 16, 5000)
    assert found.comments["artist"] == "One; Two"


def test_foreign_metadata_of_flac(tmp_path: Path) -> None:
    """A WAV file with chunks before and after the samples, through the `flac` tool."""
    target = tmp_path / "a.flac"
    chunks = [
        (b"bext", BEXT),
        (b"LIST", b"INFOIENG"),
        (b"data", bytes(400)),
        (b"LIST", b"adtl"),
        (b"cue ", b"odd"),
    ]
    form = struct.pack("<HHIIHH", 1, 2, RATE, RATE * 4, 4, 16)
    body = b"".join(name + entry(data) + bytes(len(data) % 2) for name, data in [(b"fmt ", form), *chunks])
    (tmp_path / "a.wav").write_bytes(b"RIFF" + entry(b"WAVE" + body))
    run(tool("flac"), "-s", "--keep-foreign-metadata", "-o", target, tmp_path / "a.wav")
    found = read(target)
    assert found.chunk_list == tuple(chunk for chunk in chunks if chunk[0] != b"data")
    assert found.chunks == {b"bext": BEXT, b"LIST": b"INFOIENG", b"cue ": b"odd"}
    assert found.length == 100


def test_a_tag_before_the_mark_is_skipped(tmp_path: Path) -> None:
    sound = flac(tmp_path / "a.flac", 3).read_bytes()
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 1, 2]) + bytes(130)  # 1 * 128 + 2 bytes
    footed = b"ID3\x04\x00\x10" + bytes([0, 0, 1, 2]) + bytes(140)
    for before in (tag, footed):
        found = read_blocks(io.BytesIO(before + sound))
        assert found is not None
        assert (found.length, found.comments) == (5000, {"comment": "xxx"})


# Lies


def test_what_is_whole_in_a_damaged_file() -> None:
    good = entry(b"someone") + struct.pack("<I", 4) + entry(b"Title=a") + entry(b"no mark") + entry(b"=x")
    comments = good + struct.pack("<I", 1000) + b"cut=short"
    riff = b"riffbext" + struct.pack("<I", 5) + b"less"
    parts = [b"fLaC", block(0, INFO), block(4, comments), block(2, riff), block(2, b"riff"), block(2, b"x")]
    parts += [block(2, b"riffiXML" + entry(b"all")), block(2, b"riffaxml" + entry(b"cut"), size=1 << 23)]
    found = read_blocks(io.BytesIO(b"".join(parts)))
    assert found is not None
    assert found.vendor == "someone"
    assert found.comments == {"title": "a"}
    assert found.chunks == {b"iXML": b"all", b"axml": b"cut"}


def test_bytes_that_are_not_utf_8_are_kept(tmp_path: Path) -> None:
    body = entry(b"v") + struct.pack("<I", 1) + entry(b"title=\xe9t\xe9")
    data = b"fLaC" + block(0, INFO) + block(4, body) + block(1, bytes(90), last=True)
    found = read_blocks(io.BytesIO(data))
    assert found is not None
    assert found.comments["title"].encode("utf-8", "surrogateescape") == b"\xe9t\xe9"
    copy = io.BytesIO(data)
    write_blocks(copy, found.comments, {})
    assert b"TITLE=\xe9t\xe9" in copy.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"fLaC",
        b"RIFF" + bytes(40),
        b"fLaC" + block(0, INFO[:33], last=True),
        b"fLaC" + block(4, entry(b"v") + bytes(4)),
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
    ],
)
def test_none_for_what_is_not_flac(data: bytes) -> None:
    assert read_blocks(io.BytesIO(data)) is None


class Counting(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


@pytest.mark.timeout(60)
def test_blocks_made_to_cost_time_and_memory() -> None:
    """One name a million times, endless empty blocks, and RIFF chunks of more than the 64 MiB kept."""
    many = entry(b"") + struct.pack("<I", 1 << 31) + entry(b"a=") * 1_000_000
    chunk = block(2, b"riffaxml" + entry(bytes((1 << 24) - 100)))
    file = Counting(b"fLaC" + block(0, INFO) + block(4, many) + chunk * 5 + bytes(1 << 25))
    found = read_blocks(file)
    assert found is not None
    assert file.reads < 100_000
    assert len(found.comments["a"]) == 2 * (1_000_000 - 1)
    assert len(found.chunk_list) == 4


def _typical() -> bytes:
    comments = entry(b"vendor") + struct.pack("<I", 2) + entry(b"title=a") + entry(b"artist=b")
    blocks = [block(0, INFO), block(4, comments), block(2, b"riffRIFF" + entry(b"WAVE")[:8])]
    blocks += [block(2, b"riffbext" + entry(b"text")), block(1, bytes(200), last=True)]
    return b"".join([b"ID3\x04\x00\x00\x00\x00\x00\x02..", b"fLaC", *blocks, b"\xff\xf8audio"])


@given(st.lists(st.tuples(st.integers(0, len(_typical()) - 1), st.integers(0, 255)), max_size=8), st.data())
@settings(max_examples=300)
def test_damage_raises_nothing_and_is_not_written_over(
    changes: list[tuple[int, int]], draw: st.DataObject
) -> None:
    data = bytearray(_typical())
    for place, value in changes:
        data[place] = value
    cut = bytes(data[: draw.draw(st.integers(0, len(data)))])
    read_blocks(io.BytesIO(cut))
    file = io.BytesIO(cut)
    try:
        write_blocks(file, {"title": "new"}, {b"bext": b"new"})
    except ValueError:
        assert file.getvalue() == cut
    else:
        assert len(file.getvalue()) == len(cut)
        found = read_blocks(file)
        assert found is not None
        assert (found.comments, found.chunks) == ({"title": "new"}, {b"bext": b"new"})


# Writing


@pytest.mark.parametrize("by_path", [True, False])
def test_metadata_goes_in_and_no_audio_moves(tmp_path: Path, by_path: bool) -> None:
    path = flac(tmp_path / "a.flac", room_for(TAGS, CHUNKS))
    before, samples = path.read_bytes(), soundfile.read(path, dtype="int32")[0]
    if by_path:
        write_blocks(path, TAGS, CHUNKS)
    else:
        with path.open("r+b") as file:
            write_blocks(file, TAGS, CHUNKS)
    after = path.read_bytes()
    assert len(after) == len(before)
    assert after[:42] == before[:42]  # the mark and STREAMINFO
    frames = before.index(b"\xff\xf8", before.rindex(b"xxxx"))
    assert after[frames:] == before[frames:]
    kinds = [kind for kind, _ in blocks_of(after)]
    assert kinds == [0, 4, 2, 2, 2, 2, 2, 2, 2, 1]
    assert sum(4 + len(body) for _, body in blocks_of(after)) + 4 == frames
    np.testing.assert_array_equal(soundfile.read(path, dtype="int32")[0], samples)
    np.testing.assert_array_equal(samples, noise())
    found = read(path)
    assert (dict(found.comments), found.chunks) == (TAGS, CHUNKS)
    assert list(found.chunks) == list(CHUNKS)
    assert found.vendor.startswith("reference libFLAC")


def test_the_room_is_enough_for_any_form_of_the_sound(tmp_path: Path) -> None:
    for channels in range(1, 9):
        for bits in (16, 24):
            for extra in range(8):
                chunks: Mapping[bytes, bytes] = {b"bext": bytes(extra)} if extra else {}
                tags = {"title": "x" * extra}
                path = tmp_path / "a.flac"
                write_blocks(flac(path, room_for(tags, chunks), noise(10, channels), bits), tags, chunks)
                assert (dict(read(path).comments), read(path).chunks) == (tags, chunks)


def test_ffprobe_reads_the_tags(tmp_path: Path) -> None:
    path = flac(tmp_path / "a.flac", room_for(TAGS, CHUNKS))
    write_blocks(path, TAGS, CHUNKS)
    told = run(tool("ffprobe"), "-v", "error", "-show_format", "-of", "json", path)
    tags = json.loads(told)["format"]["tags"]
    shown = {name.lower(): text for name, text in tags.items()}
    assert shown.pop("comment") == TAGS["description"]  # the name that ffmpeg has for it
    assert shown == {name: text for name, text in TAGS.items() if name != "description"}


def test_flac_and_metaflac_find_nothing_wrong(tmp_path: Path) -> None:
    path = flac(tmp_path / "a.flac", room_for(TAGS, CHUNKS))
    write_blocks(path, TAGS, CHUNKS)
    run(tool("flac"), "-s", "-w", "-t", path)  # warnings are errors
    told = run(tool("metaflac"), "--no-utf8-convert", "--export-tags-to=-", path)
    assert told.splitlines() == [f"{name.upper()}={text}" for name, text in TAGS.items()]


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize(("channels", "mask"), [*((n, "") for n in range(1, 9)), (6, "0x3f"), (2, "0x30")])
def test_flac_restores_the_wave_file(tmp_path: Path, channels: int, bits: int, mask: str) -> None:
    """And our blocks with the samples make up that very WAV file, so that others could do the same."""
    tags = {"waveformatextensible_channel_mask": mask} if mask else {}
    path, wave = tmp_path / "a.flac", tmp_path / "a.wav"
    flac(path, room_for(tags, CHUNKS), noise(101, channels), bits)
    write_blocks(path, tags, CHUNKS)
    run(tool("flac"), "-s", "-w", "-d", "--keep-foreign-metadata", "-o", wave, path)
    restored = wave.read_bytes()
    for name, body in CHUNKS.items():
        assert name + entry(body) + bytes(len(body) % 2) in restored
    heads = [body[4:] for kind, body in blocks_of(path.read_bytes()) if kind == 2]
    samples = noise(101, channels).astype("<i4").tobytes()
    size = bits // 8
    packed = b"".join(samples[at + 4 - size : at + 4] for at in range(0, len(samples), 4))
    assert b"".join(heads) + packed + bytes(len(packed) % 2) == restored


def test_beyond_four_gibibytes_the_wave_file_is_rf64(tmp_path: Path) -> None:
    """EBU Tech 3306: sizes of 32 bits are all ones, those of 64 stand in ``ds64``, after the head."""
    path = flac(tmp_path / "a.flac", room_for({}, CHUNKS))
    data = bytearray(path.read_bytes())
    length = 1 << 30
    data[21:26] = bytes([data[21] & 0xF0]) + length.to_bytes(4, "big")
    path.write_bytes(data)
    write_blocks(path, {}, CHUNKS)
    heads = [body[4:] for kind, body in blocks_of(path.read_bytes()) if kind == 2]
    total = sum(map(len, heads)) - 8 + length * 6
    assert heads[0] == b"RF64" + bytes([255] * 4) + b"WAVE"
    assert heads[1] == b"ds64" + entry(struct.pack("<QQQI", total, length * 6, length, 0))
    assert heads[-1] == b"data" + bytes([255] * 4)
    assert read(path).chunks == CHUNKS


def test_many_chunks_of_odd_sizes(tmp_path: Path) -> None:
    chunks = {b"%04d" % number: b"x" for number in range(300)}
    path = flac(tmp_path / "a.flac", room_for({}, chunks))
    write_blocks(path, {}, chunks)
    assert read(path).chunks == chunks


@pytest.mark.parametrize("more", range(-1, 9))
def test_room_beyond_one_block_becomes_several(more: int) -> None:
    """Padding of 2**24 - 1 bytes at most, so room for more than that takes two."""
    room = (1 << 24) - 1 + 4 + more
    parts = [block(4, bytes(8)), block(1, bytes(1 << 23)), block(1, bytes(room - (1 << 23) - 8), last=True)]
    file = io.BytesIO(b"fLaC" + block(0, INFO) + b"".join(parts) + b"\xff\xf8audio")
    size = len(file.getvalue())
    write_blocks(file, {}, {})
    assert len(file.getvalue()) == size
    sizes = [4 + len(body) for kind, body in blocks_of(file.getvalue()) if kind == 1]
    assert sum(sizes) == room
    assert len(sizes) == (1 if more <= 0 else 2)


def test_other_blocks_stay_and_metadata_can_be_written_again(tmp_path: Path) -> None:
    """A file of the `flac` tool has a seek table and padding of its own; a picture is not ours either."""
    source, path, image = flac(tmp_path / "a.flac"), tmp_path / "b.flac", tmp_path / "a.png"
    run(tool("ffmpeg"), "-v", "error", "-f", "lavfi", "-i", "color=red:8x8", "-frames:v", "1", image)
    run(tool("flac"), "-s", f"--picture={image}", "-S", "100x", "-o", path, source)
    others = [part for part in blocks_of(path.read_bytes()) if part[0] not in {1, 4}]
    assert {kind for kind, _ in others} == {0, 3, 6}
    size = path.stat().st_size
    for tags, chunks in ((TAGS, CHUNKS), ({"title": "short"}, {b"iXML": b"1"}), ({}, {})):
        write_blocks(path, tags, chunks)
        assert path.stat().st_size == size
        now = blocks_of(path.read_bytes())
        assert [part for part in now if part[0] in {0, 3, 6}] == others
        assert (dict(read(path).comments), read(path).chunks) == (tags, chunks)
        run(tool("flac"), "-s", "-w", "-t", path)


# What does not fit


def _room(free: int) -> io.BytesIO:
    """Return a file with room for just an empty comment block and some bytes."""
    return io.BytesIO(b"fLaC" + block(0, INFO) + block(4, bytes(8 + free), last=True) + b"\xff\xf8audio")


@pytest.mark.parametrize(
    ("free", "fits"), [(0, True), (1, False), (3, False), (4, True), (5, True), (-1, False)]
)
def test_what_is_left_becomes_padding_or_an_error_with_sizes(free: int, fits: bool) -> None:
    """``TITLE=abc`` takes 13 bytes with its length; a padding block takes 4 at least."""
    file = _room(13 + free)
    before = file.getvalue()
    if fits:
        write_blocks(file, {"title": "abc"}, {})
        padding = [(1, bytes(free - 4))] if free else []
        comments = (4, entry(b"") + struct.pack("<I", 1) + entry(b"TITLE=abc"))
        assert blocks_of(file.getvalue()) == [(0, INFO), comments, *padding]
        assert len(file.getvalue()) == len(before)
    else:
        with pytest.raises(ValueError, match=rf"needs 25 bytes .* room for {25 + free}"):
            write_blocks(file, {"title": "abc"}, {})
        assert file.getvalue() == before


def test_the_largest_metadata_and_one_byte_more(tmp_path: Path) -> None:
    tags = {**TAGS, "x": "y"}  # of an even size, as chunks are
    spare = MOST_ROOM - room_for(tags, {b"axml": b"", b"bext": BEXT})
    chunks = {b"axml": np.random.default_rng(1).bytes(spare), b"bext": BEXT}
    assert room_for(tags, chunks) == MOST_ROOM
    path = flac(tmp_path / "a.flac", MOST_ROOM)
    assert soundfile.info(str(path)).frames == 5000
    write_blocks(path, tags, chunks)
    assert read(path).chunks == chunks
    np.testing.assert_array_equal(soundfile.read(path, dtype="int32")[0], noise())
    assert carried(tags, chunks) == (chunks, [])
    assert carried(tags, chunks, 1) == ({b"bext": BEXT}, [b"axml"])
    before = path.read_bytes()
    chunks[b"axml"] += bytes(2)
    message = f"needs {MOST_ROOM + 2} bytes, but a file holds at most {MOST_ROOM}"
    with pytest.raises(ValueError, match=message):
        room_for(tags, chunks)
    with pytest.raises(ValueError, match=message):
        write_blocks(path, tags, chunks)
    assert path.read_bytes() == before
    assert carried(tags, chunks) == ({b"bext": BEXT}, [b"axml"])


def test_spare_room_is_for_texts_that_grow(tmp_path: Path) -> None:
    longer = {**TAGS, "comment": "3 samples clipped"}
    path = flac(tmp_path / "a.flac", room_for(TAGS, CHUNKS, 412))  # the name as well
    write_blocks(path, {**TAGS, "comment": "c" * 400}, CHUNKS)
    assert len(read(path).comments["comment"]) == 400
    write_blocks(path, longer, CHUNKS)
    assert read(path).comments == longer


def test_tags_beyond_all_room() -> None:
    with pytest.raises(
        ValueError, match=f"holds at most {MOST_ROOM}: tags take {MOST_ROOM + 64 + 22}, chunks 0"
    ):
        carried({"title": "x" * MOST_ROOM}, {})


@pytest.mark.parametrize("name", ["", "a=b", "tilde~", "é", "line\n"])
def test_names_that_no_tag_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="a FLAC tag cannot be named"):
        room_for({name: "x"}, {})


@pytest.mark.parametrize("name", [b"", b"abc", b"abcde", b"fmt ", b"data", b"RIFF"])
def test_names_that_no_chunk_can_have(name: bytes) -> None:
    with pytest.raises(ValueError, match="a chunk cannot be named"):
        room_for({}, {name: b"x"})


def test_a_file_that_is_not_flac_is_left_alone(tmp_path: Path) -> None:
    """One without samples as well: libsndfile leaves it empty."""
    path = flac(tmp_path / "a.flac", 50, noise(0))
    for data in (path.read_bytes(), b"RIFF" + bytes(90), _typical()[:200]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match="not a FLAC file, or its metadata is damaged"):
            write_blocks(path, {}, {})
        assert path.read_bytes() == data


_NAMES = st.text(st.sampled_from("abcxyz_ 09!}"), min_size=1, max_size=8)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)


@given(
    st.dictionaries(_NAMES, _TEXTS, max_size=6),
    st.dictionaries(st.sampled_from([b"bext", b"iXML", b"LIST", b"\xff~=\0"]), st.binary(max_size=99)),
)
def test_any_text_and_any_chunk_come_back(tags: dict[str, str], chunks: dict[bytes, bytes]) -> None:
    file = _room(room_for(tags, chunks))
    size = len(file.getvalue())
    write_blocks(file, tags, chunks)
    assert len(file.getvalue()) == size
    assert file.getvalue().endswith(b"\xff\xf8audio")
    found = read_blocks(file)
    assert found is not None
    assert (dict(found.comments), found.chunks) == (tags, chunks)
