"""Kernels for CUDA devices: compiled for several, run on the CPU thread by thread, and on a device."""

from __future__ import annotations

import shutil
import time
from typing import Any

import numpy as np
import pytest

from cuda_rig import Emulated
from unbraid.kernels import istft, masked_roundtrip, stft
from unbraid.kernels.cuda.arrays import place_of
from unbraid.kernels.cuda.codelets import codelet, twiddle_exponents
from unbraid.kernels.cuda.compiler import compiled, cubin
from unbraid.kernels.cuda.errors import CudaError
from unbraid.kernels.cuda.geometry import Geometry, geometry_of
from unbraid.kernels.cuda.libraries import nvrtc_library
from unbraid.kernels.cuda.plans import cut
from unbraid.kernels.cuda.source import KERNELS, source_of
from unbraid.kernels.errors import KernelError
from unbraid.kernels.framing import frames_of
from unbraid.kernels.reference import spectra as reference
from unbraid.kernels.windows import window_of

#: Frame length and hop: every power of two; other lengths; hops by which frames slide and by which not.
COMMON = [(256, 64), (512, 128), (1024, 256), (2048, 512), (4096, 1024), (8192, 2048)]
OTHER = [(32, 8), (112, 30), (480, 160), (480, 240), (960, 480), (960, 300), (2048, 441), (1024, 1024)]


