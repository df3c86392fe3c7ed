"""The child process in which a plugin's code runs: opens one plugin, then runs the checks it is asked for.

Started as ``python -m unbraid.host.conformance.child QUESTIONS ANSWERS``, two descriptors.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import signal
import sys
import time
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..contract.errors import PluginError, UnbraidError, one_line
from ..contract.params import convert
from ..registry import Registry
from .check import Advice, NotApplicableError, PromiseBrokenError
from .finding import Finding, Level, Status

if TYPE_CHECKING:
    from .check import Check
    from .subject import Subject

__all__ = ["examine", "main", "serve", "settle"]

_UNUSABLE = ("cannot be loaded", "it has none")  # how the faults of a module that brings nothing begin
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def examine(check: Check, subject: Subject) -> Finding:
    """Run one check; whatever it raises becomes a finding."""
    began = perf_counter()
    status, message, remedy = Status.PASSED, "", ""
    subject.began = time.monotonic()
    try:
        seen = check.run(subject)
        if isinstance(seen, Advice):
            status, message, remedy = Status.ADVISORY, seen.message, seen.remedy
        else:
            message = seen
    except NotApplicableError as error:
        status, message = Status.SKIPPED, one_line(error)
    except PromiseBrokenError as error:
        status, message, remedy = Status.FAILED, one_line(error), error.remedy
    except UnbraidError as error:
        status, message, remedy = (
            Status.FAILED,
            one_line(error),
            "let the card and the code agree with each other",
        )
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin can raise anything anywhere
        status, message = Status.FAILED, f"the check ended with {one_line(error)}"
        remedy = "let the card's functions and the processor's attributes do nothing but answer"
    return Finding(check.id, status, message, remedy, perf_counter() - began)


def _open(question: dict[str, Any]) -> tuple[Subject | None, dict[str, Any]]:
    """Find the plugin; return it and what the parent wants to know."""
    registry = Registry.discover()
    plugin, level = question["plugin"], Level.parse(question["level"])
    known = len(registry.faults)
    for name in question["modules"]:
        registry.add_module(name)
    for fault in registry.faults[known:]:
        if fault.reason.startswith(_UNUSABLE):
            remedy = fault.remedy  # one that speaks of an installed package does not fit
            if "entry point" in remedy:
                remedy = "name a module that is installed or lies in the current folder"
            return None, {"error": f"module {fault.source!r}: {fault.reason}; {remedy}"}
    try:
        card = registry.card(plugin)
        params = convert(card.params, question["params"])
    except UnbraidError as error:
        return None, {"error": _with_faults(str(error), plugin, registry, question["modules"])}
    from ..engine.devices import cuda_devices
    from .catalogue import checks_at
    from .subject import Subject

    _limit_memory(question["memory"])
    subject = Subject(card, params, registry, level, question["seconds"])
    if subject.device == "cuda" and not cuda_devices():
        return None, {"error": f"plugin {plugin!r} runs on 'cuda' only, which this machine lacks"}
    checks = [[check.id, check.promise, check.needs] for check in checks_at(level)]
    return subject, {"version": card.version, "package": registry.packages[card.id], "checks": checks}


def _with_faults(message: str, plugin: str, registry: Registry, modules: list[str]) -> str:
    """Add to an unknown plugin's error the faults that may be why it is unknown."""
    if plugin in registry.cards:
        return message
    words = {plugin, plugin.replace("-", "_"), *modules}
    named = [str(fault) for fault in registry.faults if any(word in str(fault) for word in words)]
    if named:
        return f"{message}\nnot loaded: " + "\nnot loaded: ".join(named)
    if registry.faults:
        return f"{message}; {len(registry.faults)} sources did not load, see `unbraid doctor`"
    return message


def _limit_memory(extra: int) -> None:
    """Let the process take so many bytes more: of data only, since libraries map address space freely."""
    status = Path("/proc/self/status")
    if sys.platform != "linux" or not status.is_file():
        return
    import resource

    has = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmData"))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = has * 1024 + extra
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def serve(questions: int, answers: int) -> None:
    """Answer questions until there are no more."""
    subject: Subject | None = None
    with os.fdopen(questions, "rb") as asked, os.fdopen(answers, "wb", buffering=0) as told:
        for line in asked:
            question = json.loads(line)
            if question["do"] == "open":
                subject, answer = _open(question)
            else:
                from .catalogue import CHECKS

                if subject is None:
                    raise PluginError("no plugin is open")
                check = next(check for check in CHECKS if check.id == question["check"])
                answer = examine(check, subject).data()
            told.write(json.dumps(answer).encode() + b"\n")


def settle(descriptors: list[int]) -> None:
    """Say where one stands when one dies or is asked, die with the parent, keep the pipes to oneself."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - that is its signature


def main() -> None:
    """Serve, and end without waiting for threads that a plugin left running."""
    descriptors = [int(text) for text in sys.argv[1:3]]
    settle(descriptors)
    serve(*descriptors)
    os._exit(0)


if __name__ == "__main__":
    main()
