"""WAV, RF64 and BW64 chunk by chunk: a header that lies is seen, and every size that we write is true."""

from __future__ import annotations

import os
import struct
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.audio import Layout
from unbraid.host.media.bytes_in import FileBytes
from unbraid.host.media.channels import by_count, for_file
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.open_input import InputForm, open_input
from unbraid.host.media.wave.bext import Bext, build_bext, parse_bext
from unbraid.host.media.wave.head import WaveHead
from unbraid.host.media.wave.info_list import parse_info
from unbraid.host.media.wave.riff import Chunk, walk
from unbraid.host.media.writer import FileWriter, OutputForm

if TYPE_CHECKING:
    from unbraid.host import RenderReport
    from unbraid.host.registry import Registry

Samples = npt.NDArray[np.int16]
RATE = 48_000
GIB = 1 << 30
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def noise(samples: int = 20_000, channels: int = 2) -> Samples:
    """No value is small, so that no four bytes of it are 0, and its bytes make no chunk."""
    values = np.random.default_rng(11).integers(1000, 30_000, (samples, channels))
    return values.astype(np.int16)


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    """A chunk, padded, which may lie about its size."""
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def fmt(tag: int = 1, channels: int = 2, rate: int = RATE, bits: int = 16, align: int | None = None) -> bytes:
    align = channels * bits // 8 if align is None else align
    return struct.pack("<HHIIHH", tag, channels, rate, rate * align, align, bits)


def extensible(mask: int, channels: int = 2, bits: int = 16, valid: int = 16) -> bytes:
    return fmt(0xFFFE, channels, bits=bits) + struct.pack("<HHI", 22, valid, mask) + PCM_GUID


