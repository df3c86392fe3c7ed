"""ONNX Runtime, imported so that it reports to nobody."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["onnx_runtime"]

#: What its versions take for no, for good, when they find it set as they load.
_OPT_OUTS = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")


def onnx_runtime() -> Any:
    """Return the module ``onnxruntime``.

    Official builds of 2026 send events to their publisher, and write an identifier of the machine into the
    user's cache (onnxruntime's Privacy.md). They look at the environment as they load: it says no for that
    moment. Where a program has imported the module before, or says otherwise in its environment, that stands.

    Raises:
        ImportError: it is not installed.
    """
    if "onnxruntime" in sys.modules:
        return import_module("onnxruntime")
    with _declined():
        return import_module("onnxruntime")


@contextmanager
def _declined() -> Iterator[None]:
    added = [name for name in _OPT_OUTS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
