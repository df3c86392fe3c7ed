"""The steps of `frames` between transforms for lengths that suit no vector: one bin at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..memory import f32, i64, inline

__all__ = ["apply_scalar", "pack_scalar", "spread_scalar", "unpack_scalar"]

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


def unpack_scalar(length: int, channels: int) -> Any:
    """Return `frames.unpack` for width 1."""
    sort = _apart(length, channels)

    def run(re: Any, im: Any, left: Any, right: Any, places: Any, _: Any, __: Any, ___: Any) -> Any:
        sort(re, im, left, left + 4, right, right + 4, places, 2)
        return 0

    return run


def spread_scalar(length: int, channels: int) -> Any:
    """Return `frames.spread` for width 1."""
    sort = _apart(length, channels)

    def run(re: Any, im: Any, left: Any, left_im: Any, right: Any, right_im: Any, places: Any, _: Any) -> Any:
        sort(re, im, left, left_im, right, right_im, places, 1)
        return 0

    return run


def _apart(length: int, channels: int) -> Any:
    @inline
    def sort(
        re: Any, im: Any, left: Any, left_im: Any, right: Any, right_im: Any, places: Any, step: Any
    ) -> None:
        zr, zi, at = f32(re, length), f32(im, length), i64(places, length)
        lr, li = f32(left, length + 2), f32(left_im, length + 2)
        rr, ri = f32(right, length + 2), f32(right_im, length + 2)
        for k in range(length // 2 + 1):
            p, q, place = at[k], at[length - k if k else 0], k * step
            if channels == 2:
                lr[place], li[place] = zr[p] + zr[q], zi[p] - zi[q]
                rr[place], ri[place] = zi[p] + zi[q], zr[q] - zr[p]
            else:
                lr[place], li[place] = zr[p], zi[p]
            if p == q:
                li[place] = zero
                if channels == 2:
                    ri[place] = zero

    return sort


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
