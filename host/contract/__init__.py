"""What a plugin author sees. Everything here loads on first use and none of it is heavy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .analysis_processor import AnalysisProcessor
    from .audio import NAMED_LAYOUTS, Layout, Spec
    from .card import API_VERSION, PluginCard, same_layout
    from .compiled import Compiled
    from .compiled_processor import CompiledProcessor
    from .errors import (
        Cancelled,
        GraphError,
        LayoutRefusedError,
        MediaError,
        NodeError,
        Place,
        PluginError,
        Problem,
        UnbraidError,
    )
    from .hooks import hookimpl
    from .params import Params, ParamsError, param
    from .ports import Port, Ports
    from .processor import BlockProcessor, Processor
    from .segment_processor import SegmentProcessor
    from .stft_processor import StftProcessor
    from .torch_segments import TorchSegmentProcessor

_HOME = {
    "API_VERSION": "card",
    "AnalysisProcessor": "analysis_processor",
    "BlockProcessor": "processor",
    "Cancelled": "errors",
    "Compiled": "compiled",
    "CompiledProcessor": "compiled_processor",
    "GraphError": "errors",
    "Layout": "audio",
    "LayoutRefusedError": "errors",
    "MediaError": "errors",
    "NAMED_LAYOUTS": "audio",
    "NodeError": "errors",
    "Params": "params",
    "ParamsError": "params",
    "Place": "errors",
    "PluginCard": "card",
    "PluginError": "errors",
    "Port": "ports",
    "Ports": "ports",
    "Problem": "errors",
    "Processor": "processor",
    "SegmentProcessor": "segment_processor",
    "Spec": "audio",
    "StftProcessor": "stft_processor",
    "TorchSegmentProcessor": "torch_segments",
    "UnbraidError": "errors",
    "hookimpl": "hooks",
    "param": "params",
    "same_layout": "card",
}
__all__ = [
    "API_VERSION",
    "NAMED_LAYOUTS",
    "AnalysisProcessor",
    "BlockProcessor",
    "Cancelled",
    "Compiled",
    "CompiledProcessor",
    "GraphError",
    "Layout",
    "LayoutRefusedError",
    "MediaError",
    "NodeError",
    "Params",
    "ParamsError",
    "Place",
    "PluginCard",
    "PluginError",
    "Port",
    "Ports",
    "Problem",
    "Processor",
    "SegmentProcessor",
    "Spec",
    "StftProcessor",
    "TorchSegmentProcessor",
    "UnbraidError",
    "hookimpl",
    "param",
    "same_layout",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
