"""Plugins that go wrong in every way a process can, each at a chosen moment."""

from __future__ import annotations

import ctypes
import math
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np

from unbraid.host.contract import AnalysisProcessor, Params, PluginCard, PluginError, hookimpl, param

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from unbraid.host.contract import Spec

    Blocks = Mapping[str, npt.NDArray[np.float32]]

How = Literal[
    "none",
    "raise",
    "refuse",
    "leave",
    "segfault",
    "exit",
    "spin",
    "sleep-in-c",
    "bomb",
    "print",
    "slow",
    "start-another",
]
Where = Literal["init", "prepare", "set", "process", "analyse", "finish", "reset", "release", "findings"]


class TroubleParams(Params, frozen=True):
    """Parameters of `Trouble`."""

    where: Annotated[Where, param("the call in which it happens", fixed=True)] = "process"
    how: Annotated[How, param("what happens", fixed=True)] = "none"
    at: Annotated[int, param("for process: in the block that holds this sample", ge=0, fixed=True)] = 0
    gain: Annotated[float, param("linear factor", ge=0, le=10)] = 1.0
    note: Annotated[str, param("a file to write process ids into", fixed=True)] = ""


def _bomb() -> None:
    held = []
    while True:
        held.append(np.ones(1 << 22, np.float32))


def _spin() -> None:
    while True:
        pass


def _raise() -> None:
    raise ValueError("told to\nfail")


def _refuse() -> None:
    raise PluginError("it will not; choose another")


DEEDS: dict[str, Callable[[], object]] = {
    "none": lambda: None,
    "raise": _raise,
    "refuse": _refuse,
    "leave": lambda: sys.exit(4),
    "segfault": lambda: ctypes.string_at(0),
    "exit": lambda: os._exit(3),
    "spin": _spin,
    "sleep-in-c": lambda: ctypes.PyDLL(None).sleep(60),  # keeps the interpreter's lock
    "bomb": _bomb,
    "print": lambda: print("a plugin speaks", flush=True),  # noqa: T201
    "slow": lambda: time.sleep(0.05),
}


class Trouble(AnalysisProcessor[TroubleParams]):
    """A gain that goes wrong as told."""

    def __init__(self, params: TroubleParams) -> None:
        super().__init__(params)
        self._position, self._heard = 0, 0.0
        self._do("init")

    def _do(self, where: Where) -> None:
        if self.params.where != where:
            return
        if self.params.how == "start-another":
            other = subprocess.Popen(["sleep", "60"])
            self._note(other.pid)
            _spin()
        self._note(os.getpid())
        DEEDS[self.params.how]()

    def _note(self, process: int) -> None:
        if self.params.note:
            with open(self.params.note, "a") as file:  # noqa: PTH123
                file.write(f"{process}\n")

    def prepare(self, spec: Spec) -> None:
        super().prepare(spec)
        self._do("prepare")

    def set(self, params: TroubleParams) -> None:
        super().set(params)
        self._do("set")

    def analyse(self, ins: Blocks) -> None:
        self._heard += float(np.abs(ins["in"]).sum())
        self._do("analyse")

    def finish(self) -> None:
        self._do("finish")

    def process(self, ins: Blocks, outs: Blocks) -> None:
        outs["out"][:] = np.float32(self.params.gain) * ins["in"]
        n = ins["in"].shape[1]
        if self._position <= self.params.at < self._position + n or self.params.how == "slow":
            self._do("process")
        self._position += n

    def reset(self) -> None:
        self._position = 0
        self._do("reset")

    def release(self) -> None:
        self._do("release")

    def findings(self) -> Mapping[str, float | str]:
        self._do("findings")
        return {"heard": self._heard, "not a number": math.nan, "who": "trouble"}


class Careless(Trouble):
    """Breaks the contract of blocks: forgets its output, or writes into its input."""

    def process(self, ins: Blocks, outs: Blocks) -> None:
        if self.params.gain:
            ins["in"][:] = 0


class Nervous(Trouble):
    """Changes its latency while audio runs."""

    def process(self, ins: Blocks, outs: Blocks) -> None:
        super().process(ins, outs)
        self.latency += 1


def local_params() -> type[Params]:
    class LocalParams(Params, frozen=True):
        """A struct that no other process can find."""

    return LocalParams


def _card(plugin: str, factory: str, **more: Any) -> PluginCard:
    more = {"params": TroubleParams, **more}
    return PluginCard(id=plugin, name=plugin, version="1", licence="MIT", factory=factory, **more)


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    return [
        _card("trouble", "isolation_rig:Trouble"),
        _card("careless", "isolation_rig:Careless"),
        _card("nervous", "isolation_rig:Nervous"),
        _card("trouble-hears", "isolation_rig:Trouble", passes=1),
        _card("trouble16", "isolation_rig:Trouble", rates=(16000,)),
        _card("not-there", "isolation_rig:Nobody"),
        _card("not-a-processor", "isolation_rig:TroubleParams", params=Params),
        _card("fatal-import", "fatal_import:Anything"),
        _card("local-params", "isolation_rig:Trouble", params=local_params()),
    ]
