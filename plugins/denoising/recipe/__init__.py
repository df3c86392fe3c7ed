"""How the weights are made: data, mixtures, training, export."""

from __future__ import annotations

__all__: list[str] = []
