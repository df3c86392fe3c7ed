"""A file that is FLOAT if a sample clipped, and otherwise what was asked."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..contract.errors import MediaError
from .bytes_in import FileBytes
from .sink import Around
from .wave.reader import open_wave
from .writer import FileWriter, OutputForm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..contract.processor import Array

__all__ = ["FloatIfClipped"]

_BLOCK = 1 << 14


class FloatIfClipped(Around):
    """A file whose sample format is known only at its end.

    It is written as FLOAT, and written again when nothing clipped; so it is exact either way.

    Raises:
        MediaError: see `FileWriter`; or the form has no FLOAT.
    """

    def __init__(self, path: Path, form: OutputForm, *, overwrite: bool) -> None:
        if form.form not in {"wav", "rf64", "bw64"}:
            raise MediaError(f"{path}: {form.form} cannot turn to FLOAT when samples clip; choose WAV")
        self.path, self._form, self._overwrite = path, form, overwrite
        self._counter = replace(form, dither="none", on_clip="clip").encoder(str(path))
        whole = replace(form, subtype="FLOAT", metadata=form.metadata.as_float())
        self._float = FileWriter(path, whole, overwrite=overwrite)
        super().__init__(self._float)

    @property
    def clipped(self) -> int:
        """0: nothing is held at full scale in the end."""
        return 0

    def write(self, block: Array) -> None:
        """Append ``[channels, n]`` samples, and count those beyond full scale."""
        self._counter.values(block)
        self._float.write(block)

    def finish(self, notes: Sequence[str] = ()) -> None:
        """Complete the file in the format that holds it."""
        self._float.finish(notes)
        if self._counter.clipped:
            self.warnings.append(
                f"{self.path}: {self._counter.clipped} samples are beyond full scale, so it is FLOAT, not "
                f"{self._form.subtype}"
            )
            return
        exact = FileWriter(self.path, self._form, overwrite=self._overwrite)
        try:
            self._copy(exact)
            exact.finish(notes)
        except BaseException:
            exact.abort()
            raise
        self._float.abort()
        self.writer = exact

    def _copy(self, target: FileWriter) -> None:
        data = FileBytes(self._float.partial.open("rb", buffering=0))
        with closing(open_wave(self.name, data)) as source:
            block = np.empty((source.layout.channels, _BLOCK), np.float32)
            while count := source.read(block):
                target.write(block[:, :count])
