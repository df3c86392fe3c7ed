"""Streams have the bits of whole signals whatever the blocks; masks by compiled functions; no allocation."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels.errors import KernelError
from unbraid.kernels.program import CompiledCallError, Program
from unbraid.kernels.roundtrip import function_roundtrip, masked_roundtrip
from unbraid.kernels.spectra import stft
from unbraid.kernels.streaming import MaskedStream, StreamingStft

#: Frame length, hop, window: with and without vectors, few and many frames over a sample, odd hops.
GRIDS = [(64, 16, "root_hann"), (64, 63, "hamming"), (45, 10, "hann"), (512, 256, "root_hann")]
#: Lengths of blocks: none, one sample, and beyond a frame; a signal's rest comes in blocks of the last.
CUTS = st.lists(st.sampled_from((0, 1, 2)) | st.integers(0, 1400), min_size=1, max_size=12)


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def blocks(x: Any, cuts: list[int]) -> list[Any]:
    """Cut ``x [channels, n]``; what is left over comes in blocks of the last length, at least 100."""
    found: list[Any] = []
    at = 0
    while at < x.shape[1]:
        n = cuts[len(found)] if len(found) < len(cuts) else max(100, cuts[-1])
        found.append(np.ascontiguousarray(x[:, at : at + n]))
        at += n
    return found


def late(x: Any, n_fft: int) -> Any:
    """Append the silence that brings the last samples out."""
    return np.pad(x, ((0, 0), (0, n_fft - 1)))


def masks_for(X: Any, stems: int, bins: int, frames: int) -> Any:
    """Return masks ``[stems, channels, frames, bins]``, beside those of the spectra some more."""
    return np.random.default_rng(1).random((stems, len(X), X.shape[1] + frames, bins), np.float32)


def through_spectra(stream: StreamingStft, x: Any, cuts: list[int], masks: Any) -> tuple[Any, Any]:
    """Run a signal; return spectra and outputs."""
    spectra, outs, first = [], [], 0
    for block in blocks(x, cuts):
        X = stream.analyse(block)
        spectra.append(X.copy())
        out = np.empty((stream.stems, *block.shape), np.float32)
        for stem in range(stream.stems):
            stream.synthesise(stem, masks[stem][:, first : first + X.shape[1]])
            stream.pull(stem, out[stem])
        first += X.shape[1]
        assert stream.frames_done == first
        outs.append(out)
    return np.concatenate(spectra, axis=1), np.concatenate(outs, axis=2)


def through_node(stream: MaskedStream, x: Any, cuts: list[int]) -> Any:
    """Run a signal; return ``[stems, channels, samples]``."""
    outs = []
    for block in blocks(x, cuts):
        outs.append(np.empty((stream.stems, *block.shape), np.float32))
        stream.process(block, outs[-1])
    return np.concatenate(outs, axis=2)


# The bits of whole signals


@given(
    grid=st.sampled_from(GRIDS),
    channels=st.sampled_from((1, 2, 3, 5)),
    stems=st.integers(1, 2),
    samples=st.integers(1, 2000),
    cuts=CUTS,
)
@settings(max_examples=80)
def test_spectra_and_samples_are_those_of_the_whole_signal_whatever_the_blocks(
    grid: Any, channels: int, stems: int, samples: int, cuts: list[int]
) -> None:
    n_fft, hop, window = grid
    x = noise(channels, samples, seed=samples)
    X = stft(x, n_fft, hop, window, framing="stream")
    count = X.shape[1]
    masks = masks_for(X, stems, n_fft // 2 + 1, n_fft // hop + 2)  # frames go on while the last leave
    want = masked_roundtrip(x, masks[:, :, :count].copy(), n_fft, hop, window, framing="stream")
    stream = StreamingStft(channels, n_fft, hop, max(100, *cuts), stems=stems, window=window)
    for _ in range(2):  # and again after a reset
        spectra, y = through_spectra(stream, late(x, n_fft), cuts, masks)
        np.testing.assert_array_equal(spectra[:, :count], X[:, : spectra.shape[1]])
        np.testing.assert_array_equal(y[:, :, n_fft - 1 :], want)
        stream.reset()
        assert stream.frames_done == 0


@given(
    grid=st.sampled_from(GRIDS),
    channels=st.sampled_from((1, 2, 3, 5)),
    stems=st.integers(1, 2),
    samples=st.integers(1, 2000),
    cuts=CUTS,
)
@settings(max_examples=60)
def test_a_node_has_the_bits_of_the_whole_signal_whatever_the_blocks(
    grid: Any, channels: int, stems: int, samples: int, cuts: list[int]
) -> None:
    n_fft, hop, window = grid
    x = noise(channels, samples, seed=samples)
    stream = MaskedStream(channels, n_fft, hop, stems=stems, window=window)
    assert (stream.masks == 1).all()
    assert stream.latency == n_fft - 1
    stream.masks[:] = noise(*stream.masks.shape, seed=2)
    count = stft(x, n_fft, hop, window, framing="stream").shape[1]
    masks = np.repeat(stream.masks[:, :, None], count, axis=2)
    want = masked_roundtrip(x, masks, n_fft, hop, window, framing="stream")
    for _ in range(2):
        y = through_node(stream, late(x, n_fft), cuts)
        np.testing.assert_array_equal(y[:, :, stream.latency :], want)
        stream.reset()


@pytest.mark.parametrize(("n_fft", "width"), [(64, 1), (64, 4), (512, 8), (4096, 16)])
def test_streams_have_the_bits_of_the_whole_signal_at_every_width(n_fft: int, width: int) -> None:
    x, hop = noise(3, 2 * n_fft + 50), n_fft // 4
    stream = MaskedStream(3, n_fft, hop, width=width)
    y = through_node(stream, late(x, n_fft), [70])[0, :, stream.latency :]
    count = stft(x, n_fft, hop, framing="stream", width=width).shape[1]
    masks = np.ones((3, count, n_fft // 2 + 1), np.float32)
    want = masked_roundtrip(x, masks, n_fft, hop, "root_hann", framing="stream", width=width)
    np.testing.assert_array_equal(y, want)
    np.testing.assert_allclose(y, x, rtol=0, atol=1e-6)
    masks = np.ones((1, 3, 20, n_fft // 2 + 1), np.float32)
    got = through_spectra(StreamingStft(3, n_fft, hop, 100, width=width), late(x, n_fft), [70], masks)
    np.testing.assert_array_equal(got[1][0, :, stream.latency :], want)


def test_two_streams_of_one_length_know_nothing_of_each_other() -> None:
    one, other = MaskedStream(1, 64, 16), MaskedStream(1, 64, 16)
    x, y = noise(1, 500), noise(1, 500, seed=1)
    want = [through_node(one, x, [33]), through_node(other, y, [33])]
    for stream in (one, other):
        stream.reset()
    found: list[list[Any]] = [[], []]
    for a, b in zip(blocks(x, [33]), blocks(y, [33]), strict=True):
        found[0].append(through_node(one, a, [100]))
        found[1].append(through_node(other, b, [100]))
    for got, whole in zip(found, want, strict=True):
        np.testing.assert_array_equal(np.concatenate(got, axis=2), whole)


def test_blocks_and_masks_may_be_rows_of_something_larger() -> None:
    x, stream = noise(4, 300), StreamingStft(2, 64, 16, 300)
    want = stream.analyse(x[[3, 1]]).copy()
    row = noise(1, 1, 33)
    stream.synthesise(0, np.repeat(np.repeat(row, 2, axis=0), 18, axis=1))
    y = np.empty((2, 300), np.float32)
    stream.pull(0, y)
    stream.reset()
    np.testing.assert_array_equal(stream.analyse(x[3::-2]), want)
    stream.synthesise(0, np.broadcast_to(row, (2, 18, 33)))
    wide = np.empty((4, 400), np.float32)
    stream.pull(0, wide[::3, 50:350])
    np.testing.assert_array_equal(wide[::3, 50:350], y)


def test_a_node_may_write_where_it_reads() -> None:
    x = noise(2, 1000)
    want = through_node(MaskedStream(2, 64, 16), x, [1000])[0]
    MaskedStream(2, 64, 16).process(x, x)
    np.testing.assert_array_equal(x, want)


# Masks by compiled functions


@pytest.fixture(scope="module")
def functions() -> Any:
    """Compiled mask functions: a gate that remembers powers, a fade, and one that fails when told."""
    from numba import carray, cfunc  # type: ignore[attr-defined]
    from numba import types as untyped

    types: Any = untyped
    floats = types.CPointer(types.float32)
    signature = types.int32(types.voidptr, floats, floats, types.int64)

    @cfunc(signature)
    def gate(state: Any, spectra: Any, masks: Any, frame: Any) -> Any:
        size = int(carray(state, (1,), np.float32)[0])  # channels times bins
        memory = carray(state, (1 + size,), np.float32)[1:]
        x, m = carray(spectra, (2 * size,)), carray(masks, (2 * size,))
        for i in range(size):
            power = x[i] * x[i] + x[size + i] * x[size + i]
            memory[i] += np.float32(0.25) * (power - memory[i])
            m[i] = power / (power + memory[i] + np.float32(1e-9))
            m[size + i] = np.float32(1) - m[i]
        return 0

    @cfunc(signature)
    def fade(state: Any, spectra: Any, masks: Any, frame: Any) -> Any:
        size = int(carray(state, (1,), np.float32)[0])
        m = carray(masks, (size,))
        for i in range(size):
            m[i] *= np.float32(0.5)
        return 0

    @cfunc(signature)
    def fail(state: Any, spectra: Any, masks: Any, frame: Any) -> Any:
        when = carray(state, (2,), np.int64)
        return when[1] if frame == when[0] else 0

    return SimpleNamespace(gate=gate, fade=fade, fail=fail)


def gate_state(channels: int, n_fft: int) -> Any:
    state = np.zeros(1 + channels * (n_fft // 2 + 1), np.float32)
    state[0] = len(state) - 1
    return state


def gated(x: Any, n_fft: int, hop: int, cuts: list[int]) -> Any:
    """The gate in NumPy, between a stream's two halves."""
    stream = StreamingStft(len(x), n_fft, hop, max(100, *cuts), stems=2)
    memory, outs = np.zeros((len(x), stream.bins), np.float32), []
    for block in blocks(x, cuts):
        X = stream.analyse(block)
        power = X.real * X.real + X.imag * X.imag
        keep = np.empty_like(power)
        for k in range(X.shape[1]):
            memory += np.float32(0.25) * (power[:, k] - memory)
            keep[:, k] = power[:, k] / (power[:, k] + memory + np.float32(1e-9))
        out = np.empty((2, *block.shape), np.float32)
        for stem, masks in enumerate((keep, np.float32(1) - keep)):
            stream.synthesise(stem, masks)
            stream.pull(stem, out[stem])
        outs.append(out)
    return np.concatenate(outs, axis=2)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize(("n_fft", "hop"), [(64, 16), (45, 10), (512, 256)])
