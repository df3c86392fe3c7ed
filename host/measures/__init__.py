"""Measures of an estimate against a reference: in a notebook by array, on the command line by file.

Example:
    >>> import numpy as np
    >>> from unbraid.host.measures import compare, sdr
    >>> s = np.sin(np.arange(48000, dtype=np.float32))[None]
    >>> round(sdr(s, np.float32(0.99) * s).value, 1)
    40.0
    >>> round(compare(s, -s, 48000, ["si-sdr", "lsd"])["lsd"].value, 1)
    0.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .bss import bsseval
    from .catalogue import IMPROVEMENTS, MEASURES, Measure
    from .distortion import sdr
    from .dnsmos_score import dnsmos
    from .estoi_score import estoi
    from .evaluation import Row, compare, evaluate, figures_of
    from .gauge import Figure
    from .lag import Lag, best_lag
    from .log_spectral import lsd
    from .loudness_pair import loudness
    from .measured import Measured
    from .null import null_depth
    from .pairs import Pair, find_pairs, with_mixture
    from .pesq_score import pesq
    from .report import as_csv, as_data
    from .scale_invariant import si_sdr
    from .summary import Summary, summaries

_HOME = {
    "Figure": "gauge",
    "IMPROVEMENTS": "catalogue",
    "Lag": "lag",
    "MEASURES": "catalogue",
    "Measure": "catalogue",
    "Measured": "measured",
    "Pair": "pairs",
    "Row": "evaluation",
    "Summary": "summary",
    "as_csv": "report",
    "as_data": "report",
    "best_lag": "lag",
    "bsseval": "bss",
    "compare": "evaluation",
    "dnsmos": "dnsmos_score",
    "estoi": "estoi_score",
    "evaluate": "evaluation",
    "figures_of": "evaluation",
    "find_pairs": "pairs",
    "loudness": "loudness_pair",
    "lsd": "log_spectral",
    "null_depth": "null",
    "pesq": "pesq_score",
    "sdr": "distortion",
    "si_sdr": "scale_invariant",
    "summaries": "summary",
    "with_mixture": "pairs",
}
__all__ = [
    "IMPROVEMENTS",
    "MEASURES",
    "Figure",
    "Lag",
    "Measure",
    "Measured",
    "Pair",
    "Row",
    "Summary",
    "as_csv",
    "as_data",
    "best_lag",
    "bsseval",
    "compare",
    "dnsmos",
    "estoi",
    "evaluate",
    "figures_of",
    "find_pairs",
    "loudness",
    "lsd",
    "null_depth",
    "pesq",
    "sdr",
    "si_sdr",
    "summaries",
    "with_mixture",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
