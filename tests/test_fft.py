"""FFTs against NumPy's in float64, at every length audio uses and every vector width on any CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels.code.fft.layout import WIDTHS, Geometry
from unbraid.kernels.errors import KernelError
from unbraid.kernels.fft import Fft, irfft, rfft

LENGTHS = (441, 480, 512, 882, 960, 1024, 1920, 2048, 4096, 6144, 8192)
CASES = [(n, w) for n in LENGTHS for w in WIDTHS if n % w**2 == 0 and not (w == 1 and n % 16 == 0)]


def signal(
    length: int, seed: int = 0, shape: tuple[int, ...] = ()
) -> np.ndarray[Any, np.dtype[np.complex128]]:
    random = np.random.default_rng(seed)
    z = random.standard_normal((*shape, length)) + 1j * random.standard_normal((*shape, length))
    return z.astype(np.complex64).astype(np.complex128)


def parts(z: np.ndarray[Any, np.dtype[np.complex128]]) -> tuple[Any, Any]:
    return np.ascontiguousarray(z.real, np.float32), np.ascontiguousarray(z.imag, np.float32)


@pytest.mark.parametrize(("length", "width"), [*CASES, (64, 8), (256, 16), (16, 4), (7, 1), (1, 1), (36, 1)])
def test_forward_is_numpy_s_in_permuted_order_and_inverse_takes_it_back(length: int, width: int) -> None:
    z = signal(length)
    fft = Fft(length, width)
    real, imaginary = parts(z)
    fft.forward(real, imaginary)
    want = np.fft.fft(z)[fft.order]
    np.testing.assert_allclose(real + 1j * imaginary, want, atol=1e-6 * np.abs(want).max(), rtol=0)
    fft.inverse(real, imaginary)
    np.testing.assert_allclose((real + 1j * imaginary) / length, z, atol=2e-6, rtol=0)


@given(
    powers=st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 99),
)
@settings(max_examples=12)
def test_any_length_of_small_primes(powers: tuple[int, int, int, int], seed: int) -> None:
    length = int(np.prod([p**k for p, k in zip((2, 3, 5, 7), powers, strict=True)]))
    if length > 4096:
        length = 2 ** powers[0]
    z = signal(length, seed)
    fft = Fft(length)
    real, imaginary = parts(z)
    fft.forward(real, imaginary)
    want = np.fft.fft(z)[fft.order]
    np.testing.assert_allclose(real + 1j * imaginary, want, atol=1e-6 * max(1.0, np.abs(want).max()), rtol=0)


@given(length=st.sampled_from(LENGTHS))
def test_the_order_is_a_permutation(length: int) -> None:
    for width in WIDTHS:
        if length % width**2 == 0:
            assert sorted(Geometry(length, width).order) == list(range(length))


def test_a_batch_is_its_rows_to_the_bit() -> None:
    z = signal(512, shape=(3, 2))
    fft = Fft(512)
    real, imaginary = parts(z)
    fft.forward(real, imaginary)
    for i in range(3):
        for j in range(2):
            one_real, one_imaginary = parts(z[i, j])
            fft.forward(one_real, one_imaginary)
            np.testing.assert_array_equal(real[i, j], one_real)
            np.testing.assert_array_equal(imaginary[i, j], one_imaginary)


def test_silence_denormals_and_nan_stay_what_they_are() -> None:
    fft = Fft(512)
    real, imaginary = np.zeros((2, 512), np.float32)
    fft.forward(real, imaginary)
    assert not real.any()
    assert not imaginary.any()
    real[:] = 1e-42
    fft.forward(real, imaginary)
    assert np.isfinite(real).all()
    real[3] = np.nan
    fft.forward(real, imaginary)
    assert np.isnan(real + 1j * imaginary).all()


@pytest.mark.parametrize("length", [0, -4, 11, 2 * 13, 1 << 21])
def test_a_length_with_another_prime_names_the_rule(length: int) -> None:
    with pytest.raises(ValueError, match=rf"length {length} is not 2\^a 3\^b 5\^c 7\^d"):
        Fft(length)


@pytest.mark.parametrize(("length", "width"), [(480, 8), (512, 16 * 2), (32, 8), (512, 3)])
def test_a_width_that_does_not_suit_names_the_rule(length: int, width: int) -> None:
    with pytest.raises(ValueError, match="its square must divide the length"):
        Fft(length, width)


def test_arrays_that_do_not_fit_are_refused_untouched() -> None:
    fft = Fft(64)
    good, other = np.zeros(64, np.float32), np.zeros(64, np.float32)
    locked = good.copy()
    locked.flags.writeable = False
    for bad in (
        good.astype(np.float64),
        good[::2],
        np.zeros(63, np.float32),
        locked,
        [0.0] * 64,
        np.float32(1),
    ):
        with pytest.raises(ValueError, match=r"imaginary (must be float32 \[64\]|.*contiguous|.*writable)"):
            fft.forward(good, bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must not share memory"):
        fft.forward(good, good)
    with pytest.raises(ValueError, match="imaginary must be float32"):
        fft.inverse(good, np.zeros((2, 64), np.float32))
    fft.forward(good, other)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_real_transforms_are_numpy_s(n: int, rows: int) -> None:
    x = np.random.default_rng(n).standard_normal((rows, n)).astype(np.float32)
    want = np.fft.rfft(x.astype(np.float64))
    got = rfft(x)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6 * np.abs(want).max())
    np.testing.assert_allclose(irfft(got, n), x, rtol=0, atol=2e-6)


def test_the_inverse_real_transform_ignores_what_cannot_be() -> None:
    X = np.ones((1, 5), np.complex64)
    X[0, 0] += 7j
    X[0, 4] -= 7j
    np.testing.assert_allclose(irfft(X, 8), np.fft.irfft(np.ones((1, 5))), atol=1e-6)


@pytest.mark.parametrize("bad", [np.zeros(8, np.float32), np.zeros((2, 8)), np.zeros((0, 8), np.float32)])
def test_real_transforms_refuse_other_arrays(bad: Any) -> None:
    with pytest.raises(KernelError, match=r"x must be float32 \[rows, n\]"):
        rfft(bad)
    with pytest.raises(KernelError, match=r"X must be complex64 \[rows, 5\]"):
        irfft(bad, 8)
