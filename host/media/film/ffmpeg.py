"""Sound out of film and music containers: one track, decoded by ffmpeg, to the sample and the bit."""

from __future__ import annotations

import contextlib
import fcntl
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.errors import MediaError
from ..metadata import Metadata, Timecode
from ..pcm_reader import PcmReader
from ..wave.bext import Bext
from ..whole import REMEDY, shortened
from .container import AudioTrack, Container, channel_order
from .ffprobe import probe
from .timecode import to_samples
from .tool import available, environment, reason, tool, url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from ..channels import ChannelOrder

__all__ = ["AudioTrack", "Container", "TrackReader", "available", "decode_command", "open_track", "probe"]

#: Containers that state lengths; others guess them from the bit rate.
_STATED = {"mov", "matroska", "mxf", "mxf_opatom", "avi", "wav", "w64", "aiff", "caf", "flac", "wv", "tta"}
#: What a file says of itself as a file; it isn't true of an output.
_OWN = {
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "creation_time",
    "timecode",
    "time_reference",
    "umid",
    "uid",
    "generation_uid",
    "material_package_umid",
    "operational_pattern_ul",
    "company_name",
    "modification_date",
    "application_platform",
}
#: Codecs of long frames: the last one counts in full where Matroska states a track's end.
_LONG_FRAMES = {"wavpack", "tta"}
_PIPE_SIZE = 1 << 20


class _Decoder:
    """A running ffmpeg as a source of bytes. What it says goes to a file, so that it never waits for us.

    Args:
        command: writes W64, whose header tells what the decoder really gives.
        name: of the file, for error texts.
        track: what the file says of the sound.
    """

    def __init__(self, command: Sequence[str], name: str, track: AudioTrack) -> None:
        self._name, self._track, self._begun = name, track, False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        try:
            # In a session of its own: Ctrl-C is ours to handle, not a decoder error.
            self._process = subprocess.Popen(  # noqa: S603 - a list of arguments, no shell
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                env=environment(),
                start_new_session=True,
            )
        except BaseException:
            self._errors.close()
            raise
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        self._pipe = self._process.stdout
        with contextlib.suppress(OSError):  # a larger pipe only means fewer turns
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def readinto(self, buffer: memoryview) -> int:
        if not self._begun:
            self._begun = True
            if not self._pass_header():
                return 0
        return int(self._pipe.readinto(buffer))  # type: ignore[attr-defined]

    def _pass_header(self) -> bool:
        """Read up to the first sample; return whether there is one.

        Raises:
            MediaError: the decoder gives other channels, or another rate, than ffprobe found.
        """
        chunk = self._exactly(40)  # the chunk around all others
        while len(chunk) >= 24:
            chunk = self._exactly(24)
            if chunk.startswith(b"data"):
                return True
            size = int.from_bytes(chunk[16:], "little")
            body = self._exactly(max((size - 24 + 7) & ~7, 0))
            if chunk.startswith(b"fmt ") and len(body) >= 8:
                self._check(*struct.unpack_from("<HI", body, 2))
        return False

    def _check(self, channels: int, rate: int) -> None:
        track = self._track
        if (channels, rate) != (track.channels, track.rate):
            raise MediaError(
                f"{self._name}: track {track.number} states {track.channels} channels at {track.rate} Hz but "
                f"begins with {channels} at {rate} Hz; export it again, or convert its parts to WAV"
            )

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count and (piece := self._pipe.read(count - len(found))):
            found += piece
        return found

    def end(self) -> tuple[int, str]:
        """Wait for the end, once no more bytes come; return the exit status and what ffmpeg said."""
        status = self._process.wait()
        self._errors.seek(0)
        return status, self._errors.read(1 << 16).decode("utf-8", "replace")

    def close(self) -> None:
        self._process.kill()
        self._pipe.close()
        self._process.wait()
        self._errors.close()


