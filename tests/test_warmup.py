"""`unbraid warmup`: after it nothing is compiled."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from unbraid.host.cli import main
from unbraid.kernels import warmup
from unbraid.kernels.code.job import STEPS
from unbraid.kernels.errors import KernelError

LATER = """
import numpy as np, sys
from unbraid.kernels import istft, masked_roundtrip, stft
from unbraid.kernels.machine import compilations
from unbraid.kernels.streaming import MaskedStream
x = np.ones((3, 4000), np.float32)
X = stft(x, 512, 128)
istft(X, 512, 128)
masked_roundtrip(x, np.ones(X.shape, np.float32), 512, 128)
MaskedStream(3, 512, 128).process(x, np.empty_like(x))
print(len(compilations()), "numba" in sys.modules)
"""


def test_after_a_warm_up_other_processes_compile_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(warmup, "LENGTHS", (512,))
    with pytest.raises(SystemExit) as ended:
        main(["warmup", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert told["kept"] is True
    assert told["compiled"] + told["found"] > 40
    done = subprocess.run([sys.executable, "-c", LATER], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["0", "False"], done.stderr


def test_it_covers_every_step_of_every_length_for_one_and_two_channels() -> None:
    kernels = [kernel for kernel, _ in warmup.warm_up([512])]
    for step in STEPS:
        found = [kernel.key for kernel in kernels if kernel.source == f"fft.frames.{step}"]
        assert sorted((key["length"], key["channels"]) for key in found) == [(512, 1), (512, 2)]
    seen = {kernel.source for kernel in kernels}
    assert {"nodes.mix", "signals.overlap_add", "streams.node", "pcm.quantise", "masks.ratio_few"} <= seen


def test_a_length_that_cannot_be_is_refused_before_anything_is_compiled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KernelError, match="22 is not 2"):
        next(warmup.warm_up([22]))
    with pytest.raises(SystemExit) as ended:
        main(["warmup", "--n-fft", "22"])
    assert ended.value.code == 2
    assert "--n-fft" in capsys.readouterr().err
