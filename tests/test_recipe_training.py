"""The recipe: batches depend on their number alone, losses are what they say, stopped runs go on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the recipe trains with torch: pip install 'unbraid[train]'")

from unbraid.kernels import stft  # noqa: E402
from unbraid.kernels.band_gains import BandGains  # noqa: E402
from unbraid.kernels.band_levels import BandLevels  # noqa: E402
from unbraid.plugins.denoising.band_network import band_network  # noqa: E402
from unbraid.plugins.denoising.bands import BANDS, EDGES, FRAME, FULL_SCALE, HOP  # noqa: E402
from unbraid.plugins.denoising.features import FLOOR, KEEP, LEVEL, SPREAD, START  # noqa: E402
from unbraid.plugins.denoising.recipe.bank import Piece, write_bank  # noqa: E402
from unbraid.plugins.denoising.recipe.export import export, network_of  # noqa: E402
from unbraid.plugins.denoising.recipe.features import features  # noqa: E402
from unbraid.plugins.denoising.recipe.losses import Powers, combined, loss_of  # noqa: E402
from unbraid.plugins.denoising.recipe.loudness import disturbance  # noqa: E402
from unbraid.plugins.denoising.recipe.mixing import Mixer  # noqa: E402
from unbraid.plugins.denoising.recipe.network import BandNet, scan  # noqa: E402
from unbraid.plugins.denoising.recipe.training import Settings, gains_of, train  # noqa: E402

SMALL: dict[str, Any] = {"channels": (2, 2, 4), "hidden": 8}


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny banks: two people who hum, three noises, wind."""
    folder, random = tmp_path_factory.mktemp("bank"), np.random.default_rng(0)

    def hum(seconds: float, pitch: float) -> Any:
        t = np.arange(int(seconds * 48000)) / 48000
        tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 12))
        return (0.05 * tone * (np.sin(2 * np.pi * 3 * t) > -0.3)).astype(np.float32)

    def noise(seconds: float) -> Any:
        return random.normal(0, 0.05, int(seconds * 48000)).astype(np.float32)

    def piece(name: str, kind: str, speaker: str = "", band: float = 24000) -> Piece:
        return Piece("box", name, "CC0", kind, band, speaker)

    people = [
        (piece(f"{who}{n}", "speech", who, 8000.0), hum(0.7 + n, 90 + 40 * n)) for who in "ab" for n in (0, 1)
    ]
    sounds = [
        (piece("rain", "ambience"), noise(6)),
        (piece("knock", "effect"), noise(0.3)),
        (piece("x", "music"), noise(1)),
    ]
    for split in ("train", "dev"):
        write_bank(folder / f"speech_{split}", people)
        write_bank(folder / f"noise_{split}", sounds)
        write_bank(folder / f"wind_{split}", [(piece("gust", "wind"), noise(3))])
    return folder


