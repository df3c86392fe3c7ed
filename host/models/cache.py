"""What is loaded once is shared by everyone in the process who uses it, and freed when nobody does."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["keep_loaded", "loaded_once"]

T = TypeVar("T")

_LOADED: WeakValueDictionary[Hashable, object] = WeakValueDictionary()
_BUILDING: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()
_GUARD = threading.Lock()


class _Kept:
    """The last things that were asked for, held though nobody else does."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, object] = OrderedDict()
        self._most = 0

    def at_most(self, count: int) -> list[object]:
        """Hold so many from now on; return what is held no more."""
        self._most = count
        return self._rest()

    def take(self, key: Hashable, found: object) -> list[object]:
        """Hold one; return those that were asked for longest ago, which are held no more."""
        self._found[key] = found
        self._found.move_to_end(key)
        return self._rest()

    def _rest(self) -> list[object]:
        return [self._found.popitem(last=False)[1] for _ in range(len(self._found) - self._most)]


_KEPT = _Kept()


class _Turn:
    """One key's lock, which lives as long as somebody waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def loaded_once(key: Hashable, build: Callable[[], T]) -> T:
    """Return what ``build`` made for this key in this process, making it when nobody holds it.

    Threads that ask for one key at once wait for one of them; other keys are not held up. Only a weak
    reference is kept, so memory is free when the last user lets go, but for what `keep_loaded` asks for. What
    is shared must not be changed: a network that is to go to a device belongs under a key that names the
    device.

    Args:
        key: everything that shapes the result: the files' sha256, the device, the type.
        build: makes it; what it raises is raised, and nothing is kept.

    Raises:
        TypeError: the result cannot be referred to weakly, as a plain dict (see `Weights`).

    Example:
        >>> from unbraid.host.models import Weights, loaded_once
        >>> first = loaded_once("weights of tiny", Weights)
        >>> loaded_once("weights of tiny", Weights) is first
        True
    """
    with _GUARD:
        turn = _BUILDING.get(key)
        if turn is None:
            turn = _BUILDING[key] = _Turn()
    with turn.lock:
        with _GUARD:
            found = _LOADED.get(key)
        if found is None:
            found = build()
            with _GUARD:
                _LOADED[key] = found
        with _GUARD:
            gone = _KEPT.take(key, found)
        del gone  # not under the lock: what ends with it may be anybody's
        return found  # type: ignore[return-value]


def keep_loaded(most: int) -> None:
    """Hold on to the last things that `loaded_once` returned in this process, for its next job.

    Between two renders nobody uses a network, and it would be loaded again. A process that does one job
    after another, as a batch's worker does, holds on to a few.

    Args:
        most: how many to hold; 0, as at first, for none.

    Example:
        >>> from unbraid.host.models import Weights, keep_loaded, loaded_once
        >>> keep_loaded(1)
        >>> number = id(loaded_once("weights of a", Weights))
        >>> id(loaded_once("weights of a", Weights)) == number
        True
        >>> keep_loaded(0)
    """
    with _GUARD:
        gone = _KEPT.at_most(most)
    del gone
