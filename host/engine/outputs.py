"""The outputs of one render: files in a folder, files and pipes by name, or one stream of all."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..contract.audio import Layout
from ..contract.errors import GraphError, MediaError, MediaRequestError, Place, Problem, nearest
from ..media.encoder import BITS
from ..media.joined import JoinedWriter
from ..media.paths import inside
from ..media.pipes import is_pipe
from ..media.resample import ResampledWriter, resampled_length
from ..media.wave.info_list import unnamed
from ..media.write_behind import WriteBehind
from ..media.writer import RAW, OutputForm, PipeWriter, open_writer, suffix_of
from .options import OutputReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..graph.check import CheckedGraph
    from ..media.metadata import Metadata
    from ..media.sink import Writer
    from .drive import Drive
    from .inputs import Inputs
    from .options import RenderOptions

__all__ = ["Outputs"]

_STREAM = "-"


@dataclass
class Outputs:
    """Writers by output name; leaves nothing behind unless committed.

    Attributes:
        sinks: what the engine writes to, by output.
        writers: what becomes files or streams, by the name it is told under.
        warnings: lines for the report.
    """

    checked: CheckedGraph
    drive: Drive
    inputs: Inputs
    options: RenderOptions
    cancelled: Callable[[], bool]
    sinks: dict[str, Writer] = field(default_factory=dict)
    writers: dict[str, tuple[Writer, Path, OutputForm]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _made_folders: list[Path] = field(default_factory=list)
    _piped: set[str] = field(default_factory=set)

    def open(self, folder: str | Path | None, named: Mapping[str, str | Path]) -> None:
        """Open a writer for every output.

        Args:
            folder: where outputs go that are not in ``named``; "-" joins these into one stream on standard
                output.
            named: files, FIFOs or "-" by output.

        Raises:
            MediaError: an output cannot be made.
            GraphError: an output has no place, or ``named`` names one that is not.
        """
        self._check_names(named)
        rest = [name for name in self.checked.outputs if name not in named]
        if rest and folder is None:
            raise self._problem(
                f"the output {', '.join(rest)} has no place", "pass -o DIR, or --to NAME=FILE"
            )
        streams = [name for name, place in named.items() if _descriptor(place) == 1]
        if str(folder) == _STREAM:
            streams += rest
        elif rest:
            self._make(Path(str(folder)))
        for name in self.checked.outputs:
            if name in streams:
                continue
            place = Path(named[name]) if name in named else self._in_folder(Path(str(folder)), name)
            self._open_one(name, place, _descriptor(named[name]) if name in named else None, name in named)
        if streams:
            self._open_stream(streams)

    def _check_names(self, named: Iterable[str]) -> None:
        for name in named:
            if name not in self.checked.outputs:
                raise self._problem(f"has no output {name!r}", nearest(name, self.checked.outputs))

    def _problem(self, message: str, remedy: str) -> GraphError:
        return GraphError([Problem(Place(self.checked.source), message, remedy)])

    def _in_folder(self, folder: Path, name: str) -> Path:
        first = next(iter(self.inputs.paths.values()))
        stem = "stdin" if first == _STREAM else Path(first).stem
        return inside(folder, f"{stem}.{name}.{suffix_of(self.options.form)}")

    def _form(self, name: str) -> OutputForm:
        """Return what is asked of one output."""
        wire, asked = self.checked.outputs[name]
        layout, options, first = self.checked.layout(wire), self.options, self.inputs.first
        usual = first.subtype if layout.scene is None else "PCM_24"
        subtype = RAW.get(options.form) or options.subtype or asked or usual
        rate = options.output_rate or self.checked.rate
        if layout.scene is not None and (rate != self.checked.rate or options.form not in {"wav", "bw64"}):
            raise self._problem(
                f"the output {name} is a scene, which becomes an ADM file of the graph's rate",
                "leave out --format and --output-rate, or render it to channels with the plugin loudspeakers",
            )
        length = self.drive.output_length(name)
        if length is not None:
            length = resampled_length(length, self.checked.rate, rate)
        form = OutputForm(
            rate,
            layout,
            length,
            subtype,
            options.form,
            options.on_clip,
            options.dither,
            options.seed,
        )
        return replace(form, metadata=self._metadata(name, form))

    def _metadata(self, name: str, form: OutputForm) -> Metadata:
        from importlib.metadata import version

        given = self.inputs.first.metadata
        software = f"Unbraid {version('unbraid')}"
        integer = form.subtype in BITS
        width = f",W={BITS[form.subtype]}" if integer else ""
        graph = Path(self.checked.source).name
        kind = "PCM" if integer else "FLOAT"
        step = f"A={kind},F={form.rate}{width},M={form.layout},T={software};{graph};{name}"
        kept = given.at_rate(self.checked.rate, form.rate).passed_on(
            step=step,
            bits=BITS.get(form.subtype, 32),
            same_layout=form.layout == self.inputs.first.layout,
        )
        lost = given.lost(kept)
        left = [tag for tag in unnamed(kept.tags) if tag != "encoder"]
        if left and form.form in {"wav", "rf64", "bw64"}:
            lost.append(f"tags that WAV has no place for are not carried: {', '.join(left)}")
        self.warnings += [line for line in lost if line not in self.warnings]
        own = {"software", "encoder"} & kept.tags.keys()
        return replace(kept, tags={**kept.tags, **dict.fromkeys(own, software)})

    def _open_one(self, name: str, path: Path, descriptor: int | None, named: bool) -> None:  # noqa: FBT001
        form = self._form(name)
        if descriptor is not None:
            self._must_be_channels(name, form)
            pipe = PipeWriter(str(path), form, descriptor, cancelled=self.cancelled)
            self.writers[name] = (pipe, path, form)
            self._piped.add(name)
            self.sinks[name] = self._at_rate(pipe, form)
            return
        # /dev/stdout and /dev/fd/63 are links to pipes; but a link in the folder leads where nobody asked.
        for other, (_, place, _) in self.writers.items():
            if _one_place(path, place):
                raise MediaRequestError(f"{path}: is the place of {other} and of {name}; give each a file")
        if is_pipe(path) and (named or not path.is_symlink()):
            self._must_be_channels(name, form)
            writer: Writer = PipeWriter(str(path), form, path, cancelled=self.cancelled)
            self._piped.add(name)
        else:
            for source in self.inputs.paths.values():
                if _same(path, source):
                    raise MediaError(f"{path}: is an input of this render; choose another folder with -o")
            writer = WriteBehind(self._file(path, form), form.layout.channels)
        self.writers[name] = (writer, path, form)
        self.sinks[name] = self._at_rate(writer, form)

    def _file(self, path: Path, form: OutputForm) -> Writer:
        if form.layout.scene is None:
            return open_writer(path, form, overwrite=self.options.overwrite)
        from ..adm.writer import AdmWriter

        return AdmWriter(path, form, overwrite=self.options.overwrite)

    def _must_be_channels(self, name: str, form: OutputForm) -> None:
        if form.layout.scene is not None:
            raise self._problem(
                f"the output {name} is a scene, which is not written into a pipe",
                "give it a file or a folder",
            )

    def _at_rate(self, writer: Writer, form: OutputForm) -> Writer:
        if form.rate == self.checked.rate:
            return writer
        return ResampledWriter(writer, self.checked.rate, form.rate, form.layout.channels)

    def _open_stream(self, names: Sequence[str]) -> None:
        """Open standard output for one output, or for the channels of several side by side."""
        forms = {name: self._form(name) for name in names}
        for name, each in forms.items():
            self._must_be_channels(name, each)
        form = forms[names[0]]
        title = "+".join(names)
        if len(names) > 1:
            if len({each.length for each in forms.values()}) > 1:
                raise MediaError(
                    "standard output: tails give the outputs different lengths; give each a file"
                )
            channels = sum(each.layout.channels for each in forms.values())
            metadata = replace(form.metadata, mask=0, axml=None, chna=None)
            form = replace(form, layout=Layout.parse(f"discrete:{channels}"), metadata=metadata)
        if os.isatty(self.options.stdout):
            raise MediaError("standard output: is a terminal; put a program behind a pipe, or give a folder")
        writer: Writer = PipeWriter("standard output", form, self.options.stdout, cancelled=self.cancelled)
        self.writers[title] = (writer, Path(_STREAM), form)
        self._piped.update(names)
        writer = self._at_rate(writer, form)
        if len(names) == 1:
            self.sinks[names[0]] = writer
        else:
            joined = JoinedWriter(writer, {name: each.layout.channels for name, each in forms.items()})
            self.sinks.update(joined.parts)

    def _make(self, folder: Path) -> None:
        try:
            missing = [place for place in (folder, *folder.parents) if not place.exists()]
            for place in reversed(missing):
                place.mkdir()
                self._made_folders.append(place)
        except OSError as error:
            raise MediaError(f"{folder}: cannot be made: {error.strerror}") from None
        except ValueError as error:
            raise MediaError(f"{str(folder)!r} is not a folder's name: {error}") from None
        if not folder.is_dir():
            raise MediaError(f"{folder}: is a file; give -o a folder")

    def commit(self, notes: Sequence[str]) -> None:
        """Complete every output, then name every file."""
        for sink in self.sinks.values():
            sink.finish(notes)
        for writer, _, _ in self.writers.values():
            self.warnings += writer.warnings
        # First what another program may yet refuse: files get their names once nothing else can fail.
        for pipes in (True, False):
            for name, sink in self.sinks.items():
                if (name in self._piped) is pipes:
                    sink.commit()
        for sink in self.sinks.values():
            sink.settle()

    def abort(self) -> None:
        """Leave nothing."""
        for writer, _, _ in self.writers.values():
            writer.abort()
        with contextlib.suppress(OSError):  # somebody put a file there meanwhile
            for folder in reversed(self._made_folders):
                folder.rmdir()

    def reports(self) -> tuple[OutputReport, ...]:
        """Return what was written."""
        return tuple(
            OutputReport(
                name,
                path,
                form.form,
                form.rate,
                str(form.layout),
                writer.length or 0,
                writer.subtype,
                writer.clipped,
            )
            for name, (writer, path, form) in self.writers.items()
        )


def _one_place(path: Path, other: Path) -> bool:
    """Return whether two names stand for one file to come."""
    return path.name == other.name and _same(path.parent, str(other.parent))


def _descriptor(path: str | Path) -> int | None:
    """Return the open descriptor that a name stands for, as a shell gives them; 1 is standard output.

    Only ``-`` itself does: ``./-`` is a file.
    """
    if str(path) in {_STREAM, "/dev/stdout"}:
        return 1
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/([0-9]{1,6})", str(path))
    return int(found[1]) if found else None


def _same(path: Path, other: str) -> bool:
    """Return whether two names lead to one file; a name that leads nowhere is nobody's."""
    try:
        return path.samefile(other)
    except (OSError, ValueError):
        return False
