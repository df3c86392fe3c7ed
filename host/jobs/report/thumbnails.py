"""A spectrogram of an output as small as a stamp: short windows from all over the file, by seeking."""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import closing
from functools import lru_cache
from math import ceil, log2
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ....kernels.pcm import ENCODINGS
from ...contract.audio import Layout
from ...contract.errors import MediaError
from ...media.bytes_in import FileBytes
from ...media.channels import ChannelOrder
from ...media.pcm_reader import PcmReader
from ...media.sndfile_reader import for_libsndfile
from ...media.wave.reader import NotPcmError, open_wave

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from ...contract.processor import Array
    from ..task import Output

__all__ = ["HEIGHT", "RANGE", "WIDTH", "picture", "png", "thumbnail"]

#: Pixels.
WIDTH, HEIGHT = 160, 48
#: dB re a full-scale sine, of the darkest and the brightest colour.
RANGE = (-110.0, -20.0)
_FREQUENCIES = (40.0, 20_000.0)  # Hz, of the lowest and the highest row
_WINDOW = 1 / 24  # seconds at least
_SHADES = 48
#: Every sixteenth of "magma" by S. van der Walt and N. Smith, 2015 (CC0), which came with matplotlib: even
#: steps of lightness, also for those who do not tell red from green.
_MAGMA = (
    "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 d0416f e75263 f56b5c fc8961 fea772 "
    "fec488 fde2a3 fcfdbf"
)  # fmt: skip


def thumbnail(path: Path, output: Output) -> bytes:
    """Return a PNG of 160 by 48 pixels: time to the right, frequency from 40 Hz to 20 kHz upwards.

    Each column is one window of 43 ms or a little more from its part of the file, the mean of all channels'
    powers, so a file of hours takes as long as one of a minute. The scale of colours is the same for all.

    Args:
        path: of a WAV, RF64, BW64 or FLAC file, or of samples without a header.
        output: its rate and layout, where the file does not say.

    Raises:
        MediaError: it cannot be read.
    """
    try:
        with closing(_Flac(path) if path.suffix == ".flac" else _Pcm(path, output)) as sound:
            return png(picture(_windows(sound), sound.rate))
    except OSError as error:
        raise MediaError(f"{path}: cannot be read: {error.strerror or error}") from None


def picture(windows: Iterator[Array], rate: int) -> npt.NDArray[np.float64]:
    """Return levels in dB re a full-scale sine, ``[bands, windows]``, the lowest band first.

    Args:
        windows: float32 ``[channels, n]`` each, all of the same ``n``.
        rate: Hz.
    """
    powers = np.array([_powers(window) for window in windows])
    n = 2 * (powers.shape[1] - 1)
    top = min(_FREQUENCIES[1], rate / 2)
    edges = np.geomspace(min(_FREQUENCIES[0], top / 10), top, HEIGHT + 1) / rate * n
    low = np.minimum(np.round(edges[:-1]), n // 2).astype(int)
    high = np.maximum(np.round(edges[1:]).astype(int), low + 1)
    total = np.zeros((len(powers), powers.shape[1] + 1))
    np.cumsum(powers, axis=1, out=total[:, 1:])
    bands = (total[:, high] - total[:, low]) / (high - low)
    levels: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(bands.T, 1e-20))
    return levels


def _powers(window: Array) -> npt.NDArray[np.float32]:
    """Return the mean power of all channels in each bin; a full-scale sine has 1."""
    shape = _hann(window.shape[1])
    if not np.isfinite(window).all():  # what is no number counts as silence
        window = np.nan_to_num(window, nan=0.0, posinf=0.0, neginf=0.0)
    found = np.fft.rfft(window * shape)
    powers: npt.NDArray[np.float32] = np.mean(found.real**2 + found.imag**2, axis=0)
    return powers


@lru_cache(4)
def _hann(n: int) -> Array:
    shape = np.hanning(n + 1)[:-1]
    scaled: Array = (shape * (2 / shape.sum())).astype(np.float32)
    return scaled


