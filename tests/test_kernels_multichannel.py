"""The multichannel Wiener filter against norbert and float64; cuts, bins, silence and what is refused."""

from __future__ import annotations

import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unbraid.kernels.errors import KernelError
from unbraid.kernels.multichannel import EPS, MultichannelWiener, multichannel_wiener
from unbraid.kernels.reference import multichannel as reference
from unbraid.kernels.threads import use_threads

Array = np.ndarray[Any, np.dtype[Any]]

KINDS = st.sampled_from(["noise", "panned", "mono"])
OPTIONS = st.fixed_dictionaries(
    {"iterations": st.integers(0, 3), "use_softmask": st.booleans(), "residual": st.booleans()}
)
#: Window and overlap.
GRIDS = st.tuples(st.integers(1, 20), st.integers(0, 10)).filter(lambda g: 2 * g[1] <= g[0])


def scene(
    stems: int,
    channels: int,
    frames: int,
    bins: int,
    kind: str = "panned",
    level: float = 100.0,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Return a mixture, and magnitudes of its stems that are wrong by up to a half."""
    random = np.random.default_rng(seed)
    shape = (stems, 1, frames, bins)
    sources = (random.standard_normal(shape) + 1j * random.standard_normal(shape)) * random.gamma(
        0.3, 1, shape
    )
    spread: Any = {
        "noise": random.standard_normal((stems, channels, frames, bins)),
        "panned": random.standard_normal((stems, channels, 1, 1)),
        "mono": np.ones((stems, channels, 1, 1)),
    }[kind]
    images = sources * spread * level
    magnitudes = np.abs(images) * random.uniform(0.5, 1.5, images.shape)
    return images.sum(axis=0).astype(np.complex64), magnitudes.astype(np.float32)


def error(got: Any, want: Any) -> float:
    """Return the greatest difference within a stem, relative to that stem's peak."""
    peaks = np.abs(want).max(axis=(1, 2, 3))
    return float(max(np.abs(got - want).max(axis=(1, 2, 3)) / np.where(peaks > 0, peaks, 1)))


def cuts(frames: int, seed: int, most: int = 13) -> list[slice]:
    """Cut frames into pieces of random lengths, some of them 0."""
    random, at, found = np.random.default_rng(seed), 0, []
    while at < frames:
        found.append(slice(at, min(frames, at + int(random.integers(0, most)))))
        at = found[-1].stop
    return found


def stream(filter_: MultichannelWiener, mixture: Array, magnitudes: Array, pieces: list[slice]) -> Array:
    found = []
    for piece in pieces:
        x, v = np.ascontiguousarray(mixture[:, piece]), np.ascontiguousarray(magnitudes[:, :, piece])
        found.append(filter_.push(x, v))
    return np.concatenate([*found, filter_.finish()], axis=2)


# Parity


def formula(channels: int) -> tuple[Array, Array]:
    k = np.arange(2 * channels * 3 * 2).reshape(2, channels, 3, 2)
    stems = (np.sin(k**2) * 3 + 1j * np.cos(3 * k)) * 20
    magnitudes = np.abs(stems) * (0.7 + 0.25 * np.sin(k))
    return stems.sum(axis=0).astype(np.complex64), magnitudes.astype(np.float32)


#: Iterations, softmask, residual; then what norbert 0.2.1 makes of the formula in complex128 with eps 2^-23:
#: the last frame's bin 1, by stems and channels, for 1, 2 and 3 channels.
NORBERT: list[tuple[tuple[int, bool, bool], list[list[complex]]]] = [
    (
        (1, True, False),
        [
            [4.0997 - 1.2191j, 47.8877 - 14.2401j],
            [-7.1301 + 1.3883j, 54.9539 + 8.9j, -2.4032 - 1.7385j, 61.1623 + 10.7022j],
            [
                *(-3.4787 - 4.2071j, 5.1521 + 2.8249j, 1.2472 + 1.8983j),
                *(51.7242 + 8.8806j, 6.0701 + 8.3016j, -15.9904 + 8.1258j),
            ],
        ],
    ),
    (
        (2, False, False),
        [
            [0.3783 - 0.1125j, 51.6092 - 15.3467j],
            [-15.0447 + 21.3452j, 61.9456 - 7.0393j, 5.5114 - 21.6958j, 54.1706 + 26.6414j],
            [
                *(4.066 + 6.1599j, -3.9825 - 4.8299j, -3.6688 - 5.813j),
                *(44.1768 - 1.4849j, 15.2125 + 15.9609j, -11.0787 + 15.8436j),
            ],
        ],
    ),
    (
        (1, True, True),
        [
            [1.2758 - 0.3794j, 14.9018 - 4.4313j, 35.8096 - 10.6485j],
            [-3.9306 + 0.5224j, 9.6689 + 3.0836j, -5.6015 - 0.8727j, 8.5978 + 3.2152j, 0, 97.8496 + 13.3033j],
            [
                *(-7.8858 - 5.6879j, 8.0871 + 3.4882j, 2.8697 + 0.9929j),
                *(53.7532 + 9.1167j, 3.1348 + 7.6371j, -5.6145 + 7.0909j),
                *(2.376 + 1.2435j, 0, -12.0033 + 1.9396j),
            ],
        ],
    ),
]


@pytest.mark.parametrize(("options", "wanted"), NORBERT)
@pytest.mark.parametrize("separate", [multichannel_wiener, reference.wiener])
def test_numbers_of_norbert_come_out(options: Any, wanted: list[list[complex]], separate: Any) -> None:
    iterations, use_softmask, residual = options
    for channels, numbers in enumerate(wanted, start=1):
        x, v = formula(channels)
        got = separate(x, v, iterations=iterations, use_softmask=use_softmask, residual=residual)
        np.testing.assert_allclose(got[:, :, -1, 1].ravel(), numbers, atol=1e-4, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
@pytest.mark.parametrize("iterations", [0, 1, 2])
@pytest.mark.parametrize("use_softmask", [True, False])
@pytest.mark.parametrize("residual", [True, False])
def test_norbert_in_double_precision_agrees(
    channels: int, iterations: int, use_softmask: bool, residual: bool
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports from a namespace that SciPy retires
        norbert = pytest.importorskip("norbert")
    for kind in ("noise", "panned", "mono"):
        x, v = scene(3, channels, 30, 50, kind)
        theirs, spectrograms = x.transpose(1, 2, 0).astype(complex), v.transpose(2, 3, 1, 0)
        if residual:
            spectrograms = norbert.residual_model(spectrograms, theirs)
        want = norbert.wiener(spectrograms.astype(float), theirs, iterations, use_softmask, EPS)
        options: Any = {"iterations": iterations, "use_softmask": use_softmask, "residual": residual}
        got = multichannel_wiener(x, v, window=30, overlap=0, **options)
        assert error(got, want.transpose(3, 2, 0, 1)) < 1e-5


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 40), st.integers(1, 210)),
    kind=KINDS,
    level=st.sampled_from([1e-7, 1e-3, 1.0, 100.0, 1e4]),
    grid=GRIDS,
    options=OPTIONS,
    seed=st.integers(0, 99),
)
def test_any_shape_is_the_reference_s(
    shape: tuple[int, int, int, int], kind: str, level: float, grid: tuple[int, int], options: Any, seed: int
) -> None:
    x, v = scene(*shape, kind, level, seed)
    got = multichannel_wiener(x, v, window=grid[0], overlap=grid[1], **options)
    want = reference.wiener_in_windows(x, v, *grid, **options)
    assert got.dtype == np.complex64
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 2e-5 * np.abs(want).max() + 1e-30


