"""What every test shares: the CPUs, hypothesis without deadlines, the registry and the tests' own plugins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import rig
from command_rig import Unbraid, command
from unbraid.host.registry import Registry

settings.register_profile("unbraid", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unbraid")

#: More would want more memory, and few tests are left for each.
_MOST_WORKERS = 4


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Share a run of the whole suite among the CPUs, where pytest-xdist is there and nobody said otherwise.

    A run of named files or of one test stays in one process, which begins at once; so does one that is
    watched (``-s``, ``--pdb``) or measures (``-m soak``). ``-n 0`` says so for any, ``-n 8`` the opposite.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # for torch, as in the command line
    option = config.option
    if hasattr(config, "workerinput") or getattr(option, "numprocesses", 0) is not None or option.tx:
        return
    watched = option.capture == "no" or option.usepdb or option.trace or option.collectonly
    whole = option.markexpr == "not soak" and any(Path(argument).is_dir() for argument in config.args)
    if whole and not watched:
        option.numprocesses = min(len(os.sched_getaffinity(0)), _MOST_WORKERS)
        # Neighbours stay together, so that what a module sets up is set up once.
        option.dist = "worksteal"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what takes longest come first: at the end it would keep one CPU busy, and the others idle."""
    items.sort(key=lambda item: item.path.name != "test_warmup.py")


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Every installed plugin, and those of `rig`."""
    found = Registry.discover()
    assert found.faults == []
    found.add(rig, "rig")
    assert found.faults == []
    return found


@pytest.fixture
def unbraid(capsys: pytest.CaptureFixture[str]) -> Unbraid:
    """Run the command line in this process."""
    return command(capsys)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch use one: so small a network runs fastest so, and far faster beside other tests."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
