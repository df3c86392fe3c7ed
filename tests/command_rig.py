"""Running the command line in this process, and what it said."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from unbraid.host.cli.app import main

__all__ = ["Done", "Unbraid", "command"]


class Done(NamedTuple):
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """Standard output as JSON that any reader takes: without NaN and Infinity."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is no JSON")

        found: dict[str, Any] = json.loads(self.out, parse_constant=refuse)
        return found

    def figure(self, name: str, row: int = 0) -> float | str | None:
        value: float | str | None = self.data["rows"][row]["figures"][name]["value"]
        return value


Unbraid = Callable[..., Done]


def command(capsys: pytest.CaptureFixture[str]) -> Unbraid:
    """Return a function that runs the command line with these arguments."""

    def run(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        assert isinstance(stop.value.code, int)
        return Done(stop.value.code, *capsys.readouterr())

    return run
