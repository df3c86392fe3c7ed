"""The conformance kit: what an author waits for, a plugin and level at a time, its child process included."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from unbraid.host import Registry
from unbraid.host.conformance import Level, check_plugin

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLUGINS = sorted(card for card, package in Registry.discover().packages.items() if package == "unbraid")
PEER = "gain"


def _contest(level: Level) -> Contest:
    @contextmanager
    def opened() -> Iterator[dict[str, Callable[[], object]]]:
        yield {plugin: partial(check_plugin, plugin, level=level) for plugin in PLUGINS}

    names = (PEER, *(plugin for plugin in PLUGINS if plugin != PEER))
    return Contest(f"plugins check --level {level}", PEER, names, opened, turns=3)


CONTESTS = [_contest(level) for level in (Level.QUICK, Level.STRICT)]
