"""Manifests: what a batch is to do, as YAML, JSON, JSON Lines, CSV, or a folder with a pattern."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...contract.errors import GraphError, Place, Problem, nearest
from ...graph.yaml_reader import MAX_BYTES, read
from .conventions import gather, gathered_by
from .errors import Faults, ManifestError, RefusedError
from .keys import ALL_KEYS, Draft, Keys, own_graph
from .lines import csv_entries, json_entries
from .patterns import compiled, walk
from .render_keys import OPTIONS
from .roots import Roots

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from ..job import Job

__all__ = ["VERSION", "Manifest", "read_manifest"]

VERSION = 1
_MARK = "unbraid-batch"
_TOP = (_MARK, "roots", "jobs", "files", "stems")
_FORMS = {
    ".yaml": "document",
    ".yml": "document",
    ".json": "document",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".csv": "table",
    ".tsv": "table",
    ".txt": "table",
}

_Path = tuple[str | int, ...]
#: A line, where its keys stand in the document, and its keys and values.
_Entry = tuple[int, _Path, list[tuple[str, Any]]]


class Manifest:
    """A manifest whose beginning was read; the jobs are read as they are asked for.

    Attributes:
        source: its path, as it was given.
        name: of the batch: the manifest's or folder's name, without its ending.
        roots: absolute paths of the folders below which every file lies.
        settings: parameters by ``node.param`` that all jobs have in common, unless they say something else.
    """

    def __init__(
        self, source: str, roots: Roots, base: Draft, entries: Callable[[Faults], Iterator[_Entry]]
    ) -> None:
        self.source = source
        self.name = Path(os.path.abspath(source)).stem or "batch"  # noqa: PTH100
        self.roots = roots.folders
        self.settings: Mapping[str, Any] = base.settings
        self._roots, self._base, self._entries = roots, base, entries

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs in the manifest's order, reading on as they are asked for.

        Every call reads anew. From the first problem on no job comes any more: the rest is read for further
        problems, and then all are raised; so a caller that must not begin a wrong batch takes all jobs first.

        Raises:
            ManifestError: the first 20 problems.
        """
        faults = Faults(self.source)
        keys, number = Keys(self._roots, faults), 0
        for line, prefix, given in self._entries(faults):
            number += 1
            faults.line, faults.prefix = line or None, prefix
            job = keys.job(self._base, given, line)
            if job is not None and not faults.found:
                yield job
            elif faults.full:
                break
        if not number and not faults.found:
            faults.prefix = ()
            faults.add((), "holds no jobs", "write one, or remove the manifest")
        faults.settle()


def read_manifest(
    path: str | Path,
    *,
    graph: str | None = None,
    pattern: str | None = None,
    roots: Sequence[str | Path] = (),
    skip: Sequence[str | Path] = (),
    defaults: Mapping[str, Any] | None = None,
) -> Manifest:
    r"""Read the beginning of a manifest, or take a folder for one.

    Args:
        path: a ``.yaml``, ``.yml`` or ``.json`` document, ``.jsonl`` or ``.ndjson`` lines, a ``.csv``,
            ``.tsv`` or ``.txt`` table, or a folder.
        graph: a ready-made graph's name or a graph file, for jobs that say none; goes before the manifest's
            own default, and its path is the caller's, relative to the working folder.
        pattern: of files in a folder, as in ``**/*.flac``; by default ``**/*.wav``.
        roots: folders below which those that the manifest declares must lie; by default it may declare any.
        skip: folders that are not looked into where files are gathered, as that of the outputs.
        defaults: values of a job's keys for all jobs; go before the manifest's own defaults.

    Raises:
        ManifestError: it cannot be read, or what stands ahead of its jobs is wrong.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "all.csv").write_text("input,set.dewind.limit\nwind/a.wav,12\n")
        >>> [job] = read_manifest(folder / "all.csv", graph="dewind").jobs()
        >>> job.place, job.settings, job.line
        ('wind/a.{output}.{ext}', {'dewind.limit': 12}, 2)
    """
    source = os.fspath(path)
    head = _head(source, pattern)
    found = _roots(head, [os.fspath(root) for root in roots])
    base = Draft()
    head.check_keys()
    shared = [(key, value) for key, value in head.value.items() if key not in _TOP]
    Keys(found, head.faults).take(base, shared)
    entries = _entries(head, found, {os.path.realpath(each) for each in skip}, base)
    head.faults.settle()
    asked = Faults("the request")
    Keys(found, asked).take(base, (defaults or {}).items())
    if graph is not None:
        try:
            base.graph, base.graph_name = own_graph(graph)
        except RefusedError as error:
            asked.refuse(("graph",), error)
    asked.settle()
    return Manifest(source, found, base, entries)


