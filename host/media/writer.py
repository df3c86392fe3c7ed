"""Writing sound files: beside their final name, synced, and renamed only when whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...kernels.pcm import interleave, quantise
from ..contract.errors import MediaError

if TYPE_CHECKING:
    from ..contract.audio import Layout
    from ..contract.processor import Array

__all__ = ["FileWriter"]

_BITS = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_RIFF_LIMIT = (1 << 32) - 4096
FLAC_CHANNELS = 8


class FileWriter:
    """One output file. Nothing exists under ``path`` until `commit`.

    WAV beyond 4 GiB is written as RF64, because a WAV header cannot hold its size.

    Attributes:
        path: the final name.
        clipped: samples beyond full scale so far, in an integer format.

    Raises:
        MediaError: the file exists and ``overwrite`` is false, or cannot be created, or the format
            cannot hold what is asked.
    """

    def __init__(
        self,
        path: Path,
        *,
        rate: int,
        layout: Layout,
        length: int,
        subtype: str,
        overwrite: bool = False,
        on_clip: str = "clip",
    ) -> None:
        self.path, self.rate, self.layout, self.length, self.subtype = path, rate, layout, length, subtype
        self.clipped = 0
        self._overwrite, self._on_clip, self._written = overwrite, on_clip, 0
        self._bits = _BITS.get(subtype)
        if self._bits is None and subtype != "FLOAT":
            raise MediaError(f"{path}: cannot hold {subtype}; choose {', '.join(_BITS)} or FLOAT")
        if not overwrite and _taken(path):
            raise MediaError(f"{path}: exists already; choose another folder, or pass --overwrite")
        self._named = False
        self._partial = path.with_name(f".unbraid-{secrets.token_hex(8)}.partial")
        self._file = self._open(self._format())

    def _format(self) -> str:
        if self.path.suffix.lower() != ".flac":
            size = self.length * self.layout.channels * (self._bits or 32) // 8
            return "RF64" if size > _RIFF_LIMIT else "WAV"
        if self._bits not in {16, 24}:
            raise MediaError(
                f"{self.path}: FLAC holds PCM_16 or PCM_24, not {self.subtype}; choose one, or WAV"
            )
        if self.layout.channels > FLAC_CHANNELS:
            raise MediaError(
                f"{self.path}: FLAC holds at most 8 channels, not {self.layout.channels}; choose WAV"
            )
        return "FLAC"

    def _open(self, form: str) -> Any:
        import soundfile

        try:
            # An exclusive create of our own first: its error says why, libsndfile's does not.
            os.close(os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return soundfile.SoundFile(
                self._partial, "w", self.rate, self.layout.channels, self.subtype, format=form
            )
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be created: {error.strerror}") from None
        except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
            self._discard()
            raise MediaError(f"{self.path}: cannot be written: {self._why(error)}") from None
        except BaseException:
            self._discard()
            raise

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples, rounded to the nearest value of an integer format.

        Raises:
            MediaError: the disk is full or failing, or a sample clips and ``on_clip`` is "error".
        """
        import soundfile

        data: Any
        if self._bits is None:
            data = interleave(block)
        else:
            data, clipped = quantise(block, self._bits)
            self.clipped += clipped
            if clipped and self._on_clip == "error":
                raise MediaError(
                    f"{self.path}: {clipped} samples after sample {self._written} are beyond full scale; "
                    "lower the level, or render with --subtype FLOAT or --on-clip clip",
                )
        try:
            self._file.write(data)
        except (soundfile.SoundFileError, RuntimeError, OSError, AssertionError) as error:
            raise MediaError(f"{self.path}: cannot be written: {self._why(error)}") from None
        self._written += block.shape[1]

    def finish(self) -> None:
        """Complete the partial file: close, sync, and read its header back.

        Raises:
            MediaError: it does not hold every sample written.
        """
        import soundfile

        try:
            self._file.close()
            descriptor = os.open(self._partial, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            held = soundfile.info(str(self._partial)).frames
        except (soundfile.SoundFileError, RuntimeError, OSError) as error:
            raise MediaError(f"{self.path}: cannot be completed: {self._why(error)}") from None
        if held != self._written or self._written != self.length:
            raise MediaError(
                f"{self.path}: holds {held} of {self.length} samples: {self._why(OSError())}",
            )

    def commit(self) -> None:
        """Give the finished file its name.

        Raises:
            MediaError: another file took the name meanwhile and ``overwrite`` is false.
        """
        try:
            if self._overwrite:
                self._partial.replace(self.path)
            else:
                _rename_to_free_name(self._partial, self.path)
            self._named = True
            _sync_folder(self.path.parent)
        except FileExistsError:
            raise MediaError(f"{self.path}: appeared while rendering; it was left as it is") from None
        except OSError as error:
            raise MediaError(f"{self.path}: cannot be renamed into place: {error.strerror}") from None

    def abort(self) -> None:
        """Remove what was written, even if `commit` gave it its name; what it replaced does not return."""
        with contextlib.suppress(Exception):
            self._file.close()
        self._discard()
        if self._named:
            self.path.unlink(missing_ok=True)

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)

    def _why(self, error: BaseException) -> str:
        """Say what libsndfile does not: that the disk is full."""
        with contextlib.suppress(OSError):
            disk = os.statvfs(self.path.parent)
            if disk.f_bavail * disk.f_frsize < 1 << 17 or getattr(error, "errno", 0) == errno.ENOSPC:
                return "no space left on the disk; free some, or choose another folder with -o"
        return " ".join(str(error).split()).rstrip(".") or "the disk refused it"


def _taken(path: Path) -> bool:
    """Return whether something has this name; say at once when nothing could have it."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be created: {reason}") from None
    return True


def _rename_to_free_name(source: Path, target: Path) -> None:
    """Rename, but never over a file: a hard link fails where the name exists, a rename does not."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError from None
        source.rename(target)
    else:
        with contextlib.suppress(OSError):  # the file has its name; `abort` tries again
            source.unlink()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
