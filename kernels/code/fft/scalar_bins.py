"""The steps of `frames` between transforms for lengths that suit no vector: one bin at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..memory import f32, i64

__all__ = ["apply_scalar", "pack_scalar", "unpack_scalar"]

zero = np.float32(0)


def apply_scalar(length: int, channels: int) -> Any:
    """Return `frames.apply` for width 1."""

    def run(re: Any, im: Any, re_out: Any, im_out: Any, left: Any, right: Any, places: Any, _: Any) -> Any:
        zr, zi, yr, yi = f32(re, length), f32(im, length), f32(re_out, length), f32(im_out, length)
        bins, at = length // 2 + 1, i64(places, length)
        first = f32(left, bins)
        second = f32(right, bins) if channels == 2 else first
        for k in range(bins):
            p, q = at[k], at[length - k if k else 0]
            pr, pi, qr, qi = zr[p], zi[p], zr[q], zi[q]
            if channels == 2:
                a, b = first[k] + second[k], first[k] - second[k]
                yr[p], yi[p] = a * pr + b * qr, a * pi - b * qi
                yr[q], yi[q] = a * qr + b * pr, a * qi - b * pi
            else:
                yr[p], yi[p] = first[k] * pr, first[k] * pi
                yr[q], yi[q] = first[k] * qr, first[k] * qi
        return 0

    return run


def unpack_scalar(length: int, channels: int, *, planar: bool) -> Any:
    """Return `frames.unpack` for width 1."""
    step, beside = (1, length // 2 + 1) if planar else (2, 1)

    def run(re: Any, im: Any, left: Any, right: Any, places: Any, _: Any, __: Any, ___: Any) -> Any:
        zr, zi, at = f32(re, length), f32(im, length), i64(places, length)
        first = f32(left, 2 * length + 2)
        second = f32(right, 2 * length + 2) if channels == 2 else first
        for k in range(length // 2 + 1):
            p, q = at[k], at[length - k if k else 0]
            if channels == 2:
                second[k * step], second[k * step + beside] = zi[p] + zi[q], zr[q] - zr[p]
                first[k * step], first[k * step + beside] = zr[p] + zr[q], zi[p] - zi[q]
            else:
                first[k * step], first[k * step + beside] = zr[p], zi[p]
            if 2 * k == length:
                first[k * step + beside] = 0
                second[k * step + beside] = 0
        return 0

    return run


def pack_scalar(length: int, channels: int) -> Any:
    """Return `frames.pack` for width 1."""

    def run(left: Any, right: Any, re: Any, im: Any, places: Any, _: Any, __: Any, ___: Any) -> Any:
        zr, zi, at = f32(re, length), f32(im, length), i64(places, length)
        first = f32(left, length + 2)
        second = f32(right, length + 2) if channels == 2 else first
        for k in range(length // 2 + 1):
            p, q = at[k], at[length - k if k else 0]
            lr, li, rr, ri = first[2 * k], first[2 * k + 1], zero, zero
            if channels == 2:
                rr, ri = second[2 * k], second[2 * k + 1]
            if p == q:  # the imaginary parts at 0 Hz and at half the rate mean nothing
                li, ri = zero, zero
            zr[q], zi[q] = lr + ri, rr - li
            zr[p], zi[p] = lr - ri, li + rr
        return 0

    return run