def riff(*chunks: bytes, form: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return form + struct.pack("<I", len(body) if size is None else size) + body


def ds64(riff_size: int, data: int, samples: int = 0, table: bytes = b"", count: int = 0) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", riff_size, data, samples, count) + table)


SOUND = noise().tobytes()
FMT, DATA = chunk(b"fmt ", fmt()), chunk(b"data", SOUND)


def unity() -> Graph:
    graph = Graph()
    graph.output("out", graph.node("level", "gain", graph.input("mix")))
    return graph


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def read(path: Path, *, salvage: bool = False) -> tuple[Samples, Any]:
    """Return the samples of a 16-bit file as ``[n, channels]``, and its closed source."""
    with closing(open_input(path, InputForm(salvage=salvage))) as source:
        blocks = []
        while True:
            block = np.empty((source.layout.channels, 7001), np.float32)
            count = source.read(block)
            blocks.append((block[:, :count] * 32768).T.astype(np.int16))
            if count < block.shape[1]:
                return np.concatenate(blocks), source


def refused(path: Path, *parts: str, salvage: bool = False) -> str:
    """Read a file that must be refused in one line that names it; return the line."""
    with pytest.raises(MediaError) as caught:
        read(path, salvage=salvage)
    text = str(caught.value)
    assert "\n" not in text
    for part in (str(path), *parts):
        assert part in text
    return text


def walked(path: Path) -> tuple[bytes, int, list[tuple[bytes, int, bytes]]]:
    """Return a file's form, the size it states, and each chunk: id, size, body. Nothing of this is ours."""
    data, found, long = path.read_bytes(), [], b""
    stated, at = int.from_bytes(data[4:8], "little"), 12
    assert data[8:12] == b"WAVE"
    while at < len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"ds64":
            long = data[at + 8 : at + 8 + size]
            stated = int.from_bytes(long[:8], "little")
        elif name == b"data" and size == 0xFFFFFFFF:
            size = int.from_bytes(long[8:16], "little")
        found.append((name, size, data[at + 8 : at + 8 + size]))
        at += 8 + size
        assert data[at : at + size % 2] == b"\0" * (size % 2), "padding is there, and zero"
        at += size % 2
    assert at == len(data)
    return data[:4], stated, found


# A header that lies

#: What the file holds, and what its error must say. None of these is read as something else.
LIES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "data larger than the file": (
        riff(FMT, chunk(b"data", SOUND, 4 * 25_000)),
        ("declares 25000 samples", "ends after 20000", "5000 are missing", "export it again"),
    ),
    "data smaller, with sound behind": (
        riff(FMT, chunk(b"data", SOUND, 4 * 5_000)),
        ("declares 5000 samples", "15000 more", "header is wrong", "--salvage"),
    ),
    "data of 0, with sound behind": (
        riff(FMT, chunk(b"data", SOUND, 0)),
        ("declares 0 samples", "20000 more", "--salvage"),
    ),
    "data of 0, with nothing behind": (riff(FMT, chunk(b"data", b"")), ("holds no samples",)),
    "fewer bytes than a sample": (riff(FMT, chunk(b"data", b"abc")), ("holds no samples",)),
    "stereo said to be one channel of 16 bits": (
        riff(chunk(b"fmt ", fmt(channels=1, align=4)), DATA),
        ("contradicts itself: 16 bits, 1 channels, 4 bytes", "export it again"),
    ),
    "16 bits said to be 24": (
        riff(chunk(b"fmt ", fmt(bits=24, align=4)), DATA),
        ("contradicts itself: 24 bits, 2 channels, 4 bytes",),
    ),
    "24 bits in 4 bytes, which some take for float": (
        riff(chunk(b"fmt ", fmt(channels=1, bits=24, align=4)), DATA),
        ("contradicts itself: 24 bits, 1 channels, 4 bytes",),
    ),
    "16 bits said to be 8": (
        riff(chunk(b"fmt ", fmt(bits=8, align=4)), DATA),
        ("contradicts itself: 8 bits, 2 channels, 4 bytes",),
    ),
    "samples of no bits": (riff(chunk(b"fmt ", fmt(bits=0, align=4)), DATA), ("contradicts itself: 0 bits",)),
    "samples of no bytes": (
        riff(chunk(b"fmt ", fmt(align=0)), DATA),
        ("contradicts itself: 16 bits, 2 channels, 0 bytes",),
    ),
    "an align that the channels do not divide": (
        riff(chunk(b"fmt ", fmt(channels=3, align=4)), DATA),
        ("contradicts itself: 16 bits, 3 channels, 4 bytes",),
    ),
    "float of 16 bits": (riff(chunk(b"fmt ", fmt(tag=3)), DATA), ("contradicts itself: 16 bits",)),
    "no channels": (riff(chunk(b"fmt ", fmt(channels=0, align=4)), DATA), ("0 channels", "export it again")),
    "more channels than there can be": (
        riff(chunk(b"fmt ", fmt(channels=65_535, align=4)), DATA),
        ("65535 channels",),
    ),
    "0 Hz": (riff(chunk(b"fmt ", fmt(rate=0)), DATA), ("0 Hz", "export it again")),
    "no fmt": (riff(DATA), ("without a fmt chunk", "export it again")),
    "a fmt of 14 bytes": (riff(chunk(b"fmt ", fmt()[:14]), DATA), ("fmt chunk has 14 bytes instead of 16",)),
    "a fmt of nothing": (riff(chunk(b"fmt ", b""), DATA), ("fmt chunk has 0 bytes",)),
    "no data": (riff(FMT), ("without a data chunk", "export it again")),
    "a chunk before the sound that ends beyond the file": (
        riff(FMT, chunk(b"junk", b"", 1 << 30), DATA),
        ("without a data chunk",),
    ),
    "an odd chunk before the sound without its padding": (
        riff(FMT, b"note" + struct.pack("<I", 3) + b"abc", DATA),
        ("without a data chunk",),
    ),
    "RF64 whose ds64 says more than there is": (
        riff(ds64(0, 4 * 25_000), FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF),
        ("declares 25000 samples", "5000 are missing"),
    ),
    "RF64 whose ds64 says less than there is": (
        riff(ds64(0, 4 * 5_000), FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF),
        ("declares 5000 samples", "15000 more", "--salvage"),
    ),
    "RF64 whose data chunk, not ds64, says less than there is": (
        riff(ds64(0, len(SOUND)), FMT, chunk(b"data", SOUND, 4 * 5_000), form=b"RF64", size=0xFFFFFFFF),
        ("declares 5000 samples", "15000 more", "--salvage"),
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_in_one_line_with_the_remedy(tmp_path: Path, lie: str) -> None:
    data, parts = LIES[lie]
    refused(put(tmp_path / "in.wav", data), *parts)


def test_a_header_that_lies_leaves_no_output(tmp_path: Path, registry: Registry) -> None:
    source = put(tmp_path / "in.wav", LIES["data smaller, with sound behind"][0])
    with pytest.raises(MediaError, match="declares 5000 samples"):
        render(unity(), source, tmp_path / "o", registry=registry)
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


#: What the file holds, the warning it gives (a part of it), and how many of its samples are taken.
WARNED: dict[str, tuple[bytes, str, int]] = {
    "a second data chunk": (riff(FMT, DATA, chunk(b"data", SOUND[:400])), "a second data chunk", 20_000),
    "a few bytes behind that are no chunk": (
        riff(FMT, chunk(b"data", SOUND, 4 * 19_990)),
        "40 bytes after its sound are no chunk",
        19_990,
    ),
    "a sound that ends within a sample": (
        riff(FMT, chunk(b"data", SOUND[:-1])),
        "ends in the middle of a sample; its 3 bytes",
        19_999,
    ),
    "an odd sound without padding, and a chunk behind": (
        riff(
            chunk(b"fmt ", fmt(channels=1, bits=24)),
            b"data" + struct.pack("<I", 3 * 9_001) + SOUND[: 3 * 9_001],
            chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Rain\0")),
        ),
        "bytes after its sound are no chunk",
        9_001,
    ),
    "a chunk behind that is cut short": (
        riff(FMT, DATA, b"bext" + struct.pack("<I", 602) + b"Rain"),
        "'bext' is cut short",
        20_000,
    ),
    "a chunk behind that is too long to carry": (
        riff(FMT, DATA, chunk(b"iXML", b"<BWFXML>", 0x7F000000)),
        "'iXML' is not carried",
        20_000,
    ),
    "RF64 without ds64": (
        riff(FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF),
        "no ds64 chunk says how long its sound is",
        20_000,
    ),
    "RF64 with a short ds64": (
        riff(
            chunk(b"ds64", bytes(20)), FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF
        ),
        "no ds64 chunk says how long its sound is",
        20_000,
    ),
    "RF64 whose ds64 comes after the sound": (
        riff(FMT, chunk(b"data", SOUND, 0xFFFFFFFF), ds64(0, len(SOUND)), form=b"RF64", size=0xFFFFFFFF),
        "no ds64 chunk says how long its sound is",
        20_009,
    ),
    "BW64 whose ds64 says what no disk holds": (
        riff(ds64(0, (1 << 63) + 5), FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"BW64", size=0xFFFFFFFF),
        "no ds64 chunk says how long its sound is",
        20_000,
    ),
}


@pytest.mark.parametrize("oddity", WARNED)
def test_what_can_be_read_in_one_way_alone_is_read_with_a_warning_in_the_report(
    tmp_path: Path, registry: Registry, oddity: str
) -> None:
    data, warning, length = WARNED[oddity]
    source = put(tmp_path / "in.wav", data)
    report = render(unity(), source, tmp_path / "o", registry=registry, options=RenderOptions(dither="none"))
    lines = [line for line in report.warnings if warning in line]
    assert len(lines) == 1
    assert lines[0].startswith(str(source))
    assert "\n" not in lines[0]
    assert report.outputs[0].length == length
    found = soundfile.read(tmp_path / "o" / "in.out.wav", dtype="int32", always_2d=True)[0]
    width = 3 if found.shape[1] == 1 else 2
    held = found.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()
    start = data.index(b"data") + 8
    assert held == data[start : start + len(held)]


#: What may look odd and is not: the same samples, and not a word.
FINE: dict[str, bytes] = {
    "plain": riff(FMT, DATA),
    "RIFF says less than there is": riff(FMT, DATA, size=36),
    "RIFF says more than there is": riff(FMT, DATA, size=0x7FFFFFFF),
    "RIFF says nothing": riff(FMT, DATA, size=0),
    "a byte rate that is wrong": riff(chunk(b"fmt ", fmt()[:8] + bytes(4) + fmt()[12:]), DATA),
    "fmt after data": riff(DATA, FMT),
    "a fmt of 18 bytes": riff(chunk(b"fmt ", fmt() + b"\0\0"), DATA),
    "extensible": riff(chunk(b"fmt ", extensible(0x3)), DATA),
    "chunks around": riff(
        chunk(b"JUNK", bytes(28)), FMT, chunk(b"FLLR", b"odd"), DATA, chunk(b"PEAK", b"\1" * 9)
    ),
    "the last chunk lacks its padding": riff(FMT, DATA, chunk(b"FLLR", b"odd"))[:-1],
    "RF64": riff(ds64(0, len(SOUND)), FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF),
    "RF64 with 32-bit sizes": riff(ds64(0, len(SOUND)), FMT, DATA, form=b"RF64", size=0xFFFFFFFF),
    "RF64 whose ds64 counts other samples": riff(
        ds64(7, len(SOUND), 7), FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF
    ),
    "BW64 with a long chunk in its table": riff(
        ds64(0, len(SOUND), 0, b"axml" + struct.pack("<Q", 10), 1),
        chunk(b"axml", b"<ebuCore/>", 0xFFFFFFFF),
        FMT,
        chunk(b"data", SOUND, 0xFFFFFFFF),
        form=b"BW64",
        size=0xFFFFFFFF,
    ),
}


@pytest.mark.parametrize("kind", FINE)
def test_what_is_odd_but_true_is_read_without_a_word(tmp_path: Path, kind: str) -> None:
    found, source = read(put(tmp_path / "in.wav", FINE[kind]))
    np.testing.assert_array_equal(found, noise())
    assert (source.warnings, source.salvaged, source.rate) == ([], None, RATE)


#: Written into a pipe, then kept as a file.
PIPED = {
    "RF64 from a pipe": riff(
        ds64(0, 0), FMT, chunk(b"data", SOUND, 0xFFFFFFFF), form=b"RF64", size=0xFFFFFFFF
    ),
    "from a pipe": riff(FMT, chunk(b"data", SOUND, 0xFFFFFFFF), size=0xFFFFFFFF),
    "from a pipe, as sox has it": riff(FMT, chunk(b"data", SOUND, 0x7FFFF000), size=0x7FFFF024),
}


@pytest.mark.parametrize("kind", PIPED)
def test_what_a_pipe_left_is_read_to_its_end_and_told(tmp_path: Path, kind: str) -> None:
    """A copy of a large file that broke off would look the same."""
    found, source = read(put(tmp_path / "in.wav", PIPED[kind]))
    np.testing.assert_array_equal(found, noise())
    assert len(source.warnings) == 1
    assert "does not say how long it is" in source.warnings[0]


def test_chunks_and_tags_that_do_not_travel_are_told(tmp_path: Path, registry: Registry) -> None:
    info = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Rain\0"))
    put(tmp_path / "in.wav", riff(FMT, DATA, chunk(b"cart", b"ad"), chunk(b"_PMX", b"xml "), info))
    report = render(unity(), tmp_path / "in.wav", tmp_path / "o", registry=registry)
    assert any("do not carry: 'cart', '_PMX'" in line for line in report.warnings)


@pytest.mark.parametrize("behind", [b"", chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Rain\0"))])
@pytest.mark.parametrize("more", [0, 4 * 1000])
def test_a_size_that_wrapped_at_4_gib_is_seen(tmp_path: Path, more: int, behind: bytes) -> None:
    """Sparse: 4 GiB of silence between two sounds take no room on the disk."""
    path, size = tmp_path / "in.wav", 4 * GIB + more
    with path.open("wb") as file:
        file.write(riff(FMT, chunk(b"data", SOUND, size % (1 << 32))))
        file.seek(44 + size)
        file.write(behind)
        file.truncate()
        os.truncate(path, 44 + size + len(behind))
    text = refused(path, f"declares {more // 4} samples", "--salvage")
    assert f"{(4 * GIB + len(behind)) // 4} more" in text
    with closing(open_input(path, InputForm(salvage=True))) as source:
        block = np.empty((2, 20_000), np.float32)
        assert source.read(block) == 20_000
        np.testing.assert_array_equal((block * 32768).T.astype(np.int16), noise())
        assert source.salvaged == (more // 4, (size + len(behind)) // 4)


@pytest.mark.parametrize("size", [0x7FFF0000, 0x7FFFFFFC, 0x80000000])
def test_a_file_of_2_gib_is_no_pipe_and_its_tags_are_no_sound(tmp_path: Path, size: int) -> None:
    path = tmp_path / "in.wav"
    with path.open("wb") as file:
        file.write(riff(FMT, chunk(b"data", SOUND, size)))
        file.seek(44 + size)
        file.write(chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Rain\0")))
    with closing(open_input(path)) as source:
        assert (source.length, dict(source.metadata.tags)) == (size // 4, {"title": "Rain"})


def test_a_fmt_after_the_sound_comes_too_late_on_a_pipe(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, riff(chunk(b"data", SOUND[:400]), FMT))
    os.close(writer)
    try:
        with pytest.raises(MediaError, match="without a fmt chunk"):
            open_input(f"/dev/fd/{reader}")
    finally:
        os.close(reader)


def test_a_walk_through_no_chunks_at_all_ends(tmp_path: Path) -> None:
    """A gigabyte of zeros reads as chunks of no name and no size."""
    path = put(tmp_path / "zeros", b"")
    os.truncate(path, GIB)
    with path.open("rb", buffering=0) as file:
        found = list(walk(FileBytes(file)))
    assert found[0] == Chunk(bytes(4), 0, 8)
    assert len(found) == 4096


def test_20_bits_fill_3_bytes_and_valid_bits_are_no_container(tmp_path: Path) -> None:
    """WAVEFORMATEX rounds bits up to bytes; WAVEFORMATEXTENSIBLE says both."""
    three = SOUND[: 3 * 2000]
    as_24 = soundfile.read(
        put(tmp_path / "a.wav", riff(chunk(b"fmt ", fmt(channels=1, bits=24)), chunk(b"data", three)))
    )
    with closing(
        open_input(
            put(
                tmp_path / "b.wav",
                riff(chunk(b"fmt ", fmt(channels=1, bits=20, align=3)), chunk(b"data", three)),
            )
        )
    ) as source:
        block = np.empty((1, 2000), np.float32)
        assert source.read(block) == 2000
    np.testing.assert_array_equal(block[0], as_24[0])
    four = riff(chunk(b"fmt ", extensible(0x4, 1, bits=32, valid=24)), chunk(b"data", SOUND))
    with closing(open_input(put(tmp_path / "c.wav", four))) as source:
        assert (source.length, source.subtype) == (len(SOUND) // 4, "PCM_32")


# The broadcast extension

#: EBU Tech 3285 v2, section 2.3: field, its place in the chunk's body, its bytes.
PLACES = {
    "Description": (0, 256),
    "Originator": (256, 32),
    "OriginatorReference": (288, 32),
    "OriginationDate": (320, 10),
    "OriginationTime": (330, 8),
    "TimeReferenceLow": (338, 4),
    "TimeReferenceHigh": (342, 4),
    "Version": (346, 2),
    "UMID": (348, 64),
    "LoudnessValue": (412, 2),
    "LoudnessRange": (414, 2),
    "MaxTruePeakLevel": (416, 2),
    "MaxMomentaryLoudness": (418, 2),
    "MaxShortTermLoudness": (420, 2),
    "Reserved": (422, 180),
}
HISTORY = 602
TEXTS = {
    "Description": b"Rain on a tin roof, caf\xe9",  # Latin-1
    "Originator": b"\xff\xfe recorder",
    "OriginatorReference": b"CHABC0012345612053000123456789A\xe9",  # as long as its field
    "OriginationDate": b"2024-02-29",
    "OriginationTime": b"23:59:58",
}
FAR = (3 << 32) + 7
UMID = bytes(range(64))
LOUDNESS = (-2312, 450, -101, -1801, -2003)


def body(version: int, history: bytes = b"") -> bytes:
    """A chunk's body, put together by the table."""
    made = bytearray(HISTORY)
    for name, text in TEXTS.items():
        at, size = PLACES[name]
        assert len(text) <= size
        made[at : at + len(text)] = text
    made[338:342], made[342:346] = (7).to_bytes(4, "little"), (3).to_bytes(4, "little")
    made[346:348] = version.to_bytes(2, "little")
    if version >= 1:
        made[348:412] = UMID
    if version >= 2:
        for i, value in enumerate(LOUDNESS):
            made[412 + 2 * i : 414 + 2 * i] = value.to_bytes(2, "little", signed=True)
    return bytes(made) + history


def test_the_table_of_tech_3285_is_without_gaps() -> None:
    ends = [at + size for at, size in PLACES.values()]
    assert [at for at, _ in PLACES.values()] == [0, *ends[:-1]]
    assert ends[-1] == HISTORY


@pytest.mark.parametrize("history", [b"", b"A=PCM,F=48000,W=24,M=mono,T=caf\xe9\r\n"])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_broadcast_extension_is_read_and_built_as_tech_3285_has_it(version: int, history: bytes) -> None:
    found = parse_bext(body(version, history))
    assert found is not None
    raw = {
        "Description": found.description,
        "Originator": found.originator,
        "OriginatorReference": found.originator_reference,
        "OriginationDate": found.origination_date,
        "OriginationTime": found.origination_time,
    }
    assert {name: text.encode("utf-8", "surrogateescape") for name, text in raw.items()} == TEXTS
    assert (found.time_reference, found.version) == (FAR, version)
    assert found.umid == (UMID if version >= 1 else bytes(64))
    assert found.loudness == (LOUDNESS if version >= 2 else (0x7FFF,) * 5)
    assert found.coding_history.encode("utf-8", "surrogateescape") == history
    made = build_bext(found)
    assert made[: HISTORY + len(history)] == body(version, history)
    assert made[HISTORY + len(history) :] == b"\0" * (len(history) % 2)


def test_what_is_reserved_in_a_version_is_neither_believed_nor_repeated() -> None:
    """Before version 1 the UMID's place is reserved, before 2 that of loudness; some leave rubbish there."""
    dirty = bytearray(body(0))
    dirty[348:602] = b"\x55" * 254
    found = parse_bext(bytes(dirty))
    assert found is not None
    assert (found.umid, found.loudness) == (bytes(64), (0x7FFF,) * 5)
    assert build_bext(found)[348:602] == bytes(254)
    assert build_bext(Bext(version=0, umid=UMID, loudness=LOUDNESS))[348:602] == bytes(254)
    assert build_bext(Bext(version=1, umid=UMID, loudness=LOUDNESS))[348:602] == UMID + bytes(190)


@pytest.mark.parametrize("size", [0, 1, 346, 601])
def test_a_broadcast_extension_that_is_too_short_is_none_and_the_sound_is_read(
    tmp_path: Path, size: int
) -> None:
    assert parse_bext(body(1)[:size]) is None
    found, source = read(put(tmp_path / "in.wav", riff(chunk(b"bext", body(1)[:size]), FMT, DATA)))
    np.testing.assert_array_equal(found, noise())
    assert source.metadata.bext is None


def test_texts_too_long_for_their_fields_are_cut_at_a_whole_character() -> None:
    made = build_bext(Bext(description="é" * 200, originator="x" + "é" * 20, origination_date="2024-02-291"))
    assert made[:256] == "é".encode() * 128
    assert made[256:288] == b"x" + "é".encode() * 15 + b"\0"
    assert made[320:330] == b"2024-02-29"
    assert len(made) == HISTORY


def with_bext(path: Path, version: int, history: bytes = b"") -> Path:
    return put(path, riff(chunk(b"bext", body(version, history)), FMT, DATA))


def rendered_bext(report: RenderReport) -> bytes:
    return next(found for name, _, found in walked(report.outputs[0].path)[2] if name == b"bext")


@pytest.mark.parametrize("history", [b"", b"A=ANALOGUE,M=stereo,T=Studer\r\n"])
@pytest.mark.parametrize("version", [0, 1, 2])
def test_an_output_keeps_origin_and_time_loses_what_measured_the_input_and_adds_one_line(
    tmp_path: Path, registry: Registry, version: int, history: bytes
) -> None:
    source = with_bext(tmp_path / "in.wav", version, history)
    made = rendered_bext(render(unity(), source, tmp_path / "o", registry=registry))
    assert made[:346] == body(version)[:346]  # texts, and the time reference
    assert int.from_bytes(made[346:348], "little") == min(version, 1)  # without loudness it isn't version 2
    assert made[348:602] == bytes(254)  # neither UMID nor loudness
    assert made[602 : 602 + len(history)] == history
    lines = made[602 + len(history) :].rstrip(b"\0").split(b"\r\n")
    assert len(lines) == 2
    assert lines[0].startswith(b"A=PCM,F=48000,W=16,M=stereo,T=Unbraid ")
    assert lines[1] == b""


@pytest.mark.parametrize(("rate", "expected"), [(96_000, 2 * FAR), (24_000, (FAR + 1) // 2), (48_000, FAR)])
def test_the_time_reference_counts_samples_of_the_outputs_rate(
    tmp_path: Path, registry: Registry, rate: int, expected: int
) -> None:
    source, options = with_bext(tmp_path / "in.wav", 1), RenderOptions(output_rate=rate)
    made = rendered_bext(render(unity(), source, tmp_path / "o", registry=registry, options=options))
    assert int.from_bytes(made[338:346], "little") == expected
    assert f",F={rate},".encode() in made[602:]


def test_a_time_reference_of_64_bits_survives_any_rate(tmp_path: Path, registry: Registry) -> None:
    late = bytearray(body(1))
    late[338:346] = b"\xff" * 8
    source = put(tmp_path / "in.wav", riff(chunk(b"bext", bytes(late)), FMT, DATA))
    for rate, expected in ((48_000, (1 << 64) - 1), (96_000, (1 << 64) - 1), (24_000, 1 << 63)):
        options = RenderOptions(output_rate=rate)
        report = render(unity(), source, tmp_path / f"{rate}", registry=registry, options=options)
        assert int.from_bytes(rendered_bext(report)[338:346], "little") == expected


# What travels

CARRIED = {
    b"iXML": b"<BWFXML><SCENE>12A</SCENE></BWFXML>",  # of odd size
    b"axml": b"<ebuCoreMain>\xff</ebuCoreMain>",
    b"chna": struct.pack("<HH", 1, 1) + bytes(40),
    b"cue ": struct.pack("<IIIIIII", 1, 1, 480, 0x61746164, 0, 0, 480),
}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("form", ["wav", "rf64", "bw64"])
def test_chunks_come_through_a_render_byte_for_byte(
    tmp_path: Path, registry: Registry, form: Any, where: str
) -> None:
    assert len(CARRIED[b"iXML"]) % 2
    extra = b"".join(chunk(name, data) for name, data in CARRIED.items())
    labels = chunk(b"LIST", b"adtl" + chunk(b"labl", struct.pack("<I", 1) + b"Take\0"))
    tags = chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Caf\xc3\xa9\0") + chunk(b"IENG", b"Ada\0"))
    parts = [FMT, extra + labels + tags, DATA] if where == "before" else [FMT, DATA, extra + labels + tags]
    source = put(tmp_path / "in.wav", riff(*parts))
    report = render(unity(), source, tmp_path / "o", registry=registry, options=RenderOptions(form=form))
    assert report.warnings == ()
    _, _, found = walked(report.outputs[0].path)
    assert {name: data for name, _, data in found if name in CARRIED} == CARRIED
    lists = [data for name, _, data in found if name == b"LIST"]
    assert labels[8:] in lists
    (info,) = (data for data in lists if data.startswith(b"INFO"))
    assert chunk(b"INAM", b"Caf\xc3\xa9\0") in info
    assert chunk(b"IENG", b"Ada\0") in info


def test_the_first_of_two_chunks_that_say_the_same_wins(tmp_path: Path) -> None:
    twice = [chunk(b"iXML", b"<first/>"), chunk(b"iXML", b"<second/>")]
    names = [chunk(b"LIST", b"INFO" + chunk(b"INAM", text)) for text in (b"First\0", b"Second\0")]
    _, source = read(put(tmp_path / "in.wav", riff(*twice, *names, FMT, FMT, DATA)))
    assert (source.metadata.ixml, dict(source.metadata.tags)) == (b"<first/>", {"title": "First"})


def test_tags_in_the_writing_of_windows_keep_their_letters() -> None:
    body = b"INFO" + chunk(b"INAM", b"Caf\xe9 \x96 Z\xfcrich\0") + chunk(b"IART", "Ådí".encode() + b"\0")
    assert parse_info(body) == {"title": "Café – Zürich", "artist": "Ådí"}


@pytest.mark.parametrize("mask", [0x3F, 0x60F])
def test_the_mask_of_an_extensible_fmt_comes_out_as_it_was(
    tmp_path: Path, registry: Registry, mask: int
) -> None:
    values = noise(3000, 6)
    data = riff(chunk(b"fmt ", extensible(mask, 6)), chunk(b"data", values.tobytes()))
    options = RenderOptions(dither="none")
    report = render(
        unity(), put(tmp_path / "in.wav", data), tmp_path / "o", registry=registry, options=options
    )
    assert report.inputs["mix"].layout == "5.1"
    _, _, found = walked(report.outputs[0].path)
    made = next(body for name, _, body in found if name == b"fmt ")
    assert made == fmt(0xFFFE, 6) + struct.pack("<HHI", 22, 16, mask) + PCM_GUID


# Every size that we write is true


@pytest.mark.parametrize("known", [True, False], ids=["length known", "length unknown"])
@pytest.mark.parametrize("form", ["wav", "rf64", "bw64"])
def test_a_short_file_has_the_form_that_was_asked_for(tmp_path: Path, form: str, known: bool) -> None:
    path = tmp_path / "out.wav"
    asked = OutputForm(RATE, Layout.parse("mono"), 5 if known else None, "PCM_24", form, dither="none")
    writer = FileWriter(path, asked)
    writer.write(np.array([[0.5, -0.5, 0.25, 0, -1]], np.float32))
    writer.finish()
    writer.commit()
    magic, stated, found = walked(path)
    assert (magic, stated) == (b"RIFF" if form == "wav" else form.upper().encode(), path.stat().st_size - 8)
    names = [name for name, _, _ in found]
    assert names == {"wav": [b"fmt ", b"data"] if known else [b"JUNK", b"fmt ", b"data"]}.get(
        form, [b"ds64", b"fmt ", b"data"]
    )
    assert found[-1][2].hex() == "0000400000c0000020000000000080"
    if form != "wav":
        # ds64: bytes of RIFF, bytes of data, samples, no table; the 32-bit sizes say that it holds them
        assert found[0][2] == struct.pack("<QQQI", path.stat().st_size - 8, 15, 5, 0)
        raw = path.read_bytes()
        assert raw[4:8] == raw[raw.index(b"data") + 4 :][:4] == b"\xff" * 4


def head(form: str = "wav", length: int | None = None, **more: Any) -> WaveHead:
    """The head of a 16-bit mono file: two bytes a sample."""
    return WaveHead(form, "s16le", RATE, by_count(1), length, Metadata(**more))


LIMIT = (1 << 32) - (1 << 20)
AROUND = [0, 1, 2 * GIB, 4 * GIB - (2 << 20), LIMIT - 1000, LIMIT - 81, LIMIT - 80, LIMIT, 4 * GIB, 9 * GIB]


@pytest.mark.parametrize("size", AROUND)
@pytest.mark.parametrize("known", [True, False], ids=["length known", "length unknown"])
@pytest.mark.parametrize(
    ("form", "adm", "long"),
    [
        ("wav", {}, b"RF64"),
        ("wav", {"axml": b"<odd/>x"}, b"BW64"),
        ("wav", {"chna": bytes(44)}, b"BW64"),
        ("rf64", {"axml": b"<odd/>x"}, b"RF64"),
        ("bw64", {}, b"BW64"),
    ],
)
def test_the_arithmetic_of_heads_at_4_gib(
    form: str, adm: dict[str, bytes], long: bytes, known: bool, size: int
) -> None:
    samples = size // 2
    size = samples * 2
    written = head(form, samples if known else None, **adm)
    first, last = written.bytes(0), written.bytes(samples, behind=50)
    assert len(first) == len(last), "the sound does not move when its length becomes known"
    whole = len(last) + size + 50
    magic, stated, data = last[:4], int.from_bytes(last[4:8], "little"), int.from_bytes(last[-4:], "little")
    assert last[-8:-4] == b"data"
    if magic == b"RIFF":
        assert form == "wav"
        assert (stated, data) == (whole - 8, size)
        assert whole <= 4 * GIB - (1 << 20) + 50 + 36
    else:
        assert magic == long
        assert form != "wav" or whole > LIMIT
        assert (stated, data) == (0xFFFFFFFF, 0xFFFFFFFF)
        assert last[12:20] == b"ds64" + struct.pack("<I", 28)
        assert struct.unpack("<QQQI", last[20:48]) == (whole - 8, size, samples, 0)
    if size >= LIMIT:
        assert magic == long


@pytest.mark.parametrize("size", [LIMIT - 200, LIMIT - (2 << 20)])
def test_tags_of_megabytes_behind_the_sound_count_too(size: int) -> None:
    """Together with them it is beyond 4 GiB, though the sound alone is not."""
    tags = {"comment": "x" * (4 << 20)}
    written = head(length=size // 2, tags=tags)
    last = written.bytes(size // 2, behind=(4 << 20) + 22)
    whole = len(last) + size + (4 << 20) + 22
    assert whole > 4 * GIB
    assert last[:4] == b"RF64"
    assert struct.unpack("<Q", last[20:28])[0] == whole - 8
    assert len(written.bytes(0)) == len(last)


def test_the_room_for_64_bit_sizes_is_left_only_where_it_may_be_needed() -> None:
    assert head(length=1000).bytes(1000)[12:16] == b"fmt "
    assert head(length=None).bytes(1000)[12:20] == b"JUNK" + struct.pack("<I", 28)
    assert head(length=3 * GIB).bytes(1000)[12:16] == b"JUNK"


# Any metadata, any number of samples

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
_RAW = st.binary(max_size=60).filter(lambda raw: b"\0" not in raw)
_FIELD = _RAW.map(lambda raw: raw.decode("utf-8", "surrogateescape"))


def _field(limit: int) -> st.SearchStrategy[str]:
    return (
        st.binary(max_size=limit)
        .filter(lambda raw: b"\0" not in raw)
        .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
    )


_LOUD = st.tuples(*[st.integers(-(1 << 15), (1 << 15) - 1)] * 5)


@st.composite
def _bexts(draw: st.DrawFn) -> Bext:
    version = draw(st.integers(0, 3))
    return Bext(
        draw(_field(256)),
        draw(_field(32)),
        draw(_field(32)),
        draw(_field(10)),
        draw(_field(8)),
        draw(st.integers(0, (1 << 64) - 1)),
        version,
        draw(st.binary(min_size=64, max_size=64)) if version >= 1 else bytes(64),
        draw(_LOUD) if version >= 2 else (0x7FFF,) * 5,
        draw(_FIELD),
    )


_NAMES = ["title", "artist", "album", "date", "comment", "genre", "tracknumber", "copyright", "software"]
_TAGS = st.dictionaries(st.sampled_from([*_NAMES, "language", "IENG", "ISRC", "X123"]), _TEXT, max_size=5)
_CHUNK = st.none() | st.binary(max_size=301)
_METADATA = st.builds(
    Metadata,
    tags=_TAGS,
    bext=st.none() | _bexts(),
    ixml=_CHUNK,
    axml=_CHUNK,
    chna=_CHUNK,
    cue=_CHUNK,
    adtl=st.none() | st.binary(max_size=99).map(lambda raw: b"adtl" + raw),
)
_SHAPES = st.sampled_from(["mono", "stereo", "discrete:3", "5.1", "7.1", "7.1.4", "discrete:17"])


@settings(max_examples=120)
@given(
    metadata=_METADATA,
    samples=st.integers(1, 300),
    layout=_SHAPES,
    subtype=st.sampled_from(["PCM_16", "PCM_24", "PCM_32", "FLOAT"]),
    form=st.sampled_from(["wav", "rf64", "bw64"]),
    known=st.booleans(),
    notes=st.lists(st.just("salvaged from a: 1 samples"), max_size=2),
)
@example(
    metadata=Metadata(ixml=b"", cue=b"x"),
    samples=1,
    layout="mono",
    subtype="PCM_24",
    form="wav",
    known=True,
    notes=[],
)
def test_any_metadata_and_any_sound_come_back_and_every_size_is_true(
    metadata: Metadata, samples: int, layout: str, subtype: str, form: str, known: bool, notes: list[str]
) -> None:
    shape = Layout.parse(layout)
    values = np.random.default_rng(samples).integers(-(1 << 15), 1 << 15, (shape.channels, samples)) / 2.0**15
    sound = values.astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.wav"
        length = samples if known else None
        asked = OutputForm(RATE, shape, length, subtype, form, dither="none", metadata=metadata)
        writer = FileWriter(path, asked)
        writer.write(sound[:, : samples // 2])
        writer.write(sound[:, samples // 2 :])
        writer.finish(notes)
        writer.commit()
        magic, stated, found = walked(path)
        assert (magic, stated) == (
            b"RIFF" if form == "wav" else form.upper().encode(),
            path.stat().st_size - 8,
        )
        frame = shape.channels * {"PCM_16": 2, "PCM_24": 3}.get(subtype, 4)
        assert [size for name, size, _ in found if name == b"data"] == [samples * frame]
        with closing(open_input(path)) as source:
            block = np.empty((shape.channels, samples + 1), np.float32)
            assert source.read(block) == samples
            back = source.metadata
            assert (source.length, source.warnings) == (samples, [])
    np.testing.assert_array_equal(block[:, :-1], sound)
    tags = dict(metadata.tags)
    if notes:
        tags["comment"] = "; ".join([*([tags["comment"]] if "comment" in tags else []), *notes])
    assert dict(back.tags) == tags
    assert (back.ixml, back.axml, back.chna, back.cue, back.adtl) == (
        metadata.ixml,
        metadata.axml,
        metadata.chna,
        metadata.cue,
        metadata.adtl,
    )
    assert back.bext == metadata.bext
    # One and two channels are plain and say no mask; so does what no mask can name.
    assert back.mask == (0 if shape.channels <= 2 else for_file(shape).mask)
