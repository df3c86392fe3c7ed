"""A ring between two threads: nothing lost, doubled or reordered, and the memory order it promises."""

from __future__ import annotations

import ctypes
import re
import threading
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unbraid.kernels.errors import KernelError
from unbraid.kernels.machine import row_addresses
from unbraid.kernels.ring import Ring

Function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def counted(first: int, n: int, channels: int = 2) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Frames that tell their number: exact in float32, another in each channel."""
    numbers = (first + np.arange(n)) % (1 << 23)
    return np.stack([(c + 1) * 0.5 * numbers for c in range(channels)]).astype(np.float32)


@given(
    capacity=st.sampled_from([1, 2, 8, 64]),
    channels=st.integers(1, 3),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=40),
)
def test_a_ring_is_a_queue_that_takes_and_gives_what_it_can(capacity: int, channels: int, steps: Any) -> None:
    ring, written, read = Ring(channels, capacity), 0, 0
    for writes, n in steps:
        if writes:
            took = ring.write(counted(written, n, channels))
            assert took == min(n, capacity - (written - read))
            written += took
        else:
            out = np.full((channels, n), np.nan, np.float32)
            gave = ring.read(out)
            assert gave == min(n, written - read)
            np.testing.assert_array_equal(out[:, :gave], counted(read, gave, channels))
            assert np.isnan(out[:, gave:]).all()
            read += gave
        assert len(ring) == written - read


def test_frames_cross_the_end_of_the_memory_whole() -> None:
    ring, out = Ring(2, 8), np.empty((2, 8), np.float32)
    assert ring.write(counted(0, 6)) == 6
    assert ring.read(out[:, :5]) == 5
    assert ring.write(counted(6, 7)) == 7
    assert ring.write(counted(13, 1)) == 0
    assert ring.read(out) == 8
    np.testing.assert_array_equal(out, counted(5, 8))
    assert ring.read(out) == 0


def hammer(ring: Ring, write: Any, read: Any, frames: int) -> None:
    """Write on one thread and read on another, blocks of random lengths; check every frame."""
    failures: list[str] = []

    def producer() -> None:
        random, at, blocks = np.random.default_rng(1), 0, counted(0, frames)
        while at < frames and not failures:
            n = min(int(random.integers(1, 3 * ring.capacity // 2)), frames - at)
            at += write(blocks[:, at : at + n])

    def consumer() -> None:
        random, at, want = np.random.default_rng(2), 0, counted(0, frames)
        out = np.empty((2, 2 * ring.capacity), np.float32)
        while at < frames:
            n = int(random.integers(1, out.shape[1]))
            got = read(out[:, :n])
            if not np.array_equal(out[:, :got], want[:, at : at + got]):
                failures.append(f"frames {at} to {at + got} are not those written")
                return
            at += got

    threads = [threading.Thread(target=work, daemon=True) for work in (producer, consumer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a side waits for ever: a frame was lost"
    assert failures == []
    assert len(ring) == 0


@pytest.mark.parametrize(("capacity", "frames"), [(16, 2_000), (1024, 100_000), (1 << 16, 500_000)])
def test_two_threads_lose_double_and_reorder_nothing(capacity: int, frames: int) -> None:
    ring = Ring(2, capacity)
    hammer(ring, ring.write, ring.read, frames)


def compiled_sides() -> tuple[Any, Any]:
    """Both sides as machine code without a pause between calls; each returns the frame it gave up at."""
    from numba import int64, njit

    from unbraid.kernels.code import ring as code
    from unbraid.kernels.code.memory import f32, i64

    put, take = (njit(nogil=True, error_model="numpy")(body) for body in (code.write, code.read))
    signature: Any = int64(int64, int64, int64, int64, int64)

    compiled: Any = njit(signature, nogil=True)

    @compiled  # type: ignore[untyped-decorator]
    def produce(ring: Any, rows: Any, longest: Any, frames: Any, stop: Any) -> Any:
        left, right, at, seed = f32(i64(rows, 2)[0], longest), f32(i64(rows, 2)[1], longest), 0, 1
        while at < frames and code.load_acquire(stop) == 0:
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
            n = min(1 + (seed >> 8) % longest, frames - at)
            for i in range(n):
                left[i] = (at + i) & 0x7FFFFF
                right[i] = -left[i]
            at += put(ring, rows, n)
        return at

    @compiled  # type: ignore[untyped-decorator]
    def consume(ring: Any, rows: Any, longest: Any, frames: Any, stop: Any) -> Any:
        left, right, at, seed = f32(i64(rows, 2)[0], longest), f32(i64(rows, 2)[1], longest), 0, 7
        while at < frames:
            seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
            n = take(ring, rows, 1 + (seed >> 8) % longest)
            for i in range(n):
                if left[i] != (at + i) & 0x7FFFFF or right[i] != -left[i]:
                    code.store_release(stop, 1)
                    return at + i
            at += n
        return at

    return produce, consume


def test_two_compiled_sides_at_full_speed_lose_double_and_reorder_nothing() -> None:
    ring, frames, longest, stop = Ring(2, 256), 5_000_000, 300, np.zeros(1, np.int64)
    reached: dict[int, int] = {}

    def work(k: int, side: Any) -> None:
        block = np.zeros((2, longest), np.float32)
        rows = row_addresses([block])
        reached[k] = side(ring.address, rows.ctypes.data, longest, frames, stop.ctypes.data)

    threads = [
        threading.Thread(target=work, args=(k, side), daemon=True) for k, side in enumerate(compiled_sides())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert reached == {0: frames, 1: frames}


def test_compiled_code_calls_the_same_ring_by_address() -> None:
    ring = Ring(2, 256)
    put, take = Function(ring.write_function), Function(ring.read_function)

    def write(block: Any) -> int:
        rows = row_addresses([block])
        return int(put(ring.address, rows.ctypes.data, block.shape[1]))

    def read(out: Any) -> int:
        rows = row_addresses([out])
        return int(take(ring.address, rows.ctypes.data, out.shape[1]))

    hammer(ring, write, read, 20_000)
    assert write(np.zeros((2, 5), np.float32)) == 5
    assert put(ring.address, row_addresses([np.zeros((2, 1), np.float32)]).ctypes.data, -3) == 0
    assert len(ring) == 5


@pytest.mark.parametrize(("name", "loads", "stores"), [("write", 1, 1), ("read", 1, 1), ("readable", 2, 0)])
def test_counts_are_loaded_with_acquire_and_stored_with_release(name: str, loads: int, stores: int) -> None:
    from numba import int64, njit

    body = getattr(import_module("unbraid.kernels.code.ring"), name)
    arguments = (int64,) * (1 if name == "readable" else 3)
    compiled: Any = njit(int64(*arguments), nogil=True, error_model="numpy")(body)
    code = compiled.inspect_llvm(compiled.signatures[0])
    assert len(re.findall(r"= load atomic i64, .* acquire, align 8", code)) == loads
    assert len(re.findall(r"store atomic i64 .* release, align 8", code)) == stores


def test_head_and_tail_have_cache_lines_of_their_own() -> None:
    ring = Ring(1, 8)
    ring.write(np.zeros((1, 5), np.float32))
    ring.read(np.zeros((1, 3), np.float32))
    words = np.ctypeslib.as_array(ctypes.cast(ring.address, ctypes.POINTER(ctypes.c_int64)), (24,))
    assert ring.address % 64 == 0
    assert (words[0], words[8]) == (5, 3)
    assert words[16:18].tolist() == [8, 1]


def test_reset_empties() -> None:
    ring = Ring(1, 8)
    ring.write(np.ones((1, 5), np.float32))
    ring.reset()
    assert len(ring) == 0
    assert ring.write(np.ones((1, 9), np.float32)) == 8


def test_any_bits_pass_as_they_are() -> None:
    bits = np.array([[0x7FC00001, 0xFF800000, 0x00000001, 0x80000000]], np.uint32)
    ring, out = Ring(1, 4), np.empty((1, 4), np.float32)
    ring.write(bits.view(np.float32))
    ring.read(out)
    np.testing.assert_array_equal(out.view(np.uint32), bits)


def test_rows_may_stand_apart_and_backwards() -> None:
    source, ring, out = counted(0, 12, 3), Ring(2, 16), np.zeros((4, 12), np.float32)
    assert ring.write(source[::-2, 2:9]) == 7
    assert ring.read(out[1::2, 3:]) == 7
    np.testing.assert_array_equal(out[1::2, 3:10], source[::-2, 2:9])
    assert not out[::2].any()


@pytest.mark.parametrize(
    ("channels", "capacity", "says"),
    [
        (0, 8, "channels must be an integer of at least 1, not 0"),
        (1.0, 8, "channels must be an integer"),
        (2, 12, "capacity must be a power of two up to 2\\^28 frames, not 12"),
        (2, 0, "capacity must be an integer of at least 1, not 0"),
        (2, 1 << 29, "capacity must be a power of two"),
        (2, None, "capacity must be an integer"),
    ],
)
def test_a_ring_that_cannot_be_names_the_rule(channels: Any, capacity: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        Ring(channels, capacity)


@pytest.mark.parametrize(
    ("block", "says"),
    [
        (np.zeros((3, 4), np.float32), r"must be float32 \[2, n\], not float32 \[3, 4\]"),
        (np.zeros((2, 4)), r"must be float32 \[2, n\], not float64"),
        (np.zeros(8, np.float32), r"must be float32 \[2, n\]"),
        (np.zeros((4, 2), np.float32).T, "samples side by side, not 8 bytes apart"),
        (np.zeros((2, 8), np.float32)[:, ::-1], "samples side by side, not -4 bytes apart"),
        (np.zeros(33, np.uint8)[1:].view(np.float32).reshape(2, 4), "multiples of 4"),
        ([[0.0], [0.0]], "not list"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(block: Any, says: str) -> None:
    ring = Ring(2, 8)
    with pytest.raises(KernelError, match="block " + says if "must" in says else says):
        ring.write(block)
    with pytest.raises(KernelError, match="out " + says if "must" in says else says):
        ring.read(block)
    assert len(ring) == 0


def test_an_output_that_cannot_be_written_is_refused() -> None:
    locked = np.zeros((2, 4), np.float32)
    locked.flags.writeable = False
    with pytest.raises(KernelError, match="out must be writable"):
        Ring(2, 8).read(locked)
    assert Ring(2, 8).write(locked) == 4