@dataclass(slots=True)
class _Head:
    """What a manifest says ahead of its jobs.

    Attributes:
        form: "document", "lines", "table" or "folder".
        value: the document, the first line's object or nothing.
        begun: whether the first line is taken.
    """

    form: str
    value: dict[str, Any]
    faults: Faults
    begun: bool = False

    def check_keys(self) -> None:
        """Note keys that do not belong here, and a version that is not known."""
        known = {*_TOP, *ALL_KEYS} if self.form == "document" else {_MARK, "roots", *ALL_KEYS} - {"stems"}
        for key in list(self.value):
            if key not in known and key.replace("_", "-") not in OPTIONS and self.form != "folder":
                self.faults.add((key,), f"unknown key {key!r:.80}", nearest(key[:80], known))
                del self.value[key]
        version = self.value.get(_MARK)
        wanted = self.form == "document" or self.begun
        if wanted and (type(version) is not int or version != VERSION):
            stated = "no version" if version is None else f"version {version!r:.40}"
            self.faults.add((_MARK,), f"states {stated}", f"begin with {_MARK}: {VERSION}")


def _head(source: str, pattern: str | None) -> _Head:
    faults = Faults(source)
    try:
        mode = Path(source).stat().st_mode
    except (OSError, ValueError) as error:
        raise _wrong(
            source, f"cannot be read: {getattr(error, 'strerror', error)}", "check its name"
        ) from None
    if stat.S_ISDIR(mode):
        return _Head("folder", {"files": pattern or "**/*.wav"}, faults)
    if pattern is not None:
        raise _wrong(source, "is a manifest, and a pattern is for folders", f"write files: {pattern} in it")
    if not stat.S_ISREG(mode):
        raise _wrong(source, "is no plain file", "write the manifest into a file")
    form = _FORMS.get(Path(source).suffix.lower())
    if form is None:
        raise _wrong(source, "has none of the endings of manifests", f"end its name in {', '.join(_FORMS)}")
    if form == "document":
        return _document(source, faults)
    with _opened(source) as file:
        line, value = next(json_entries(file, faults), (1, {})) if form == "lines" else (1, {})
    faults.settle()
    faults.line = line
    begun = _MARK in value
    return _Head(form, value if begun else {}, faults, begun)


def _document(source: str, faults: Faults) -> _Head:
    with _opened(source) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _wrong(source, f"is longer than {MAX_BYTES} bytes", "write so many jobs as JSON Lines or CSV")
    try:
        parsed = read(data.decode("utf-8-sig"), source)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(source, "is not UTF-8", "save it as UTF-8", line) from None
    except GraphError as error:
        raise ManifestError(error.problems) from None
    if parsed.value is None:
        raise _wrong(source, "is empty", f"begin with {_MARK}: {VERSION}")
    if not isinstance(parsed.value, dict):
        raise _wrong(source, "is no mapping", f"begin with {_MARK}: {VERSION}")
    faults.lines, faults.line = parsed.lines, 1
    return _Head("document", parsed.value, faults)


def _opened(source: str) -> BinaryIO:
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise _wrong(source, f"cannot be read: {error.strerror}", "ask for the right to read it") from None


def _wrong(source: str, message: str, remedy: str, line: int | None = None) -> ManifestError:
    return ManifestError([Problem(Place(source, line), message, remedy)])


