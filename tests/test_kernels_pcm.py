"""PCM kernels: bytes of files to planar float32 and back, against NumPy's own reading of the bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.kernels.pcm import ENCODINGS, decode, encoded

INTEGERS = {"s16le": 16, "s24le": 24, "s32le": 32}


def by_numpy(raw: npt.NDArray[np.uint8], encoding: str) -> npt.NDArray[np.float64]:
    """The samples of interleaved bytes, at full precision."""
    if encoding == "u8":
        return (raw.astype(float) - 128) / 128
    if encoding == "s24le":
        wide = np.zeros((len(raw) // 3, 4), np.uint8)
        wide[:, 1:] = raw.reshape(-1, 3)
        return wide.view("<i4")[:, 0] / 2.0**31
    kind = {"s16le": "<i2", "s32le": "<i4", "f32le": "<f4", "f64le": "<f8"}[encoding]
    values: npt.NDArray[Any] = raw.view(kind).astype(float)
    return values / 2.0 ** (INTEGERS[encoding] - 1) if encoding in INTEGERS else values


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(channels=st.integers(1, 9), samples=st.integers(0, 70), seed=st.integers(0, 99))
def test_decode_is_what_numpy_reads(encoding: str, channels: int, samples: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    if encoding.startswith("f"):
        values = random.standard_normal(channels * samples).astype("<f4" if encoding == "f32le" else "<f8")
        raw = values.view(np.uint8)
    else:
        raw = random.integers(0, 256, channels * samples * ENCODINGS[encoding]).astype(np.uint8)
    out = np.empty((channels, samples + 3), np.float32)[:, 1 : samples + 1]  # rows of a longer block
    decode(raw, encoding, out)
    expected = by_numpy(raw, encoding).astype(np.float32).reshape(samples, channels).T
    np.testing.assert_array_equal(out, expected)


def test_what_is_no_number_stays_none() -> None:
    raw = np.array([np.nan, np.inf, -np.inf, -0.0], "<f4").view(np.uint8)
    out = np.empty((2, 2), np.float32)
    decode(raw, "f32le", out)
    np.testing.assert_array_equal(out, np.array([[np.nan, -np.inf], [np.inf, -0.0]], np.float32))
    assert np.signbit(out[1, 1])


@pytest.mark.parametrize(("encoding", "bits"), INTEGERS.items())
@given(values=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=70))
def test_encoded_and_numpy_agree(encoding: str, bits: int, values: list[int]) -> None:
    upper = np.array(values, np.int64) >> (32 - bits) << (32 - bits)
    raw = encoded(upper.astype(np.int32)[:, None], bits)
    assert len(raw) == len(values) * bits // 8
    np.testing.assert_array_equal(by_numpy(raw, encoding) * 2.0**31, upper.astype(float))


@pytest.mark.parametrize(
    ("raw", "encoding", "shape"),
    [
        (np.zeros(7, np.uint8), "s16le", (2, 2)),
        (np.zeros(8, np.int8), "s16le", (2, 2)),
        (np.zeros(16, np.uint8)[::2], "s16le", (2, 2)),
    ],
    ids=["too few bytes", "not bytes", "bytes apart"],
)
def test_bytes_that_do_not_fit_are_refused(raw: Any, encoding: str, shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="bytes"):
        decode(raw, encoding, np.empty(shape, np.float32))


def test_samples_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="side by side"):
        decode(np.zeros(8, np.uint8), "s16le", np.empty((2, 4), np.float32)[:, ::2])


def test_bits_that_no_file_has_are_refused() -> None:
    with pytest.raises(ValueError, match="16, 24 or 32"):
        encoded(np.zeros((1, 1), np.int32), 20)
