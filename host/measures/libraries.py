"""Libraries that some measures come from: whether they are there, and what to install where not."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["EVAL", "missing"]

#: What installs the kept libraries.
EVAL = "pip install 'unbraid[eval]'"


def missing(libraries: tuple[str, ...], remedy: str = EVAL) -> str:
    """Return what to do about libraries that are not installed, or "" when all are.

    Nothing is imported: some of them take seconds.

    Example:
        >>> missing(("numpy",)), missing(("no_such_library",))
        ('', "not installed: pip install 'unbraid[eval]'")
    """
    return "" if all(_found(name) for name in libraries) else f"not installed: {remedy}"


def _found(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # a module that was taken out of service half loaded
        return False
