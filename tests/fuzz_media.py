"""Damaged sound files by the thousand: each is a clean error, or finite sound of the length it declares.

Every case is a whole file of some format, damaged in ways that reach deep: sizes and counts that lie,
chunks, pages and frames left out, doubled or moved (with their checksums put right again), bits turned,
pieces cut out, zeroed, or taken from another format. It is opened as a render opens it: read, rendered,
salvaged, through a pipe, or by ffmpeg. Cases run in child processes that say which case they begin, so that a
crash or a case without end is known by its number, and under a limit of memory.

`test_media_fuzz` runs 3,000. By hand, ten minutes on two cores, with every finding and all counts printed:

    python tests/fuzz_media.py 100000

One case again, with its file kept, and the fault with its traceback:

    python tests/fuzz_media.py --case rf64 4711 /tmp/case.wav
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import soundfile

from unbraid import Graph, MediaError, render
from unbraid.host import RenderOptions
from unbraid.host.contract.audio import Layout
from unbraid.host.contract.errors import GraphError
from unbraid.host.media.film import ffmpeg
from unbraid.host.media.metadata import Metadata
from unbraid.host.media.open_input import InputForm, open_input
from unbraid.host.media.wave.bext import Bext
from unbraid.host.media.writer import FileWriter, OutputForm
from unbraid.host.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from unbraid.host.media.source import Source

__all__ = ["FORMS", "WAYS", "Findings", "case", "fuzz", "seed"]

RATE = 48_000
#: Seconds that a case may take, and bytes of memory that it may use beside what the process has.
LIMIT_S = 10.0
LIMIT_BYTES = 1 << 30
LIMIT_TOUCHED = 256 << 20
_BATCH = 250
_MOST_CHILDREN = 6


# Whole files

Order = Literal["little", "big"]
Fields = list[tuple[int, int, Order]]
Units = list[tuple[int, int]]


@dataclass(frozen=True)
class Seed:
    """A whole file.

    Attributes:
        suffix: of its name.
        data: its bytes.
        samples: per channel.
        fields: where numbers stand in it: offset, width, order of bytes.
        units: the parts that it consists of, end to end: chunks, pages, frames.
    """

    suffix: str
    data: bytes
    samples: int
    fields: Fields
    units: Units


def _sound(samples: int, channels: int) -> npt.NDArray[np.float32]:
    """Return something between tone and noise, ``[channels, samples]``."""
    random = np.random.default_rng(samples + channels)
    time = np.arange(samples) / RATE
    tones = [0.4 * np.sin(2 * np.pi * 300 * (1 + channel) * time) for channel in range(channels)]
    return (np.stack(tones) + random.uniform(-0.01, 0.01, (channels, samples))).astype(np.float32)


def _ours(
    form: str, subtype: str, layout: str, metadata: Metadata | None = None, samples: int = 1201
) -> tuple[bytes, int]:
    made = Layout.parse(layout)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed"
        asked = OutputForm(RATE, made, samples, subtype, form, dither="none", metadata=metadata or Metadata())
        writer = FileWriter(path, asked)
        writer.write(_sound(samples, made.channels))
        writer.finish()
        writer.commit()
        return path.read_bytes(), samples


def _theirs(form: str, subtype: str | None, channels: int, samples: int = 1201) -> tuple[bytes, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed"
        soundfile.write(path, _sound(samples, channels).T, RATE, format=form, subtype=subtype)
        return path.read_bytes(), samples


def _metadata() -> Metadata:
    cue = struct.pack("<III4sIII", 1, 1, 100, b"data", 0, 0, 100)
    bext = Bext(
        "a street", "recorder", "ref-1", "2024-01-31", "10:11:12", 172_800_000, coding_history="A=PCM\r\n"
    )
    ixml = b"<BWFXML><FILE_SAMPLE_RATE>48000</FILE_SAMPLE_RATE></BWFXML>"
    tags = {"title": "Rain", "artist": "Somebody", "comment": "odd"}
    return Metadata(tags, bext, ixml, cue=cue, adtl=b"adtllabl\x06\0\0\0\x01\0\0\0A\0")


def _adm() -> Metadata:
    chna = struct.pack("<HHH12s14s11sx", 1, 1, 1, b"ATU_00000001", b"AT_00010001_01", b"AP_00010002")
    return Metadata({"title": "ADM"}, axml=b"<ebuCoreMain/>" * 3, chna=chna)


_MAKE: dict[str, tuple[str, Callable[[], tuple[bytes, int]]]] = {
    "wav16": ("wav", lambda: _theirs("WAV", "PCM_16", 2)),
    "wav24": ("wav", lambda: _ours("wav", "PCM_24", "mono")),
    "wavfloat": ("wav", lambda: _ours("wav", "FLOAT", "stereo")),
    "wavadpcm": ("wav", lambda: _theirs("WAV", "MS_ADPCM", 2, 2036)),
    "wavex": ("wav", lambda: _ours("wav", "PCM_16", "5.1", _metadata(), 601)),
    "rf64": ("wav", lambda: _ours("rf64", "PCM_24", "discrete:3", _metadata(), 501)),
    "rf64snd": ("wav", lambda: _theirs("RF64", "PCM_16", 2)),
    "bw64": ("wav", lambda: _ours("bw64", "PCM_24", "7.1.4", _adm(), 301)),
    "flac": ("flac", lambda: _theirs("FLAC", "PCM_16", 2, 9000)),
    "flactags": ("flac", lambda: _ours("flac", "PCM_24", "5.1", _metadata(), 4801)),
    "vorbis": ("ogg", lambda: _theirs("OGG", "VORBIS", 2, 9600)),
    "opus": ("opus", lambda: _theirs("OGG", "OPUS", 2, 9600)),
    "mp3": ("mp3", lambda: _theirs("MP3", None, 2, 9600)),
    "aiff": ("aiff", lambda: _theirs("AIFF", "PCM_24", 2)),
    "w64": ("w64", lambda: _theirs("W64", "PCM_16", 2)),
    "au": ("au", lambda: _theirs("AU", "PCM_16", 1)),
    "caf": ("caf", lambda: _theirs("CAF", "PCM_16", 2)),
}
FORMS = tuple(_MAKE)


@functools.cache
def seed(form: str) -> Seed:
    """Return the whole file from which the cases of a format are made; the same in every process."""
    suffix, make = _MAKE[form]
    data, samples = make()
    if suffix in {"ogg", "opus"}:
        data = _with_serial(data, 0x5EED)
    fields, units = _anatomy(data)
    return Seed(suffix, data, samples, fields, units)


def _anatomy(data: bytes) -> tuple[Fields, Units]:
    """Return where numbers stand in a file, and its parts."""
    known: dict[bytes, Callable[[bytes], tuple[Fields, Units]]] = {
        b"RIFF": _of_riff,
        b"RF64": _of_riff,
        b"BW64": _of_riff,
        b"FORM": _of_riff,
        b"riff": _of_w64,
        b"fLaC": _of_flac,
        b"OggS": _of_ogg,
        b"caff": _of_caf,
        b".snd": _of_au,
    }
    return known.get(data[:4], _of_mp3)(data)


def _of_riff(data: bytes) -> tuple[Fields, Units]:
    order: Order = "big" if data.startswith(b"FORM") else "little"
    fields: Fields = [(4, 4, order)]
    units, at = [(0, 12)], 12
    inside = {b"fmt ": (2, 2, 4, 4, 2, 2, 2, 2, 4, 2), b"ds64": (8, 8, 8, 4), b"COMM": (2, 4, 2, 2, 8)}
    inside |= {b"SSND": (4, 4), b"cue ": (4, 4), b"LIST": (4, 4, 4), b"chna": (2, 2, 2)}
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], order)
        size = len(data) - at - 8 if size == 0xFFFFFFFF else size
        fields.append((at + 4, 4, order))
        place = at + 8
        for width in inside.get(name, ()):
            if place + width <= at + 8 + size:
                fields.append((place, width, order))
            place += width
        end = min(len(data), at + 8 + size + size % 2)
        units.append((at, end))
        at = end
    return fields, units


def _of_w64(data: bytes) -> tuple[Fields, Units]:
    fields: Fields = [(16, 8, "little")]
    units, at = [(0, 40)], 40
    while at + 24 <= len(data):
        size = int.from_bytes(data[at + 16 : at + 24], "little")
        fields.append((at + 16, 8, "little"))
        if data[at : at + 4] == b"fmt ":
            fields += [(at + 24, 2, "little"), (at + 26, 2, "little"), (at + 28, 4, "little")]
            fields += [(at + 36, 2, "little"), (at + 38, 2, "little")]
        end = min(len(data), at + max(24, size + -size % 8))
        units.append((at, end))
        at = end
    return fields, units


def _of_caf(data: bytes) -> tuple[Fields, Units]:
    fields: Fields = [(4, 2, "big"), (6, 2, "big")]
    units, at = [(0, 8)], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 12], "big", signed=True)
        fields.append((at + 4, 8, "big"))
        if data[at : at + 4] == b"desc":
            fields += [(at + 12, 8, "big"), *((at + 24 + 4 * k, 4, "big") for k in range(5))]
        end = len(data) if size < 0 else min(len(data), at + 12 + size)
        units.append((at, end))
        at = end
    return fields, units


def _of_au(data: bytes) -> tuple[Fields, Units]:
    start = int.from_bytes(data[4:8], "big")
    return [(at, 4, "big") for at in range(4, 24, 4)], [(0, 24), (24, start), (start, len(data))]


def _of_flac(data: bytes) -> tuple[Fields, Units]:
    fields: Fields = [(8, 2, "big"), (10, 2, "big"), (12, 3, "big"), (15, 3, "big")]
    fields += [(18, 8, "big"), (18, 3, "big"), (22, 4, "big")]
    units, at, last = [(0, 4)], 4, False
    while not last:
        kind, last = data[at] & 0x7F, data[at] >= 0x80
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        fields += [(at, 1, "big"), (at + 1, 3, "big")]
        if kind == 4:
            fields += [(at + 4, 4, "little")]
            vendor = int.from_bytes(data[at + 4 : at + 8], "little")
            fields += [(at + 8 + vendor, 4, "little"), (at + 12 + vendor, 4, "little")]
        if kind == 2:
            fields += [(at + 8, 4, "little"), (at + 12, 4, "little")]
        units.append((at, at + 4 + size))
        at += 4 + size
    starts = [at]
    for place in range(at + 4, len(data) - 5):
        if data[place : place + 2] == data[at : at + 2] and _crc16(data[starts[-1] : place]) == 0:
            starts.append(place)
    units += zip(starts, [*starts[1:], len(data)], strict=True)
    return fields, units


def _of_ogg(data: bytes) -> tuple[Fields, Units]:
    fields: Fields = []
    units = _pages(data)
    for start, _ in units:
        fields += [(start + 4, 1, "little"), (start + 5, 1, "little"), (start + 6, 8, "little")]
        fields += [(start + 14, 4, "little"), (start + 18, 4, "little"), (start + 26, 1, "little")]
        fields += [(start + 27, 1, "little")]
    head = data.find(b"\x01vorbis", 0, 64)
    if head >= 0:
        fields += [(head + 7, 4, "little"), (head + 11, 1, "little"), (head + 12, 4, "little")]
        fields += [(head + 28, 1, "little")]
    head = data.find(b"OpusHead", 0, 64)
    if head >= 0:
        fields += [(head + 8, 1, "little"), (head + 9, 1, "little"), (head + 10, 2, "little")]
        fields += [(head + 12, 4, "little"), (head + 16, 2, "little"), (head + 18, 1, "little")]
    for mark in (b"\x03vorbis", b"OpusTags"):
        if (tags := data.find(mark)) >= 0:
            fields += [(tags + len(mark), 4, "little")]
    return fields, units


def _of_mp3(data: bytes) -> tuple[Fields, Units]:
    heads = (at for at in range(len(data) - 4) if data[at : at + 2] == data[:2])
    starts = [at for at in heads if data[at + 2] & 0xC == data[2] & 0xC]
    fields: Fields = [(at, 4, "big") for at in starts]
    info = max(data.find(b"Info"), data.find(b"Xing"))
    if info >= 0:
        fields += [(info + 4 * k, 4, "big") for k in range(1, 4)] * 4 + [(info + 141, 3, "big")]
    return fields, list(zip(starts, [*starts[1:], len(data)], strict=True))


def _pages(data: bytes | bytearray) -> Units:
    """Return where Ogg pages stand; what is between them is left out."""
    pages, at = [], data.find(b"OggS")
    while at >= 0 and at + 27 <= len(data):
        lacing = data[at + 27 : at + 27 + data[at + 26]]
        end = at + 27 + len(lacing) + sum(lacing)
        if end <= len(data):
            pages.append((at, end))
        at = data.find(b"OggS", end if end <= len(data) else at + 4)
    return pages


# Checksums, so that a lie is not thrown out at the door


def _table(polynomial: int, bits: int) -> list[int]:
    top, mask, table = 1 << (bits - 1), (1 << bits) - 1, []
    for byte in range(256):
        value = byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return table


_CRC8, _CRC16, _CRC32 = _table(0x07, 8), _table(0x8005, 16), _table(0x04C11DB7, 32)


def _crc8(data: bytes | bytearray) -> int:
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


def _crc16(data: bytes | bytearray) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFF00) ^ _CRC16[value >> 8 ^ byte]
    return value


def _crc32(data: bytes | bytearray) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFF00) ^ _CRC32[value >> 24 ^ byte]
    return value


def _right_pages(data: bytearray) -> bytearray:
    """Put the checksums of all Ogg pages right."""
    for start, end in _pages(data):
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _crc32(data[start:end]).to_bytes(4, "little")
    return data


def _with_serial(data: bytes, serial: int) -> bytes:
    """Return an Ogg file with this serial number; libsndfile draws one by the clock."""
    changed = bytearray(data)
    for start, _ in _pages(changed):
        changed[start + 14 : start + 18] = serial.to_bytes(4, "little")
    return bytes(_right_pages(changed))


def _right_frame(data: bytearray, start: int, end: int) -> None:
    """Put both checksums of a FLAC frame right, by what its head says now."""
    size, rate, lead = data[start + 2] >> 4, data[start + 2] & 15, data[start + 4]
    head = 5 + max(0, 7 - (~lead & 0xFF).bit_length() if lead >= 0xC0 else 0)
    head += {6: 1, 7: 2}.get(size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if start + head + 3 < end:
        data[start + head] = _crc8(data[start : start + head])
    data[end - 2 : end] = _crc16(data[start : end - 2]).to_bytes(2, "big")


# Damage


def case(form: str, number: int) -> bytes:
    """Return a damaged file: the same for the same format and number, everywhere."""
    random = Random(f"{form} {number}")  # noqa: S311 - nobody is to be kept from guessing it
    whole = seed(form)
    data = bytearray(whole.data)
    for _ in range(random.choice((0, 1, 1, 1, 1, 2, 3))):
        data = random.choice((_lie, _lie, _lie, _edit_unit))(random, data, whole)
    if random.random() < 0.3:
        data = _move_units(random, whole, data)
    anywhere = (_flip, _flip, _put, _cut, _insert, _zero, _splice, _append, _delete)
    for _ in range(random.choice((0, 0, 0, 0, 1, 1, 2, 6))):
        data = random.choice(anywhere)(random, data)
    if whole.suffix in {"ogg", "opus"} and random.random() < 0.75:
        data = _right_pages(data)
    return bytes(data)


def _lie(random: Random, data: bytearray, whole: Seed) -> bytearray:
    """Set a number to another that is likely to matter."""
    at, width, order = random.choice(whole.fields)
    true = int.from_bytes(data[at : at + width], order)
    top = 1 << 8 * width
    values = [0, 1, 2, 3, 6, 8, 9, 64, 255, 256, 1024, 1025, top - 1, top - 2, top >> 1, (top >> 1) - 1]
    values += [true + 1, true - 1, true * 2, true // 2, true ^ 1 << random.randrange(8 * width)]
    values += [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFFFFFFFFFF, (1 << 63) - 40]
    values += [len(data), len(data) - at, len(data) - at - width, len(data) + 1, random.randrange(top)]
    value = random.choice(values)
    data[at : at + width] = (value % top).to_bytes(width, order)
    return data


def _edit_unit(random: Random, data: bytearray, whole: Seed) -> bytearray:
    """Turn bits within one chunk, page or frame, under a checksum that agrees."""
    start, end = random.choice(whole.units)
    if end - start < 8:
        return data
    for _ in range(random.choice((1, 2, 5, 40))):
        data[random.randrange(start, end)] ^= 1 << random.randrange(8)
    if data.startswith(b"fLaC") and start > 4 and data[start] == 0xFF:
        _right_frame(data, start, end)
    return data


def _move_units(random: Random, whole: Seed, data: bytearray) -> bytearray:
    """Leave out, double, move or borrow chunks, pages or frames."""
    parts = [bytes(data[start:end]) for start, end in whole.units]
    for _ in range(random.choice((1, 1, 2, 4))):
        at, to = random.randrange(len(parts)), random.randrange(len(parts))
        what = random.choice(("drop", "double", "move", "swap", "borrow", "many"))
        if what == "drop" and len(parts) > 1:
            del parts[at]
        elif what == "double":
            parts.insert(to, parts[at])
        elif what == "move":
            parts.insert(to, parts.pop(at))
        elif what == "swap":
            parts[at], parts[to] = parts[to], parts[at]
        elif what == "borrow":
            other = seed(random.choice(FORMS))
            start, end = random.choice(other.units)
            parts.insert(to, other.data[start:end])
        elif len(parts[at]) < 4096:
            parts[at:at] = [parts[at]] * random.choice((10, 200))
    return bytearray(b"".join(parts))


def _place(random: Random, data: bytearray) -> int:
    """Return an offset, half of the time within the first bytes."""
    return random.randrange(min(len(data), 200) if random.random() < 0.5 else len(data)) if data else 0


def _flip(random: Random, data: bytearray) -> bytearray:
    for _ in range(random.choice((1, 1, 8, 200)) if data else 0):
        data[_place(random, data)] ^= 1 << random.randrange(8)
    return data


def _put(random: Random, data: bytearray) -> bytearray:
    at, width = _place(random, data), random.choice((1, 2, 4, 8))
    value = random.choice((0, 1, (1 << 8 * width) - 1, 1 << 8 * width - 1, (1 << 8 * width - 1) - 1))
    data[at : at + width] = value.to_bytes(width, random.choice(("little", "big")))
    return data


def _cut(random: Random, data: bytearray) -> bytearray:
    return data[: _place(random, data)]


def _insert(random: Random, data: bytearray) -> bytearray:
    at = _place(random, data)
    data[at:at] = random.randbytes(random.choice((1, 2, 3, 4, 8, 64, 1000)))
    return data


def _delete(random: Random, data: bytearray) -> bytearray:
    at = _place(random, data)
    del data[at : at + random.choice((1, 2, 3, 4, 8, 64, 1000))]
    return data


def _zero(random: Random, data: bytearray) -> bytearray:
    at = _place(random, data)
    size = min(len(data) - at, random.choice((1, 4, 16, 300, 4000)))
    data[at : at + size] = random.choice((b"\0", b"\xff")) * size
    return data


def _splice(random: Random, data: bytearray) -> bytearray:
    other = random.choice((bytes(data), seed(random.choice(FORMS)).data))
    size = random.choice((4, 12, 40, 500))
    start, at = random.randrange(max(1, len(other))), _place(random, data)
    data[at : at + random.choice((0, size))] = other[start : start + size]
    return data


def _append(random: Random, data: bytearray) -> bytearray:
    size = random.choice((1, 2, 7, 8, 100, 5000, 30_000))
    return data + random.choice((random.randbytes(size), bytes(size), b"\xff" * size, bytes(data[:size])))


# One case


class Finding(Exception):  # noqa: N818 - what a fuzz finds is not always an error
    """Something that must not be."""


#: How a case is taken, in turns; those by ffmpeg are few because a process takes long to start.
WAYS = ("read", "render", "pipe", "salvage", "read", "render salvage", "read", "render")
_SLOW_WAYS = ("read ffmpeg", "track ffmpeg", "salvage ffmpeg", "pipe ffmpeg")
_SLOW_EVERY = 48


def way_of(number: int) -> str:
    """Return how a case is taken."""
    turn, slow = divmod(number, _SLOW_EVERY)
    return _SLOW_WAYS[turn % len(_SLOW_WAYS)] if slow == _SLOW_EVERY - 1 else WAYS[number % len(WAYS)]


class Bench:
    """Where a process runs its cases: a folder, plugins, and what must be the same after each of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = Registry.discover()
        self.graph = Graph()
        self.graph.output("out", self.graph.node("level", "gain", self.graph.input("mix")))
        self.fifo = folder / "fifo.wav"
        os.mkfifo(self.fifo)
        tempfile.tempdir = str(folder)
        self._available = ffmpeg.available
        for form in FORMS:  # whole files are read whole; and whatever is made once is made now
            whole = seed(form)
            for way in dict.fromkeys(WAYS):
                verdict = self.run(form, 0, whole.data, way)
                if verdict != f"whole {whole.samples}":
                    raise Finding(f"{form}, undamaged, by {way}: {verdict}, not {whole.samples} samples")
        self._most = _touched()
        self._open = _descriptors()

    def run(self, form: str, number: int, data: bytes, way: str) -> str:
        """Take one file; return ``error: text`` or ``whole N`` with its number of samples.

        Raises:
            Finding: it was neither.
        """
        path = self.folder / f"case.{seed(form).suffix}"
        path.write_bytes(data)
        slow = way.endswith("ffmpeg")
        ffmpeg.available = self._available if slow else lambda: False
        try:
            if way.startswith("render"):
                return self._render(path, number, salvage="salvage" in way)
            if way.startswith("pipe"):
                return self._pipe(data)
            salvage = way.startswith("salvage")
            source = InputForm(salvage=salvage, track=1 if way.startswith("track") else None)
            return self._read(path, source, str(path))
        finally:
            ffmpeg.available = self._available
            path.unlink()

    def after(self) -> None:
        """Raise `Finding` unless the process is as it was before its cases."""
        left = sorted(path.name for path in self.folder.iterdir() if path != self.fifo)
        if left:
            raise Finding(f"left behind: {left}")
        if (now := _descriptors()) > self._open:
            self._open = now
            raise Finding("left a descriptor open")
        if (most := _touched()) > self._most + LIMIT_TOUCHED:
            grown, self._most = most - self._most, most
            raise Finding(f"took {grown >> 20} MiB of memory")

    def clear(self) -> None:
        """Remove what was left behind."""
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            elif path != self.fifo:
                path.unlink()

    def _read(self, path: Path, form: InputForm, name: str) -> str:
        try:
            with closing(open_input(path, form)) as source:
                return _all_of(source)
        except MediaError as error:
            return _clean(error, name)

    def _pipe(self, data: bytes) -> str:
        def give() -> None:
            descriptor = os.open(self.fifo, os.O_WRONLY)
            try:
                with contextlib.suppress(BrokenPipeError):
                    while piece := data[len(given) : len(given) + 5000]:
                        given.extend(piece[: os.write(descriptor, piece)])
            finally:
                os.close(descriptor)

        given = bytearray()
        writer = threading.Thread(target=give, daemon=True)
        writer.start()
        try:
            return self._read(self.fifo, InputForm(), str(self.fifo))
        finally:
            # Whoever is refused before the first byte never lets the writer in.
            os.close(os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK))
            writer.join()

    def _render(self, path: Path, number: int, *, salvage: bool) -> str:
        out = self.folder / "out"
        form = ("wav", "wav", "flac", "rf64", "bw64", "wav")[number // len(WAYS) % 6]
        clip: Any = ("clip", "error", "float")[number // len(WAYS) % 3] if form == "wav" else "clip"
        # Half of the FLAC renders ask for samples that FLAC can hold.
        subtype = "PCM_24" if form == "flac" and number % 2 else None
        options = RenderOptions(
            form=form,
            subtype=subtype,
            on_clip=clip,
            non_finite="zero" if number % 5 == 0 else "reject",
            source=InputForm(salvage=salvage),
        )
        try:
            report = render(self.graph, path, out, options=options, registry=self.registry)
        except (MediaError, GraphError) as error:
            if out.exists():
                raise Finding(f"a failed render left {list(out.iterdir())}") from error
            # A rate that no graph runs at is the graph's to refuse.
            return _clean(error, str(path), str(out), *["graph: "] * isinstance(error, GraphError))
        written = report.outputs[0].path
        if [each.name for each in out.iterdir()] != [written.name]:
            raise Finding(f"beside its output there is {list(out.iterdir())}")
        samples = report.inputs["mix"].length
        with closing(open_input(written)) as source:
            verdict = _all_of(source, finite=True)
        if verdict != f"whole {samples}" or report.outputs[0].length != samples:
            raise Finding(f"the input has {samples} samples, its output: {verdict}")
        written.unlink()
        out.rmdir()
        return verdict


def _all_of(source: Source, *, finite: bool = False) -> str:
    """Read a source to its end in blocks of uneven size; return what came of it."""
    block = np.empty((source.layout.channels, 1777), np.float32)
    if source.rate < 1:
        raise Finding(f"a rate of {source.rate} Hz")
    done = 0
    while True:
        count = source.read(block)
        done += count
        if not np.isfinite(block[:, :count]).all() and (finite or source.subtype != "FLOAT"):
            raise Finding(f"{source.subtype} holds what is not finite")
        if count < block.shape[1]:
            break
    if source.length is not None and source.length != done:
        raise Finding(f"declares {source.length} samples and gave {done}")
    if source.salvaged is not None and source.salvaged[1] != done:
        raise Finding(f"says that it salvaged {source.salvaged[1]} samples and gave {done}")
    if any("\n" in line for line in source.warnings):
        raise Finding(f"a warning of several lines: {source.warnings}")
    return f"whole {done}"


def _clean(error: Exception, *names: str) -> str:
    text = str(error)
    if "\n" in text or not any(name in text for name in names):
        raise Finding(f"an error that is not one line with the file's name: {text!r}") from error
    return f"error: {text}"


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names would be read, one by one


def _touched() -> int:
    """Return the most memory that this program had; `getrusage` counts that of the process which began it."""
    said = Path("/proc/self/status").read_text()
    return int(said.partition("VmHWM:")[2].split()[0]) << 10


def _virtual() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


# Many cases


@dataclass
class Findings:
    """What came of many cases.

    Attributes:
        counts: by format, then by outcome: "error", "whole", "finding".
        findings: one line each: format, number, way, what.
        slowest: seconds of the slowest case, and which.
        checksum: of the files of all cases, in any order.
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    checksum: int = 0

    @property
    def total(self) -> Counter[str]:
        """Outcomes of all formats."""
        return sum(self.counts.values(), Counter())

    def take(self, index: int, verdict: str, seconds: float) -> None:
        """Count one case."""
        form, number = _which(index)
        kind = verdict.partition(":")[0].partition(" ")[0]
        self.counts.setdefault(form, Counter())[kind] += 1
        if kind == "finding":
            self.findings.append(f"{form} {number} ({way_of(number)}): {verdict.partition(': ')[2]}")
        self.slowest = max(self.slowest, (seconds, f"{form} {number}"))

    def add(self, other: Findings) -> None:
        """Count what others found."""
        for form, counts in other.counts.items():
            self.counts.setdefault(form, Counter()).update(counts)
        self.findings += other.findings
        self.slowest = max(self.slowest, other.slowest)
        self.checksum ^= other.checksum


def _which(index: int) -> tuple[str, int]:
    number, form = divmod(index, len(FORMS))
    return FORMS[form], number


#: Faults that can be planted at a case, to see that they are found.
PLANTS: dict[str, Callable[[], object]] = {
    "crash": os.abort,
    "exit": lambda: os._exit(0),
    "hang": lambda: time.sleep(3600),
    "raise": lambda: PLANTS["missing"],
    "memory": lambda: np.zeros(2 * LIMIT_BYTES, np.uint8),
    "touch": lambda: np.ones(LIMIT_TOUCHED + (32 << 20), np.uint8).sum(),
    "descriptor": lambda: os.dup(0),
    "partial": lambda: Path(tempfile.gettempdir(), ".unbraid-0.partial").touch(),
}


def fuzz(
    cases: int,
    *,
    first: int = 0,
    workers: int = 2,
    plants: Iterable[tuple[int, str]] = (),
    limit: float = LIMIT_S,
    enough: int = 1000,
) -> Findings:
    """Run cases, all formats in turns, in child processes.

    Args:
        cases: how many.
        first: the first one's index.
        workers: processes at a time.
        plants: names from `PLANTS` by index, to see whether they are found.
        limit: seconds that a case may take.
        enough: findings after which no more processes begin.
    """
    found = Findings()
    batches = [(at, min(at + _BATCH, first + cases)) for at in range(first, first + cases, _BATCH)]
    with ThreadPoolExecutor(workers) as pool:
        words = [f"{index}={name}" for index, name in plants]

        def run(batch: tuple[int, int]) -> Findings:
            return _batch(*batch, words, limit) if len(found.findings) < enough else Findings()

        for result in pool.map(run, batches):
            found.add(result)
    return found


def _batch(first: int, last: int, plants: list[str], limit: float) -> Findings:
    """Run cases in a child, and in another one after a case that ends it; not in more than a few."""
    found = Findings()
    for _ in range(_MOST_CHILDREN):
        if first >= last:
            break
        with (
            tempfile.TemporaryDirectory(dir=_memory_folder()) as folder,
            tempfile.TemporaryFile() as said,  # not a pipe: decoders say much, and nobody would empty it
        ):
            command = [sys.executable, __file__, "--child", folder, str(first), str(last), *plants]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as child:
                watch = _Watch(found, first, limit)
                why = watch.follow(child)
            said.seek(0)
            words = said.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        first = watch.give_up(" / ".join([why, *words[-3:]]), last)
    return found


class _Watch:
    """Follows what a child says of its cases.

    Attributes:
        next: the case that it has not begun.
        begun: the case that it has begun and not ended.
    """

    def __init__(self, found: Findings, first: int, limit: float) -> None:
        self._found, self._limit = found, limit
        self.next, self.begun = first, -1
        self._since = time.monotonic()

    def follow(self, child: subprocess.Popen[bytes]) -> str:
        """Return, at its end, how it ended."""
        assert child.stdout is not None
        text = b""
        while True:
            # The start, with its imports and first calls, may take longer than a case.
            patience = self._limit if self.begun >= 0 else 120.0
            left = max(0.0, self._since + patience - time.monotonic())
            if not select.select([child.stdout], [], [], left)[0]:
                child.kill()
                return f"no end after {patience:g} s"
            piece = os.read(child.stdout.fileno(), 1 << 16)
            if not piece:
                return f"the process ended with {child.wait()}"
            *lines, text = (text + piece).split(b"\n")
            for line in lines:
                self._take(line.decode())

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        now = time.monotonic()
        if word == "begin":
            self.begun, self.next = int(rest), int(rest) + 1
        elif word == "sum":
            self._found.checksum ^= int(rest)
        elif self.begun >= 0:
            self._found.take(self.begun, rest, now - self._since)
            self.begun = -1
        self._since = now

    def give_up(self, why: str, last: int) -> int:
        """Note a case that did not end; return the first that is still to run."""
        if self.begun >= 0:
            self._found.take(self.begun, f"finding: {why}", 0.0)
        elif self.next < last:  # the child cannot even begin
            self._found.findings.append(f"case {self.next} was not begun: {why}")
            return last
        return self.next


def _memory_folder() -> str | None:
    """Return a folder in memory, where a sync costs nothing; None where there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of one's own in it


def _child(folder: str, first: int, last: int, plants: dict[int, str]) -> None:
    """Run cases, saying before each which it is and after each what came of it."""
    bench = Bench(Path(folder))
    limit = _virtual() + LIMIT_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for index in range(first, last):
        form, number = _which(index)
        data = case(form, number)
        _say(f"begin {index}\n")
        verdict = _verdict(bench, form, number, data, plants.get(index, ""))
        _say(f"end {' '.join(verdict.split())}\nsum {zlib.crc32(data, index)}\n")


def _say(text: str) -> None:
    os.write(1, text.encode("utf-8", "backslashreplace"))


def _verdict(bench: Bench, form: str, number: int, data: bytes, plant: str) -> str:
    verdict = ""
    try:
        if plant:
            PLANTS[plant]()
        verdict = bench.run(form, number, data, way_of(number))
    except Finding as finding:
        verdict = f"finding: {finding}"
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is found
        place = traceback.extract_tb(error.__traceback__)[-1]
        verdict = f"finding: {type(error).__name__} {error} at {Path(place.filename).name}:{place.lineno}"
    try:
        bench.after()
    except Finding as finding:
        verdict = f"finding: {finding} ({verdict})"
        bench.clear()
    return verdict


def _show(form: str, number: int, target: Path) -> None:
    """Write one case's file and run it here, with its traceback."""
    data = case(form, number)
    target.write_bytes(data)
    with tempfile.TemporaryDirectory() as folder:
        verdict = Bench(Path(folder)).run(form, number, data, way_of(number))
        sys.stdout.write(f"{form} {number}, {way_of(number)}, {len(data)} bytes: {verdict}\n")


def _report(cases: int, workers: int) -> int:
    begun = time.monotonic()
    found = fuzz(cases, workers=workers)
    for form in FORMS:
        counts = ", ".join(f"{kind} {n}" for kind, n in sorted(found.counts.get(form, Counter()).items()))
        sys.stdout.write(f"{form:9} {counts}\n")
    total = found.total
    sys.stdout.write(
        f"{sum(total.values())} cases in {time.monotonic() - begun:.0f} s: {total['error']} clean errors, "
        f"{total['whole']} read whole, {total['finding']} findings; slowest {found.slowest[0]:.2f} s "
        f"({found.slowest[1]}); checksum {found.checksum:08x}\n"
    )
    sys.stdout.writelines(f"{line}\n" for line in found.findings)
    return 1 if found.findings else 0


def main(words: list[str]) -> int:
    """Run what the command line asks; see the module."""
    if words[:1] == ["--child"]:
        plants = {int(index): name for index, _, name in (word.partition("=") for word in words[4:])}
        _child(words[1], int(words[2]), int(words[3]), plants)
        return 0
    if words[:1] == ["--case"]:
        _show(words[1], int(words[2]), Path(words[3]))
        return 0
    return _report(int(words[0]) if words else 3000, os.cpu_count() or 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
