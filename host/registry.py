"""Discovery of plugins: light cards first, code only when a node is built.

Entry points of the group ``unbraid.plugins`` are loaded one by one in a loop of our own, so that a
broken one is reported and skipped instead of taking the others down.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from .contract import hooks
from .contract.card import PluginCard
from .contract.errors import PluginError, UnbraidError, nearest, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .contract.params import Params
    from .contract.processor import Processor

__all__ = ["SWITCH", "Fault", "Registry", "allowed_points"]

#: Set this environment variable to 0 to leave out every plugin that is not Unbraid's own.
SWITCH = "UNBRAID_THIRD_PARTY"
_OWN = "unbraid"


@dataclass(frozen=True, slots=True)
class Fault:
    """A plugin source that could not be used: its name, the package it came from, why, and what to do."""

    source: str
    package: str
    reason: str
    remedy: str = ""

    def __str__(self) -> str:
        told = f"{self.source} (from {self.package}): {self.reason}"
        return f"{told}; {self.remedy}" if self.remedy else told


@dataclass
class Registry:
    """Cards by id, ready-made graphs by name, and what failed to load.

    Attributes:
        cards: by id.
        packages: the distribution that brings each card.
        versions: of distributions, as they were when their code was loaded.
        homes: the object each card comes from, as an entry point names it: ``module`` or ``module:object``.
        graphs: ready-made graphs.
        models: files and folders of model cards, each with the distribution that names it.
        faults: what could not be used.

    Example:
        >>> registry = Registry.discover()
        >>> registry.card("gain").licence
        'MIT'
    """

    cards: dict[str, PluginCard] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)
    graphs: dict[str, Path] = field(default_factory=dict)
    models: dict[Path, str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        self._duplicates: dict[str, list[str]] = {}
        self._asked = tuple(self._takes())

    @classmethod
    def discover(cls, *, only: str = "") -> Registry:
        """Load every entry point of the group that `SWITCH` allows.

        Args:
            only: ask for nothing but this hook. ``unbraid_models`` may so be asked while a plugin's card is
                made, which other hooks would make again.
        """
        registry = cls()
        registry._asked = tuple(hook for hook in registry._asked if only in ("", hook))
        with redirect_stdout(sys.stderr):  # a module that prints as it loads must not end up in the sound
            for point, _ in allowed_points():
                registry.load(point)
        return registry

    def load(self, point: EntryPoint) -> None:
        """Load one entry point; whatever goes wrong inside becomes a fault, not an exception."""
        try:
            if point.dist is not None and point.dist.name not in self.versions:
                self.versions[point.dist.name] = point.dist.version
            plugin = point.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import can raise anything
            package = _package(point)
            remedy = _import_remedy(error, point.value, package)
            self.faults.append(Fault(point.name, package, f"cannot be loaded: {one_line(error)}", remedy))
            return
        self.add(plugin, point.name, _package(point), home=point.value)

    def add_module(self, home: str) -> None:
        """Take the hooks of an importable module, or of an object in it, that no package names.

        Args:
            home: ``module`` or ``module:object``.
        """
        self.load(EntryPoint(home, home, hooks.GROUP))

    def add(self, plugin: object, source: str, package: str = "this session", *, home: str = "") -> None:
        """Take the hooks of a module or object.

        Faults are noted for misspelt hooks, unmarked hooks, broken cards and duplicate ids.

        Args:
            plugin: the module or object.
            source: its name, for faults.
            package: the distribution it comes from.
            home: where it can be imported; a module knows that itself.
        """
        try:
            self._manager.register(plugin, name=f"{package}:{source}")
            misspelt = [*_misspelt(self._manager, plugin)]
            self.faults += [Fault(source, package, reason, remedy) for reason, remedy in misspelt]
            if not misspelt and not self._manager.get_hookcallers(plugin):
                remedy = f"mark its functions with @hookimpl: {', '.join(_hook_names())}"
                self.faults.append(Fault(source, package, "it has none of Unbraid's hooks", remedy))
        except Exception as error:  # noqa: BLE001 - to look at a stranger's object can raise anything
            self.faults.append(Fault(source, package, one_line(error), _hook_remedy(error, package)))
            return
        if not home and isinstance(plugin, ModuleType):
            home = plugin.__name__
        known = set(self.cards)
        for hook in self._asked:
            try:
                self._takes()[hook](self._ask(plugin, hook), source, package)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's hook can raise anything
                reason = f"its hook {hook} failed: {one_line(error)}"
                self.faults.append(Fault(source, package, reason, _hook_remedy(error, package)))
        self.homes.update(dict.fromkeys(set(self.cards) - known, home))

    def _takes(self) -> dict[str, Callable[[Any, str, str], None]]:
        """Return what takes each hook's answer."""
        return {
            "unbraid_cards": self._take_cards,
            "unbraid_graphs": self._take_graphs,
            "unbraid_models": self._take_models,
        }

    def _ask(self, plugin: object, hook: str) -> Any:
        """Call one hook of one plugin only, so that its failure is its own."""
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        answers = self._manager.subset_hook_caller(hook, others)()
        return answers[0] if answers and answers[0] is not None else []

    def _take_cards(self, cards: Iterable[object], source: str, package: str) -> None:
        for card in cards:
            self._take(card, source, package)

    def _take_graphs(self, graphs: Mapping[str, Path], source: str, package: str) -> None:
        for name, path in dict(graphs).items():
            if name in self.graphs:
                reason = f"its graph {name!r} is left out: {self.graphs[name]} has that name already"
                remedy = f"uninstall one, or ask the author of {package} for another name"
                self.faults.append(Fault(source, package, reason, remedy))
            elif not Path(path).is_file():
                reason, remedy = f"its graph {name!r} is not there: {path}", f"install {package} again"
                self.faults.append(Fault(source, package, reason, remedy))
            else:
                self.graphs[name] = Path(path)

    def _take_models(self, paths: Iterable[Path], source: str, package: str) -> None:  # noqa: ARG002
        self.models.update((Path(path), package) for path in paths)

    def _take(self, card: object, source: str, package: str) -> None:
        if not isinstance(card, PluginCard):
            reason = f"unbraid_cards gave {card!r}, not a PluginCard"
            self.faults.append(Fault(source, package, reason, f"ask the author of {package} to return cards"))
        elif card.id in self.cards or card.id in self._duplicates:
            first = self.packages.pop(card.id, None)
            self.cards.pop(card.id, None)
            names = self._duplicates.setdefault(card.id, [first] if first else [])
            names.append(package)
            reason = f"plugin id {card.id!r} is brought by {' and by '.join(names)}: none of them is used"
            remedy = f"uninstall one, or set {SWITCH}=0 to use only Unbraid's own"
            self.faults.append(Fault(source, package, reason, remedy))
        else:
            self.cards[card.id] = card
            self.packages[card.id] = package

    def card(self, plugin: str) -> PluginCard:
        """Return the card with this id.

        Raises:
            PluginError: there is none (the text offers the nearest), or several packages bring it.
        """
        if plugin in self._duplicates:
            raise PluginError(
                f"plugin id {plugin!r} is brought by {' and by '.join(self._duplicates[plugin])}; "
                f"uninstall one, or set {SWITCH}=0 to use only Unbraid's own",
            )
        if plugin not in self.cards:
            raise PluginError(f"unknown plugin {plugin!r}; {nearest(plugin, self.cards)}")
        return self.cards[plugin]

    def build(self, card: PluginCard, params: Params) -> Processor:
        """Import the plugin's code and return a processor with these parameters.

        Raises:
            PluginError: the code cannot be imported or the factory fails.
        """
        module, _, name = card.factory.partition(":")
        try:
            processor: Processor = getattr(import_module(module), name)(params)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"plugin {card.id!r} cannot be built from {card.factory}: {one_line(error)}",
            ) from error
        return processor

    def answers(self, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
        """Ask a hook of one plugin after another; yield each answer that is not None, and whose it is.

        Raises:
            UnbraidError: a plugin refuses what it is asked about.
            PluginError: its hook failed otherwise.
        """
        for name, plugin in self._manager.list_name_plugin():
            others = [other for other in self._manager.get_plugins() if other is not plugin]
            try:
                found = self._manager.subset_hook_caller(hook, others)(**arguments)
            except UnbraidError:
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(f"{name}: its hook {hook} failed: {one_line(error)}") from error
            yield from ((name, answer) for answer in found if answer is not None)

    def notify(self, hook: str, **arguments: Any) -> list[str]:
        """Call a life-cycle hook; return one line for each plugin whose hook raised."""
        complaints = []
        for name, plugin in self._manager.list_name_plugin():
            others = [other for other in self._manager.get_plugins() if other is not plugin]
            try:
                self._manager.subset_hook_caller(hook, others)(**arguments)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an observer must not stop the render
                complaints.append(f"{name}: {hook} failed: {one_line(error)}")
        return complaints


def allowed_points() -> list[tuple[EntryPoint, str]]:
    """Return the entry points that `SWITCH` allows with their packages, Unbraid's own first, then by name."""
    own_only = os.environ.get(SWITCH, "1") == "0"
    found = [(point, _package(point)) for point in entry_points(group=hooks.GROUP)]
    found.sort(key=lambda each: (each[1] != _OWN, each[0].name))
    return [each for each in found if not own_only or each[1] == _OWN]


def _package(point: EntryPoint) -> str:
    if point.dist is not None:
        return point.dist.name
    return "this session" if point.name == point.value else "an unknown package"


def _import_remedy(error: BaseException, home: str, package: str) -> str:
    """Return what to do about an entry point whose import failed."""
    module = home.partition(":")[0].strip()
    if isinstance(error, SyntaxError) and error.filename:
        return f"correct {error.filename}:{error.lineno}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        if module == error.name or module.startswith(f"{error.name}."):
            return f"its entry point names a module that is not there: install {package} again"
        missing = error.name.partition(".")[0]
        return f"install what it needs: pip install {missing} (or the distribution that brings {missing})"
    if isinstance(error, ImportError | AttributeError):
        return (
            f"{package} and what it imports are of versions that do not fit: pip install --upgrade {package}"
        )
    return f"`python -c 'import {module}'` shows where; tell the author of {package}, or uninstall it"


def _hook_remedy(error: BaseException, package: str) -> str:
    """Return what to do about a hook that failed."""
    contract = re.search(r"written for contract (\d+), this host speaks (\d+)", str(error))
    if contract:
        wanted, spoken = (int(number) for number in contract.groups())
        newer = "unbraid" if wanted > spoken else package
        return f"it needs an Unbraid with contract {wanted}: pip install --upgrade {newer}"
    return f"tell the author of {package}, or uninstall it"


def _misspelt(manager: pluggy.PluginManager, plugin: object) -> Iterator[tuple[str, str]]:
    known = _hook_names()
    marked = set()
    for caller in manager.get_hookcallers(plugin) or []:
        marked.add(caller.name)
        if not caller.has_spec():
            yield f"hook {caller.name!r} does not exist", nearest(caller.name, known)
    for name in dir(plugin):
        if name.startswith("unbraid_") and name not in marked and callable(getattr(plugin, name)):
            yield f"{name!r} is not marked with @hookimpl, so it is never called", "write @hookimpl above it"


def _hook_names() -> Iterable[str]:
    return [name for name in dir(hooks) if name.startswith("unbraid_")]
