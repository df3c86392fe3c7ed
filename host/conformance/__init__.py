"""The contract as executable checks that every plugin is held to, built in or not."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .examination import Examination, check_plugin
    from .finding import Finding, Level, Report, Status

_HOME = {
    "Examination": "examination",
    "Finding": "finding",
    "Level": "finding",
    "Report": "finding",
    "Status": "finding",
    "check_plugin": "examination",
}
__all__ = ["Examination", "Finding", "Level", "Report", "Status", "check_plugin"]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
