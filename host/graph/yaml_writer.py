"""Writes plain data as YAML 1.2 that `yaml_reader` reads back the same: mappings one key a line."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .yaml_reader import REFUSED, scalar

__all__ = ["write"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_OLD_BOOLEANS = {"y", "n", "yes", "no", "on", "off"}  # readers of YAML 1.1 would take them for such


def write(value: Any) -> str:
    """Return ``value`` (dict, list, text, numbers, booleans, None) as a YAML document.

    Example:
        >>> print(write({"use": "mix", "from": ["a", "b"], "params": {"gains": [0, -6.0]}}), end="")
        use: mix
        from: [a, b]
        params:
          gains: [0, -6.0]
    """
    return "\n".join([*_lines(value), ""])


def _lines(value: Any) -> list[str]:
    if (inline := _inline(value)) is not None:
        return [inline]
    if isinstance(value, list):
        return [line for item in value for line in _indent("- ", _lines(item))]
    lines = []
    for key, item in value.items():
        if (inline := _inline(item)) is not None:
            lines.append(f"{_text(key)}: {inline}")
        else:
            lines += [f"{_text(key)}:", *_indent("  ", _lines(item))]
    return lines


def _indent(first: str, lines: list[str]) -> list[str]:
    return [(first if i == 0 else "  ") + line for i, line in enumerate(lines)]


def _inline(value: Any) -> str | None:
    """Return what fits on a line: a scalar, an empty mapping, a list of such; None for the rest."""
    if isinstance(value, dict):
        return None if value else "{}"
    if isinstance(value, list):
        nested = any(isinstance(item, dict | list) for item in value)
        return None if nested else f"[{', '.join(map(_scalar, value))}]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and scalar(text) == text and text.lower() not in _OLD_BOOLEANS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return REFUSED.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