def _windows(sound: _Sound) -> Iterator[Array]:
    """Give ``WIDTH`` windows, the first at the beginning and the last at the end."""
    n = 1 << ceil(log2(max(2, sound.rate * _WINDOW)))
    if sound.length >= WIDTH * n:
        each = WIDTH // sound.spots
        last = sound.length - each * n
        for spot in range(sound.spots):
            found = sound.read(round(spot * last / (sound.spots - 1)), each * n)
            yield from np.split(found, each, axis=1)
        return
    last = max(0, sound.length - n)
    starts = [round(k * last / (WIDTH - 1)) for k in range(WIDTH)]
    whole = sound.read(0, sound.length)
    whole = np.pad(whole, ((0, 0), (0, max(0, n - whole.shape[1]))))
    yield from (whole[:, start : start + n] for start in starts)


class _Sound(Protocol):
    """A file that can be read anywhere.

    Attributes:
        rate: Hz.
        length: samples per channel.
        spots: from how many places to read; fewer, and longer, where it takes time to get to one.
    """

    rate: int
    length: int
    spots: int

    def read(self, start: int, count: int) -> Array:
        """Return these samples of all channels; zeros where the file ends before."""
        ...

    def close(self) -> None:
        """Close the file."""


class _Pcm:
    """See `_Sound`: a `PcmReader` that is wound; it counts, so all reads may come to ``length`` at most."""

    def __init__(self, path: Path, output: Output) -> None:
        file = path.open("rb", buffering=0)
        try:
            self._data = FileBytes(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            self._reader = _reader(path, self._data, output)
        except BaseException:
            file.close()
            raise
        self.spots = WIDTH
        self._begin, self.rate = self._data.position, self._reader.rate
        self._frame = ENCODINGS[self._reader.encoding] * self._reader.layout.channels
        self.length = self._reader.declared or 0

    def read(self, start: int, count: int) -> Array:
        """See `_Sound`."""
        out = np.zeros((self._reader.layout.channels, count), np.float32)
        self._data.skip_to(self._begin + start * self._frame)
        self._reader.read(out)
        return out

    def close(self) -> None:
        """See `_Sound`."""
        self._data.close()


def _reader(path: Path, data: FileBytes, output: Output) -> PcmReader:
    encoding = path.suffix[1:]
    if encoding not in ENCODINGS:
        try:
            return open_wave(str(path), data)
        except NotPcmError as error:
            raise MediaError(f"{path}: is no PCM: {error}") from None
    order = ChannelOrder(Layout.parse(output.layout))
    length = (data.size or 0) // (ENCODINGS[encoding] * order.layout.channels)
    return PcmReader(str(path), data, encoding=encoding, rate=output.rate, order=order, length=length)


class _Flac:
    """See `_Sound`."""

    def __init__(self, path: Path) -> None:
        import soundfile

        self._error = soundfile.LibsndfileError
        try:
            self._file = soundfile.SoundFile(for_libsndfile(path))
        except self._error as error:
            raise MediaError(f"{path}: cannot be read: {error}") from None
        self.spots = WIDTH // 4
        self._name, self.rate, self.length = str(path), int(self._file.samplerate), int(self._file.frames)

    def read(self, start: int, count: int) -> Array:
        """See `_Sound`."""
        try:
            self._file.seek(start)
            found = self._file.read(count, dtype="float32", always_2d=True, fill_value=0.0)
        except self._error as error:
            raise MediaError(f"{self._name}: cannot be read at sample {start}: {error}") from None
        samples: Array = np.asarray(found, np.float32).T
        return samples

    def close(self) -> None:
        """See `_Sound`."""
        self._file.close()


def png(levels: npt.NDArray[np.float64]) -> bytes:
    """Return levels ``[rows, columns]`` in dB as a PNG, the first row at the bottom, in colours of `RANGE`.

    Source: Portable Network Graphics, second edition, W3C 2003: one byte a pixel into a palette.
    """
    low, high = RANGE
    shades = np.clip((levels[::-1] - low) / (high - low) * (_SHADES - 1) + 0.5, 0, _SHADES - 1).astype(
        np.uint8
    )
    rows, columns = shades.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # each begins with its filter: none
    lines[:, 1:] = shades
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", _palette()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def _palette() -> bytes:
    points = np.array([list(bytes.fromhex(point)) for point in _MAGMA.split()], float)
    at = np.linspace(0, len(points) - 1, _SHADES)
    colours = [np.interp(at, np.arange(len(points)), points[:, k]) for k in range(3)]
    return np.stack(colours, axis=1).round().astype(np.uint8).tobytes()
