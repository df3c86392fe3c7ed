"""One output: a file that stands under its name only when it is whole, or a pipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..contract.errors import MediaError, MediaRequestError
from .atomic import AtomicFile, why_not
from .bytes_in import FileBytes
from .channels import for_file
from .encoder import BITS, ENCODINGS, Dither, Encoder, OnClip
from .metadata import Metadata
from .sndfile_reader import for_libsndfile
from .targets import FlacTarget, PipeTarget, Target, WaveTarget, refuse_flac
from .wave.head import WaveHead
from .wave.reader import open_wave

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..contract.audio import Layout
    from ..contract.processor import Array
    from .sink import Writer

__all__ = ["FORMS", "RAW", "FileWriter", "OutputForm", "PipeWriter", "open_writer", "suffix_of"]

#: Raw sample encodings that can be asked for, with their sample format.
RAW = {encoding: subtype for subtype, encoding in ENCODINGS.items()}
#: What an output can be: containers, then raw samples.
FORMS = ("wav", "flac", "rf64", "bw64", *RAW)
_NOTES = 1024


def suffix_of(form: str) -> str:
    """Return how the name of a file of this form ends.

    Args:
        form: one of `FORMS`.

    Example:
        >>> suffix_of("bw64"), suffix_of("s24le")
        ('wav', 's24le')
    """
    return form if form in RAW or form == "flac" else "wav"


@dataclass(frozen=True, slots=True)
class OutputForm:
    """What is asked of an output.

    Attributes:
        rate: Hz.
        layout: of its channels.
        length: samples per channel; None when the end of a stream tells.
        subtype: PCM_16, PCM_24, PCM_32 or FLOAT.
        form: a name of `FORMS`.
        on_clip: what to do with samples beyond full scale in an integer format.
        dither: of 16-bit samples.
        seed: of the dither.
        metadata: what it says beside the samples.
    """

    rate: int
    layout: Layout
    length: int | None
    subtype: str
    form: str = "wav"
    on_clip: OnClip = "clip"
    dither: Dither = "tpdf"
    seed: int = 0
    metadata: Metadata = field(default_factory=Metadata)

    def encoder(self, name: str) -> Encoder:
        """Return the encoder of its samples; raw forms fix their sample format."""
        subtype = RAW.get(self.form, self.subtype)
        order = for_file(self.layout, self.metadata.mask)
        return Encoder(name, subtype, order, self.on_clip, self.dither, self.seed)

    def head(self, encoder: Encoder) -> WaveHead | None:
        """Return the head of a WAV; None for raw samples."""
        if self.form in RAW:
            return None
        encoding = ENCODINGS[encoder.subtype]
        return WaveHead(self.form, encoding, self.rate, encoder.order, self.length, self.metadata)


class _Written:
    """What both kinds of output count, by their encoder."""

    def __init__(self, name: str, form: OutputForm) -> None:
        self.name, self.form = name, form
        self.encoder = form.encoder(name)
        self.subtype = self.encoder.subtype
        self.warnings: list[str] = []

    @property
    def clipped(self) -> int:
        """Samples beyond full scale so far."""
        return self.encoder.clipped

    @property
    def length(self) -> int | None:
        """Samples per channel: what was asked, else what was written so far."""
        return self.encoder.written if self.form.length is None else self.form.length

    def check_length(self) -> None:
        """Raise `MediaError` unless everything was written."""
        if self.encoder.written != self.length:
            raise MediaError(f"{self.name}: holds {self.encoder.written} of {self.length} samples")


class FileWriter(_Written):
    """One output file. Nothing stands under ``path`` until `commit`.

    WAV beyond 4 GiB is written as RF64 (BW64 when it has ADM metadata), because RIFF cannot hold its size.

    Attributes:
        path: the final name.

    Raises:
        MediaError: the file exists and ``overwrite`` is false, or cannot be created, or the format cannot
            hold what is asked.
    """

    def __init__(self, path: Path, form: OutputForm, *, overwrite: bool = False) -> None:
        super().__init__(str(path), form)
        self.path = path
        if form.form == "flac":
            refuse_flac(path, self.encoder.subtype, form.layout.channels, form.rate)
        self._atomic = AtomicFile(path, overwrite=overwrite)
        try:
            self._target = self._fill()
        except BaseException:
            self._atomic.abort()
            raise

    def _fill(self) -> Target:
        partial, encoder = self._atomic.partial, self.encoder
        if self.form.form != "flac":
            return WaveTarget(self.path, partial, encoder, self.form.head(encoder))
        target = FlacTarget(self.path, partial, encoder, self.form.rate, self.form.metadata, _NOTES)
        self.warnings += target.warnings
        return target

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples, rounded to the nearest value of an integer format.

        Raises:
            MediaError: the disk is full or failing, or a sample clips and ``on_clip`` is "error".
        """
        self._target.write(block)

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Complete the partial file: close, sync, and read its header back.

        Raises:
            MediaError: it does not hold every sample written.
        """
        self._target.finish(notes)
        self._atomic.sync()
        held = self._held()
        if held != self.encoder.written:
            why = why_not(self.path, OSError())
            raise MediaError(f"{self.path}: holds {held} of {self.encoder.written} samples: {why}")
        self.check_length()

    @property
    def partial(self) -> Path:
        """Where it is being written."""
        return self._atomic.partial

    def _held(self) -> int | None:
        """Return how many samples the finished file says it holds."""
        partial = self._atomic.partial
        if self.form.form in RAW:
            return partial.stat().st_size // (BITS.get(self.subtype, 32) // 8 * self.form.layout.channels)
        if self.form.form == "flac":
            import soundfile

            try:
                return int(soundfile.info(for_libsndfile(partial)).frames)
            except (soundfile.SoundFileError, RuntimeError, OSError) as error:
                raise MediaError(f"{self.path}: cannot be completed: {why_not(self.path, error)}") from None
        data = FileBytes(partial.open("rb", buffering=0))
        try:
            return open_wave(self.name, data).length
        finally:
            data.close()

    def commit(self) -> None:
        """Give the finished file its name.

        Raises:
            MediaError: another file took the name meanwhile and ``overwrite`` is false.
        """
        self._atomic.commit()

    def settle(self) -> None:
        """Let go of what `commit` replaced."""
        self._atomic.settle()

    def abort(self) -> None:
        """Remove what was written, even if `commit` gave it its name, and bring back what it replaced."""
        self._target.close()
        self._atomic.abort()


class PipeWriter(_Written):
    """One output through a pipe; what has left cannot be taken back.

    Args:
        name: for error texts.
        form: what is asked.
        target: a FIFO's path or an open descriptor.
        cancelled: asked while a reader is waited for; true gives up.

    Raises:
        MediaError: a pipe cannot hold what is asked.
    """

    def __init__(
        self, name: str, form: OutputForm, target: Path | int, *, cancelled: Callable[[], bool]
    ) -> None:
        from .pipes import PipeOut

        if form.form == "flac":
            raise MediaRequestError(f"{name}: FLAC is not written into a pipe; choose --format wav or a file")
        super().__init__(name, form)
        if form.on_clip == "float" and self.subtype in BITS:
            raise MediaRequestError(
                f"{name}: a pipe cannot turn from {self.subtype} to FLOAT when samples clip; "
                "choose --subtype FLOAT"
            )
        pipe = PipeOut(name, target, cancelled=cancelled)
        descriptor = target if isinstance(target, int) else -1
        self._target = PipeTarget(pipe, self.encoder, form.head(self.encoder), descriptor)

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples.

        Raises:
            ReaderGoneError: whoever read the pipe has closed it.
        """
        self._target.write(block)

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Say that nothing more comes; does not wait, since one reader may read several pipes."""
        self._target.finish(notes)

    def commit(self) -> None:
        """Wait until whoever reads has everything.

        Raises:
            ReaderGoneError: it has closed the pipe before.
        """
        self._target.deliver()

    def settle(self) -> None:
        """Nothing was replaced."""

    def abort(self) -> None:
        """Close, complete or not."""
        self._target.close()


def open_writer(path: Path, form: OutputForm, *, overwrite: bool = False) -> Writer:
    """Return the writer of one output file.

    Raises:
        MediaError: see `FileWriter`.
    """
    if form.on_clip == "float" and RAW.get(form.form, form.subtype) in BITS:
        from .float_if_clipped import FloatIfClipped

        return FloatIfClipped(path, form, overwrite=overwrite)
    return FileWriter(path, form, overwrite=overwrite)
