"""What is loaded once is shared by everyone in the process who uses it, and freed when nobody does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["loaded_once"]

T = TypeVar("T")

_LOADED: WeakValueDictionary[Hashable, object] = WeakValueDictionary()
_BUILDING: WeakValueDictionary[Hashable, _Turn] = WeakValueDictionary()
_GUARD = threading.Lock()


class _Turn:
    """One key's lock, which lives as long as somebody waits for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def loaded_once(key: Hashable, build: Callable[[], T]) -> T:
    """Return what ``build`` made for this key in this process, making it when nobody holds it.

    Threads that ask for one key at once wait for one of them; other keys are not held up. Only a weak
    reference is kept, so memory is free when the last user lets go. What is shared must not be changed: a
    network that is to go to a device belongs under a key that names the device.

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
        return found  # type: ignore[return-value]
