"""What a partial file, or a pipe, is filled with: WAV and raw bytes by ourselves, FLAC by libsndfile."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from ..contract.errors import MediaError
from .atomic import why_not
from .channels import MASK_TAG, flac
from .encoder import BITS
from .flac_blocks import carried, room_for, write_blocks
from .sndfile_reader import for_libsndfile
from .wave.bext import bext_tags
from .wave.carried_chunks import chunks_of
from .wave.info_list import build_info

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..contract.processor import Array
    from .encoder import Encoder
    from .metadata import Metadata
    from .pipes import PipeOut
    from .wave.head import WaveHead

__all__ = ["FlacTarget", "PipeTarget", "Target", "WaveTarget", "with_notes"]


class Target(Protocol):
    """Takes blocks, then notes, and is done."""

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples."""

    def finish(self, notes: Sequence[str]) -> None:
        """Complete what was written; ``notes`` become part of the comment, where there is still a place."""

    def close(self) -> None:
        """Give back what is held open, complete or not."""


def with_notes(tags: dict[str, str], notes: Sequence[str]) -> dict[str, str]:
    """Return the tags with notes behind the comment."""
    if not notes:
        return tags
    return {**tags, "comment": "; ".join(filter(None, [tags.get("comment", ""), *notes]))}


class WaveTarget:
    """A WAV, RF64 or BW64 file, or raw samples where ``head`` is None.

    Raises:
        MediaError: the disk refuses.
    """

    def __init__(self, path: Path, partial: Path, encoder: Encoder, head: WaveHead | None) -> None:
        self._path, self._encoder, self._head = path, encoder, head
        self._file = os.open(partial, os.O_WRONLY)
        if head is not None:
            self._put(head.bytes(0))

    def _put(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise MediaError(f"{self._path}: cannot be written: {why_not(self._path, error)}") from None

    def write(self, block: Array) -> None:
        """See `Target`."""
        self._put(self._encoder.encode(block))

    def finish(self, notes: Sequence[str]) -> None:
        """See `Target`."""
        head = self._head
        if head is not None:
            samples = self._encoder.written
            behind = build_info(with_notes(dict(head.metadata.tags), notes))
            self._put(b"\0" * (samples * head.frame % 2) + behind)
            try:
                os.pwrite(self._file, head.bytes(samples, len(behind)), 0)
            except OSError as error:
                raise MediaError(f"{self._path}: cannot be completed: {why_not(self._path, error)}") from None
        self.close()

    def close(self) -> None:
        """See `Target`."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class FlacTarget:
    """A FLAC file, encoded by libsndfile; tags and broadcast chunks are ours.

    Raises:
        MediaError: FLAC cannot hold what is asked, or the disk refuses.
    """

    CHANNELS, RATE = 8, 655_350

    def __init__(
        self, path: Path, partial: Path, encoder: Encoder, rate: int, metadata: Metadata, notes: int = 0
    ) -> None:
        self._path, self._partial, self._encoder, self._notes = path, partial, encoder, notes
        channels = encoder.order.layout.channels
        refuse_flac(path, encoder.subtype, channels, rate)
        self._tags = dict(metadata.tags)
        order = encoder.order
        # FLAC has a layout for every number of channels; what is not that must say so.
        known = order.layout == flac(channels, {}).layout and not order.layout.name.startswith("discrete:")
        if (order.mask and channels > 2) or not known:
            self._tags[MASK_TAG] = f"0x{order.mask:X}"
        if metadata.bext is not None:
            self._tags |= bext_tags(metadata.bext)
        self._tags = {name: text for name, text in self._tags.items() if _is_comment_name(name)}
        self._chunks, left = carried(self._tags, dict(chunks_of(metadata)), spare=notes)
        self.warnings = [
            f"{path}: FLAC has no room for the chunk {name.decode('latin-1')!r}" for name in left
        ]
        self._file = self._open(rate, room_for(self._tags, self._chunks, spare=notes))

    def _open(self, rate: int, room: int) -> Any:
        import soundfile

        channels = self._encoder.order.layout.channels
        try:
            file = soundfile.SoundFile(
                for_libsndfile(self._partial), "w", rate, channels, self._encoder.subtype, format="FLAC"
            )
            file.comment = "x" * room
        except (soundfile.SoundFileError, RuntimeError, ValueError, OSError) as error:
            raise MediaError(f"{self._path}: cannot be written: {why_not(self._path, error)}") from None
        return file

    def write(self, block: Array) -> None:
        """See `Target`."""
        import soundfile

        values: Any = self._encoder.values(block)
        try:
            self._file.write(values)
        except (soundfile.SoundFileError, RuntimeError, OSError, AssertionError) as error:
            raise MediaError(f"{self._path}: cannot be written: {why_not(self._path, error)}") from None

    def finish(self, notes: Sequence[str]) -> None:
        """See `Target`."""
        import soundfile

        if not self._encoder.written:
            raise MediaError(f"{self._path}: FLAC cannot hold a sound of no samples; choose WAV")
        try:
            self._file.close()
            write_blocks(self._partial, with_notes(self._tags, _fitting(notes, self._notes)), self._chunks)
        except (soundfile.SoundFileError, RuntimeError, OSError, ValueError) as error:
            raise MediaError(f"{self._path}: cannot be completed: {why_not(self._path, error)}") from None

    def close(self) -> None:
        """See `Target`."""
        with contextlib.suppress(Exception):
            self._file.close()


def _fitting(notes: Sequence[str], room: int) -> list[str]:
    """Return as many notes as fit into so many bytes of a comment, which may be a new one."""
    kept = []
    left = room - 32
    for note in notes:
        left -= len(note.encode("utf-8", "surrogateescape")) + 2
        if left >= 0:
            kept.append(note)
    return kept


def _is_comment_name(name: str) -> bool:
    return bool(name) and all(" " <= letter <= "}" and letter != "=" for letter in name)


def refuse_flac(path: Path, subtype: str, channels: int, rate: int) -> None:
    """Raise `MediaError` when FLAC cannot hold this."""
    if BITS.get(subtype) not in {16, 24}:
        raise MediaError(f"{path}: FLAC holds PCM_16 or PCM_24, not {subtype}; choose one, or WAV")
    if channels > FlacTarget.CHANNELS:
        raise MediaError(f"{path}: FLAC holds at most 8 channels, not {channels}; choose WAV")
    if rate > FlacTarget.RATE:
        raise MediaError(f"{path}: FLAC holds rates up to {FlacTarget.RATE} Hz, not {rate}; choose WAV")


class PipeTarget:
    """WAV or raw samples onwards through a pipe.

    A pipe that turns out to be a file at its beginning (``> out.wav``) gets its sizes in the end.
    """

    def __init__(self, pipe: PipeOut, encoder: Encoder, head: WaveHead | None, descriptor: int = -1) -> None:
        self._pipe, self._encoder, self._head = pipe, encoder, head
        self._windable = descriptor if head is not None and _at_beginning_of_file(descriptor) else -1
        if head is not None:
            self._head = replace(head, tags_first=True)
            self._pipe.write(self._head.bytes(head.length))

    def write(self, block: Array) -> None:
        """See `Target`."""
        self._pipe.write(bytes(self._encoder.encode(block)))

    def finish(self, notes: Sequence[str]) -> None:  # noqa: ARG002 - the tags have left
        """See `Target`."""
        head, samples = self._head, self._encoder.written
        if head is not None and samples * head.frame % 2:
            self._pipe.write(b"\0")
        self._pipe.end()

    def deliver(self) -> None:
        """Wait until whoever reads has everything."""
        head, samples = self._head, self._encoder.written
        self._pipe.wait()
        if head is not None and self._windable >= 0:
            with contextlib.suppress(OSError):
                os.pwrite(self._windable, head.bytes(samples), 0)

    def close(self) -> None:
        """See `Target`."""
        self._pipe.abort()


def _at_beginning_of_file(descriptor: int) -> bool:
    if descriptor < 0 or not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return False
    try:
        import fcntl

        appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
        return not appends and os.lseek(descriptor, 0, os.SEEK_CUR) == 0
    except OSError:
        return False