class TrackReader(PcmReader):
    """One track of a container as a source of planar float32 blocks.

    Attributes:
        container: what the file holds.
        track: which of its sounds this is; ``track.start`` is its place against the picture.
    """

    def __init__(
        self, name: str, container: Container, track: AudioTrack, *, order: ChannelOrder, salvage: bool
    ) -> None:
        self.container, self.track = container, track
        metadata, warnings = _metadata(container, track, order)
        super().__init__(
            name,
            _Decoder(decode_command(container, track, salvage=salvage), name, track),
            encoding=track.encoding,
            rate=track.rate,
            order=order,
            length=track.samples,
            form=container.form,
            metadata=metadata,
            warnings=warnings,
            salvage=salvage,
        )
        self._judged = False

    def _at_end(self) -> None:
        """Ask ffmpeg how it went, and compare what came with what the container declares."""
        if not self._judged and isinstance(self._data, _Decoder):
            self._judged = True
            status, said = self._data.end()
            self._judge(reason(said, self.container.path) if status or said.strip() else "")
        super()._at_end()

    def _judge(self, fault: str) -> None:
        declared = self._declared_samples()
        text = f"after sample {self._done} ffmpeg found damage ({fault}); {REMEDY}"
        if declared is not None and declared - self._done > self._tolerance():
            text = shortened(declared, self._done) + (f" (ffmpeg: {fault})" if fault else "")
        elif not fault:
            return
        text = f"{self.name}: track {self.track.number} {text}"
        if not self._salvage:
            raise MediaError(text)
        self.warnings.append(text.replace(f"; {REMEDY}", ""))
        self.salvaged = (declared, self._done)

    def _tolerance(self) -> int:
        """Return how many samples a declared length may be off."""
        if self.track.codec in _LONG_FRAMES and self.container.form == "MKV":
            return self.rate * 11 // 10
        return max(4096, self.rate // 10)

    def _declared_samples(self) -> int | None:
        if self.track.samples is not None:
            return self.track.samples
        if self.track.duration is None or self.container.family.split(",")[0] not in _STATED:
            return None
        return int(self.track.duration * self.rate)


def open_track(
    path: str | Path, track: int | None = None, *, name: str = "", salvage: bool = False
) -> TrackReader:
    """Return a reader of one sound of a film or music file.

    Args:
        path: the file.
        track: which sound, from 1; None for the only one, or the only one marked as default.
        name: for error texts; by default the path.
        salvage: take what a damaged file still gives, with a line in ``warnings``.

    Raises:
        MediaError: ffmpeg is missing, or the file can't be read, or has no such sound.
    """
    path = Path(path)
    program = tool("ffmpeg", path)
    container = probe(path)
    chosen = container.choose(track)
    if chosen.rate <= 0 or chosen.channels <= 0 or not chosen.sample_format:
        raise MediaError(
            f"{path}: track {chosen} cannot be decoded by {program}; choose another track, or convert to WAV"
        )
    order = channel_order(chosen.layout, chosen.channels, chosen.codec)
    reader = TrackReader(name or str(path), container, chosen, order=order, salvage=salvage)
    if track is None and len(container.audio) > 1:
        count = len(container.audio)
        reader.warnings.append(
            f"{reader.name}: has {count} sounds; the default one, track {chosen.number}, was taken"
        )
    return reader


def decode_command(container: Container, track: AudioTrack, *, salvage: bool = False) -> list[str]:
    """Return the call of ffmpeg that writes a track's samples, as they are, to its output as W64.

    Without ``-reinit_filter 0`` a change of channels within the file would be mixed to the first layout in
    silence; with it ffmpeg stops there. Dolby's range compression is off: it isn't the sound that was coded.
    """
    command = [tool("ffmpeg", container.path), "-nostdin", "-hide_banner", "-v", "error"]
    if not salvage:
        command += ["-xerror", "-err_detect", "crccheck"]
    if track.codec in {"ac3", "eac3"}:
        command += ["-drc_scale", "0"]
    command += ["-reinit_filter", "0", "-protocol_whitelist", "file", "-i", url(container.path)]
    command += ["-map", f"0:{track.stream}", "-c:a", f"pcm_{track.encoding}"]
    return [*command, "-f", "w64", "pipe:1"]


def _metadata(container: Container, track: AudioTrack, order: ChannelOrder) -> tuple[Metadata, list[str]]:
    """Return what an output may say, and lines about what could not be understood."""
    warnings = []
    timecode = None
    if container.timecode or container.frame_rate:
        rate = container.frame_rate
        timecode = Timecode(container.timecode, f"{rate.numerator}/{rate.denominator}" if rate else "")
    bext = _stated_bext(container, track)
    if bext is None and container.timecode:
        try:
            bext = Bext(time_reference=_place(container, track))
        except MediaError as error:
            warnings.append(f"{container.path}: {error}; outputs don't carry the film's place in time")
    tags = {name: text for name, text in container.tags.items() if _passes(name)}
    if track.language:
        tags["language"] = track.language
    if track.title:
        tags.setdefault("title", track.title)
    return Metadata(tags=tags, bext=bext, mask=order.mask, timecode=timecode), warnings


def _passes(name: str) -> bool:
    return name not in _OWN and not name.startswith(("product_", "toolkit_"))


def _place(container: Container, track: AudioTrack) -> int:
    """Return the samples between midnight and the track's first, at its rate."""
    if container.frame_rate is None:
        raise MediaError(f"timecode {container.timecode!r} has no frame rate")
    picture = container.picture
    zero = container.start if picture is None or picture.start is None else picture.start
    return max(0, to_samples(container.timecode, container.frame_rate, track.rate) + _offset(track, zero))


def _offset(track: AudioTrack, zero: Fraction) -> int:
    return round((track.start - zero) * track.rate)


def _stated_bext(container: Container, track: AudioTrack) -> Bext | None:
    """Return the broadcast extension of a WAV, which ffprobe tells as tags of other names."""
    stream = next(stream for stream in container.streams if stream.index == track.stream)
    tags = {**container.tags, **stream.tags}
    stated = tags.get("time_reference", "")
    if not stated.isdecimal():
        return None
    return Bext(
        description=tags.get("comment", ""),
        originator=tags.get("encoded_by", ""),
        originator_reference=tags.get("originator_reference", ""),
        origination_date=tags.get("date", ""),
        origination_time=tags.get("creation_time", ""),
        time_reference=int(stated),
        coding_history=tags.get("coding_history", ""),
    )