def test_a_compiled_gate_has_the_bits_of_the_same_gate_in_numpy(
    functions: Any, channels: int, n_fft: int, hop: int
) -> None:
    x = noise(channels, 4 * n_fft + 33)
    want = gated(late(x, n_fft), n_fft, hop, [7, 0, 1, 250])
    state = gate_state(channels, n_fft)
    call: Any = {"function": functions.gate.address, "state": state.ctypes.data, "stems": 2}
    stream = MaskedStream(channels, n_fft, hop, **call)
    np.testing.assert_array_equal(through_node(stream, late(x, n_fft), [100]), want)
    state[1:] = 0
    whole = function_roundtrip(x, n_fft=n_fft, hop=hop, window="root_hann", framing="stream", **call)
    np.testing.assert_array_equal(whole, want[:, :, n_fft - 1 :])


@given(
    lookahead=st.integers(1, 3),
    channels=st.sampled_from((1, 2, 3)),
    grid=st.sampled_from(((64, 16), (64, 32), (45, 10))),
    cuts=st.lists(st.integers(0, 200), min_size=1, max_size=6),
)
@settings(max_examples=30, deadline=None)
def test_a_function_that_looks_ahead_masks_the_frames_before_with_the_same_bits(
    functions: Any, lookahead: int, channels: int, grid: tuple[int, int], cuts: list[int]
) -> None:
    n_fft, hop = grid
    x, late = noise(channels, 500), n_fft - 1 + lookahead * hop
    fed = np.pad(x, ((0, 0), (0, late)))
    state, masks = gate_state(channels, n_fft), []
    X = StreamingStft(channels, n_fft, hop, fed.shape[1]).analyse(fed)
    power = X.real * X.real + X.imag * X.imag
    memory = np.zeros((channels, power.shape[2]), np.float32)
    for k in range(power.shape[1]):
        memory += np.float32(0.25) * (power[:, k] - memory)
        masks.append(power[:, k] / (power[:, k] + memory + np.float32(1e-9)))
    ahead = np.stack(masks[lookahead:] + masks[:lookahead], axis=1)
    _, want = through_spectra(StreamingStft(channels, n_fft, hop, 600), fed, cuts, ahead[None])
    call: Any = {"function": functions.gate.address, "state": state.ctypes.data, "stems": 2}
    stream = MaskedStream(channels, n_fft, hop, lookahead=lookahead, **call)
    assert stream.latency == late
    got = through_node(stream, fed, cuts)
    np.testing.assert_array_equal(got[0][:, late:], want[0][:, n_fft - 1 : n_fft - 1 + 500])
    spectral = StreamingStft(channels, n_fft, hop, 600, lookahead=lookahead)
    assert spectral.latency == late
    X_again, again = through_spectra(spectral, fed, cuts, np.stack(masks, axis=1)[None])
    np.testing.assert_array_equal(X_again, X)
    np.testing.assert_array_equal(again[0], got[0])
    stream.reset()
    state[1:] = 0
    np.testing.assert_array_equal(through_node(stream, fed, [97]), got)


