"""The child that loads entry points one after another and tells what each cost.

Started as ``python -m unbraid.host.conformance.entry_child QUESTIONS ANSWERS``, two descriptors.
"""

from __future__ import annotations

import json
import os
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..registry import Registry, allowed_points
from .child import settle

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HEAVY", "main"]

#: Packages that take long to import, or much memory; no card needs one.
HEAVY = frozenset(
    {
        "cupy",
        "cv2",
        "gradio",
        "jax",
        "lightning",
        "librosa",
        "llvmlite",
        "matplotlib",
        "numba",
        "onnxruntime",
        "pandas",
        "polars",
        "pyarrow",
        "pytorch_lightning",
        "ray",
        "scipy",
        "sklearn",
        "soundfile",
        "soxr",
        "tensorflow",
        "torch",
        "torchaudio",
        "torchvision",
        "transformers",
    }
)


def _told(told: Any, **answer: Any) -> None:
    told.write(json.dumps(answer).encode() + b"\n")


def _load(told: Any, name: str, package: str, load: Callable[[], None]) -> None:
    _told(told, begin=name, package=package)
    before, began = set(sys.modules), perf_counter()
    load()
    seconds = perf_counter() - began
    new = {module.partition(".")[0] for module in set(sys.modules) - before}
    _told(told, seconds=seconds, heavy=sorted(new & HEAVY))


def main() -> None:
    """Answer the one question: which objects, or all entry points."""
    descriptors = [int(text) for text in sys.argv[1:3]]
    settle(descriptors)
    with os.fdopen(descriptors[0], "rb") as asked, os.fdopen(descriptors[1], "wb", buffering=0) as told:
        homes = json.loads(asked.readline())["homes"]
        registry = Registry()
        if homes is None:
            for point, package in allowed_points():
                _load(told, point.name, package, lambda point=point: registry.load(point))  # type: ignore[misc]
        else:
            for home in homes:
                _load(told, home, "?", lambda home=home: registry.add_module(home))  # type: ignore[misc]
        faults = [str(fault) for fault in registry.faults]
        data = {"plugins": sorted(registry.cards), "graphs": sorted(registry.graphs), "faults": faults}
        _told(told, registry=data)
    os._exit(0)


if __name__ == "__main__":
    main()
