"""Every contest as pytest-benchmark cases: the contestants take turns, so that drift meets all alike."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from benches import (
    conformance,
    denoising,
    engine,
    isolation,
    levels,
    media,
    multichannel,
    renders,
    segments,
    spectra,
    startup,
    upmix,
    vocals,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benches.contest import Contest

CONTESTS: list[Contest] = [
    *spectra.CONTESTS,
    *multichannel.CONTESTS,
    *conformance.CONTESTS,
    *denoising.CONTESTS,
    *engine.CONTESTS,
    *isolation.CONTESTS,
    *levels.CONTESTS,
    *media.CONTESTS,
    *renders.CONTESTS,
    *segments.CONTESTS,
    *startup.CONTESTS,
    *upmix.CONTESTS,
    *vocals.CONTESTS,
]
TURNS = [
    pytest.param(contest, name, id=f"{contest.title} | {name} | {turn}")
    for contest in CONTESTS
    for turn in range(contest.turns)
    for name in contest.names
]


@pytest.fixture(scope="module")
def opened() -> Iterator[Callable[[Contest], dict[str, Callable[[], object]]]]:
    """Prepare a contest when its first turn comes, and warm every contestant up once."""
    with ExitStack() as stack:
        ready: dict[str, dict[str, Callable[[], object]]] = {}

        def prepare(contest: Contest) -> dict[str, Callable[[], object]]:
            if contest.title not in ready:
                ready[contest.title] = stack.enter_context(contest.open())
                for run in ready[contest.title].values():
                    run()
            return ready[contest.title]

        yield prepare


@pytest.mark.parametrize(("contest", "name"), TURNS)
def bench(benchmark: Any, opened: Callable[[Contest], dict[str, Any]], contest: Contest, name: str) -> None:
    """One turn of one contestant."""
    benchmark.extra_info.update(title=contest.title, name=name, peer=contest.peer)
    benchmark.pedantic(opened(contest)[name], rounds=1, iterations=contest.calls)
