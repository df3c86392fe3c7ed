"""An examination of one plugin: checks run one by one in a child process, under limits."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..contract.errors import PluginError
from ..registry import SWITCH
from .finding import Finding, Level, Report, Status
from .worker import Ended, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["LIMIT", "MEMORY", "Examination", "check_plugin"]

#: Seconds that one check may take, unless said otherwise.
LIMIT = 60.0
#: Seconds that finding the plugin may take at least: every installed package loads then.
OPENING = 10.0
#: Bytes that a plugin may take beyond what the host has, unless said otherwise.
MEMORY = 4 << 30
_MOST_HANGS = 2
_WITHOUT_BUILDING = ("loads", "card", "light", "builds")
_LACKING = {
    "seed": "its output is not repeatable",
    "outputs": "its outputs are not written as they must be",
    "finite": "its output is not finite",
    "cuts": "its output depends on block sizes",
}
_LOADS = ("loads", "the plugin is found and its card reads")
_OUTSIDE = "a compiled function or library reads or writes outside its arrays: check pointers, channels, n"
_REMEDIES = {
    "SIGSEGV": _OUTSIDE,
    "SIGBUS": _OUTSIDE,
    "SIGABRT": "a library aborted: its message on standard error says why; let it raise instead",
    "SIGFPE": "guard integer divisions in compiled code",
    "SIGKILL": "it was killed from outside, most often because memory ran out: take less",
}


class Examination(AbstractContextManager["Examination"]):
    """One plugin in a child process; a check that crashes or hangs is a finding, and the next goes on.

    Args:
        plugin: its id.
        level: how much is checked.
        params: parameters to check it with; by default its own.
        limit: seconds that one check may take.
        memory: bytes that the child may take beyond what the host has.
        modules: modules (or ``module:object``) with hooks, for plugins that are not installed; they are
            searched for in the current folder too.
        worker: a child that an earlier examination left; by default a new one. Starting costs half a second,
            and what a plugin did to its process is then over.

    Attributes:
        checks: id and promise of each check at this level, in order.

    Raises:
        PluginError: there is no such plugin, or a parameter does not fit.

    Example:
        >>> with Examination("gain", level=Level.QUICK) as examination:
        ...     print(examination.run("reset"))
        reset: after reset() it is as fresh
    """

    def __init__(
        self,
        plugin: str,
        *,
        level: Level = Level.STANDARD,
        params: Mapping[str, Any] | None = None,
        limit: float = LIMIT,
        memory: int = MEMORY,
        modules: Iterable[str] = (),
        worker: Worker | None = None,
    ) -> None:
        self.plugin, self.level, self._limit = plugin, level, limit
        self._question = {
            "do": "open",
            "plugin": plugin,
            "level": str(level),
            "params": dict(params or {}),
            "seconds": limit,
            "memory": memory,
            "modules": list(modules),
        }
        self.version, self.package = "?", "?"
        self.checks: tuple[tuple[str, str], ...] = (_LOADS,)
        self._needs: dict[str, tuple[str, ...]] = {}
        self._failed: set[str] = set()
        self._hangs = 0
        self._worker = worker
        self._trouble = self._open()

    def _open(self) -> Ended | None:
        """Start a child and let it find the plugin; return why that did not work, or None."""
        if self._worker is None:
            self._worker = Worker("child", [Path.cwd()] if self._question["modules"] else ())
        try:
            answer = self._worker.ask(self._question, max(self._limit, OPENING))
        except BaseException:
            self.close()
            raise
        if isinstance(answer, Ended):
            self._worker = None
            return answer
        if "error" in answer:
            self.close()
            raise PluginError(answer["error"])
        self.version, self.package = answer["version"], answer["package"]
        self.checks = (_LOADS, *((check, promise) for check, promise, _ in answer["checks"]))
        self._needs = {check: tuple(needs) for check, _, needs in answer["checks"]}
        return None

    @property
    def stuck(self) -> bool:
        """True when no child could find the plugin: "loads" says why, and there is nothing else to run."""
        return self._trouble is not None

    def run(self, check: str) -> Finding:
        """Run one of `checks`.

        Raises:
            PluginError: it is none of them.
        """
        if check not in dict(self.checks) and self._trouble is None:
            raise PluginError(
                f"no check {check!r} at level {self.level}; known: {', '.join(dict(self.checks))}"
            )
        if check == "loads" and self._trouble is None:
            return Finding(check, Status.PASSED, f"found in {self.package}, version {self.version}")
        useless = self._useless(check)
        if useless:
            return Finding(check, Status.SKIPPED, useless)
        if self._worker is None and self._trouble is None:
            self._trouble = self._open()
        if self._worker is None:
            assert self._trouble is not None  # noqa: S101 - that is why there is no child
            return self._unanswered(check, self._trouble)
        answer = self._worker.ask({"do": "check", "check": check}, self._limit)
        if isinstance(answer, Ended):
            self._worker = None
            self._hangs += answer.hung
            found = self._unanswered(check, answer)
        else:
            found = Finding.of(answer)
        if found.status is Status.FAILED or (check == "builds" and found.status is Status.SKIPPED):
            self._failed.add(check)
        return found

    def _useless(self, check: str) -> str:
        """Return why a check would tell nothing after what was found, or ""."""
        if "builds" in self._failed and check not in _WITHOUT_BUILDING:
            return "it does not build (see builds)"
        for needed in self._needs.get(check, ()):
            if needed in self._failed:
                return f"{_LACKING[needed]} (see {needed})"
        return f"{self._hangs} checks hung before" if self._hangs >= _MOST_HANGS else ""

    def _unanswered(self, check: str, ended: Ended) -> Finding:
        during = "while plugins were looked up, the process " if check == "loads" else "the process "
        if ended.hung:
            remedy = "end every loop; when it is only slow, give a longer --limit"
            if check == "loads":
                if self._limit < OPENING:
                    during = f"(the limit for this is {OPENING:g} s) {during}"
                remedy = f"uninstall the package that hangs, or set {SWITCH}=0; `unbraid doctor` names it"
        else:
            remedy = _REMEDIES.get(
                ended.how.rpartition(" ")[2], "raise an exception instead of ending the process"
            )
        return Finding(check, Status.FAILED, f"{during}{ended}", remedy, ended.seconds)

    def leave(self) -> Worker | None:
        """Return the child for the next examination, if it is still there; `close` will not end it."""
        worker, self._worker = self._worker, None
        return worker

    def close(self) -> None:
        """End the child."""
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def __exit__(self, *_: object) -> None:
        self.close()


def check_plugin(
    plugin: str,
    *,
    level: Level = Level.STANDARD,
    only: Iterable[str] = (),
    told: Callable[[Finding], None] | None = None,
    **terms: Any,
) -> Report:
    """Hold a plugin to the contract.

    Args:
        plugin: its id.
        level: how much is checked.
        only: ids of checks; by default all of the level.
        told: called with each finding as it is made.
        terms: ``params``, ``limit``, ``memory`` and ``modules``, as in `Examination`.

    Raises:
        PluginError: there is no such plugin, or a parameter or a check's id does not fit.

    Example:
        >>> check_plugin("gain", level=Level.QUICK, only=["cuts"]).ok
        True
    """
    findings = []
    with Examination(plugin, level=level, **terms) as examination:
        chosen = list(only) or [check for check, _ in examination.checks]
        if examination.stuck:
            chosen = ["loads"]
        for check in chosen:
            found = examination.run(check)
            findings.append(found)
            if told is not None:
                told(found)
        return Report(plugin, examination.version, examination.package, level, tuple(findings))
