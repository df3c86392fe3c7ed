"""Compiles every kernel ahead of its first use, so that no render has to wait for one."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from .machine import fixed_kernels
from .masks import common_ratio_kernels
from .plan import plan_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .machine import Kernel

__all__ = ["LENGTHS", "warm_up"]

#: The frame lengths that audio uses most; others are compiled when they are first asked for.
LENGTHS = (441, 480, 512, 882, 960, 1024, 1344, 1440, 1920, 2048, 4096, 6144, 8192)


def warm_up(lengths: Iterable[int] = LENGTHS) -> Iterator[tuple[Kernel, bool]]:
    """Make sure that the cache holds every kernel, and the steps of frames of these lengths.

    Yields:
        Each kernel, and whether it had to be compiled.

    Raises:
        KernelError: a length is not 2^a 3^b 5^c 7^d.
    """
    plans = [plan_of(length) for length in lengths]
    package = __name__.rpartition(".")[0]
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        if not module.ispkg:
            import_module(module.name)
    for kernel in (*fixed_kernels(), *common_ratio_kernels()):
        yield kernel, kernel.warm_up()
    for plan in plans:
        for kernel in plan.steps():
            yield kernel, kernel.warm_up()
