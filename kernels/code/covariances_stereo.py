"""Covariances of two channels, as `covariances` lays them out, each loop over them in one piece.

Rows of a model: R 0, 2 + 3i, 4; the sum that becomes the next R 6, 8 + 9i, 10; y 12 + 13i, 14 + 15i; v 16.

First estimates are real multiples of one vector: y_j = (a_j z_0, b_j z_1), magnitudes times what the stems
have in common. So their covariances are a^2, a b and b^2 times the products of z, which are had once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .memory import f32, f64, inline
from .wiener_task import LANES

__all__ = [
    "filter_stereo",
    "gather_multiples",
    "gather_stereo",
    "mix_multiples",
    "mix_stereo",
    "multiply",
    "solve_stereo",
]


@inline
def gather_stereo(model: Any) -> None:
    """Add y y^H to the sum."""
    m = f64(model, 16 * LANES)
    for i in range(LANES):
        ar, ai, br, bi = m[12 * LANES + i], m[13 * LANES + i], m[14 * LANES + i], m[15 * LANES + i]
        m[6 * LANES + i] += ar * ar + ai * ai
        m[8 * LANES + i] += br * ar + bi * ai
        m[9 * LANES + i] += bi * ar - br * ai
        m[10 * LANES + i] += br * br + bi * bi


@inline
def mix_stereo(model: Any, mix: Any) -> None:
    """Set v, the mean of |y|^2 over channels, and add v R to the mixture's covariance."""
    m, w = f64(model, 17 * LANES), f64(mix, 5 * LANES)
    for i in range(LANES):
        ar, ai, br, bi = m[12 * LANES + i], m[13 * LANES + i], m[14 * LANES + i], m[15 * LANES + i]
        power = 0.5 * (ar * ar + ai * ai + br * br + bi * bi)
        m[16 * LANES + i] = power
        w[i] += power * m[i]
        w[2 * LANES + i] += power * m[2 * LANES + i]
        w[3 * LANES + i] += power * m[3 * LANES + i]
        w[4 * LANES + i] += power * m[4 * LANES + i]


@inline
def solve_stereo(x: Any, mix: Any, solution: Any, floor: Any) -> None:
    """Solve (mix + floor I) u = x by the inverse in closed form.

    No eigenvalue is below the floor, so no determinant is below the floor times the greater diagonal value.
    """
    z, w, u = f64(x, 4 * LANES), f64(mix, 5 * LANES), f64(solution, 4 * LANES)
    for i in range(LANES):
        a, d = w[i] + floor, w[4 * LANES + i] + floor
        br, bi = w[2 * LANES + i], w[3 * LANES + i]
        xr, xi, yr, yi = z[i], z[LANES + i], z[2 * LANES + i], z[3 * LANES + i]
        determinant, least = a * d - (br * br + bi * bi), floor * max(a, d)
        scale = 1.0 / max(determinant, least)
        u[i] = (d * xr - (br * yr + bi * yi)) * scale
        u[LANES + i] = (d * xi - (br * yi - bi * yr)) * scale
        u[2 * LANES + i] = (a * yr - (br * xr - bi * xi)) * scale
        u[3 * LANES + i] = (a * yi - (br * xi + bi * xr)) * scale


@inline
def filter_stereo(model: Any, solution: Any) -> None:
    """Set y = v R u."""
    m, u = f64(model, 17 * LANES), f64(solution, 4 * LANES)
    for i in range(LANES):
        power, a, d = m[16 * LANES + i], m[i], m[4 * LANES + i]
        br, bi = m[2 * LANES + i], m[3 * LANES + i]
        ur, ui, wr, wi = u[i], u[LANES + i], u[2 * LANES + i], u[3 * LANES + i]
        m[12 * LANES + i] = power * (a * ur + br * wr + bi * wi)
        m[13 * LANES + i] = power * (a * ui + br * wi - bi * wr)
        m[14 * LANES + i] = power * (d * wr + br * ur - bi * ui)
        m[15 * LANES + i] = power * (d * wi + br * ui + bi * ur)


@inline
def multiply(z: Any, products: Any) -> None:
    """Rows |z_0|^2, z_1 conj(z_0) (two), |z_1|^2."""
    w, p = f64(z, 4 * LANES), f64(products, 4 * LANES)
    for i in range(LANES):
        ar, ai, br, bi = w[i], w[LANES + i], w[2 * LANES + i], w[3 * LANES + i]
        p[i] = ar * ar + ai * ai
        p[LANES + i] = br * ar + bi * ai
        p[2 * LANES + i] = bi * ar - br * ai
        p[3 * LANES + i] = br * br + bi * bi


@inline
def gather_multiples(left: Any, right: Any, products: Any, model: Any, n: Any) -> None:
    """As `gather_stereo`, of multiples by these magnitudes."""
    v, w, p, m = f32(left, n), f32(right, n), f64(products, 4 * LANES), f64(model, 11 * LANES)
    for i in range(n):
        a, b = np.float64(v[i]), np.float64(w[i])
        ab = a * b
        m[6 * LANES + i] += a * a * p[i]
        m[8 * LANES + i] += ab * p[LANES + i]
        m[9 * LANES + i] += ab * p[2 * LANES + i]
        m[10 * LANES + i] += b * b * p[3 * LANES + i]


@inline
def mix_multiples(left: Any, right: Any, products: Any, model: Any, mix: Any, n: Any) -> None:
    """As `mix_stereo`, of multiples by these magnitudes."""
    v, w, p = f32(left, n), f32(right, n), f64(products, 4 * LANES)
    m, c = f64(model, 17 * LANES), f64(mix, 5 * LANES)
    for i in range(n):
        a, b = np.float64(v[i]), np.float64(w[i])
        power = 0.5 * (a * a * p[i] + b * b * p[3 * LANES + i])
        m[16 * LANES + i] = power
        c[i] += power * m[i]
        c[2 * LANES + i] += power * m[2 * LANES + i]
        c[3 * LANES + i] += power * m[3 * LANES + i]
        c[4 * LANES + i] += power * m[4 * LANES + i]