@pytest.mark.parametrize("framing", ["centered", "centered-zeros", "scipy"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_function_finds_ones_first_and_then_its_masks_of_the_frame_before(
    functions: Any, framing: Any, channels: int
) -> None:
    x = noise(channels, 900)
    X = stft(x, 64, 16, framing=framing)
    masks = np.ones(X.shape, np.float32)
    masks *= np.float32(0.5) ** np.arange(1, X.shape[1] + 1, dtype=np.float32)[:, None]
    want = masked_roundtrip(x, masks, 64, 16, framing=framing)
    state = gate_state(channels, 64)
    out = np.empty_like(x)
    call: Any = {"n_fft": 64, "hop": 16, "state": state.ctypes.data, "framing": framing, "out": out}
    assert function_roundtrip(x, functions.fade.address, **call) is out
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("code", [7, -5])
def test_a_function_that_returns_non_zero_ends_the_work_with_its_code_and_frame(
    functions: Any, code: int
) -> None:
    x, when = noise(2, 300), np.array([3, code])
    call: Any = {"function": functions.fail.address, "state": when.ctypes.data}
    stream, out = MaskedStream(2, 64, 16, **call), np.empty((2, 300), np.float32)
    with pytest.raises(KernelError, match=f"the mask function returned {code} at frame 3"):
        stream.process(x, out)
    with pytest.raises(KernelError, match=f"the mask function returned {code} at frame 3"):
        function_roundtrip(x, n_fft=64, hop=16, out=np.full_like(x, np.float32(3e38)), **call)
    node = SimpleNamespace(address=stream.function, state=stream.address)
    stream.reset()
    with pytest.raises(CompiledCallError) as failure:
        Program([(node, [x], [out])]).run(300)
    assert (failure.value.row, failure.value.code) == (0, code)
    stream.reset()
    when[0] = -1
    stream.process(x, out)
    np.testing.assert_array_equal(out, through_node(MaskedStream(2, 64, 16), x, [300])[0])


def test_a_node_in_a_program_has_the_same_bits(functions: Any) -> None:
    x, state = noise(3, 1000), gate_state(3, 64)
    call: Any = {"function": functions.gate.address, "state": state.ctypes.data, "stems": 2}
    want = through_node(MaskedStream(3, 64, 16, **call), x, [1000])
    state[1:] = 0
    stream = MaskedStream(3, 64, 16, **call)
    node = SimpleNamespace(address=stream.function, state=stream.address)
    block, outs = np.empty((3, 100), np.float32), [np.empty((3, 100), np.float32) for _ in range(2)]
    program, found = Program([(node, [block], outs)]), []
    for at in range(0, 1000, 100):
        block[:] = x[:, at : at + 100]
        program.run(100)
        found.append(np.stack(outs))
    np.testing.assert_array_equal(np.concatenate(found, axis=2), want)


# What is not finite, silence, memory


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_stream_recovers_when_the_frames_with_a_bad_sample_have_left(bad: float) -> None:
    x, n_fft, hop, at = noise(4, 900), 64, 16, 301
    want = through_node(MaskedStream(4, n_fft, hop), x, [50])[0]
    x[2, at] = bad
    y = through_node(MaskedStream(4, n_fft, hop), x, [50])[0]
    first, last = at // hop, (at + n_fft) // hop - 1  # the frames that hold it
    touched = slice((first + 1) * hop - n_fft, (last + 1) * hop)
    spoilt = np.zeros(900, bool)
    spoilt[touched.start + n_fft - 1 : touched.stop + n_fft - 1] = True
    assert not np.isfinite(y[2, spoilt]).any()
    np.testing.assert_array_equal(y[2:, ~spoilt], want[2:, ~spoilt])
    np.testing.assert_array_equal(y[:2], want[:2])


def test_silence_in_is_exact_silence_out() -> None:
    for n_fft, hop, window in GRIDS:
        stream = MaskedStream(3, n_fft, hop, stems=2, window=window)
        assert not through_node(stream, np.zeros((3, 3 * n_fft), np.float32), [90]).any()


@pytest.mark.parametrize("samples", [1, 16, 40, 500])
def test_no_call_allocates_and_ten_thousand_leave_nothing_behind(samples: int) -> None:
    x, out = noise(2, samples), np.empty((2, samples), np.float32)
    stream, node = StreamingStft(2, 64, 16, 500), MaskedStream(2, 64, 16)
    masks = np.ones((2, 500 // 16 + 1, 33), np.float32)

    def call() -> None:
        count = stream.analyse(x).shape[1]
        stream.synthesise(0, masks[:, :count])
        stream.pull(0, out)
        node.process(x, out)

    for _ in range(100):
        call()
    left, highest = [], []
    tracemalloc.start()
    try:
        call()
        for _ in range(4):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            for _ in range(2500 if samples == 40 else 250):
                call()
            after, peak = tracemalloc.get_traced_memory()
            left.append(after - before)
            highest.append(peak - before)
    finally:
        tracemalloc.stop()
    # The least of four: what calls leave behind is left every time, what the test runner's own threads
    # allocate meanwhile is not.
    assert min(left) < 1024
    assert min(highest) < 3072  # views and arguments, as many whatever the block


# Refusals

LOCKED = np.zeros((2, 300), np.float32)
LOCKED.flags.writeable = False


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: StreamingStft(0, 64, 16, 100), "channels must be an integer of at least 1, not 0"),
        (lambda: StreamingStft(1.5, 64, 16, 100), "channels must be an integer of at least 1, not 1.5"),  # type: ignore[arg-type]
        (lambda: StreamingStft(1, 64, 16, 0), "max_block must be an integer of at least 1, not 0"),
        (lambda: StreamingStft(1, 64, 16, "9"), "max_block must be an integer of at least 1, not '9'"),  # type: ignore[arg-type]
        (lambda: StreamingStft(1, 64, 16, 100, stems=0), "stems must be an integer of at least 1, not 0"),
        (lambda: StreamingStft(1, 22, 16, 100), r"n_fft: length 22 is not 2\^a 3\^b 5\^c 7\^d"),
        (lambda: StreamingStft(1, 64, 0, 100), "hop must be 1 to n_fft = 64, an integer, not 0"),
        (lambda: StreamingStft(1, 64, 16.0, 100), "hop must be 1 to n_fft = 64, an integer, not 16.0"),  # type: ignore[arg-type]
        (lambda: StreamingStft(1, 64, 64, 100), "window of 64 samples with hop 64 leaves samples without"),
        (lambda: StreamingStft(1, 64, 16, 100, window="x"), "window 'x' is unknown"),
        (lambda: StreamingStft(1, 64, 16, 100, width=3), "width must be one of 16, 8, 4, 1, not 3"),
        (lambda: StreamingStft(1, 64, 16, 100, lookahead=-1), "lookahead must be an integer of at least 0"),
        (lambda: MaskedStream(0, 64, 16), "channels must be an integer of at least 1, not 0"),
        (lambda: MaskedStream(1, 64.0, 16), "n_fft must be an integer of at least 2, not 64.0"),  # type: ignore[arg-type]
        (lambda: MaskedStream(1, 64, "16"), "hop must be 1 to n_fft = 64, an integer, not '16'"),  # type: ignore[arg-type]
        (lambda: MaskedStream(1, 64, 16, stems=2.0), "stems must be an integer of at least 1, not 2.0"),  # type: ignore[arg-type]
        (lambda: MaskedStream(1, 64, 16, window=np.ones(63)), r"window must be real \[n_fft = 64\]"),
        (lambda: MaskedStream(1, 64, 16, function="gate"), "function must be an integer"),  # type: ignore[arg-type]
        (lambda: MaskedStream(1, 64, 16, function=-1), "function must be an integer of at least 0"),
        (lambda: MaskedStream(1, 64, 16, lookahead=-1), "lookahead must be an integer of at least 0"),
        (lambda: function_roundtrip(noise(1, 99), 0, 64, 16), r"function \(an address\) must be an integer"),
        (
            lambda: function_roundtrip(noise(1, 99), 1, 64, 16, stems=0),
            "stems must be an integer of at least",
        ),
        (lambda: function_roundtrip(noise(99), 1, 64, 16), r"x must be float32 \[channels, samples\], not"),
        (lambda: function_roundtrip(LOCKED, 1, 64, 16, out=LOCKED), "out .* must be writable"),
        (lambda: function_roundtrip(LOCKED, 1, 64, 16, stems=2, out=noise(2, 300)), r"out .* \[2, 2, 300\]"),
    ],
)
def test_a_stream_that_cannot_be_is_refused_by_name_and_rule(call: Any, says: str) -> None:
    with pytest.raises(KernelError, match=says):
        call()


def test_blocks_masks_and_stems_that_do_not_fit_are_refused_and_nothing_is_taken() -> None:
    stream, node = StreamingStft(2, 64, 16, 300, stems=2), MaskedStream(2, 64, 16, stems=2)
    x, out, both = noise(2, 300), np.zeros((2, 300), np.float32), np.zeros((2, 2, 300), np.float32)
    want = stream.analyse(x).copy()
    masks = np.ones(want.shape, np.float32)
    blocks: list[tuple[Any, str]] = [
        (x.tolist(), r"float32 \[.*\], not list"),
        (x.astype(np.float64), "not float64"),
        (x.astype(np.int16), "not int16"),
        (x[0], r"not float32 \[300\]"),
        (x[:1], r"not float32 \[1, 300\]"),
        (np.zeros((0, 300), np.float32), r"not float32 \[0, 300\]"),
        (np.repeat(x, 2, axis=1)[:, ::2], "side by side|C-contiguous"),
    ]
    for bad, says in blocks:
        takers: list[Any] = [stream.analyse, lambda b: node.process(b, both)]
        for call in takers:
            with pytest.raises(KernelError, match=f"^block .*({says})"):
                call(bad)
        givers: list[Any] = [lambda b: stream.pull(0, b), lambda b: node.process(x, b)]
        for call in givers:
            with pytest.raises(KernelError, match=r"^out "):
                call(bad)
    refused: list[tuple[Any, str]] = [
        (lambda: stream.analyse(noise(2, 301)), "block has 301 samples, max_block is 300"),
        (lambda: stream.pull(0, LOCKED), "out must be writable"),
        (lambda: stream.pull(0, out[:, :299]), "out must be writable with the 300 samples of the last block"),
        (lambda: stream.pull(2, out), "stem 2 is not among 0 to 1"),
        (lambda: stream.pull("0", out), "stem '0' is not among"),  # type: ignore[arg-type]
        (lambda: stream.synthesise(-1, masks), "stem -1 is not among 0 to 1"),
        (lambda: stream.synthesise(0.5, masks), "stem 0.5 is not among"),  # type: ignore[arg-type]
        (lambda: stream.synthesise(0, masks[:, 1:]), r"masks must be .* \[2, 18, 33\], not float32 \[2, 17"),
        (lambda: stream.synthesise(0, masks.astype(float)), "masks must be float32 .* not float64"),
        (lambda: stream.synthesise(0, masks.tolist()), "masks must be float32 .* not list"),  # type: ignore[arg-type]
        (lambda: stream.synthesise(0, masks[:, :, ::-1]), "masks must have the bins .* side by side"),
        (lambda: node.process(x, both[0]), r"out must be float32 \[2, 2, 300\], not float32 \[2, 300\]"),
        (lambda: node.process(x, both[:, :, :299]), r"out must be float32 \[2, 2, 300\]"),
        (lambda: node.process(x, np.broadcast_to(LOCKED, (2, 2, 300))), "out .* must be"),
    ]
    for call, says in refused:
        with pytest.raises(KernelError, match=says):
            call()
    # Nothing of all that has moved the streams on.
    stream.synthesise(1, masks)
    stream.pull(1, out)
    node.process(x, both)
    np.testing.assert_array_equal(both[1], out)
    assert stream.frames_done == want.shape[1]