@pytest.mark.parametrize("eps", [1e-12, 1e-3])
@pytest.mark.parametrize("channels", [1, 2, 16])
def test_other_regularisations_and_sixteen_channels(channels: int, eps: float) -> None:
    x, v = scene(3, channels, 30, 40, "noise")
    got, want = multichannel_wiener(x, v, eps=eps), reference.wiener(x, v, eps=eps)
    assert error(got, want) < 1e-5
    assert error(got, reference.wiener(x, v)) > 1e-5, "eps does nothing"


def test_a_panned_source_alone_comes_back_but_for_the_regularisation() -> None:
    left, right = np.float32(1.0), np.float32(-0.25)
    voice = scene(1, 1, 64, 9, "mono")[0][0]
    x = np.ascontiguousarray(np.stack([left * voice, right * voice]))
    v = np.stack([np.abs(x), np.zeros(x.shape, np.float32)])
    got = multichannel_wiener(x, v)
    assert error(got[:1], x[None]) < 2e-3
    np.testing.assert_array_equal(got[1], 0)


def test_a_faint_residual_is_norbert_s_too() -> None:
    x, v = scene(2, 2, 20, 30, level=1e-7)
    v *= np.float32(0.1)
    got = multichannel_wiener(x, v, residual=True, use_softmask=False, iterations=0)
    assert error(got, reference.wiener(x, v, residual=True, use_softmask=False, iterations=0)) < 1e-5