def test_a_batch_depends_on_seed_and_number_alone(banks: Path) -> None:
    first, again = (Mixer(banks, "denoise", mixtures=2, seconds=0.5) for _ in range(2))
    again[5], again[0]
    a, b, other = first[2], again[2], first[3]
    for name in ("mixture", "target", "cross", "band"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert not np.array_equal(a.mixture, other.mixture)
    assert not np.array_equal(a.mixture, Mixer(banks, "denoise", seed=2, mixtures=2, seconds=0.5)[2].mixture)


@pytest.mark.parametrize("task", ["denoise", "dewind"])
def test_mixtures_are_possible_and_of_every_sort(banks: Path, task: str) -> None:
    mixer, ratios = Mixer(banks, task, mixtures=8, seconds=0.5), []
    for number in range(8):
        batch = mixer[number]
        assert batch.mixture.shape == batch.target.shape == batch.cross.shape == (8, 50, BANDS)
        assert all(np.isfinite(part).all() for part in (batch.mixture, batch.target, batch.cross))
        # Cauchy and Schwarz, with room for float32.
        product = np.sqrt(batch.mixture.astype(np.float64) * batch.target)
        assert (np.abs(batch.cross) <= product * 1.01 + 1e-6 * product.max()).all()
        rest = (batch.mixture + batch.target - 2 * batch.cross).sum((1, 2))
        ratios += (10 * np.log10((batch.target.sum((1, 2)) + 1e-12) / (np.abs(rest) + 1e-12))).tolist()
    assert min(ratios) < -5  # loud noise
    assert max(ratios) > 25  # clean speech
    assert np.median(ratios) == pytest.approx(6, abs=6)


def test_the_loss_measures_the_error_of_the_spectrum() -> None:
    random = np.random.default_rng(1)
    X, S = random.normal(size=(2, 2, 7, BANDS, 2)).astype(np.float32).view(np.complex64)[..., 0]
    gain = random.uniform(0.1, 1, (2, 7, BANDS)).astype(np.float32)
    powers = Powers(
        torch.from_numpy(np.abs(X) ** 2),
        torch.from_numpy(np.abs(S) ** 2),
        torch.from_numpy((X * S.conj()).real.copy()),
        torch.ones(2, 1, BANDS),
    )
    gains = torch.from_numpy(np.stack([gain, 1 - gain], axis=2))
    terms = loss_of(gains, powers)
    error = (np.abs(gain * X - S) ** 2).sum((1, 2))
    signal = (np.abs(S) ** 2).sum((1, 2))
    want = 10 * np.log10(signal / (error + 1e-3 * signal))
    assert float(terms.ratio) == pytest.approx(want.mean(), abs=1e-3)
    before = 10 * np.log10(signal / ((np.abs(X - S) ** 2).sum((1, 2)) + 1e-3 * signal))
    assert float(terms.gained) == pytest.approx((want - before).mean(), abs=1e-3)
    scale = 1 / np.sqrt((np.abs(X) ** 2).mean((1, 2), keepdims=True))

    def pressed(Y: Any) -> Any:
        return np.abs(Y) ** 0.3 * np.exp(1j * np.angle(Y))

    estimate, target = pressed(gain * X * scale), pressed(S * scale)
    far = np.abs(estimate - target) ** 2
    near = (np.abs(estimate) - np.abs(target)) ** 2
    assert float(terms.target) == pytest.approx(0.5 * far.mean() + 0.5 * near.mean(), rel=1e-3)


def test_bands_of_which_the_target_is_not_known_do_not_count() -> None:
    powers = torch.rand(1, 4, BANDS)
    weights = torch.ones(1, 1, BANDS)
    weights[..., 40:] = 0
    gains = torch.rand(1, 4, 2, BANDS)
    other = gains.clone()
    other[..., 40:] = 0
    losses = [loss_of(g, Powers(powers, 0.5 * powers, 0.4 * powers, weights)).loss for g in (gains, other)]
    assert float(losses[0]) == float(losses[1])


def test_the_scan_and_its_gradient_are_those_of_the_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    keep, new, pull = (torch.rand(9, 2, 3, generator=generator) for _ in range(3))
    keep.requires_grad_()
    new.requires_grad_()
    state, states = torch.zeros(2, 3), []
    for t in range(9):
        state = keep[t] * state + new[t]
        states.append(state)
    want = torch.stack(states)
    torch.testing.assert_close(scan(keep, new), want)
    ours = torch.autograd.grad((scan(keep, new) * pull).sum(), (keep, new))
    torch.testing.assert_close(ours, torch.autograd.grad((want * pull).sum(), (keep, new)))


def test_levels_are_decibels_of_full_scale_and_means_follow_in_a_second() -> None:
    power = np.full((1, 200, BANDS), 1e-2, np.float32)
    heard = features(power)
    np.testing.assert_allclose(heard[0, :, 1], (-20 + 60) / 25, rtol=1e-5)
    # The mean has come 1 - 0.99^k of the way from -60 dB to -20 dB after k frames.
    np.testing.assert_allclose(heard[0, 99, 0], 40 * 0.99**100 / 25, rtol=1e-3)


def test_a_sine_of_full_scale_has_a_level_of_zero() -> None:
    from unbraid.kernels import stft

    tone = np.sin(2 * np.pi * 1000 * np.arange(9600) / 48000).astype(np.float32)[None]
    power = np.abs(stft(tone, 960, 480, "root_hann", framing="stream")[0, 10]) ** 2 / FULL_SCALE
    assert 10 * np.log10(power[20]) == pytest.approx(0, abs=0.01)
    assert (EDGES[0], EDGES[-1], len(EDGES)) == (0, 481, BANDS + 1)
    assert (np.diff(EDGES) > 0).all()


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    banks: Path, tmp_path: Path, one_thread: None
) -> None:
    settings = Settings(steps=3, mixtures=2, seconds=0.5, network=SMALL)
    assert train(banks, tmp_path / "whole", settings, workers=0, progress=lambda _line: None)
    parted = [
        train(banks, tmp_path / "parts", settings, minutes=0, workers=0, progress=lambda _line: None)
        for _ in range(3)
    ]
    assert parted == [False, False, True]
    whole, parts = (torch.load(tmp_path / run / "last.pt", weights_only=True) for run in ("whole", "parts"))
    assert whole["step"] == parts["step"] == 3
    for kind in ("network", "average"):
        for name, value in whole[kind].items():
            assert torch.equal(value, parts[kind][name]), (kind, name)