def _roots(head: _Head, limits: list[str]) -> Roots:
    """Return the roots that a manifest declares, which lie below the caller's if there are any."""
    source = os.path.abspath(head.faults.source)  # noqa: PTH100 - where a link to a manifest stands counts
    base = source if head.form == "folder" else os.path.dirname(source)  # noqa: PTH120
    given = head.value.get("roots")
    wanted = [given] if isinstance(given, str) else given
    try:
        allowed = Roots(limits, os.getcwd()) if limits else None  # noqa: PTH109
        if wanted is None:
            return allowed or Roots(["."], base)
        if not isinstance(wanted, list) or not wanted:
            raise RefusedError(f"is {given!r:.80}", "write roots: [FOLDER]")  # noqa: TRY301
        roots = Roots(wanted, base)
        for folder in roots.folders:
            if allowed is not None and not allowed.holds(folder):
                message = f"the root {folder} lies outside of {', '.join(allowed.folders)}"
                raise RefusedError(message, "ask for it with the batch")  # noqa: TRY301
    except RefusedError as error:
        head.faults.refuse(("roots",), error)
        head.faults.settle()
        raise
    return roots


# Jobs, by form


def _entries(
    head: _Head, roots: Roots, skipped: set[str], base: Draft
) -> Callable[[Faults], Iterator[_Entry]]:
    """Return what reads a manifest's entries, once more each time that it is called."""
    source = head.faults.source
    if head.form == "table":
        return lambda faults: _rows(source, faults)
    if head.form == "lines":
        return lambda faults: _objects(source, faults, begun=head.begun)
    jobs, lines = head.value.get("jobs") or [], head.faults.lines
    if not isinstance(jobs, list):
        head.faults.add(("jobs",), f"is {jobs!r:.40}, not a list", "write a job an item: - input: FILE")
        jobs = []
    patterns = _patterns(head)
    stems = head.value.get("stems")
    gathered = None if stems is None else gathered_by(stems, head.faults)

    def read_all(faults: Faults) -> Iterator[_Entry]:
        faults.lines = lines
        yield from _items(jobs, faults)
        yield from _files(patterns, roots, skipped, faults)
        if gathered is not None:
            faults.line, faults.prefix = lines.get(("stems",)), ("stems",)
            for pairs in gather(gathered, base, roots, skipped, faults):
                yield lines.get(("stems",), 0), ("stems",), pairs

    return read_all


def _items(jobs: list[Any], faults: Faults) -> Iterator[_Entry]:
    for index, item in enumerate(jobs):
        if isinstance(item, dict):
            yield faults.lines.get(("jobs", index), 0), ("jobs", index), list(item.items())
        else:
            faults.prefix = ()
            faults.add(("jobs", index), f"is {item!r:.40}, not a mapping", "write - input: FILE")


def _rows(source: str, faults: Faults) -> Iterator[_Entry]:
    with _opened(source) as file:
        for line, pairs in csv_entries(file, faults):
            yield line, (), pairs


def _objects(source: str, faults: Faults, *, begun: bool) -> Iterator[_Entry]:
    with _opened(source) as file:
        entries = json_entries(file, faults)
        if begun:
            next(entries)
        for line, value in entries:
            yield line, (), list(value.items())


def _patterns(head: _Head) -> list[tuple[_Path, re.Pattern[str]]]:
    """Return the patterns of ``files``, and where each stands."""
    given = head.value.get("files")
    texts = [given] if isinstance(given, str) else given or []
    if not isinstance(texts, list):
        head.faults.add(("files",), f"is {given!r:.40}", "write files: '**/*.wav', or a list")
        return []
    patterns = []
    for index, text in enumerate(texts):
        path: _Path = ("files",) if isinstance(given, str) else ("files", index)
        try:
            if not isinstance(text, str):
                raise RefusedError(f"is {text!r:.40}, not a pattern", "write '**/*.wav'")  # noqa: TRY301
            patterns.append((path, compiled(text)))
        except RefusedError as error:
            head.faults.refuse(path, error)
    return patterns


def _files(
    patterns: list[tuple[_Path, re.Pattern[str]]], roots: Roots, skipped: set[str], faults: Faults
) -> Iterator[_Entry]:
    """Yield an entry a file that any pattern matches."""
    unmatched = dict(patterns)
    if not patterns:
        return
    try:
        for root in roots.folders:
            for below in walk(root, skipped):
                paths = [path for path, pattern in patterns if pattern.fullmatch(below)]
                for path in paths:
                    unmatched.pop(path, None)
                if paths:
                    yield faults.lines.get(paths[0], 0), paths[0], [("input", f"{root}/{below}")]
    except RefusedError as error:
        faults.prefix = ()
        faults.refuse(("files",), error)
        return
    faults.prefix = ()
    for path in unmatched:
        faults.add(path, "matches no file", f"looked in {', '.join(roots.folders)}")
