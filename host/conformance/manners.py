"""Checks that a plugin leaves the process as it is: nothing on standard output, no global setting changed."""

from __future__ import annotations

import locale
import os
import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .check import Advice, Check, PromiseBrokenError
from .finding import Level
from .signals import noise

if TYPE_CHECKING:
    from .subject import Subject

__all__ = ["CHECKS", "globals_kept", "prints_nothing", "settings"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
_SEED = 192_837_465
_TORCH_SEED = "torch's global seed"


def prints_nothing(subject: Subject) -> str:
    """Look at how far standard output, which is a file here, has come since the plugin was opened."""
    subject.fresh(noise(subject.case.inputs, 4096))
    if sys.stdout is not None:
        sys.stdout.flush()
    size = os.fstat(1).st_size - subject.printed
    if size > 0:
        said = os.pread(1, 60, subject.printed).decode("utf-8", "backslashreplace")
        raise PromiseBrokenError(
            f"it wrote {size} bytes to standard output: {said!r}",
            "use logging, or standard error: standard output may carry the sound itself",
        )
    return "standard output is left to the sound"


def settings() -> dict[str, object]:
    """Return the settings that belong to everybody in the process; torch's once somebody has loaded it."""
    return {
        "the working folder": Path.cwd(),
        "environment variables": dict(os.environ),
        "numpy.seterr": np.geterr(),
        "signal handlers": [signal.getsignal(number) for number in _SIGNALS],
        "the global NumPy random state": np.random.get_state()[1].tobytes(),  # type: ignore[index] # noqa: NPY002
        "the state of the module random": random.getstate(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "sys.stdout": id(sys.stdout),
        "sys.stderr": id(sys.stderr),
        "sys.path": list(sys.path),
        "the recursion limit": sys.getrecursionlimit(),
        **_of_torch(),
    }


def _of_torch() -> dict[str, object]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {}
    return {
        "torch's default dtype": str(torch.get_default_dtype()),
        "torch's gradient mode": torch.is_grad_enabled(),
        "torch's deterministic mode": torch.are_deterministic_algorithms_enabled(),
    }


#: What torch has when it is loaded, for those that load it first.
_TORCH_AS_LOADED: dict[str, object] = {
    "torch's default dtype": "torch.float32",
    "torch's gradient mode": True,
    "torch's deterministic mode": False,
}


def _torch_moved(subject: Subject) -> list[str]:
    """Put torch's threads and global seed elsewhere, run, and return which of them did not stay there.

    Both differ from machine to machine and from start to start, so there is no value to compare with. The
    generator's state is let go: to build a network draws from it.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return []
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(threads + 1)
    torch.default_generator.manual_seed(_SEED)
    try:
        subject.fresh(noise(subject.case.inputs, 4096))
        moved = {
            "torch's number of threads": torch.get_num_threads() != threads + 1,
            _TORCH_SEED: torch.initial_seed() != _SEED,
        }
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(state)
    return [name for name, it_did in moved.items() if it_did]


def globals_kept(subject: Subject) -> str | Advice:
    """Compare with what was before any of the plugin's code ran."""
    subject.fresh(noise(subject.case.inputs, 4096))
    before, after = _TORCH_AS_LOADED | subject.settings, settings()
    changed = [name for name, value in after.items() if before[name] != value]
    given = before["environment variables"]  # libraries add some when they load; what was there must stay
    if isinstance(given, dict) and given.items() <= os.environ.items():
        changed = [name for name in changed if name != "environment variables"]
    changed += _torch_moved(subject)
    if changed == [_TORCH_SEED]:
        return Advice(
            f"it sets {_TORCH_SEED}",
            "draw from torch.Generator().manual_seed(spec.seed), or fork_rng() around",
        )
    if changed:
        raise PromiseBrokenError(
            f"it changed {', '.join(changed)}",
            "leave to others what belongs to all, or put it back before returning",
        )
    return f"{len(after)} global settings are as before"


CHECKS = (
    Check("prints", "nothing is written to standard output", Level.QUICK, prints_nothing),
    Check("globals", "global settings of the process are left alone", Level.STANDARD, globals_kept),
)