def noise(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def error(got: Any, want: Any) -> float:
    """Return the greatest error relative to the greatest value; NaN if one is left."""
    return float(np.abs(got - want).max() / np.abs(want).max())


def device() -> Any:
    """Return torch if it finds a CUDA device; skip otherwise."""
    torch = pytest.importorskip("torch", reason="needs a CUDA device and torch built for it")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device and torch built for it")
    return torch


# Compiled, without a device


def needs_compiler() -> None:
    try:
        nvrtc_library()
    except CudaError as missing:
        pytest.skip(str(missing))


#: The others take a minute to compile: python -m pytest -m soak tests/test_kernels_cuda.py
_SEEN = {(480, 240), (512, 128), (2048, 512), (8192, 2048)}


@pytest.mark.parametrize(
    ("n_fft", "hop"),
    [
        pytest.param(*each, marks=() if each in _SEEN else pytest.mark.soak)
        for each in [*COMMON, (480, 240), (960, 480), (2048, 441)]
    ],
)
def test_every_geometry_compiles_and_its_values_stay_in_registers(n_fft: int, hop: int) -> None:
    needs_compiler()
    geometry = geometry_of(n_fft, hop)
    source = (
        f"{source_of(geometry)}\n// {time.time_ns()}\n"  # NVRTC tells nothing of what it has in its cache
    )
    code, reports = compiled(source, "sm_90")
    assert code.startswith(b"\x7fELF")
    assert {report.kernel for report in reports} == set(KERNELS)
    for report in reports:  # the one for many stems lacks a few registers at some lengths
        assert report.spilled <= (48 if report.kernel == "roundtrips" else 0), report
        blocks = geometry.blocks_of_many if report.kernel == "roundtrips" else geometry.blocks
        assert blocks * geometry.threads * report.registers <= 65536, report


@pytest.mark.parametrize("architecture", ["sm_80", "sm_100"])
def test_other_generations_are_compiled_for_too(architecture: str) -> None:
    needs_compiler()
    source = f"{source_of(geometry_of(2048, 512))}\n// {time.time_ns()}\n"
    _, reports = compiled(source, architecture)
    assert len(reports) == len(KERNELS)
    for report in reports:  # on sm_80 the one for many stems lacks a few registers
        assert report.spilled <= (64 if report.kernel == "roundtrips" else 0), report


def test_machine_code_is_kept_and_a_changed_source_is_compiled_again(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs_compiler()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    source = 'extern "C" __global__ void nothing() {}'
    first = cubin(source, "sm_90")
    (kept,) = tmp_path.rglob("*.cubin")
    assert cubin(source, "sm_90") == first
    kept.write_bytes(b"damaged")
    assert cubin(source, "sm_90")[:4] == b"\x7fELF"
    cubin(f"{source}\n", "sm_90")
    assert len([*tmp_path.rglob("*.cubin")]) == 2


def test_what_the_compiler_says_is_in_the_error() -> None:
    needs_compiler()
    with pytest.raises(CudaError, match=r"did not compile for sm_90: .*error"):
        compiled("__global__ void broken() { nothing(); }", "sm_90")


# On the CPU, thread by thread


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    if shutil.which("g++") is None:
        pytest.skip("needs g++, to run the kernels' source on the CPU: apt-get install g++")
    return tmp_path_factory.mktemp("cuda")


CASES = [
    *((n, hop, "centered") for n, hop in [*COMMON[:4], *OTHER]),
    *((512, 128, framing) for framing in ("centered-zeros", "scipy", "stream")),
]


@pytest.mark.parametrize(("n_fft", "hop", "framing"), CASES)
def test_thread_by_thread_they_are_the_definition(n_fft: int, hop: int, framing: str, folder: Any) -> None:
    name = "boxcar" if hop == n_fft else "hann"
    window, emulated = window_of(name, n_fft), Emulated(geometry_of(n_fft, hop), folder)
    x = noise(2, 5 * n_fft + 37)
    frames = frames_of(framing, x.shape[1], n_fft, hop, window)
    X = reference.stft(x, window, frames)
    assert error(emulated.stft(x, name, framing, 3), X) < 1e-6
    masks = np.random.default_rng(1).random((2, *X.shape), np.float32)
    want = reference.masked_roundtrip(x, masks, window, frames)
    many = emulated.roundtrip("roundtrips", x, masks, name, framing, 2)
    assert error(many, want) < 1e-6
    X[..., 0] += 1j  # imaginary parts there are ignored
    X[..., -1] -= 1j
    back = emulated.istft(X.astype(np.complex64), x.shape[1], name, framing, 3)
    assert error(back, x) < 1e-6
    # However the work is cut, and alone or among stems: the same bits.
    for pairs in (1, 1000):
        alone = emulated.roundtrip("roundtrip", x, masks[:1], name, framing, pairs)
        np.testing.assert_array_equal(alone[0], many[0])


# What is chosen


def test_lengths_without_kernels_are_refused_with_those_that_have() -> None:
    for n_fft in (16, 441, 600, 8192 + 16, 16 * 11):
        with pytest.raises(KernelError, match=rf"n_fft {n_fft} has no CUDA kernel; multiples of 16 from 32"):
            geometry_of(n_fft, n_fft // 4)
    for n_fft in range(32, 2049, 16):
        odd = n_fft
        for prime in (2, 3, 5, 7):
            while odd % prime == 0:
                odd //= prime
        if odd == 1:
            geometry = geometry_of(n_fft, n_fft // 4)
            assert np.prod(geometry.radices) == n_fft
            assert geometry.threads <= 1024


@pytest.mark.parametrize(("n_fft", "hop"), [*COMMON, *OTHER])
def test_every_value_has_its_own_place(n_fft: int, hop: int) -> None:
    geometry = geometry_of(n_fft, hop)
    room = geometry.stride * (n_fft // geometry.radices[0])
    for stage, radix in enumerate(geometry.radices):
        above = int(np.prod(geometry.radices[stage + 1 :]))
        step = 1 if stage == 0 else geometry.stride * above
        places = [geometry.place(stage, u) + i * step for u in range(n_fft // radix) for i in range(radix)]
        assert len(set(places)) == n_fft
        assert 0 <= min(places) < max(places) < room


def test_a_cut_covers_every_pair_and_fills_the_device() -> None:
    for pairs in (1, 2, 7, 100, 2814):
        for channels in (1, 2, 16, 4096):
            stretches, length = cut(pairs, channels, 528, 2)
            assert (stretches - 1) * length < pairs <= stretches * length
    assert cut(2814, 2, 528, 2)[0] * 2 > 500


def test_small_transforms_are_written_without_loops() -> None:
    assert "for (" not in codelet(16, inverse=False)
    assert len(twiddle_exponents(16)) == 8
    assert len(twiddle_exponents(15)) == 14


# Arguments, without a device


def test_tensors_on_the_cpu_are_told_where_to_go() -> None:
    torch = pytest.importorskip("torch", reason="needs torch")
    x = torch.zeros(2, 4800)
    with pytest.raises(
        KernelError, match=r"x is a torch tensor on cpu; move it with \.cuda\(\), or \.numpy\(\)"
    ):
        stft(x)
    with pytest.raises(KernelError, match="X is a torch tensor on cpu"):
        istft(x)
    with pytest.raises(KernelError, match="x is a torch tensor on cpu"):
        masked_roundtrip(x, x)
    with pytest.raises(KernelError, match="width is for NumPy arrays"):
        stft(x, width=8)


def test_arrays_of_others_are_refused_by_type() -> None:
    class Foreign:
        __cuda_array_interface__ = None

    foreign: Any = Foreign()
    with pytest.raises(KernelError, match=r"x must be a torch tensor or a CuPy array .* not Foreign"):
        stft(foreign)
    with pytest.raises(KernelError, match="a torch tensor or a CuPy array"):
        place_of("x", np.zeros(3))


# On a device


def outcome(call: Any, *arguments: Any, **named: Any) -> Any:
    """Return what a call returns, or what its refusal says."""
    try:
        return call(*arguments, **named)
    except KernelError as refused:
        return str(refused)


def on_device(torch: Any, *arrays: Any) -> Any:
    return [torch.from_numpy(array).cuda() for array in arrays]


@pytest.mark.parametrize(("n_fft", "hop"), [*COMMON, *OTHER])
@pytest.mark.parametrize(("channels", "stems"), [(1, 1), (2, 4), (3, 2)])
def test_on_a_device_they_are_the_definition(n_fft: int, hop: int, channels: int, stems: int) -> None:
    torch, name = device(), "boxcar" if hop == n_fft else "hann"
    x, window = noise(channels, 9 * n_fft + 37, seed=n_fft), window_of(name, n_fft)
    frames = frames_of("centered", x.shape[1], n_fft, hop, window)
    masks = np.random.default_rng(1).random((stems, channels, frames.count, n_fft // 2 + 1), np.float32)
    X = reference.stft(x, window, frames)
    want = reference.masked_roundtrip(x, masks, window, frames)
    here, masks_there = on_device(torch, x, masks)
    poisoned = torch.full(X.shape, torch.nan, dtype=torch.complex64, device="cuda")
    spectra = stft(here, n_fft, hop, name, out=poisoned)
    assert spectra is poisoned
    assert error(spectra.cpu().numpy(), X) < 1e-6
    back = torch.full(x.shape, torch.nan, device="cuda")
    istft(spectra, n_fft, hop, name, length=x.shape[1], out=back)
    assert error(back.cpu().numpy(), x) < 1e-6
    out = torch.full((stems, *x.shape), torch.nan, device="cuda")
    masked_roundtrip(here, masks_there, n_fft, hop, name, out=out)
    assert error(out.cpu().numpy(), want) < 1e-6
    alone = masked_roundtrip(here, masks_there[0], n_fft, hop, name)
    assert alone.shape == x.shape
    assert error(alone.cpu().numpy(), want[0]) < 1e-6


@pytest.mark.parametrize("framing", ["centered", "centered-zeros", "inside", "scipy", "stream"])
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "root_hann", "vorbis", "array"])
def test_on_a_device_framings_and_windows_are_those_of_numpy(framing: Any, name: str) -> None:
    torch = device()
    window: Any = np.random.default_rng(0).uniform(0.2, 1, 512) if name == "array" else name
    for samples in (513, 4000, 5120):
        x = noise(2, samples)
        (there,) = on_device(torch, x)
        X = stft(x, 512, 128, window, framing=framing)
        got = stft(there, 512, 128, window, framing=framing)
        assert error(got.cpu().numpy(), X) < 1e-6
        call = {"window": window, "framing": framing, "length": samples}
        want, back = outcome(istft, X, 512, 128, **call), outcome(istft, got, 512, 128, **call)
        if isinstance(want, str):
            assert back == want
        else:  # at the very ends of framing "inside" what is small is divided by what is small
            assert error(back.cpu().numpy(), want) < (1e-6 if framing != "inside" else 1e-4)


def test_on_a_device_ten_runs_have_the_same_bits_in_any_batch() -> None:
    torch = device()
    for n_fft in (512, 2048, 4096):
        x, masks = (
            noise(2, 300_000),
            np.random.default_rng(1).random((2, 1 + 300_000 // (n_fft // 4), n_fft // 2 + 1)),
        )
        there, masks_there = on_device(torch, x, masks.astype(np.float32))
        first = masked_roundtrip(there, masks_there, n_fft, n_fft // 4)
        for _ in range(10):
            assert torch.equal(masked_roundtrip(there, masks_there, n_fft, n_fft // 4), first)
        batch = masked_roundtrip(there.repeat(9, 1), masks_there.repeat(9, 1, 1), n_fft, n_fft // 4)
        assert torch.equal(batch, first.repeat(9, 1))


def test_on_a_device_work_goes_to_the_current_stream() -> None:
    torch = device()
    x, n_fft = noise(2, 2_000_000), 2048
    (there,) = on_device(torch, x)
    want = stft(there, n_fft)
    stream, late = torch.cuda.Stream(), torch.zeros_like(there)
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)  # what is put on another stream would find zeros
        late.copy_(there)
        got = stft(late, n_fft)
    stream.synchronize()
    assert torch.equal(got, want)


def test_on_a_device_a_graph_of_calls_replays() -> None:
    torch = device()
    (there,) = on_device(torch, noise(2, 100_000))
    masks, out = torch.rand(2, 196, 1025, device="cuda"), torch.empty_like(there)
    masked_roundtrip(there, masks, out=out)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        masked_roundtrip(there, masks, out=out)
    there.normal_()
    graph.replay()
    assert torch.equal(out, masked_roundtrip(there, masks))


def test_on_a_device_cupy_arrays_come_back_as_cupy_arrays() -> None:
    torch = device()
    cupy = pytest.importorskip("cupy", reason="needs CuPy")
    x = noise(2, 48_000)
    (there,) = on_device(torch, x)
    want = stft(there, 1024, 256)
    with cupy.cuda.Stream():
        spectra = stft(cupy.asarray(x), 1024, 256)
        back = istft(spectra, 1024, 256, length=48_000)
        masked = masked_roundtrip(cupy.asarray(x), cupy.ones((2, 188, 513), cupy.float32), 1024, 256)
    assert {type(array) for array in (spectra, back, masked)} == {cupy.ndarray}
    np.testing.assert_array_equal(cupy.asnumpy(spectra), want.cpu().numpy())
    assert error(cupy.asnumpy(back), x) < 1e-6
    assert error(cupy.asnumpy(masked), x) < 1e-6
    with pytest.raises(KernelError, match=r"masks is torch's on device 0, but x is cupy's"):
        masked_roundtrip(cupy.asarray(x), torch.ones(2, 188, 513, device="cuda"), 1024, 256)


def test_on_a_device_what_cannot_be_is_refused_and_nothing_is_copied() -> None:
    torch = device()
    x, masks = torch.zeros(2, 48_000, device="cuda"), torch.ones(2, 94, 1025, device="cuda")
    refused: list[tuple[str, Any]] = [
        (r"x must be float32 \[channels, samples\], not float64", lambda: stft(x.double())),
        (r"x must be float32 \[channels, samples\], not float32 \[48000\]", lambda: stft(x[0])),
        (r"x must be contiguous; use \.contiguous\(\)", lambda: stft(x[:, ::2])),
        (r"masks is a torch tensor on cpu", lambda: masked_roundtrip(x, masks.cpu())),
        (r"masks must be a torch tensor", lambda: masked_roundtrip(x, masks.cpu().numpy())),
        (
            r"masks must be float32 \[2, 94, 1025\], not float32 \[2, 93",
            lambda: masked_roundtrip(x, masks[:, 1:]),
        ),
        (r"masks must be float32 .* not complex64", lambda: masked_roundtrip(x, masks.to(torch.complex64))),
        (r"out must be float32 \[2, 48000\]", lambda: masked_roundtrip(x, masks, out=x[:1].clone())),
        (r"out shares memory with an input", lambda: masked_roundtrip(x, masks, out=x)),
        (r"X has 94 frames, but", lambda: istft(stft(x), length=9)),
        (r"X must be complex64", lambda: istft(x[None])),
        (r"requires a gradient.*use \.detach\(\)", lambda: stft(x.clone().requires_grad_())),
        (r"use \.resolve_conj\(\)", lambda: istft(stft(x).conj())),
        (r"has no CUDA kernel", lambda: stft(x, 441, 100)),
        (
            r"window must be a name or a NumPy array",
            lambda: stft(x, 2048, 512, torch.ones(2048, device="cuda")),
        ),
        (r"leaves samples without weight", lambda: masked_roundtrip(x, masks, 2048, 2048)),
        (r"too few to be mirrored", lambda: stft(x[:, :1000].contiguous())),
    ]
    for said, call in refused:
        with pytest.raises(KernelError, match=said):
            call()


def test_on_a_device_more_stems_than_shared_memory_holds_are_done_in_parts() -> None:
    torch = device()
    x = torch.randn(1, 30_000, device="cuda")
    masks = torch.rand(23, 1, 1 + 30_000 // 1024, 2049, device="cuda")
    got = masked_roundtrip(x, masks, 4096, 1024)
    for stem in (0, 11, 22):
        assert torch.equal(got[stem], masked_roundtrip(x, masks[stem], 4096, 1024))


def test_on_a_device_geometries_are_told_apart() -> None:
    assert geometry_of(2048, 512) == Geometry(2048, 512, (16, 16, 8))
