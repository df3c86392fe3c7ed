"""Streaming networks: what does not fit is refused, with the layer, the rule and what was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unbraid.kernels.code import neural_job
from unbraid.kernels.errors import KernelError
from unbraid.kernels.neural import Network
from unbraid.kernels.neural_convolutions import Conv, ConvTranspose
from unbraid.kernels.neural_layers import Add, Concat, Delay, Dense, Reshape, Scale
from unbraid.kernels.neural_recurrent import GruWeights, MinGru

if TYPE_CHECKING:
    from collections.abc import Callable

ONES = np.ones((3, 2), np.float32)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Network(2, []), "at least one layer"),
        (lambda: Network(0, [Dense(ONES)]), "inputs must be an integer of at least 1"),
        (lambda: Network(2, [Dense(ONES)], channels=17), "channels must be an integer from 1 to 16"),
        (lambda: Network(2, [Dense(ONES)], block=0), "block must be an integer from 1 to 64"),
        (
            lambda: Network(4, [Dense(ONES)]),
            r"layer 0 \(Dense\): Dense has weights for 2 features, and reads 4",
        ),
        (
            lambda: Network(2, [Dense(ONES, name="up"), Dense(ONES, source="down")]),
            r"layer 1 \(Dense\) reads 'down'; before it there are input, up",
        ),
        (lambda: Network(2, [Scale(name="a"), Scale(name="a")]), r"layer 1 \(Scale a\): this name is taken"),
        (lambda: Network(2, [Dense(ONES, name="a"), Add(source=("a", "input"))]), "two layers of one shape"),
        (lambda: Network((4, 2), [Reshape(1, 7)]), "does not hold the values"),
        (
            lambda: Network((4, 2), [Reshape(2, 4, name="a"), Concat(source=("a", "input"))]),
            "as many positions",
        ),
        (lambda: Network((2, 1), [Conv(np.ones((1, 1, 1, 5)))]), "kernel of 5 does not fit 2 positions"),
        (lambda: Network(3, [Scale(np.ones(2))]), r"Scale has \[2\] numbers, and reads 3 features"),
        (lambda: Dense(np.ones(3)), r"weight must have the shape \[any, any\], not \[3\]"),
        (lambda: Dense(ONES, np.ones(2)), r"bias must have the shape \[3\], not \[2\]"),
        (lambda: Dense(ONES * np.nan), "weight holds NaN or infinity"),
        (lambda: Dense(ONES, activation="gelu"), "activation must be one of none, relu"),
        (lambda: Dense(ONES, activation="prelu", slope=[1, 2]), r"slope must have the shape \[3\]"),
        (lambda: Conv(np.ones((4, 2, 1, 3)), groups=3), "groups = 3 must divide features 6 and outputs 4"),
        (lambda: Conv(np.ones((4, 2, 1, 3)), stride=0), "stride must be an integer of at least 1"),
        (lambda: ConvTranspose(np.ones((4, 2, 2, 3))), r"weight must have the shape \[any, any, 1, any\]"),
        (lambda: GruWeights(np.ones((6, 4)), np.ones((6, 3))), r"\[3 hidden, hidden\], not \[6, 3\]"),
        (lambda: MinGru(ONES, ONES, candidate="relu"), "candidate must be one of none, tanh, shifted"),
        (lambda: Delay(0), "frames must be an integer of at least 1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(KernelError, match=says):
        make()


def test_arrays_that_do_not_fit_are_refused() -> None:
    net, x = Network(2, [Dense(ONES)], 2), np.zeros((2, 2), np.float32)
    with pytest.raises(KernelError, match=r"x must be float32 \[2, 2\], not float64 \[2, 2\]"):
        net.step(x.astype(np.float64))
    with pytest.raises(KernelError, match=r"out must be float32 \[2, 3\]"):
        net.step(x, np.zeros((2, 2), np.float32))
    with pytest.raises(KernelError, match=r"x must be float32 \[2, any, 2\]"):
        net.run(x)
    shared = np.zeros(10, np.float32)
    with pytest.raises(KernelError, match="out shares memory with x"):
        net.step(shared[:4].reshape(2, 2), shared[2:8].reshape(2, 3))
    assert net.run(np.zeros((2, 0, 2), np.float32)).shape == (2, 0, 3)


def test_frames_before_the_first_have_numbers() -> None:
    longest = Delay(neural_job.BEGIN)
    assert not Network(1, [longest]).step(np.ones((1, 1), np.float32)).any()
    with pytest.raises(KernelError, match="4096"):
        Network(1, [Delay(neural_job.BEGIN + 1)])