@pytest.mark.parametrize("channels", [2, 3])
def test_next_to_no_regularisation_blows_nothing_up_where_channels_are_alike(channels: int) -> None:
    x, v = scene(3, channels, 30, 200, "mono")
    v[:, 1:] = v[:, :1]
    for iterations in (1, 2):
        got = multichannel_wiener(x, v, eps=1e-30, iterations=iterations)
        assert np.abs(got).max() < 2 * np.abs(x).max()


def test_the_phase_of_nothing_is_zero() -> None:
    x, v = scene(2, 2, 8, 9)
    x[:, 3] = 0
    got = multichannel_wiener(x, v, use_softmask=False, iterations=0)
    np.testing.assert_array_equal(got[:, :, 3], v[:, :, 3])
    np.testing.assert_allclose(np.abs(got), v, rtol=1e-6)


# Windows


@settings(max_examples=40)
@given(
    frames=st.integers(1, 70),
    channels=st.sampled_from([1, 2, 3]),
    grid=GRIDS,
    options=OPTIONS,
    threads=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_cuts_and_threads_do_not_show_in_the_bits(
    frames: int, channels: int, grid: tuple[int, int], options: Any, threads: int, seed: int
) -> None:
    x, v = scene(2, channels, frames, 230, seed=seed)
    window, overlap = grid
    with use_threads(1):
        whole = multichannel_wiener(x, v, window=window, overlap=overlap, **options)
    with use_threads(threads):
        filter_ = MultichannelWiener(2, channels, 230, window=window, overlap=overlap, **options)
        streams = [stream(filter_, x, v, cuts(frames, seed + k)) for k in range(2)]
        several = multichannel_wiener(x, v, window=window, overlap=overlap, **options)
    for got in streams:  # the second time on the memory of the first
        np.testing.assert_array_equal(got, whole)
    np.testing.assert_array_equal(several, whole)


def test_bins_have_the_same_bits_in_any_company() -> None:
    x, v = scene(3, 2, 20, 400)
    x[0, 7, 3] = peak = np.abs(x).max() * 2  # so that both have one scale
    whole = multichannel_wiener(x, v)
    for first, last in ((0, 1), (1, 96), (95, 290), (33, 400)):
        part, magnitudes = x[:, :, first:last].copy(), v[..., first:last].copy()
        if not first <= 3 < last:
            part = np.concatenate([part, np.full((2, 20, 1), peak)], axis=2)
            magnitudes = np.concatenate([magnitudes, magnitudes[..., :1]], axis=3)
        got = multichannel_wiener(part, magnitudes)[..., : last - first]
        np.testing.assert_array_equal(got, whole[..., first:last])


def test_windows_stand_on_a_grid_whatever_follows() -> None:
    x, v = scene(2, 2, 60, 20)
    whole = multichannel_wiener(x, v, window=20, overlap=5)
    for frames in (20, 21, 36, 50):
        part = multichannel_wiener(x[:, :frames].copy(), v[:, :, :frames].copy(), window=20, overlap=5)
        alike = 15 if frames == 20 else 15 * ((frames - 6) // 15)
        np.testing.assert_array_equal(part[:, :, :alike], whole[:, :, :alike])
    alone = multichannel_wiener(x[:, 15:35].copy(), v[:, :, 15:35].copy(), window=20, overlap=5)
    np.testing.assert_array_equal(whole[:, :, 20:30], alone[:, :, 5:15])


def test_the_fade_is_linear_and_one_frame_more_than_a_window_begins_another() -> None:
    x, v = scene(2, 2, 21, 20)
    first = multichannel_wiener(x[:, :20].copy(), v[:, :, :20].copy(), window=20, overlap=4)
    second = multichannel_wiener(x[:, 16:].copy(), v[:, :, 16:].copy(), window=20, overlap=4)
    got = multichannel_wiener(x, v, window=20, overlap=4)
    way = (np.arange(4) + 0.5)[:, None] / 4
    want = (1 - way) * first[:, :, 16:] + way * second[:, :, :4]
    np.testing.assert_allclose(got[:, :, 16:20], want, atol=1e-6 * float(np.abs(want).max()), rtol=0)
    np.testing.assert_array_equal(got[:, :, 20:], second[:, :, 4:])


def test_a_stream_tells_what_it_holds_and_forgets_on_request() -> None:
    x, v = scene(2, 1, 30, 5)
    filter_ = MultichannelWiener(2, 1, 5, window=10, overlap=2)
    assert (filter_.completes(9), filter_.completes(10), filter_.completes(18)) == (0, 8, 16)
    assert filter_.push(x[:, :7].copy(), v[:, :, :7].copy()).shape == (2, 1, 0, 5)
    assert (filter_.pending, filter_.completes(3)) == (7, 8)
    filter_.reset()
    assert (filter_.pending, filter_.finish().shape) == (0, (2, 1, 0, 5))
    out = np.empty((2, 1, 24, 5), np.complex64)
    assert filter_.push(x, v, out=out) is out
    assert filter_.pending == 6
    rest = np.empty((2, 1, 6, 5), np.complex64)
    assert filter_.finish(out=rest) is rest
    whole = multichannel_wiener(x, v, window=10, overlap=2)
    np.testing.assert_array_equal(np.concatenate([out, rest], axis=2), whole)
    assert filter_.pending == 0


def test_memory_does_not_grow_with_length() -> None:
    def peak(frames: int) -> int:
        x, v = np.ones((2, frames, 64), np.complex64), np.ones((2, 2, frames, 64), np.float32)
        filter_ = MultichannelWiener(2, 2, 64, window=16, overlap=4)
        whole = np.empty((2, 2, frames, 64), np.complex64)
        finished = np.empty((2, 2, filter_.completes(frames), 64), np.complex64)
        tracemalloc.start()
        multichannel_wiener(x, v, window=16, overlap=4, out=whole)
        filter_.push(x, v, out=finished)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(40)  # loads the kernels
    # The least of three: threads of the test runner may allocate meanwhile.
    assert min(peak(4000) for _ in range(3)) < peak(400) + 10000


# Silence, extremes, NaN


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("use_softmask", [True, False])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_silence_stays_silence(channels: int, use_softmask: bool, residual: bool, iterations: int) -> None:
    options: Any = {"use_softmask": use_softmask, "residual": residual, "iterations": iterations}
    x, v = np.zeros((channels, 5, 100), np.complex64), np.zeros((2, channels, 5, 100), np.float32)
    np.testing.assert_array_equal(multichannel_wiener(x, v, **options), 0)
    if use_softmask or iterations:
        np.testing.assert_array_equal(multichannel_wiener(x, v + 1, **options), 0)
    loud, magnitudes = scene(2, channels, 5, 100)
    loud[:, 2], magnitudes[:, :, 2] = 0, 0
    got = multichannel_wiener(loud, magnitudes, **options)
    np.testing.assert_array_equal(got[:, :, 2], 0)
    assert np.isfinite(got).all()


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("level", [1e-44, 1e-30, 1e30, 1e37])
@pytest.mark.parametrize("use_softmask", [True, False])
def test_extremes_of_float32_are_filtered_like_all_else(
    channels: int, level: float, use_softmask: bool
) -> None:
    x, v = scene(2, channels, 12, 20, "noise", 1.0)
    x, v = (x * np.float64(level)).astype(np.complex64), (v * np.float64(level)).astype(np.float32)
    got = multichannel_wiener(x, v, use_softmask=use_softmask)
    assert np.isfinite(got).all()
    want = reference.wiener(x, v, use_softmask=use_softmask)
    assert np.abs(got - want).max() <= 1e-5 * np.abs(want).max() + 1e-44


def spoilt(x: Array, v: Array, where: str, bad: float) -> tuple[Array, Array]:
    x, v = x.copy(), v.copy()
    if where == "mixture":
        x[-1, 22, 100] = complex(0, bad)
    else:
        v[0, -1, 22, 100] = bad
    return x, v


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("where", ["mixture", "magnitudes"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("options", [{}, {"residual": True}, {"use_softmask": False, "iterations": 2}])
def test_nan_stays_in_its_bin_and_windows(channels: int, where: str, bad: float, options: Any) -> None:
    x, v = scene(2, channels, 50, 130)
    good = multichannel_wiener(x, v, window=20, overlap=5, **options)
    got = multichannel_wiener(*spoilt(x, v, where, bad), window=20, overlap=5, **options)
    assert not np.isfinite(got[:, :, 22, 100]).any()
    reach = np.zeros(got.shape, bool)
    reach[:, :, 15:35, 100] = True  # one window: frame 22 lies in no overlap
    np.testing.assert_array_equal(got[~reach], good[~reach])


def test_a_stream_recovers_from_nan() -> None:
    x, v = scene(2, 2, 50, 30)
    filter_ = MultichannelWiener(2, 2, 30, window=10, overlap=2)
    good = stream(filter_, x, v, cuts(50, 2))
    broken_x = x.copy()
    broken_x[:, 3, 4] = np.nan
    got = stream(filter_, broken_x, v, cuts(50, 3))
    np.testing.assert_array_equal(got[:, :, 10:], good[:, :, 10:])
    np.testing.assert_array_equal(stream(filter_, x, v, cuts(50, 4)), good)


def test_inputs_are_left_as_they_were() -> None:
    x, v = scene(2, 2, 30, 20)
    before = x.copy(), v.copy()
    x.flags.writeable = v.flags.writeable = False
    multichannel_wiener(x, v, residual=True, window=12, overlap=3)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(v, before[1])


def test_a_lone_channel_may_claim_any_stride() -> None:
    x, v = scene(3, 1, 30, 20)
    want = multichannel_wiener(x, v, window=12, overlap=4)
    odd = v.swapaxes(0, 1).copy().swapaxes(0, 1)
    out = np.zeros((1, 3, 30, 20), np.complex64).swapaxes(0, 1)
    assert odd.flags.c_contiguous
    assert odd.strides != v.strides
    np.testing.assert_array_equal(multichannel_wiener(x, odd, window=12, overlap=4, out=out), want)


# What is refused

X, V = np.ones((2, 5, 7), np.complex64), np.ones((3, 2, 5, 7), np.float32)
LOCKED = np.zeros((3, 2, 5, 7), np.complex64)
LOCKED.flags.writeable = False


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"mixture": X.astype(np.complex128)},
            r"mixture must be complex64 \[channels, frames, bins\], not complex128",
        ),
        ({"mixture": X[0]}, r"mixture must be .*, not complex64 \[5, 7\]"),
        ({"mixture": X[:, :0]}, r"mixture must be .*, not complex64 \[2, 0, 7\]"),
        ({"mixture": X[:, ::2]}, r"mixture .* must be C-contiguous"),
        ({"mixture": X.tolist()}, r"mixture must be .*, not list"),
        ({"mixture": np.ones((17, 5, 7), np.complex64)}, r"mixture's number of channels .* 1 to 16, not 17"),
        ({"magnitudes": V.astype(np.float64)}, r"magnitudes must be float32 \[stems, 2, 5, 7\], not float64"),
        ({"magnitudes": V[:, :1].copy()}, r"magnitudes must be .*, not float32 \[3, 1, 5, 7\]"),
        ({"magnitudes": V[:0]}, r"magnitudes must be .*, not float32 \[0, 2, 5, 7\]"),
        ({"magnitudes": V.swapaxes(2, 3).copy().swapaxes(2, 3)}, r"magnitudes .* must be C-contiguous"),
        (
            {"out": np.zeros((3, 2, 5, 7), np.complex128)},
            r"out must be complex64 \[3, 2, 5, 7\], not complex128",
        ),
        ({"out": np.zeros((3, 2, 5, 6), np.complex64)}, r"out must be .*, not complex64 \[3, 2, 5, 6\]"),
        ({"out": LOCKED, "residual": False}, r"out .* must be writable"),
        (
            {"out": np.zeros((3, 2, 5, 7), np.complex64), "residual": True},
            r"out must be complex64 \[4, 2, 5, 7\]",
        ),
        ({"window": 0}, r"window must be an integer of at least 1, not 0"),
        ({"window": 2.0}, r"window must be an integer of at least 1, not 2.0"),
        ({"window": 10, "overlap": 6}, r"overlap 6 must be at most half of window 10"),
        ({"overlap": -1}, r"overlap must be an integer of at least 0, not -1"),
        ({"iterations": -1}, r"iterations must be an integer of at least 0, not -1"),
        ({"iterations": True}, r"iterations must be an integer of at least 0, not True"),
        ({"use_softmask": 1}, r"use_softmask must be True or False, not 1"),
        ({"residual": None}, r"residual must be True or False, not None"),
        ({"eps": 0.0}, r"eps must be a finite number, at least 1e-30, not 0.0"),
        ({"eps": np.nan}, r"eps must be a finite number, at least 1e-30, not nan"),
        ({"eps": "small"}, r"eps must be a finite number, at least 1e-30, not 'small'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"mixture": X, "magnitudes": V, **changed}
    with pytest.raises(KernelError, match=message):
        multichannel_wiener(arguments.pop("mixture"), arguments.pop("magnitudes"), **arguments)


def test_an_output_over_an_input_is_refused() -> None:
    memory = np.zeros((3, 2, 5, 7), np.complex64)
    with pytest.raises(KernelError, match="out must share no memory with mixture and magnitudes"):
        multichannel_wiener(memory[0], V, out=memory)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stems": 0}, "stems must be an integer of at least 1, not 0"),
        ({"channels": 17}, "channels must be an integer from 1 to 16, not 17"),
        ({"bins": 0}, "bins must be an integer of at least 1, not 0"),
        ({"overlap": 300}, "overlap 300 must be at most half of window 512"),
    ],
)
def test_a_stream_of_nothing_is_refused(changed: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"stems": 3, "channels": 2, "bins": 7, **changed}
    with pytest.raises(KernelError, match=message):
        MultichannelWiener(**arguments)


def test_a_stream_refuses_what_does_not_fit_and_goes_on() -> None:
    x, v = scene(3, 2, 20, 7)
    filter_ = MultichannelWiener(3, 2, 7, window=10, overlap=2)
    for bad, message in (
        ((x[:, :, :6].copy(), v), r"mixture must be complex64 \[2, any, 7\]"),
        ((x, v[:, :, :4].copy()), r"magnitudes must be float32 \[3, 2, 20, 7\]"),
    ):
        with pytest.raises(KernelError, match=message):
            filter_.push(*bad)
    with pytest.raises(KernelError, match=r"out must be complex64 \[3, 2, 16, 7\]"):
        filter_.push(x, v, out=np.empty((3, 2, 20, 7), np.complex64))
    with pytest.raises(KernelError, match="frames must be an integer of at least 0, not -1"):
        filter_.completes(-1)
    with pytest.raises(KernelError, match=r"out must be complex64 \[3, 2, 0, 7\]"):
        filter_.finish(out=np.empty((3, 2, 1, 7), np.complex64))
    got = stream(filter_, x, v, cuts(20, 1))
    np.testing.assert_array_equal(got, multichannel_wiener(x, v, window=10, overlap=2))
