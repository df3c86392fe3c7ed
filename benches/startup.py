"""Start-up: what a user waits for before the first line appears."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .contest import Contest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IMPORTS = "import numpy, click"
PEER = f'python -c "{IMPORTS}"'
MAIN = "import sys; from unbraid.host.cli import main; main(sys.argv[1:])"


@contextmanager
def _opened() -> Iterator[dict[str, Callable[[], object]]]:
    def start(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", *command], check=True, capture_output=True)

    yield {
        PEER: start(IMPORTS),
        "unbraid --help": start(MAIN, "--help"),
        "unbraid plugins list": start(MAIN, "plugins", "list"),
    }


CONTESTS = [Contest("start-up", PEER, (PEER, "unbraid --help", "unbraid plugins list"), _opened, turns=15)]
