"""A plugin that does whatever a test tells it, once, in the worker's process."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Annotated, Any

from unbraid.host.contract import BlockProcessor, Params, PluginCard, hookimpl, param

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Blocks = Mapping[str, npt.NDArray[Any]]

time.sleep(float(os.environ.get("DEEDS_SLOW_TO_LOAD", "0")))


class DeedParams(Params, frozen=True):
    """Parameters of `Deed`."""

    code: Annotated[str, param("what to run with the first block", fixed=True)] = ""
    finds: Annotated[str, param("what to find out, as an expression", fixed=True)] = "{}"


class Deed(BlockProcessor[DeedParams]):
    """Hands sound through, and does as told."""

    def __init__(self, params: DeedParams) -> None:
        super().__init__(params)
        self._code = params.code

    def process(self, ins: Blocks, outs: Blocks) -> None:
        outs["out"][:] = ins["in"]
        code, self._code = self._code, ""
        exec(code, {})  # noqa: S102 - the test wrote it

    def findings(self) -> Mapping[str, float | str]:
        found: Mapping[str, float | str] = eval(self.params.finds)  # noqa: S307 - the same
        return found


@hookimpl
def unbraid_cards() -> list[PluginCard]:
    return [
        PluginCard(
            id="deed", name="deed", version="1", licence="MIT", factory="deeds_rig:Deed", params=DeedParams
        )
    ]
