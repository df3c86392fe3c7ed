"""What a check found, and the report of all of them: plain data that travels between processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any, Self

from ..contract.errors import UnbraidError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Finding", "Level", "LevelNameError", "Report", "Status"]


class LevelNameError(UnbraidError):
    """A level that does not exist."""

    exit_code = 2


class Level(IntEnum):
    """How much is checked: seconds while writing a plugin, the usual, everything."""

    QUICK = 0
    STANDARD = 1
    STRICT = 2

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, name: str) -> Level:
        """Return the level of that name.

        Raises:
            LevelNameError: there is none.

        Example:
            >>> Level.parse("strict") > Level.QUICK
            True
        """
        for level in cls:
            if str(level) == name:
                return level
        raise LevelNameError(f"unknown level {name!r}; {nearest(name, map(str, cls))}")


class Status(StrEnum):
    """How a check ended. Only ``FAILED`` means that the contract is broken."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ADVISORY = "advisory"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: the check's id.
        status: how it ended.
        message: what was seen, with numbers and the first sample where something differs.
        remedy: what the author can do about it; empty when there is nothing to do.
        seconds: how long the check took.
    """

    check: str
    status: Status
    message: str
    remedy: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        text = f"{self.check}: {self.message}"
        return f"{text}; {self.remedy}" if self.remedy else text

    def data(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return asdict(self) | {"status": str(self.status), "seconds": round(self.seconds, 3)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return the finding that `data` described."""
        return cls(**{**data, "status": Status(data["status"])})


@dataclass(frozen=True, slots=True)
class Report:
    """Everything found about one plugin.

    Attributes:
        plugin: its id.
        version: of the plugin; "?" when it could not be asked.
        package: the distribution that brings it.
        level: how much was checked.
        findings: one for each check, in order.
    """

    plugin: str
    version: str
    package: str
    level: Level
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True when no check failed; advisories are allowed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that break the contract."""
        return tuple(finding for finding in self.findings if finding.status is Status.FAILED)

    @property
    def seconds(self) -> float:
        """How long all checks took."""
        return sum(finding.seconds for finding in self.findings)

    def data(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "plugin": self.plugin,
            "version": self.version,
            "package": self.package,
            "level": str(self.level),
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "findings": [finding.data() for finding in self.findings],
        }
