"""CUDA kernels on the CPU: their own source, compiled by g++; each thread of a block is a coroutine."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from unbraid.kernels.cuda.job import job_for, table_places, tables_of
from unbraid.kernels.cuda.source import KERNELS, source_of
from unbraid.kernels.framing import frames_of
from unbraid.kernels.windows import window_of

if TYPE_CHECKING:
    from pathlib import Path

    from unbraid.kernels.cuda.geometry import Geometry
    from unbraid.kernels.cuda.job import Job

__all__ = ["Emulated"]

#: What CUDA has and C++ has not. A barrier hands over to the next thread; so all of them reach it before any
#: goes on, as on a device. Shared memory is filled with NaN before each block.
_BEFORE = """
#include <ucontext.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __shared__
using std::max;
using std::min;
struct alignas(8) float2 { float x, y; };
struct Index { int x; };
static float2 make_float2(float x, float y) { return {x, y}; }
template <class T> T __ldg(const T* p) { return *p; }
template <class T> T __ldcs(const T* p) { return *p; }
template <class T> void __stcs(T* p, T v) { *p = v; }
template <class T> T again(const T* p) { return *p; }
static Index threadIdx, blockIdx;
static ucontext_t scheduler;
static std::vector<ucontext_t> threads;
static std::vector<char> working;
static void __syncthreads() { swapcontext(&threads[threadIdx.x], &scheduler); }
static void __syncwarp() { __syncthreads(); }
"""
_AFTER = """
alignas(16) float2 shared[1 << 15];
static void (*kernel)(const Job);
static const Job* todo;
static void work() {
    const int me = threadIdx.x;
    kernel(*todo);
    working[me] = 0;
    swapcontext(&threads[me], &scheduler);
}
static void block(std::vector<char>& stacks, size_t size) {
    const int count = threads.size();
    memset(shared, 0xff, sizeof shared);
    for (int t = 0; t < count; t++) {
        getcontext(&threads[t]);
        threads[t].uc_stack.ss_sp = &stacks[size * t];
        threads[t].uc_stack.ss_size = size;
        makecontext(&threads[t], work, 0);
        working[t] = 1;
    }
    for (bool any = true; any;) {
        any = false;
        for (int t = 0; t < count; t++) {
            if (!working[t]) continue;
            threadIdx.x = t;
            swapcontext(&scheduler, &threads[t]);
            any = any || working[t];
        }
    }
}
extern "C" void launch(int which, int blocks, const Job* job) {
    void (*kernels[])(const Job) = {%s};
    const int count = LANES * GROUPS;
    const size_t size = 1 << 16;
    std::vector<char> stacks(size * count);
    threads.resize(count);
    working.assign(count, 0);
    kernel = kernels[which];
    todo = job;
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) block(stacks, size);
}
"""


class Emulated:
    """Kernels of one geometry on the CPU.

    Args:
        geometry: what they are made for.
        folder: where they are compiled.
    """

    def __init__(self, geometry: Geometry, folder: Path) -> None:
        self.geometry = geometry
        self._launch = _library(geometry, folder).launch

    def stft(self, x: Any, window: str, framing: str, pairs: int) -> Any:
        frames, job, kept = self._job(x.shape, window, framing)
        out = np.full((len(x), frames.count, self.geometry.n_fft // 2 + 1), np.nan, np.complex64)
        job.x, job.transformed = x.ctypes.data, out.ctypes.data
        self._run("analysis", job, -(-frames.count // 2), pairs)
        del kept
        return out

    def istft(self, X: Any, length: int, window: str, framing: str, pairs: int) -> Any:
        frames, job, kept = self._job((len(X), length), window, framing)
        out = np.full((len(X), length), np.nan, np.float32)
        job.spectra, job.out = X.ctypes.data, out.ctypes.data
        self._run("synthesis", job, self._hops(frames), pairs)
        del kept
        return out

    def roundtrip(self, kernel: str, x: Any, masks: Any, window: str, framing: str, pairs: int) -> Any:
        frames, job, kept = self._job(x.shape, window, framing)
        out = np.full((len(masks), *x.shape), np.nan, np.float32)
        job.x, job.masks, job.out, job.stems = x.ctypes.data, masks.ctypes.data, out.ctypes.data, len(masks)
        job.mask_stem, job.out_stem = masks[0].size, x.size
        self._run(kernel, job, self._hops(frames), pairs)
        del kept
        return out

    def _job(self, shape: tuple[int, ...], window: str, framing: str) -> tuple[Any, Job, Any]:
        channels, samples = shape
        values = window_of(window, self.geometry.n_fft)
        frames = frames_of(framing, samples, self.geometry.n_fft, self.geometry.hop, values)
        tables = tables_of(self.geometry, values, dual=True)
        return frames, job_for(frames, channels, table_places(self.geometry, tables.ctypes.data)), tables

    def _hops(self, frames: Any) -> int:
        return int(-(-(frames.samples - frames.start) // (2 * self.geometry.hop)))

    def _run(self, kernel: str, job: Job, total: int, pairs: int) -> None:
        job.pairs, job.stretches = pairs, -(-total // pairs)
        blocks = -(-job.stretches * job.channels // self.geometry.groups)
        self._launch(KERNELS.index(kernel), blocks, ctypes.byref(job))


@cache
def _library(geometry: Geometry, folder: Path) -> ctypes.CDLL:
    source = source_of(geometry)
    begin = source.index("__device__ __forceinline__ float again(")
    source = source[:begin] + source[source.index("__device__ __forceinline__ void transform(") :]
    source = source.replace("extern __shared__", "extern")
    name = hashlib.sha256(repr(geometry).encode()).hexdigest()[:16]
    written, built = folder / f"{name}.cpp", folder / f"{name}.so"
    written.write_text(_BEFORE + source + _AFTER % ", ".join(KERNELS), encoding="utf-8")
    flags = ("-std=c++17", "-O1", "-fno-strict-aliasing", "-w", "-shared", "-fPIC")
    subprocess.run(["g++", *flags, "-o", built, written], check=True, timeout=120)
    return ctypes.CDLL(str(built))
