"""Damaged files: 3,000 of them here, any number by hand; see `fuzz_media`."""

from __future__ import annotations

import os
import random
import struct
import threading
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
from fuzz_media import FORMS, PLANTS, case, fuzz, seed

from unbraid import MediaError
from unbraid.host.media.film import ffmpeg
from unbraid.host.media.open_input import open_input

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


def test_a_damaged_file_is_a_clean_error_or_sound_of_its_declared_length() -> None:
    found = fuzz(3000, enough=10)
    assert found.findings == []
    assert sum(found.total.values()) == 3000
    for form in FORMS:  # neither all thrown out at the door, nor all let through
        assert found.counts[form]["error"] >= 50, form
        assert found.counts[form]["whole"] >= 10, form


def test_a_case_is_the_same_file_in_every_process() -> None:
    count = 2 * len(FORMS)
    here = 0
    for index in range(count):
        number, form = divmod(index, len(FORMS))
        here ^= zlib.crc32(case(FORMS[form], number), index)
    assert fuzz(count, workers=1).checksum == here


@pytest.mark.parametrize("form", FORMS)
def test_nearly_every_case_differs_from_the_whole_file_and_from_the_others(form: str) -> None:
    whole = seed(form).data
    cases = {case(form, number) for number in range(100)} - {whole}
    assert len(cases) >= 85


def test_a_fault_of_any_kind_is_found_at_its_case() -> None:
    said = {
        "crash": "ended with -6",
        "exit": "ended with 0",
        "hang": "no end after 4 s",
        "raise": "KeyError",
        "memory": "MemoryError",
        "touch": "MiB of memory",
        "descriptor": "a descriptor open",
        "partial": "left behind: ['.unbraid-0.partial']",
    }
    assert said.keys() == PLANTS.keys()
    plants = [(1 + 3 * k, name) for k, name in enumerate(PLANTS)]
    found = fuzz(3 * len(PLANTS), workers=1, plants=plants, limit=4.0)
    assert len(found.findings) == len(plants)
    for (index, name), line in zip(plants, found.findings, strict=True):
        number, form = divmod(index, len(FORMS))
        assert line.startswith(f"{FORMS[form]} {number} ("), line
        assert said[name] in line
    assert sum(found.total.values()) == 3 * len(PLANTS)  # what came after each was run too


# Damage whose outcome is known