def test_what_is_exported_is_the_average_and_says_how_it_was_made(
    banks: Path, tmp_path: Path, one_thread: None
) -> None:
    from safetensors import safe_open

    settings = Settings(steps=2, mixtures=2, seconds=0.5, network=SMALL)
    train(banks, tmp_path / "run", settings, workers=0, progress=lambda _line: None)
    export(tmp_path / "run" / "last.pt", tmp_path / "w.safetensors")
    average = torch.load(tmp_path / "run" / "last.pt", weights_only=True)["average"]
    with safe_open(tmp_path / "w.safetensors", "pt") as found:
        assert sorted(found.keys()) == sorted(average)
        assert all(torch.equal(found.get_tensor(name), average[name]) for name in average)
        recipe = json.loads(found.metadata()["recipe"])
    assert (recipe["task"], recipe["step"], recipe["network"]["hidden"]) == ("denoise", 2, 8)
    network, _ = network_of(tmp_path / "run" / "last.pt")
    gains = gains_of(network, np.full((1, 20, BANDS), 1e-4, np.float32), 0)
    assert gains.shape == (1, 19, 2, BANDS)


def test_a_network_learns_from_the_loss_to_leave_the_hum(banks: Path, one_thread: None) -> None:
    batch = Mixer(banks, "denoise", mixtures=4, seconds=1.0)[0]
    torch.manual_seed(0)
    network = BandNet(**SMALL)
    optimiser, losses = torch.optim.Adam(network.parameters(), 2e-2), []
    for _ in range(30):
        gains = gains_of(network, batch.mixture, 0)
        frames = gains.shape[1]
        mixture, target, cross = (
            torch.from_numpy(part[:, :frames]) for part in (batch.mixture, batch.target, batch.cross)
        )
        loss = loss_of(gains, Powers(mixture, target, cross, torch.ones(4, 1, BANDS))).loss
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]


def disturbed(estimate: Any, target: Any) -> float:
    """Return the disturbance of an estimate, as a mixture with gains of one."""
    ones = torch.ones(1, 1, BANDS)
    return float(disturbance(ones, torch.from_numpy(estimate), torch.from_numpy(target), ones)[0])


