"""Opening an input: a file of any kind, or a pipe."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ...kernels.pcm import ENCODINGS
from ..contract.audio import Layout
from ..contract.errors import MediaError, MediaRequestError
from .bytes_in import FileBytes, PipeBytes
from .channels import ChannelOrder
from .film import ffmpeg
from .pcm_reader import PcmReader, partial_sample
from .read_ahead import ReadAhead
from .sndfile_reader import NoLengthError, NotSndfileError, SndfileReader
from .wave.reader import NotPcmError, is_wave, open_wave

if TYPE_CHECKING:
    from collections.abc import Callable

    from .source import Source

__all__ = ["InputForm", "open_input"]


@dataclass(frozen=True, slots=True)
class InputForm:
    """What is known of an input beforehand, and how to take it.

    Attributes:
        raw: a name of `kernels.pcm.ENCODINGS` for bytes without a header.
        rate: Hz, of raw bytes.
        channels: a number or a layout's name, of raw bytes.
        track: of a file with several sounds, from 1.
        salvage: take what a damaged file still holds.
    """

    raw: str | None = None
    rate: int | None = None
    channels: str | None = None
    track: int | None = None
    salvage: bool = False

    def __post_init__(self) -> None:
        if self.raw is None:
            if self.rate is not None or self.channels is not None:
                raise MediaRequestError("rate and channels belong to raw samples; say which with --raw f32le")
            return
        if self.raw not in ENCODINGS:
            raise MediaRequestError(f"raw samples of {self.raw!r} are unknown; choose {', '.join(ENCODINGS)}")
        if self.rate is None or self.channels is None:
            raise MediaRequestError(f"raw {self.raw} lacks its rate or channels; give --rate and --channels")
        if self.rate < 1:
            raise MediaRequestError(f"a rate of {self.rate} Hz cannot be")

    def order(self) -> ChannelOrder:
        """Return the order of raw channels."""
        text = self.channels or ""
        if text.isascii() and text.isdigit():
            return ChannelOrder(Layout.of_channels(int(text)))
        return ChannelOrder(Layout.parse(text))


def open_input(
    where: str | Path, form: InputForm | None = None, *, stop: Callable[[], bool] = lambda: False
) -> Source:
    """Open a sound.

    Args:
        where: a path; ``-`` for standard input; a FIFO or device is read as a pipe.
        form: what is known of it.
        stop: asked while a pipe gives nothing; true ends the sound there.

    Raises:
        MediaError: missing, unreadable, not a sound, damaged; names the remedy.
    """
    form = form or InputForm()
    name = str(where)
    if name == "-":
        try:
            os.fstat(0)
        except OSError:
            raise MediaError("standard input: is closed; put a program that gives sound before") from None
        if os.isatty(0):
            raise MediaError("standard input: is a terminal; put a program that gives sound before the pipe")
        return _open_pipe("standard input", PipeBytes(0, stop=stop, own=False), form)
    path = Path(where)
    mode = _mode(name, path)
    if not stat.S_ISREG(mode):
        return _open_pipe(name, PipeBytes(os.open(path, os.O_RDONLY | os.O_NONBLOCK), stop=stop), form)
    if form.raw is not None:
        return _open_raw(name, FileBytes(_open(name, path)), form)
    return _open_file(path, form)


def _mode(name: str, path: Path) -> int:
    """Return what a path leads to; refuse what holds no sound."""
    if "\0" in name:
        raise MediaError(f"{name!r} is not a path: it holds a NUL character")
    try:
        found = path.stat()
    except UnicodeEncodeError:
        raise MediaError(f"{name!r} is not a path: it holds what no file's name can") from None
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {error.strerror}; check path and rights") from None
    if stat.S_ISDIR(found.st_mode):
        raise MediaError(f"{name}: is a folder, not a sound file")
    if stat.S_ISBLK(found.st_mode):
        raise MediaError(f"{name}: is a disk, not a sound file")
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        raise MediaError(f"{name}: has 0 bytes; export it again")
    return found.st_mode


def _open(name: str, path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise MediaError(f"{name}: cannot be read: {error.strerror}; check path and rights") from None


def _open_raw(name: str, data: FileBytes | PipeBytes, form: InputForm) -> PcmReader:
    assert form.raw is not None  # noqa: S101 - the caller looked
    assert form.rate is not None  # noqa: S101 - its own check
    order = form.order()
    length, warnings = None, []
    if data.size is not None:
        length, left = divmod(data.size, ENCODINGS[form.raw] * order.layout.channels)
        warnings = [partial_sample(name, left)] if left else []
    return PcmReader(
        name, data, encoding=form.raw, rate=form.rate, order=order, length=length, warnings=warnings
    )


def _open_pipe(name: str, data: PipeBytes, form: InputForm) -> Source:
    """Take WAV and raw samples as they come; spool what can only be read from a file."""
    if form.raw is not None:
        data.forget()
        reader = _open_raw(name, data, form)
        reader.live = True
        return reader
    head = data.peek(12)
    if not head:
        data.close()
        raise MediaError(f"{name}: gave no bytes; see whether the program before it failed")
    if form.track is None and is_wave(head):
        try:
            reader = open_wave(name, data, salvage=form.salvage)
        except NotPcmError:
            pass
        else:
            data.forget()
            reader.live = True
            return reader
    return _spooled(name, data, form)


def _spooled(name: str, data: PipeBytes, form: InputForm) -> Source:
    """Write a pipe into a file that nobody else sees, and open that."""
    descriptor, text = tempfile.mkstemp(prefix="unbraid-", suffix=".spool")
    path = Path(text)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data.forget())
            while piece := data.read(1 << 20):
                file.write(piece)
        data.close()
        return _open_file(path, form, name=name, after=partial(path.unlink, missing_ok=True))
    except MediaError as error:
        path.unlink(missing_ok=True)
        raise MediaError(str(error).replace(str(path), name)) from None
    except OSError as error:
        path.unlink(missing_ok=True)
        raise MediaError(f"{name}: cannot be spooled to {path.parent}: {error.strerror}") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _open_file(
    path: Path, form: InputForm, *, name: str = "", after: Callable[[], None] | None = None
) -> Source:
    """Open a regular file; what takes time to decode is decoded ahead by a thread."""
    name = name or str(path)
    try:
        reader = _reader(path, name, form)
        if reader.length == 0:
            reader.close()
            raise MediaError(f"{name}: holds no samples; there is nothing to render")
        # PCM takes less time to decode than to hand to another thread; the system reads it ahead.
        if after is None and isinstance(reader, PcmReader):
            return reader
        return ReadAhead(reader, after=after)
    except NotSndfileError as error:
        hint = (
            "" if ffmpeg.available() else "; films and other containers need ffmpeg (apt-get install ffmpeg)"
        )
        raise MediaError(f"{error}{hint}") from None


def _reader(path: Path, name: str, form: InputForm) -> Source:
    """Return the reader for what a file is: ours, libsndfile's, or ffmpeg."""
    if form.track is not None:
        return ffmpeg.open_track(path, form.track, name=name, salvage=form.salvage)
    with _open(name, path) as file:
        head = file.read(12)
    if is_wave(head):
        data = FileBytes(_open(name, path))
        try:
            return open_wave(name, data, salvage=form.salvage)
        except NotPcmError:
            data.close()
        except BaseException:
            data.close()
            raise
    try:
        return SndfileReader(path, name=name, salvage=form.salvage)
    except (NotSndfileError, NoLengthError):
        # A FLAC that libsndfile refuses is damaged; everything else may be a format it does not know.
        if head[:4] == b"fLaC" or not ffmpeg.available():
            raise
        try:
            ffmpeg.probe(path)
        except MediaError:
            known = False
        else:
            known = True
        if not known:
            raise
    return ffmpeg.open_track(path, None, name=name, salvage=form.salvage)