def _read(path: Path) -> npt.NDArray[np.float32]:
    with closing(open_input(path)) as source:
        block = np.empty((source.layout.channels, 1 << 16), np.float32)
        return block[:, : source.read(block)].copy()


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_anywhere_is_an_error_and_never_a_shorter_sound(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    whole = seed(form)
    path = tmp_path / f"cut.{whole.suffix}"
    path.write_bytes(whole.data)
    assert _read(path).shape[1] == whole.samples
    errors = 0
    for cut in {*range(1, 100), *range(100, len(whole.data), 131), len(whole.data) - 1}:
        path.write_bytes(whole.data[:cut])
        said, found = "", 0
        try:
            found = _read(path).shape[1]
        except MediaError as error:
            said = str(error)
            errors += 1
        if said:
            assert str(path) in said, cut
            assert "\n" not in said, cut
        else:  # only what stands behind the sound is gone
            assert found == whole.samples, cut
    assert errors >= 95


_PLAIN = struct.pack("<HHIIHH", 1, 2, 48_000, 0, 4, 16)


def _wave(form: bytes = _PLAIN, *, name: bytes = b"fmt ", sound: bytes = b"data") -> bytes:
    raw = struct.pack("<4sI", sound, 8000) + bytes(8000)
    return b"RIFF\0\0\0\0WAVE" + struct.pack("<4sI", name, len(form)) + form + raw


_SAYS = {
    "no channels": (_wave(struct.pack("<HHIIHH", 1, 0, 48_000, 0, 0, 16)), "says 0 channels"),
    "too many channels": (_wave(struct.pack("<HHIIHH", 1, 65_535, 48_000, 0, 2, 16)), "says 65535 channels"),
    "no rate": (_wave(struct.pack("<HHIIHH", 1, 2, 0, 0, 4, 16)), "a rate of 0 Hz"),
    "uneven samples": (_wave(struct.pack("<HHIIHH", 1, 2, 48_000, 0, 5, 16)), "16 bits, 2 channels, 5 bytes"),
    "bits without room": (_wave(struct.pack("<HHIIHH", 1, 2, 48_000, 0, 4, 24)), "24 bits, 2 channels"),
    "no bits": (_wave(struct.pack("<HHIIHH", 1, 2, 48_000, 0, 4, 0)), "0 bits, 2 channels, 4 bytes"),
    "floats of 16 bits": (_wave(struct.pack("<HHIIHH", 3, 2, 48_000, 0, 4, 16)), "16 bits, 2 channels"),
    "half a format": (_wave(struct.pack("<HHIH", 1, 2, 48_000, 4)), "has 10 bytes instead of 16"),
    "no format": (_wave(bytes(16), name=b"JUNK"), "without a fmt chunk"),
    "no sound": (_wave(sound=b"JUNK"), "without a data chunk"),
}


@pytest.mark.parametrize("through", ["file", "pipe"])
@pytest.mark.parametrize("kind", _SAYS)
def test_a_header_that_contradicts_itself_is_refused_in_one_line(
    tmp_path: Path, kind: str, through: str
) -> None:
    data, says = _SAYS[kind]
    path = tmp_path / "in.wav"
    if through == "file":
        path.write_bytes(data)
    else:
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(data,), daemon=True).start()
    with pytest.raises(MediaError) as caught:
        _read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert str(caught.value).endswith("export it again")


@pytest.mark.parametrize("there", [8001, 8003])
def test_a_size_that_ends_within_a_sample_is_read_with_a_warning(tmp_path: Path, there: int) -> None:
    data = bytearray(_wave())
    data[40:44] = (8003).to_bytes(4, "little")  # three bytes more than 2,000 samples
    (tmp_path / "in.wav").write_bytes(data + bytes(there - 8000))
    with closing(open_input(tmp_path / "in.wav")) as source:
        assert source.length == 2000
        assert source.warnings == [
            f"{source.name}: ends in the middle of a sample; its {there - 8000} bytes are left out"
        ]
        assert source.read(np.empty((2, 3000), np.float32)) == 2000


@pytest.mark.parametrize("form", ["flac", "flactags", "vorbis", "opus"])
def test_a_single_bit_that_turned_under_a_checksum_is_an_error_and_never_another_sound(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    whole = seed(form)
    first = next(at for at, _ in whole.units if at > 4 and (whole.data[at] == 0xFF or whole.suffix != "flac"))
    path = tmp_path / f"turned.{whole.suffix}"
    for at in random.Random(form).sample(range(first, len(whole.data)), 100):  # noqa: S311 - chance will do
        damaged = bytearray(whole.data)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        with pytest.raises(MediaError, match=str(path)):
            _read(path)


def test_a_size_that_lies_does_not_make_us_keep_an_endless_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    given = 0

    def give() -> None:
        nonlocal given
        with path.open("wb", buffering=0) as pipe:
            try:
                given += pipe.write(b"RIFF\xff\xff\xff\xffWAVEJUNK" + struct.pack("<I", 0xF0000000))
                while True:
                    given += pipe.write(bytes(1 << 16))
            except BrokenPipeError:
                return

    giver = threading.Thread(target=give, daemon=True)
    giver.start()
    with pytest.raises(MediaError, match="'JUNK' says 4026531840 bytes, too many for a pipe; give a file"):
        open_input(path)
    giver.join(10)
    assert not giver.is_alive()
    assert given < 4 << 20  # what was read of it and what the pipe itself holds, at most 1 MiB