def speech_like(frames: int = 300) -> Any:
    """Powers with syllables and a falling spectrum."""
    random = np.random.default_rng(3)
    beat = (np.sin(np.arange(frames) * 0.2) > 0)[None, :, None]
    tilt = 1 / (1 + (np.arange(BANDS) / 12.0) ** 3)
    return (random.gamma(2, 1, (1, frames, BANDS)) * tilt * np.where(beat, 1, 1e-5)).astype(np.float32)


def test_what_is_heard_of_an_error_grows_with_it_and_not_with_the_level() -> None:
    target = speech_like()
    noise = np.random.default_rng(4).gamma(2, 1, target.shape).astype(np.float32)
    heard = [disturbed(target + level * noise, target) for level in (0, 1e-5, 1e-4, 1e-3, 1e-2)]
    assert heard[0] < 0.01
    assert (np.diff(heard) > 0.1).all()
    assert disturbed(100 * (target + 1e-3 * noise), 100 * target) == pytest.approx(heard[3], rel=1e-3)


def test_what_is_added_is_heard_more_than_what_is_missing() -> None:
    target = speech_like()
    more, less = target.copy(), target.copy()
    more[:, :, 30:40] *= 10
    less[:, :, 30:40] /= 10
    assert disturbed(more, target) > 1.5 * disturbed(less, target)


def powers_of(x: Any) -> Any:
    """Return powers in bands, ``[1, frames, bands]``, relative to full scale."""
    X = stft(x[None].astype(np.float32), FRAME, HOP, "root_hann", framing="stream")
    return (np.add.reduceat(np.abs(X) ** 2, EDGES[:-1], axis=2) / FULL_SCALE).astype(np.float32)


def test_what_is_heard_is_what_pesq_takes_off() -> None:
    """Against the pesq package, on hums in noise: rank and scale."""
    pesq = pytest.importorskip("pesq", reason="pesq needs a C compiler: pip install pesq")
    random, raw, found = np.random.default_rng(0), [], []
    t = np.arange(3 * 16000) / 16000
    pitch = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 0.8 * t)) / 16000
    voice = sum(np.sin(k * pitch) / k for k in range(1, 20)) * (np.sin(2 * np.pi * 2.3 * t) > -0.2) * 0.05
    for level in (1e-4, 1e-3, 4e-3, 0.02):
        for high in (False, True):
            noise = random.standard_normal(len(t)) * level
            noise = np.diff(noise, prepend=0.0) if high else np.cumsum(noise) * 0.1
            score = pesq.pesq(16000, voice, voice + noise, "wb")
            raw.append(4.5 - (3.8224 - np.log(4 / (score - 0.999) - 1)) / 1.3669)  # P.862.2, turned round
            powers = [powers_of(np.repeat(x, 3)) for x in (voice + noise, voice)]
            found.append(disturbed(*powers))
    assert np.corrcoef(raw, found)[0, 1] > 0.95
    assert np.median(np.array(found) / raw) == pytest.approx(1, abs=0.25)


def test_a_stream_decides_as_the_network_did_in_training() -> None:
    """From the first frame on: the same features, the same empty past, the same frame decided on."""
    torch.manual_seed(1)
    network = BandNet(**SMALL)
    x = np.random.default_rng(2).normal(0, 0.1, HOP * 40)
    X = stft(x[None].astype(np.float32), FRAME, HOP, "root_hann", framing="stream")[:, :40]
    with torch.no_grad():
        wanted = combined(gains_of(network, powers_of(x)[:, :40], 1))[0].numpy()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    levels = BandLevels(
        1, EDGES, scale=1 / FULL_SCALE, floor=FLOOR, keep=KEEP, start=START, shift=LEVEL, unit=SPREAD
    )
    rule = BandGains(levels, [band_network(weights, 1)], block=40)
    got = rule.process(np.ascontiguousarray(X))[0, :, list(EDGES[:-1])].T
    np.testing.assert_allclose(got[1:], wanted, atol=1e-4)
