"""Denoiser and wind filter: classical cores, networks, engines of others, and the controls over them."""

from __future__ import annotations

__all__: list[str] = []
