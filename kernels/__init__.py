"""Compiled signal primitives: arrays in, arrays out. Knows neither host nor plugins.

Modules load on first use: ``from unbraid.kernels.stft import StreamingStft``.
"""
