"""What the keys of a job say: one mapping, from whichever kind of manifest, becomes one `Job`."""

from __future__ import annotations

import copy
import math
import os
import re
from typing import TYPE_CHECKING, Any

import msgspec

from ...contract.errors import nearest
from ...measures.delivery import DELIVERIES
from ..job import Job
from .errors import RefusedError
from .naming import DEFAULT, Places, Template, check_part
from .render_keys import OPTIONS, check_together, option
from .roots import ODD, Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .errors import Faults
    from .roots import Roots

__all__ = ["ALL_KEYS", "KEYS", "Draft", "Keys", "own_graph"]

#: Keys of a job, besides the options of a render, which may stand beside them.
KEYS = (
    "input",
    "stems",
    "graph",
    "settings",
    "options",
    "devices",
    "name",
    "outputs",
    "title",
    "reel",
    "target",
    "film",
    "track",
    "priority",
    "timeout",
)
#: The same, and those options; as an option `track` is a film's sound, as a key what goes into a film.
ALL_KEYS = (*KEYS, *(key for key in OPTIONS if key not in KEYS))
_TEXTS = frozenset({"title", "reel", "track"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SETTING = re.compile(rf"{_NAME.pattern}\.{_NAME.pattern}")
_GRAPH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_GRAPH_FILE = (".yaml", ".yml", ".json")
_KEPT = 256  # graphs, templates, options: of each, as many as are remembered
_HIGHEST = 1_000_000


class Draft(msgspec.Struct):
    """A job that is not finished, or what all jobs of a manifest have in common."""

    graph: str = ""
    graph_name: str = ""
    inputs: dict[str, str] = {}
    stems: dict[str, str] = {}
    settings: dict[str, Any] = {}
    devices: dict[str, str] = {}
    options: dict[str, Any] = {}
    outputs: dict[str, str] = {}
    title: str = ""
    target: dict[str, str] = {}
    film: str = ""
    track: str = ""
    priority: int = 0
    timeout: float | None = None
    template: Template | None = None
    first: Found | None = None
    reel: str = ""


class Keys:
    """Takes the keys of jobs apart.

    Args:
        roots: of every path.
        faults: gets what is wrong; its ``line`` is the line of the present entry.
    """

    def __init__(self, roots: Roots, faults: Faults) -> None:
        self.roots, self.faults = roots, faults
        self.places = Places()
        self._default = Template(DEFAULT)
        self._templates: dict[str, Template] = {}
        self._graphs: dict[str, tuple[str, str]] = {}
        self._shared: dict[tuple[int, str, Any], tuple[dict[str, Any], dict[str, Any]]] = {}
        self._checked: dict[int, dict[str, Any]] = {}
        self._takers: dict[str, Callable[[Draft, Any], None]] = {
            "input": self._input,
            "stems": self._stems,
            "graph": self._graph,
            "settings": self._settings,
            "options": self._options,
            "devices": self._devices,
            "name": self._name,
            "outputs": self._outputs,
            "target": self._target,
            "film": self._film,
            "priority": self._priority,
            "timeout": self._timeout,
        }

    def take(self, draft: Draft, given: Iterable[tuple[str, Any]]) -> None:
        """Put what is given into a draft; what is wrong goes to the faults."""
        for key, value in given:
            if value is None:
                continue
            try:
                taker = self._takers.get(key)
                if taker is not None:
                    taker(draft, value)
                elif key in _TEXTS:
                    setattr(draft, key, _text(value))
                elif key.replace("_", "-") in OPTIONS:
                    self._option(draft, key, value)
                else:
                    self.faults.add((key,), f"unknown key {key!r:.80}", nearest(key[:80], ALL_KEYS))
            except RefusedError as error:
                self.faults.refuse((key,), error)

    def job(self, base: Draft, given: Iterable[tuple[str, Any]], line: int) -> Job | None:
        """Return the job that an entry gives on top of what all have in common; None if it is wrong."""
        before = self.faults.found
        draft = copy.copy(base)
        self.take(draft, given)
        return self.finished(draft, line) if self.faults.found == before else None

    def finished(self, draft: Draft, line: int) -> Job | None:
        """Return a draft as a job, with a place of its own; None where something is wrong."""
        lacking = _lacking(draft)
        if lacking is not None:
            self.faults.refuse(lacking[0], lacking[1])
            return None
        try:
            if draft.options and id(draft.options) not in self._checked:
                check_together(draft.options)
                self._checked[id(draft.options)] = draft.options
            place = self._place(draft)
        except RefusedError as error:
            self.faults.refuse(("name",) if draft.template else (), error)
            return None
        other = self.places.claim(place, line)
        if other is not None:
            whose = f"of line {other}" if other != line else "of another file that is gathered here"
            message = f"{draft.first.name if draft.first else ''!r:.80} has the outputs {whose}: {place}"
            self.faults.add(("name",) if draft.template else (), message, "give one a name of its own")
            return None
        return Job(
            place=place,
            graph=draft.graph,
            inputs=draft.inputs,
            stems=draft.stems,
            settings=draft.settings,
            devices=draft.devices,
            options=draft.options,
            outputs=draft.outputs,
            title=draft.title,
            target=draft.target,
            film=draft.film,
            track=draft.track,
            priority=draft.priority,
            timeout=draft.timeout,
            line=line,
        )

    def _place(self, draft: Draft) -> str:
        first = draft.first
        values = {
            "folder": first.folder if first else "",
            "input": _stem(first.name) if first else "",
            "title": draft.title,
            "reel": draft.reel,
            "graph": draft.graph_name,
        }
        return (draft.template or self._default).place(values)

    # Files

    def _input(self, draft: Draft, value: Any) -> None:
        if isinstance(value, dict):
            draft.inputs = self._files(draft, "input", draft.inputs, value)
            return
        draft.first = self.roots.find(_path(value))
        draft.inputs = {**draft.inputs, "": draft.first.path}

    def _stems(self, draft: Draft, value: Any) -> None:
        draft.stems = self._files(draft, "stems", draft.stems, value)

    def _files(self, draft: Draft, key: str, before: dict[str, str], value: Any) -> dict[str, str]:
        files, first = dict(before), None
        for name, path in self._pairs(key, value, _NAME, "a name").items():
            try:
                found = self.roots.find(_path(path))
            except RefusedError as error:
                self.faults.refuse((key, name), error)
                continue
            first = first or found
            files[name] = found.path
        draft.first = first or draft.first
        return files

    def _film(self, draft: Draft, value: Any) -> None:
        draft.film = self.roots.find(_path(value)).path

    def _graph(self, draft: Draft, value: Any) -> None:
        text = _text(value)
        if text not in self._graphs:
            if len(self._graphs) >= _KEPT:
                self._graphs.clear()
            self._graphs[text] = self._graph_of(text)
        draft.graph, draft.graph_name = self._graphs[text]

    def _graph_of(self, text: str) -> tuple[str, str]:
        """Return a graph's path or ready-made name, and how it is called."""
        if "/" not in text and not text.lower().endswith(_GRAPH_FILE):
            if not _GRAPH.fullmatch(text):
                raise RefusedError(
                    f"{text!r:.80} is no graph's name", "name a ready-made graph, or a .yaml file"
                )
            return text, text
        found = self.roots.find(text)
        if not found.there:
            raise RefusedError(f"there is no graph {found.path}", "check its name and the roots")
        return found.path, _stem(found.name)

    # What is done with them

    def _settings(self, draft: Draft, value: Any) -> None:
        pairs = self._pairs("settings", value, _SETTING, "node.param")
        draft.settings = {**draft.settings, **pairs}

    def _devices(self, draft: Draft, value: Any) -> None:
        if isinstance(value, str):
            value = {"": value}
        elif not isinstance(value, dict):
            raise RefusedError(f"is {value!r:.80}", "write cpu, cuda, or {NODE: cuda}")
        for node, device in value.items():
            if device not in ("cpu", "cuda"):
                path = ("devices", node) if node else ("devices",)
                self.faults.add(path, f"unknown device {device!r:.80}", "known: cpu, cuda")
        draft.devices = {**draft.devices, **value}

    def _options(self, draft: Draft, value: Any) -> None:
        for key, item in self._pairs("options", value).items():
            try:
                self._option(draft, key, item)
            except RefusedError as error:
                self.faults.refuse(("options", key), error)

    def _option(self, draft: Draft, key: str, value: Any) -> None:
        field, value = option(key, value)
        before = draft.options
        # Jobs of the same options share one mapping, which is checked once.
        step = (id(before), field, value)
        if step not in self._shared:
            if len(self._shared) >= _KEPT:
                self._shared.clear()
                self._checked.clear()
            self._shared[step] = (before, _with_option(before, field, value))
        draft.options = self._shared[step][1]

    # What comes of them

    def _name(self, draft: Draft, value: Any) -> None:
        text = _text(value)
        template = self._templates.get(text)
        if template is None:
            if len(self._templates) >= _KEPT:
                self._templates.clear()
            template = self._templates[text] = Template(text)
        draft.template = template

    def _outputs(self, draft: Draft, value: Any) -> None:
        named = self._pairs("outputs", value, _NAME, "an output's name")
        for output, name in named.items():
            try:
                check_part(_text(name))
            except RefusedError as error:
                self.faults.refuse(("outputs", output), error)
        draft.outputs = {**draft.outputs, **named}

    def _target(self, draft: Draft, value: Any) -> None:
        if isinstance(value, str):
            value = {"": value}
        elif not isinstance(value, dict):
            raise RefusedError(f"is {value!r:.80}", "write a delivery's name, or {OUTPUT: NAME}")
        for output, name in value.items():
            if name not in DELIVERIES:
                path = ("target", output) if output else ("target",)
                remedy = nearest(str(name)[:80], DELIVERIES)
                self.faults.add(path, f"unknown target {name!r:.80}", remedy)
        draft.target = {**draft.target, **value}

    def _priority(self, draft: Draft, value: Any) -> None:
        if type(value) is not int or abs(value) > _HIGHEST:
            raise RefusedError(f"is {value!r:.80}", f"write a whole number from {-_HIGHEST} to {_HIGHEST}")
        draft.priority = value

    def _timeout(self, draft: Draft, value: Any) -> None:
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise RefusedError(f"is {value!r:.80}", "write seconds, more than 0")
        draft.timeout = float(value)

    def _pairs(
        self, key: str, value: Any, names: re.Pattern[str] | None = None, wanted: str = ""
    ) -> dict[str, Any]:
        """Return a mapping without the names that cannot be; they go to the faults."""
        if not isinstance(value, dict):
            raise RefusedError(f"is {value!r:.80}", f"write {key}: {{NAME: VALUE}}")
        if names is None:
            return value
        wrong = [name for name in value if not names.fullmatch(name)]
        for name in wrong:
            self.faults.add((key, name), f"{name!r:.80} is not {wanted}", f"write {key}: {{NAME: VALUE}}")
        return {name: item for name, item in value.items() if name not in wrong} if wrong else value


def own_graph(text: str) -> tuple[str, str]:
    """Return the path or ready-made name of a graph that the caller names, and how it is called.

    Args:
        text: a ready-made graph's name, or a file's path relative to the working folder, wherever it leads.

    Raises:
        RefusedError: there is no such file.
    """
    if _is_name(text):
        return text, text
    path = os.path.realpath(text)
    if "\0" in text or not os.path.isfile(path):  # noqa: PTH113
        raise RefusedError(f"there is no graph {text!r:.200}", "check its name")
    return path, _stem(os.path.basename(text))  # noqa: PTH119


def _is_name(graph: str) -> bool:
    if "/" in graph or graph.lower().endswith(_GRAPH_FILE):
        return False
    if not _GRAPH.fullmatch(graph):
        raise RefusedError(f"{graph!r:.80} is no graph's name", "name a ready-made graph, or a .yaml file")
    return True


def _lacking(draft: Draft) -> tuple[tuple[str, ...], RefusedError] | None:
    if not draft.graph:
        return ("graph",), RefusedError("no graph is given", "write graph: NAME, here or for all jobs")
    if not draft.inputs and not draft.stems:
        return ("input",), RefusedError("no input is given", "write input: FILE")
    if "" in draft.inputs and len(draft.inputs) > 1:
        return ("input",), RefusedError("one input has no name, but others have", "write input: {NAME: FILE}")
    if draft.inputs and draft.stems:
        return ("stems",), RefusedError("has inputs and stems", "give either")
    if draft.track and not draft.film:
        return ("track",), RefusedError("there is no film to put it into", "write film: FILE")
    return None


def _stem(name: str) -> str:
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem.strip(".") else name


def _with_option(options: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    if not field.startswith("source."):
        return {**options, field: value}
    source = {**options.get("source", {}), field.removeprefix("source."): value}
    return {**options, "source": source}


def _path(value: Any) -> str:
    if not isinstance(value, str):
        raise RefusedError(f"is {value!r:.80}, which is no path", "write a file's name, in quotes if need be")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        remedy = 'put it in quotes: "..."' if isinstance(value, bool | int | float) else "write text"
        raise RefusedError(f"is {value!r:.80}, which is not text", remedy)
    if not value.strip() or ODD.search(value):
        raise RefusedError(f"is {value!r:.80}", "write text of characters that a screen shows")
    return value
